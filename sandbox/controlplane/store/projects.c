#include "controlplane/store/projects.h"

#define COLUMNS "p.identifier, p.name, p.description, p.labels, p.state"

static struct project_row read_row(const struct database_rows *rows, size_t i)
{
	return (struct project_row){
		.identifier = database_text(rows, i, 0),
		.name = database_text(rows, i, 1),
		.description = database_text(rows, i, 2),
		.labels = database_bytes(rows, i, 3),
		.state = database_int(rows, i, 4),
	};
}

int projects_insert(struct database_connection *c, struct arena *arena, const struct project_row *project,
                    struct err *e)
{
	const struct database_value values[] = {
		DB_TEXT(project->identifier), DB_TEXT(project->name), DB_TEXT(project->description),
		DB_BYTES(project->labels),    DB_INT(project->state),
	};
	struct database_rows rows;
	if (database_query(
	            c, arena,
	            "insert into projects (identifier, name, description, labels, state) values ($1, $2, $3, $4, $5)"
	            " on conflict do nothing returning id",
	            values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	return rows.count == 1;
}

int projects_get(struct database_connection *c, struct arena *arena, const char *identifier,
                 struct project_row *ret_project, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(identifier) };
	struct database_rows rows;
	if (database_query(c, arena, "select " COLUMNS " from projects p where p.identifier = $1", values, 1, &rows,
	                   e) < 0)
		return -1;
	if (!rows.count)
		return 0;
	*ret_project = read_row(&rows, 0);
	return 1;
}

int projects_update(struct database_connection *c, const struct project_row *project, struct err *e)
{
	const struct database_value values[] = {
		DB_TEXT(project->identifier), DB_TEXT(project->name), DB_TEXT(project->description),
		DB_BYTES(project->labels),    DB_INT(project->state),
	};
	int64_t changed =
	        database_execute(c,
	                         "update projects set name = coalesce(nullif($2, ''), name),"
	                         " description = coalesce(nullif($3, ''), description),"
	                         " labels = coalesce($4, labels), state = $5, updated_at = now() where identifier = $1",
	                         values, ARRAY_LENGTH(values), e);
	return changed < 0 ? -1 : changed > 0;
}

int projects_list(struct database_connection *c, struct list_query *query, struct project_rows *ret_rows, struct err *e)
{
	struct database_rows rows;
	if (list_run(query, c, COLUMNS, &rows, e) < 0)
		return -1;
	struct project_row *projects = arena_array(query->arena, struct project_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		projects[i] = read_row(&rows, i);
	*ret_rows = (struct project_rows){ .count = rows.count, .rows = projects };
	return 0;
}

int projects_active(struct database_connection *c, struct arena *arena, struct project_rows *ret_rows, struct err *e)
{
	struct database_rows rows;
	if (database_query(c, arena, "select " COLUMNS " from projects p where p.state = 0 order by p.identifier", NULL, 0,
	                   &rows, e) < 0)
		return -1;
	struct project_row *projects = arena_array(arena, struct project_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		projects[i] = read_row(&rows, i);
	*ret_rows = (struct project_rows){ .count = rows.count, .rows = projects };
	return 0;
}
