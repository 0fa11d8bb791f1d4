/*
 * Keeps the namespaces of projects in step: for every active project and every domain the objects that the templates make,
 * applied when the process starts, and when a project, an attribute of type CLUSTER_RESOURCE or the settings change; what
 * no template makes any more is deleted. Namespaces themselves are never deleted: what runs in them is the users'.
 *
 * Values come from attributes (the most specific), else from cluster_resources.customData of the domain, else from
 * cluster_resources.templateData. Without a directory of templates there are two: a Namespace, and a ResourceQuota
 * `project-quota` where projectQuotaCpu or projectQuotaMemory has a value.
 *
 * Every object has the label CLUSTER_RESOURCE_LABEL with its template's name; the table `cluster_resources` lists all.
 */
#ifndef SANDBOX_CONTROLPLANE_CLUSTER_CLUSTER_RESOURCES_H
#define SANDBOX_CONTROLPLANE_CLUSTER_CLUSTER_RESOURCES_H

#include "controlplane/settings/settings.h"
#include "controlplane/store/database.h"
#include "controlplane/store/kubernetes.h"

#define CLUSTER_RESOURCE_LABEL "flyte.org/cluster-resource"

/* Borrowed; all must outlive the thread. */
struct cluster_resources_options {
	struct database *database;
	struct kubernetes *kubernetes;
	struct settings_holder *settings;
};

struct cluster_resources;
int cluster_resources_start(const struct cluster_resources_options *options, struct cluster_resources **ret_resources,
                            struct err *e);
/* The settings have changed. Any thread; NULL is fine. */
void cluster_resources_wake(struct cluster_resources *resources);
/* Finishes the object under way and joins the threads. NULL is fine. */
struct cluster_resources *cluster_resources_stop(struct cluster_resources *resources);

#endif
