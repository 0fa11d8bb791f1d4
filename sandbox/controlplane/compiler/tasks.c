/*
 * What must hold for a task by itself: an image and a command for containers, resource quantities that Kubernetes can
 * read, container names that it accepts for pods (flytepropeller compiler/task_compiler.go at v1.16.8).
 */
#include "controlplane/compiler/compile_errors.h"
#include "controlplane/compiler/compiler.h"

#include "base/text.h"
#include "proto/message.h"

#include <string.h>

/* A quantity in Kubernetes's syntax: sign, digits with at most one point, then a suffix or a decimal exponent. */
static bool is_quantity(const char *text)
{
	static const char *const suffixes[] = { "",  "n", "u",  "m",  "k",  "M",  "G",  "T",
		                                "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
	if (*text == '+' || *text == '-')
		text++;
	size_t whole = strspn(text, "0123456789"), fraction = 0;
	text += whole;
	if (*text == '.') {
		fraction = strspn(++text, "0123456789");
		text += fraction;
	}
	if (!whole && !fraction)
		return false;
	for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++)
		if (strcmp(text, suffixes[i]) == 0)
			return true;
	if (*text != 'e' && *text != 'E')
		return false;
	text++;
	if (*text == '+' || *text == '-')
		text++;
	size_t exponent = strspn(text, "0123456789");
	return exponent && !text[exponent];
}

/* RFC 1123 label: what Kubernetes allows as a container's name. */
static bool is_label(const char *text)
{
	size_t length = strlen(text);
	if (!length || length > 63 || text[0] == '-' || text[length - 1] == '-')
		return false;
	return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static void validate_resources(struct compile_errors *errors, Flyteidl__Core__Resources__ResourceEntry *const *entries,
                               size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_quantity(entries[i]->value))
			continue;
		const ProtobufCEnumValue *name = protobuf_c_enum_descriptor_get_value(
		        &flyteidl__core__resources__resource_name__descriptor, (int)entries[i]->name);
		compile_error(errors, COMPILE_UNRECOGNIZED_VALUE, "container",
		              "'%s' is not a quantity of %s (resources)", entries[i]->value,
		              name ? name->name : "an unknown resource");
	}
}

static bool has_variables(const Flyteidl__Core__TypedInterface *interface)
{
	return interface && ((interface->inputs && interface->inputs->n_variables) ||
	                     (interface->outputs && interface->outputs->n_variables));
}

static void validate_container(struct compile_errors *errors, const Flyteidl__Core__TaskTemplate *task)
{
	const Flyteidl__Core__Container *container = task->container;
	if (!container) {
		compile_error(errors, COMPILE_VALUE_REQUIRED, "root", "the container is missing (container)");
		return;
	}
	if (has_variables(task->interface) && !container->n_command && !container->n_args)
		compile_error(errors, COMPILE_VALUE_REQUIRED, "container",
		              "a container with inputs or outputs needs a command or arguments (command)");
	if (text_is_empty(container->image))
		compile_error(errors, COMPILE_VALUE_REQUIRED, "container", "the container has no image (image)");
	if (container->resources) {
		validate_resources(errors, container->resources->requests, container->resources->n_requests);
		validate_resources(errors, container->resources->limits, container->resources->n_limits);
	}
}

static const Google__Protobuf__Value *field_of(const Google__Protobuf__Struct *object, const char *name)
{
	for (size_t i = object ? object->n_fields : 0; i-- > 0;)
		if (text_equal(object->fields[i]->key, name))
			return object->fields[i]->value;
	return NULL;
}

static void validate_pod_container(struct compile_errors *errors, const Google__Protobuf__Value *container)
{
	if (!container || container->kind_case != GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE) {
		compile_error(errors, COMPILE_INVALID_VALUE, "root",
		              "a container of the pod is not an object (k8s pod spec)");
		return;
	}
	const Google__Protobuf__Value *name = field_of(container->struct_value, "name");
	const char *text =
	        name && name->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE ? name->string_value : "";
	if (!is_label(text))
		compile_error(errors, COMPILE_INVALID_VALUE, "root",
		              "'%s' cannot be a container's name (k8s pod spec container name)", text);
}

static void validate_pod(struct compile_errors *errors, const Flyteidl__Core__K8sPod *pod)
{
	if (!pod) {
		compile_error(errors, COMPILE_VALUE_REQUIRED, "root", "the pod is missing (k8s pod)");
		return;
	}
	const Google__Protobuf__Value *containers = field_of(pod->pod_spec, "containers");
	bool is_list = containers && containers->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE;
	if (!pod->pod_spec || (containers && !is_list))
		compile_error(errors, COMPILE_INVALID_VALUE, "root",
		              "the pod has no usable specification (k8s pod spec)");
	for (size_t i = 0; is_list && containers->list_value && i < containers->list_value->n_values; i++)
		validate_pod_container(errors, containers->list_value->values[i]);
}

Flyteidl__Core__CompiledTask *compiler_compile_task(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                                                    struct err *e)
{
	struct compile_errors errors = { .arena = arena };
	if (!task->id)
		compile_error(&errors, COMPILE_VALUE_REQUIRED, "root", "the task has no id (Id)");
	if (task->target_case == FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER)
		validate_container(&errors, task);
	else if (task->target_case == FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_K8S_POD)
		validate_pod(&errors, task->k8s_pod);
	if (compile_errors_to_err(&errors, e) < 0)
		return NULL;
	Flyteidl__Core__CompiledTask *compiled = proto_new(arena, flyteidl__core__compiled_task);
	/* Shared with the caller's template: compiling changes nothing in it, the generated type has just no const. */
	compiled->template_ = (Flyteidl__Core__TaskTemplate *)(uintptr_t)task;
	return compiled;
}
