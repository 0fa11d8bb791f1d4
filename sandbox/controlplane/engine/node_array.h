/*
 * Between the files of array nodes: the kind itself (node_array.c), its elements (node_array_elements.c), how it ends
 * (node_array_end.c), and the rows of its elements (node_array_rows.c).
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_NODE_ARRAY_H
#define SANDBOX_CONTROLPLANE_ENGINE_NODE_ARRAY_H

#include "controlplane/engine/machine.h"

/* Outputs read from the object store at the same time, of elements whose row does not have them. */
#define ARRAY_READ_MAXIMUM 16

enum element_state { ELEMENT_UNKNOWN, ELEMENT_ACTIVE, ELEMENT_SUCCEEDED, ELEMENT_FAILED };

/* What is remembered of an element that is over. Of those that ended in earlier rounds nothing is known until it is
 * asked for, at the end: how many they are is enough. */
struct element {
	enum element_state state;
	uint32_t attempt;
	const Flyteidl__Core__LiteralMap *outputs; /* NULL: to be read, if any are declared */
	const Flyteidl__Core__ExecutionError *error;
};

struct machine_array {
	const struct machine_scope *scope; /* of its elements */
	size_t size;
	struct element *elements; /* one per element */
	size_t begun;             /* elements below this have begun */
	size_t active, succeeded, failed;
	size_t begun_in_round;
	bool complete; /* nothing is ELEMENT_UNKNOWN that has begun */
	/* Elements that are active, or have ended in this round. */
	size_t live_count;
	struct machine_node **live;
	/* Elements whose outputs are being read once more. */
	size_t reader_count;
	struct machine_node *readers[ARRAY_READ_MAXIMUM];
	size_t output_bytes;
};

static inline const struct array_spec *array_spec_of(const struct machine_node *node)
{
	return node->vertex->array;
}

static inline const struct machine_vertex *array_element_vertex(const struct machine_node *node)
{
	return &node->vertex->inner->vertices[0];
}

/* Whether elements put out anything, as far as is known. */
static inline bool array_has_outputs(const struct machine_node *node)
{
	return !array_element_vertex(node)->task || node->vertex->element_outputs->n_variables > 0;
}

/* Of the node's current attempt. */
void array_open(struct machine *m, struct machine_node *node, size_t size);

/* ---- Elements (node_array_elements.c) ---- */

/* A node for the element, without a row and not among those that are live. */
struct machine_node *array_new_element(struct machine *m, struct machine_node *node, uint32_t index);
struct machine_node *array_add_live(struct machine *m, struct machine_node *node, uint32_t index);
/* As many as may be there at a time. */
void array_begin_elements(struct machine *m, struct machine_node *node);
void array_advance_elements(struct machine *m, struct machine_node *node);
void array_abort_elements(struct machine *m, struct machine_node *node, const char *reason);
/* False while it is wanted which elements an earlier execution has run: as long as there are some that have not been
 * tried. */
bool array_find_recoverable(struct machine *m, struct machine_node *node);

/* ---- Ending (node_array_end.c) ---- */

/* Too few can succeed any more; returns early while it is not known why. */
void array_fail(struct machine *m, struct machine_node *node);
/* All have ended, and enough have succeeded; returns early while their outputs are put together. */
void array_succeed(struct machine *m, struct machine_node *node);
/* What runs of a node that has just failed, and what clients see of it. */
void array_end_with(struct machine *m, struct machine_node *node, const Flyteidl__Core__ExecutionError *error);

/* ---- Rows (node_array_rows.c) ---- */

int array_resume(struct machine *m, struct machine_node *node, struct err *e);

#endif
