/*
 * ContainerTasks: the task's container knows nothing of Flyte, it reads and writes files. Our copilot (sandbox/copilot)
 * stands beside it: an init container loads the inputs into one volume, and a sidecar — an init container with
 * restartPolicy Always, which the kubelet ends once the main containers have ended — uploads the outputs from another
 * (upstream's flytek8s/copilot.go at v1.16.8; names, paths and the order of containers are the same).
 */
#include "base/base64.h"
#include "base/text.h"
#include "controlplane/engine/pod_internal.h"
#include "proto/message.h"

#define INPUT_VOLUME "flyte-inputs"
#define OUTPUT_VOLUME "flyte-outputs"
#define INPUT_PATH "/var/flyte/inputs"
#define OUTPUT_PATH "/var/flyte/outputs"
/* Room for an upload after the container's end. A pod that is to go is deleted with a grace period of its own. */
#define UPLOAD_SECONDS 3600

static const Flyteidl__Core__DataLoadingConfig *config_of(const Flyteidl__Core__TaskTemplate *task)
{
	switch (task->target_case) {
	case FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER:
		return task->container->data_config;
	case FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_K8S_POD:
		return task->k8s_pod->data_config;
	default:
		return NULL;
	}
}

/* Takes `arguments` over. */
static json_t *copilot_container(const struct pod_request *request, const char *name, json_t *arguments,
                                 const char *volume, const char *path)
{
	return json_pack("{s:s, s:s, s:o, s:{s:{s:s, s:s}, s:{s:s}}, s:[{s:s, s:s}]}", "name", name, "image",
	                 request->defaults->copilot_image, "args", arguments, "resources", "requests", "cpu", "10m",
	                 "memory", "16Mi", "limits", "memory", "512Mi", "volumeMounts", "name", volume, "mountPath",
	                 path);
}

static void add_volume(json_t *spec, json_t *primary, const char *volume, const char *path)
{
	json_array_append_new(pod_list_of(spec, "volumes"), json_pack("{s:s, s:{}}", "name", volume, "emptyDir"));
	json_array_append_new(pod_list_of(primary, "volumeMounts"),
	                      json_pack("{s:s, s:s}", "name", volume, "mountPath", path));
}

static void add_downloader(const struct pod_request *request, const Flyteidl__Core__DataLoadingConfig *config,
                           json_t *spec, json_t *primary)
{
	const char *path = text_is_empty(config->input_path) ? INPUT_PATH : config->input_path;
	const ProtobufCEnumValue *format = protobuf_c_enum_descriptor_get_value(
	        &flyteidl__core__data_loading_config__literal_map_format__descriptor, (int)config->format);
	json_t *arguments = json_pack("[s, s, s, s, s, s, s, s, s]", "download", "--from-remote", request->input_uri,
	                              "--to-output-prefix", request->output_prefix, "--to-local-dir", path, "--format",
	                              format ? format->name : "JSON");
	json_array_append_new(pod_list_of(spec, "initContainers"),
	                      copilot_container(request, POD_DOWNLOADER, arguments, INPUT_VOLUME, path));
	add_volume(spec, primary, INPUT_VOLUME, path);
}

/* The types are all that the uploader needs to know of the outputs. */
static char *encode_interface(struct arena *arena, const Flyteidl__Core__VariableMap *outputs)
{
	Flyteidl__Core__TypedInterface *interface = proto_new(arena, flyteidl__core__typed_interface);
	interface->outputs = (Flyteidl__Core__VariableMap *)(uintptr_t)outputs;
	const struct proto_bytes bytes = proto_pack(arena, &interface->base);
	return base64_encode(bytes.data, bytes.length);
}

/* First of all init containers: it has to be there when the main container ends, however soon. */
static void add_uploader(struct arena *arena, const struct pod_request *request,
                         const Flyteidl__Core__DataLoadingConfig *config, json_t *spec, json_t *primary)
{
	const char *path = text_is_empty(config->output_path) ? OUTPUT_PATH : config->output_path;
	auto_free char *interface = encode_interface(arena, request->task->interface->outputs);
	json_t *arguments = json_pack("[s, s, s, s, s, s, s, s, s]", "sidecar", "--to-raw-output",
	                              request->raw_output_prefix, "--to-output-prefix", request->output_prefix,
	                              "--from-local-dir", path, "--interface", interface);
	json_t *uploader = copilot_container(request, POD_UPLOADER, arguments, OUTPUT_VOLUME, path);
	json_object_set_new(uploader, "restartPolicy", json_string("Always"));
	json_array_insert_new(pod_list_of(spec, "initContainers"), 0, uploader);
	add_volume(spec, primary, OUTPUT_VOLUME, path);
	if (!json_object_get(spec, "terminationGracePeriodSeconds"))
		json_object_set_new(spec, "terminationGracePeriodSeconds", json_integer(UPLOAD_SECONDS));
}

int pod_add_copilot(struct arena *arena, const struct pod_request *request, json_t *spec, json_t *primary,
                    struct err *e)
{
	const Flyteidl__Core__DataLoadingConfig *config = config_of(request->task);
	const Flyteidl__Core__TypedInterface *interface = request->task->interface;
	const bool has_inputs = interface && interface->inputs && interface->inputs->n_variables;
	const bool has_outputs = interface && interface->outputs && interface->outputs->n_variables;
	/* ContainerTasks of flytekit always ask for data loading; without inputs and outputs there is nothing to load.
	 */
	if (!config || !config->enabled || (!has_inputs && !has_outputs))
		return 0;
	if (!request->defaults || text_is_empty(request->defaults->copilot_image))
		return err_set(e, ERR_UNSUPPORTED, POD_BAD_TASK,
		               "the task's inputs and outputs are files of its container (data_config), which needs an "
		               "image with Flyte's copilot, and none is configured");
	if (has_inputs)
		add_downloader(request, config, spec, primary);
	if (has_outputs)
		add_uploader(arena, request, config, spec, primary);
	return 0;
}
