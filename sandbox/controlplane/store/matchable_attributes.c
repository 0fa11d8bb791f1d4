#include "controlplane/store/matchable_attributes.h"

#define COLUMNS "resource_type, project, domain, workflow, launch_plan, attributes"
#define PLACE "resource_type = $1 and project = $2 and domain = $3 and workflow = $4 and launch_plan = $5"
#define SCOPE_VALUES 5

static const char *name_or_all(const char *name)
{
	return name ? name : "";
}

static void bind(int64_t type, const struct matchable_scope *scope, struct database_value values[SCOPE_VALUES])
{
	values[0] = DB_INT(type);
	values[1] = DB_TEXT(name_or_all(scope->project));
	values[2] = DB_TEXT(name_or_all(scope->domain));
	values[3] = DB_TEXT(name_or_all(scope->workflow));
	values[4] = DB_TEXT(name_or_all(scope->launch_plan));
}

static struct matchable_row read_row(const struct database_rows *rows, size_t i)
{
	return (struct matchable_row){
		.type = database_int(rows, i, 0),
		.scope = { .project = database_text(rows, i, 1),
		           .domain = database_text(rows, i, 2),
		           .workflow = database_text(rows, i, 3),
		           .launch_plan = database_text(rows, i, 4) },
		.attributes = database_bytes(rows, i, 5),
	};
}

static int get_one(struct database_connection *c, struct arena *arena, const char *sql, int64_t type,
                   const struct matchable_scope *scope, struct matchable_row *ret_row, struct err *e)
{
	struct database_value values[SCOPE_VALUES];
	struct database_rows rows;
	bind(type, scope, values);
	if (database_query(c, arena, sql, values, SCOPE_VALUES, &rows, e) < 0)
		return -1;
	if (!rows.count)
		return 0;
	*ret_row = read_row(&rows, 0);
	return 1;
}

int matchable_get(struct database_connection *c, struct arena *arena, int64_t type, const struct matchable_scope *scope,
                  struct matchable_row *ret_row, struct err *e)
{
	return get_one(c, arena, "select " COLUMNS " from matchable_attributes where " PLACE, type, scope, ret_row, e);
}

int matchable_find(struct database_connection *c, struct arena *arena, int64_t type,
                   const struct matchable_scope *scope, struct matchable_row *ret_row, struct err *e)
{
	return get_one(c, arena,
	               "select " COLUMNS " from matchable_attributes where resource_type = $1 and project = $2"
	               " and domain in ('', $3) and workflow in ('', $4) and launch_plan in ('', $5)"
	               " order by priority desc limit 1",
	               type, scope, ret_row, e);
}

static int get_all(struct database_connection *c, struct arena *arena, const char *sql,
                   const struct database_value *values, size_t count, struct matchable_rows *ret_rows, struct err *e)
{
	struct database_rows rows;
	if (database_query(c, arena, sql, values, count, &rows, e) < 0)
		return -1;
	struct matchable_row *list = arena_array(arena, struct matchable_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		list[i] = read_row(&rows, i);
	*ret_rows = (struct matchable_rows){ .count = rows.count, .rows = list };
	return 0;
}

int matchable_applicable(struct database_connection *c, struct arena *arena, const struct matchable_scope *scope,
                         struct matchable_rows *ret_rows, struct err *e)
{
	const struct database_value values[] = {
		DB_TEXT(name_or_all(scope->project)),
		DB_TEXT(name_or_all(scope->domain)),
		DB_TEXT(name_or_all(scope->workflow)),
		DB_TEXT(name_or_all(scope->launch_plan)),
	};
	return get_all(c, arena,
	               "select " COLUMNS " from matchable_attributes where project = $1 and domain in ('', $2)"
	               " and workflow in ('', $3) and launch_plan in ('', $4) order by priority desc",
	               values, ARRAY_LENGTH(values), ret_rows, e);
}

int matchable_list(struct database_connection *c, struct arena *arena, int64_t type, struct matchable_rows *ret_rows,
                   struct err *e)
{
	const struct database_value values[] = { DB_INT(type) };
	return get_all(c, arena,
	               "select " COLUMNS " from matchable_attributes where resource_type = $1"
	               " order by priority desc, id",
	               values, ARRAY_LENGTH(values), ret_rows, e);
}

int matchable_put(struct database_connection *c, int64_t type, const struct matchable_scope *scope,
                  struct proto_bytes attributes, struct err *e)
{
	struct database_value values[SCOPE_VALUES + 1];
	bind(type, scope, values);
	values[SCOPE_VALUES] = DB_BYTES(attributes);
	int64_t changed =
	        database_execute(c,
	                         "insert into matchable_attributes (resource_type, project, domain, workflow,"
	                         " launch_plan, attributes) values ($1, $2, $3, $4, $5, $6)"
	                         " on conflict (resource_type, project, domain, workflow, launch_plan)"
	                         " do update set attributes = excluded.attributes, updated_at = now()",
	                         values, ARRAY_LENGTH(values), e);
	return changed < 0 ? -1 : 0;
}

int matchable_lock(struct database_connection *c, struct arena *arena, int64_t type,
                   const struct matchable_scope *scope, struct proto_bytes *ret_attributes, struct err *e)
{
	struct database_value values[SCOPE_VALUES];
	struct database_rows rows;
	bind(type, scope, values);
	/* An update that changes nothing locks and returns the row, which a conflict that does nothing would not. */
	if (database_query(c, arena,
	                   "insert into matchable_attributes (resource_type, project, domain, workflow, launch_plan,"
	                   " attributes) values ($1, $2, $3, $4, $5, '')"
	                   " on conflict (resource_type, project, domain, workflow, launch_plan)"
	                   " do update set updated_at = now() returning attributes",
	                   values, SCOPE_VALUES, &rows, e) < 0)
		return -1;
	*ret_attributes = database_bytes(&rows, 0, 0);
	return 0;
}

int matchable_delete(struct database_connection *c, int64_t type, const struct matchable_scope *scope, struct err *e)
{
	struct database_value values[SCOPE_VALUES];
	bind(type, scope, values);
	int64_t changed =
	        database_execute(c, "delete from matchable_attributes where " PLACE, values, SCOPE_VALUES, e);
	return changed < 0 ? -1 : changed > 0;
}
