/* Removing an instance: what the engine has of it, and what clients on this machine know. */
#ifndef SANDBOX_CLI_LIFECYCLE_REMOVAL_H
#define SANDBOX_CLI_LIFECYCLE_REMOVAL_H

#include "cli/framework/cli.h"

/* Removes the container, what clients on this machine know of the instance (as `sandbox delete` does), and the volume
 * when `volume`. Absent is success. The caller holds the instance's lock. */
int instance_remove(struct cli *cli, bool volume, struct err *e);

#endif
