/*
 * The unary methods of grpc.testing.TestService (https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md), on the
 * transport of the control plane. Writes its port and serves until standard input ends.
 */
#include "base/clock.h"
#include "base/text.h"
#include "rpc/server.h"

#include <grpc/testing/empty.pb-c.h>
#include <grpc/testing/messages.pb-c.h>
#include <stdio.h>
#include <unistd.h>

#define HANDLER(name)                                                                                                  \
	static ProtobufCMessage *name(void *context, struct rpc_call *call, const ProtobufCMessage *message, struct err *e)

HANDLER(empty_call)
{
	(void)context;
	(void)message;
	(void)e;
	return proto_new_of(call->arena, &grpc__testing__empty__descriptor);
}

HANDLER(unary_call)
{
	(void)context;
	const Grpc__Testing__SimpleRequest *request = (const Grpc__Testing__SimpleRequest *)message;
	if (request->expect_compressed && request->expect_compressed->value != call->request_compressed) {
		err_set(e, ERR_INVALID, NULL, "the request is%s compressed", call->request_compressed ? "" : " not");
		return NULL;
	}
	if (request->response_status && request->response_status->code) {
		call->code = request->response_status->code;
		err_set(e, ERR_INTERNAL, NULL, "%s", request->response_status->message);
		return NULL;
	}
	if (request->response_size < 0 || request->response_size > 16 * 1024 * 1024) {
		err_set(e, ERR_INVALID, NULL, "no such size");
		return NULL;
	}
	call->compress = request->response_compressed && request->response_compressed->value;
	Grpc__Testing__SimpleResponse *response = proto_new(call->arena, grpc__testing__simple_response);
	response->payload = proto_new(call->arena, grpc__testing__payload);
	response->payload->body.len = (size_t)request->response_size;
	response->payload->body.data = arena_alloc(call->arena, (size_t)request->response_size);
	return &response->base;
}

#define METHOD(name, request_type, response_type, function)                                                            \
	{                                                                                                              \
		.path = "/grpc.testing.TestService/" name, .request = &grpc__testing__##request_type##__descriptor,    \
		.response = &grpc__testing__##response_type##__descriptor, .handler = function                         \
	}

static const struct rpc_method methods[] = {
	METHOD("EmptyCall", empty, empty, empty_call),
	METHOD("UnaryCall", simple_request, simple_response, unary_call),
};

int main(void)
{
	const struct rpc_service service = { .name = "grpc.testing.TestService", .methods = methods, .method_count = ARRAY_LENGTH(methods) };
	const struct rpc_server_options options = { .address = "127.0.0.1", .services = &service, .service_count = 1 };
	struct rpc_server *server;
	auto_err struct err e = ERR_INIT;
	if (rpc_server_start(&options, &server, &e) < 0) {
		fprintf(stderr, "%s\n", err_message(&e));
		return 1;
	}
	printf("%u\n", rpc_server_port(server));
	fflush(stdout);
	char ignored[16];
	while (read(STDIN_FILENO, ignored, sizeof(ignored)) > 0)
		;
	return rpc_server_stop(server, clock_monotonic_ms() + 5000, &e) < 0;
}
