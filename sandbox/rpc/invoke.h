/* Running a handler: the call's arena and limits, and the gRPC form of request and response around it. */
#ifndef SANDBOX_RPC_INVOKE_H
#define SANDBOX_RPC_INVOKE_H

#include "base/arena.h"
#include "rpc/exchange.h"

/* The unary gRPC exchange `x`: frame, decompress, unpack, call, pack. Fills in the response. */
void rpc_invoke_grpc(struct rpc_exchange *x);

/*
 * Calls the exchange's method with a request in `arena`. NULL with `e` set on failure; `ret_detail` is then the
 * handler's error detail or NULL.
 */
ProtobufCMessage *rpc_invoke_handler(struct rpc_exchange *x, struct arena *arena, const ProtobufCMessage *request,
                                     const ProtobufCMessage **ret_detail, struct err *e);

/* What parsing a request may take of the arena, so that the handler has room left whatever came in. */
size_t rpc_invoke_parse_maximum(const struct rpc_exchange *x);

#endif
