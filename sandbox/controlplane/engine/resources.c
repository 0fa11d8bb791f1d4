#include "controlplane/engine/resources.h"

#include "base/text.h"

#include <string.h>

/* Kubernetes' name of a resource, or NULL for those that pods do not get. */
static const char *resource_name(Flyteidl__Core__Resources__ResourceName name)
{
	switch (name) {
	case FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__CPU:
		return "cpu";
	case FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__MEMORY:
		return "memory";
	case FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__GPU:
		return "nvidia.com/gpu";
	case FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__EPHEMERAL_STORAGE:
		return "ephemeral-storage";
	default:
		return NULL;
	}
}

static int add_entries(json_t *list, Flyteidl__Core__Resources__ResourceEntry *const *entries, size_t count,
                       struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		struct quantity quantity;
		const char *name = resource_name(entries[i]->name);
		if (!name)
			continue;
		if (!quantity_parse(entries[i]->value, &quantity) || quantity.nano < 0)
			return err_set(e, ERR_INVALID, "BadTaskSpecification", "\"%s\" is not a quantity of %s",
			               entries[i]->value, name);
		json_object_set_new(list, name, json_string(entries[i]->value));
	}
	return 0;
}

json_t *resources_to_json(const Flyteidl__Core__Resources *resources, struct err *e)
{
	auto_json json_t *json = json_pack("{s:{}, s:{}}", "requests", "limits");
	if (resources &&
	    (add_entries(json_object_get(json, "requests"), resources->requests, resources->n_requests, e) < 0 ||
	     add_entries(json_object_get(json, "limits"), resources->limits, resources->n_limits, e) < 0))
		return NULL;
	return steal_ptr(json);
}

int resources_override(json_t *resources, const Flyteidl__Core__Resources *overrides, struct err *e)
{
	static const char *const lists[] = { "requests", "limits" };
	auto_json json_t *given = resources_to_json(overrides, e);
	if (!given)
		return -1;
	for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
		const char *name;
		json_t *quantity;
		json_object_foreach(json_object_get(given, lists[i]), name, quantity)
		{
			json_object_del(json_object_get(resources, "requests"), name);
			json_object_del(json_object_get(resources, "limits"), name);
		}
	}
	for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
		json_object_update(json_object_get(resources, lists[i]), json_object_get(given, lists[i]));
	return 0;
}

/* `to` gets `from`'s value of `name` unless it has one. */
static void fill(json_t *to, const json_t *from, const char *name)
{
	json_t *value = json_object_get(from, name);
	if (value && !json_object_get(to, name))
		json_object_set(to, name, value);
}

static void fill_text(json_t *to, const char *name, const char *value)
{
	if (!text_is_empty(value) && !json_object_get(to, name))
		json_object_set_new(to, name, json_string(value));
}

static int read_quantity(const json_t *value, const char *name, struct quantity *ret_quantity, struct err *e)
{
	/* A pod spec may have a quantity as a number. */
	auto_free char *number = json_is_number(value) ? xasprintf("%.17g", json_number_value(value)) : NULL;
	const char *text = number ? number : json_string_value(value);
	if (text && quantity_parse(text, ret_quantity))
		return 0;
	return err_set(e, ERR_INVALID, "BadTaskSpecification", "\"%s\" is not a quantity of %s", text ? text : "",
	               name);
}

static int lower_to(json_t *list, const char *name, const char *maximum, struct err *e)
{
	struct quantity value, most;
	const json_t *there = json_object_get(list, name);
	if (!there)
		return 0;
	if (read_quantity(there, name, &value, e) < 0)
		return -1;
	if (quantity_parse(maximum, &most) && quantity_compare(&value, &most) > 0)
		json_object_set_new(list, name, json_string(maximum));
	return 0;
}

static int cap(json_t *requests, json_t *limits, const struct resource_set *maxima, struct err *e)
{
	for (size_t i = 0; i < RESOURCE_COUNT; i++) {
		const char *name = resource_kubernetes_names[i], *maximum = maxima->amounts[i];
		if (text_is_empty(maximum))
			continue;
		if (lower_to(requests, name, maximum, e) < 0 || lower_to(limits, name, maximum, e) < 0)
			return -1;
		if (json_object_get(requests, name))
			fill_text(limits, name, maximum);
	}
	return 0;
}

int resources_fill(json_t *resources, const struct resource_policy *policy, struct err *e)
{
	json_t *requests = json_object_get(resources, "requests");
	json_t *limits = json_object_get(resources, "limits");
	const char *name;
	json_t *limit;
	json_object_foreach(limits, name, limit) fill(requests, limits, name);
	for (size_t i = 0; i < RESOURCE_COUNT; i++) {
		name = resource_kubernetes_names[i];
		if (!json_object_get(requests, name)) {
			fill_text(requests, name, policy->defaults.amounts[i]);
			fill_text(limits, name, policy->default_limits.amounts[i]);
		}
		if (i != RESOURCE_CPU)
			fill(limits, requests, name);
	}
	return cap(requests, limits, &policy->limits, e);
}
