/* Named volumes. */
#ifndef SANDBOX_DOCKER_VOLUME_H
#define SANDBOX_DOCKER_VOLUME_H

#include "docker/client.h"

/* `labels` is an object of strings. Creating an existing volume succeeds and changes nothing (Engine API,
 * VolumeCreate). */
int docker_volume_create(struct docker_client *client, const char *name, const json_t *labels, struct err *e);
/* ERR_NOT_FOUND when absent. */
json_t *docker_volume_inspect(struct docker_client *client, const char *name, struct err *e);
/* The array of volumes that have the label. */
json_t *docker_volume_list(struct docker_client *client, const char *label, struct err *e);
/* {"NAME": bytes} of all volumes; asks the engine to measure them, which takes a while. */
json_t *docker_volume_sizes(struct docker_client *client, struct err *e);
/* Absent is success. ERR_CONFLICT while a container uses it. */
int docker_volume_remove(struct docker_client *client, const char *name, struct err *e);

#endif
