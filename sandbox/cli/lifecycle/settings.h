/*
 * What an instance keeps of the options that it was started with: image, memory limit, addresses, ports and
 * environment. They stand in a label of its container, so that `stop` and a bare `start` go on with the same sandbox:
 * an option that nobody says now is what it was before. Said again, it wins, and the container is made anew where that
 * changes it.
 *
 * A sandbox that runs cannot be changed so. Options that it fulfils already are no error, so that the same `start` may
 * come twice; one that it does not fulfil is never passed over.
 */
#ifndef SANDBOX_CLI_LIFECYCLE_SETTINGS_H
#define SANDBOX_CLI_LIFECYCLE_SETTINGS_H

#include "cli/instance/lifetime.h"
#include "cli/instance/sandbox.h"
#include "cli/lifecycle/start_options.h"

/* Puts into `values`, a copy of what the options say, what the instance keeps and nobody has said now. settings_release
 * the copy. */
void settings_recall(const struct cli *cli, const struct sandbox *existing, struct start_values *values);
void settings_release(struct start_values *values);
/* The label for these values: what was said, now or before. Free with free(). */
char *settings_label(const struct cli *cli, const struct start_values *values);
/* Whether a sandbox that runs is what was asked for. ERR_PRECONDITION "settings-differ" tells each difference, who
 * asked for it, and how to get it. */
int settings_check(struct cli *cli, const struct start_values *values, const struct lifetime *lifetime,
                   const struct sandbox *existing, struct err *e);

#endif
