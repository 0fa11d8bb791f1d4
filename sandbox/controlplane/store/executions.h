/*
 * Rows of the table `executions` as the API needs them: created, read one by one or as a list, marked for abortion,
 * archived. Moving an execution forward is store/progress, the engine's side of the same table.
 *
 * Rows and everything they point to live in the arena given. Times are nanoseconds since the Unix epoch, 0 when
 * unknown.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_EXECUTIONS_H
#define SANDBOX_CONTROLPLANE_STORE_EXECUTIONS_H

#include "controlplane/store/database.h"
#include "controlplane/store/list.h"

/*
 * The channel on which the engine listens. Who commits a change that it must see says, in the same transaction,
 *	select pg_notify('flyte_engine', <executions.id as text>)
 */
#define EXECUTIONS_CHANNEL "flyte_engine"

/* A LiteralMap: its bytes where they are small enough to be kept in the row (NULL data otherwise), and where the object
 * is ("" when none). */
struct stored_literals {
	struct proto_bytes bytes;
	const char *uri;
};

struct execution_row {
	int64_t id;
	const char *project, *domain, *name;
	const char *workflow_project, *workflow_domain, *workflow_name,
	        *workflow_version; /* "" when there is no workflow */
	struct proto_bytes spec;   /* flyteidl.admin.ExecutionSpec */
	const char *phase;         /* name of flyteidl.core.WorkflowExecution.Phase */
	int64_t state;             /* flyteidl.admin.ExecutionState */
	int64_t state_updated_at;
	const char *state_principal;
	struct proto_bytes error; /* flyteidl.core.ExecutionError; NULL data when none */
	const char *abort_cause, *abort_principal;
	struct proto_bytes notifications; /* flyteidl.admin.NotificationList; NULL data when none */
	const char *outputs_uri;
	const char *user_inputs_uri;
	int64_t created_at, started_at, updated_at;
	int64_t duration_ns; /* -1 when not known yet */
};

/* ERR_NOT_FOUND when there is none ("missing entity of type execution with identifier …", as upstream says it). */
int executions_get(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                   const char *name, struct execution_row *ret_row, struct err *e);

struct execution_data {
	int64_t id;
	struct stored_literals inputs, user_inputs, outputs;
};
int executions_get_data(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                        const char *name, struct execution_data *ret_data, struct err *e);

struct execution_rows {
	size_t count;
	struct execution_row *rows;
};
/* One page of a list of LIST_EXECUTION; see store/list.h; the next token is in the query. */
int executions_list(struct database_connection *c, struct list_query *query, struct execution_rows *ret_rows,
                    struct err *e);

struct execution_tag {
	const char *key;
	const char *value; /* "" for a tag without value */
};

struct execution_new {
	const char *project, *domain, *name;
	int64_t launch_plan_id, workflow_id, task_id; /* 0: none */
	int resource_type;                            /* flyteidl.core.ResourceType of what was launched */
	struct proto_bytes spec;
	int mode;
	const char *principal;
	struct stored_literals inputs, user_inputs;
	struct proto_bytes notifications;                      /* NULL data: none */
	const char *resource_policy;                           /* settings/resource_policy.h, as text */
	struct proto_bytes plugin_overrides;                   /* flyteidl.admin.PluginOverrides; NULL data: none */
	int64_t parent_node_execution_id, source_execution_id; /* 0: none */
	const struct execution_tag *tags;                      /* doubles are dropped */
	size_t tag_count;
};

/* 1 when the name is in use, 0 when not, -1. */
int executions_exist(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                     const char *name, struct err *e);
/* ERR_EXISTS with the id EXECUTIONS_TAKEN, in upstream's words. Returns -1. */
#define EXECUTIONS_TAKEN "execution-exists"
int executions_taken(const struct execution_new *execution, struct err *e);

/*
 * Inserts the row and its tags and tells the engine, all to take effect with the caller's commit. Needs an open
 * transaction. executions_taken() when the name is, in which case the transaction is still usable. While it is open,
 * somebody else who inserts the same name waits.
 */
int executions_insert(struct database_connection *c, struct arena *arena, const struct execution_new *execution,
                      int64_t *ret_id, struct err *e);

/*
 * For launch plans with a concurrency policy: how many executions of any version of the launch plan are not finished.
 * Needs an open transaction, and makes every other transaction that asks the same wait for its end, so that the count
 * still holds when the row is inserted.
 */
int executions_count_active(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                            const char *launch_plan_name, int64_t *ret_count, struct err *e);

/*
 * Marks the execution ABORTING and tells the engine, in one statement. `ret_phase` is the phase that was found: when
 * that was a terminal one nothing has changed. ERR_NOT_FOUND.
 */
int executions_begin_abort(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                           const char *name, const char *cause, const char *principal, const char **ret_phase,
                           struct err *e);

/* Archives or re-activates. ERR_NOT_FOUND. */
int executions_set_state(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                         const char *name, int state, const char *principal, struct err *e);

/* SUCCEEDED, FAILED, ABORTED, TIMED_OUT. */
bool execution_phase_is_terminal(const char *phase);

#endif
