/* Rows of the table `projects`, in the arena given. */
#ifndef SANDBOX_CONTROLPLANE_STORE_PROJECTS_H
#define SANDBOX_CONTROLPLANE_STORE_PROJECTS_H

#include "controlplane/store/database.h"
#include "controlplane/store/list.h"

struct project_row {
	const char *identifier;
	const char *name;
	const char *description;
	struct proto_bytes labels; /* flyteidl.admin.Labels; NULL data when none */
	int64_t state;             /* flyteidl.admin.Project.ProjectState */
};

/* 1 inserted, 0 the identifier is taken, -1. */
int projects_insert(struct database_connection *c, struct arena *arena, const struct project_row *project,
                    struct err *e);
/* 1 found, 0 not, -1. */
int projects_get(struct database_connection *c, struct arena *arena, const char *identifier,
                 struct project_row *ret_project, struct err *e);
/* Sets the state, and of name, description and labels those that are not empty. 1 done, 0 no such project, -1. */
int projects_update(struct database_connection *c, const struct project_row *project, struct err *e);

struct project_rows {
	size_t count;
	struct project_row *rows;
};
/* One page of a query of LIST_PROJECT; in the query's arena. */
int projects_list(struct database_connection *c, struct list_query *query, struct project_rows *ret_rows,
                  struct err *e);

/* All that are not archived, by identifier; in the arena. */
int projects_active(struct database_connection *c, struct arena *arena, struct project_rows *ret_rows, struct err *e);

#endif
