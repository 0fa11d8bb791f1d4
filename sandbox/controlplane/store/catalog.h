/*
 * The catalog: what tasks have put out, kept for later executions. Datasets have artifacts, artifacts have tags, and
 * whoever wants a tag's artifact made by one at a time reserves it. Both the engine and the DataCatalog service
 * (api/catalog_*.c) stand on these tables; this file has what the engine needs. Rows and what they point to live in the
 * arena given.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_CATALOG_H
#define SANDBOX_CONTROLPLANE_STORE_CATALOG_H

#include "controlplane/store/database.h"

#include "flyteidl/datacatalog/datacatalog.pb-c.h"

struct catalog_key {
	const char *project, *domain, *name, *version; /* the dataset's */
	const char *tag;
};

struct catalog_entry {
	Datacatalog__Artifact *artifact; /* with its id; without data when these are too large for the row */
	const char *outputs_uri;         /* where they are then: a LiteralMap; else "" */
};

/* Artifacts up to this many bytes are kept in the row. */
#define CATALOG_ROW_MAXIMUM ((size_t)2 << 20)

/* The artifact with that tag. 1 found, 0 not, -1. */
int catalog_find(struct database_connection *c, struct arena *arena, const struct catalog_key *key,
                 struct catalog_entry *ret_entry, struct err *e);
/*
 * Keeps an artifact under that tag, with its dataset, in the caller's transaction. What is there already stays as it
 * is, unless `overwrite`. `outputs_uri` is where the outputs are in the object store. `ret_artifact_id` is the one that
 * the tag leads to from now on.
 */
int catalog_put(struct database_connection *c, struct arena *arena, const struct catalog_key *key,
                Datacatalog__Artifact *artifact, const char *outputs_uri, bool overwrite, const char **ret_artifact_id,
                struct err *e);

/*
 * Reservations of the engine belong to a node and last until it ends: the node's state is in the same database, so no
 * heartbeat has to prove that its owner lives, and none that is late can let a second one in. Those of clients of the
 * DataCatalog service end by their heartbeat.
 */
struct catalog_owner {
	int64_t execution_id;
	const char *node_id;
	const char *text; /* the owner_id that clients see */
};
/*
 * Reserves the key for the owner, or, when it is somebody else's, makes the owner's execution be told when it is
 * released. Outside of a transaction, because it has to be known to all before anything is done for it. Repeating it
 * changes nothing. `ret_expires_ns`: when a client's reservation that is in the way ends by itself; 0: never.
 */
int catalog_reserve(struct database_connection *c, struct arena *arena, const struct catalog_key *key,
                    const struct catalog_owner *owner, bool *ret_acquired, int64_t *ret_expires_ns, struct err *e);
/* The node, or with NULL every node of the execution, has ended: its reservations and waits do so too, and those that
 * wait are told. In the transaction in which it ends. */
int catalog_release(struct database_connection *c, struct arena *arena, int64_t execution_id, const char *node_id,
                    struct err *e);

#endif
