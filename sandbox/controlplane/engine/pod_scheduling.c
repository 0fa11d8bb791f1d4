/*
 * Where a pod may run, and what of the machine it sees beyond CPU and memory: nodes for interruptible tasks, GPU models
 * and their partitions, shared memory (reference §2.7; upstream's pod_helper at v1.16.8).
 */
#include "base/text.h"
#include "controlplane/engine/pod_internal.h"

/* The list of node selector terms that a pod requires, made when there is none. Terms are alternatives, so a
 * requirement has to go into each. */
static json_t *required_terms(json_t *spec)
{
	json_t *at = spec;
	static const char *const path[] = { "affinity", "nodeAffinity",
		                            "requiredDuringSchedulingIgnoredDuringExecution" };
	for (size_t i = 0; i < ARRAY_LENGTH(path); i++) {
		json_t *next = json_object_get(at, path[i]);
		if (!json_is_object(next)) {
			next = json_object();
			json_object_set_new(at, path[i], next);
		}
		at = next;
	}
	json_t *terms = pod_list_of(at, "nodeSelectorTerms");
	if (!json_array_size(terms))
		json_array_append_new(terms, json_object());
	return terms;
}

/* Takes the requirement over. */
static void require(json_t *spec, json_t *requirement)
{
	json_t *terms = required_terms(spec);
	for (size_t i = 0; i < json_array_size(terms); i++)
		json_array_append(pod_list_of(json_array_get(terms, i), "matchExpressions"), requirement);
	json_decref(requirement);
}

static void require_label(json_t *spec, const char *label, const char *value)
{
	require(spec, json_pack("{s:s, s:s, s:[s]}", "key", label, "operator", "In", "values", value));
	json_array_append_new(pod_list_of(spec, "tolerations"),
	                      json_pack("{s:s, s:s, s:s, s:s}", "key", label, "operator", "Equal", "value", value,
	                                "effect", "NoSchedule"));
}

static bool wants_gpu(const json_t *spec)
{
	const json_t *containers = json_object_get(spec, "containers");
	for (size_t i = 0; i < json_array_size(containers); i++) {
		const json_t *limits = json_lookup(json_array_get(containers, i), "resources/limits");
		if (json_object_get(limits, POD_GPU_RESOURCE))
			return true;
	}
	return false;
}

static const Flyteidl__Core__GPUAccelerator *accelerator_of(const struct pod_request *request)
{
	const Flyteidl__Core__ExtendedResources *above =
	        request->overrides ? request->overrides->extended_resources : NULL;
	const Flyteidl__Core__ExtendedResources *own = request->task->extended_resources;
	return above && above->gpu_accelerator ? above->gpu_accelerator : own ? own->gpu_accelerator : NULL;
}

static void add_accelerator(const struct pod_request *request, json_t *spec)
{
	const Flyteidl__Core__GPUAccelerator *gpu = accelerator_of(request);
	const struct pod_scheduling *rules = &request->defaults->scheduling;
	if (!gpu || !wants_gpu(spec))
		return;
	if (!text_is_empty(gpu->device))
		require_label(spec, rules->gpu_device_label, gpu->device);
	switch (gpu->partition_size_value_case) {
	case FLYTEIDL__CORE__GPUACCELERATOR__PARTITION_SIZE_VALUE_UNPARTITIONED:
		if (gpu->unpartitioned)
			require(spec,
			        json_pack("{s:s, s:s}", "key", rules->gpu_partition_label, "operator", "DoesNotExist"));
		break;
	case FLYTEIDL__CORE__GPUACCELERATOR__PARTITION_SIZE_VALUE_PARTITION_SIZE:
		require_label(spec, rules->gpu_partition_label, gpu->partition_size);
		break;
	default:
		break;
	}
}

/* A memory-backed /dev/shm for the primary container. */
static void add_shared_memory(const struct pod_request *request, json_t *spec, json_t *container)
{
	const Flyteidl__Core__ExtendedResources *above =
	        request->overrides ? request->overrides->extended_resources : NULL;
	const Flyteidl__Core__ExtendedResources *own = request->task->extended_resources;
	const Flyteidl__Core__SharedMemory *memory = above && above->shared_memory ? above->shared_memory
	                                             : own                         ? own->shared_memory
	                                                                           : NULL;
	if (!memory)
		return;
	const char *name = *memory->mount_name ? memory->mount_name : "flyte-shared-memory";
	const char *path = *memory->mount_path ? memory->mount_path : "/dev/shm";
	json_t *volume = json_pack("{s:s, s:{s:s}}", "name", name, "emptyDir", "medium", "Memory");
	if (*memory->size_limit)
		json_object_set_new(json_object_get(volume, "emptyDir"), "sizeLimit", json_string(memory->size_limit));
	json_array_append_new(pod_list_of(spec, "volumes"), volume);
	json_array_append_new(pod_list_of(container, "volumeMounts"),
	                      json_pack("{s:s, s:s}", "name", name, "mountPath", path));
}

static void add_nodes(json_t *spec, const json_t *selector, const json_t *tolerations)
{
	for (size_t i = 0; i < json_array_size(tolerations); i++)
		json_array_append_new(pod_list_of(spec, "tolerations"), json_deep_copy(json_array_get(tolerations, i)));
	if (!json_object_size(selector))
		return;
	if (!json_is_object(json_object_get(spec, "nodeSelector")))
		json_object_set_new(spec, "nodeSelector", json_object());
	pod_merge(json_object_get(spec, "nodeSelector"), selector);
}

void pod_add_scheduling(const struct pod_request *request, json_t *spec, json_t *primary)
{
	if (request->defaults) {
		const struct pod_defaults *defaults = request->defaults;
		add_nodes(spec, defaults->node_selector, defaults->tolerations);
		if (request->interruptible)
			add_nodes(spec, defaults->scheduling.interruptible_node_selector,
			          defaults->scheduling.interruptible_tolerations);
		add_accelerator(request, spec);
	}
	add_shared_memory(request, spec, primary);
}
