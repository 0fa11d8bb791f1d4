/*
 * Maps over tasks and launch plans: what an array node asks for, and the literals that go into and come out of its
 * elements. Pure; results in the arena. The rules are upstream's (flytepropeller nodes/array at v1.16.8; ../shared
 * reference §2.10). How elements run is node_array.c.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_ARRAY_H
#define SANDBOX_CONTROLPLANE_ENGINE_ARRAY_H

#include "base/arena.h"
#include "base/err.h"

#include "flyteidl/core/interface.pb-c.h"
#include "flyteidl/core/literals.pb-c.h"
#include "flyteidl/core/tasks.pb-c.h"
#include "flyteidl/core/workflow.pb-c.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

struct array_spec {
	uint32_t parallelism; /* elements at a time; 0: as many as may be */
	bool has_minimum;     /* else the ratio counts */
	uint32_t minimum_successes;
	double minimum_ratio; /* 1 when nothing is said */
	size_t bound_count;
	char *const *bound; /* inputs that all elements get as they are */
	bool own_inputs;    /* each element reads an inputs.pb of its own; else all read the array's and pick by their
	                       index */
	bool runs_all;      /* elements run to their end also when the array has failed */
	/* A task of type "container_array", flytekit's map tasks before array nodes: the pod is given the directory
	 * above the one into which it writes, because flytekit appends the index itself. */
	bool legacy;
};

struct array_spec array_spec_of_node(const Flyteidl__Core__ArrayNode *node);
/* From the task's custom field, a plugins.ArrayJob in JSON. */
struct array_spec array_spec_of_legacy_task(const Flyteidl__Core__TaskTemplate *task);

/* How many elements the inputs ask for. ERR_INVALID, with upstream's text, when they contradict each other. */
int array_size(const struct array_spec *spec, const Flyteidl__Core__LiteralMap *inputs, size_t *ret_size,
               struct err *e);
/* How many have to succeed. */
size_t array_minimum_successes(const struct array_spec *spec, size_t size);
/* What one element gets: its own of every list, and what is bound as it is. The index is below the size. */
Flyteidl__Core__LiteralMap *array_element_inputs(struct arena *arena, const struct array_spec *spec,
                                                 const Flyteidl__Core__LiteralMap *inputs, size_t index);
/* Lists of what the elements put out, one for each variable that is declared or that some element has; an element
 * without outputs, or without that one, counts as none. */
Flyteidl__Core__LiteralMap *array_collect_outputs(struct arena *arena, const Flyteidl__Core__VariableMap *declared,
                                                  const Flyteidl__Core__LiteralMap *const *outputs, size_t size);

struct array_error {
	uint32_t index;
	const char *message;
};
/* All messages in at most `maximum` bytes (some hundreds at least); reorders them. */
const char *array_errors_summary(struct arena *arena, struct array_error *errors, size_t count, size_t maximum);

#endif
