#include "controlplane/store/named_entities.h"

#define COLUMNS "nen.resource_type, nen.project, nen.domain, nen.name, nen.description, nen.state"

static struct named_entity_row read_row(const struct database_rows *rows, size_t i)
{
	return (struct named_entity_row){
		.resource_type = database_int(rows, i, 0),
		.project = database_text(rows, i, 1),
		.domain = database_text(rows, i, 2),
		.name = database_text(rows, i, 3),
		.description = database_text(rows, i, 4),
		.state = database_int(rows, i, 5),
	};
}

int named_entities_get(struct database_connection *c, struct arena *arena, const struct named_entity_row *key,
                       struct named_entity_row *ret_entity, struct err *e)
{
	const struct database_value values[] = { DB_INT(key->resource_type), DB_TEXT(key->project),
		                                 DB_TEXT(key->domain), DB_TEXT(key->name) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "select " COLUMNS
	                   " from named_entities nen where nen.resource_type = $1 and nen.project = $2"
	                   " and nen.domain = $3 and nen.name = $4",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (!rows.count)
		return 0;
	*ret_entity = read_row(&rows, 0);
	return 1;
}

int named_entities_update(struct database_connection *c, const struct named_entity_row *entity, struct err *e)
{
	const struct database_value values[] = {
		DB_INT(entity->resource_type), DB_TEXT(entity->project),     DB_TEXT(entity->domain),
		DB_TEXT(entity->name),         DB_TEXT(entity->description), DB_INT(entity->state),
	};
	int64_t changed = database_execute(c,
	                                   "update named_entities set description = $5, state = $6, updated_at = now()"
	                                   " where resource_type = $1 and project = $2 and domain = $3 and name = $4",
	                                   values, ARRAY_LENGTH(values), e);
	return changed < 0 ? -1 : changed > 0;
}

int named_entities_list(struct database_connection *c, struct list_query *query, struct named_entity_rows *ret_rows,
                        struct err *e)
{
	struct database_rows rows;
	if (list_run(query, c, COLUMNS, &rows, e) < 0)
		return -1;
	struct named_entity_row *entities = arena_array(query->arena, struct named_entity_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		entities[i] = read_row(&rows, i);
	*ret_rows = (struct named_entity_rows){ .count = rows.count, .rows = entities };
	return 0;
}
