/*
 * grpc.health.v1: Check for "" (the server) and "flyteadmin" (the name upstream's probes ask for). Watch is not
 * offered: UNIMPLEMENTED.
 */
#ifndef SANDBOX_RPC_HEALTH_H
#define SANDBOX_RPC_HEALTH_H

#include "rpc/server.h"

struct rpc_router;

/* The service; its handlers read `router->serving` and `router->draining`. */
struct rpc_service health_service(struct rpc_router *router);

#endif
