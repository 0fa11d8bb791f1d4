#include "grpc/client.h"

#include "base/client_pool.h"
#include "base/text.h"
#include "grpc/frames.h"
#include "proto/scalar.h"

#include <inttypes.h>
#include <string.h>

#define REQUEST_MAXIMUM ((size_t)64 * 1024 * 1024)
#define RESPONSE_MAXIMUM ((size_t)16 * 1024 * 1024)
#define MESSAGE_MAXIMUM ((size_t)65536)

struct grpc_client {
	struct client_pool *clients;
	char *base_url;
};

int grpc_client_open(const char *target, const struct http_client_options *options, struct grpc_client **ret_client,
                     struct err *e)
{
	const bool has_scheme = text_starts_with(target, "http://") || text_starts_with(target, "https://");
	const char *host = has_scheme ? strstr(target, "://") + 3 : target;
	if (text_starts_with(host, "dns:///"))
		host += strlen("dns:///");
	const char *colon = strrchr(host, ':');
	int64_t port;
	if (!colon || colon == host || strpbrk(host, "/?# @") || !text_to_int64(colon + 1, 1, 65535, &port))
		return err_set(e, ERR_INVALID, "bad-target", "\"%s\" is not the address of a gRPC server (host:port)",
		               target);
	struct grpc_client *client = xcalloc(1, sizeof(*client));
	struct http_client_options http2 = *options;
	http2.http2 = true;
	client->clients = client_pool_new(&http2);
	client->base_url = xasprintf("%s://%s", text_starts_with(target, "https://") ? "https" : "http", host);
	*ret_client = client;
	return 0;
}

struct grpc_client *grpc_client_free(struct grpc_client *client)
{
	if (!client)
		return NULL;
	client_pool_free(client->clients);
	free(client->base_url);
	free(client);
	return NULL;
}

/* ---- One call ---- */

struct call {
	const struct grpc_request *request;
	struct arena *arena;
	struct grpc_frames frames;
};

static int take_message(void *context, const void *bytes, size_t length, struct err *e)
{
	const struct call *call = context;
	ProtobufCMessage *message = proto_unpack_strict_of(call->arena, call->request->response, bytes, length, e);
	if (!message) {
		/* Not the caller's fault. */
		if (e)
			e->kind = ERR_INTERNAL;
		return -1;
	}
	return call->request->on_response(call->request->context, message, e);
}

static int take_bytes(void *context, const char *bytes, size_t length, struct err *e)
{
	struct call *call = context;
	return grpc_frames_read(&call->frames, bytes, length, e);
}

/* In place: percent-encoding of the message (gRPC over HTTP/2, "Percent-Encoded"). What is malformed stays; what is not
 * UTF-8 then becomes '?', because nobody who is told could keep it. */
static void decode_message(char *text)
{
	char *out = text;
	for (const char *at = text; *at; at++) {
		unsigned value;
		if (*at == '%' && at[1] && at[2] && strspn(at + 1, "0123456789abcdefABCDEF") >= 2 &&
		    sscanf(at + 1, "%2x", &value) == 1 && value) {
			*out++ = (char)value;
			at += 2;
		} else {
			*out++ = *at;
		}
	}
	*out = '\0';
	for (char *at = text; at < out;) {
		const size_t sequence = proto_utf8_sequence(at, (size_t)(out - at));
		if (!sequence)
			*at = '?';
		at += sequence ? sequence : 1;
	}
}

static enum err_kind kind_of_status(int64_t status)
{
	/* By gRPC's numbers, 1 CANCELLED to 16 UNAUTHENTICATED. */
	static const enum err_kind kinds[] = {
		ERR_INTERNAL,    ERR_CANCELLED,  ERR_INTERNAL,    ERR_INVALID,      ERR_TIMEOUT,         ERR_NOT_FOUND,
		ERR_EXISTS,      ERR_PERMISSION, ERR_EXHAUSTED,   ERR_PRECONDITION, ERR_CONFLICT,        ERR_INVALID,
		ERR_UNSUPPORTED, ERR_INTERNAL,   ERR_UNAVAILABLE, ERR_INTERNAL,     ERR_UNAUTHENTICATED,
	};
	return status > 0 && status < (int64_t)ARRAY_LENGTH(kinds) ? kinds[status] : ERR_INTERNAL;
}

/* What an answer that is not gRPC's means ("HTTP to gRPC Status Code Mapping"). */
static enum err_kind kind_of_http(long status)
{
	switch (status) {
	case 401:
		return ERR_UNAUTHENTICATED;
	case 403:
		return ERR_PERMISSION;
	case 404:
		return ERR_UNSUPPORTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return ERR_UNAVAILABLE;
	default:
		return ERR_INTERNAL;
	}
}

static bool has_status(const struct http_response *response)
{
	char text[16];
	return http_response_header(response, "grpc-status", text, sizeof(text));
}

/* Bodies of others than gRPC servers are not looked at. */
static int check_head(void *context, const struct http_response *head, struct err *e)
{
	(void)context;
	if (has_status(head))
		return 0;
	if (head->status != 200)
		return err_set(e, kind_of_http(head->status), "grpc-http", "the server answered with HTTP status %ld",
		               head->status);
	if (!text_starts_with(head->content_type ? head->content_type : "", "application/grpc"))
		return err_set(e, ERR_INTERNAL, "grpc-http", "what answers there is no gRPC server");
	return 0;
}

static int read_status(const struct http_response *response, struct err *e)
{
	char text[16];
	int64_t status;
	if (!http_response_header(response, "grpc-status", text, sizeof(text)))
		return err_set(e, ERR_UNAVAILABLE, "grpc-no-status", "the server ended the call without a status");
	if (!text_to_int64(text, 0, INT32_MAX, &status))
		return err_set(e, ERR_INTERNAL, "grpc-status", "the server's status \"%s\" is no number", text);
	if (status == 0)
		return 0;
	auto_free char *message = xcalloc(1, MESSAGE_MAXIMUM);
	if (!http_response_header(response, "grpc-message", message, MESSAGE_MAXIMUM))
		message[0] = '\0';
	decode_message(message);
	return err_set(e, kind_of_status(status), "grpc-error", "%s", *message ? message : "the server gave no reason");
}

static int perform(struct grpc_client *client, struct call *call, const struct buf *body, struct err *e)
{
	const struct grpc_request *request = call->request;
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_free char *url = xasprintf("%s/%s", client->base_url, request->method);
	char timeout[24];
	/* At most eight digits are allowed. */
	(void)snprintf(timeout, sizeof(timeout), "%" PRId64 "m",
	               request->timeout_ms < 99999999 ? request->timeout_ms : INT64_C(99999999));
	const struct http_header headers[] = { { "Content-Type", "application/grpc" },
		                               { "TE", "trailers" },
		                               { "grpc-timeout", timeout } };
	const struct http_request exchange = {
		.method = "POST",
		.url = url,
		.headers = headers,
		.header_count = ARRAY_LENGTH(headers),
		.body = body->data ? body->data : "",
		.body_length = body->length,
		.on_head = check_head,
		.on_data = take_bytes,
		.context = call,
		.timeout_ms = request->timeout_ms,
	};
	auto_err struct err failure = ERR_INIT;
	const int outcome = client_pool_perform(client->clients, &exchange, &response, &failure);
	/* A server may answer and close the stream before it has read the request: what it said counts. */
	if (outcome < 0 && !(failure.kind == ERR_UNAVAILABLE && has_status(&response)))
		return err_move(e, &failure);
	if (read_status(&response, e) < 0)
		return -1;
	return grpc_frames_end(&call->frames, e);
}

int grpc_client_call(struct grpc_client *client, struct arena *arena, const struct grpc_request *request, struct err *e)
{
	const size_t maximum = request->response_maximum ? request->response_maximum : RESPONSE_MAXIMUM;
	auto_buf struct buf body = BUF_INIT(REQUEST_MAXIMUM);
	struct call call = { .request = request, .arena = arena };
	for (size_t i = 0; i < request->message_count; i++) {
		if (grpc_frame_add(&body, request->messages[i]) < 0)
			return err_set(e, ERR_EXHAUSTED, "grpc-too-large", "the request is longer than %zu bytes",
			               REQUEST_MAXIMUM);
	}
	call.frames = (struct grpc_frames)GRPC_FRAMES_INIT(maximum, take_message, &call);
	const int outcome = perform(client, &call, &body, e);
	grpc_frames_release(&call.frames);
	return outcome < 0 ? err_wrap(e, "%s at %s", request->method, client->base_url) : 0;
}

struct single {
	ProtobufCMessage *message;
	size_t count;
};

static int keep_single(void *context, ProtobufCMessage *response, struct err *e)
{
	struct single *single = context;
	single->message = response;
	return ++single->count > 1 ? err_set(e, ERR_INTERNAL, "grpc-answer", "the server sent more than one message")
	                           : 0;
}

ProtobufCMessage *grpc_client_unary(struct grpc_client *client, struct arena *arena, const char *method,
                                    const ProtobufCMessage *message, const ProtobufCMessageDescriptor *response,
                                    int64_t timeout_ms, struct err *e)
{
	struct single single = { 0 };
	const struct grpc_request request = {
		.method = method,
		.messages = &message,
		.message_count = 1,
		.timeout_ms = timeout_ms,
		.response = response,
		.on_response = keep_single,
		.context = &single,
	};
	if (grpc_client_call(client, arena, &request, e) < 0)
		return NULL;
	if (!single.message)
		err_set(e, ERR_INTERNAL, "grpc-answer", "%s at %s: the server sent no message", method,
		        client->base_url);
	return single.message;
}
