#include "base/text.h"
#include "controlplane/engine/names.h"
#include "controlplane/engine/pod_internal.h"

#include <ctype.h>
#include <string.h>

#define LABEL_MAXIMUM 63
#define SHARD_KEYS 32

/*
 * The rule that upstream applies (k8s label values: alphanumerics at both ends, '-', '_' and '.' between, at most 63):
 * lower case, every run of anything but letters, digits and '-' becomes one '-', none at the ends.
 */
char *pod_label_value(struct arena *arena, const char *text)
{
	char value[LABEL_MAXIMUM + 1];
	size_t length = 0;
	bool in_run = false;
	for (; *text && length < LABEL_MAXIMUM; text++) {
		char c = (char)tolower((unsigned char)*text);
		bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
		if ((allowed && c != '-') || (length && (allowed || !in_run)))
			value[length++] = allowed ? c : '-';
		in_run = !allowed;
	}
	while (length && value[length - 1] == '-')
		length--;
	return arena_strndup(arena, value, length);
}

static void set_label(struct arena *arena, json_t *labels, const char *name, const char *value)
{
	json_object_set_new(labels, name, json_string(pod_label_value(arena, value)));
}

static void add_labels(const struct pod_request *request, json_t *labels)
{
	auto_arena struct arena arena = ARENA_INIT(64 * 1024);
	const Flyteidl__Core__Identifier *task = request->task->id;
	set_label(&arena, labels, "execution-id", request->execution_name);
	set_label(&arena, labels, "project", request->project);
	set_label(&arena, labels, "domain", request->domain);
	set_label(&arena, labels, "workflow-name", request->workflow_name ? request->workflow_name : "");
	set_label(&arena, labels, "node-id", request->node_id);
	set_label(&arena, labels, "task-name", task ? task->name : "");
	set_label(&arena, labels, "shard-key",
	          arena_printf(&arena, "%u", names_hash(request->execution_name) % SHARD_KEYS));
	set_label(&arena, labels, "interruptible", request->interruptible ? "true" : "false");
	if (pod_has_secrets(request->task))
		set_label(&arena, labels, "inject-flyte-secrets", "true");
	set_label(&arena, labels, POD_LABEL_NAME, POD_LABEL_VALUE);
}

/* Labels and annotations from the PodTemplate, what the author of the task and of the node asked for, then those of the
 * execution. */
static void add_requested(const struct pod_request *request, json_t *labels, json_t *annotations)
{
	const Flyteidl__Core__TaskTemplate *task = request->task;
	const Flyteidl__Core__K8sPod *override = pod_template_override(request);
	const json_t *of_template = json_lookup(request->pod_template, "template/metadata");
	const Flyteidl__Core__K8sObjectMetadata *own[] = {
		task->metadata ? task->metadata->metadata : NULL,
		task->target_case == FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_K8S_POD ? task->k8s_pod->metadata : NULL,
		override ? override->metadata : NULL,
	};
	if (request->defaults) {
		pod_merge(labels, request->defaults->labels);
		pod_merge(annotations, request->defaults->annotations);
	}
	pod_merge(labels, json_object_get(of_template, "labels"));
	pod_merge(annotations, json_object_get(of_template, "annotations"));
	for (size_t i = 0; i < ARRAY_LENGTH(own); i++) {
		for (size_t k = 0; own[i] && k < own[i]->n_labels; k++)
			json_object_set_new(labels, own[i]->labels[k]->key, json_string(own[i]->labels[k]->value));
		for (size_t k = 0; own[i] && k < own[i]->n_annotations; k++)
			json_object_set_new(annotations, own[i]->annotations[k]->key,
			                    json_string(own[i]->annotations[k]->value));
	}
	const Flyteidl__Admin__ExecutionSpec *spec = request->execution_spec;
	for (size_t i = 0; spec && spec->labels && i < spec->labels->n_values; i++)
		json_object_set_new(labels, spec->labels->values[i]->key, json_string(spec->labels->values[i]->value));
	for (size_t i = 0; spec && spec->annotations && i < spec->annotations->n_values; i++)
		json_object_set_new(annotations, spec->annotations->values[i]->key,
		                    json_string(spec->annotations->values[i]->value));
}

void pod_build_metadata(const struct pod_request *request, const char *primary_container, json_t *metadata)
{
	json_t *labels = json_object(), *annotations = json_object();
	json_object_set_new(metadata, "name", json_string(request->name));
	json_object_set_new(metadata, "namespace", json_string(request->namespace));
	json_object_set_new(metadata, "labels", labels);
	json_object_set_new(metadata, "annotations", annotations);
	/* Ours come last: what the engine and clients rely on cannot be overridden. */
	add_requested(request, labels, annotations);
	add_labels(request, labels);
	json_object_set_new(annotations, "cluster-autoscaler.kubernetes.io/safe-to-evict", json_string("false"));
	json_object_set_new(annotations, POD_PRIMARY_ANNOTATION, json_string(primary_container));
}
