/* `start --wait first-task`: the whole way of a client, through the published port: a task is registered, run, and has
 * succeeded. */
#ifndef SANDBOX_CLI_LIFECYCLE_FIRST_TASK_H
#define SANDBOX_CLI_LIFECYCLE_FIRST_TASK_H

#include "cli/instance/sandbox.h"

/* ERR_INTERNAL "first-task" when it fails, ERR_TIMEOUT at the deadline (monotonic), with the phase that it was in. */
int first_task_run(struct cli *cli, const struct sandbox *sandbox, int64_t deadline_ms, struct err *e);

#endif
