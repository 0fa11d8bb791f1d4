/*
 * What clients on this machine need to find the sandbox: ~/.flyte/config-sandbox.yaml for flytekit and flytectl, and a
 * Kubernetes context, both in a file of its own (~/.flyte/sandbox/kubeconfig) and merged into the user's kubeconfig. An
 * instance that is deleted takes all of it away again.
 */
#ifndef SANDBOX_CLI_CLIENTS_CLIENTS_H
#define SANDBOX_CLI_CLIENTS_CLIENTS_H

#include "cli/instance/sandbox.h"

/* The file for flytekit and flytectl alone, which needs nothing of the container but its ports. */
int clients_configure_flyte(struct cli *cli, const struct sandbox *sandbox, struct err *e);
/* Writes what changed. The kubeconfig is fetched from the container, which must be ready. `make_current` as for
 * kubeconfig_merge. */
int clients_configure(struct cli *cli, const struct sandbox *sandbox, bool make_current, struct err *e);
/* The kubeconfig for this instance, with the address that reaches it from here; a new reference. The sandbox runs. */
int clients_kubeconfig(struct cli *cli, const struct sandbox *sandbox, json_t **ret_kubeconfig, struct err *e);
/* Removes files and context; what is absent already is no error. */
int clients_forget(struct cli *cli, struct err *e);

#endif
