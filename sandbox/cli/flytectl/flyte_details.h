/* `get execution NAME --details`: the nodes of an execution with their tasks, inputs and outputs. */
#ifndef SANDBOX_CLI_FLYTECTL_FLYTE_DETAILS_H
#define SANDBOX_CLI_FLYTECTL_FLYTE_DETAILS_H

#include "cli/flytectl/flyte_client.h"

/* `node` or NULL: only that one. A tree for people, JSON or YAML as flytectl's NodeExecutionClosure. */
int flyte_details_print(struct flyte *flyte, const char *execution, const char *node, struct err *e);

#endif
