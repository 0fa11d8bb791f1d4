/*
 * Child executions: what launch plan nodes start and watch. A child's name follows from its node and attempt, so it is
 * launched at most once whatever happens in between; its row says which node it belongs to, so that a namesake does not
 * pass for it.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_CHILDREN_H
#define SANDBOX_CONTROLPLANE_ENGINE_CHILDREN_H

#include "controlplane/launch/launch.h"
#include "controlplane/store/progress.h"

/* Children of children, as upstream limits them by nothing: a launch plan can launch itself. */
#define CHILDREN_NESTING_MAXIMUM 50

struct child_key {
	const struct progress_definition *parent;
	const char *name;
	const char *node_id; /* as clients know the node that it belongs to; of an element that is the array */
	int64_t node_row_id;
};

struct child {
	const char *name;
	int64_t node_row_id; /* whose it is; 0: nobody's */
	Flyteidl__Core__WorkflowExecution__Phase phase;
	const Flyteidl__Core__ExecutionError *error; /* NULL: none */
	const Flyteidl__Core__LiteralMap *outputs;   /* NULL: none, or only at outputs_uri */
	const char *outputs_uri;
};

struct children {
	size_t count;
	struct child *list; /* by name */
};

/* Those of these names that exist, in the parent's project and domain. Within the round's transaction. */
int children_find(struct database_connection *c, struct arena *arena, const struct progress_definition *parent,
                  const char *const *names, size_t count, struct children *ret_children, struct err *e);
/* NULL when it is not among them. */
const struct child *children_named(const struct children *children, const char *name);

/* Launches it, on a connection of its own. ERR_INVALID, ERR_NOT_FOUND: it never can be. Finding that it exists is
 * success: children_find says whose it is. */
int children_launch(const struct launch_context *context, struct arena *arena, const struct child_key *key,
                    const Flyteidl__Core__Identifier *launch_plan, const Flyteidl__Core__LiteralMap *inputs,
                    struct err *e);

#endif
