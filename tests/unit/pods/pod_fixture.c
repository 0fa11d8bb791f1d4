#include "pod_fixture.h"

static const struct pod_environment platform[] = {
	{ "FLYTE_AWS_ENDPOINT", "http://flyte-sandbox-minio.flyte:9000" },
	{ "FLYTE_PLATFORM_INSECURE", "true" },
};
const struct pod_defaults defaults = {
	.environment = platform,
	.environment_count = ARRAY_LENGTH(platform),
	.resources = { .defaults = { .amounts = { [RESOURCE_CPU] = "100m", [RESOURCE_MEMORY] = "200Mi" } } },
	.scheduling = { .gpu_device_label = "gpu", .gpu_partition_label = "part" },
};

static char **strings(struct arena *arena, size_t count, const char *const *values)
{
	char **copy = arena_array(arena, char *, count);
	for (size_t i = 0; i < count; i++)
		copy[i] = arena_strdup(arena, values[i]);
	return copy;
}

Flyteidl__Core__KeyValuePair *pair(struct arena *arena, const char *key, const char *value)
{
	Flyteidl__Core__KeyValuePair *made = proto_new(arena, flyteidl__core__key_value_pair);
	made->key = arena_strdup(arena, key);
	made->value = arena_strdup(arena, value);
	return made;
}

static Flyteidl__Core__TaskTemplate *make_task(struct arena *arena)
{
	Flyteidl__Core__TaskTemplate *task = proto_new(arena, flyteidl__core__task_template);
	task->id = proto_new(arena, flyteidl__core__identifier);
	task->id->project = arena_strdup(arena, "flytesnacks");
	task->id->domain = arena_strdup(arena, "development");
	task->id->name = arena_strdup(arena, "Wf.Module.task_1__");
	task->id->version = arena_strdup(arena, "v1");
	task->type = arena_strdup(arena, "python-task");
	task->target_case = FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER;
	Flyteidl__Core__Container *container = proto_new(arena, flyteidl__core__container);
	container->image = arena_strdup(arena, "cr.flyte.org/flyteorg/flytekit:py3.11-1.16.31");
	container->n_args = 4;
	container->args = strings(
	        arena, 4, (const char *[]){ "pyflyte-execute", "--inputs", "{{.input}}", "{{.perRetryUniqueKey}}" });
	proto_append(arena, container->n_env, container->env, pair(arena, "FLYTE_INTERNAL_IMAGE", "image"));
	proto_append(arena, container->n_env, container->env, pair(arena, "FLYTE_PLATFORM_INSECURE", "false"));
	task->container = container;
	return task;
}

int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	fixture->arena.maximum = 1 << 20;
	struct arena *arena = &fixture->arena;
	fixture->task = make_task(arena);
	fixture->spec = proto_new(arena, flyteidl__admin__execution_spec);
	fixture->request = (struct pod_request){
		.namespace = "flytesnacks-development",
		.name = "exec-n0-1",
		.task = fixture->task,
		.execution_spec = fixture->spec,
		.project = "flytesnacks",
		.domain = "development",
		.execution_name = "exec",
		.workflow_name = "Wf.Module.wf",
		.workflow_id_text = "flytesnacks:development:Wf.Module.wf",
		.node_id = "n0",
		.attempt = 1,
		.input_uri = "s3://b/n0/data/inputs.pb",
		.output_prefix = "s3://b/n0/data/1",
		.raw_output_prefix = "s3://b/data/ab/exec-n0-1",
		.checkpoint_prefix = "s3://b/data/ab/exec-n0-1/_flytecheckpoints",
		.previous_checkpoint_prefix = "",
		.task_template_uri = "s3://b/n0/data/task.pb",
		.defaults = &defaults,
	};
	*state = fixture;
	return 0;
}

int tear_down(void **state)
{
	struct fixture *fixture = *state;
	arena_release(&fixture->arena);
	err_release(&fixture->e);
	free(fixture);
	return 0;
}

json_t *build(struct fixture *fixture)
{
	json_t *pod = pod_build(&fixture->arena, &fixture->request, &fixture->needs_task_template, &fixture->e);
	if (!pod)
		fail_msg("%s", err_message(&fixture->e));
	return pod;
}

void expect_refusal(struct fixture *fixture, const char *message)
{
	assert_null(pod_build(&fixture->arena, &fixture->request, NULL, &fixture->e));
	assert_string_equal(err_id(&fixture->e), "BadTaskSpecification");
	assert_non_null(strstr(err_message(&fixture->e), message));
}

const json_t *container_of(const json_t *pod, const char *list, size_t index)
{
	return json_array_get(json_lookup(pod, list), index);
}

const char *variable(const json_t *container, const char *name)
{
	const char *value = NULL;
	unsigned count = 0;
	const json_t *env = json_object_get(container, "env");
	for (size_t i = 0; i < json_array_size(env); i++) {
		if (!text_equal(json_string_at(json_array_get(env, i), "name", NULL), name))
			continue;
		value = json_string_at(json_array_get(env, i), "value", NULL);
		count++;
	}
	assert_true(count <= 1);
	return value;
}

void assert_text(const json_t *value, const char *path, const char *expected)
{
	const char *text = json_string_at(value, path, NULL);
	assert_non_null(text);
	assert_string_equal(text, expected);
}

Flyteidl__Core__Resources *memory_request(struct arena *arena, const char *value)
{
	Flyteidl__Core__Resources *resources = proto_new(arena, flyteidl__core__resources);
	Flyteidl__Core__Resources__ResourceEntry *entry =
	        (void *)proto_new_of(arena, &flyteidl__core__resources__resource_entry__descriptor);
	entry->name = FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__MEMORY;
	entry->value = arena_strdup(arena, value);
	proto_append(arena, resources->n_requests, resources->requests, entry);
	return resources;
}

void add_secret(struct fixture *fixture, const char *group, const char *key, Flyteidl__Core__Secret__MountType mount,
                const char *env_var)
{
	struct arena *arena = &fixture->arena;
	Flyteidl__Core__Secret *secret = proto_new(arena, flyteidl__core__secret);
	secret->group = arena_strdup(arena, group);
	secret->key = arena_strdup(arena, key);
	secret->mount_requirement = mount;
	secret->env_var = arena_strdup(arena, env_var);
	if (!fixture->task->security_context)
		fixture->task->security_context = proto_new(arena, flyteidl__core__security_context);
	proto_append(arena, fixture->task->security_context->n_secrets, fixture->task->security_context->secrets,
	             secret);
}

static Google__Protobuf__Value *text_value(struct arena *arena, const char *text)
{
	Google__Protobuf__Value *value = proto_new(arena, google__protobuf__value);
	value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
	value->string_value = arena_strdup(arena, text);
	return value;
}

Google__Protobuf__Value *to_value(struct arena *arena, const json_t *json)
{
	Google__Protobuf__Value *value = proto_new(arena, google__protobuf__value);
	if (json_is_string(json))
		return text_value(arena, json_string_value(json));
	if (json_is_number(json)) {
		value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
		value->number_value = json_number_value(json);
	} else if (json_is_array(json)) {
		value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE;
		value->list_value = proto_new(arena, google__protobuf__list_value);
		for (size_t i = 0; i < json_array_size(json); i++)
			proto_append(arena, value->list_value->n_values, value->list_value->values,
			             to_value(arena, json_array_get(json, i)));
	} else {
		assert_true(json_is_object(json));
		value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE;
		value->struct_value = proto_new(arena, google__protobuf__struct);
		for (void *at = json_object_iter((json_t *)(uintptr_t)json); at;
		     at = json_object_iter_next((json_t *)(uintptr_t)json, at)) {
			Google__Protobuf__Struct__FieldsEntry *entry =
			        new_nested(arena, google__protobuf__struct__fields_entry);
			entry->key = arena_strdup(arena, json_object_iter_key(at));
			entry->value = to_value(arena, json_object_iter_value(at));
			proto_append(arena, value->struct_value->n_fields, value->struct_value->fields, entry);
		}
	}
	return value;
}

void use_pod_spec(struct fixture *fixture, const char *spec)
{
	struct arena *arena = &fixture->arena;
	auto_json json_t *json = json_parse(spec, strlen(spec), "spec", NULL);
	assert_non_null(json);
	fixture->task->type = arena_strdup(arena, "sidecar");
	fixture->task->target_case = FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_K8S_POD;
	fixture->task->k8s_pod = proto_new(arena, flyteidl__core__k8s_pod);
	fixture->task->k8s_pod->pod_spec = to_value(arena, json)->struct_value;
	Flyteidl__Core__TaskTemplate__ConfigEntry *entry =
	        new_nested(arena, flyteidl__core__task_template__config_entry);
	entry->key = arena_strdup(arena, "primary_container_name");
	entry->value = arena_strdup(arena, "main");
	fixture->task->n_config = 0;
	proto_append(arena, fixture->task->n_config, fixture->task->config, entry);
}

json_t *parse(const char *text)
{
	json_t *json = json_parse(text, strlen(text), "text", NULL);
	if (!json)
		fail_msg("not JSON: %s", text);
	return json;
}

void assert_json(const json_t *value, const char *expected)
{
	auto_json json_t *wanted = parse(expected);
	auto_free char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	if (!json_equal(wanted, value))
		fail_msg("expected %s, got %s", expected, text);
}
