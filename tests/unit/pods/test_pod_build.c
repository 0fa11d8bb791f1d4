/* Pods of container tasks: names, labels, environment, resources, refusals. */
#include "pod_fixture.h"

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
	const struct CMUnitTest tests[] = {
		TEST(test_container_task),
		TEST(test_labels),
		TEST(test_label_values),
		TEST(test_execution_metadata),
		TEST(test_environment),
		TEST(test_the_page_of_the_attempt),
		TEST(test_defaults_of_the_platform),
		TEST(test_resources_and_overrides),
		TEST(test_service_account),
		TEST(test_refusals),
		TEST(test_commands_have_a_maximum),
		TEST(test_shared_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
