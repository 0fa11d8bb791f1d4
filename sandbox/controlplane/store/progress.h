/*
 * What the engine loads and saves of an execution: the mutable state of the execution, its nodes and their current task
 * attempts. One engine round locks the execution's row, loads, and saves what it has changed in the same transaction.
 *
 * Everything lives in the arena given. Times are nanoseconds since the Unix epoch, 0 when unknown. Phases are the
 * values of the flyteidl enums; the columns hold their names.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_PROGRESS_H
#define SANDBOX_CONTROLPLANE_STORE_PROGRESS_H

#include "controlplane/store/array_elements.h"
#include "controlplane/store/database.h"

#include "flyteidl/admin/execution.pb-c.h"
#include "flyteidl/admin/matchable_resource.pb-c.h"
#include "flyteidl/admin/task_execution.pb-c.h"
#include "flyteidl/core/catalog.pb-c.h"
#include "flyteidl/core/compiler.pb-c.h"
#include "flyteidl/core/execution.pb-c.h"
#include "flyteidl/core/literals.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct machine_graph; /* the engine's */

/* Literal maps up to this many bytes are kept in the rows; larger ones only in the object store, whose URI is always in
 * the row. */
#define PROGRESS_INLINE_MAXIMUM ((size_t)2 << 20)

/* What of an execution never changes. */
struct progress_definition {
	int64_t id;
	const char *project, *domain, *name;
	const char *workflow_project, *workflow_domain, *workflow_name, *workflow_version;
	const char *launch_plan_name; /* "" when none */
	const Flyteidl__Admin__ExecutionSpec *spec;
	const Flyteidl__Core__CompiledWorkflowClosure *closure;
	const Flyteidl__Core__LiteralMap *inputs; /* NULL when they are only in the object store, at inputs_uri */
	const char *inputs_uri;                   /* "" when there are none */
	const char *resource_policy;              /* settings/resource_policy.h, as text; "": there was none yet */
	const Flyteidl__Admin__PluginOverrides *plugin_overrides; /* NULL: none */
	int64_t recovered_id; /* the execution whose successes are taken over; 0: none */
};

struct progress_execution {
	int64_t id;
	Flyteidl__Core__WorkflowExecution__Phase phase;
	const char *abort_cause;
	int64_t started_at_ns, ended_at_ns;
	const Flyteidl__Core__ExecutionError *error;
	const char *outputs_uri;
	const Flyteidl__Core__LiteralMap *outputs; /* to be saved; never loaded */
	const char *replica;                       /* which moved it last; "" for none */
	bool changed;
};

/* One attempt of a task node. */
struct progress_task {
	int64_t row_id; /* 0: not inserted yet */
	uint32_t attempt;
	const Flyteidl__Core__Identifier *id; /* the task's; only needed to insert */
	const char *task_type;
	Flyteidl__Core__TaskExecution__Phase phase;
	uint32_t phase_version;
	const char *inputs_uri, *outputs_uri;
	const Flyteidl__Core__LiteralMap *outputs; /* to be saved; never loaded */
	const Flyteidl__Core__ExecutionError *error;
	const char *reason;
	Flyteidl__Admin__TaskExecutionClosure *closure; /* logs, reasons, metadata; never NULL */
	const char *pod_namespace, *pod_name; /* of a connector's: where its pod would be, and the attempt's name */
	bool connector; /* a connector has it: there is a row in connector_tasks, and no pod */
	/* A map task stands for all its elements: how many there are, have begun, and ended how. Those under way are
	 * loaded while the node is active; they are saved by themselves (array_elements_save). */
	bool is_array;
	uint32_t array_size, array_begun, array_succeeded, array_failed;
	struct array_elements elements;
	int64_t created_at_ns, started_at_ns, ended_at_ns;
	bool changed;
};

struct progress_node {
	int64_t row_id;           /* 0: not inserted yet */
	const char *node_id;      /* unique within the execution */
	const char *spec_node_id; /* the id in its own workflow */
	int64_t parent_row_id;    /* 0: top level */
	const char *retry_group;
	bool is_parent, is_array, is_dynamic;
	Flyteidl__Core__NodeExecution__Phase phase;
	const char *node_name;
	const char *inputs_uri, *outputs_uri, *deck_uri;
	const Flyteidl__Core__LiteralMap *inputs, *outputs; /* to be saved; loaded only by progress_load_outputs */
	const Flyteidl__Core__ExecutionError *error;
	const char *dynamic_workflow_uri;                       /* "" keeps the stored one; never loaded */
	const Flyteidl__Core__CompiledWorkflowClosure *dynamic; /* to be saved; loaded by progress_load_dynamic */
	const struct machine_graph *dynamic_graph;              /* of that; the engine's, neither saved nor loaded */
	Flyteidl__Core__WorkflowExecutionIdentifier *child; /* the execution that it runs; saved in target_metadata */
	/* What clients see of task nodes (flyteidl.admin.TaskNodeMetadata); loaded while the node is active. */
	const char *checkpoint_uri;
	Flyteidl__Core__CatalogCacheStatus cache_status;
	Flyteidl__Core__CatalogMetadata *cache_metadata; /* or NULL */
	const char *previous_checkpoint_uri;             /* which the first attempt goes on from; "" for none */
	const char *cache_tag;                           /* what the outputs are to be kept under; "" for not */
	int64_t created_at_ns, started_at_ns, ended_at_ns;
	uint32_t attempt;
	uint32_t user_failures, system_failures;
	int64_t retry_at_ns, recheck_at_ns;
	struct progress_task *task; /* of the current attempt; NULL when that has not been made */
	bool changed;
};

enum progress_lock {
	PROGRESS_LOCKED, /* ours until the transaction ends */
	PROGRESS_BUSY,   /* somebody else has it: try again soon */
	PROGRESS_GONE,   /* there is no such execution */
};

/* Reads the definition; ERR_NOT_FOUND. Needs no transaction. */
int progress_load_definition(struct database_connection *c, struct arena *arena, int64_t id,
                             struct progress_definition *ret_definition, struct err *e);
/* Locks the execution's row without waiting and reads its state. Inside a transaction. */
int progress_lock(struct database_connection *c, struct arena *arena, int64_t id, enum progress_lock *ret_lock,
                  struct progress_execution *ret_execution, struct err *e);
struct progress_nodes {
	size_t count;
	struct progress_node *nodes; /* with their current attempts */
};
int progress_load_nodes(struct database_connection *c, struct arena *arena, int64_t execution_id,
                        struct progress_nodes *ret_nodes, struct err *e);
/* What became of the node of that id in another execution. 1 found, 0 there was none, -1. */
struct progress_recovered {
	Flyteidl__Core__NodeExecution__Phase phase;
	const Flyteidl__Core__LiteralMap *outputs; /* NULL when they are only in the object store, or there are none */
	const char *inputs_uri, *outputs_uri, *deck_uri, *checkpoint_uri;
	uint32_t attempt;
};
int progress_load_recovered(struct database_connection *c, struct arena *arena, int64_t execution_id,
                            const char *node_id, struct progress_recovered *ret_recovered, struct err *e);
/* The outputs kept in a node's row; NULL when they are only in the object store, or there are none. */
int progress_load_outputs(struct database_connection *c, struct arena *arena, int64_t node_row_id,
                          const Flyteidl__Core__LiteralMap **ret_outputs, struct err *e);

/* The workflow that a dynamic node has made. ERR_NOT_FOUND. */
int progress_load_dynamic(struct database_connection *c, struct arena *arena, int64_t node_row_id,
                          const Flyteidl__Core__CompiledWorkflowClosure **ret_closure, struct err *e);

/* Save what changed; inserts give the structure its row_id. Inside the transaction of progress_lock. */
/* The end of a child execution wakes the one that its node is in. */
int progress_save_execution(struct database_connection *c, struct arena *arena,
                            const struct progress_execution *execution, struct err *e);
int progress_save_node(struct database_connection *c, struct arena *arena, int64_t execution_id,
                       struct progress_node *node, struct err *e);
int progress_save_task(struct database_connection *c, struct arena *arena, int64_t execution_id, int64_t node_row_id,
                       struct progress_task *task, struct err *e);

struct progress_ids {
	size_t count;
	int64_t *ids;
};
/* Every execution that is not finished. */
int progress_unfinished(struct database_connection *c, struct arena *arena, struct progress_ids *ret_ids,
                        struct err *e);
/* Those of the given ones that ended before that time, or do not exist, in ascending order. */
int progress_over(struct database_connection *c, struct arena *arena, const struct progress_ids *ids, int64_t before_ns,
                  struct progress_ids *ret_ids, struct err *e);
static inline bool progress_execution_is_finished(Flyteidl__Core__WorkflowExecution__Phase phase)
{
	switch (phase) {
	case FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__SUCCEEDED:
	case FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__FAILED:
	case FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__ABORTED:
	case FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__TIMED_OUT:
		return true;
	default:
		return false;
	}
}

#endif
