#include "controlplane/store/descriptions.h"

#define COLUMNS                                                                                                        \
	"de.resource_type, de.project, de.domain, de.name, de.version, de.short_description, de.long_description, "    \
	"de.source_link"

static struct description_row read_row(const struct database_rows *rows, size_t i)
{
	return (struct description_row){
		.resource_type = database_int(rows, i, 0),
		.key = { database_text(rows, i, 1), database_text(rows, i, 2), database_text(rows, i, 3),
		         database_text(rows, i, 4) },
		.short_description = database_text(rows, i, 5),
		.long_description = database_bytes(rows, i, 6),
		.source_link = database_text(rows, i, 7),
	};
}

int descriptions_get(struct database_connection *c, struct arena *arena, int64_t resource_type,
                     const struct entity_key *key, struct description_row *ret_description, struct err *e)
{
	const struct database_value values[] = { DB_INT(resource_type), DB_TEXT(key->project), DB_TEXT(key->domain),
		                                 DB_TEXT(key->name), DB_TEXT(key->version) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "select " COLUMNS " from description_entities de where de.resource_type = $1"
	                   " and de.project = $2 and de.domain = $3 and de.name = $4 and de.version = $5",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (!rows.count)
		return 0;
	*ret_description = read_row(&rows, 0);
	return 1;
}

int descriptions_list(struct database_connection *c, struct list_query *query, struct description_rows *ret_rows,
                      struct err *e)
{
	struct database_rows rows;
	if (list_run(query, c, COLUMNS, &rows, e) < 0)
		return -1;
	struct description_row *descriptions = arena_array(query->arena, struct description_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		descriptions[i] = read_row(&rows, i);
	*ret_rows = (struct description_rows){ .count = rows.count, .rows = descriptions };
	return 0;
}
