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
	const char *node_id;
	int64_t node_row_id;
};

struct child {
	Flyteidl__Core__WorkflowExecution__Phase phase;
	const Flyteidl__Core__ExecutionError *error; /* NULL: none */
	const Flyteidl__Core__LiteralMap *outputs;   /* NULL: none, or only at outputs_uri */
	const char *outputs_uri;
};

/* 1 found, 0 there is none yet, -1. ERR_EXISTS when an execution of that name is not this node's. Within the round's
 * transaction. */
int children_find(struct database_connection *c, struct arena *arena, const struct child_key *key,
                  struct child *ret_child, struct err *e);

/* Launches it, on a connection of its own. ERR_INVALID, ERR_NOT_FOUND: it never can be. Finding that it exists is
 * success: children_find says whose it is. */
int children_launch(const struct launch_context *context, struct arena *arena, const struct child_key *key,
                    const Flyteidl__Core__Identifier *launch_plan, const Flyteidl__Core__LiteralMap *inputs,
                    struct err *e);

#endif
