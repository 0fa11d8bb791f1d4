/*
 * Rows of the table `workflows`. Rows and what they point to live in the arena given; times are nanoseconds since the
 * Unix epoch.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_WORKFLOWS_H
#define SANDBOX_CONTROLPLANE_STORE_WORKFLOWS_H

#include "controlplane/store/database.h"
#include "controlplane/store/entity.h"
#include "controlplane/store/list.h"

struct workflow_row {
	int64_t id;
	struct entity_key key;
	const char *short_description;
	struct entity_description description; /* for inserting only */
	struct proto_bytes typed_interface;    /* flyteidl.core.TypedInterface; NULL data when the template has none */
	struct proto_bytes quality_of_service; /* flyteidl.core.QualityOfService; NULL data when the template has none; for inserting only */
	struct proto_bytes digest;  /* of the canonical CompiledWorkflowClosure; not read by workflows_list */
	struct proto_bytes closure; /* flyteidl.core.CompiledWorkflowClosure; not read by workflows_list */
	const char *closure_uri;
	int64_t created_at;
};

/* As tasks_insert. `entity_state` is the flyteidl.admin.NamedEntityState of a named entity that is made with it. */
int workflows_insert(struct database_connection *c, struct arena *arena, const struct workflow_row *workflow,
                     int entity_state, struct err *e);
/* 1 found, 0 not, -1. */
int workflows_get(struct database_connection *c, struct arena *arena, const struct entity_key *key,
                  struct workflow_row *ret_workflow, struct err *e);
int workflows_get_by_id(struct database_connection *c, struct arena *arena, int64_t id,
                        struct workflow_row *ret_workflow, struct err *e);

struct workflow_rows {
	size_t count;
	struct workflow_row *rows;
};
/* One page of a query of LIST_WORKFLOW; in the query's arena. */
int workflows_list(struct database_connection *c, struct list_query *query, struct workflow_rows *ret_rows,
                   struct err *e);

#endif
