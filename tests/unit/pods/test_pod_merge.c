/* PodTemplates: what is laid over what. */
#include "pod_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_merge_rules),
		TEST(test_pod_template),
		TEST(test_pull_policy_of_a_pod_template),
		TEST(test_pod_template_of_a_pod_task),
		TEST(test_pod_template_name),
		TEST(test_pod_template_override),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
