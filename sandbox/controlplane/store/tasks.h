/*
 * Rows of the table `tasks`. Rows and what they point to live in the arena given; times are nanoseconds since the Unix
 * epoch.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_TASKS_H
#define SANDBOX_CONTROLPLANE_STORE_TASKS_H

#include "controlplane/store/database.h"
#include "controlplane/store/entity.h"
#include "controlplane/store/list.h"

struct task_row {
	int64_t id;
	struct entity_key key;
	const char *type;
	const char *short_description;
	struct entity_description description; /* for inserting only */
	struct proto_bytes digest;             /* SHA-256 of the canonical CompiledTask; not read by tasks_list */
	struct proto_bytes closure;            /* flyteidl.admin.TaskClosure */
	int64_t created_at;
};

/*
 * Inserts the row (id ignored), its description entity if a description is given and, if it is the first version, its
 * named entity, in one statement. 1 when inserted, 0 when the key is taken by a row that is visible from then on, -1.
 * Two that insert the same key at once: one waits for the other.
 */
int tasks_insert(struct database_connection *c, struct arena *arena, const struct task_row *task, struct err *e);
/* 1 found, 0 not, -1. */
int tasks_get(struct database_connection *c, struct arena *arena, const struct entity_key *key,
              struct task_row *ret_task, struct err *e);

struct task_rows {
	size_t count;
	struct task_row *rows;
};
/* One page of a query of LIST_TASK; in the query's arena. */
int tasks_list(struct database_connection *c, struct list_query *query, struct task_rows *ret_rows, struct err *e);

#endif
