/*
 * Rows of the table `matchable_attributes`: settings of a project, of a project's domain, of a workflow or a launch plan
 * there. Types are flyteidl.admin.MatchableResource, values serialized flyteidl.admin.MatchingAttributes.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_MATCHABLE_ATTRIBUTES_H
#define SANDBOX_CONTROLPLANE_STORE_MATCHABLE_ATTRIBUTES_H

#include "controlplane/store/database.h"

/* A place. From some level on the names are NULL or "": the whole project, the whole domain … */
struct matchable_scope {
	const char *project, *domain, *workflow, *launch_plan;
};

struct matchable_row {
	int64_t type;
	struct matchable_scope scope;
	struct proto_bytes attributes;
};

struct matchable_rows {
	size_t count;
	struct matchable_row *rows;
};

/* All in the arena given. 1 found, 0 not, -1. */
/* Of exactly this place. */
int matchable_get(struct database_connection *c, struct arena *arena, int64_t type, const struct matchable_scope *scope,
                  struct matchable_row *ret_row, struct err *e);
/* Of the most specific place that contains this one: launch plan, workflow, domain, project. */
int matchable_find(struct database_connection *c, struct arena *arena, int64_t type,
                   const struct matchable_scope *scope, struct matchable_row *ret_row, struct err *e);
/* Everything that applies there, of all types, the most specific first. */
int matchable_applicable(struct database_connection *c, struct arena *arena, const struct matchable_scope *scope,
                         struct matchable_rows *ret_rows, struct err *e);
/* Every row of the type, the most specific first. */
int matchable_list(struct database_connection *c, struct arena *arena, int64_t type, struct matchable_rows *ret_rows,
                   struct err *e);

/* Sets or replaces. */
int matchable_put(struct database_connection *c, int64_t type, const struct matchable_scope *scope,
                  struct proto_bytes attributes, struct err *e);
/* Locks the place's row until the end of the transaction, and makes an empty one where there is none, so that two who
 * read, change and put do not lose each other's change. */
int matchable_lock(struct database_connection *c, struct arena *arena, int64_t type,
                   const struct matchable_scope *scope, struct proto_bytes *ret_attributes, struct err *e);
/* Of exactly this place. 1 deleted, 0 there was none, -1. */
int matchable_delete(struct database_connection *c, int64_t type, const struct matchable_scope *scope, struct err *e);

#endif
