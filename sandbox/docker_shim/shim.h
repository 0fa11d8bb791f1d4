/*
 * Command lines of `docker` as the command lines of what the container has: `docker build` is BuildKit's buildctl,
 * whose worker builds into the image store of the kubelet, and images are containerd's (ctr). So pods find what is
 * built at once, and nothing is pushed. Pure: who runs the command is main.c.
 */
#ifndef SANDBOX_DOCKER_SHIM_SHIM_H
#define SANDBOX_DOCKER_SHIM_SHIM_H

#include "base/err.h"

#include <stdbool.h>

struct shim_command {
	char **words; /* ended by NULL; empty: there is nothing to run */
	size_t count;
	bool builds;   /* BuildKit has to be up */
	char *message; /* to be printed instead, or NULL */
};
/* clang-format off */
#define SHIM_COMMAND_INIT { .words = NULL }
/* clang-format on */
#define auto_shim_command __attribute__((cleanup(shim_command_release)))
void shim_command_release(struct shim_command *command);

/* `words` without the program's name. ERR_USAGE for what is malformed, ERR_UNSUPPORTED "docker-shim" for what the
 * sandbox has no use for. */
int shim_translate(char *const *words, size_t count, struct shim_command *ret_command, struct err *e);

#endif
