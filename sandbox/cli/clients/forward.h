/*
 * The ports of a sandbox behind an SSH engine, on this machine: for as long as a process here joins them through SSH. `start` leaves one
 * behind in the background (`sandbox forward --background`), `stop` and `delete` end it, `status` tells when it is missing. Its lock file,
 * beside the instance's kubeconfig, holds its process id and is locked while it lives: so a left-over file means nothing.
 */
#ifndef SANDBOX_CLI_CLIENTS_FORWARD_H
#define SANDBOX_CLI_CLIENTS_FORWARD_H

#include "cli/framework/cli.h"
#include "cli/instance/ports.h"

/* Its file in the instance's directory. */
#define FORWARD_LOCK "forward.lock"

/* Whether this engine's ports have to be forwarded. */
bool forward_is_needed(const struct cli *cli);
/* The process that forwards this instance's ports, or 0. */
pid_t forward_process(const struct cli *cli);
/* Starts one in the background and waits until it listens; nothing to do when there is one, or none is needed. ERR_CONFLICT "port-taken". */
int forward_start(struct cli *cli, struct err *e);
/* Ends it and waits for that; nothing to do when there is none. */
void forward_stop(const struct cli *cli);
/* Forwards until interrupted or until the connection ends. In the `background`, as forward_start runs it, nothing
 * is said once the ports listen. */
int forward_run(struct cli *cli, const struct ports *ports, bool background, struct err *e);

#endif
