/*
 * Statements on `task_executions`. The inputs of an attempt are those of its node, which is where their bytes are kept;
 * only the object's address is repeated in the row.
 */
#include "controlplane/store/task_executions.h"

#define TASK_EXECUTION_COLUMNS                                                                                         \
	"te.id, te.node_execution_id, e.project, e.domain, e.name, ne.node_id, te.retry_attempt, "                     \
	"te.project, te.domain, te.name, te.version, te.task_type, te.phase, te.inputs_uri, te.outputs_uri, "          \
	"te.error, "                                                                                                   \
	"te.reason, te.closure, ne.is_dynamic and ne.is_parent, coalesce(te.task_execution_created_at, "               \
	"te.created_at), "                                                                                             \
	"te.started_at, te.updated_at, (extract(epoch from te.duration) * 1000000)::bigint, te.array_size, te.phase_version"
#define TASK_EXECUTION_TABLES                                                                                          \
	"executions e join node_executions ne on ne.execution_id = e.id "                                              \
	"join task_executions te on te.node_execution_id = ne.id"
#define TASK_EXECUTION_KEY                                                                                             \
	"e.project = $1 and e.domain = $2 and e.name = $3 and ne.node_id = $4 and te.retry_attempt = $5::integer "     \
	"and te.project = $6 and te.domain = $7 and te.name = $8 and te.version = $9"

static void read_row(const struct database_rows *rows, size_t row, struct task_execution_row *r)
{
	size_t column = 0;
	r->id = database_int(rows, row, column++);
	r->node_execution_id = database_int(rows, row, column++);
	r->node.project = database_text(rows, row, column++);
	r->node.domain = database_text(rows, row, column++);
	r->node.execution_name = database_text(rows, row, column++);
	r->node.node_id = database_text(rows, row, column++);
	r->retry_attempt = (uint32_t)database_int(rows, row, column++);
	r->task_project = database_text(rows, row, column++);
	r->task_domain = database_text(rows, row, column++);
	r->task_name = database_text(rows, row, column++);
	r->task_version = database_text(rows, row, column++);
	r->task_type = database_text(rows, row, column++);
	r->phase = database_text(rows, row, column++);
	r->inputs_uri = database_text(rows, row, column++);
	r->outputs_uri = database_text(rows, row, column++);
	r->error = database_bytes(rows, row, column++);
	r->reason = database_text(rows, row, column++);
	r->closure = database_bytes(rows, row, column++);
	r->is_parent = database_bool(rows, row, column++);
	r->created_at = database_time(rows, row, column++);
	r->started_at = database_time(rows, row, column++);
	r->updated_at = database_time(rows, row, column++);
	r->duration_ns = database_is_null(rows, row, column) ? -1 : database_int(rows, row, column) * 1000;
	column++;
	r->is_array = !database_is_null(rows, row, column);
	r->array_size = (uint32_t)database_int(rows, row, column++);
	r->phase_version = database_int(rows, row, column);
}

static void read_rows(struct arena *arena, const struct database_rows *rows, struct task_execution_rows *ret_rows)
{
	struct task_execution_row *read = arena_array(arena, struct task_execution_row, rows->count);
	for (size_t i = 0; i < rows->count; i++)
		read_row(rows, i, &read[i]);
	*ret_rows = (struct task_execution_rows){ .count = rows->count, .rows = read };
}

/* The one row that `key` names. */
static int query_one(struct database_connection *c, struct arena *arena, const char *sql,
                     const struct task_execution_key *key, struct database_rows *ret_rows, struct err *e)
{
	const struct node_execution_key *node = &key->node;
	struct database_value values[] = {
		DB_TEXT(node->project),    DB_TEXT(node->domain),      DB_TEXT(node->execution_name),
		DB_TEXT(node->node_id),    DB_INT(key->retry_attempt), DB_TEXT(key->task_project),
		DB_TEXT(key->task_domain), DB_TEXT(key->task_name),    DB_TEXT(key->task_version),
	};
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), ret_rows, e) < 0)
		return -1;
	if (ret_rows->count == 0)
		return err_set(e, ERR_NOT_FOUND, NULL,
		               "missing entity of type task execution with identifier task_id:{resource_type:TASK "
		               "project:\"%s\" "
		               "domain:\"%s\" name:\"%s\" version:\"%s\"} node_execution_id:{node_id:\"%s\" "
		               "execution_id:{project:\"%s\" "
		               "domain:\"%s\" name:\"%s\"}} retry_attempt:%u",
		               key->task_project, key->task_domain, key->task_name, key->task_version, node->node_id,
		               node->project, node->domain, node->execution_name, key->retry_attempt);
	return 0;
}

int task_executions_get(struct database_connection *c, struct arena *arena, const struct task_execution_key *key,
                        struct task_execution_row *ret_row, struct err *e)
{
	struct database_rows rows;
	if (query_one(c, arena,
	              "select " TASK_EXECUTION_COLUMNS " from " TASK_EXECUTION_TABLES " where " TASK_EXECUTION_KEY, key,
	              &rows, e) < 0)
		return -1;
	read_row(&rows, 0, ret_row);
	return 0;
}

int task_executions_get_data(struct database_connection *c, struct arena *arena, const struct task_execution_key *key,
                             struct task_execution_data *ret_data, struct err *e)
{
	struct database_rows rows;
	if (query_one(
	            c, arena,
	            "select ne.inputs, coalesce(nullif(te.inputs_uri, ''), ne.inputs_uri), te.outputs, te.outputs_uri "
	            "from " TASK_EXECUTION_TABLES " where " TASK_EXECUTION_KEY,
	            key, &rows, e) < 0)
		return -1;
	*ret_data = (struct task_execution_data){
		.inputs = { database_bytes(&rows, 0, 0), database_text(&rows, 0, 1) },
		.outputs = { database_bytes(&rows, 0, 2), database_text(&rows, 0, 3) },
	};
	return 0;
}

int task_executions_list(struct database_connection *c, struct list_query *query, struct task_execution_rows *ret_rows,
                         struct err *e)
{
	struct database_rows rows;
	if (list_run(query, c, TASK_EXECUTION_COLUMNS, &rows, e) < 0)
		return -1;
	read_rows(query->arena, &rows, ret_rows);
	return 0;
}

int task_executions_of(struct database_connection *c, struct arena *arena, int64_t execution_id,
                       struct task_execution_rows *ret_rows, struct err *e)
{
	struct database_value values[] = { DB_INT(execution_id) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "select " TASK_EXECUTION_COLUMNS " from " TASK_EXECUTION_TABLES " where e.id = $1 "
	                   "order by te.created_at, te.id",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	read_rows(arena, &rows, ret_rows);
	return 0;
}
