/*
 * Rows of the table `named_entities`: what all versions of a task, workflow or launch plan have in common. They are made together with
 * the first version (tasks_insert and its like) and live in the arena given.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_NAMED_ENTITIES_H
#define SANDBOX_CONTROLPLANE_STORE_NAMED_ENTITIES_H

#include "controlplane/store/database.h"
#include "controlplane/store/list.h"

struct named_entity_row {
	int64_t resource_type; /* flyteidl.core.ResourceType */
	const char *project, *domain, *name;
	const char *description;
	int64_t state; /* flyteidl.admin.NamedEntityState */
};

/* 1 found, 0 not, -1. `key` gives type, project, domain and name. */
int named_entities_get(struct database_connection *c, struct arena *arena, const struct named_entity_row *key,
                       struct named_entity_row *ret_entity, struct err *e);
/* Sets description and state. 1 done, 0 no such entity, -1. */
int named_entities_update(struct database_connection *c, const struct named_entity_row *entity, struct err *e);

struct named_entity_rows {
	size_t count;
	struct named_entity_row *rows;
};
/* One page of a query of LIST_NAMED_ENTITY; in the query's arena. */
int named_entities_list(struct database_connection *c, struct list_query *query, struct named_entity_rows *ret_rows,
                        struct err *e);

#endif
