/*
 * The environment that clients of an instance need: one table of variables, each with the name of the value as
 * `--override-name` knows it. `sandbox env` prints it for a shell, `sandbox status -o env` as an env file.
 */
#ifndef SANDBOX_CLI_CLIENTS_CLIENT_ENVIRONMENT_H
#define SANDBOX_CLI_CLIENTS_CLIENT_ENVIRONMENT_H

#include "cli/instance/sandbox.h"

/* {"VARIABLE": "value"} in the table's order, for an instance that exists. `overrides` holds "VALUE=VARIABLE" (e.g.
 * "console=NEXT_PUBLIC_URL"): that value gets this variable instead. ERR_USAGE "bad-value" for an unknown value or an
 * impossible variable. A new reference. */
json_t *client_environment(const struct cli *cli, const struct sandbox *sandbox, const struct option_list *overrides,
                           struct err *e);
/* NAME='value' lines, quoted for a POSIX shell where needed; "export " in front when `export`. */
void client_environment_print(const json_t *environment, bool export, FILE *out);

#endif
