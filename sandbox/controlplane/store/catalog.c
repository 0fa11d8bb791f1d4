#include "controlplane/store/catalog.h"

#include "base/text.h"
#include "controlplane/store/executions.h"

#define KEY_COLUMNS "project, domain, name, version, tag"
#define KEY_VALUES(key)                                                                                                \
	DB_TEXT((key)->project), DB_TEXT((key)->domain), DB_TEXT((key)->name), DB_TEXT((key)->version),                \
	        DB_TEXT((key)->tag)

/* ---- Artifacts ---- */

int catalog_find(struct database_connection *c, struct arena *arena, const struct catalog_key *key,
                 struct catalog_entry *ret_entry, struct err *e)
{
	const struct database_value values[] = { KEY_VALUES(key) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "select a.artifact_id, a.message, a.outputs_uri from catalog_datasets d"
	                   " join catalog_tags t on t.dataset_id = d.id"
	                   " join catalog_artifacts a on a.dataset_id = d.id and a.artifact_id = t.artifact_id"
	                   " where d.project = $1 and d.domain = $2 and d.name = $3 and d.version = $4 and t.name = $5",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return 0;
	const struct proto_bytes bytes = database_bytes(&rows, 0, 1);
	Datacatalog__Artifact *artifact = proto_unpack(arena, datacatalog__artifact, bytes.data, bytes.length, e);
	if (!artifact)
		return err_wrap(e, "the stored artifact \"%s\"", database_text(&rows, 0, 0));
	artifact->id = arena_strdup(arena, database_text(&rows, 0, 0));
	*ret_entry = (struct catalog_entry){ .artifact = artifact, .outputs_uri = database_text(&rows, 0, 2) };
	return 1;
}

static int ensure_dataset(struct database_connection *c, struct arena *arena, const struct catalog_key *key,
                          const Datacatalog__Artifact *artifact, int64_t *ret_id, struct err *e)
{
	Datacatalog__Dataset *dataset = proto_new(arena, datacatalog__dataset);
	dataset->id = artifact->dataset;
	dataset->metadata = proto_new(arena, datacatalog__metadata);
	/* Upstream keeps the version of the task that was first there; the rest of the artifact's metadata is of no
	 * dataset. */
	if (artifact->metadata && artifact->metadata->n_key_map > 0)
		proto_append(arena, dataset->metadata->n_key_map, dataset->metadata->key_map,
		             artifact->metadata->key_map[0]);
	const struct database_value values[] = { DB_TEXT(key->project), DB_TEXT(key->domain), DB_TEXT(key->name),
		                                 DB_TEXT(key->version), DB_BYTES(proto_pack(arena, &dataset->base)) };
	struct database_rows rows;
	if (database_execute(
	            c,
	            "insert into catalog_datasets (project, domain, name, version, message) values ($1, $2, $3, $4, $5)"
	            " on conflict do nothing",
	            values, ARRAY_LENGTH(values), e) < 0 ||
	    database_query(
	            c, arena,
	            "select id from catalog_datasets where project = $1 and domain = $2 and name = $3 and version = $4",
	            values, 4, &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return err_set(e, ERR_CONFLICT, NULL, "the dataset \"%s\" was deleted while an artifact was added",
		               key->name);
	*ret_id = database_int(&rows, 0, 0);
	return 0;
}

/* The artifact that the tag leads to; NULL when there is none. */
static int find_tagged(struct database_connection *c, struct arena *arena, int64_t dataset_id, const char *tag,
                       const char **ret_artifact_id, struct err *e)
{
	const struct database_value values[] = { DB_INT(dataset_id), DB_TEXT(tag) };
	struct database_rows rows;
	if (database_query(c, arena, "select artifact_id from catalog_tags where dataset_id = $1 and name = $2", values,
	                   2, &rows, e) < 0)
		return -1;
	*ret_artifact_id = rows.count ? database_text(&rows, 0, 0) : NULL;
	return 0;
}

static int insert_tagged(struct database_connection *c, struct arena *arena, int64_t dataset_id, const char *tag,
                         struct proto_bytes message, const char *outputs_uri, const char **ret_artifact_id,
                         struct err *e)
{
	const struct database_value values[] = { DB_INT(dataset_id), DB_TEXT(tag), DB_BYTES(message),
		                                 DB_TEXT(outputs_uri) };
	struct database_rows rows;
	if (database_query(
	            c, arena,
	            "with artifact as (insert into catalog_artifacts (dataset_id, artifact_id, message, outputs_uri)"
	            " values ($1, gen_random_uuid()::text, $3, $4) returning dataset_id, artifact_id)"
	            " insert into catalog_tags (dataset_id, name, artifact_id) select dataset_id, $2, artifact_id from "
	            "artifact"
	            " returning artifact_id",
	            values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	*ret_artifact_id = database_text(&rows, 0, 0);
	return 0;
}

/* Who adds to the same dataset and tag does so one after the other. */
static int lock_tag(struct database_connection *c, struct arena *arena, int64_t dataset_id, const char *tag,
                    struct err *e)
{
	const struct database_value values[] = { DB_INT(dataset_id), DB_TEXT(tag) };
	struct database_rows rows;
	return database_query(c, arena,
	                      "select pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'catalog', "
	                      "$1::bigint::text, $2), 0))::text",
	                      values, 2, &rows, e);
}

int catalog_put(struct database_connection *c, struct arena *arena, const struct catalog_key *key,
                Datacatalog__Artifact *artifact, const char *outputs_uri, bool overwrite, const char **ret_artifact_id,
                struct err *e)
{
	int64_t dataset_id;
	const char *present;
	if (protobuf_c_message_get_packed_size(&artifact->base) > CATALOG_ROW_MAXIMUM)
		artifact->n_data = 0;
	else
		outputs_uri = "";
	const struct proto_bytes message = proto_pack(arena, &artifact->base);
	if (ensure_dataset(c, arena, key, artifact, &dataset_id, e) < 0 ||
	    lock_tag(c, arena, dataset_id, key->tag, e) < 0 ||
	    find_tagged(c, arena, dataset_id, key->tag, &present, e) < 0)
		return -1;
	if (!present)
		return insert_tagged(c, arena, dataset_id, key->tag, message, outputs_uri, ret_artifact_id, e);
	*ret_artifact_id = present;
	const struct database_value values[] = { DB_INT(dataset_id), DB_TEXT(present), DB_BYTES(message),
		                                 DB_TEXT(outputs_uri) };
	if (!overwrite)
		return 0;
	return database_execute(c,
	                        "update catalog_artifacts set message = $3, outputs_uri = $4, updated_at = now()"
	                        " where dataset_id = $1 and artifact_id = $2",
	                        values, ARRAY_LENGTH(values), e) < 0
	               ? -1
	               : 0;
}

/* ---- Reservations ---- */

static int try_to_reserve(struct database_connection *c, struct arena *arena, const struct catalog_key *key,
                          const struct catalog_owner *owner, bool *ret_acquired, struct err *e)
{
	const struct database_value values[] = { KEY_VALUES(key), DB_INT(owner->execution_id), DB_TEXT(owner->node_id),
		                                 DB_TEXT(owner->text) };
	struct database_rows rows;
	if (database_query(c, arena,
	                   "insert into catalog_reservations as r (" KEY_COLUMNS ", execution_id, node_id, owner_id)"
	                   " values ($1, $2, $3, $4, $5, $6, $7, $8)"
	                   " on conflict (" KEY_COLUMNS
	                   ") do update set execution_id = $6, node_id = $7, owner_id = $8, expires_at = null"
	                   " where (r.execution_id = $6 and r.node_id = $7) or r.expires_at <= now() returning 1",
	                   values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	*ret_acquired = rows.count > 0;
	return 0;
}

/*
 * Waiting begins before trying: whoever releases afterwards finds us waiting, and whoever has released before is not in
 * the way.
 */
int catalog_reserve(struct database_connection *c, struct arena *arena, const struct catalog_key *key,
                    const struct catalog_owner *owner, bool *ret_acquired, int64_t *ret_expires_ns, struct err *e)
{
	const struct database_value values[] = { KEY_VALUES(key), DB_INT(owner->execution_id),
		                                 DB_TEXT(owner->node_id) };
	struct database_rows rows;
	*ret_expires_ns = 0;
	if (database_execute(c,
	                     "insert into catalog_waiters (" KEY_COLUMNS
	                     ", execution_id, node_id) values ($1, $2, $3, $4, $5, $6, $7)"
	                     " on conflict do nothing",
	                     values, ARRAY_LENGTH(values), e) < 0 ||
	    try_to_reserve(c, arena, key, owner, ret_acquired, e) < 0)
		return -1;
	if (*ret_acquired)
		return database_execute(c,
		                        "delete from catalog_waiters where project = $1 and domain = $2 and name = $3 "
		                        "and version = $4"
		                        " and tag = $5 and execution_id = $6 and node_id = $7",
		                        values, ARRAY_LENGTH(values), e) < 0
		               ? -1
		               : 0;
	if (database_query(c, arena,
	                   "select expires_at from catalog_reservations where project = $1 and domain = $2 and name = "
	                   "$3 and version = $4"
	                   " and tag = $5",
	                   values, 5, &rows, e) < 0)
		return -1;
	*ret_expires_ns = rows.count ? database_time(&rows, 0, 0) : 0;
	return 0;
}

int catalog_release(struct database_connection *c, struct arena *arena, int64_t execution_id, const char *node_id,
                    struct err *e)
{
	static const char sql[] =
	        "with released as (delete from catalog_reservations where execution_id = $1 and ($2::text is null or "
	        "node_id = $2)"
	        " returning " KEY_COLUMNS "), "
	        "own as (delete from catalog_waiters where execution_id = $1 and ($2::text is null or node_id = $2)), "
	        "woken as (delete from catalog_waiters w using released r where w.project = r.project and w.domain = "
	        "r.domain"
	        " and w.name = r.name and w.version = r.version and w.tag = r.tag"
	        " and not (w.execution_id = $1 and ($2::text is null or w.node_id = $2)) returning w.execution_id) "
	        "select pg_notify($3, execution_id::text)::text from (select distinct execution_id from woken) "
	        "executions";
	const struct database_value values[] = { DB_INT(execution_id), DB_TEXT(node_id), DB_TEXT(EXECUTIONS_CHANNEL) };
	struct database_rows rows;
	return database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e);
}
