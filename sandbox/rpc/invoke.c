#include "rpc/invoke.h"

#include "base/text.h"
#include "rpc/gzip.h"
#include "rpc/router.h"

#include <strings.h>

size_t rpc_invoke_parse_maximum(const struct rpc_exchange *x)
{
	return x->router->limits.arena_maximum / 2;
}

ProtobufCMessage *rpc_invoke_handler(struct rpc_exchange *x, struct arena *arena, const ProtobufCMessage *request,
                                     const ProtobufCMessage **ret_detail, struct err *e)
{
	struct rpc_call call = {
		.arena = arena,
		.request_id = x->request_id,
		.peer_address = x->peer_address,
		.authority = x->head.authority ? x->head.authority : "",
		.deadline_ms = x->deadline_ms,
		.cancel = &x->cancel,
		.request_compressed = x->compress,
	};
	*ret_detail = NULL;
	ProtobufCMessage *response = x->method->handler(x->method_context, &call, request, e);
	x->compress = x->compress || call.compress;
	if (!response) {
		*ret_detail = call.error_detail;
		x->code = call.code;
		if (e->kind == ERR_NONE)
			err_set(e, ERR_INTERNAL, NULL, "%s failed without saying why", x->method->path);
		return NULL;
	}
	if (response->descriptor != x->method->response) {
		err_set(e, ERR_INTERNAL, NULL, "%s answered with a %s", x->method->path,
		        response->descriptor ? response->descriptor->name : "message without type");
		return NULL;
	}
	return response;
}

/* The body of a grpc-web-text request becomes that of a gRPC request. */
static int decode_text(struct rpc_exchange *x, struct err *e)
{
	struct buf bytes = BUF_INIT(x->router->limits.message_maximum + GRPC_FRAME_HEADER_SIZE);
	int status = grpc_web_decode_text(buf_text(&x->body), x->body.length, &bytes, e);
	buf_release(&x->body);
	x->body = bytes;
	return status;
}

/* The one message of a unary request, in the arena. */
static ProtobufCMessage *read_request(struct rpc_exchange *x, struct arena *arena, struct err *e)
{
	size_t maximum = x->router->limits.message_maximum;
	struct grpc_frame frame;
	if (x->web == GRPC_WEB_TEXT && decode_text(x, e) < 0)
		return NULL;
	int status = grpc_frame_read(x->body.data, x->body.length, maximum, &frame, e);
	if (status < 0)
		return NULL;
	if (status == 0 || frame.size != x->body.length) {
		err_set(e, ERR_INTERNAL, "malformed-frame",
		        status ? "more than one message in a unary request"
		               : "the request ended before its message was complete");
		return NULL;
	}
	if (!frame.compressed)
		return proto_unpack_strict_of(arena, x->method->request, frame.payload, frame.payload_length, e);
	if (!x->head.grpc_encoding || strcasecmp(x->head.grpc_encoding, "gzip") != 0) {
		err_set(e, ERR_UNSUPPORTED, "unsupported-encoding",
		        "compressed message with grpc-encoding \"%s\"; gzip is supported",
		        x->head.grpc_encoding ? x->head.grpc_encoding : "");
		return NULL;
	}
	x->compress = true;
	auto_buf struct buf plain = BUF_INIT(maximum);
	if (gzip_expand(frame.payload, frame.payload_length, &plain, e) < 0)
		return NULL;
	return proto_unpack_strict_of(arena, x->method->request, plain.data, plain.length, e);
}

/* The one message in the body. Where it does not get smaller it stays as it is, which is as good an answer. */
static void compress_message(struct rpc_response *response)
{
	struct buf *body = &response->body;
	size_t length = body->length - GRPC_FRAME_HEADER_SIZE;
	auto_buf struct buf packed = BUF_INIT(length);
	uint8_t header[GRPC_FRAME_HEADER_SIZE];
	if (gzip_compress(body->data + GRPC_FRAME_HEADER_SIZE, length, GZIP_FAST, &packed) < 0)
		return;
	grpc_frame_write_header(header, packed.length);
	header[0] = 1;
	buf_clear(body);
	(void)buf_add(body, header, sizeof(header));
	(void)buf_add(body, packed.data, packed.length);
	response->compressed = true;
}

static int write_response(struct rpc_exchange *x, const ProtobufCMessage *message, struct err *e)
{
	size_t length = protobuf_c_message_get_packed_size(message), maximum = x->router->limits.message_maximum;
	if (length > maximum)
		return err_set(e, ERR_EXHAUSTED, "message-too-large",
		               "the response is larger than the maximum (%zu vs. %zu bytes)", length, maximum);
	struct rpc_response *response = &x->response;
	response->grpc = true;
	response->http_status = 200;
	response->content_type = "application/grpc";
	buf_init(&response->body, GRPC_FRAME_HEADER_SIZE + length);
	uint8_t *room = (uint8_t *)buf_reserve(&response->body, GRPC_FRAME_HEADER_SIZE + length);
	grpc_frame_write_header(room, length);
	protobuf_c_message_pack(message, room + GRPC_FRAME_HEADER_SIZE);
	buf_commit(&response->body, GRPC_FRAME_HEADER_SIZE + length);
	if (x->compress && gzip_is_accepted(x->head.grpc_accept_encoding))
		compress_message(response);
	return 0;
}

void rpc_invoke_grpc(struct rpc_exchange *x)
{
	auto_arena struct arena arena = ARENA_INIT(rpc_invoke_parse_maximum(x));
	auto_err struct err e = ERR_INIT;
	const ProtobufCMessage *detail = NULL, *response = NULL;
	const ProtobufCMessage *request = read_request(x, &arena, &e);
	rpc_exchange_release_body(x);
	arena.maximum = x->router->limits.arena_maximum;
	if (request)
		response = rpc_invoke_handler(x, &arena, request, &detail, &e);
	if (!response || write_response(x, response, &e) < 0)
		rpc_response_set_err(&x->response, true, (enum grpc_code)x->code, &e, detail);
}
