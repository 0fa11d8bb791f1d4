/*
 * What a service sees of the transport: a unary call that came in over gRPC or REST. Handlers are plain blocking functions that run on
 * the server's worker threads; everything they build lives in the call's arena.
 */
#ifndef SANDBOX_RPC_CALL_H
#define SANDBOX_RPC_CALL_H

#include "base/arena.h"
#include "base/cancel.h"
#include "base/err.h"
#include "proto/message.h"

#include <stdint.h>

struct rpc_call {
	struct arena *arena;
	const char *request_id;   /* unique per call, in every log line about it */
	const char *peer_address; /* numeric address of the client, without port */
	const char *authority;    /* :authority / Host as the client sent it, "" when absent */
	int64_t deadline_ms;      /* monotonic; CLOCK_NEVER when the client set none */
	struct cancel *cancel;    /* requested when nobody waits for the answer any more: reset, disconnected, past the deadline */
	bool request_compressed;  /* a gRPC message that came compressed */
	int code;      /* set by a handler together with an error: the gRPC code to send instead of the one that its kind stands for */
	bool compress; /* set by a handler: a gRPC response is sent compressed, if the client takes that */
	/* Set by a handler together with an error: sent as google.rpc.Status.details (grpc-status-details-bin). In the arena. */
	const ProtobufCMessage *error_detail;
};

/* Returns the response (of the method's response type, in the call's arena) or NULL with `e` set. */
typedef ProtobufCMessage *(*rpc_handler)(void *context, struct rpc_call *call, const ProtobufCMessage *request, struct err *e);

struct rpc_method {
	const char *path; /* "/flyteidl.service.AdminService/GetTask" */
	const ProtobufCMessageDescriptor *request;
	const ProtobufCMessageDescriptor *response;
	rpc_handler handler;
};

/*
 * Errors become gRPC codes by kind, never UNKNOWN (2), because flytekit answers UNKNOWN and UNAUTHENTICATED with a login flow:
 * INVALID, USAGE -> INVALID_ARGUMENT 3; TIMEOUT -> DEADLINE_EXCEEDED 4; NOT_FOUND -> 5; EXISTS -> ALREADY_EXISTS 6; PERMISSION -> 7;
 * EXHAUSTED -> RESOURCE_EXHAUSTED 8; PRECONDITION -> FAILED_PRECONDITION 9; CONFLICT -> ABORTED 10; UNSUPPORTED -> UNIMPLEMENTED 12;
 * INTERNAL -> 13; UNAVAILABLE -> 14; UNAUTHENTICATED -> 16; CANCELLED -> 1.
 */

#endif
