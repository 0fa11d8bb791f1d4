/*
 * What matchable attributes say at one place: of each type the most specific setting (project < domain < workflow <
 * launch plan). Messages are in the arena; NULL where nothing is set.
 */
#ifndef SANDBOX_CONTROLPLANE_LAUNCH_ATTRIBUTES_H
#define SANDBOX_CONTROLPLANE_LAUNCH_ATTRIBUTES_H

#include "controlplane/settings/settings.h"
#include "controlplane/store/matchable_attributes.h"

#include "flyteidl/admin/matchable_resource.pb-c.h"

struct launch_attributes {
	const Flyteidl__Admin__TaskResourceAttributes *task_resources;
	const Flyteidl__Admin__ClusterResourceAttributes *cluster_resources;
	const Flyteidl__Admin__PluginOverrides *plugins;
	Flyteidl__Admin__WorkflowExecutionConfig *execution_config;
	/* The project's own, which fills what a more specific one leaves open; may be the same. */
	Flyteidl__Admin__WorkflowExecutionConfig *project_execution_config;
	Flyteidl__Core__QualityOfService *quality_of_service;
	Flyteidl__Admin__ClusterAssignment *cluster_assignment;
};

int launch_attributes_load(struct database_connection *c, struct arena *arena, const struct matchable_scope *scope,
                           struct launch_attributes *ret_attributes, struct err *e);

/*
 * The amounts for tasks. Attributes replace the platform's limits as a whole, as upstream does; a default that they
 * leave open is the platform's. Strings are shared with both.
 */
struct resource_policy launch_resource_policy(const struct settings *settings,
                                              const Flyteidl__Admin__TaskResourceAttributes *attributes);

#endif
