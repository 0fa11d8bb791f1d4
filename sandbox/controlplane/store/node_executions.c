/* Statements on `node_executions`. One set of columns and one function that reads them serve single reads and lists
 * alike. */
#include "controlplane/store/node_executions.h"

#define NODE_EXECUTION_COLUMNS                                                                                         \
	"ne.id, ne.parent_id, e.project, e.domain, e.name, ne.node_id, ne.spec_node_id, ne.retry_group, "              \
	"ne.is_parent, ne.is_array, ne.is_dynamic, ne.phase, ne.inputs_uri, ne.outputs_uri, ne.deck_uri, ne.error, "   \
	"ne.target_metadata, ne.dynamic_workflow_uri, ne.created_at, ne.started_at, ne.updated_at, "                   \
	"(extract(epoch from ne.duration) * 1000000)::bigint"
#define NODE_EXECUTION_TABLES "executions e join node_executions ne on ne.execution_id = e.id"

static void read_row(const struct database_rows *rows, size_t row, struct node_execution_row *r)
{
	size_t column = 0;
	r->id = database_int(rows, row, column++);
	r->parent_id = database_int(rows, row, column++);
	r->project = database_text(rows, row, column++);
	r->domain = database_text(rows, row, column++);
	r->execution_name = database_text(rows, row, column++);
	r->node_id = database_text(rows, row, column++);
	r->spec_node_id = database_text(rows, row, column++);
	r->retry_group = database_text(rows, row, column++);
	r->is_parent = database_bool(rows, row, column++);
	r->is_array = database_bool(rows, row, column++);
	r->is_dynamic = database_bool(rows, row, column++);
	r->phase = database_text(rows, row, column++);
	r->inputs_uri = database_text(rows, row, column++);
	r->outputs_uri = database_text(rows, row, column++);
	r->deck_uri = database_text(rows, row, column++);
	r->error = database_bytes(rows, row, column++);
	r->target_metadata = database_bytes(rows, row, column++);
	r->dynamic_workflow_uri = database_text(rows, row, column++);
	r->created_at = database_time(rows, row, column++);
	r->started_at = database_time(rows, row, column++);
	r->updated_at = database_time(rows, row, column++);
	r->duration_ns = database_is_null(rows, row, column) ? -1 : database_int(rows, row, column) * 1000;
}

static void read_rows(struct arena *arena, const struct database_rows *rows, struct node_execution_rows *ret_rows)
{
	struct node_execution_row *read = arena_array(arena, struct node_execution_row, rows->count);
	for (size_t i = 0; i < rows->count; i++)
		read_row(rows, i, &read[i]);
	*ret_rows = (struct node_execution_rows){ .count = rows->count, .rows = read };
}

/* The one row that `key` names. */
static int query_one(struct database_connection *c, struct arena *arena, const char *sql,
                     const struct node_execution_key *key, struct database_rows *ret_rows, struct err *e)
{
	struct database_value values[] = { DB_TEXT(key->project), DB_TEXT(key->domain), DB_TEXT(key->execution_name),
		                           DB_TEXT(key->node_id) };
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), ret_rows, e) < 0)
		return -1;
	if (ret_rows->count == 0)
		return err_set(e, ERR_NOT_FOUND, NULL,
		               "missing entity of type node execution with identifier node_id:\"%s\" "
		               "execution_id:{project:\"%s\" domain:\"%s\" name:\"%s\"}",
		               key->node_id, key->project, key->domain, key->execution_name);
	return 0;
}

int node_executions_get(struct database_connection *c, struct arena *arena, const struct node_execution_key *key,
                        struct node_execution_row *ret_row, struct err *e)
{
	struct database_rows rows;
	if (query_one(c, arena,
	              "select " NODE_EXECUTION_COLUMNS " from " NODE_EXECUTION_TABLES
	              " where e.project = $1 and e.domain = $2 and e.name = $3 and ne.node_id = $4",
	              key, &rows, e) < 0)
		return -1;
	read_row(&rows, 0, ret_row);
	return 0;
}

int node_executions_get_data(struct database_connection *c, struct arena *arena, const struct node_execution_key *key,
                             struct node_execution_data *ret_data, struct err *e)
{
	struct database_rows rows;
	if (query_one(
	            c, arena,
	            "select ne.inputs, ne.inputs_uri, ne.outputs, ne.outputs_uri, ne.deck_uri, ne.dynamic_workflow_uri "
	            "from " NODE_EXECUTION_TABLES
	            " where e.project = $1 and e.domain = $2 and e.name = $3 and ne.node_id = $4",
	            key, &rows, e) < 0)
		return -1;
	*ret_data = (struct node_execution_data){
		.inputs = { database_bytes(&rows, 0, 0), database_text(&rows, 0, 1) },
		.outputs = { database_bytes(&rows, 0, 2), database_text(&rows, 0, 3) },
		.deck_uri = database_text(&rows, 0, 4),
		.dynamic_workflow_uri = database_text(&rows, 0, 5),
	};
	return 0;
}

int node_executions_list(struct database_connection *c, struct list_query *query, struct node_execution_rows *ret_rows,
                         struct err *e)
{
	struct database_rows rows;
	if (list_run(query, c, NODE_EXECUTION_COLUMNS, &rows, e) < 0)
		return -1;
	read_rows(query->arena, &rows, ret_rows);
	return 0;
}

int node_executions_of(struct database_connection *c, struct arena *arena, int64_t execution_id,
                       struct node_execution_rows *ret_rows, struct err *e)
{
	struct database_value values[] = { DB_INT(execution_id) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "select " NODE_EXECUTION_COLUMNS " from " NODE_EXECUTION_TABLES
	                   " where e.id = $1 order by ne.created_at, ne.id",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	read_rows(arena, &rows, ret_rows);
	return 0;
}
