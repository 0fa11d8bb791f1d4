/*
 * The watcher of an owner: a process that `start --owner-pid` leaves behind, detached from terminal and session. It
 * waits for the owner's end by an event, then does what `sandbox prune` would do for this one instance, and ends. There
 * is no daemon: should the watcher be killed, or the machine go down, the label remains and `sandbox prune` finds it.
 */
#ifndef SANDBOX_CLI_LIFECYCLE_WATCHER_H
#define SANDBOX_CLI_LIFECYCLE_WATCHER_H

#include "cli/framework/cli.h"
#include "cli/instance/lifetime.h"

/* Call with one thread, before anything of the instance exists. */
int watcher_begin(const struct cli *cli, const struct lifetime *lifetime, struct err *e);

#endif
