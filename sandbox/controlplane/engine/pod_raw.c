/*
 * The pod spec as the task describes it, before Flyte adds anything: one container, or a whole pod spec, and on top of
 * either a node's with_overrides(pod_template=…).
 */
#include "base/text.h"
#include "controlplane/engine/pod_internal.h"
#include "controlplane/engine/resources.h"

static json_t *strings_to_json(char *const *strings, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(strings[i]));
	return array;
}

static json_t *container_spec(const struct pod_request *request, struct err *e)
{
	const Flyteidl__Core__Container *container = request->task->container;
	auto_json json_t *json = json_pack("{s:s, s:s}", "name", request->name, "image", container->image);
	if (!json) {
		err_set(e, ERR_INVALID, POD_BAD_TASK, "the image's name is not valid UTF-8");
		return NULL;
	}
	if (container->n_command)
		json_object_set_new(json, "command", strings_to_json(container->command, container->n_command));
	if (container->n_args)
		json_object_set_new(json, "args", strings_to_json(container->args, container->n_args));
	json_t *env = pod_list_of(json, "env");
	for (size_t i = 0; i < container->n_env; i++)
		pod_set_environment(env, container->env[i]->key, container->env[i]->value);
	json_t *resources = resources_to_json(container->resources, e);
	if (!resources)
		return NULL;
	json_object_set_new(json, "resources", resources);
	return json_pack("{s:[O]}", "containers", json);
}

static const char *config_value(const Flyteidl__Core__TaskTemplate *task, const char *key)
{
	for (size_t i = 0; i < task->n_config; i++) {
		if (text_equal(task->config[i]->key, key))
			return task->config[i]->value;
	}
	return "";
}

static json_t *read_spec(const Google__Protobuf__Struct *message, struct err *e)
{
	json_t *spec = pod_struct_to_json(message);
	if (!spec)
		err_set(e, ERR_INVALID, POD_BAD_TASK, "the pod spec is nested too deep");
	return spec;
}

/* A task that brings a whole pod spec (flytekit's Pod and PodTemplate). */
static json_t *pod_spec(const struct pod_request *request, const char **ret_primary, struct err *e)
{
	const Flyteidl__Core__K8sPod *pod = request->task->k8s_pod;
	if (!pod->pod_spec) {
		err_set(e, ERR_INVALID, POD_BAD_TASK,
		        "Pod tasks with task type version > 1 should specify their target as a K8sPod with a defined "
		        "pod spec");
		return NULL;
	}
	const char *primary = config_value(request->task, POD_PRIMARY_ANNOTATION);
	if (!*primary)
		primary = pod->primary_container_name;
	if (!*primary) {
		err_set(e, ERR_INVALID, POD_BAD_TASK,
		        "invalid TaskSpecification, config missing [" POD_PRIMARY_ANNOTATION "] key");
		return NULL;
	}
	*ret_primary = primary;
	return read_spec(pod->pod_spec, e);
}

static json_t *own_spec(const struct pod_request *request, const char **ret_primary, struct err *e)
{
	switch (request->task->target_case) {
	case FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER:
		*ret_primary = request->name;
		return container_spec(request, e);
	case FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_K8S_POD:
		return pod_spec(request, ret_primary, e);
	default:
		err_set(e, ERR_INVALID, POD_BAD_TASK,
		        "invalid TaskSpecification, unable to determine Pod configuration: the task has no container, and "
		        "no connector runs tasks of type \"%s\", version %d; name one that does in the setting "
		        "plugins.connector-service.defaultConnector.endpoint",
		        request->task->type, request->task->task_type_version);
		return NULL;
	}
}

const Flyteidl__Core__K8sPod *pod_template_override(const struct pod_request *request)
{
	const Flyteidl__Core__K8sPod *override = request->overrides ? request->overrides->pod_template : NULL;
	return override && !text_is_empty(override->primary_container_name) ? override : NULL;
}

/*
 * flytekit sends an override's pod spec complete, with the task's command in its primary container: it takes the place
 * of the task's own. One without containers is laid over it. (Upstream ignores the override of a task that has a pod
 * spec of its own; flytekit does not know that.)
 */
json_t *pod_raw_spec(const struct pod_request *request, const char **ret_primary, struct err *e)
{
	auto_json json_t *spec = own_spec(request, ret_primary, e);
	const Flyteidl__Core__K8sPod *override = pod_template_override(request);
	if (!spec || !override || !override->pod_spec)
		return steal_ptr(spec);
	auto_json json_t *above = read_spec(override->pod_spec, e);
	if (!above)
		return NULL;
	if (!json_array_size(json_object_get(above, "containers"))) {
		pod_merge(spec, above);
		return steal_ptr(spec);
	}
	*ret_primary = override->primary_container_name;
	return steal_ptr(above);
}
