/* Rows of the table `cluster_resources`: which objects of Kubernetes a namespace has from which template. In the arena given. */
#ifndef SANDBOX_CONTROLPLANE_STORE_CLUSTER_RESOURCES_H
#define SANDBOX_CONTROLPLANE_STORE_CLUSTER_RESOURCES_H

#include "controlplane/store/database.h"

/* Notified with every change of a project or an attribute. */
#define CLUSTER_RESOURCES_CHANNEL "flyte_cluster_resources"

struct cluster_resource_row {
	const char *namespace, *template, *path;
};

struct cluster_resource_rows {
	size_t count;
	struct cluster_resource_row *rows;
};

int cluster_resources_list(struct database_connection *c, struct arena *arena, struct cluster_resource_rows *ret_rows,
                           struct err *e);
/* Sets or replaces. */
int cluster_resources_put(struct database_connection *c, const struct cluster_resource_row *row, struct err *e);
int cluster_resources_delete(struct database_connection *c, const struct cluster_resource_row *row, struct err *e);

#endif
