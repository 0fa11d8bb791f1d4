#include "controlplane/store/workflows.h"

#define COLUMNS                                                                                                        \
	"w.id, w.project, w.domain, w.name, w.version, w.short_description, w.typed_interface, w.closure_uri, "        \
	"w.created_at"

int workflows_insert(struct database_connection *c, struct arena *arena, const struct workflow_row *workflow,
                     int entity_state, struct err *e)
{
	static const char sql[] =
	        "with inserted as ("
	        " insert into workflows (project, domain, name, version, short_description, typed_interface, digest, "
	        "closure, closure_uri, quality_of_service)"
	        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $14) on conflict do nothing returning id, project, domain, "
	        "name),"
	        " entity as (insert into named_entities (resource_type, project, domain, name, state)"
	        " select 2, project, domain, name, $10::smallint from inserted on conflict do nothing),"
	        " description as (insert into description_entities (resource_type, project, domain, name, version,"
	        " short_description, long_description, source_link)"
	        " select 2, project, domain, name, $4, $5, $12, $13 from inserted where $11 on conflict do nothing)"
	        " select id from inserted";
	const struct database_value values[] = {
		DB_TEXT(workflow->key.project),
		DB_TEXT(workflow->key.domain),
		DB_TEXT(workflow->key.name),
		DB_TEXT(workflow->key.version),
		DB_TEXT(workflow->short_description),
		DB_BYTES(workflow->typed_interface),
		DB_BYTES(workflow->digest),
		DB_BYTES(workflow->closure),
		DB_TEXT(workflow->closure_uri),
		DB_INT(entity_state),
		DB_BOOL(workflow->description.given),
		DB_BYTES(workflow->description.long_description),
		DB_TEXT(workflow->description.given ? workflow->description.source_link : ""),
		DB_BYTES(workflow->quality_of_service),
	};
	struct database_rows rows;
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	return rows.count == 1;
}

static struct workflow_row read_row(const struct database_rows *rows, size_t i)
{
	return (struct workflow_row){
		.id = database_int(rows, i, 0),
		.key = { database_text(rows, i, 1), database_text(rows, i, 2), database_text(rows, i, 3),
		         database_text(rows, i, 4) },
		.short_description = database_text(rows, i, 5),
		.typed_interface = database_bytes(rows, i, 6),
		.closure_uri = database_text(rows, i, 7),
		.created_at = database_time(rows, i, 8),
		.digest = database_bytes(rows, i, 9),
		.closure = database_bytes(rows, i, 10),
	};
}

static int get(struct database_connection *c, struct arena *arena, const char *sql, const struct database_value *values,
               size_t value_count, struct workflow_row *ret_workflow, struct err *e)
{
	struct database_rows rows;
	if (database_query(c, arena, sql, values, value_count, &rows, e) < 0)
		return -1;
	if (!rows.count)
		return 0;
	*ret_workflow = read_row(&rows, 0);
	return 1;
}

int workflows_get(struct database_connection *c, struct arena *arena, const struct entity_key *key,
                  struct workflow_row *ret_workflow, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(key->project), DB_TEXT(key->domain), DB_TEXT(key->name),
		                                 DB_TEXT(key->version) };
	return get(c, arena,
	           "select " COLUMNS ", w.digest, w.closure from workflows w"
	           " where w.project = $1 and w.domain = $2 and w.name = $3 and w.version = $4",
	           values, ARRAY_LENGTH(values), ret_workflow, e);
}

int workflows_get_by_id(struct database_connection *c, struct arena *arena, int64_t id,
                        struct workflow_row *ret_workflow, struct err *e)
{
	const struct database_value values[] = { DB_INT(id) };
	return get(c, arena, "select " COLUMNS ", w.digest, w.closure from workflows w where w.id = $1", values, 1,
	           ret_workflow, e);
}

int workflows_list(struct database_connection *c, struct list_query *query, struct workflow_rows *ret_rows,
                   struct err *e)
{
	struct database_rows rows;
	if (list_run(query, c, COLUMNS, &rows, e) < 0)
		return -1;
	struct workflow_row *workflows = arena_array(query->arena, struct workflow_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		workflows[i] = read_row(&rows, i);
	*ret_rows = (struct workflow_rows){ .count = rows.count, .rows = workflows };
	return 0;
}
