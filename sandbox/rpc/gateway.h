/*
 * REST over the same handlers, as grpc-gateway does it: the routes are the google.api.http annotations of the services'
 * methods, read from the descriptor set at start. Path variables, then the body or the query parameters, make the
 * request message; both directions speak proto3 JSON or, as flyteconsole does, binary protobuf.
 */
#ifndef SANDBOX_RPC_GATEWAY_H
#define SANDBOX_RPC_GATEWAY_H

#include "rpc/exchange.h"
#include "rpc/path_template.h"

struct gateway;
struct gateway_match;

/* Routes of every annotated method of the given services; those without a handler answer UNIMPLEMENTED. */
struct gateway *gateway_new(const struct rpc_router *router, const struct rpc_service *services, size_t service_count,
                            struct err *e);
struct gateway *gateway_free(struct gateway *gateway);

/*
 * The route for method and path, or NULL; then `ret_path_known` says whether another method would have matched.
 * ret_route is set to the call's target (its `method` is NULL when the service does not implement it).
 */
struct gateway_match *gateway_find(const struct gateway *gateway, const char *http_method, const char *path,
                                   bool *ret_path_known);
const struct rpc_route *gateway_match_route(const struct gateway_match *match);
struct gateway_match *gateway_match_free(struct gateway_match *match);

/* The binary content type that the client wants to be answered in; NULL: JSON. */
const char *gateway_binary_type(const struct rpc_head *head);

/* Executes an exchange of kind GATEWAY on a worker thread. */
void gateway_execute(struct rpc_exchange *x);

#endif
