/* Removing what is not wanted any more. */
#ifndef SANDBOX_CLI_LIFECYCLE_PRUNE_H
#define SANDBOX_CLI_LIFECYCLE_PRUNE_H

#include "cli/framework/cli.h"

struct prune_wish {
	bool dry_run;
	bool volumes;     /* also volumes without a container whose lifetime has no end */
	const char *only; /* this instance alone, by its whole name; NULL: all */
};

/* Removes every instance whose lifetime is over (lifetime.h), each under its lock, after a second look under it.
 * Appends
 * {"name", "reason"} to `removed` for each. Goes on after a failure and returns the last one. */
int prune(struct cli *cli, const struct prune_wish *wish, json_t *removed, struct err *e);

#endif
