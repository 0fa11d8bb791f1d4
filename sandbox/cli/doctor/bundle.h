/*
 * A bundle: what somebody needs who is to find out why a sandbox does not work, in one tar.gz: the error, status,
 * checks, what the engine tells of itself and of the container, the container's log and the services' own logs. Values
 * of environment variables that the person gave are left out. It is made of what can be had: what cannot says why, in
 * its place.
 */
#ifndef SANDBOX_CLI_DOCTOR_BUNDLE_H
#define SANDBOX_CLI_DOCTOR_BUNDLE_H

#include "cli/instance/sandbox.h"

/* Writes the bundle to `path`, which is replaced. `failure` may be NULL. */
int bundle_write(struct cli *cli, const char *path, const struct err *failure, struct err *e);
/* As bundle_write, to ~/.local/state/sandbox/bundles/NAME-TIME.tar.gz (XDG_STATE_HOME), where the newest
 * BUNDLES_MAXIMUM are kept. `ret_path` is owned by the caller. */
int bundle_of_failure(struct cli *cli, const struct err *failure, char **ret_path, struct err *e);

#define BUNDLES_MAXIMUM 10

#endif
