/*
 * Rows of the table `task_executions` — one attempt of a task each — as the API reads them; store/progress writes them.
 * Rows and everything they point to live in the arena given; times are nanoseconds since the Unix epoch, 0 when
 * unknown.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_TASK_EXECUTIONS_H
#define SANDBOX_CONTROLPLANE_STORE_TASK_EXECUTIONS_H

#include "controlplane/store/node_executions.h"

struct task_execution_row {
	int64_t id, node_execution_id;
	struct node_execution_key node;
	uint32_t retry_attempt;
	const char *task_project, *task_domain, *task_name, *task_version;
	const char *task_type;
	const char *phase; /* name of flyteidl.core.TaskExecution.Phase */
	int64_t phase_version;
	const char *inputs_uri, *outputs_uri;
	struct proto_bytes error;   /* flyteidl.core.ExecutionError; NULL data when none */
	const char *reason;         /* the latest */
	struct proto_bytes closure; /* flyteidl.admin.TaskExecutionClosure with logs, reasons, metadata, custom_info;
	                               NULL data when none */
	bool is_parent;             /* other nodes came out of it */
	bool is_array;              /* a map task: one row for all its elements (store/array_elements.h) */
	uint32_t array_size;
	int64_t created_at, started_at, updated_at;
	int64_t duration_ns; /* -1 when not known yet */
};

struct task_execution_rows {
	size_t count;
	struct task_execution_row *rows;
};

/* Which attempt of which task at which node. */
struct task_execution_key {
	struct node_execution_key node;
	const char *task_project, *task_domain, *task_name, *task_version;
	uint32_t retry_attempt;
};

/* ERR_NOT_FOUND when there is none. */
int task_executions_get(struct database_connection *c, struct arena *arena, const struct task_execution_key *key,
                        struct task_execution_row *ret_row, struct err *e);

struct task_execution_data {
	struct stored_literals inputs, outputs;
};
int task_executions_get_data(struct database_connection *c, struct arena *arena, const struct task_execution_key *key,
                             struct task_execution_data *ret_data, struct err *e);

/* One page of a list of LIST_TASK_EXECUTION; see store/list.h; the next token is in the query. */
int task_executions_list(struct database_connection *c, struct list_query *query, struct task_execution_rows *ret_rows,
                         struct err *e);

/* All attempts of all nodes of an execution in the order in which they were made. */
int task_executions_of(struct database_connection *c, struct arena *arena, int64_t execution_id,
                       struct task_execution_rows *ret_rows, struct err *e);

#endif
