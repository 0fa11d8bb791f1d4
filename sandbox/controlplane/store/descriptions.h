/*
 * Rows of the table `description_entities`: what people wrote about one version of a task or workflow. They are made
 * together with that version (tasks_insert, workflows_insert), never changed, and live in the arena given.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_DESCRIPTIONS_H
#define SANDBOX_CONTROLPLANE_STORE_DESCRIPTIONS_H

#include "controlplane/store/database.h"
#include "controlplane/store/entity.h"
#include "controlplane/store/list.h"

struct description_row {
	int64_t resource_type; /* flyteidl.core.ResourceType */
	struct entity_key key;
	const char *short_description;
	struct proto_bytes long_description; /* flyteidl.admin.Description; NULL data for none */
	const char *source_link;
};

/* 1 found, 0 not, -1. */
int descriptions_get(struct database_connection *c, struct arena *arena, int64_t resource_type,
                     const struct entity_key *key, struct description_row *ret_description, struct err *e);

struct description_rows {
	size_t count;
	struct description_row *rows;
};
/* One page of a query of LIST_DESCRIPTION; in the query's arena. */
int descriptions_list(struct database_connection *c, struct list_query *query, struct description_rows *ret_rows,
                      struct err *e);

#endif
