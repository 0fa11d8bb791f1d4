#include "base/text.h"
#include "controlplane/engine/pod.h"
#include "controlplane/engine/pod_internal.h"
#include "proto/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define new_nested(arena, prefix) ((void *)proto_new_of((arena), &prefix##__descriptor))

static const struct pod_environment platform[] = {
	{ "FLYTE_AWS_ENDPOINT", "http://flyte-sandbox-minio.flyte:9000" },
	{ "FLYTE_PLATFORM_INSECURE", "true" },
};
static const struct pod_defaults defaults = {
	.environment = platform,
	.environment_count = ARRAY_LENGTH(platform),
	.resources = { .defaults = { .amounts = { [RESOURCE_CPU] = "100m", [RESOURCE_MEMORY] = "200Mi" } } },
	.scheduling = { .gpu_device_label = "gpu", .gpu_partition_label = "part" },
};

struct fixture {
	struct arena arena;
	Flyteidl__Core__TaskTemplate *task;
	Flyteidl__Admin__ExecutionSpec *spec;
	struct pod_request request;
	struct err e;
	bool needs_task_template;
};

static char **strings(struct arena *arena, size_t count, const char *const *values)
{
	char **copy = arena_array(arena, char *, count);
	for (size_t i = 0; i < count; i++)
		copy[i] = arena_strdup(arena, values[i]);
	return copy;
}

static Flyteidl__Core__KeyValuePair *pair(struct arena *arena, const char *key, const char *value)
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

static int set_up(void **state)
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

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	arena_release(&fixture->arena);
	err_release(&fixture->e);
	free(fixture);
	return 0;
}

static json_t *build(struct fixture *fixture)
{
	json_t *pod = pod_build(&fixture->arena, &fixture->request, &fixture->needs_task_template, &fixture->e);
	if (!pod)
		fail_msg("%s", err_message(&fixture->e));
	return pod;
}

static void expect_refusal(struct fixture *fixture, const char *message)
{
	assert_null(pod_build(&fixture->arena, &fixture->request, NULL, &fixture->e));
	assert_string_equal(err_id(&fixture->e), "BadTaskSpecification");
	assert_non_null(strstr(err_message(&fixture->e), message));
}

static const json_t *container_of(const json_t *pod, const char *list, size_t index)
{
	return json_array_get(json_lookup(pod, list), index);
}

/* The value of a variable, or NULL; fails when it is there twice. */
static const char *variable(const json_t *container, const char *name)
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

static void assert_text(const json_t *value, const char *path, const char *expected)
{
	const char *text = json_string_at(value, path, NULL);
	assert_non_null(text);
	assert_string_equal(text, expected);
}

static void test_container_task(void **state)
{
	struct fixture *fixture = *state;
	auto_json json_t *pod = build(fixture);
	assert_text(pod, "apiVersion", "v1");
	assert_text(pod, "kind", "Pod");
	assert_text(pod, "metadata/name", "exec-n0-1");
	assert_text(pod, "metadata/namespace", "flytesnacks-development");
	assert_text(pod, "spec/restartPolicy", "Never");
	assert_text(pod, "spec/serviceAccountName", "default");
	assert_true(json_is_false(json_lookup(pod, "spec/automountServiceAccountToken")));
	assert_true(json_is_false(json_lookup(pod, "spec/enableServiceLinks")));
	assert_null(json_lookup(pod, "spec/volumes"));
	assert_int_equal(json_array_size(json_lookup(pod, "spec/containers")), 1);
	const json_t *container = container_of(pod, "spec/containers", 0);
	assert_text(container, "name", "exec-n0-1");
	assert_text(container, "image", "cr.flyte.org/flyteorg/flytekit:py3.11-1.16.31");
	assert_text(container, "imagePullPolicy", "IfNotPresent");
	assert_text(container, "terminationMessagePolicy", "FallbackToLogsOnError");
	assert_null(json_object_get(container, "command"));
	assert_string_equal(json_string_value(json_array_get(json_object_get(container, "args"), 2)),
	                    "s3://b/n0/data/inputs.pb");
	assert_string_equal(json_string_value(json_array_get(json_object_get(container, "args"), 3)), "exec_n0_1");
	assert_false(fixture->needs_task_template);
}

static void test_labels(void **state)
{
	struct fixture *fixture = *state;
	auto_json json_t *pod = build(fixture);
	auto_free char *labels = json_dumps(json_lookup(pod, "metadata/labels"), JSON_COMPACT | JSON_SORT_KEYS);
	/* The shard key is FNV-1a-32("exec") mod 32. */
	assert_string_equal(labels,
	                    "{\"" POD_LABEL_NAME "\":\"" POD_LABEL_VALUE
	                    "\",\"domain\":\"development\",\"execution-id\":\"exec\",\"interruptible\":\"false\","
	                    "\"node-id\":\"n0\","
	                    "\"project\":\"flytesnacks\",\"shard-key\":\"28\",\"task-name\":\"wf-module-task-1\","
	                    "\"workflow-name\":\"wf-module-wf\"}");
	auto_free char *annotations =
	        json_dumps(json_lookup(pod, "metadata/annotations"), JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(annotations, "{\"cluster-autoscaler.kubernetes.io/safe-to-evict\":\"false\","
	                                 "\"primary_container_name\":\"exec-n0-1\"}");
}

static void test_label_values(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(65536);
	assert_string_equal(pod_label_value(&arena, "a.b_c D"), "a-b-c-d");
	assert_string_equal(pod_label_value(&arena, "--x--"), "x");
	assert_string_equal(pod_label_value(&arena, ".."), "");
	assert_string_equal(pod_label_value(&arena, "a--b"), "a--b");
	/* 63 characters at most, and none but a letter or digit at the end. */
	assert_string_equal(
	        pod_label_value(&arena, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bc"),
	        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void test_execution_metadata(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->arena;
	Flyteidl__Admin__Labels__ValuesEntry *label = new_nested(arena, flyteidl__admin__labels__values_entry);
	label->key = arena_strdup(arena, "team");
	label->value = arena_strdup(arena, "Blue");
	Flyteidl__Admin__Labels__ValuesEntry *taken = new_nested(arena, flyteidl__admin__labels__values_entry);
	taken->key = arena_strdup(arena, "execution-id");
	taken->value = arena_strdup(arena, "mine");
	fixture->spec->labels = proto_new(arena, flyteidl__admin__labels);
	proto_append(arena, fixture->spec->labels->n_values, fixture->spec->labels->values, label);
	proto_append(arena, fixture->spec->labels->n_values, fixture->spec->labels->values, taken);
	Flyteidl__Admin__Annotations__ValuesEntry *annotation =
	        new_nested(arena, flyteidl__admin__annotations__values_entry);
	annotation->key = arena_strdup(arena, "note");
	annotation->value = arena_strdup(arena, "hi");
	fixture->spec->annotations = proto_new(arena, flyteidl__admin__annotations);
	proto_append(arena, fixture->spec->annotations->n_values, fixture->spec->annotations->values, annotation);
	fixture->request.interruptible = true;
	auto_json json_t *pod = build(fixture);
	assert_text(pod, "metadata/labels/team", "Blue");
	assert_text(pod, "metadata/labels/execution-id", "exec");
	assert_text(pod, "metadata/labels/interruptible", "true");
	assert_text(pod, "metadata/annotations/note", "hi");
}

static void test_environment(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->arena;
	fixture->spec->envs = proto_new(arena, flyteidl__admin__envs);
	proto_append(arena, fixture->spec->envs->n_values, fixture->spec->envs->values,
	             pair(arena, "FLYTE_INTERNAL_IMAGE", "other"));
	proto_append(arena, fixture->spec->envs->n_values, fixture->spec->envs->values,
	             pair(arena, "FLYTE_ATTEMPT_NUMBER", "99"));
	proto_append(arena, fixture->spec->envs->n_values, fixture->spec->envs->values, pair(arena, "EXTRA", "1"));
	auto_json json_t *pod = build(fixture);
	const json_t *container = container_of(pod, "spec/containers", 0);
	static const char *const rows[][2] = {
		{ "FLYTE_INTERNAL_EXECUTION_WORKFLOW", "flytesnacks:development:Wf.Module.wf" },
		{ "FLYTE_INTERNAL_EXECUTION_ID", "exec" },
		{ "FLYTE_INTERNAL_EXECUTION_PROJECT", "flytesnacks" },
		{ "FLYTE_INTERNAL_EXECUTION_DOMAIN", "development" },
		{ "FLYTE_ATTEMPT_NUMBER", "1" },
		{ "FLYTE_INTERNAL_TASK_PROJECT", "flytesnacks" },
		{ "FLYTE_INTERNAL_TASK_DOMAIN", "development" },
		{ "FLYTE_INTERNAL_TASK_NAME", "Wf.Module.task_1__" },
		{ "FLYTE_INTERNAL_TASK_VERSION", "v1" },
		{ "FLYTE_AWS_ENDPOINT", "http://flyte-sandbox-minio.flyte:9000" },
		{ "FLYTE_PLATFORM_INSECURE", "false" }, /* the task's own beats the platform's */
		{ "FLYTE_INTERNAL_IMAGE", "other" },    /* the execution's beats the task's */
		{ "EXTRA", "1" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		assert_non_null(variable(container, rows[i][0]));
		assert_string_equal(variable(container, rows[i][0]), rows[i][1]);
	}
	assert_int_equal(json_array_size(json_object_get(container, "env")), ARRAY_LENGTH(rows));
}

/* Only where the console is known: it must not be a link to nowhere. */
static void test_the_page_of_the_attempt(void **state)
{
	struct fixture *fixture = *state;
	struct pod_defaults with_console = defaults;
	with_console.console_url = "http://localhost:30080/console";
	fixture->request.defaults = &with_console;
	auto_json json_t *pod = build(fixture);
	assert_string_equal(variable(container_of(pod, "spec/containers", 0), "FLYTE_EXECUTION_URL"),
	                    arena_printf(&fixture->arena,
	                                 "http://localhost:30080/console/projects/flytesnacks/domains/development/"
	                                 "executions/exec/nodeId/%s-1/nodes",
	                                 fixture->request.node_id));
	with_console.console_url = "";
	auto_json json_t *without = build(fixture);
	assert_null(variable(container_of(without, "spec/containers", 0), "FLYTE_EXECUTION_URL"));
}

static Flyteidl__Core__Resources *memory_request(struct arena *arena, const char *value)
{
	Flyteidl__Core__Resources *resources = proto_new(arena, flyteidl__core__resources);
	Flyteidl__Core__Resources__ResourceEntry *entry =
	        (void *)proto_new_of(arena, &flyteidl__core__resources__resource_entry__descriptor);
	entry->name = FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__MEMORY;
	entry->value = arena_strdup(arena, value);
	proto_append(arena, resources->n_requests, resources->requests, entry);
	return resources;
}

static void test_resources_and_overrides(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->arena;
	Flyteidl__Core__TaskNodeOverrides *overrides = proto_new(arena, flyteidl__core__task_node_overrides);
	fixture->task->container->resources = memory_request(arena, "300Mi");
	auto_json json_t *plain = build(fixture);
	const json_t *container = container_of(plain, "spec/containers", 0);
	assert_text(container, "resources/requests/memory", "300Mi");
	assert_text(container, "resources/limits/memory", "300Mi");
	assert_text(container, "resources/requests/cpu", "100m");
	assert_null(json_lookup(container, "resources/limits/cpu"));
	overrides->resources = memory_request(arena, "1Gi");
	overrides->container_image = arena_strdup(arena, "localhost:30000/mine:1");
	fixture->request.overrides = overrides;
	auto_json json_t *overridden = build(fixture);
	container = container_of(overridden, "spec/containers", 0);
	assert_text(container, "resources/limits/memory", "1Gi");
	assert_text(container, "image", "localhost:30000/mine:1");
	overrides->resources = memory_request(arena, "1GB");
	expect_refusal(fixture, "\"1GB\" is not a quantity of memory");
}

static Flyteidl__Core__SecurityContext *security(struct arena *arena, const char *account)
{
	Flyteidl__Core__SecurityContext *context = proto_new(arena, flyteidl__core__security_context);
	context->run_as = proto_new(arena, flyteidl__core__identity);
	context->run_as->k8s_service_account = arena_strdup(arena, account);
	return context;
}

static void test_service_account(void **state)
{
	struct fixture *fixture = *state;
	fixture->task->security_context = security(&fixture->arena, "of-the-task");
	auto_json json_t *first = build(fixture);
	assert_text(first, "spec/serviceAccountName", "of-the-task");
	assert_true(json_is_true(json_lookup(first, "spec/automountServiceAccountToken")));
	fixture->spec->security_context = security(&fixture->arena, "of-the-execution");
	auto_json json_t *second = build(fixture);
	assert_text(second, "spec/serviceAccountName", "of-the-execution");
	fixture->spec->security_context = security(&fixture->arena, "default");
	auto_json json_t *third = build(fixture);
	assert_true(json_is_false(json_lookup(third, "spec/automountServiceAccountToken")));
}

static void add_secret(struct fixture *fixture, const char *group, const char *key,
                       Flyteidl__Core__Secret__MountType mount, const char *env_var)
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

static void test_secret_files(void **state)
{
	struct fixture *fixture = *state;
	add_secret(fixture, "User-Info", "Name", FLYTEIDL__CORE__SECRET__MOUNT_TYPE__FILE, "");
	add_secret(fixture, "User-Info", "Mail", FLYTEIDL__CORE__SECRET__MOUNT_TYPE__ANY, "MAIL_FILE");
	auto_json json_t *pod = build(fixture);
	const json_t *container = container_of(pod, "spec/containers", 0);
	auto_free char *volumes = json_dumps(json_lookup(pod, "spec/volumes"), JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(volumes,
	                    "[{\"name\":\"flyte-secret-0\",\"secret\":{\"items\":[{\"key\":\"Name\",\"path\":\"name\"},"
	                    "{\"key\":\"Mail\",\"path\":\"mail\"}],\"optional\":true,\"secretName\":\"User-Info\"}}]");
	auto_free char *mounts = json_dumps(json_object_get(container, "volumeMounts"), JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(
	        mounts,
	        "[{\"mountPath\":\"/etc/flyte/secrets/user-info\",\"name\":\"flyte-secret-0\",\"readOnly\":true}]");
	assert_string_equal(variable(container, "FLYTE_SECRETS_DEFAULT_DIR"), "/etc/flyte/secrets");
	assert_string_equal(variable(container, "FLYTE_SECRETS_FILE_PREFIX"), "");
	assert_string_equal(variable(container, "MAIL_FILE"), "/etc/flyte/secrets/user-info/mail");
	assert_text(pod, "metadata/labels/inject-flyte-secrets", "true");
}

static void test_secret_variables(void **state)
{
	struct fixture *fixture = *state;
	add_secret(fixture, "user-info", "name", FLYTEIDL__CORE__SECRET__MOUNT_TYPE__ENV_VAR, "MY_NAME");
	auto_json json_t *pod = build(fixture);
	const json_t *env = json_object_get(container_of(pod, "spec/containers", 0), "env");
	unsigned found = 0;
	for (size_t i = 0; i < json_array_size(env); i++) {
		const json_t *entry = json_array_get(env, i);
		const char *name = json_string_at(entry, "name", "");
		if (!text_equal(name, "_FSEC_USER-INFO_NAME") && !text_equal(name, "MY_NAME"))
			continue;
		assert_text(entry, "valueFrom/secretKeyRef/name", "user-info");
		assert_text(entry, "valueFrom/secretKeyRef/key", "name");
		assert_true(json_is_true(json_lookup(entry, "valueFrom/secretKeyRef/optional")));
		found++;
	}
	assert_int_equal(found, 2);
	assert_string_equal(variable(container_of(pod, "spec/containers", 0), "FLYTE_SECRETS_ENV_PREFIX"), "_FSEC_");
	assert_null(json_lookup(pod, "spec/volumes"));
	add_secret(fixture, "", "x", FLYTEIDL__CORE__SECRET__MOUNT_TYPE__FILE, "");
	expect_refusal(fixture, "a secret needs a group and a key");
}

static Google__Protobuf__Value *text_value(struct arena *arena, const char *text)
{
	Google__Protobuf__Value *value = proto_new(arena, google__protobuf__value);
	value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
	value->string_value = arena_strdup(arena, text);
	return value;
}

/* jansson's view of a pod spec as the Struct that flytekit sends. */
static Google__Protobuf__Value *to_value(struct arena *arena, const json_t *json)
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

static void use_pod_spec(struct fixture *fixture, const char *spec)
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

static void test_sidecar_task(void **state)
{
	struct fixture *fixture = *state;
	use_pod_spec(fixture, "{\"containers\":[{\"name\":\"helper\",\"image\":\"h\",\"args\":[\"{{.outputPrefix}}\"]},"
	                      "{\"name\":\"main\",\"image\":\"m\",\"command\":[\"{{.taskTemplatePath}}\"],"
	                      "\"ports\":[{\"containerPort\":8080}]}],\"terminationGracePeriodSeconds\":5}");
	auto_json json_t *pod = build(fixture);
	const json_t *helper = container_of(pod, "spec/containers", 0),
	             *main_container = container_of(pod, "spec/containers", 1);
	assert_true(json_is_integer(json_lookup(pod, "spec/terminationGracePeriodSeconds")));
	assert_int_equal(
	        json_integer_at(json_array_get(json_object_get(main_container, "ports"), 0), "containerPort", 0), 8080);
	assert_string_equal(json_string_value(json_array_get(json_object_get(helper, "args"), 0)), "s3://b/n0/data/1");
	assert_string_equal(json_string_value(json_array_get(json_object_get(main_container, "command"), 0)),
	                    "s3://b/n0/data/task.pb");
	assert_true(fixture->needs_task_template);
	assert_string_equal(variable(helper, "FLYTE_INTERNAL_EXECUTION_ID"), "exec");
	assert_text(main_container, "resources/requests/cpu", "100m");
	assert_null(json_object_get(helper, "resources"));
	assert_text(pod, "metadata/annotations/primary_container_name", "main");
}

static void test_sidecar_without_primary(void **state)
{
	struct fixture *fixture = *state;
	use_pod_spec(fixture, "{\"containers\":[{\"name\":\"other\",\"image\":\"m\"}]}");
	expect_refusal(fixture, "primary container [main] not defined");
	fixture->task->n_config = 0;
	expect_refusal(fixture, "config missing [primary_container_name] key");
	fixture->task->k8s_pod->pod_spec = NULL;
	expect_refusal(fixture, "should specify their target as a K8sPod");
}

static void test_refusals(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->arena;
	fixture->task->container->image = arena_strdup(arena, "");
	expect_refusal(fixture, "no image");
	fixture->task->container->image = arena_strdup(arena, "\xff");
	expect_refusal(fixture, "UTF-8");
	fixture->task->target_case = FLYTEIDL__CORE__TASK_TEMPLATE__TARGET__NOT_SET;
	expect_refusal(fixture, "unable to determine Pod configuration");
}

/* ---- PodTemplates ---- */

static json_t *parse(const char *text)
{
	json_t *json = json_parse(text, strlen(text), "text", NULL);
	if (!json)
		fail_msg("not JSON: %s", text);
	return json;
}

static void assert_json(const json_t *value, const char *expected)
{
	auto_json json_t *wanted = parse(expected);
	auto_free char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	if (!json_equal(wanted, value))
		fail_msg("expected %s, got %s", expected, text);
}

/* Scalars replace, lists append, objects merge, nothing changes nothing; false and 0 are something. */
static void test_merge_rules(void **state)
{
	(void)state;
	static const char *const cases[][3] = {
		{ "{\"a\":1,\"b\":2}", "{\"b\":3,\"c\":4}", "{\"a\":1,\"b\":3,\"c\":4}" },
		{ "{\"l\":[1]}", "{\"l\":[1,2]}", "{\"l\":[1,1,2]}" },
		{ "{\"o\":{\"x\":1,\"y\":1}}", "{\"o\":{\"y\":2}}", "{\"o\":{\"x\":1,\"y\":2}}" },
		{ "{\"a\":1,\"b\":\"x\",\"c\":[1],\"d\":{\"e\":1}}", "{\"a\":null,\"b\":\"\",\"c\":[],\"d\":{}}",
		  "{\"a\":1,\"b\":\"x\",\"c\":[1],\"d\":{\"e\":1}}" },
		{ "{\"a\":1,\"b\":true}", "{\"a\":0,\"b\":false}", "{\"a\":0,\"b\":false}" },
		{ "{\"a\":[1]}", "{\"a\":\"text\"}", "{\"a\":\"text\"}" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		auto_json json_t *base = parse(cases[i][0]);
		auto_json json_t *above = parse(cases[i][1]);
		pod_merge(base, above);
		assert_json(base, cases[i][2]);
		assert_json(above, cases[i][1]);
	}
}

#define TEMPLATE(metadata, spec) "{\"template\":{\"metadata\":" metadata ",\"spec\":" spec "}}"

static void test_pod_template(void **state)
{
	struct fixture *fixture = *state;
	auto_json json_t *template = parse(TEMPLATE(
	        "{\"labels\":{\"team\":\"red\",\"project\":\"mine\"},\"annotations\":{\"note\":\"hi\"}}",
	        "{\"containers\":[{\"name\":\"default\",\"image\":\"of-all:1\",\"imagePullPolicy\":\"Always\","
	        "\"env\":[{\"name\":\"A\",\"value\":\"default\"},{\"name\":\"FLYTE_AWS_ENDPOINT\",\"value\":\"mine\"}]}"
	        ","
	        "{\"name\":\"primary\",\"env\":[{\"name\":\"B\",\"value\":\"primary\"}],"
	        "\"resources\":{\"requests\":{\"memory\":\"77Mi\",\"cpu\":\"7m\"}}},"
	        "{\"name\":\"other\",\"image\":\"never-run\"}],"
	        "\"tolerations\":[{\"key\":\"t\"}],\"restartPolicy\":\"OnFailure\",\"serviceAccountName\":\"robot\","
	        "\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}"));
	fixture->request.pod_template = template;
	fixture->task->container->resources = memory_request(&fixture->arena, "300Mi");
	auto_json json_t *pod = build(fixture);
	assert_int_equal(json_array_size(json_lookup(pod, "spec/containers")), 1);
	const json_t *container = container_of(pod, "spec/containers", 0);
	assert_text(container, "name", "exec-n0-1");
	assert_text(container, "image", "cr.flyte.org/flyteorg/flytekit:py3.11-1.16.31");
	assert_text(container, "imagePullPolicy", "Always");
	assert_string_equal(variable(container, "A"), "default");
	assert_string_equal(variable(container, "B"), "primary");
	assert_string_equal(variable(container, "FLYTE_AWS_ENDPOINT"), "mine");
	assert_string_equal(variable(container, "FLYTE_INTERNAL_IMAGE"), "image");
	/* What the task asks for comes first, then the template, then the platform's defaults. */
	assert_text(container, "resources/requests/memory", "300Mi");
	assert_text(container, "resources/requests/cpu", "7m");
	assert_text(pod, "spec/restartPolicy", "Never");
	assert_text(pod, "spec/serviceAccountName", "robot");
	assert_json(json_lookup(pod, "spec/tolerations"), "[{\"key\":\"t\"}]");
	assert_json(json_lookup(pod, "spec/volumes"), "[{\"name\":\"v\",\"emptyDir\":{}}]");
	assert_text(pod, "metadata/labels/team", "red");
	assert_text(pod, "metadata/labels/project", "flytesnacks");
	assert_text(pod, "metadata/annotations/note", "hi");
}

/* A pull policy that Kubernetes made of the template's own image is none. */
static void test_pull_policy_of_a_pod_template(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *image, *policy, *expected;
	} rows[] = {
		{ "placeholder", "Always", "IfNotPresent" },
		{ "r:5000/placeholder:latest", "Always", "IfNotPresent" },
		{ "placeholder:1", "Always", "Always" },
		{ "placeholder:1", "Never", "Never" },
		{ "placeholder", "IfNotPresent", "IfNotPresent" },
		{ "placeholder@sha256:0", "Always", "Always" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_json json_t *template =
		        json_pack("{s:{s:{s:[{s:s, s:s, s:s}]}}}", "template", "spec", "containers", "name", "default",
		                  "image", rows[i].image, "imagePullPolicy", rows[i].policy);
		fixture->request.pod_template = template;
		auto_json json_t *pod = build(fixture);
		assert_text(container_of(pod, "spec/containers", 0), "imagePullPolicy", rows[i].expected);
	}
}

static void test_pod_template_of_a_pod_task(void **state)
{
	struct fixture *fixture = *state;
	auto_json json_t *template =
	        parse(TEMPLATE("{}", "{\"containers\":[{\"name\":\"default\",\"image\":\"d\",\"tty\":true}],"
	                             "\"initContainers\":[{\"name\":\"default-init\",\"image\":\"i\",\"tty\":true}]}"));
	fixture->request.pod_template = template;
	use_pod_spec(fixture, "{\"initContainers\":[{\"name\":\"first\"}],"
	                      "\"containers\":[{\"name\":\"main\",\"image\":\"m\"},{\"name\":\"helper\"}]}");
	auto_json json_t *pod = build(fixture);
	assert_text(container_of(pod, "spec/containers", 0), "image", "m");
	assert_text(container_of(pod, "spec/containers", 1), "name", "helper");
	assert_text(container_of(pod, "spec/containers", 1), "image", "d");
	assert_text(container_of(pod, "spec/initContainers", 0), "name", "first");
	assert_text(container_of(pod, "spec/initContainers", 0), "image", "i");
	assert_true(json_is_true(json_object_get(container_of(pod, "spec/containers", 0), "tty")));
}

static void test_pod_template_name(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->arena;
	bool required = true;
	assert_null(pod_template_name(&fixture->request, &required));
	assert_false(required);
	struct pod_defaults with_default = defaults;
	with_default.pod_template_name = "of-the-platform";
	fixture->request.defaults = &with_default;
	assert_string_equal(pod_template_name(&fixture->request, &required), "of-the-platform");
	assert_false(required);
	fixture->task->metadata = proto_new(arena, flyteidl__core__task_metadata);
	fixture->task->metadata->pod_template_name = arena_strdup(arena, "mine");
	assert_string_equal(pod_template_name(&fixture->request, &required), "mine");
	assert_true(required);
}

static void test_pod_template_override(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->arena;
	Flyteidl__Core__TaskNodeOverrides *overrides = proto_new(arena, flyteidl__core__task_node_overrides);
	auto_json json_t *spec =
	        parse("{\"containers\":[{\"name\":\"mine\",\"image\":\"i\",\"args\":[\"{{.input}}\"]}],"
	              "\"priorityClassName\":\"high\"}");
	overrides->pod_template = proto_new(arena, flyteidl__core__k8s_pod);
	overrides->pod_template->pod_spec = to_value(arena, spec)->struct_value;
	overrides->pod_template->metadata = proto_new(arena, flyteidl__core__k8s_object_metadata);
	Flyteidl__Core__K8sObjectMetadata__LabelsEntry *label =
	        new_nested(arena, flyteidl__core__k8s_object_metadata__labels_entry);
	label->key = arena_strdup(arena, "of");
	label->value = arena_strdup(arena, "the-node");
	proto_append(arena, overrides->pod_template->metadata->n_labels, overrides->pod_template->metadata->labels,
	             label);
	fixture->request.overrides = overrides;
	/* Without a primary container it is none. */
	auto_json json_t *plain = build(fixture);
	assert_null(json_lookup(plain, "spec/priorityClassName"));
	overrides->pod_template->primary_container_name = arena_strdup(arena, "mine");
	auto_json json_t *pod = build(fixture);
	assert_text(pod, "spec/priorityClassName", "high");
	assert_text(pod, "metadata/labels/of", "the-node");
	assert_text(pod, "metadata/annotations/primary_container_name", "mine");
	assert_string_equal(
	        json_string_value(json_array_get(json_object_get(container_of(pod, "spec/containers", 0), "args"), 0)),
	        "s3://b/n0/data/inputs.pb");
	/* One without containers is laid over the task's own. */
	json_object_del(spec, "containers");
	overrides->pod_template->pod_spec = to_value(arena, spec)->struct_value;
	auto_json json_t *own = build(fixture);
	assert_text(own, "spec/priorityClassName", "high");
	assert_text(container_of(own, "spec/containers", 0), "name", "exec-n0-1");
}

/* ---- Nodes ---- */

static void add_gpu(struct fixture *fixture, const char *device)
{
	struct arena *arena = &fixture->arena;
	Flyteidl__Core__Resources *resources = memory_request(arena, "1");
	Flyteidl__Core__Resources__ResourceEntry *entry =
	        (void *)proto_new_of(arena, &flyteidl__core__resources__resource_entry__descriptor);
	entry->name = FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__GPU;
	entry->value = arena_strdup(arena, "1");
	proto_append(arena, resources->n_limits, resources->limits, entry);
	fixture->task->container->resources = resources;
	fixture->task->extended_resources = proto_new(arena, flyteidl__core__extended_resources);
	fixture->task->extended_resources->gpu_accelerator = proto_new(arena, flyteidl__core__gpuaccelerator);
	fixture->task->extended_resources->gpu_accelerator->device = arena_strdup(arena, device);
}

static void test_accelerators(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->arena;
	static const char required[] = "spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution";
	add_gpu(fixture, "nvidia-tesla-a100");
	Flyteidl__Core__GPUAccelerator *gpu = fixture->task->extended_resources->gpu_accelerator;
	auto_json json_t *whole = build(fixture);
	assert_json(json_lookup(whole, required),
	            "{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"gpu\",\"operator\":\"In\","
	            "\"values\":[\"nvidia-tesla-a100\"]}]}]}");
	assert_json(
	        json_lookup(whole, "spec/tolerations"),
	        "[{\"key\":\"gpu\",\"operator\":\"Equal\",\"value\":\"nvidia-tesla-a100\",\"effect\":\"NoSchedule\"}]");
	gpu->partition_size_value_case = FLYTEIDL__CORE__GPUACCELERATOR__PARTITION_SIZE_VALUE_UNPARTITIONED;
	gpu->unpartitioned = true;
	auto_json json_t *unpartitioned = build(fixture);
	const json_t *terms = json_lookup(unpartitioned, "spec/affinity/nodeAffinity/"
	                                                 "requiredDuringSchedulingIgnoredDuringExecution/"
	                                                 "nodeSelectorTerms");
	assert_json(json_array_get(json_object_get(json_array_get(terms, 0), "matchExpressions"), 1),
	            "{\"key\":\"part\",\"operator\":\"DoesNotExist\"}");
	/* Every alternative that a template allows has to have the device. The node's accelerator replaces the task's.
	 */
	auto_json json_t *template = parse(TEMPLATE(
	        "{}",
	        "{\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":"
	        "{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\"}]},{}]}}}}"));
	fixture->request.pod_template = template;
	Flyteidl__Core__TaskNodeOverrides *overrides = proto_new(arena, flyteidl__core__task_node_overrides);
	overrides->extended_resources = proto_new(arena, flyteidl__core__extended_resources);
	overrides->extended_resources->gpu_accelerator = proto_new(arena, flyteidl__core__gpuaccelerator);
	gpu = overrides->extended_resources->gpu_accelerator;
	gpu->partition_size_value_case = FLYTEIDL__CORE__GPUACCELERATOR__PARTITION_SIZE_VALUE_PARTITION_SIZE;
	gpu->partition_size = arena_strdup(arena, "1g.5gb");
	fixture->request.overrides = overrides;
	auto_json json_t *pod = build(fixture);
	assert_json(json_lookup(pod, required),
	            "{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\"},"
	            "{\"key\":\"part\",\"operator\":\"In\",\"values\":[\"1g.5gb\"]}]},"
	            "{\"matchExpressions\":[{\"key\":\"part\",\"operator\":\"In\",\"values\":[\"1g.5gb\"]}]}]}");
	/* Without a GPU the accelerator is of no interest. */
	fixture->task->container->resources = NULL;
	fixture->request.pod_template = NULL;
	auto_json json_t *without = build(fixture);
	assert_null(json_lookup(without, "spec/affinity"));
	assert_null(json_lookup(without, "spec/tolerations"));
}

static void test_interruptible_nodes(void **state)
{
	struct fixture *fixture = *state;
	auto_json json_t *selector = parse("{\"spot\":\"yes\"}");
	auto_json json_t *tolerations = parse("[{\"key\":\"spot\",\"operator\":\"Exists\"}]");
	struct pod_defaults with_spot = defaults;
	with_spot.scheduling.interruptible_node_selector = selector;
	with_spot.scheduling.interruptible_tolerations = tolerations;
	fixture->request.defaults = &with_spot;
	auto_json json_t *plain = build(fixture);
	assert_null(json_lookup(plain, "spec/nodeSelector"));
	assert_null(json_lookup(plain, "spec/tolerations"));
	fixture->request.interruptible = true;
	auto_json json_t *pod = build(fixture);
	assert_json(json_lookup(pod, "spec/nodeSelector"), "{\"spot\":\"yes\"}");
	assert_json(json_lookup(pod, "spec/tolerations"), "[{\"key\":\"spot\",\"operator\":\"Exists\"}]");
}

/* What the configuration gives every pod; what task and execution say comes before it. */
static void test_defaults_of_the_platform(void **state)
{
	struct fixture *fixture = *state;
	auto_json json_t *variables = parse("{\"SETTING\":\"of the file\",\"FLYTE_INTERNAL_IMAGE\":\"of the file\"}");
	auto_json json_t *labels = parse("{\"colour\":\"red\"}");
	auto_json json_t *annotations = parse("{\"note\":\"kept\"}");
	auto_json json_t *selector = parse("{\"disk\":\"fast\"}");
	auto_json json_t *tolerations = parse("[{\"key\":\"team\",\"operator\":\"Exists\"}]");
	struct pod_defaults all = defaults;
	all.variables = variables;
	all.labels = labels;
	all.annotations = annotations;
	all.node_selector = selector;
	all.tolerations = tolerations;
	all.offload_minimum_mb = 11;
	all.offload_maximum_mb = 22;
	fixture->request.defaults = &all;
	auto_json json_t *pod = build(fixture);
	const json_t *container = container_of(pod, "spec/containers", 0);
	assert_string_equal(variable(container, "SETTING"), "of the file");
	assert_string_equal(variable(container, "FLYTE_INTERNAL_IMAGE"), "image");
	assert_string_equal(variable(container, "_F_L_MIN_SIZE_MB"), "11");
	assert_string_equal(variable(container, "_F_L_MAX_SIZE_MB"), "22");
	assert_text(pod, "metadata/labels/colour", "red");
	assert_text(pod, "metadata/annotations/note", "kept");
	assert_json(json_lookup(pod, "spec/nodeSelector"), "{\"disk\":\"fast\"}");
	assert_json(json_lookup(pod, "spec/tolerations"), "[{\"key\":\"team\",\"operator\":\"Exists\"}]");
	/* No large literals apart: then flytekit must not be told sizes. */
	all.offload_minimum_mb = 0;
	auto_json json_t *without = build(fixture);
	assert_null(variable(container_of(without, "spec/containers", 0), "_F_L_MIN_SIZE_MB"));
}

/* Secrets are for all containers of a pod, the volume is there once. */
static void test_secrets_of_a_pod_task(void **state)
{
	struct fixture *fixture = *state;
	use_pod_spec(fixture, "{\"initContainers\":[{\"name\":\"first\",\"image\":\"i\"}],"
	                      "\"containers\":[{\"name\":\"main\",\"image\":\"m\"}]}");
	add_secret(fixture, "g", "K", FLYTEIDL__CORE__SECRET__MOUNT_TYPE__FILE, "");
	auto_json json_t *pod = build(fixture);
	assert_json(json_lookup(pod, "spec/volumes"),
	            "[{\"name\":\"flyte-secret-0\",\"secret\":{\"secretName\":\"g\",\"optional\":true,"
	            "\"items\":[{\"key\":\"K\",\"path\":\"k\"}]}}]");
	static const char mounts[] =
	        "[{\"name\":\"flyte-secret-0\",\"mountPath\":\"/etc/flyte/secrets/g\",\"readOnly\":true}]";
	assert_json(json_object_get(container_of(pod, "spec/containers", 0), "volumeMounts"), mounts);
	assert_json(json_object_get(container_of(pod, "spec/initContainers", 0), "volumeMounts"), mounts);
}

/* Each argument may be large, but not all of them. */
static void test_commands_have_a_maximum(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->arena;
	arena->maximum = (size_t)256 << 20;
	const size_t count = 20, size = (size_t)1 << 20;
	char **args = arena_array(arena, char *, count);
	for (size_t i = 0; i < count; i++) {
		args[i] = arena_alloc(arena, size + 1);
		memset(args[i], 'x', size);
	}
	fixture->task->container->args = args;
	fixture->task->container->n_args = 7;
	auto_json json_t *pod = build(fixture);
	assert_non_null(pod);
	fixture->task->container->n_args = count;
	expect_refusal(fixture, "longer than");
}

static Flyteidl__Core__VariableMap *variables(struct arena *arena, const char *name)
{
	Flyteidl__Core__VariableMap *map = proto_new(arena, flyteidl__core__variable_map);
	Flyteidl__Core__VariableMap__VariablesEntry *entry =
	        new_nested(arena, flyteidl__core__variable_map__variables_entry);
	entry->key = arena_strdup(arena, name);
	entry->value = proto_new(arena, flyteidl__core__variable);
	proto_append(arena, map->n_variables, map->variables, entry);
	return map;
}

static void test_copilot(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->arena;
	Flyteidl__Core__DataLoadingConfig *config = proto_new(arena, flyteidl__core__data_loading_config);
	config->enabled = true;
	config->output_path = arena_strdup(arena, "/var/outputs");
	config->format = FLYTEIDL__CORE__DATA_LOADING_CONFIG__LITERAL_MAP_FORMAT__YAML;
	fixture->task->container->data_config = config;
	/* Nothing to load, nothing to add. */
	auto_json json_t *plain = build(fixture);
	assert_null(json_lookup(plain, "spec/initContainers"));
	fixture->task->interface = proto_new(arena, flyteidl__core__typed_interface);
	fixture->task->interface->inputs = variables(arena, "x");
	expect_refusal(fixture, "none is configured");
	struct pod_defaults with_copilot = defaults;
	with_copilot.copilot_image = "the-copilot";
	fixture->request.defaults = &with_copilot;
	auto_json json_t *reader = build(fixture);
	assert_int_equal(json_array_size(json_lookup(reader, "spec/initContainers")), 1);
	assert_null(json_lookup(reader, "spec/terminationGracePeriodSeconds"));
	fixture->task->interface->outputs = variables(arena, "y");
	auto_json json_t *pod = build(fixture);
	/* The uploader first: it must be there when the main container ends. */
	const json_t *uploader = container_of(pod, "spec/initContainers", 0),
	             *downloader = container_of(pod, "spec/initContainers", 1);
	assert_text(uploader, "name", "flyte-copilot-uploader");
	assert_text(uploader, "image", "the-copilot");
	assert_text(uploader, "restartPolicy", "Always");
	assert_json(json_object_get(uploader, "volumeMounts"),
	            "[{\"name\":\"flyte-outputs\",\"mountPath\":\"/var/outputs\"}]");
	/* Field 2 of the interface, with variable "y". */
	assert_json(json_object_get(uploader, "args"),
	            "[\"sidecar\",\"--to-raw-output\",\"s3://b/data/ab/exec-n0-1\",\"--to-output-prefix\",\"s3://b/n0/"
	            "data/1\","
	            "\"--from-local-dir\",\"/var/outputs\",\"--interface\",\"EgcKBQoBeRIA\"]");
	assert_text(downloader, "name", "flyte-copilot-downloader");
	assert_null(json_object_get(downloader, "restartPolicy"));
	assert_json(json_object_get(downloader, "args"),
	            "[\"download\",\"--from-remote\",\"s3://b/n0/data/inputs.pb\",\"--to-output-prefix\",\"s3://b/n0/"
	            "data/1\","
	            "\"--to-local-dir\",\"/var/flyte/inputs\",\"--format\",\"YAML\"]");
	assert_string_equal(variable(downloader, "FLYTE_AWS_ENDPOINT"), "http://flyte-sandbox-minio.flyte:9000");
	assert_json(json_object_get(container_of(pod, "spec/containers", 0), "volumeMounts"),
	            "[{\"name\":\"flyte-inputs\",\"mountPath\":\"/var/flyte/inputs\"},"
	            "{\"name\":\"flyte-outputs\",\"mountPath\":\"/var/outputs\"}]");
	assert_json(json_lookup(pod, "spec/volumes"),
	            "[{\"name\":\"flyte-inputs\",\"emptyDir\":{}},{\"name\":\"flyte-outputs\",\"emptyDir\":{}}]");
	assert_int_equal(json_integer_at(pod, "spec/terminationGracePeriodSeconds", 0), 3600);
}

static void test_shared_memory(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->arena;
	fixture->task->extended_resources = proto_new(arena, flyteidl__core__extended_resources);
	fixture->task->extended_resources->shared_memory = proto_new(arena, flyteidl__core__shared_memory);
	fixture->task->extended_resources->shared_memory->size_limit = arena_strdup(arena, "1Gi");
	auto_json json_t *pod = build(fixture);
	const json_t *volume = container_of(pod, "spec/volumes", 0);
	assert_text(volume, "emptyDir/medium", "Memory");
	assert_text(volume, "emptyDir/sizeLimit", "1Gi");
	assert_text(json_array_get(json_object_get(container_of(pod, "spec/containers", 0), "volumeMounts"), 0),
	            "mountPath", "/dev/shm");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_container_task),
		TEST(test_labels),
		TEST(test_label_values),
		TEST(test_execution_metadata),
		TEST(test_the_page_of_the_attempt),
		TEST(test_environment),
		TEST(test_defaults_of_the_platform),
		TEST(test_resources_and_overrides),
		TEST(test_service_account),
		TEST(test_secret_files),
		TEST(test_secret_variables),
		TEST(test_sidecar_task),
		TEST(test_sidecar_without_primary),
		TEST(test_refusals),
		TEST(test_merge_rules),
		TEST(test_pod_template),
		TEST(test_pull_policy_of_a_pod_template),
		TEST(test_pod_template_of_a_pod_task),
		TEST(test_pod_template_name),
		TEST(test_pod_template_override),
		TEST(test_accelerators),
		TEST(test_interruptible_nodes),
		TEST(test_secrets_of_a_pod_task),
		TEST(test_commands_have_a_maximum),
		TEST(test_copilot),
		TEST(test_shared_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
