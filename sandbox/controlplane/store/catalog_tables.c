#include "controlplane/store/catalog_tables.h"

#include "base/text.h"
#include "controlplane/store/executions.h"

#include <string.h>

#define PAGE_BYTES ((size_t)8 << 20)
#define DATASET_COLUMNS "d.id, d.project, d.domain, d.name, d.version, d.uuid, d.message"
#define ARTIFACT_COLUMNS                                                                                               \
	"a.artifact_id, a.message, a.outputs_uri, a.created_at, d.project, d.domain, d.name, d.version, d.uuid,"       \
	" (select string_agg(t.name, E'\\n' order by t.created_at, t.name) from catalog_tags t where t.dataset_id = "  \
	"a.dataset_id"                                                                                                 \
	" and t.artifact_id = a.artifact_id)"
#define KEY_VALUES(key)                                                                                                \
	DB_TEXT((key)->project), DB_TEXT((key)->domain), DB_TEXT((key)->name), DB_TEXT((key)->version),                \
	        DB_TEXT((key)->tag)
#define KEY_IS(table)                                                                                                  \
	table "project = $1 and " table "domain = $2 and " table "name = $3 and " table "version = $4 and " table      \
	      "tag = $5"

/* ---- Datasets ---- */

static Datacatalog__DatasetID *read_id(struct arena *arena, const struct database_rows *rows, size_t row, size_t column)
{
	Datacatalog__DatasetID *id = proto_new(arena, datacatalog__dataset_id);
	id->project = arena_strdup(arena, database_text(rows, row, column));
	id->domain = arena_strdup(arena, database_text(rows, row, column + 1));
	id->name = arena_strdup(arena, database_text(rows, row, column + 2));
	id->version = arena_strdup(arena, database_text(rows, row, column + 3));
	id->uuid = arena_strdup(arena, database_text(rows, row, column + 4));
	return id;
}

static Datacatalog__Dataset *read_dataset(struct arena *arena, const struct database_rows *rows, size_t row,
                                          struct err *e)
{
	const struct proto_bytes bytes = database_bytes(rows, row, 6);
	Datacatalog__Dataset *dataset = proto_unpack(arena, datacatalog__dataset, bytes.data, bytes.length, e);
	if (!dataset) {
		err_wrap(e, "the stored dataset \"%s\"", database_text(rows, row, 3));
		return NULL;
	}
	dataset->id = read_id(arena, rows, row, 1);
	return dataset;
}

int catalog_insert_dataset(struct database_connection *c, struct arena *arena, const Datacatalog__Dataset *dataset,
                           struct err *e)
{
	const Datacatalog__DatasetID *id = dataset->id;
	const struct database_value values[] = { DB_TEXT(id->project), DB_TEXT(id->domain),
		                                 DB_TEXT(id->name),    DB_TEXT(id->version),
		                                 DB_TEXT(id->uuid),    DB_BYTES(proto_pack(arena, &dataset->base)) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "insert into catalog_datasets (project, domain, name, version, uuid, message)"
	                   " values ($1, $2, $3, $4, coalesce(nullif($5, ''), gen_random_uuid()::text), $6) on "
	                   "conflict do nothing returning 1",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	return rows.count > 0;
}

int catalog_get_dataset(struct database_connection *c, struct arena *arena, const Datacatalog__DatasetID *id,
                        Datacatalog__Dataset **ret_dataset, int64_t *ret_row_id, struct err *e)
{
	const struct database_value values[] = { DB_TEXT(id->project), DB_TEXT(id->domain), DB_TEXT(id->name),
		                                 DB_TEXT(id->version) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "select " DATASET_COLUMNS
	                   " from catalog_datasets d where d.project = $1 and d.domain = $2 and d.name = $3"
	                   " and d.version = $4",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return 0;
	*ret_row_id = database_int(&rows, 0, 0);
	*ret_dataset = read_dataset(arena, &rows, 0, e);
	return *ret_dataset ? 1 : -1;
}

/* ---- Artifacts and tags ---- */

static void add_tags(struct arena *arena, Datacatalog__Artifact *artifact, const char *names)
{
	char *rest = arena_strdup(arena, names);
	for (char *name; *names && (name = strsep(&rest, "\n"));) {
		Datacatalog__Tag *tag = proto_new(arena, datacatalog__tag);
		tag->name = name;
		tag->artifact_id = artifact->id;
		tag->dataset = artifact->dataset;
		proto_append(arena, artifact->n_tags, artifact->tags, tag);
	}
}

static int read_entry(struct arena *arena, const struct database_rows *rows, size_t row,
                      struct catalog_entry *ret_entry, struct err *e)
{
	const struct proto_bytes bytes = database_bytes(rows, row, 1);
	Datacatalog__Artifact *artifact = proto_unpack(arena, datacatalog__artifact, bytes.data, bytes.length, e);
	if (!artifact)
		return err_wrap(e, "the stored artifact \"%s\"", database_text(rows, row, 0));
	const int64_t created_at = database_time(rows, row, 3);
	artifact->id = arena_strdup(arena, database_text(rows, row, 0));
	artifact->dataset = read_id(arena, rows, row, 4);
	artifact->n_tags = 0;
	artifact->tags = NULL;
	add_tags(arena, artifact, database_text(rows, row, 9));
	artifact->created_at = proto_new(arena, google__protobuf__timestamp);
	artifact->created_at->seconds = created_at / 1000000000;
	artifact->created_at->nanos = (int32_t)(created_at % 1000000000);
	*ret_entry = (struct catalog_entry){ .artifact = artifact, .outputs_uri = database_text(rows, row, 2) };
	return 0;
}

static int insert_partitions(struct database_connection *c, int64_t dataset_row_id,
                             const Datacatalog__Artifact *artifact, struct err *e)
{
	for (size_t i = 0; i < artifact->n_partitions; i++) {
		const struct database_value values[] = { DB_INT(dataset_row_id), DB_TEXT(artifact->id),
			                                 DB_TEXT(artifact->partitions[i]->key),
			                                 DB_TEXT(artifact->partitions[i]->value) };
		if (database_execute(c,
		                     "insert into catalog_partitions (dataset_id, artifact_id, key, value) values ($1, "
		                     "$2, $3, $4)",
		                     values, ARRAY_LENGTH(values), e) < 0)
			return -1;
	}
	return 0;
}

int catalog_insert_artifact(struct database_connection *c, struct arena *arena, int64_t dataset_row_id,
                            const Datacatalog__Artifact *artifact, struct err *e)
{
	const struct database_value values[] = { DB_INT(dataset_row_id), DB_TEXT(artifact->id),
		                                 DB_BYTES(proto_pack(arena, &artifact->base)) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "insert into catalog_artifacts (dataset_id, artifact_id, message) values ($1, $2, $3)"
	                   " on conflict do nothing returning 1",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return 0;
	return insert_partitions(c, dataset_row_id, artifact, e) < 0 ? -1 : 1;
}

int catalog_get_artifact(struct database_connection *c, struct arena *arena, int64_t dataset_row_id,
                         const char *artifact_id, const char *tag, struct catalog_entry *ret_entry, struct err *e)
{
	const struct database_value values[] = { DB_INT(dataset_row_id), DB_TEXT(artifact_id ? artifact_id : tag) };
	struct database_rows rows;
	static const char by_id[] =
	        "select " ARTIFACT_COLUMNS " from catalog_artifacts a join catalog_datasets d on d.id = a.dataset_id"
	        " where a.dataset_id = $1 and a.artifact_id = $2";
	static const char by_tag[] =
	        "select " ARTIFACT_COLUMNS " from catalog_artifacts a join catalog_datasets d on d.id = a.dataset_id"
	        " where a.dataset_id = $1 and a.artifact_id ="
	        " (select artifact_id from catalog_tags where dataset_id = $1 and name = $2)";
	if (database_query(c, arena, artifact_id ? by_id : by_tag, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return 0;
	return read_entry(arena, &rows, 0, ret_entry, e) < 0 ? -1 : 1;
}

int catalog_update_artifact(struct database_connection *c, struct arena *arena, int64_t dataset_row_id,
                            const Datacatalog__Artifact *artifact, struct err *e)
{
	Datacatalog__Artifact *kept = arena_copy(arena, artifact, sizeof(*artifact));
	kept->n_tags = 0;
	kept->created_at = NULL;
	const struct database_value values[] = { DB_INT(dataset_row_id), DB_TEXT(artifact->id),
		                                 DB_BYTES(proto_pack(arena, &kept->base)) };
	return database_execute(c,
	                        "update catalog_artifacts set message = $3, outputs_uri = '', updated_at = now()"
	                        " where dataset_id = $1 and artifact_id = $2",
	                        values, ARRAY_LENGTH(values), e) < 0
	               ? -1
	               : 0;
}

int catalog_insert_tag(struct database_connection *c, struct arena *arena, int64_t dataset_row_id, const char *name,
                       const char *artifact_id, struct err *e)
{
	const struct database_value values[] = { DB_INT(dataset_row_id), DB_TEXT(name), DB_TEXT(artifact_id) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "insert into catalog_tags (dataset_id, name, artifact_id) values ($1, $2, $3) on conflict "
	                   "do nothing returning 1",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	return rows.count > 0;
}

/* ---- Lists ---- */

static const char *condition_sql(struct arena *arena, const struct catalog_condition *condition, size_t number)
{
	switch (condition->kind) {
	case CATALOG_PROJECT:
		return arena_printf(arena, "d.project = $%zu", number);
	case CATALOG_DOMAIN:
		return arena_printf(arena, "d.domain = $%zu", number);
	case CATALOG_NAME:
		return arena_printf(arena, "d.name = $%zu", number);
	case CATALOG_VERSION:
		return arena_printf(arena, "d.version = $%zu", number);
	case CATALOG_ARTIFACT:
		return arena_printf(arena, "a.artifact_id = $%zu", number);
	case CATALOG_TAG:
		return arena_printf(arena,
		                    "exists (select 1 from catalog_tags t where t.dataset_id = a.dataset_id and "
		                    "t.artifact_id = a.artifact_id"
		                    " and t.name = $%zu)",
		                    number);
	case CATALOG_PARTITION:
		break;
	}
	return arena_printf(arena,
	                    "exists (select 1 from catalog_partitions p where p.dataset_id = a.dataset_id and "
	                    "p.artifact_id = a.artifact_id"
	                    " and p.key = $%zu and p.value = $%zu)",
	                    number, number + 1);
}

/* The whole statement from what is constant: `select`, `where` and `order` (with one %s for the direction). */
static int run_list(struct database_connection *c, struct arena *arena, const char *select,
                    const struct database_value *first, const struct catalog_page *page, const char *order,
                    struct database_rows *ret_rows, bool *ret_more, struct err *e)
{
	struct database_value values[2 * CATALOG_CONDITIONS_MAXIMUM + 3];
	size_t count = 0;
	bool cut;
	const char *sql = select;
	if (first)
		values[count++] = *first;
	for (size_t i = 0; i < page->condition_count; i++) {
		const struct catalog_condition *condition = &page->conditions[i];
		sql = arena_printf(arena, "%s and %s", sql, condition_sql(arena, condition, count + 1));
		values[count++] = DB_TEXT(condition->value);
		if (condition->kind == CATALOG_PARTITION)
			values[count++] = DB_TEXT(condition->second);
	}
	const char *direction = page->ascending ? "asc" : "desc";
	sql = arena_printf(arena, "%s order by %s %s, %s %s limit $%zu offset $%zu", sql, "created_at", direction,
	                   order, direction, count + 1, count + 2);
	/* One more than asked for tells whether there are more. */
	values[count++] = DB_INT((int64_t)page->limit + 1);
	values[count++] = DB_INT((int64_t)page->offset);
	if (database_query_page(c, arena, sql, values, count, PAGE_BYTES, ret_rows, &cut, e) < 0)
		return -1;
	*ret_more = cut || ret_rows->count > page->limit;
	return 0;
}

static size_t page_count(const struct database_rows *rows, const struct catalog_page *page)
{
	return rows->count < page->limit ? rows->count : page->limit;
}

int catalog_list_datasets(struct database_connection *c, struct arena *arena, const struct catalog_page *page,
                          struct catalog_list *ret_list, struct err *e)
{
	struct database_rows rows;
	struct catalog_list list = { 0 };
	if (run_list(c, arena, "select " DATASET_COLUMNS " from catalog_datasets d where true", NULL, page, "d.id",
	             &rows, &list.more, e) < 0)
		return -1;
	list.count = page_count(&rows, page);
	list.datasets = arena_array(arena, Datacatalog__Dataset *, list.count);
	for (size_t i = 0; i < list.count; i++) {
		if (!(list.datasets[i] = read_dataset(arena, &rows, i, e)))
			return -1;
	}
	*ret_list = list;
	return 0;
}

int catalog_list_artifacts(struct database_connection *c, struct arena *arena, int64_t dataset_row_id,
                           const struct catalog_page *page, struct catalog_list *ret_list, struct err *e)
{
	const struct database_value dataset = DB_INT(dataset_row_id);
	struct database_rows rows;
	struct catalog_list list = { 0 };
	if (run_list(c, arena,
	             "select " ARTIFACT_COLUMNS
	             " from catalog_artifacts a join catalog_datasets d on d.id = a.dataset_id where a.dataset_id = $1",
	             &dataset, page, "a.artifact_id", &rows, &list.more, e) < 0)
		return -1;
	list.count = page_count(&rows, page);
	list.entries = arena_array(arena, struct catalog_entry, list.count);
	for (size_t i = 0; i < list.count; i++) {
		if (read_entry(arena, &rows, i, &list.entries[i], e) < 0)
			return -1;
	}
	*ret_list = list;
	return 0;
}

/* ---- Reservations of clients ---- */

int catalog_reserve_for_client(struct database_connection *c, struct arena *arena, const struct catalog_key *key,
                               const char *owner_id, int64_t heartbeat_ns, int64_t lasts_ns,
                               struct catalog_reservation *ret_reservation, struct err *e)
{
	const struct database_value values[] = { KEY_VALUES(key), DB_TEXT(owner_id), DB_INT(heartbeat_ns),
		                                 DB_INT(lasts_ns / 1000) };
	struct database_rows rows;
	/* Twice at most: what was in the way may be gone before it is read. */
	for (int i = 0; i < 2; i++) {
		if (database_query(c, arena,
		                   "insert into catalog_reservations as r (project, domain, name, version, tag, "
		                   "owner_id, heartbeat_ns, expires_at)"
		                   " values ($1, $2, $3, $4, $5, $6, $7, now() + $8 * interval '1 microsecond')"
		                   " on conflict (project, domain, name, version, tag) do update set owner_id = $6, "
		                   "execution_id = null,"
		                   " node_id = null, heartbeat_ns = $7, expires_at = excluded.expires_at"
		                   " where (r.execution_id is null and r.owner_id = $6) or r.expires_at <= now()"
		                   " returning owner_id, expires_at",
		                   values, ARRAY_LENGTH(values), &rows, e) < 0)
			return -1;
		if (rows.count == 0 &&
		    database_query(c, arena,
		                   "select owner_id, coalesce(expires_at, now() + $6 * interval '1 microsecond')"
		                   " from catalog_reservations where " KEY_IS(""),
		                   (struct database_value[]){ KEY_VALUES(key), DB_INT(lasts_ns / 1000) }, 6, &rows,
		                   e) < 0)
			return -1;
		if (rows.count > 0) {
			*ret_reservation = (struct catalog_reservation){ .owner_id = database_text(&rows, 0, 0),
				                                         .expires_at_ns = database_time(&rows, 0, 1) };
			return 0;
		}
	}
	return err_set(e, ERR_CONFLICT, NULL, "the reservation of \"%s\" changes hands", key->tag);
}

int catalog_release_for_client(struct database_connection *c, struct arena *arena, const struct catalog_key *key,
                               const char *owner_id, struct err *e)
{
	static const char sql[] = "with released as (delete from catalog_reservations where " KEY_IS(
	        "") " and owner_id = $6"
	            " and execution_id is null returning 1), "
	            "woken as (delete from catalog_waiters w using released where " KEY_IS(
	                    "w.") " returning w.execution_id) "
	                          "select pg_notify($7, execution_id::text)::text from (select distinct execution_id "
	                          "from woken) executions";
	const struct database_value values[] = { KEY_VALUES(key), DB_TEXT(owner_id), DB_TEXT(EXECUTIONS_CHANNEL) };
	struct database_rows rows;
	return database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e);
}
