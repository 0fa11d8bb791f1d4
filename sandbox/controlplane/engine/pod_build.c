/*
 * A pod is built in three steps: the raw spec that the task describes (one container, or a whole pod spec), what Flyte
 * adds to each container (templates, environment, resources), and what it adds to the pod (metadata, secrets, service
 * account). Kubernetes' JSON is built directly; nothing here knows the rest of its schema.
 */
#include "base/text.h"
#include "controlplane/engine/names.h"
#include "controlplane/engine/pod_internal.h"
#include "controlplane/engine/resources.h"
#include "controlplane/engine/template.h"

#include <string.h>

#define BAD_TASK "BadTaskSpecification"
/* Bytes of all commands and arguments of a pod, inputs put in: far above what an API server takes. */
#define COMMANDS_MAXIMUM ((size_t)8 * 1024 * 1024)

/* What putting values into commands adds up to. */
struct rendering {
	size_t bytes;
	bool needs_task_template;
};

static json_t *strings_to_json(char *const *strings, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(strings[i]));
	return array;
}

/* A list that is there, else a new one put there. */
static json_t *list_of(json_t *object, const char *key)
{
	json_t *list = json_object_get(object, key);
	if (json_is_array(list))
		return list;
	list = json_array();
	json_object_set_new(object, key, list);
	return list;
}

/* ContainerTasks of flytekit always ask for data loading; without inputs and outputs there is nothing to load. */
static int check_data_loading(const Flyteidl__Core__TaskTemplate *task, const Flyteidl__Core__DataLoadingConfig *config,
                              struct err *e)
{
	const Flyteidl__Core__TypedInterface *interface = task->interface;
	bool has_inputs = interface && interface->inputs && interface->inputs->n_variables;
	bool has_outputs = interface && interface->outputs && interface->outputs->n_variables;
	if (!config || !config->enabled || (!has_inputs && !has_outputs))
		return 0;
	return err_set(e, ERR_UNSUPPORTED, BAD_TASK,
	               "the task's inputs and outputs are files of its container (data_config), which needs Flyte's "
	               "copilot: not supported yet");
}

static json_t *container_spec(const struct pod_request *request, struct err *e)
{
	const Flyteidl__Core__Container *container = request->task->container;
	if (check_data_loading(request->task, container->data_config, e) < 0)
		return NULL;
	auto_json json_t *json = json_pack("{s:s, s:s}", "name", request->name, "image", container->image);
	if (!json) {
		err_set(e, ERR_INVALID, BAD_TASK, "the image's name is not valid UTF-8");
		return NULL;
	}
	if (container->n_command)
		json_object_set_new(json, "command", strings_to_json(container->command, container->n_command));
	if (container->n_args)
		json_object_set_new(json, "args", strings_to_json(container->args, container->n_args));
	json_t *env = list_of(json, "env");
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

/* A task that brings a whole pod spec (flytekit's Pod and PodTemplate). */
static json_t *pod_spec(const struct pod_request *request, const char **ret_primary, struct err *e)
{
	const Flyteidl__Core__K8sPod *pod = request->task->k8s_pod;
	if (!pod->pod_spec) {
		err_set(e, ERR_INVALID, BAD_TASK,
		        "Pod tasks with task type version > 1 should specify their target as a K8sPod with a defined "
		        "pod spec");
		return NULL;
	}
	if (check_data_loading(request->task, pod->data_config, e) < 0)
		return NULL;
	const char *primary = config_value(request->task, POD_PRIMARY_ANNOTATION);
	if (!*primary)
		primary = pod->primary_container_name;
	if (!*primary) {
		err_set(e, ERR_INVALID, BAD_TASK,
		        "invalid TaskSpecification, config missing [" POD_PRIMARY_ANNOTATION "] key");
		return NULL;
	}
	auto_json json_t *spec = pod_struct_to_json(pod->pod_spec);
	if (!spec) {
		err_set(e, ERR_INVALID, BAD_TASK, "the pod spec is nested too deep");
		return NULL;
	}
	*ret_primary = primary;
	return steal_ptr(spec);
}

static json_t *raw_spec(const struct pod_request *request, const char **ret_primary, struct err *e)
{
	const Flyteidl__Core__TaskMetadata *metadata = request->task->metadata;
	if (metadata && !text_is_empty(metadata->pod_template_name)) {
		err_set(e, ERR_UNSUPPORTED, BAD_TASK,
		        "PodTemplate '%s' cannot be used: pod templates are not supported yet",
		        metadata->pod_template_name);
		return NULL;
	}
	if (request->overrides && request->overrides->pod_template && request->overrides->pod_template->pod_spec) {
		err_set(e, ERR_UNSUPPORTED, BAD_TASK, "with_overrides(pod_template=…) is not supported yet");
		return NULL;
	}
	switch (request->task->target_case) {
	case FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER:
		*ret_primary = request->name;
		return container_spec(request, e);
	case FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_K8S_POD:
		return pod_spec(request, ret_primary, e);
	default:
		err_set(e, ERR_INVALID, BAD_TASK, "invalid TaskSpecification, unable to determine Pod configuration");
		return NULL;
	}
}

static int render_list(struct arena *arena, json_t *list, const struct template_values *values,
                       struct rendering *rendering, struct err *e)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (!text)
			return err_set(e, ERR_INVALID, BAD_TASK, "a command has an argument that is not text");
		const char *rendered = template_render(arena, text, values, &rendering->needs_task_template, e);
		if (!rendered)
			return -1;
		rendering->bytes += strlen(rendered) + 1;
		if (rendering->bytes > COMMANDS_MAXIMUM)
			return err_set(e, ERR_EXHAUSTED, BAD_TASK, "the task's commands are longer than %zu bytes",
			               COMMANDS_MAXIMUM);
		json_t *value = json_string(rendered);
		if (!value)
			return err_set(e, ERR_INVALID, BAD_TASK, "a command argument is not valid UTF-8");
		json_array_set_new(list, i, value);
	}
	return 0;
}

static char *directory_of(struct arena *arena, const char *uri)
{
	const char *slash = strrchr(uri, '/');
	return slash ? arena_strndup(arena, uri, (size_t)(slash - uri)) : arena_strdup(arena, "");
}

static struct template_values template_values_of(struct arena *arena, const struct pod_request *request)
{
	const char *generated = names_generated(arena, request->execution_name, request->node_id, request->attempt);
	return (struct template_values){
		.input = request->input_uri,
		.input_prefix = request->input_uri ? directory_of(arena, request->input_uri) : NULL,
		.output_prefix = request->output_prefix,
		.raw_output_data_prefix = request->raw_output_prefix,
		.checkpoint_output_prefix = request->checkpoint_prefix,
		.prev_checkpoint_prefix =
		        request->previous_checkpoint_prefix ? request->previous_checkpoint_prefix : "",
		.per_retry_unique_key = names_per_retry_unique_key(arena, generated),
		.task_template_path = request->task_template_uri,
		.namespace = request->namespace,
		.inputs = request->inputs,
	};
}

/* Only the primary container gets the platform's defaults and the node's overrides. */
static int set_resources(const struct pod_request *request, json_t *container, struct err *e)
{
	json_t *resources = json_object_get(container, "resources");
	if (!json_is_object(resources)) {
		resources = json_object();
		json_object_set_new(container, "resources", resources);
	}
	if (!json_object_get(resources, "requests"))
		json_object_set_new(resources, "requests", json_object());
	if (!json_object_get(resources, "limits"))
		json_object_set_new(resources, "limits", json_object());
	if (request->overrides && request->overrides->resources &&
	    resources_override(resources, request->overrides->resources, e) < 0)
		return -1;
	const struct pod_defaults *defaults = request->defaults;
	resources_fill(resources, &(struct resources_defaults){
	                                  .cpu_request = defaults ? defaults->cpu_request : NULL,
	                                  .memory_request = defaults ? defaults->memory_request : NULL,
	                                  .memory_limit = defaults ? defaults->memory_limit : NULL,
	                          });
	return 0;
}

static int customise_container(struct arena *arena, const struct pod_request *request, json_t *container, bool primary,
                               struct rendering *rendering, struct err *e)
{
	struct template_values values = template_values_of(arena, request);
	if (render_list(arena, json_object_get(container, "command"), &values, rendering, e) < 0 ||
	    render_list(arena, json_object_get(container, "args"), &values, rendering, e) < 0)
		return -1;
	pod_add_environment(arena, request, list_of(container, "env"));
	json_object_set_new(container, "terminationMessagePolicy", json_string("FallbackToLogsOnError"));
	if (!json_object_get(container, "imagePullPolicy"))
		json_object_set_new(container, "imagePullPolicy", json_string("IfNotPresent"));
	if (!primary)
		return 0;
	if (request->overrides && !text_is_empty(request->overrides->container_image))
		json_object_set_new(container, "image", json_string(request->overrides->container_image));
	if (text_is_empty(json_string_at(container, "image", "")))
		return err_set(e, ERR_INVALID, BAD_TASK, "the task's container has no image");
	return set_resources(request, container, e);
}

/* All containers of the spec; returns the primary one (borrowed). */
static json_t *customise_containers(struct arena *arena, const struct pod_request *request, json_t *spec,
                                    const char *primary, struct rendering *rendering, struct err *e)
{
	static const char *const lists[] = { "initContainers", "containers" };
	json_t *found = NULL;
	for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
		json_t *containers = json_object_get(spec, lists[i]);
		for (size_t k = 0; k < json_array_size(containers); k++) {
			json_t *container = json_array_get(containers, k);
			bool is_primary = i == 1 && text_equal(json_string_at(container, "name", NULL), primary);
			if (customise_container(arena, request, container, is_primary, rendering, e) < 0)
				return NULL;
			if (is_primary)
				found = container;
		}
	}
	if (!found)
		err_set(e, ERR_INVALID, BAD_TASK, "invalid TaskSpecification, primary container [%s] not defined",
		        primary);
	return found;
}

static const char *service_account_of(const Flyteidl__Core__SecurityContext *context)
{
	return context && context->run_as ? context->run_as->k8s_service_account : "";
}

/* The token volume costs 0.6 s of a pod's start (design §5): it is mounted only for a service account that somebody
 * chose. */
static void set_service_account(const struct pod_request *request, json_t *spec)
{
	const char *account = json_string_at(spec, "serviceAccountName", "");
	if (!*account && request->execution_spec)
		account = service_account_of(request->execution_spec->security_context);
	if (!*account)
		account = service_account_of(request->task->security_context);
	bool chosen = *account && !text_equal(account, "default");
	json_object_set_new(spec, "serviceAccountName", json_string(*account ? account : "default"));
	if (!json_object_get(spec, "automountServiceAccountToken"))
		json_object_set_new(spec, "automountServiceAccountToken", json_boolean(chosen));
}

/* extended_resources.shared_memory: a memory-backed /dev/shm for the primary container. */
static void add_shared_memory(const struct pod_request *request, json_t *spec, json_t *container)
{
	const Flyteidl__Core__ExtendedResources *extended = request->task->extended_resources;
	if (request->overrides && request->overrides->extended_resources)
		extended = request->overrides->extended_resources;
	const Flyteidl__Core__SharedMemory *memory = extended ? extended->shared_memory : NULL;
	if (!memory)
		return;
	const char *name = *memory->mount_name ? memory->mount_name : "flyte-shared-memory";
	const char *path = *memory->mount_path ? memory->mount_path : "/dev/shm";
	json_t *volume = json_pack("{s:s, s:{s:s}}", "name", name, "emptyDir", "medium", "Memory");
	if (*memory->size_limit)
		json_object_set_new(json_object_get(volume, "emptyDir"), "sizeLimit", json_string(memory->size_limit));
	json_array_append_new(list_of(spec, "volumes"), volume);
	json_array_append_new(list_of(container, "volumeMounts"),
	                      json_pack("{s:s, s:s}", "name", name, "mountPath", path));
}

json_t *pod_build(struct arena *arena, const struct pod_request *request, bool *ret_needs_task_template, struct err *e)
{
	const char *primary = NULL;
	struct rendering rendering = { 0 };
	auto_json json_t *spec = raw_spec(request, &primary, e);
	if (!spec)
		return NULL;
	json_t *container = customise_containers(arena, request, spec, primary, &rendering, e);
	if (!container || pod_add_secrets(arena, request->task, spec, container, e) < 0)
		return NULL;
	add_shared_memory(request, spec, container);
	set_service_account(request, spec);
	if (!json_object_get(spec, "restartPolicy"))
		json_object_set_new(spec, "restartPolicy", json_string("Never"));
	/* A variable for each Service of the namespace is of no use to a task and slows its start. */
	if (!json_object_get(spec, "enableServiceLinks"))
		json_object_set_new(spec, "enableServiceLinks", json_false());
	json_t *pod = json_pack("{s:s, s:s, s:{}, s:O}", "apiVersion", "v1", "kind", "Pod", "metadata", "spec", spec);
	pod_build_metadata(request, primary, json_object_get(pod, "metadata"));
	if (ret_needs_task_template)
		*ret_needs_task_template = rendering.needs_task_template;
	return pod;
}
