#include "controlplane/api/catalog.h"

#include "base/text.h"
#include "controlplane/launch/ids.h"

#include <inttypes.h>

#define PAGE_DEFAULT 50
#define PAGE_MAXIMUM 1000

int catalog_require_dataset_id(const Datacatalog__DatasetID *id, struct err *e)
{
	if (!id)
		return ids_require(NULL, "dataset", e);
	if (ids_require(id->project, "project", e) < 0 || ids_require(id->domain, "domain", e) < 0 ||
	    ids_require(id->name, "name", e) < 0)
		return -1;
	return ids_require(id->version, "version", e);
}

static const char *id_text(struct arena *arena, const Datacatalog__DatasetID *id, const char *rest)
{
	return arena_printf(arena, "project:\"%s\" name:\"%s\" domain:\"%s\" version:\"%s\"%s%s", id->project, id->name,
	                    id->domain, id->version, *rest ? " " : "", rest);
}

int catalog_not_found(struct arena *arena, const char *type, const Datacatalog__DatasetID *dataset, const char *rest,
                      struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "missing-entity", "missing entity of type %s with identifier %s", type,
	               id_text(arena, dataset, rest));
}

int catalog_exists(struct arena *arena, const char *type, const Datacatalog__DatasetID *dataset, const char *rest,
                   struct err *e)
{
	return err_set(e, ERR_EXISTS, "entity-exists", "value with matching already exists (%s %s)", type,
	               id_text(arena, dataset, rest));
}

int catalog_load_dataset(struct database_connection *c, struct arena *arena, const Datacatalog__DatasetID *id,
                         Datacatalog__Dataset **ret_dataset, int64_t *ret_row_id, struct err *e)
{
	const int found = catalog_get_dataset(c, arena, id, ret_dataset, ret_row_id, e);
	if (found == 0)
		return catalog_not_found(arena, "Dataset", id, "", e);
	return found < 0 ? -1 : 0;
}

int catalog_read_page(const Datacatalog__PaginationOptions *options, struct catalog_page *ret_page, struct err *e)
{
	*ret_page = (struct catalog_page){ .limit = PAGE_DEFAULT };
	if (!options)
		return 0;
	if (!text_is_empty(options->token) && !text_to_uint64(options->token, UINT32_MAX, &ret_page->offset))
		return err_set(e, ERR_INVALID, "invalid-token", "Invalid token value: %s", options->token);
	if (options->sortkey != DATACATALOG__PAGINATION_OPTIONS__SORT_KEY__CREATION_TIME)
		return err_set(e, ERR_INVALID, "invalid-sort", "Invalid sort key %d", (int)options->sortkey);
	if (options->sortorder > DATACATALOG__PAGINATION_OPTIONS__SORT_ORDER__ASCENDING)
		return err_set(e, ERR_INVALID, "invalid-sort", "Invalid sort order %d", (int)options->sortorder);
	if (options->limit > 0)
		ret_page->limit = options->limit < PAGE_MAXIMUM ? options->limit : PAGE_MAXIMUM;
	ret_page->ascending = options->sortorder == DATACATALOG__PAGINATION_OPTIONS__SORT_ORDER__ASCENDING;
	return 0;
}

char *catalog_next_token(struct arena *arena, const struct catalog_page *page, const struct catalog_list *list)
{
	return list->more ? arena_printf(arena, "%" PRIu64, page->offset + list->count) : arena_strdup(arena, "");
}

#define METHOD(rpc, prefix, handler)                                                                                   \
	{                                                                                                              \
		"/datacatalog.DataCatalog/" rpc, &datacatalog__##prefix##_request__descriptor,                         \
		        &datacatalog__##prefix##_response__descriptor, handler                                         \
	}

struct api_methods api_catalog_methods(void)
{
	static const struct rpc_method methods[] = {
		METHOD("CreateDataset", create_dataset, catalog_dataset_create),
		METHOD("GetDataset", get_dataset, catalog_dataset_get),
		METHOD("ListDatasets", list_datasets, catalog_dataset_list),
		METHOD("CreateArtifact", create_artifact, catalog_artifact_create),
		METHOD("GetArtifact", get_artifact, catalog_artifact_get),
		METHOD("ListArtifacts", list_artifacts, catalog_artifact_list),
		METHOD("UpdateArtifact", update_artifact, catalog_artifact_update),
		METHOD("AddTag", add_tag, catalog_tag_add),
		METHOD("GetOrExtendReservation", get_or_extend_reservation, catalog_reservation_get_or_extend),
		METHOD("ReleaseReservation", release_reservation, catalog_reservation_release),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
