#include "controlplane/engine/connector_request.h"

#include "base/text.h"
#include "controlplane/engine/pod_internal.h"
#include "controlplane/engine/template.h"

#include "flyteidl/admin/agent.pb-c.h"

/* Bytes of all arguments, inputs put in. */
#define ARGUMENTS_MAXIMUM ((size_t)8 << 20)

/* Upstream fills in the arguments and leaves the command as it is. */
static int render_arguments(struct arena *arena, const struct pod_request *request,
                            Flyteidl__Core__Container *container, struct err *e)
{
	const struct template_values values = pod_template_values(arena, request);
	char **rendered = arena_array(arena, char *, container->n_args);
	size_t bytes = 0;
	for (size_t i = 0; i < container->n_args; i++) {
		rendered[i] = template_render(arena, container->args[i], &values, NULL, e);
		if (!rendered[i])
			return -1;
		bytes += strlen(rendered[i]) + 1;
		if (bytes > ARGUMENTS_MAXIMUM)
			return err_set(e, ERR_EXHAUSTED, POD_BAD_TASK, "the task's arguments are longer than %zu bytes",
			               ARGUMENTS_MAXIMUM);
	}
	container->args = rendered;
	return 0;
}

static Flyteidl__Core__TaskTemplate *template_of(struct arena *arena, const struct pod_request *request, struct err *e)
{
	Flyteidl__Core__TaskTemplate *template = proto_new(arena, flyteidl__core__task_template);
	*template = *request->task;
	if (template->target_case != FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER)
		return template;
	Flyteidl__Core__Container *container = proto_new(arena, flyteidl__core__container);
	*container = *request->task->container;
	template->container = container;
	return render_arguments(arena, request, container, e) < 0 ? NULL : template;
}

/* The entries of the three maps are alike in all but their type. */
#define FILL_MAP(arena, metadata, field, prefix, object)                                                               \
	do {                                                                                                           \
		const char *key_;                                                                                      \
		json_t *value_;                                                                                        \
		json_object_foreach((object), key_, value_)                                                            \
		{                                                                                                      \
			__typeof__(**(metadata)->field) *entry_ = (void *)proto_new_of((arena), &prefix##__descriptor); \
			entry_->key = arena_strdup((arena), key_);                                                     \
			entry_->value = arena_strdup((arena), json_string_value(value_));                              \
			proto_append((arena), (metadata)->n_##field, (metadata)->field, entry_);                       \
		}                                                                                                      \
	} while (0)

static Flyteidl__Core__Identity *identity_of(const struct pod_request *request)
{
	const Flyteidl__Core__SecurityContext *of_execution =
	        request->execution_spec ? request->execution_spec->security_context : NULL;
	if (of_execution && of_execution->run_as)
		return of_execution->run_as;
	return request->task->security_context ? request->task->security_context->run_as : NULL;
}

static Flyteidl__Admin__TaskExecutionMetadata *metadata_of(struct arena *arena, const struct pod_request *request,
                                                           const struct connector_request_extra *extra)
{
	Flyteidl__Admin__TaskExecutionMetadata *metadata = proto_new(arena, flyteidl__admin__task_execution_metadata);
	auto_json json_t *as_pod = json_object();
	auto_json json_t *variables = json_object();
	pod_build_metadata(request, request->name, as_pod);
	json_object_del(json_object_get(as_pod, "labels"), POD_LABEL_NAME); /* of pods */
	json_object_del(json_object_get(as_pod, "annotations"), POD_PRIMARY_ANNOTATION);
	const Flyteidl__Admin__Envs *envs = request->execution_spec ? request->execution_spec->envs : NULL;
	for (size_t i = 0; envs && i < envs->n_values; i++)
		json_object_set_new(variables, envs->values[i]->key, json_string(envs->values[i]->value));
	FILL_MAP(arena, metadata, labels, flyteidl__admin__task_execution_metadata__labels_entry,
	         json_object_get(as_pod, "labels"));
	FILL_MAP(arena, metadata, annotations, flyteidl__admin__task_execution_metadata__annotations_entry,
	         json_object_get(as_pod, "annotations"));
	FILL_MAP(arena, metadata, environment_variables,
	         flyteidl__admin__task_execution_metadata__environment_variables_entry, variables);
	metadata->task_execution_id =
	        (Flyteidl__Core__TaskExecutionIdentifier *)proto_copy_of(arena, &extra->id->base);
	metadata->namespace_ = arena_strdup(arena, request->namespace);
	metadata->identity = identity_of(request);
	const char *account = metadata->identity ? metadata->identity->k8s_service_account : "";
	metadata->k8s_service_account = arena_strdup(arena, *account ? account : "default");
	metadata->max_attempts = (int32_t)(extra->maximum_attempts < INT32_MAX ? extra->maximum_attempts : INT32_MAX);
	metadata->interruptible = request->interruptible;
	return metadata;
}

struct proto_bytes connector_request_build(struct arena *arena, const struct pod_request *request,
                                           const struct connector_request_extra *extra, struct err *e)
{
	Flyteidl__Admin__CreateTaskRequest *message = proto_new(arena, flyteidl__admin__create_task_request);
	message->template_ = template_of(arena, request, e);
	if (!message->template_)
		return (struct proto_bytes){ .data = NULL };
	if (request->inputs)
		message->inputs = (Flyteidl__Core__LiteralMap *)proto_copy_of(arena, &request->inputs->base);
	message->output_prefix = arena_strdup(arena, request->output_prefix);
	message->task_execution_metadata = metadata_of(arena, request, extra);
	return proto_pack(arena, &message->base);
}
