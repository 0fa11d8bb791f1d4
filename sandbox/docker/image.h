/* Images: is it there, pull it, load it from an archive. */
#ifndef SANDBOX_DOCKER_IMAGE_H
#define SANDBOX_DOCKER_IMAGE_H

#include "docker/client.h"

/* One step of a transfer. Texts are borrowed for the call; `total` 0 when unknown. Bytes. */
struct docker_progress {
	const char *id; /* layer, "" for the whole */
	const char *status;
	int64_t current;
	int64_t total;
};
typedef void docker_progress_function(void *context, const struct docker_progress *progress);

/* ERR_NOT_FOUND when the engine does not have it. */
json_t *docker_image_inspect(struct docker_client *client, const char *reference, struct err *e);
/* Pulls `reference` ("latest" when without tag or digest), with the credentials that the docker command would use. The
 * engine reports failures inside a successful answer; they come out as ERR_NOT_FOUND or ERR_UNAVAILABLE "image-pull".
 */
int docker_image_pull(struct docker_client *client, const char *reference, docker_progress_function *progress,
                      void *context, struct err *e);
/* Loads a `docker save` archive, compressed or not. `ret_reference` gets the first image's name as the engine tells it
 * (tag, or "sha256:…"), owned by the caller. */
int docker_image_load(struct docker_client *client, const char *path, docker_progress_function *progress, void *context,
                      char **ret_reference, struct err *e);
/* `target` is "name:tag". */
int docker_image_tag(struct docker_client *client, const char *reference, const char *target, struct err *e);

#endif
