#include "controlplane/settings/resource_policy.h"

#include "base/json.h"
#include "base/text.h"

#include <string.h>

const char *const resource_names[RESOURCE_COUNT] = { "CPU", "MEMORY", "GPU", "EPHEMERAL_STORAGE" };
const char *const resource_kubernetes_names[RESOURCE_COUNT] = { "cpu", "memory", "nvidia.com/gpu",
	                                                        "ephemeral-storage" };

static json_t *set_to_json(const struct resource_set *set)
{
	json_t *json = json_object();
	for (size_t i = 0; i < RESOURCE_COUNT; i++) {
		if (!text_is_empty(set->amounts[i]))
			json_object_set_new(json, resource_kubernetes_names[i], json_string(set->amounts[i]));
	}
	return json;
}

static void set_from_json(struct arena *arena, const json_t *json, struct resource_set *ret_set)
{
	for (size_t i = 0; i < RESOURCE_COUNT; i++) {
		const char *amount = json_string_value(json_object_get(json, resource_kubernetes_names[i]));
		ret_set->amounts[i] = text_is_empty(amount) ? NULL : arena_strdup(arena, amount);
	}
}

char *resource_policy_to_text(struct arena *arena, const struct resource_policy *policy)
{
	auto_json json_t *json =
	        json_pack("{s:o, s:o, s:o}", "defaults", set_to_json(&policy->defaults), "default_limits",
	                  set_to_json(&policy->default_limits), "limits", set_to_json(&policy->limits));
	auto_free char *text = json_to_text(json);
	return arena_strdup(arena, text);
}

int resource_policy_from_text(struct arena *arena, const char *text, struct resource_policy *ret_policy, struct err *e)
{
	*ret_policy = (struct resource_policy){ .defaults = { .amounts = { NULL } } };
	if (text_is_empty(text))
		return 0;
	auto_json json_t *json = json_parse(text, strlen(text), "a resource policy", e);
	if (!json)
		return -1;
	set_from_json(arena, json_object_get(json, "defaults"), &ret_policy->defaults);
	set_from_json(arena, json_object_get(json, "default_limits"), &ret_policy->default_limits);
	set_from_json(arena, json_object_get(json, "limits"), &ret_policy->limits);
	return 0;
}
