#include "docker/volume.h"

#define MEASURE_MS INT64_C(120000)

int docker_volume_create(struct docker_client *client, const char *name, const json_t *labels, struct err *e)
{
	auto_json json_t *body = json_pack("{s:s, s:O}", "Name", name, "Labels", labels);
	auto_json json_t *answer = docker_call_json(
	        client, &(struct docker_request){ .method = "POST", .path = "/volumes/create", .body = body }, e);
	return answer ? 0 : err_wrap(e, "cannot create the volume '%s'", name);
}

json_t *docker_volume_inspect(struct docker_client *client, const char *name, struct err *e)
{
	auto_free char *encoded = docker_encode(name);
	return docker_get(client, e, "/volumes/%s", encoded);
}

int docker_volume_remove(struct docker_client *client, const char *name, struct err *e)
{
	auto_free char *encoded = docker_encode(name);
	auto_err struct err problem = ERR_INIT;
	if (docker_do(client, "DELETE", &problem, "/volumes/%s", encoded) >= 0 || problem.kind == ERR_NOT_FOUND)
		return 0;
	err_move(e, &problem);
	return err_wrap(e, "cannot remove the volume '%s'", name);
}

json_t *docker_volume_list(struct docker_client *client, const char *label, struct err *e)
{
	auto_json json_t *filters = json_pack("{s:[s]}", "label", label);
	auto_free char *text = json_to_text(filters);
	auto_free char *encoded = docker_encode(text);
	auto_json json_t *answer = docker_get(client, e, "/volumes?filters=%s", encoded);
	if (!answer)
		return NULL;
	json_t *list = json_object_get(answer, "Volumes");
	return json_is_array(list) ? json_incref(list) : json_array(); /* an engine without volumes says null */
}

json_t *docker_volume_sizes(struct docker_client *client, struct err *e)
{
	/* The type is known since API 1.42; older engines measure everything. */
	auto_json json_t *answer = docker_call_json(
	        client,
	        &(struct docker_request){ .method = "GET", .path = "/system/df?type=volume", .timeout_ms = MEASURE_MS },
	        e);
	if (!answer)
		return NULL;
	json_t *sizes = json_object();
	size_t i;
	json_t *volume;
	json_array_foreach(json_object_get(answer, "Volumes"), i, volume) json_object_set_new(
	        sizes, json_string_at(volume, "Name", ""), json_integer(json_integer_at(volume, "UsageData/Size", -1)));
	return sizes;
}
