#include "controlplane/launch/attributes.h"

#include "base/text.h"

/* The first of each type counts, because rows come with the most specific first. */
static void take(struct launch_attributes *attributes, const struct matchable_row *row,
                 Flyteidl__Admin__MatchingAttributes *message)
{
	switch (message->target_case) {
	case FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_TASK_RESOURCE_ATTRIBUTES:
		if (!attributes->task_resources)
			attributes->task_resources = message->task_resource_attributes;
		break;
	case FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_CLUSTER_RESOURCE_ATTRIBUTES:
		if (!attributes->cluster_resources)
			attributes->cluster_resources = message->cluster_resource_attributes;
		break;
	case FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_PLUGIN_OVERRIDES:
		if (!attributes->plugins)
			attributes->plugins = message->plugin_overrides;
		break;
	case FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_WORKFLOW_EXECUTION_CONFIG:
		if (!attributes->execution_config)
			attributes->execution_config = message->workflow_execution_config;
		if (text_is_empty(row->scope.domain))
			attributes->project_execution_config = message->workflow_execution_config;
		break;
	case FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_QUALITY_OF_SERVICE:
		if (!attributes->quality_of_service)
			attributes->quality_of_service = message->quality_of_service;
		break;
	case FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_CLUSTER_ASSIGNMENT:
		if (!attributes->cluster_assignment)
			attributes->cluster_assignment = message->cluster_assignment;
		break;
	default: /* queues and cluster labels choose between clusters; there is one */
		break;
	}
}

int launch_attributes_load(struct database_connection *c, struct arena *arena, const struct matchable_scope *scope,
                           struct launch_attributes *ret_attributes, struct err *e)
{
	struct matchable_rows rows;
	*ret_attributes = (struct launch_attributes){ .task_resources = NULL };
	if (matchable_applicable(c, arena, scope, &rows, e) < 0)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		const struct matchable_row *row = &rows.rows[i];
		Flyteidl__Admin__MatchingAttributes *message =
		        proto_unpack(arena, flyteidl__admin__matching_attributes, row->attributes.data,
		                     row->attributes.length, e);
		if (!message)
			return err_wrap(e, "stored attributes of project \"%s\"", row->scope.project);
		take(ret_attributes, row, message);
	}
	return 0;
}

static struct resource_set set_of(const Flyteidl__Admin__TaskResourceSpec *spec)
{
	struct resource_set set = { .amounts = { NULL } };
	if (spec) {
		set.amounts[RESOURCE_CPU] = spec->cpu;
		set.amounts[RESOURCE_MEMORY] = spec->memory;
		set.amounts[RESOURCE_GPU] = spec->gpu;
		set.amounts[RESOURCE_EPHEMERAL_STORAGE] = spec->ephemeral_storage;
	}
	return set;
}

struct resource_policy launch_resource_policy(const struct settings *settings,
                                              const Flyteidl__Admin__TaskResourceAttributes *attributes)
{
	struct resource_policy policy = settings->task_resources;
	if (!attributes)
		return policy;
	const struct resource_set defaults = set_of(attributes->defaults);
	policy.limits = set_of(attributes->limits);
	for (size_t i = 0; i < RESOURCE_COUNT; i++) {
		if (text_is_empty(defaults.amounts[i]))
			continue;
		policy.defaults.amounts[i] = defaults.amounts[i];
		policy.default_limits.amounts[i] = NULL; /* which belongs to the default that is replaced */
	}
	return policy;
}
