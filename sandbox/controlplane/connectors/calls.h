/*
 * The calls of flyteidl.service.{AgentMetadata,AsyncAgent,SyncAgent}Service, which flytekit's `pyflyte serve connector`
 * answers. Each opens a connection, has the deadline that the settings give its method, and sets `e` as grpc_client_call
 * does. Messages are in the arena. What only asks can be cut short: by `cancel_fd`, as in base/http.h.
 */
#ifndef SANDBOX_CONTROLPLANE_CONNECTORS_CALLS_H
#define SANDBOX_CONTROLPLANE_CONNECTORS_CALLS_H

#include "controlplane/connectors/catalog.h"
#include "controlplane/store/connector_tasks.h"

/* ERR_UNSUPPORTED from a connector that cannot say what it supports. */
int calls_list(struct arena *arena, const struct connector_place *place, int cancel_fd,
               const Flyteidl__Admin__ListAgentsResponse **ret_agents, struct err *e);
int calls_create(struct arena *arena, const struct connector_place *place, const struct connector_work *work,
                 struct proto_bytes *ret_meta, struct err *e);
/* The resource is what the task has come to. */
int calls_execute(struct arena *arena, const struct connector_place *place, const struct connector_work *work,
                  const Flyteidl__Admin__Resource **ret_resource, struct err *e);
int calls_get(struct arena *arena, const struct connector_place *place, int cancel_fd,
              const struct connector_work *work, const Flyteidl__Admin__Resource **ret_resource, struct err *e);
int calls_delete(struct arena *arena, const struct connector_place *place, const struct connector_work *work,
                 struct err *e);

#endif
