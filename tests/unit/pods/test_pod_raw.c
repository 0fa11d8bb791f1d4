/* Pods of pod tasks, whose specification is the user's. */
#include "pod_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sidecar_task),
		TEST(test_sidecar_without_primary),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
