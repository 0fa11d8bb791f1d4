/*
 * From rows of executions, node executions and task executions to the messages that clients get. Pure; messages are in
 * the arena and refer to the rows' strings. Which field is filled when: flyteadmin's transformers
 * (pkg/repositories/transformers at v1.16.8).
 */
#ifndef SANDBOX_CONTROLPLANE_API_EXECUTION_MESSAGES_H
#define SANDBOX_CONTROLPLANE_API_EXECUTION_MESSAGES_H

#include "controlplane/store/task_executions.h"

#include "flyteidl/admin/execution.pb-c.h"
#include "flyteidl/admin/node_execution.pb-c.h"
#include "flyteidl/admin/task_execution.pb-c.h"

/* Lists cut error messages to 100 bytes, because consoles ask for thousands of rows and show one line of each. */
enum message_detail { MESSAGE_WHOLE, MESSAGE_IN_LIST };

/* NULL with ERR_INTERNAL when what is stored cannot be read. */
Flyteidl__Admin__Execution *execution_message(struct arena *arena, const struct execution_row *row,
                                              enum message_detail detail, struct err *e);
Flyteidl__Admin__NodeExecution *node_execution_message(struct arena *arena, const struct node_execution_row *row,
                                                       enum message_detail detail, struct err *e);
Flyteidl__Admin__TaskExecution *task_execution_message(struct arena *arena, const struct task_execution_row *row,
                                                       struct err *e);

/* Identifiers, complete as clients send them back. */
Flyteidl__Core__NodeExecutionIdentifier *node_execution_identifier(struct arena *arena,
                                                                   const struct node_execution_key *key);
Flyteidl__Core__TaskExecutionIdentifier *task_execution_identifier(struct arena *arena,
                                                                   const struct task_execution_key *key);
struct node_execution_key node_execution_row_key(const struct node_execution_row *row);
struct task_execution_key task_execution_row_key(const struct task_execution_row *row);

#endif
