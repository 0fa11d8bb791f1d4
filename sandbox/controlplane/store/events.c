#include "controlplane/store/events.h"

int events_lock_execution(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                          const char *name, struct event_execution *ret_execution, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(project), DB_TEXT(domain), DB_TEXT(name) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "select id, phase, cluster from executions where project = $1 and domain = $2 and name = $3 "
	                   "for update",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (!rows.count)
		return err_set(
		        e, ERR_NOT_FOUND, NULL,
		        "missing entity of type execution with identifier project:\"%s\" domain:\"%s\" name:\"%s\"",
		        project, domain, name);
	*ret_execution = (struct event_execution){ .id = database_int(&rows, 0, 0),
		                                   .phase = database_text(&rows, 0, 1),
		                                   .cluster = database_text(&rows, 0, 2) };
	return 0;
}

/* The columns that executions, nodes and task attempts have in common, for the parameters $1 to $10. */
#define COMMON                                                                                                         \
	" set phase = $2, started_at = case when $4 then coalesce($3, now()) else started_at end,"                     \
	" ended_at = case when $5 then coalesce($3, now()) else ended_at end,"                                         \
	" duration = case when $5 then coalesce($3, now()) - started_at else duration end,"                            \
	" outputs = coalesce($6, outputs), outputs_uri = case $7 when '' then outputs_uri else $7 end,"                \
	" error = coalesce($8, error), error_kind = case $9 when '' then error_kind else $9 end,"                      \
	" error_code = case $10 when '' then error_code else $10 end, updated_at = now()"
#define COMMON_COUNT 10

static void fill_common(struct database_value values[COMMON_COUNT], const struct event_change *change)
{
	values[0] = DB_INT(change->row_id);
	values[1] = DB_TEXT(change->phase);
	values[2] = change->occurred_at ? DB_TIME(change->occurred_at) : DB_NULL;
	values[3] = DB_BOOL(change->starts);
	values[4] = DB_BOOL(change->ends);
	values[5] = DB_BYTES(change->outputs.bytes);
	values[6] = DB_TEXT(change->outputs.uri ? change->outputs.uri : "");
	values[7] = DB_BYTES(change->error);
	values[8] = DB_TEXT(change->error_kind ? change->error_kind : "");
	values[9] = DB_TEXT(change->error_code ? change->error_code : "");
}

static int notify(struct database_connection *c, int64_t execution_id, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(EXECUTIONS_CHANNEL), DB_INT(execution_id) };
	return database_execute(c, "select pg_notify($1, $2::text)", values, ARRAY_LENGTH(values), e) < 0 ? -1 : 0;
}

int events_change_execution(struct database_connection *c, const struct event_change *change, struct err *e)
{
	struct database_value values[COMMON_COUNT];
	fill_common(values, change);
	if (database_execute(c, "update executions" COMMON " where id = $1", values, ARRAY_LENGTH(values), e) < 0)
		return -1;
	return notify(c, change->row_id, e);
}

int events_change_node(struct database_connection *c, int64_t execution_id, const struct event_change *change,
                       struct err *e)
{
	struct database_value values[COMMON_COUNT + 1];
	fill_common(values, change);
	values[COMMON_COUNT] = DB_TEXT(change->deck_uri ? change->deck_uri : "");
	if (database_execute(c,
	                     "update node_executions" COMMON
	                     ", deck_uri = case $11 when '' then deck_uri else $11 end where id = $1",
	                     values, ARRAY_LENGTH(values), e) < 0)
		return -1;
	return notify(c, execution_id, e);
}

int events_change_task(struct database_connection *c, int64_t execution_id, const struct event_change *change,
                       struct err *e)
{
	struct database_value values[COMMON_COUNT + 3];
	fill_common(values, change);
	values[COMMON_COUNT] = DB_INT(change->phase_version);
	values[COMMON_COUNT + 1] = DB_TEXT(change->reason ? change->reason : "");
	values[COMMON_COUNT + 2] = DB_BYTES(change->closure);
	if (database_execute(c,
	                     "update task_executions" COMMON
	                     ", phase_version = $11::integer, reason = case $12 when '' then reason else $12 end,"
	                     " closure = $13 where id = $1",
	                     values, ARRAY_LENGTH(values), e) < 0)
		return -1;
	return notify(c, execution_id, e);
}
