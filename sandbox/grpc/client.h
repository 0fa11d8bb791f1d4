/*
 * Calls to gRPC servers, over base/http: HTTP/2 without TLS (prior knowledge) or with it. Any thread may call; each
 * call has a connection of its own. Unary calls, and streams in which the client has said everything before it listens:
 * that is how Flyte's connectors are spoken to.
 */
#ifndef SANDBOX_GRPC_CLIENT_H
#define SANDBOX_GRPC_CLIENT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/http.h"
#include "proto/message.h"

#include <stdint.h>

struct grpc_client;

/* "host:port", "dns:///host:port", "http://host:port" or "https://host:port"; ERR_INVALID for anything else. The options are those
 * of the HTTP client below: `cancel_fd`, certificates (base/http.h). HTTP/2 it is anyway. */
int grpc_client_open(const char *target, const struct http_client_options *options, struct grpc_client **ret_client,
                     struct err *e);
struct grpc_client *grpc_client_free(struct grpc_client *client);

struct grpc_request {
	const char *method; /* "flyteidl.service.AsyncAgentService/GetTask" */
	const ProtobufCMessage *const *messages;
	size_t message_count;
	int64_t timeout_ms; /* of the whole call; the server is told */
	const ProtobufCMessageDescriptor *response;
	size_t response_maximum; /* bytes of one message; 0: 16 MiB */
	/* Called for each message of the answer, in the arena; -1 with `e` set ends the call. */
	int (*on_response)(void *context, ProtobufCMessage *response, struct err *e);
	void *context;
};

/*
 * 0 when the server has ended the call with OK. Its other codes become our kinds of errors, with its message; a server
 * that is not there, or goes away, is ERR_UNAVAILABLE, and a passed deadline ERR_TIMEOUT. Text of messages is UTF-8
 * without zero bytes (proto_unpack_strict_of), else ERR_INTERNAL; so is what errors say. A server that answers before
 * it has read the request, and resets the stream then (RFC 9113, 8.1), may be ERR_UNAVAILABLE too: when the reset comes
 * while libcurl still sends, it drops the answer (seen with 7.88).
 */
int grpc_client_call(struct grpc_client *client, struct arena *arena, const struct grpc_request *request,
                     struct err *e);
/* One message each way. NULL with `e` set; ERR_INTERNAL when the server sends none or several. */
ProtobufCMessage *grpc_client_unary(struct grpc_client *client, struct arena *arena, const char *method,
                                    const ProtobufCMessage *message, const ProtobufCMessageDescriptor *response,
                                    int64_t timeout_ms, struct err *e);

#endif
