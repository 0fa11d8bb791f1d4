/* A container's output handed through to this process's stdout and stderr. */
#ifndef SANDBOX_CLI_INSTANCE_CONTAINER_OUTPUT_H
#define SANDBOX_CLI_INSTANCE_CONTAINER_OUTPUT_H

#include "docker/demux.h"

/* Writes each stream to its descriptor. A closed pipe ends the stream with ERR_CANCELLED "closed-output". */
extern const struct docker_sink container_output_passthrough;

#endif
