#include "controlplane/store/cluster_resources.h"

int cluster_resources_list(struct database_connection *c, struct arena *arena, struct cluster_resource_rows *ret_rows,
                           struct err *e)
{
	struct database_rows rows;
	if (database_query(c, arena,
	                   "select namespace, template, path from cluster_resources order by namespace, template", NULL,
	                   0, &rows, e) < 0)
		return -1;
	struct cluster_resource_row *list = arena_array(arena, struct cluster_resource_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		list[i] = (struct cluster_resource_row){ .namespace = database_text(&rows, i, 0),
			                                 .template = database_text(&rows, i, 1),
			                                 .path = database_text(&rows, i, 2) };
	*ret_rows = (struct cluster_resource_rows){ .count = rows.count, .rows = list };
	return 0;
}

int cluster_resources_put(struct database_connection *c, const struct cluster_resource_row *row, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(row->namespace), DB_TEXT(row->template), DB_TEXT(row->path) };
	int64_t changed = database_execute(c,
	                                   "insert into cluster_resources (namespace, template, path) values ($1, $2, $3)"
	                                   " on conflict (namespace, template)"
	                                   " do update set path = excluded.path, applied_at = now()",
	                                   values, ARRAY_LENGTH(values), e);
	return changed < 0 ? -1 : 0;
}

int cluster_resources_delete(struct database_connection *c, const struct cluster_resource_row *row, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(row->namespace), DB_TEXT(row->template) };
	int64_t changed = database_execute(c, "delete from cluster_resources where namespace = $1 and template = $2",
	                                   values, ARRAY_LENGTH(values), e);
	return changed < 0 ? -1 : 0;
}
