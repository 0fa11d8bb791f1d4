/* Which nodes a pod may run on: accelerators, interruptible nodes. */
#include "pod_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_accelerators),
		TEST(test_interruptible_nodes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
