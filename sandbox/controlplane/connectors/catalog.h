/*
 * Which connector runs which tasks: what the settings say, and what connectors say of themselves (ListAgents). A catalog
 * is immutable and shared by reference; a new one is made when either has changed. A connector that does not answer keeps
 * what it said before, so that its tasks wait for it instead of being taken for something else. Pure.
 *
 * In this order: what `connectorForTaskTypes` assigns; what a connector among `connectors` says it supports; what the
 * default connector says; `supportedTaskTypes`, which are the default's. Task types that nobody runs become pods.
 */
#ifndef SANDBOX_CONTROLPLANE_CONNECTORS_CATALOG_H
#define SANDBOX_CONTROLPLANE_CONNECTORS_CATALOG_H

#include "base/err.h"
#include "controlplane/settings/settings.h"

#include "flyteidl/admin/agent.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct connector_catalog;

/* Of one connector: the address, and what is known of it. */
struct connector_place {
	struct settings_connector at;
	bool heard;          /* it has said what it supports, or that it cannot say */
	const char *problem; /* why it did not answer when it was asked last; "" when it did */
};

struct connector_type {
	const struct connector_place *place;
	bool sync; /* one call that returns the result, instead of create, get and delete */
};

/* What a connector was asked, and said. */
struct connector_answer {
	bool asked;                                         /* false: what is known of it stays */
	const Flyteidl__Admin__ListAgentsResponse *agents; /* NULL: it did not answer, or cannot say */
	bool silent;                                        /* it cannot say: it has no such method */
	const char *problem;                                /* of one that did not answer */
};

/*
 * `answers` are in the order of connector_catalog_place; NULL: nobody was asked. `previous` (or NULL) is what was known;
 * only what it says of the same address under the same name counts.
 */
const struct connector_catalog *connector_catalog_new(const struct settings *settings,
                                                      const struct connector_catalog *previous,
                                                      const struct connector_answer *answers);
const struct connector_catalog *connector_catalog_retain(const struct connector_catalog *catalog);
const struct connector_catalog *connector_catalog_release(const struct connector_catalog *catalog);
void cleanup_connector_catalog(const struct connector_catalog **catalog);
#define auto_connector_catalog __attribute__((cleanup(cleanup_connector_catalog)))

/* All of these take a NULL catalog for an empty one. */
size_t connector_catalog_count(const struct connector_catalog *catalog);
const struct connector_place *connector_catalog_place(const struct connector_catalog *catalog, size_t index);
/* False when no connector runs it. Borrowed from the catalog. */
bool connector_catalog_find(const struct connector_catalog *catalog, const char *task_type, int32_t version,
                            struct connector_type *ret_type);
/* Of a task that was created: where it is, also when nobody tells of its type any more. NULL when there is nothing. */
const struct connector_place *connector_catalog_of_created(const struct connector_catalog *catalog,
                                                           const char *task_type, int32_t version);
/* A connector that was never heard: what it supports is not known. NULL when there is none. */
const struct connector_place *connector_catalog_unheard(const struct connector_catalog *catalog);
/* Whether both give the same answers to find and unheard, whoever is away at present. */
bool connector_catalog_same(const struct connector_catalog *a, const struct connector_catalog *b);

#endif
