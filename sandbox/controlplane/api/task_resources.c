/*
 * Compared exactly, where upstream rounds up to whole units first (a request of 700m passes a limit of 500m there and fails when the pod
 * is made).
 */
#include "controlplane/api/task_resources.h"

#include "base/quantity.h"
#include "base/text.h"
#include "controlplane/launch/ids.h"

#include "google/protobuf/struct.pb-c.h"

#include <string.h>

struct amount {
	const char *text; /* as given; NULL: not given */
	struct quantity value;
};

struct demand {
	struct amount requests[RESOURCE_COUNT];
	struct amount limits[RESOURCE_COUNT];
};

static int parse(const char *name, const char *text, struct amount *ret_amount, struct err *e)
{
	*ret_amount = (struct amount){ .text = text };
	if (!quantity_parse(text, &ret_amount->value))
		return err_set(
		        e, ERR_INVALID, "invalid-quantity",
		        "Parsing of %s request failed for value %s - reason  quantities must match the regular "
		        "expression "
		        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'. Please follow K8s conventions for resources "
		        "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
		        name, text);
	return 0;
}

static int resource_of(Flyteidl__Core__Resources__ResourceName name)
{
	switch (name) {
	case FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__CPU:
		return RESOURCE_CPU;
	case FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__MEMORY:
		return RESOURCE_MEMORY;
	case FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__GPU:
		return RESOURCE_GPU;
	case FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__EPHEMERAL_STORAGE:
		return RESOURCE_EPHEMERAL_STORAGE;
	default:
		return -1;
	}
}

static int read_entries(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                        Flyteidl__Core__Resources__ResourceEntry *const *entries, size_t count, struct amount *amounts,
                        struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		int resource = resource_of(entries[i]->name);
		if (resource < 0)
			continue;
		if (amounts[resource].text)
			return err_set(e, ERR_INVALID, "doubled-resource",
			               "can't specify %s limit for task [%s] multiple times", resource_names[resource],
			               ids_text(arena, task->id));
		if (parse(resource_names[resource], entries[i]->value, &amounts[resource], e) < 0)
			return -1;
		if (resource == RESOURCE_GPU && amounts[resource].value.nano % 1000000000 != 0)
			return err_set(e, ERR_INVALID, "invalid-gpu",
			               "gpu for [%s] must be a whole number, got: %s instead",
			               ids_text(arena, task->id), entries[i]->value);
	}
	return 0;
}

static int too_large(const char *name, const char *what, const char *value, const char *maximum, struct err *e)
{
	return err_set(e, ERR_INVALID, "resource-limit",
	               "Requested %s %s [%s] is greater than current limit set in the platform configuration [%s]. "
	               "Please contact Flyte "
	               "Admins to change these limits or consult the configuration",
	               name, what, value, maximum);
}

static int check_one(struct arena *arena, const Flyteidl__Core__TaskTemplate *task, enum resource resource,
                     const struct amount *request, const struct amount *limit, const struct amount *maximum,
                     struct err *e)
{
	if (!request->text)
		return 0;
	if (resource == RESOURCE_GPU) {
		if (limit->text && quantity_compare(&request->value, &limit->value) != 0)
			return err_set(e, ERR_INVALID, "invalid-gpu",
			               "For extended resource 'gpu' the default value must equal the limit value for "
			               "task [%s]",
			               ids_text(arena, task->id));
	} else if (limit->text && quantity_compare(&limit->value, &request->value) < 0) {
		return err_set(
		        e, ERR_INVALID, "resource-limit",
		        "Requested %s default [%s] is greater than the limit [%s]. Please fix your configuration",
		        resource_names[resource], request->text, limit->text);
	} else if (limit->text && maximum->text && quantity_compare(&limit->value, &maximum->value) > 0) {
		return too_large(resource_names[resource], "limit", limit->text, maximum->text, e);
	}
	if (maximum->text && quantity_compare(&request->value, &maximum->value) > 0)
		return too_large(resource_names[resource], "default", request->text, maximum->text, e);
	return 0;
}

static int check(struct arena *arena, const Flyteidl__Core__TaskTemplate *task, const struct resource_policy *policy,
                 const struct demand *demand, struct err *e)
{
	const char *const *maxima = policy->limits.amounts;
	for (unsigned i = 0; i < RESOURCE_COUNT; i++) {
		struct amount maximum = { .text = NULL };
		if (!text_is_empty(maxima[i]) && parse(resource_names[i], maxima[i], &maximum, e) < 0)
			return -1;
		if (check_one(arena, task, (enum resource)i, &demand->requests[i], &demand->limits[i], &maximum, e) < 0)
			return -1;
	}
	return 0;
}

static const Google__Protobuf__Value *struct_field(const Google__Protobuf__Struct *object, const char *name)
{
	for (size_t i = 0; object && i < object->n_fields; i++) {
		if (strcmp(object->fields[i]->key, name) == 0)
			return object->fields[i]->value;
	}
	return NULL;
}

static const Google__Protobuf__Struct *struct_object(const Google__Protobuf__Struct *object, const char *name)
{
	const Google__Protobuf__Value *value = struct_field(object, name);
	return value && value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE ? value->struct_value : NULL;
}

/* The resources of a container in a pod's JSON; a quantity may be a string or a number there. */
static int read_pod_amounts(struct arena *arena, const Google__Protobuf__Struct *amounts, struct amount *ret_amounts,
                            struct err *e)
{
	for (unsigned i = 0; i < RESOURCE_COUNT; i++) {
		const Google__Protobuf__Value *value = struct_field(amounts, resource_kubernetes_names[i]);
		const char *text = NULL;
		if (value && value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE)
			text = value->string_value;
		else if (value && value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE)
			text = arena_printf(arena, "%.17g", value->number_value);
		if (text && parse(resource_names[i], text, &ret_amounts[i], e) < 0)
			return -1;
	}
	return 0;
}

static int validate_pod(struct arena *arena, const Flyteidl__Core__TaskTemplate *task, const struct resource_policy *policy,
                        struct err *e)
{
	const Google__Protobuf__Struct *pod = task->k8s_pod->pod_spec;
	if (!pod)
		return err_set(e, ERR_INVALID, "invalid-pod",
		               "invalid TaskSpecification, pod tasks should specify their target as a K8sPod with a "
		               "defined pod spec");
	const Google__Protobuf__Value *containers = struct_field(pod, "containers");
	if (!containers || containers->kind_case != GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE)
		return 0;
	for (size_t i = 0; i < containers->list_value->n_values; i++) {
		const Google__Protobuf__Value *container = containers->list_value->values[i];
		if (container->kind_case != GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE)
			continue;
		const Google__Protobuf__Struct *resources = struct_object(container->struct_value, "resources");
		struct demand demand = { .requests = { { .text = NULL } } };
		if (read_pod_amounts(arena, struct_object(resources, "requests"), demand.requests, e) < 0 ||
		    read_pod_amounts(arena, struct_object(resources, "limits"), demand.limits, e) < 0 ||
		    check(arena, task, policy, &demand, e) < 0)
			return -1;
	}
	return 0;
}

static int validate_container(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                              const struct resource_policy *policy, struct err *e)
{
	const Flyteidl__Core__Container *container = task->container;
	if (ids_require(container->image, "image", e) < 0)
		return -1;
	const Flyteidl__Core__Resources *resources = container->resources;
	if (!resources)
		return 0;
	struct demand demand = { .requests = { { .text = NULL } } };
	if (read_entries(arena, task, resources->requests, resources->n_requests, demand.requests, e) < 0 ||
	    read_entries(arena, task, resources->limits, resources->n_limits, demand.limits, e) < 0)
		return -1;
	return check(arena, task, policy, &demand, e);
}

int task_resources_validate(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                            const struct resource_policy *policy, struct err *e)
{
	switch (task->target_case) {
	case FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER:
		return validate_container(arena, task, policy, e);
	case FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_K8S_POD:
		return validate_pod(arena, task, policy, e);
	default:
		return 0;
	}
}
