#include "controlplane/store/launch_plans.h"

#include "controlplane/store/schedules.h"

#define COLUMNS                                                                                                        \
	"l.id, l.project, l.domain, l.name, l.version, l.workflow_id, l.spec, l.expected_inputs, l.expected_outputs,"  \
	" l.state, l.schedule_type, l.created_at, l.updated_at"

int launch_plans_insert(struct database_connection *c, struct arena *arena, const struct launch_plan_row *launch_plan,
                        int entity_state, struct err *e)
{
	static const char sql[] =
	        "with inserted as ("
	        " insert into launch_plans (project, domain, name, version, workflow_id, spec, expected_inputs, "
	        "expected_outputs,"
	        " digest, schedule_type)"
	        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing returning id, project, "
	        "domain, name),"
	        " entity as (insert into named_entities (resource_type, project, domain, name, state)"
	        " select 3, project, domain, name, $11::smallint from inserted on conflict do nothing)"
	        " select id from inserted";
	const struct database_value values[] = {
		DB_TEXT(launch_plan->key.project),
		DB_TEXT(launch_plan->key.domain),
		DB_TEXT(launch_plan->key.name),
		DB_TEXT(launch_plan->key.version),
		DB_INT(launch_plan->workflow_id),
		DB_BYTES(launch_plan->spec),
		DB_BYTES(launch_plan->expected_inputs),
		DB_BYTES(launch_plan->expected_outputs),
		DB_BYTES(launch_plan->digest),
		DB_TEXT(launch_plan->schedule_type),
		DB_INT(entity_state),
	};
	struct database_rows rows;
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	return rows.count == 1;
}

static struct launch_plan_row read_row(const struct database_rows *rows, size_t i)
{
	return (struct launch_plan_row){
		.id = database_int(rows, i, 0),
		.key = { database_text(rows, i, 1), database_text(rows, i, 2), database_text(rows, i, 3),
		         database_text(rows, i, 4) },
		.workflow_id = database_int(rows, i, 5),
		.spec = database_bytes(rows, i, 6),
		.expected_inputs = database_bytes(rows, i, 7),
		.expected_outputs = database_bytes(rows, i, 8),
		.state = database_int(rows, i, 9),
		.schedule_type = database_text(rows, i, 10),
		.created_at = database_time(rows, i, 11),
		.updated_at = database_time(rows, i, 12),
		.digest = database_bytes(rows, i, 13),
		.workflow_quality_of_service = database_bytes(rows, i, 14),
	};
}

static int get(struct database_connection *c, struct arena *arena, const char *sql, const struct database_value *values,
               size_t value_count, struct launch_plan_row *ret_launch_plan, struct err *e)
{
	struct database_rows rows;
	if (database_query(c, arena, sql, values, value_count, &rows, e) < 0)
		return -1;
	if (!rows.count)
		return 0;
	*ret_launch_plan = read_row(&rows, 0);
	return 1;
}

#define SELECT_ONE                                                                                                     \
	"select " COLUMNS ", l.digest, (select w.quality_of_service from workflows w where w.id = l.workflow_id)"      \
	" from launch_plans l where "
#define BY_NAME "l.project = $1 and l.domain = $2 and l.name = $3"

int launch_plans_get(struct database_connection *c, struct arena *arena, const struct entity_key *key,
                     struct launch_plan_row *ret_launch_plan, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(key->project), DB_TEXT(key->domain), DB_TEXT(key->name),
		                                 DB_TEXT(key->version) };
	return get(c, arena, SELECT_ONE BY_NAME " and l.version = $4", values, ARRAY_LENGTH(values), ret_launch_plan,
	           e);
}

int launch_plans_get_active(struct database_connection *c, struct arena *arena, const struct entity_key *key,
                            struct launch_plan_row *ret_launch_plan, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(key->project), DB_TEXT(key->domain), DB_TEXT(key->name) };
	return get(c, arena, SELECT_ONE BY_NAME " and l.state = 1", values, ARRAY_LENGTH(values), ret_launch_plan, e);
}

/* The active version's schedule runs, those of others do not; one that runs already goes on as it does. */
static int follow_schedule(struct database_connection *c, struct arena *arena, const struct entity_key *key,
                           struct err *e)
{
	static const char sql[] =
	        "with versions as (select l.id, l.state, l.schedule_type from launch_plans l where " BY_NAME "), "
	        "removed as (delete from schedules s using versions v where v.id = s.launch_plan_id and v.state <> 1"
	        " returning 1), "
	        "added as (insert into schedules (launch_plan_id, last_tick_at)"
	        " select id, now() from versions where state = 1 and schedule_type <> 'NONE'"
	        " on conflict do nothing returning 1) "
	        "select pg_notify($4, '')::text from (select from removed union all select from added) changes limit 1";
	const struct database_value values[] = { DB_TEXT(key->project), DB_TEXT(key->domain), DB_TEXT(key->name),
		                                 DB_TEXT(SCHEDULES_CHANNEL) };
	struct database_rows rows;
	return database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e);
}

int launch_plans_set_state(struct database_connection *c, struct arena *arena, const struct entity_key *key,
                           bool active, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(key->project), DB_TEXT(key->domain), DB_TEXT(key->name),
		                                 DB_TEXT(key->version) };
	struct database_rows rows;
	if (database_begin(c, e) < 0 ||
	    database_query(
	            c, arena,
	            "select pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'launch_plan', $1, $2, $3), 0))",
	            values, 3, &rows, e) < 0 ||
	    (active && database_execute(c,
	                                "update launch_plans l set state = 0, updated_at = now()"
	                                " where " BY_NAME " and l.version <> $4 and l.state = 1",
	                                values, ARRAY_LENGTH(values), e) < 0))
		return -1;
	int64_t changed = database_execute(c,
	                                   active ? "update launch_plans l set state = 1, updated_at = now()"
	                                            " where " BY_NAME " and l.version = $4"
	                                          : "update launch_plans l set state = 0, updated_at = now()"
	                                            " where " BY_NAME " and l.version = $4",
	                                   values, ARRAY_LENGTH(values), e);
	if (changed < 0)
		return -1;
	if (changed == 0)
		return database_rollback(c, e);
	if (follow_schedule(c, arena, key, e) < 0)
		return -1;
	return database_commit(c, e) < 0 ? -1 : 1;
}

int launch_plans_list(struct database_connection *c, struct list_query *query, struct launch_plan_rows *ret_rows,
                      struct err *e)
{
	struct database_rows rows;
	if (list_run(query, c, COLUMNS, &rows, e) < 0)
		return -1;
	struct launch_plan_row *launch_plans = arena_array(query->arena, struct launch_plan_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		launch_plans[i] = read_row(&rows, i);
	*ret_rows = (struct launch_plan_rows){ .count = rows.count, .rows = launch_plans };
	return 0;
}
