#include "controlplane/api/catalog.h"

#include "base/text.h"
#include "controlplane/api/literals.h"
#include "controlplane/launch/ids.h"

/* ---- Data ---- */

/* Data that are too large for the row are in the object store. */
static int load_data(struct api *api, struct rpc_call *call, const struct catalog_entry *entry, struct err *e)
{
	const struct stored_literals stored = { .uri = entry->outputs_uri };
	Flyteidl__Core__LiteralMap *map;
	if (text_is_empty(entry->outputs_uri))
		return 0;
	if (literals_load(api, call, &stored, &map, e) < 0)
		return -1;
	for (size_t i = 0; i < map->n_literals; i++) {
		Datacatalog__ArtifactData *data = proto_new(call->arena, datacatalog__artifact_data);
		data->name = map->literals[i]->key;
		data->value = map->literals[i]->value;
		proto_append(call->arena, entry->artifact->n_data, entry->artifact->data, data);
	}
	return 0;
}

/* ---- Creating ---- */

static int check_partitions(const Datacatalog__Dataset *dataset, const Datacatalog__Artifact *artifact, struct err *e)
{
	if (dataset->n_partitionkeys != artifact->n_partitions)
		return err_set(e, ERR_INVALID, "partition-mismatch",
		               "Partition key mismatch, the dataset has %zu keys, the artifact %zu partitions",
		               dataset->n_partitionkeys, artifact->n_partitions);
	for (size_t i = 0; i < artifact->n_partitions; i++) {
		const Datacatalog__Partition *partition = artifact->partitions[i];
		bool known = false, twice = false;
		if (text_is_empty(partition->key))
			return err_set(e, ERR_INVALID, "missing-field", "missing partitionKey[%zu]", i);
		if (text_is_empty(partition->value))
			return err_set(e, ERR_INVALID, "missing-field", "missing partitionValue[%zu]", i);
		for (size_t k = 0; k < dataset->n_partitionkeys; k++)
			known = known || text_equal(dataset->partitionkeys[k], partition->key);
		for (size_t k = 0; k < i; k++)
			twice = twice || text_equal(artifact->partitions[k]->key, partition->key);
		if (!known || twice)
			return err_set(e, ERR_INVALID, "partition-mismatch",
			               "Artifact partition assignment does not match dataset partition keys: %s",
			               partition->key);
	}
	return 0;
}

static int check_artifact(const Datacatalog__Artifact *artifact, struct err *e)
{
	if (!artifact)
		return ids_require(NULL, "artifact", e);
	if (catalog_require_dataset_id(artifact->dataset, e) < 0 || ids_require(artifact->id, "artifactID", e) < 0)
		return -1;
	return artifact->n_data == 0 ? ids_require(NULL, "artifactData", e) : 0;
}

CATALOG_HANDLER(catalog_artifact_create)
{
	Datacatalog__Artifact *artifact = ((const Datacatalog__CreateArtifactRequest *)message)->artifact;
	auto_connection struct database_connection *c = NULL;
	Datacatalog__Dataset *dataset;
	int64_t row_id;
	if (check_artifact(artifact, e) < 0 || api_connect(context, call, &c, e) < 0 ||
	    catalog_load_dataset(c, call->arena, artifact->dataset, &dataset, &row_id, e) < 0 ||
	    check_partitions(dataset, artifact, e) < 0 || database_begin(c, e) < 0)
		return NULL;
	Datacatalog__Artifact *kept = arena_copy(call->arena, artifact, sizeof(*artifact));
	kept->n_tags = 0;
	kept->created_at = NULL;
	const int made = catalog_insert_artifact(c, call->arena, row_id, kept, e);
	if (made == 0)
		catalog_exists(call->arena, "Artifact", artifact->dataset,
		               arena_printf(call->arena, "artifact_id:\"%s\"", artifact->id), e);
	if (made <= 0 || database_commit(c, e) < 0)
		return NULL;
	return &proto_new(call->arena, datacatalog__create_artifact_response)->base;
}

/* ---- Reading one, changing it ---- */

/* By id or by tag: `ret_id` or `ret_tag` is the one that was given. */
static int read_handle(struct arena *arena, const Datacatalog__DatasetID *dataset, bool by_id, bool by_tag,
                       const char *value, const char **ret_id, const char **ret_tag, const char **ret_text,
                       struct err *e)
{
	*ret_id = *ret_tag = NULL;
	if (!by_id && !by_tag)
		return ids_require(NULL, "one of artifactID/tagName", e);
	if (catalog_require_dataset_id(dataset, e) < 0 || ids_require(value, by_id ? "artifactID" : "tagName", e) < 0)
		return -1;
	*(by_id ? ret_id : ret_tag) = value;
	*ret_text = arena_printf(arena, by_id ? "artifact_id:\"%s\"" : "tag_name:\"%s\"", value);
	return 0;
}

static int load_artifact(struct database_connection *c, struct arena *arena, const Datacatalog__DatasetID *dataset_id,
                         const char *id, const char *tag, const char *text, int64_t *ret_row_id,
                         struct catalog_entry *ret_entry, struct err *e)
{
	Datacatalog__Dataset *dataset;
	if (catalog_load_dataset(c, arena, dataset_id, &dataset, ret_row_id, e) < 0)
		return -1;
	const int found = catalog_get_artifact(c, arena, *ret_row_id, id, tag, ret_entry, e);
	if (found == 0)
		return catalog_not_found(arena, id ? "Artifact" : "Tag", dataset_id, text, e);
	return found < 0 ? -1 : 0;
}

CATALOG_HANDLER(catalog_artifact_get)
{
	const Datacatalog__GetArtifactRequest *r = (const Datacatalog__GetArtifactRequest *)message;
	auto_connection struct database_connection *c = NULL;
	const bool by_id = r->query_handle_case == DATACATALOG__GET_ARTIFACT_REQUEST__QUERY_HANDLE_ARTIFACT_ID;
	const bool by_tag = r->query_handle_case == DATACATALOG__GET_ARTIFACT_REQUEST__QUERY_HANDLE_TAG_NAME;
	const char *id, *tag, *text;
	struct catalog_entry entry;
	int64_t row_id;
	if (read_handle(call->arena, r->dataset, by_id, by_tag, by_id ? r->artifact_id : r->tag_name, &id, &tag, &text,
	                e) < 0 ||
	    api_connect(context, call, &c, e) < 0 ||
	    load_artifact(c, call->arena, r->dataset, id, tag, text, &row_id, &entry, e) < 0)
		return NULL;
	database_return(c);
	c = NULL;
	if (load_data(context, call, &entry, e) < 0)
		return NULL;
	Datacatalog__GetArtifactResponse *response = proto_new(call->arena, datacatalog__get_artifact_response);
	response->artifact = entry.artifact;
	return &response->base;
}

CATALOG_HANDLER(catalog_artifact_update)
{
	const Datacatalog__UpdateArtifactRequest *r = (const Datacatalog__UpdateArtifactRequest *)message;
	auto_connection struct database_connection *c = NULL;
	const bool by_id = r->query_handle_case == DATACATALOG__UPDATE_ARTIFACT_REQUEST__QUERY_HANDLE_ARTIFACT_ID;
	const bool by_tag = r->query_handle_case == DATACATALOG__UPDATE_ARTIFACT_REQUEST__QUERY_HANDLE_TAG_NAME;
	const char *id, *tag, *text;
	struct catalog_entry entry;
	int64_t row_id;
	if (read_handle(call->arena, r->dataset, by_id, by_tag, by_id ? r->artifact_id : r->tag_name, &id, &tag, &text,
	                e) < 0)
		return NULL;
	if (r->n_data == 0) {
		ids_require(NULL, "artifactData", e);
		return NULL;
	}
	if (api_connect(context, call, &c, e) < 0 ||
	    load_artifact(c, call->arena, r->dataset, id, tag, text, &row_id, &entry, e) < 0)
		return NULL;
	entry.artifact->data = r->data;
	entry.artifact->n_data = r->n_data;
	if (r->metadata)
		entry.artifact->metadata = r->metadata;
	if (catalog_update_artifact(c, call->arena, row_id, entry.artifact, e) < 0)
		return NULL;
	Datacatalog__UpdateArtifactResponse *response = proto_new(call->arena, datacatalog__update_artifact_response);
	response->artifact_id = entry.artifact->id;
	return &response->base;
}

/* ---- Tags ---- */

CATALOG_HANDLER(catalog_tag_add)
{
	const Datacatalog__Tag *tag = ((const Datacatalog__AddTagRequest *)message)->tag;
	auto_connection struct database_connection *c = NULL;
	struct catalog_entry entry;
	int64_t row_id;
	if (!tag) {
		ids_require(NULL, "tag", e);
		return NULL;
	}
	const char *text = arena_printf(call->arena, "artifact_id:\"%s\"", tag->artifact_id);
	if (catalog_require_dataset_id(tag->dataset, e) < 0 || ids_require(tag->name, "tagName", e) < 0 ||
	    ids_require(tag->artifact_id, "artifactID", e) < 0 || api_connect(context, call, &c, e) < 0 ||
	    load_artifact(c, call->arena, tag->dataset, tag->artifact_id, NULL, text, &row_id, &entry, e) < 0)
		return NULL;
	if (strchr(tag->name, '\n')) {
		err_set(e, ERR_INVALID, "invalid-tag", "invalid value for tagName, value:[it has more than one line]");
		return NULL;
	}
	const int made = catalog_insert_tag(c, call->arena, row_id, tag->name, tag->artifact_id, e);
	if (made == 0)
		catalog_exists(call->arena, "Tag", tag->dataset,
		               arena_printf(call->arena, "tag_name:\"%s\"", tag->name), e);
	return made > 0 ? &proto_new(call->arena, datacatalog__add_tag_response)->base : NULL;
}

/* ---- Lists ---- */

static int read_condition(const Datacatalog__SinglePropertyFilter *f, struct catalog_condition *ret_condition,
                          struct err *e)
{
	const Datacatalog__KeyValuePair *pair;
	switch (f->property_filter_case) {
	case DATACATALOG__SINGLE_PROPERTY_FILTER__PROPERTY_FILTER_TAG_FILTER:
		if (f->tag_filter->property_case != DATACATALOG__TAG_PROPERTY_FILTER__PROPERTY_TAG_NAME)
			break;
		*ret_condition = (struct catalog_condition){ CATALOG_TAG, f->tag_filter->tag_name, NULL };
		return 0;
	case DATACATALOG__SINGLE_PROPERTY_FILTER__PROPERTY_FILTER_ARTIFACT_FILTER:
		if (f->artifact_filter->property_case != DATACATALOG__ARTIFACT_PROPERTY_FILTER__PROPERTY_ARTIFACT_ID)
			break;
		*ret_condition = (struct catalog_condition){ CATALOG_ARTIFACT, f->artifact_filter->artifact_id, NULL };
		return 0;
	case DATACATALOG__SINGLE_PROPERTY_FILTER__PROPERTY_FILTER_PARTITION_FILTER:
		if (f->partition_filter->property_case != DATACATALOG__PARTITION_PROPERTY_FILTER__PROPERTY_KEY_VAL)
			break;
		pair = f->partition_filter->key_val;
		*ret_condition = (struct catalog_condition){ CATALOG_PARTITION, pair->key, pair->value };
		return 0;
	case DATACATALOG__SINGLE_PROPERTY_FILTER__PROPERTY_FILTER_DATASET_FILTER:
		return err_set(e, ERR_INVALID, "invalid-filter", "Artifact cannot be filtered by Dataset properties");
	default:
		break;
	}
	return err_set(e, ERR_INVALID, "invalid-filter", "missing property of a filter");
}

CATALOG_HANDLER(catalog_artifact_list)
{
	const Datacatalog__ListArtifactsRequest *r = (const Datacatalog__ListArtifactsRequest *)message;
	auto_connection struct database_connection *c = NULL;
	struct catalog_condition conditions[CATALOG_CONDITIONS_MAXIMUM];
	const size_t filter_count = r->filter ? r->filter->n_filters : 0;
	struct catalog_page page;
	struct catalog_list list;
	Datacatalog__Dataset *dataset;
	int64_t row_id;
	if (catalog_require_dataset_id(r->dataset, e) < 0 || catalog_read_page(r->pagination, &page, e) < 0)
		return NULL;
	if (filter_count > CATALOG_CONDITIONS_MAXIMUM) {
		err_set(e, ERR_INVALID, "too-many-filters", "more than %d filters", CATALOG_CONDITIONS_MAXIMUM);
		return NULL;
	}
	for (size_t i = 0; i < filter_count; i++) {
		if (read_condition(r->filter->filters[i], &conditions[i], e) < 0)
			return NULL;
	}
	page.conditions = conditions;
	page.condition_count = filter_count;
	if (api_connect(context, call, &c, e) < 0 ||
	    catalog_load_dataset(c, call->arena, r->dataset, &dataset, &row_id, e) < 0 ||
	    catalog_list_artifacts(c, call->arena, row_id, &page, &list, e) < 0)
		return NULL;
	Datacatalog__ListArtifactsResponse *response = proto_new(call->arena, datacatalog__list_artifacts_response);
	response->n_artifacts = list.count;
	response->artifacts = arena_array(call->arena, Datacatalog__Artifact *, list.count);
	for (size_t i = 0; i < list.count; i++)
		response->artifacts[i] = list.entries[i].artifact;
	response->next_token = catalog_next_token(call->arena, &page, &list);
	return &response->base;
}
