/*
 * Answers. A gRPC error without a message is sent as Trailers-Only; everything else as headers, data, trailers. An answer may come
 * before the request's end (unknown gRPC method, too large, deadline): the rest of the body is then dropped and the stream reset with
 * NO_ERROR once the answer is out (RFC 9113, 8.1).
 */
#include "rpc/http2_session.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/text.h"
#include "rpc/reflection.h"

#include <string.h>

#define REFLECTION_PENDING_MAXIMUM ((size_t)256 * 1024)
#define REFLECTION_OUT_MAXIMUM ((size_t)8 * 1024 * 1024)

METRIC_COUNTER(answers_given_up, "sandbox_rpc_stalled_responses_total", "Responses that clients did not take in time.");

/* Answers one reflection request after another as long as little is waiting to be sent. */
static void pump_reflection(struct h2_stream *stream)
{
	struct rpc_exchange *x = stream->x;
	struct rpc_response *response = &stream->response;
	while (x && response->code == GRPC_OK && response->body.length - stream->sent < REFLECTION_PENDING_MAXIMUM) {
		auto_err struct err e = ERR_INIT;
		struct grpc_frame frame = { 0 };
		buf_consume(&response->body, stream->sent);
		stream->sent = 0;
		/* A larger one would wait for ever: h2_replenish() keeps this stream's window to that. */
		int status = grpc_frame_read(x->body.data, x->body.length, H2_STREAM_WINDOW, &frame, &e);
		if (status == 0)
			break;
		if (status > 0 && frame.compressed)
			status = err_set(&e, ERR_UNSUPPORTED, NULL, "compressed reflection requests are not supported");
		if (status > 0)
			status = reflection_answer(x->router->reflection, frame.payload, frame.payload_length,
			                           &response->body, &e);
		buf_consume(&x->body, frame.size);
		if (status < 0) {
			response->code = grpc_code_of(e.kind);
			grpc_encode_message(err_message(&e), GRPC_STATUS_MAXIMUM, &response->grpc_message);
		}
	}
}

/* nghttp2 copies names and values, it just does not say const. */
#define HEADER(header_name, header_value)                                                                              \
	((nghttp2_nv){ .name = (uint8_t *)(uintptr_t)(header_name),                                                    \
	               .value = (uint8_t *)(uintptr_t)(header_value),                                                  \
	               .namelen = strlen(header_name),                                                                 \
	               .valuelen = strlen(header_value) })

/* grpc-status, grpc-message, grpc-status-details-bin; `number` keeps the digits alive. Returns how many were added. */
static size_t status_headers(const struct rpc_response *response, nghttp2_nv *headers, char number[12])
{
	size_t count = 0;
	(void)snprintf(number, 12, "%d", (int)response->code);
	headers[count++] = HEADER("grpc-status", number);
	if (response->grpc_message.length)
		headers[count++] = HEADER("grpc-message", response->grpc_message.data);
	if (response->details.length)
		headers[count++] = HEADER("grpc-status-details-bin", response->details.data);
	return count;
}

static ssize_t read_body(nghttp2_session *nghttp2, int32_t id, uint8_t *room, size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *context)
{
	(void)context;
	struct h2_stream *stream = source->ptr;
	struct rpc_response *response = &stream->response;
	bool streaming = stream->kind == RPC_EXCHANGE_REFLECTION;
	if (streaming) {
		pump_reflection(stream);
		h2_replenish(stream->session);
	}
	size_t left = response->body.length - stream->sent, length = left < size ? left : size;
	if (length) {
		memcpy(room, response->body.data + stream->sent, length);
		stream->session->sent_ms = clock_monotonic_ms();
	}
	stream->sent += length;
	if (length < left)
		return (ssize_t)length;
	if (streaming && !stream->request_ended && response->code == GRPC_OK)
		return length ? (ssize_t)length : NGHTTP2_ERR_DEFERRED;
	if (streaming && length)
		return (ssize_t)length;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (response->grpc) {
		nghttp2_nv trailers[3];
		char number[12];
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (nghttp2_submit_trailer(nghttp2, id, trailers, status_headers(response, trailers, number)) != 0)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return (ssize_t)length;
}

/* The response counts against the session, and has to be taken in time, from now on. */
static void hold_response(struct h2_stream *stream)
{
	struct h2_session *session = stream->session;
	int64_t now = clock_monotonic_ms();
	if (!session->held)
		session->sent_ms = now;
	stream->held = stream->response.body.length;
	session->held += stream->held;
	if (stream->held)
		stream->answer_deadline_ms =
		        rpc_limits_pace_ms(h2_limits(session), h2_stall_ms(session), now, session->held);
}

static int submit_answer(struct h2_stream *stream)
{
	const struct rpc_response *response = &stream->response;
	nghttp2_nv headers[12 + RPC_EXTRA_HEADERS];
	char status[12], length[24], number[12];
	size_t count = 0;
	bool streaming = stream->kind == RPC_EXCHANGE_REFLECTION && response->code == GRPC_OK;
	bool head_only = response->grpc ? !response->body.length && response->code != GRPC_OK && !streaming
	                                : response->body.length == 0;
	if (stream->submitted)
		return 0;
	stream->submitted = true;
	hold_response(stream);
	(void)snprintf(status, sizeof(status), "%d", response->http_status);
	(void)snprintf(length, sizeof(length), "%zu", response->length);
	headers[count++] = HEADER(":status", status);
	if (response->content_type)
		headers[count++] = HEADER("content-type", response->content_type);
	if (response->location)
		headers[count++] = HEADER("location", response->location);
	if (response->etag)
		headers[count++] = HEADER("etag", response->etag);
	if (response->cache_control)
		headers[count++] = HEADER("cache-control", response->cache_control);
	if (response->allow)
		headers[count++] = HEADER("allow", response->allow);
	for (size_t i = 0; i < response->extra_count; i++)
		headers[count++] = HEADER(response->extra[i].name, response->extra[i].value);
	if (response->grpc)
		headers[count++] = HEADER("grpc-accept-encoding", "identity,gzip");
	else if (response->http_status != 304 && response->http_status != 204)
		headers[count++] = HEADER("content-length", length);
	if (response->grpc && head_only)
		count += status_headers(response, headers + count, number);
	nghttp2_data_provider provider = { .source.ptr = stream, .read_callback = read_body };
	return nghttp2_submit_response(stream->session->nghttp2, stream->id, headers, count,
	                               head_only ? NULL : &provider);
}

static void release_buffered(struct h2_stream *stream)
{
	stream->session->buffered -= stream->buffered;
	stream->buffered = 0;
	h2_replenish(stream->session);
}

/* Answers with an error of ours, whatever state the exchange is in. */
int h2_answer_error(struct h2_stream *stream, enum grpc_code code, const char *message)
{
	struct rpc_exchange *x = steal_ptr(stream->x);
	int status = 0;
	stream->responded = true;
	if (stream->submitted || !x) { /* a reflection stream: it has begun to answer */
		status = nghttp2_submit_rst_stream(stream->session->nghttp2, NGHTTP2_FLAG_NONE, stream->id,
		                                   NGHTTP2_CANCEL);
	} else {
		rpc_response_set_error(&stream->response, rpc_exchange_speaks_grpc(x), code, message, NULL);
		rpc_exchange_dress(x, &stream->response);
		status = submit_answer(stream);
	}
	rpc_exchange_abandon(x);
	release_buffered(stream);
	return status;
}

/* Takes the response out of the exchange, which ends here. */
int h2_answer_exchange(struct h2_stream *stream)
{
	struct rpc_exchange *x = steal_ptr(stream->x);
	stream->response = x->response;
	x->response = (struct rpc_response){ 0 };
	rpc_exchange_dress(x, &stream->response);
	rpc_exchange_free(x);
	stream->responded = true;
	release_buffered(stream);
	return submit_answer(stream);
}

int h2_begin_reflection(struct h2_stream *stream)
{
	stream->response.grpc = true;
	stream->response.http_status = 200;
	stream->response.content_type = "application/grpc";
	rpc_exchange_dress(stream->x, &stream->response);
	buf_init(&stream->response.body, REFLECTION_OUT_MAXIMUM);
	buf_init(&stream->response.grpc_message, GRPC_STATUS_MAXIMUM);
	return submit_answer(stream);
}

/* The client does not take it. */
int h2_give_up_answer(struct h2_stream *stream)
{
	buf_truncate(&stream->response.body, stream->sent);
	metric_add(&answers_given_up, 1);
	return nghttp2_submit_rst_stream(stream->session->nghttp2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
}
