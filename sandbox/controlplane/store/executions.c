/*
 * Statements on `executions`. What a list and a single read return is one set of columns (EXECUTION_COLUMNS), read by
 * one function, so that both stay the same. The literal maps are not among them: they can be megabytes, and only
 * GetExecutionData asks for them.
 */
#include "controlplane/store/executions.h"

#include "base/text.h"

#include <jansson.h>

/* Over EXECUTION_TABLES, which is what LIST_EXECUTION selects from, too. A join and not sub-selects, which Postgres would run for every row
 * that an offset skips. */
#define EXECUTION_TABLES "executions e left join workflows w on w.id = e.workflow_id"
#define EXECUTION_COLUMNS                                                                                              \
	"e.id, e.project, e.domain, e.name, w.project, w.domain, w.name, w.version, e.spec, e.phase, e.state, "        \
	"coalesce(e.state_updated_at, e.execution_created_at, e.created_at), "                                         \
	"case when e.state_updated_at is null then e.principal else e.state_principal end, "                           \
	"e.error, e.abort_cause, e.abort_principal, e.notifications, e.outputs_uri, e.user_inputs_uri, "               \
	"coalesce(e.execution_created_at, e.created_at), e.started_at, e.updated_at, "                                 \
	"(extract(epoch from e.duration) * 1000000)::bigint"

static void read_row(const struct database_rows *rows, size_t row, struct execution_row *r)
{
	size_t column = 0;
	r->id = database_int(rows, row, column++);
	r->project = database_text(rows, row, column++);
	r->domain = database_text(rows, row, column++);
	r->name = database_text(rows, row, column++);
	r->workflow_project = database_text(rows, row, column++);
	r->workflow_domain = database_text(rows, row, column++);
	r->workflow_name = database_text(rows, row, column++);
	r->workflow_version = database_text(rows, row, column++);
	r->spec = database_bytes(rows, row, column++);
	r->phase = database_text(rows, row, column++);
	r->state = database_int(rows, row, column++);
	r->state_updated_at = database_time(rows, row, column++);
	r->state_principal = database_text(rows, row, column++);
	r->error = database_bytes(rows, row, column++);
	r->abort_cause = database_text(rows, row, column++);
	r->abort_principal = database_text(rows, row, column++);
	r->notifications = database_bytes(rows, row, column++);
	r->outputs_uri = database_text(rows, row, column++);
	r->user_inputs_uri = database_text(rows, row, column++);
	r->created_at = database_time(rows, row, column++);
	r->started_at = database_time(rows, row, column++);
	r->updated_at = database_time(rows, row, column++);
	r->duration_ns = database_is_null(rows, row, column) ? -1 : database_int(rows, row, column) * 1000;
}

static int not_found(const char *project, const char *domain, const char *name, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, NULL,
	               "missing entity of type execution with identifier project:\"%s\" domain:\"%s\" name:\"%s\"",
	               project, domain, name);
}

int executions_get(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                   const char *name, struct execution_row *ret_row, struct err *e)
{
	struct database_value values[] = { DB_TEXT(project), DB_TEXT(domain), DB_TEXT(name) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "select " EXECUTION_COLUMNS
	                   " from " EXECUTION_TABLES " where e.project = $1 and e.domain = $2 and e.name = $3",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return not_found(project, domain, name, e);
	read_row(&rows, 0, ret_row);
	return 0;
}

int executions_list(struct database_connection *c, struct list_query *query, struct execution_rows *ret_rows,
                    struct err *e)
{
	struct database_rows rows;
	if (list_run(query, c, EXECUTION_COLUMNS, &rows, e) < 0)
		return -1;
	struct execution_row *read = arena_array(query->arena, struct execution_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		read_row(&rows, i, &read[i]);
	*ret_rows = (struct execution_rows){ .count = rows.count, .rows = read };
	return 0;
}

int executions_get_data(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                        const char *name, struct execution_data *ret_data, struct err *e)
{
	struct database_value values[] = { DB_TEXT(project), DB_TEXT(domain), DB_TEXT(name) };
	struct database_rows rows;
	if (database_query(
	            c, arena,
	            "select id, inputs, inputs_uri, user_inputs, user_inputs_uri, outputs, outputs_uri from executions "
	            "where project = $1 and domain = $2 and name = $3",
	            values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return not_found(project, domain, name, e);
	*ret_data = (struct execution_data){
		.id = database_int(&rows, 0, 0),
		.inputs = { database_bytes(&rows, 0, 1), database_text(&rows, 0, 2) },
		.user_inputs = { database_bytes(&rows, 0, 3), database_text(&rows, 0, 4) },
		.outputs = { database_bytes(&rows, 0, 5), database_text(&rows, 0, 6) },
	};
	return 0;
}

/* [["key","value"], …]: Postgres unpacks it into rows, so that any number of tags is one statement and one plan. */
static char *tags_to_json(struct arena *arena, const struct execution_tag *tags, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_pack("[s, s]", tags[i].key, tags[i].value));
	auto_free char *text = json_dumps(array, JSON_COMPACT);
	json_decref(array);
	return arena_strdup(arena, text);
}

static struct database_value id_or_null(int64_t id)
{
	return id == 0 ? DB_NULL : DB_INT(id);
}

int executions_exist(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                     const char *name, struct err *e)
{
	struct database_value values[] = { DB_TEXT(project), DB_TEXT(domain), DB_TEXT(name) };
	struct database_rows rows;
	if (database_query(c, arena, "select 1 from executions where project = $1 and domain = $2 and name = $3",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	return rows.count > 0;
}

int executions_taken(const struct execution_new *execution, struct err *e)
{
	return err_set(e, ERR_EXISTS, EXECUTIONS_TAKEN,
	               "value with matching project:\"%s\" domain:\"%s\" name:\"%s\" already exists",
	               execution->project, execution->domain, execution->name);
}

int executions_insert(struct database_connection *c, struct arena *arena, const struct execution_new *execution,
                      int64_t *ret_id, struct err *e)
{
	static const char sql[] =
	        "with new as ("
	        "insert into executions (project, domain, name, launch_plan_id, workflow_id, task_id, resource_type, "
	        "spec, mode, principal, "
	        "inputs, inputs_uri, user_inputs, user_inputs_uri, notifications, parent_node_execution_id, "
	        "source_execution_id, "
	        "resource_policy, plugin_overrides, execution_created_at, workflow_name, launch_plan_name) "
	        "values ($1, $2, $3, $4::bigint, $5::bigint, $6::bigint, $7::smallint, $8, $9::smallint, $10, $11, "
	        "$12, $13, $14, $15, "
	        "$16::bigint, $17::bigint, $20, $21, now(), "
	        "coalesce((select name from workflows where id = $5::bigint), ''), "
	        "coalesce((select name from launch_plans where id = $4::bigint), '')) on conflict (project, domain, name) do nothing returning id"
	        "), tags as ("
	        "insert into execution_tags (execution_id, key, value) select new.id, tag ->> 0, tag ->> 1 "
	        "from new, jsonb_array_elements($18::text::jsonb) as tag on conflict do nothing"
	        ") select new.id, pg_notify($19, new.id::text)::text from new";
	struct database_value values[] = {
		DB_TEXT(execution->project),
		DB_TEXT(execution->domain),
		DB_TEXT(execution->name),
		id_or_null(execution->launch_plan_id),
		id_or_null(execution->workflow_id),
		id_or_null(execution->task_id),
		DB_INT(execution->resource_type),
		DB_BYTES(execution->spec),
		DB_INT(execution->mode),
		DB_TEXT(execution->principal),
		DB_BYTES(execution->inputs.bytes),
		DB_TEXT(execution->inputs.uri),
		DB_BYTES(execution->user_inputs.bytes),
		DB_TEXT(execution->user_inputs.uri),
		DB_BYTES(execution->notifications),
		id_or_null(execution->parent_node_execution_id),
		id_or_null(execution->source_execution_id),
		DB_TEXT(tags_to_json(arena, execution->tags, execution->tag_count)),
		DB_TEXT(EXECUTIONS_CHANNEL),
		DB_TEXT(execution->resource_policy ? execution->resource_policy : ""),
		DB_BYTES(execution->plugin_overrides),
	};
	struct database_rows rows;
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return executions_taken(execution, e);
	*ret_id = database_int(&rows, 0, 0);
	return 0;
}

int executions_count_active(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                            const char *launch_plan_name, int64_t *ret_count, struct err *e)
{
	struct database_value values[] = { DB_TEXT(project), DB_TEXT(domain), DB_TEXT(launch_plan_name) };
	struct database_rows rows;
	/* Two statements: one alone would count by the snapshot from before it waited for the lock. */
	if (database_query(c, arena,
	                   "select pg_advisory_xact_lock(hashtextextended('launch plan ' || $1 || '/' || $2 || '/' || "
	                   "$3, 0))::text",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (database_query(
	            c, arena,
	            "select count(*) from launch_plans join executions on executions.launch_plan_id = launch_plans.id "
	            "where launch_plans.project = $1 and launch_plans.domain = $2 and launch_plans.name = $3 "
	            "and executions.phase not in ('SUCCEEDED', 'FAILED', 'ABORTED', 'TIMED_OUT')",
	            values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	*ret_count = database_int(&rows, 0, 0);
	return 0;
}

int executions_begin_abort(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                           const char *name, const char *cause, const char *principal, const char **ret_phase,
                           struct err *e)
{
	static const char sql[] =
	        "with found as ("
	        "select id, phase from executions where project = $1 and domain = $2 and name = $3 for update"
	        "), changed as ("
	        "update executions set phase = 'ABORTING', abort_cause = $4, abort_principal = $5, updated_at = now() "
	        "from found "
	        "where executions.id = found.id and found.phase not in ('SUCCEEDED', 'FAILED', 'ABORTED', 'TIMED_OUT') "
	        "returning executions.id"
	        ") select found.phase, case when changed.id is not null then pg_notify($6, changed.id::text)::text end "
	        "from found left join changed on changed.id = found.id";
	struct database_value values[] = { DB_TEXT(project), DB_TEXT(domain),    DB_TEXT(name),
		                           DB_TEXT(cause),   DB_TEXT(principal), DB_TEXT(EXECUTIONS_CHANNEL) };
	struct database_rows rows;
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return not_found(project, domain, name, e);
	*ret_phase = database_text(&rows, 0, 0);
	return 0;
}

int executions_set_state(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                         const char *name, int state, const char *principal, struct err *e)
{
	struct database_value values[] = { DB_TEXT(project), DB_TEXT(domain), DB_TEXT(name), DB_INT(state),
		                           DB_TEXT(principal) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "update executions set state = $4::smallint, state_updated_at = now(), state_principal = $5 "
	                   "where project = $1 and domain = $2 and name = $3 returning id",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	return rows.count == 0 ? not_found(project, domain, name, e) : 0;
}

bool execution_phase_is_terminal(const char *phase)
{
	return text_equal(phase, "SUCCEEDED") || text_equal(phase, "FAILED") || text_equal(phase, "ABORTED") ||
	       text_equal(phase, "TIMED_OUT");
}
