/*
 * Making executions: what CreateExecution does behind its RPC, for whoever starts one — the API for a user, the engine
 * for a launch plan node, the scheduler for a tick. Not tied to a call: any thread may launch with an arena of its own,
 * and no connection of the caller's is used, so a caller that is inside a transaction (an engine round) neither blocks
 * the launch nor is part of it.
 *
 * A launch finds what is launched, completes inputs and configuration, writes the inputs to the object store, and then
 * inserts one row and notifies the engine in one transaction, which does nothing else. A call that fails leaves nothing
 * but objects that nobody refers to, so it may be repeated; one that is repeated after it succeeded finds its name
 * taken.
 */
#ifndef SANDBOX_CONTROLPLANE_LAUNCH_LAUNCH_H
#define SANDBOX_CONTROLPLANE_LAUNCH_LAUNCH_H

#include "base/parallel.h"
#include "controlplane/settings/settings.h"
#include "controlplane/store/database.h"
#include "controlplane/store/objects.h"

#include "flyteidl/admin/execution.pb-c.h"
#include "flyteidl/admin/launch_plan.pb-c.h"
#include "flyteidl/core/interface.pb-c.h"

/* What all launches share. Borrowed. */
struct launch_context {
	struct database *database;
	struct objects *objects;
	const char *bucket;
	struct settings_holder *settings; /* a launch uses those that are current when it begins; NULL: the defaults */
	struct parallel *parallel;        /* writes both objects at once; NULL: one after the other */
};

/* Literal maps below this size are kept in the execution's row, too. */
#define LAUNCH_ROW_MAXIMUM ((size_t)2 * 1024 * 1024)

/* What is launched. */
struct launch_target {
	int64_t launch_plan_id, workflow_id, task_id; /* rows; 0: none */
	const Flyteidl__Admin__LaunchPlanSpec
	        *launch_plan; /* for configuration and notifications; NULL when a task is launched */
	const Flyteidl__Core__QualityOfService *workflow_quality_of_service; /* of the workflow's metadata; NULL: none */
	const Flyteidl__Core__LiteralMap *fixed_inputs;
	const Flyteidl__Core__ParameterMap *expected_inputs;
};

/* The node that launches a child execution, and its execution, by their rows: known to the engine, looked up for
 * everybody else. */
struct launch_parent {
	int64_t node_row_id, execution_row_id;
	const Flyteidl__Admin__ExecutionSpec *spec; /* the parent execution's */
};

struct launch_request {
	const char *project, *domain;
	const char *name; /* "" for a random one */
	/* What it launches (launch_plan), how (metadata with mode, scheduled_at, reference_execution,
	 * parent_node_execution), and every field of the configuration. Must be valid (execution_validate.h). Not
	 * changed: sub-messages are shared with the stored copy. */
	const Flyteidl__Admin__ExecutionSpec *spec;
	const Flyteidl__Core__LiteralMap *inputs; /* as the user gives them; NULL: none */
	int64_t source_execution_id; /* the row of the one that is relaunched or recovered; 0: the parent's, if any */
	const struct launch_target *target; /* NULL: the launch plan that the spec names */
	const struct launch_parent *parent; /* NULL: the one that metadata.parent_node_execution names, if any */
};

struct launch_result {
	int64_t id;       /* of the row */
	const char *name; /* in the arena */
};

/* ERR_EXISTS has one of two ids: EXECUTIONS_TAKEN (store/executions.h), the name is taken — a child or a tick has been
 * launched before —, or this one, the launch plan's concurrency policy skips the execution. */
#define LAUNCH_CONCURRENCY_LIMIT "concurrency-limit"

/*
 * Launches. Children take principal, cluster label and nesting from their parent. ERR_INVALID: the project is unknown
 * or archived, inputs do not fit; ERR_NOT_FOUND: what is launched or the parent; ERR_EXISTS as above; ERR_UNAVAILABLE,
 * ERR_TIMEOUT, ERR_INTERNAL. Connections are waited for until `deadline_ms` (monotonic).
 */
int launch_execution(const struct launch_context *context, struct arena *arena, int64_t deadline_ms,
                     const struct launch_request *request, struct launch_result *ret_result, struct err *e);

/* The launch plan of that id as a target. ERR_NOT_FOUND. */
int launch_target_of_plan(struct database_connection *c, struct arena *arena, const Flyteidl__Core__Identifier *id,
                          struct launch_target *ret_target, struct err *e);

#endif
