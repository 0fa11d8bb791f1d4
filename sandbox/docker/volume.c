#include "docker/volume.h"

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
