/*
 * AdminService's methods on executions, their nodes and their task attempts. api_execution_methods() (executions.c) is
 *the table; the handlers are spread over files by what they do: executions.c         get, list, archive, terminate,
 *data execution_create.c   create, relaunch, recover execution_metrics.c  where an execution's time went
 *	node_executions.c    nodes
 *	task_executions.c    attempts of tasks
 */
#ifndef SANDBOX_CONTROLPLANE_API_EXECUTIONS_H
#define SANDBOX_CONTROLPLANE_API_EXECUTIONS_H

#include "controlplane/api/api.h"
#include "controlplane/store/task_executions.h"

#include "flyteidl/core/identifier.pb-c.h"

#define EXECUTION_HANDLER(name)                                                                                        \
	ProtobufCMessage *name(void *context, struct rpc_call *call, const ProtobufCMessage *message, struct err *e)

EXECUTION_HANDLER(execution_create);
EXECUTION_HANDLER(execution_relaunch);
EXECUTION_HANDLER(execution_recover);
EXECUTION_HANDLER(execution_get_metrics);
EXECUTION_HANDLER(node_execution_get);
EXECUTION_HANDLER(node_execution_list);
EXECUTION_HANDLER(node_execution_list_for_task);
EXECUTION_HANDLER(node_execution_get_data);
EXECUTION_HANDLER(node_execution_get_dynamic_workflow);
EXECUTION_HANDLER(task_execution_get);
EXECUTION_HANDLER(task_execution_list);
EXECUTION_HANDLER(task_execution_get_data);

/* The detail by which clients tell "already ended" from other preconditions. */
const ProtobufCMessage *execution_already_terminal(struct arena *arena, const char *phase);
/* A node's identifier in messages, as Go's protobuf prints it. */
const char *node_execution_text(struct arena *arena, const struct node_execution_key *key);

/* Identifiers of requests as keys; ERR_INVALID "missing <field>" when they are not complete. Strings are borrowed. */
int node_execution_key_of(const Flyteidl__Core__NodeExecutionIdentifier *id, struct node_execution_key *ret_key,
                          struct err *e);
int task_execution_key_of(const Flyteidl__Core__TaskExecutionIdentifier *id, struct task_execution_key *ret_key,
                          struct err *e);

#endif
