/* What attributes are, apart from where they are kept. */
#include "controlplane/api/matchable_attributes.h"

#include "base/quantity.h"
#include "base/text.h"
#include "controlplane/launch/ids.h"
#include "controlplane/api/launch_plan_validate.h"
#include "proto/message.h"

#include <string.h>

/* In flyteidl's numbering the targets of MatchingAttributes follow MatchableResource, from 1 on. */
bool matchable_attributes_type(const Flyteidl__Admin__MatchingAttributes *attributes,
                               Flyteidl__Admin__MatchableResource *ret_type)
{
	if (attributes->target_case == FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET__NOT_SET)
		return false;
	*ret_type = (Flyteidl__Admin__MatchableResource)(attributes->target_case - 1);
	return true;
}

static int validate_spec(const char *which, const Flyteidl__Admin__TaskResourceSpec *spec, struct err *e)
{
	if (!spec)
		return 0;
	const struct {
		const char *name, *value;
	} amounts[] = {
		{ "cpu", spec->cpu },
		{ "gpu", spec->gpu },
		{ "memory", spec->memory },
		{ "storage", spec->storage },
		{ "ephemeral_storage", spec->ephemeral_storage },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(amounts); i++) {
		struct quantity quantity;
		if (*amounts[i].value && (!quantity_parse(amounts[i].value, &quantity) || quantity.nano < 0))
			return err_set(e, ERR_INVALID, "invalid-quantity",
			               "invalid value for task_resource_attributes.%s.%s: '%s' is not a quantity of "
			               "Kubernetes, like 500m or 1Gi",
			               which, amounts[i].name, amounts[i].value);
	}
	return 0;
}

static bool is_reserved(const char *name)
{
	return text_equal(name, "namespace") || text_equal(name, "project") || text_equal(name, "domain");
}

static int validate_cluster_resources(const Flyteidl__Admin__ClusterResourceAttributes *resources, struct err *e)
{
	for (size_t i = 0; i < resources->n_attributes; i++) {
		const char *name = resources->attributes[i]->key;
		if (ids_require(name, "name of a cluster resource attribute", e) < 0)
			return -1;
		if (is_reserved(name))
			return err_set(e, ERR_INVALID, "reserved-name",
			               "Cannot assign namespace template value in user data: '%s' is the platform's",
			               name);
	}
	return 0;
}

static int validate_plugins(const Flyteidl__Admin__PluginOverrides *plugins, struct err *e)
{
	for (size_t i = 0; i < plugins->n_overrides; i++) {
		if (ids_require(plugins->overrides[i]->task_type, "task_type of a plugin override", e) < 0)
			return -1;
		if (plugins->overrides[i]->missing_plugin_behavior >
		    FLYTEIDL__ADMIN__PLUGIN_OVERRIDE__MISSING_PLUGIN_BEHAVIOR__USE_DEFAULT)
			return err_set(e, ERR_INVALID, "invalid-behavior", "invalid value for missing_plugin_behavior");
	}
	return 0;
}

int matchable_attributes_validate(const Flyteidl__Admin__MatchingAttributes *attributes, const char *place,
                                  struct err *e)
{
	if (!attributes)
		return ids_require(NULL, "matching_attributes", e);
	switch (attributes->target_case) {
	case FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_TASK_RESOURCE_ATTRIBUTES:
		return validate_spec("defaults", attributes->task_resource_attributes->defaults, e) < 0
		               ? -1
		               : validate_spec("limits", attributes->task_resource_attributes->limits, e);
	case FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_CLUSTER_RESOURCE_ATTRIBUTES:
		return validate_cluster_resources(attributes->cluster_resource_attributes, e);
	case FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_PLUGIN_OVERRIDES:
		return validate_plugins(attributes->plugin_overrides, e);
	case FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_WORKFLOW_EXECUTION_CONFIG:
		return launch_plan_validate_labels(attributes->workflow_execution_config->labels, e);
	case FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET__NOT_SET:
		return err_set(e, ERR_INVALID, "no-attributes",
		               "Unrecognized matching attributes type for request %s", place);
	default:
		return 0;
	}
}

static int compare_task_types(const void *a, const void *b)
{
	const Flyteidl__Admin__PluginOverride *const *one = a, *const *other = b;
	return strcmp((*one)->task_type, (*other)->task_type);
}

static void set_override(struct arena *arena, Flyteidl__Admin__PluginOverrides *overrides,
                         Flyteidl__Admin__PluginOverride *override)
{
	for (size_t i = 0; i < overrides->n_overrides; i++) {
		if (text_equal(overrides->overrides[i]->task_type, override->task_type)) {
			overrides->overrides[i] = override;
			return;
		}
	}
	proto_append(arena, overrides->n_overrides, overrides->overrides, override);
}

Flyteidl__Admin__MatchingAttributes *matchable_attributes_merge_plugins(
        struct arena *arena, const Flyteidl__Admin__MatchingAttributes *existing,
        const Flyteidl__Admin__MatchingAttributes *update)
{
	const Flyteidl__Admin__MatchingAttributes *const sources[] = { existing, update };
	Flyteidl__Admin__MatchingAttributes *merged = proto_new(arena, flyteidl__admin__matching_attributes);
	Flyteidl__Admin__PluginOverrides *overrides = proto_new(arena, flyteidl__admin__plugin_overrides);
	for (size_t i = 0; i < ARRAY_LENGTH(sources); i++) {
		if (sources[i]->target_case != FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_PLUGIN_OVERRIDES)
			continue;
		for (size_t k = 0; k < sources[i]->plugin_overrides->n_overrides; k++)
			set_override(arena, overrides, sources[i]->plugin_overrides->overrides[k]);
	}
	if (overrides->n_overrides)
		qsort(overrides->overrides, overrides->n_overrides, sizeof(*overrides->overrides), compare_task_types);
	merged->target_case = FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_PLUGIN_OVERRIDES;
	merged->plugin_overrides = overrides;
	return merged;
}
