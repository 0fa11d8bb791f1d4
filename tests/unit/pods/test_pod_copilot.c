/* Tasks whose inputs and outputs are files: the copilot's containers. */
#include "pod_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_copilot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
