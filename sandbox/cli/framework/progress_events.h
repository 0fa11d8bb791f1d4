/*
 * `start --events`: what happens, one JSON document a line on stdout, in the envelope of every document and with "type"
 * and "time":
 *
 * - step {"step"}: checks, ports, image, restore, container, services, clients, first-task — in this order, those that
 *   are needed
 * - progress {"text"}: a transfer or a build goes on; at most one every half second
 * - message {"text"}: what a person is told
 * - service {"service": {name, status, namespace, message}}: one has changed
 * - result {"result"}: the document of `start -o json`; the last line of a start that went well
 * - error {"error", "check", "bundle"}: the last line of one that did not
 *
 * Readers ignore types that they do not know.
 */
#ifndef SANDBOX_CLI_FRAMEWORK_PROGRESS_EVENTS_H
#define SANDBOX_CLI_FRAMEWORK_PROGRESS_EVENTS_H

#include "cli/framework/cli.h"

/* Nothing unless cli->events. Takes the reference of `members`, an object or NULL. */
void cli_event(struct cli *cli, const char *type, json_t *members);
void cli_step(struct cli *cli, const char *step);

#endif
