/* Containers: their life, their state, their output. `container` is a name or an id everywhere. */
#ifndef SANDBOX_DOCKER_CONTAINER_H
#define SANDBOX_DOCKER_CONTAINER_H

#include "docker/client.h"
#include "docker/demux.h"

/* `body` is the Engine API's ContainerCreate body. `ret_id` is owned by the caller. ERR_CONFLICT when the name is
 * taken, ERR_NOT_FOUND when the image is missing. Warnings of the engine are not errors and are dropped. */
int docker_container_create(struct docker_client *client, const char *name, const json_t *body, char **ret_id,
                            struct err *e);
/* Already running is success. */
int docker_container_start(struct docker_client *client, const char *container, struct err *e);
/* SIGTERM (or the image's stop signal), SIGKILL after `grace_seconds`. Already stopped is success. */
int docker_container_stop(struct docker_client *client, const char *container, int grace_seconds, struct err *e);
/* Freezes every process of it. ERR_CONFLICT when it does not run or is paused. */
int docker_container_pause(struct docker_client *client, const char *container, struct err *e);
int docker_container_unpause(struct docker_client *client, const char *container, struct err *e);
/* Kills it if needed; anonymous volumes go too. Absent is success. */
int docker_container_remove(struct docker_client *client, const char *container, struct err *e);
/* The Engine API's ContainerInspect; ERR_NOT_FOUND when absent. */
json_t *docker_container_inspect(struct docker_client *client, const char *container, struct err *e);
/* ContainerList, stopped ones included when `all`; `label` "key" or "key=value", or NULL for every container. */
json_t *docker_container_list(struct docker_client *client, bool all, const char *label, struct err *e);
/* Sets the restart policy ("no", "on-failure" with its maximum, …). */
int docker_container_set_restart(struct docker_client *client, const char *container, const char *policy, int maximum,
                                 struct err *e);

/* Returns when the container has stopped, with its exit code; no time limit. `condition` as in the Engine API:
 * "not-running", "next-exit", "removed". */
int docker_container_wait(struct docker_client *client, const char *container, const char *condition,
                          int *ret_exit_code, struct err *e);

struct docker_log_options {
	int64_t tail; /* lines; negative: all */
	bool follow;  /* until the container stops */
	bool timestamps;
	const char *since; /* RFC 3339 or Unix seconds, or NULL */
};
int docker_container_logs(struct docker_client *client, const char *container, const struct docker_log_options *options,
                          const struct docker_sink *sink, struct err *e);

#endif
