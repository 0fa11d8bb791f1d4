/*
 * The catalogue's tables as the DataCatalog service needs them: datasets, artifacts and tags made and read one by one
 * or as lists, reservations of clients. Rows and what they point to live in the arena given; messages come complete,
 * with the ids of their datasets.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_CATALOG_TABLES_H
#define SANDBOX_CONTROLPLANE_STORE_CATALOG_TABLES_H

#include "controlplane/store/catalog.h"

/* 1 made, 0 there is one with that id, -1. Keeps the uuid of dataset->id, or gives one when it is "". */
int catalog_insert_dataset(struct database_connection *c, struct arena *arena, const Datacatalog__Dataset *dataset,
                           struct err *e);
/* 1 found, 0 not, -1. `ret_row_id` is the dataset's for the functions below. */
int catalog_get_dataset(struct database_connection *c, struct arena *arena, const Datacatalog__DatasetID *id,
                        Datacatalog__Dataset **ret_dataset, int64_t *ret_row_id, struct err *e);

/* 1 made, 0 the id is taken in its dataset, -1. With its partitions; tags are not looked at. Inside a transaction. */
int catalog_insert_artifact(struct database_connection *c, struct arena *arena, int64_t dataset_row_id,
                            const Datacatalog__Artifact *artifact, struct err *e);
/* By id, or with `artifact_id` NULL by tag. 1 found, 0 not, -1. */
int catalog_get_artifact(struct database_connection *c, struct arena *arena, int64_t dataset_row_id,
                         const char *artifact_id, const char *tag, struct catalog_entry *ret_entry, struct err *e);
/* Replaces data and, unless NULL, metadata. */
int catalog_update_artifact(struct database_connection *c, struct arena *arena, int64_t dataset_row_id,
                            const Datacatalog__Artifact *artifact, struct err *e);
/* 1 made, 0 there is one of that name, -1: ERR_PRECONDITION when there is no such artifact. */
int catalog_insert_tag(struct database_connection *c, struct arena *arena, int64_t dataset_row_id, const char *name,
                       const char *artifact_id, struct err *e);

/* One condition of a list; all of them hold. `second` is a partition's value. */
enum catalog_condition_kind {
	CATALOG_PROJECT,
	CATALOG_DOMAIN,
	CATALOG_NAME,
	CATALOG_VERSION,
	CATALOG_TAG,
	CATALOG_PARTITION,
	CATALOG_ARTIFACT,
};
struct catalog_condition {
	enum catalog_condition_kind kind;
	const char *value, *second;
};
#define CATALOG_CONDITIONS_MAXIMUM 16
struct catalog_page {
	const struct catalog_condition *conditions;
	size_t condition_count; /* at most CATALOG_CONDITIONS_MAXIMUM */
	uint32_t limit;
	uint64_t offset;
	bool ascending; /* by creation */
};
struct catalog_list {
	size_t count;
	Datacatalog__Dataset **datasets;
	struct catalog_entry *entries;
	bool more;
};
int catalog_list_datasets(struct database_connection *c, struct arena *arena, const struct catalog_page *page,
                          struct catalog_list *ret_list, struct err *e);
/* Pages end early when they become large. */
int catalog_list_artifacts(struct database_connection *c, struct arena *arena, int64_t dataset_row_id,
                           const struct catalog_page *page, struct catalog_list *ret_list, struct err *e);

struct catalog_reservation {
	const char *owner_id;
	int64_t expires_at_ns; /* of a node's: as long from now as one of this client would have */
};
/* For a client: reserves or extends, or tells whose it is. */
int catalog_reserve_for_client(struct database_connection *c, struct arena *arena, const struct catalog_key *key,
                               const char *owner_id, int64_t heartbeat_ns, int64_t lasts_ns,
                               struct catalog_reservation *ret_reservation, struct err *e);
/* What that client has reserved; nodes that wait for it are told. Somebody else's, and none, are left alone. */
int catalog_release_for_client(struct database_connection *c, struct arena *arena, const struct catalog_key *key,
                               const char *owner_id, struct err *e);

#endif
