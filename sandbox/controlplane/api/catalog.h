/*
 * DataCatalog: the service that upstream's engine keeps its cache behind, on the same tables as ours (store/catalog).
 * Handlers are in catalog_datasets.c, catalog_artifacts.c and catalog_reservations.c; catalog.c has the table and what
 * they share. Codes and texts are those of datacatalog at v1.16.8.
 */
#ifndef SANDBOX_CONTROLPLANE_API_CATALOG_H
#define SANDBOX_CONTROLPLANE_API_CATALOG_H

#include "controlplane/api/api.h"
#include "controlplane/store/catalog_tables.h"

#define CATALOG_HANDLER(name)                                                                                          \
	ProtobufCMessage *name(void *context, struct rpc_call *call, const ProtobufCMessage *message, struct err *e)

CATALOG_HANDLER(catalog_dataset_create);
CATALOG_HANDLER(catalog_dataset_get);
CATALOG_HANDLER(catalog_dataset_list);
CATALOG_HANDLER(catalog_artifact_create);
CATALOG_HANDLER(catalog_artifact_get);
CATALOG_HANDLER(catalog_artifact_list);
CATALOG_HANDLER(catalog_artifact_update);
CATALOG_HANDLER(catalog_tag_add);
CATALOG_HANDLER(catalog_reservation_get_or_extend);
CATALOG_HANDLER(catalog_reservation_release);

/* Project, domain, name and version there: ERR_INVALID "missing project" and so on; NULL is "missing dataset". */
int catalog_require_dataset_id(const Datacatalog__DatasetID *id, struct err *e);
/* ERR_NOT_FOUND when there is none of that id. */
int catalog_load_dataset(struct database_connection *c, struct arena *arena, const Datacatalog__DatasetID *id,
                         Datacatalog__Dataset **ret_dataset, int64_t *ret_row_id, struct err *e);
/* ERR_NOT_FOUND "missing entity of type …"; ERR_EXISTS "value with matching already exists …". Return -1. */
int catalog_not_found(struct arena *arena, const char *type, const Datacatalog__DatasetID *dataset, const char *rest,
                      struct err *e);
int catalog_exists(struct arena *arena, const char *type, const Datacatalog__DatasetID *dataset, const char *rest,
                   struct err *e);

/* `options` may be NULL. ERR_INVALID. */
int catalog_read_page(const Datacatalog__PaginationOptions *options, struct catalog_page *ret_page, struct err *e);
/* The token of the next page, "" when there is none. */
char *catalog_next_token(struct arena *arena, const struct catalog_page *page, const struct catalog_list *list);

#endif
