#include "controlplane/store/tasks.h"

#define COLUMNS "t.id, t.project, t.domain, t.name, t.version, t.type, t.short_description, t.closure, t.created_at"

int tasks_insert(struct database_connection *c, struct arena *arena, const struct task_row *task, struct err *e)
{
	static const char sql[] =
	        "with inserted as ("
	        " insert into tasks (project, domain, name, version, type, short_description, digest, closure)"
	        " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning id, project, domain, name),"
	        " entity as (insert into named_entities (resource_type, project, domain, name)"
	        " select 1, project, domain, name from inserted on conflict do nothing),"
	        " description as (insert into description_entities (resource_type, project, domain, name, version,"
	        " short_description, long_description, source_link)"
	        " select 1, project, domain, name, $4, $6, $10, $11 from inserted where $9 on conflict do nothing)"
	        " select id from inserted";
	const struct database_value values[] = {
		DB_TEXT(task->key.project),
		DB_TEXT(task->key.domain),
		DB_TEXT(task->key.name),
		DB_TEXT(task->key.version),
		DB_TEXT(task->type),
		DB_TEXT(task->short_description),
		DB_BYTES(task->digest),
		DB_BYTES(task->closure),
		DB_BOOL(task->description.given),
		DB_BYTES(task->description.long_description),
		DB_TEXT(task->description.given ? task->description.source_link : ""),
	};
	struct database_rows rows;
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	return rows.count == 1;
}

static struct task_row read_row(const struct database_rows *rows, size_t i)
{
	return (struct task_row){
		.id = database_int(rows, i, 0),
		.key = { database_text(rows, i, 1), database_text(rows, i, 2), database_text(rows, i, 3),
		         database_text(rows, i, 4) },
		.type = database_text(rows, i, 5),
		.short_description = database_text(rows, i, 6),
		.closure = database_bytes(rows, i, 7),
		.created_at = database_time(rows, i, 8),
		.digest = database_bytes(rows, i, 9),
	};
}

int tasks_get(struct database_connection *c, struct arena *arena, const struct entity_key *key,
              struct task_row *ret_task, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(key->project), DB_TEXT(key->domain), DB_TEXT(key->name),
		                                 DB_TEXT(key->version) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "select " COLUMNS ", t.digest from tasks t"
	                   " where t.project = $1 and t.domain = $2 and t.name = $3 and t.version = $4",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (!rows.count)
		return 0;
	*ret_task = read_row(&rows, 0);
	return 1;
}

int tasks_list(struct database_connection *c, struct list_query *query, struct task_rows *ret_rows, struct err *e)
{
	struct database_rows rows;
	if (list_run(query, c, COLUMNS, &rows, e) < 0)
		return -1;
	struct task_row *tasks = arena_array(query->arena, struct task_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		tasks[i] = read_row(&rows, i);
	*ret_rows = (struct task_rows){ .count = rows.count, .rows = tasks };
	return 0;
}
