#include "controlplane/store/schedules.h"

#define DUE "coalesce(greatest(s.next_tick_at, s.retry_at), '-infinity')"

int schedules_due(struct database_connection *c, struct arena *arena, int64_t now_ns, size_t limit,
                  struct schedule_rows *ret_rows, struct err *e)
{
	const struct database_value values[] = { DB_TIME(now_ns), DB_INT((int64_t)limit) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "select l.id, l.project, l.domain, l.name, l.version, l.spec, s.last_tick_at, "
	                   "s.next_tick_at, s.failures"
	                   " from schedules s join launch_plans l on l.id = s.launch_plan_id"
	                   " where " DUE " <= $1 order by " DUE ", l.id limit $2",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	struct schedule_row *schedules = arena_array(arena, struct schedule_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		schedules[i] = (struct schedule_row){
			.launch_plan_id = database_int(&rows, i, 0),
			.launch_plan = { database_text(&rows, i, 1), database_text(&rows, i, 2),
			                 database_text(&rows, i, 3), database_text(&rows, i, 4) },
			.spec = database_bytes(&rows, i, 5),
			.last_tick_at = database_time(&rows, i, 6),
			.next_tick_at = database_time(&rows, i, 7),
			.failures = database_int(&rows, i, 8),
		};
	*ret_rows = (struct schedule_rows){ .count = rows.count, .rows = schedules };
	return 0;
}

int schedules_next_due(struct database_connection *c, struct arena *arena, int64_t *ret_at_ns, struct err *e)
{
	struct database_rows rows;
	/* A row whose tick is to be found out is due at once. */
	if (database_query(c, arena,
	                   "select case when next_tick_at is null then timestamptz '1970-01-01 00:00:01+00' else " DUE
	                   " end"
	                   " from schedules s order by " DUE " limit 1",
	                   NULL, 0, &rows, e) < 0)
		return -1;
	*ret_at_ns = rows.count ? database_time(&rows, 0, 0) : 0;
	return 0;
}

int schedules_set_next(struct database_connection *c, const struct schedule_row *row, int64_t next_tick_ns,
                       struct err *e)
{
	const struct database_value values[] = { DB_INT(row->launch_plan_id),
		                                 row->next_tick_at ? DB_TIME(row->next_tick_at) : DB_NULL,
		                                 DB_TIME(row->last_tick_at), DB_TIME(next_tick_ns) };
	return (int)database_execute(
	        c,
	        "update schedules set next_tick_at = $4, retry_at = null, failures = 0 where launch_plan_id = $1"
	        " and next_tick_at is not distinct from $2::timestamptz and last_tick_at = $3",
	        values, ARRAY_LENGTH(values), e);
}

int schedules_done(struct database_connection *c, const struct schedule_row *row, int64_t next_tick_ns, struct err *e)
{
	const struct database_value values[] = { DB_INT(row->launch_plan_id), DB_TIME(row->next_tick_at),
		                                 DB_TIME(next_tick_ns) };
	return (int)database_execute(
	        c,
	        "update schedules set last_tick_at = $2, next_tick_at = $3, retry_at = null, failures = 0"
	        " where launch_plan_id = $1 and next_tick_at = $2",
	        values, ARRAY_LENGTH(values), e);
}

int schedules_failed(struct database_connection *c, const struct schedule_row *row, int64_t retry_ns, struct err *e)
{
	const struct database_value values[] = { DB_INT(row->launch_plan_id), DB_TIME(row->next_tick_at),
		                                 DB_INT(row->failures), DB_TIME(retry_ns) };
	return (int)database_execute(c,
	                             "update schedules set retry_at = $4, failures = failures + 1"
	                             " where launch_plan_id = $1 and next_tick_at = $2 and failures = $3",
	                             values, ARRAY_LENGTH(values), e);
}
