/*
 * Rows of the table `node_executions` as the API reads them; store/progress writes them. Rows and everything they point
 * to live in the arena given; times are nanoseconds since the Unix epoch, 0 when unknown.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_NODE_EXECUTIONS_H
#define SANDBOX_CONTROLPLANE_STORE_NODE_EXECUTIONS_H

#include "controlplane/store/executions.h"

struct node_execution_row {
	int64_t id;
	int64_t parent_id; /* node_executions.id; 0 at the top level */
	const char *project, *domain, *execution_name;
	const char *node_id; /* unique within the execution */
	const char *spec_node_id;
	const char *retry_group;
	bool is_parent, is_array, is_dynamic;
	const char *phase; /* name of flyteidl.core.NodeExecution.Phase */
	const char *inputs_uri, *outputs_uri, *deck_uri;
	struct proto_bytes error; /* flyteidl.core.ExecutionError; NULL data when none */
	struct proto_bytes
	        target_metadata; /* flyteidl.admin.NodeExecutionClosure with only that set; NULL data when none */
	const char *dynamic_workflow_uri; /* of the CompiledWorkflowClosure that a dynamic node made; "" */
	int64_t created_at, started_at, updated_at;
	int64_t duration_ns; /* -1 when not known yet */
};

struct node_execution_rows {
	size_t count;
	struct node_execution_row *rows;
};

/* Which node of which execution. */
struct node_execution_key {
	const char *project, *domain, *execution_name, *node_id;
};

/* ERR_NOT_FOUND when there is none. */
int node_executions_get(struct database_connection *c, struct arena *arena, const struct node_execution_key *key,
                        struct node_execution_row *ret_row, struct err *e);

struct node_execution_data {
	struct stored_literals inputs, outputs;
	const char *deck_uri, *dynamic_workflow_uri; /* "" when none */
};
int node_executions_get_data(struct database_connection *c, struct arena *arena, const struct node_execution_key *key,
                             struct node_execution_data *ret_data, struct err *e);

/* One page of a list of LIST_NODE_EXECUTION; see store/list.h; the next token is in the query. */
int node_executions_list(struct database_connection *c, struct list_query *query, struct node_execution_rows *ret_rows,
                         struct err *e);

/* All nodes of an execution in the order in which they were made. */
int node_executions_of(struct database_connection *c, struct arena *arena, int64_t execution_id,
                       struct node_execution_rows *ret_rows, struct err *e);

#endif
