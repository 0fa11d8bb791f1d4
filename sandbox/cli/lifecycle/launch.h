/*
 * Bringing a container up: volume, container, start — and taking back what was made when that fails or is interrupted.
 * What was there before stays: a volume with state is never removed here.
 */
#ifndef SANDBOX_CLI_LIFECYCLE_LAUNCH_H
#define SANDBOX_CLI_LIFECYCLE_LAUNCH_H

#include "cli/instance/sandbox.h"
#include "cli/instance/spec.h"

struct launch {
	struct cli *cli;
	struct docker_client *docker; /* for steps that an interrupt must not cut in half */
	char *container;              /* id of the container that was created or started, or NULL */
	bool created_container;       /* by this launch */
	bool created_volume;
	bool started;
};

#define LAUNCH_INIT                                                                                                    \
	{                                                                                                              \
		.cli = NULL                                                                                            \
	}
#define auto_launch __attribute__((cleanup(launch_release)))
void launch_release(struct launch *launch);

/* For a connected `cli`. */
void launch_init(struct launch *launch, struct cli *cli);

/* Makes a container from `body` (spec_build) and starts it. A container of the instance that exists, stopped and made
 * from the same body and image, is started as it is; another one is replaced. `hold` is released just before the engine
 * takes the ports. */
int launch_start(struct launch *launch, const struct sandbox *existing, const json_t *body, const char *image_id,
                 const struct ports *ports, struct port_hold *hold, struct err *e);

/* Removes what this launch created and stops what it started. An interrupt that has come does not matter, another one
 * ends the process. */
int launch_take_back(struct launch *launch, struct err *e);

#endif
