/*
 * The control plane's configuration (docs/guide/configuration.md): a file of this machine, and templates of cluster
 * resources beside it, copied into a running sandbox. The control plane checks the file before it takes the place of the
 * one before, and follows the place, so that nothing is restarted.
 */
#ifndef SANDBOX_CLI_LIFECYCLE_CONTROLPLANE_CONFIG_H
#define SANDBOX_CLI_LIFECYCLE_CONTROLPLANE_CONFIG_H

#include "cli/framework/cli.h"
#include "cli/instance/sandbox.h"

/* "~/.flyte/sandbox/config.yaml" of the instance; free with free(). */
char *controlplane_config_default_file(const struct cli *cli);
/* Checks and puts in place. ERR_INVALID "bad-configuration" with the control plane's words: what was there stays. */
int controlplane_config_put(struct cli *cli, const struct sandbox *sandbox, const char *file, struct err *e);
/* Back to the defaults. */
int controlplane_config_remove(struct cli *cli, const struct sandbox *sandbox, struct err *e);

#endif
