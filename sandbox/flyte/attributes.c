#include "flyte/attributes.h"

#include "base/text.h"
#include "base/yaml.h"
#include "proto/json.h"

#include <string.h>

#define KIND(word, words, resource_name, target_name, prefix)                                                          \
	{                                                                                                              \
		.name = (word), .plural = (words), .resource = FLYTEIDL__ADMIN__MATCHABLE_RESOURCE__##resource_name,   \
		.target = FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_##target_name,                                  \
		.descriptor = &flyteidl__admin__##prefix##__descriptor,                                                \
	}
const struct attribute_kind attribute_kinds[] = {
	KIND("task-resource-attribute", "task-resource-attributes", TASK_RESOURCE, TASK_RESOURCE_ATTRIBUTES,
	     task_resource_attributes),
	KIND("cluster-resource-attribute", "cluster-resource-attributes", CLUSTER_RESOURCE, CLUSTER_RESOURCE_ATTRIBUTES,
	     cluster_resource_attributes),
	KIND("execution-queue-attribute", "execution-queue-attributes", EXECUTION_QUEUE, EXECUTION_QUEUE_ATTRIBUTES,
	     execution_queue_attributes),
	KIND("execution-cluster-label", "execution-cluster-labels", EXECUTION_CLUSTER_LABEL, EXECUTION_CLUSTER_LABEL,
	     execution_cluster_label),
	KIND("plugin-override", "plugin-overrides", PLUGIN_OVERRIDE, PLUGIN_OVERRIDES, plugin_overrides),
	KIND("workflow-execution-config", "workflow-execution-configs", WORKFLOW_EXECUTION_CONFIG,
	     WORKFLOW_EXECUTION_CONFIG, workflow_execution_config),
};
const size_t attribute_kind_count = ARRAY_LENGTH(attribute_kinds);

const struct attribute_kind *attribute_kind_find(const char *name)
{
	for (size_t i = 0; i < attribute_kind_count; i++) {
		if (text_equal(attribute_kinds[i].name, name) || text_equal(attribute_kinds[i].plural, name))
			return &attribute_kinds[i];
	}
	return NULL;
}

/* Takes a member out of the document; NULL when it is no text. */
static const char *take_text(struct arena *arena, json_t *document, const char *member)
{
	const json_t *value = json_object_get(document, member);
	if (value && !json_is_string(value) && !json_is_null(value))
		return NULL;
	const char *text = arena_strdup(arena, json_string_value(value));
	json_object_del(document, member);
	return text;
}

/* flytectl knows the one BoolValue as the struct that it is in Go: {value: true}, and {} for false. */
#define WRAPPED "interruptible"

static void unwrap(json_t *document)
{
	const json_t *outer = json_object_get(document, WRAPPED);
	json_t *inner = json_object_get(outer, "value");
	if (inner)
		json_object_set(document, WRAPPED, inner);
	else if (json_is_object(outer) && !json_object_size(outer))
		json_object_set_new(document, WRAPPED, json_false());
}

static void wrap(json_t *document)
{
	json_t *inner = json_object_get(document, WRAPPED);
	if (inner)
		json_object_set_new(document, WRAPPED, json_pack("{s:O}", "value", inner));
}

int attribute_file_parse(struct arena *arena, const struct attribute_kind *kind, const char *bytes, size_t length,
                         const char *subject, struct attribute_file *ret_file, struct err *e)
{
	auto_json json_t *document = yaml_parse(bytes, length, subject, e);
	if (!document)
		return -1;
	if (!json_is_object(document))
		return err_set(e, ERR_INVALID, "bad-attribute-file", "%s: not a mapping", subject);
	struct attribute_file file = { .project = take_text(arena, document, "project"),
		                       .domain = take_text(arena, document, "domain"),
		                       .workflow = take_text(arena, document, "workflow") };
	if (!file.project || !file.domain || !file.workflow)
		return err_set(e, ERR_INVALID, "bad-attribute-file", "%s: project, domain and workflow have to be text",
		               subject);
	unwrap(document);
	auto_free char *text = json_to_text(document);
	ProtobufCMessage *message = proto_json_parse_of(arena, kind->descriptor, text, strlen(text), 0, e);
	if (!message) {
		err_wrap(e, "%s", subject);
		if (e)
			e->id = "bad-attribute-file";
		return err_hint(e, "`sandbox get %s --attrFile FILE` shows the form; quantities are text: cpu: \"1\"",
		                kind->name);
	}
	file.attributes = proto_new(arena, flyteidl__admin__matching_attributes);
	file.attributes->target_case = kind->target;
	/* Every member of the oneof is a pointer to a message, in one place. */
	file.attributes->task_resource_attributes = (Flyteidl__Admin__TaskResourceAttributes *)message;
	*ret_file = file;
	return 0;
}

json_t *attribute_file_json(const struct attribute_kind *kind, const char *project, const char *domain,
                            const char *workflow, const Flyteidl__Admin__MatchingAttributes *attributes, struct err *e)
{
	auto_json json_t *document = json_pack("{s:s, s:s}", "project", project, "domain", domain);
	if (!text_is_empty(workflow))
		json_object_set_new(document, "workflow", json_string(workflow));
	if (!attributes || attributes->target_case != kind->target)
		return json_incref(document);
	auto_buf struct buf text = BUF_INIT(ATTRIBUTE_FILE_MAXIMUM);
	if (proto_json_print(&attributes->task_resource_attributes->base,
	                     PROTO_JSON_OMIT_DEFAULTS | PROTO_JSON_ENUM_NUMBERS, &text, e) < 0)
		return NULL;
	auto_json json_t *members = json_parse(buf_text(&text), text.length, "attributes", e);
	if (!members)
		return NULL;
	wrap(members);
	json_object_update(document, members);
	return json_incref(document);
}
