/*
 * A pod is built in four steps: the raw spec that the task describes (pod_raw.c), laid over a PodTemplate if there is
 * one (pod_merge.c), then what Flyte adds to each container (templates, environment, resources), and what it adds to
 * the pod (metadata, secrets, nodes, service account). Whatever Flyte only wants by default therefore gives way to the
 * template. Kubernetes' JSON is built directly; nothing here knows the rest of its schema.
 */
#include "base/text.h"
#include "controlplane/engine/names.h"
#include "controlplane/engine/pod_internal.h"
#include "controlplane/engine/resources.h"
#include "controlplane/engine/template.h"

#include <string.h>

/* Bytes of all commands and arguments of a pod, inputs put in: far above what an API server takes. */
#define COMMANDS_MAXIMUM ((size_t)8 * 1024 * 1024)

/* What putting values into commands adds up to. */
struct rendering {
	size_t bytes;
	bool needs_task_template;
};

/* A list that is there, else a new one put there. */
json_t *pod_list_of(json_t *object, const char *key)
{
	json_t *list = json_object_get(object, key);
	if (json_is_array(list))
		return list;
	list = json_array();
	json_object_set_new(object, key, list);
	return list;
}

static int render_list(struct arena *arena, json_t *list, const struct template_values *values,
                       struct rendering *rendering, struct err *e)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (!text)
			return err_set(e, ERR_INVALID, POD_BAD_TASK, "a command has an argument that is not text");
		const char *rendered = template_render(arena, text, values, &rendering->needs_task_template, e);
		if (!rendered)
			return -1;
		rendering->bytes += strlen(rendered) + 1;
		if (rendering->bytes > COMMANDS_MAXIMUM)
			return err_set(e, ERR_EXHAUSTED, POD_BAD_TASK, "the task's commands are longer than %zu bytes",
			               COMMANDS_MAXIMUM);
		json_t *value = json_string(rendered);
		if (!value)
			return err_set(e, ERR_INVALID, POD_BAD_TASK, "a command argument is not valid UTF-8");
		json_array_set_new(list, i, value);
	}
	return 0;
}

static char *directory_of(struct arena *arena, const char *uri)
{
	const char *slash = strrchr(uri, '/');
	return slash ? arena_strndup(arena, uri, (size_t)(slash - uri)) : arena_strdup(arena, "");
}

struct template_values pod_template_values(struct arena *arena, const struct pod_request *request)
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
static int set_resources(struct arena *arena, const struct pod_request *request, json_t *container, struct err *e)
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
	struct resource_policy policy = { .defaults = { .amounts = { NULL } } };
	if (!text_is_empty(request->resource_policy)) {
		if (resource_policy_from_text(arena, request->resource_policy, &policy, e) < 0)
			return -1;
	} else if (request->defaults) {
		policy = request->defaults->resources;
	}
	return resources_fill(resources, &policy, e);
}

static int customise_container(struct arena *arena, const struct pod_request *request, json_t *container, bool primary,
                               struct rendering *rendering, struct err *e)
{
	struct template_values values = pod_template_values(arena, request);
	if (render_list(arena, json_object_get(container, "command"), &values, rendering, e) < 0 ||
	    render_list(arena, json_object_get(container, "args"), &values, rendering, e) < 0)
		return -1;
	pod_add_environment(arena, request, pod_list_of(container, "env"));
	json_object_set_new(container, "terminationMessagePolicy", json_string("FallbackToLogsOnError"));
	if (!json_object_get(container, "imagePullPolicy"))
		json_object_set_new(container, "imagePullPolicy", json_string("IfNotPresent"));
	if (!primary)
		return 0;
	if (request->overrides && !text_is_empty(request->overrides->container_image))
		json_object_set_new(container, "image", json_string(request->overrides->container_image));
	if (text_is_empty(json_string_at(container, "image", "")))
		return err_set(e, ERR_INVALID, POD_BAD_TASK, "the task's container has no image");
	return set_resources(arena, request, container, e);
}

/* All containers of the spec; returns the primary one (borrowed). */
static json_t *customise_containers(struct arena *arena, const struct pod_request *request, json_t *spec,
                                    const char *primary_name, struct rendering *rendering, struct err *e)
{
	static const char *const lists[] = { "initContainers", "containers" };
	json_t *primary = pod_find_container(json_object_get(spec, "containers"), primary_name);
	for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
		json_t *containers = json_object_get(spec, lists[i]);
		for (size_t k = 0; k < json_array_size(containers); k++) {
			json_t *container = json_array_get(containers, k);
			if (customise_container(arena, request, container, container == primary, rendering, e) < 0)
				return NULL;
		}
	}
	return primary;
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

/* The task's spec, with the copilot where it is needed, laid over the PodTemplate that the task names or that is
 * configured as the default. */
static json_t *whole_spec(struct arena *arena, const struct pod_request *request, const char **ret_primary,
                          struct err *e)
{
	auto_json json_t *spec = pod_raw_spec(request, ret_primary, e);
	if (!spec)
		return NULL;
	json_t *primary = pod_find_container(json_object_get(spec, "containers"), *ret_primary);
	if (!primary) {
		err_set(e, ERR_INVALID, POD_BAD_TASK, "invalid TaskSpecification, primary container [%s] not defined",
		        *ret_primary);
		return NULL;
	}
	if (pod_add_copilot(arena, request, spec, primary, e) < 0)
		return NULL;
	if (!request->pod_template)
		return steal_ptr(spec);
	return pod_merge_template(json_lookup(request->pod_template, "template/spec"), spec, *ret_primary,
	                          POD_DOWNLOADER);
}

const char *pod_template_name(const struct pod_request *request, bool *ret_required)
{
	const Flyteidl__Core__TaskMetadata *metadata = request->task->metadata;
	*ret_required = metadata && !text_is_empty(metadata->pod_template_name);
	if (*ret_required)
		return metadata->pod_template_name;
	return request->defaults && !text_is_empty(request->defaults->pod_template_name)
	               ? request->defaults->pod_template_name
	               : NULL;
}

json_t *pod_build(struct arena *arena, const struct pod_request *request, bool *ret_needs_task_template, struct err *e)
{
	const char *primary = NULL;
	struct rendering rendering = { 0 };
	auto_json json_t *spec = whole_spec(arena, request, &primary, e);
	if (!spec)
		return NULL;
	json_t *container = customise_containers(arena, request, spec, primary, &rendering, e);
	if (!container || pod_add_secrets(arena, request->task, spec, e) < 0)
		return NULL;
	pod_add_scheduling(request, spec, container);
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
