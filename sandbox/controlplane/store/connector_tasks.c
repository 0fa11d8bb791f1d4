/* Statements on `connector_tasks`. */
#include "controlplane/store/connector_tasks.h"

#include "base/json.h"
#include "base/text.h"
#include "controlplane/store/executions.h"

/* ---- The engine's side ---- */

static int tell_callers(struct database_connection *c, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(CONNECTOR_TASKS_CHANNEL) };
	return database_execute(c, "select pg_notify($1, '')", values, ARRAY_LENGTH(values), e) < 0 ? -1 : 0;
}

int connector_tasks_begin(struct database_connection *c, const struct connector_task_new *task, struct err *e)
{
	const struct database_value values[] = {
		DB_INT(task->execution_id), DB_TEXT(task->name),     DB_TEXT(task->task_type),
		DB_INT(task->task_version), DB_BYTES(task->request), DB_TEXT(task->output_prefix),
	};
	const char *sql = "insert into connector_tasks (execution_id, name, task_type, task_version, request, "
	                  "output_prefix, due_at) values ($1, $2, $3, $4::integer, $5, $6, now())"
	                  " on conflict (execution_id, name) do nothing";
	const int64_t inserted = database_execute(c, sql, values, ARRAY_LENGTH(values), e);
	return inserted > 0 ? tell_callers(c, e) : (int)inserted;
}

int connector_tasks_load(struct database_connection *c, struct arena *arena, int64_t execution_id,
                         struct connector_task_rows *ret_rows, struct err *e)
{
	struct database_rows rows;
	const char *sql = "select name, meta is not null, finished, resource, failure_code, failure_message,"
	                  " failure_retryable, problem from connector_tasks"
	                  " where execution_id = $1 and phase <> 'DELETE'";
	if (database_query(c, arena, sql, (struct database_value[]){ DB_INT(execution_id) }, 1, &rows, e) < 0)
		return -1;
	struct connector_task_row *read = arena_array(arena, struct connector_task_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		read[i] = (struct connector_task_row){
			.name = database_text(&rows, i, 0),
			.created = database_bool(&rows, i, 1),
			.finished = database_bool(&rows, i, 2),
			.resource = database_bytes(&rows, i, 3),
			.failure_code = database_text(&rows, i, 4),
			.failure_message = database_text(&rows, i, 5),
			.failure_retryable = database_bool(&rows, i, 6),
			.problem = database_text(&rows, i, 7),
		};
	*ret_rows = (struct connector_task_rows){ .count = rows.count, .rows = read };
	return 0;
}

int connector_tasks_end_others(struct database_connection *c, struct arena *arena, int64_t execution_id,
                               const char *const *names, size_t count, struct err *e)
{
	auto_json json_t *list = json_array();
	struct database_rows rows;
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(names[i]));
	auto_free char *text = json_to_text(list);
	const struct database_value values[] = { DB_INT(execution_id), DB_TEXT(text),
		                                 DB_TEXT(CONNECTOR_TASKS_CHANNEL) };
	/* A row that has never been taken, or is over by the connector's own word, leaves nothing behind with it. */
	const char *sql =
	        "with others as (select id, phase, finished, lease from connector_tasks where execution_id = $1"
	        " and phase <> 'DELETE' and name not in (select json_array_elements_text($2::json)) for update),"
	        " gone as (delete from connector_tasks t using others o where t.id = o.id"
	        " and (o.finished or (o.phase = 'CREATE' and o.lease = 0))),"
	        " ended as (update connector_tasks t set phase = 'DELETE', due_at = now(), request = null, failures = 0,"
	        " failing_since = null from others o where t.id = o.id"
	        " and not (o.finished or (o.phase = 'CREATE' and o.lease = 0)) returning t.id)"
	        " select pg_notify($3, '')::text from ended limit 1";
	return database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e);
}

/* ---- The callers' side ---- */

static enum connector_call call_of(const char *phase)
{
	if (text_equal(phase, "CREATE"))
		return CONNECTOR_CREATE;
	return text_equal(phase, "RUN") ? CONNECTOR_GET : CONNECTOR_DELETE;
}

static int next_due(struct database_connection *c, struct arena *arena, int64_t *ret_wait_ms, struct err *e)
{
	struct database_rows rows;
	const char *sql = "select (extract(epoch from min(greatest(due_at, coalesce(leased_until, due_at))) - now())"
	                  " * 1000)::bigint from connector_tasks where due_at is not null";
	if (database_query(c, arena, sql, NULL, 0, &rows, e) < 0)
		return -1;
	*ret_wait_ms = -1;
	if (!database_is_null(&rows, 0, 0)) {
		const int64_t ms = database_int(&rows, 0, 0);
		*ret_wait_ms = ms > 0 ? ms : 0;
	}
	return 0;
}

int connector_tasks_take(struct database_connection *c, struct arena *arena, int64_t lease_ms,
                         struct connector_work *ret_work, int64_t *ret_wait_ms, struct err *e)
{
	struct database_rows rows;
	const char *sql =
	        "update connector_tasks set lease = lease + 1, leased_until = now() + $1 * interval '1 millisecond'"
	        " where id = (select id from connector_tasks where due_at <= now()"
	        " and (leased_until is null or leased_until <= now()) order by due_at for update skip locked limit 1)"
	        " returning id, lease, phase, name, task_type, task_version, request, meta, output_prefix, questions, "
	        "failures, coalesce((extract(epoch from now() - failing_since) * 1000)::bigint, 0)";
	if (database_query(c, arena, sql, (struct database_value[]){ DB_INT(lease_ms) }, 1, &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return next_due(c, arena, ret_wait_ms, e);
	*ret_work = (struct connector_work){
		.id = database_int(&rows, 0, 0),
		.lease = database_int(&rows, 0, 1),
		.call = call_of(database_text(&rows, 0, 2)),
		.name = database_text(&rows, 0, 3),
		.task_type = database_text(&rows, 0, 4),
		.task_version = (int32_t)database_int(&rows, 0, 5),
		.request = database_bytes(&rows, 0, 6),
		.meta = database_bytes(&rows, 0, 7),
		.output_prefix = database_text(&rows, 0, 8),
		.questions = database_int(&rows, 0, 9),
		.failures = database_int(&rows, 0, 10),
		.failing_ms = database_int(&rows, 0, 11),
	};
	return 1;
}

/* A row that is to be deleted meanwhile stays so, whatever came of the call. */
#define UNLESS_DELETED(value, otherwise) "case when phase = 'DELETE' then " otherwise " else " value " end"
#define OF_LEASE " where id = $1 and lease = $2"
#define WORKED " failures = 0, failing_since = null, problem = '', leased_until = null"

/* $1 to $3 are the row, the lease and the engine's channel. The engine is told when `$told` is true. */
static int write_down(struct database_connection *c, const char *sql, const struct connector_work *work,
                      const struct database_value *more, size_t count, struct err *e)
{
	struct database_value values[8] = { DB_INT(work->id), DB_INT(work->lease), DB_TEXT(EXECUTIONS_CHANNEL) };
	auto_arena struct arena arena = ARENA_INIT((size_t)1 << 16);
	struct database_rows rows;
	for (size_t i = 0; i < count; i++)
		values[3 + i] = more[i];
	if (database_query(c, &arena, sql, values, 3 + count, &rows, e) < 0)
		return -1;
	return rows.count > 0;
}

/* Of an update that returns execution_id and whether there is something to tell. */
#define TELL(update)                                                                                                   \
	"with changed as (" update                                                                                     \
	") select case when told then pg_notify($3, execution_id::text)::text end from changed"

int connector_tasks_created(struct database_connection *c, const struct connector_work *work, struct proto_bytes meta,
                            struct err *e)
{
	static const uint8_t nothing[] = "";
	if (!meta.data) /* an empty one is one */
		meta.data = nothing;
	const struct database_value values[] = { DB_BYTES(meta) };
	return write_down(c,
	                  TELL("update connector_tasks set meta = $4, request = null, due_at = now(),"
	                       " phase = " UNLESS_DELETED("'RUN'", "phase") "," WORKED OF_LEASE
	                       /* The first answer that follows says more. */
	                       " returning execution_id, false as told"),
	                  work, values, ARRAY_LENGTH(values), e);
}

int connector_tasks_heard(struct database_connection *c, const struct connector_work *work,
                          struct proto_bytes resource, bool finished, int64_t wait_ms, struct err *e)
{
	const struct database_value values[] = { DB_BYTES(resource), DB_BOOL(finished), DB_INT(wait_ms) };
	return write_down(
	        c,
	        TELL("update connector_tasks t set resource = $4, finished = $5, request = null,"
	             " questions = t.questions + 1,"
	             " phase = case when t.phase = 'DELETE' then t.phase when $5 then 'END' else 'RUN' end,"
	             " due_at = case when t.phase = 'DELETE' then now() when $5 then null"
	             " else now() + $6 * interval '1 millisecond' end," WORKED
	             " from (select id, resource, problem from connector_tasks where id = $1) old"
	             " where t.id = $1 and t.lease = $2 and old.id = t.id"
	             " returning t.execution_id, t.phase <> 'DELETE' and (old.resource is distinct from t.resource"
	             " or old.problem <> '') as told"),
	        work, values, ARRAY_LENGTH(values), e);
}

int connector_tasks_postpone(struct database_connection *c, const struct connector_work *work, const char *problem,
                             int64_t wait_ms, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(problem), DB_INT(wait_ms) };
	return write_down(
	        c,
	        TELL("update connector_tasks t set problem = $4, failures = t.failures + 1,"
	             " failing_since = coalesce(t.failing_since, now()), leased_until = null,"
	             " due_at = now() + $5 * interval '1 millisecond'"
	             " from (select id, problem from connector_tasks where id = $1) old"
	             " where t.id = $1 and t.lease = $2 and old.id = t.id"
	             " returning t.execution_id, t.phase <> 'DELETE' and old.problem <> t.problem as told"),
	        work, values, ARRAY_LENGTH(values), e);
}

int connector_tasks_leave(struct database_connection *c, const struct connector_work *work, struct err *e)
{
	const struct database_value values[] = { DB_INT(work->id), DB_INT(work->lease) };
	return (int)database_execute(c, "update connector_tasks set leased_until = null" OF_LEASE, values,
	                             ARRAY_LENGTH(values), e);
}

int connector_tasks_fail(struct database_connection *c, const struct connector_work *work, const char *code,
                         const char *message, bool retryable, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(code), DB_TEXT(message), DB_BOOL(retryable) };
	return write_down(c,
	                  TELL("update connector_tasks set failure_code = $4, failure_message = $5,"
	                       " failure_retryable = $6, request = null,"
	                       " phase = " UNLESS_DELETED("'END'", "phase") ","
	                       " due_at = " UNLESS_DELETED("null", "now()") "," WORKED OF_LEASE
	                       " returning execution_id, phase <> 'DELETE' as told"),
	                  work, values, ARRAY_LENGTH(values), e);
}

int connector_tasks_hurry(struct database_connection *c, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(CONNECTOR_TASKS_CHANNEL) };
	struct database_rows rows;
	auto_arena struct arena arena = ARENA_INIT((size_t)1 << 16);
	const char *sql = "with due as (update connector_tasks set due_at = now() where due_at > now() and failures > 0"
	                  " and (leased_until is null or leased_until <= now()) returning id)"
	                  " select pg_notify($1, '')::text from due limit 1";
	return database_query(c, &arena, sql, values, ARRAY_LENGTH(values), &rows, e);
}

int connector_tasks_wake_engine(struct database_connection *c, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(EXECUTIONS_CHANNEL) };
	return database_execute(c, "select pg_notify($1, '')", values, ARRAY_LENGTH(values), e) < 0 ? -1 : 0;
}

int connector_tasks_forget(struct database_connection *c, const struct connector_work *work, struct err *e)
{
	const struct database_value values[] = { DB_INT(work->id), DB_INT(work->lease) };
	return (int)database_execute(c, "delete from connector_tasks" OF_LEASE, values, ARRAY_LENGTH(values), e);
}
