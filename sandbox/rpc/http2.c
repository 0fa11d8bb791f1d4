/*
 * HTTP/2 over nghttp2: one session per connection, one stream per exchange. nghttp2 does framing, header compression
 * and its own flood limits; this file adds what it leaves to us: memory, deadlines and the shape of answers.
 *
 * Memory. Request bodies are buffered whole before a call starts, so flow control is ours: a stream's window is given
 * back only while the connection buffers less than BUFFER_SOFT_MAXIMUM. Past that only the oldest unfinished request
 * goes on; it ends sooner or later (complete, refused as too large, or timed out), which frees room for the next. That
 * bounds a connection to the soft maximum plus one message plus a window for each stream, and cannot deadlock.
 *
 * Answers. A gRPC error without a message is sent as Trailers-Only; everything else as headers, data, trailers. An
 * answer may come before the request's end (unknown gRPC method, too large, deadline): the rest of the body is then
 * dropped and the stream reset with NO_ERROR once the answer is out (RFC 9113, 8.1).
 */
#include "base/clock.h"
#include "base/text.h"
#include "rpc/connection.h"
#include "rpc/reflection.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#define STREAMS_MAXIMUM 128
#define HEADER_LIST_MAXIMUM ((size_t)32 * 1024)
#define STREAM_WINDOW (256 * 1024)
#define CONNECTION_WINDOW (4 * 1024 * 1024)
#define BUFFER_SOFT_MAXIMUM ((size_t)32 * 1024 * 1024)
#define REFLECTION_PENDING_MAXIMUM ((size_t)256 * 1024)
#define REFLECTION_OUT_MAXIMUM ((size_t)8 * 1024 * 1024)
#define DROPPED_MAXIMUM ((size_t)64 * 1024)
#define REQUEST_STALL_MS (60 * 1000)
#define REFLECTION_STALL_MS (600 * 1000)
#define IDLE_MS (15 * 60 * 1000)
#define DRAIN_PING_MS 1000

struct h2_session;

struct h2_stream {
	struct h2_session *session;
	int32_t id;
	struct rpc_exchange *x; /* NULL once answered */
	enum rpc_exchange_kind kind;
	struct rpc_response response;
	size_t sent;         /* of response.body */
	size_t header_bytes; /* received, by HPACK's measure */
	size_t buffered;     /* body bytes that count against the session */
	size_t dropped;      /* body bytes that nobody wants */
	size_t unconsumed;   /* body bytes whose window was not given back */
	bool begun;          /* the head was complete */
	bool request_ended;
	bool responded; /* an answer is decided; input is dropped */
	bool submitted;
	int64_t deadline_ms;
	int64_t progress_ms;               /* when the client last sent something */
	struct h2_stream *previous, *next; /* by age */
};

struct h2_session {
	struct rpc_connection *connection;
	nghttp2_session *nghttp2;
	struct h2_stream *oldest, *newest;
	size_t buffered;
	bool draining, goaway_sent;
	int64_t goaway_ms; /* when to send the final GOAWAY even without an answer to the ping */
	int64_t activity_ms;
};

static int submit_answer(struct h2_stream *stream);

static void unlink_stream(struct h2_stream *stream)
{
	struct h2_session *session = stream->session;
	*(stream->previous ? &stream->previous->next : &session->oldest) = stream->next;
	*(stream->next ? &stream->next->previous : &session->newest) = stream->previous;
}

static void stream_free(struct h2_stream *stream)
{
	unlink_stream(stream);
	stream->session->buffered -= stream->buffered;
	rpc_exchange_abandon(stream->x);
	rpc_response_release(&stream->response);
	free(stream);
}

static struct h2_stream *stream_new(struct h2_session *session, int32_t id)
{
	struct h2_stream *stream = xcalloc(1, sizeof(*stream));
	stream->session = session;
	stream->id = id;
	stream->deadline_ms = CLOCK_NEVER;
	stream->progress_ms = clock_monotonic_ms();
	stream->x = rpc_exchange_new(session->connection->router, session->connection->peer_address);
	stream->x->http2 = true;
	stream->previous = session->newest;
	*(session->newest ? &session->newest->next : &session->oldest) = stream;
	session->newest = stream;
	return stream;
}

/* Gives windows back as far as the rule at the top of the file allows. */
static void replenish(struct h2_session *session)
{
	bool first_unfinished = true;
	for (struct h2_stream *stream = session->oldest; stream; stream = stream->next) {
		bool unfinished = !stream->request_ended && !stream->responded;
		bool turn = session->buffered < BUFFER_SOFT_MAXIMUM || (unfinished && first_unfinished) ||
		            stream->responded;
		bool full =
		        stream->kind == RPC_EXCHANGE_REFLECTION && stream->x && stream->x->body.length > STREAM_WINDOW;
		first_unfinished = first_unfinished && !unfinished;
		if (!turn || full || !stream->unconsumed)
			continue;
		(void)nghttp2_session_consume_stream(session->nghttp2, stream->id, stream->unconsumed);
		stream->unconsumed = 0;
	}
}

static void release_buffered(struct h2_stream *stream)
{
	stream->session->buffered -= stream->buffered;
	stream->buffered = 0;
	replenish(stream->session);
}

/* --- answers --- */

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
		/* A larger one would wait for ever: replenish() keeps this stream's window to that. */
		int status = grpc_frame_read(x->body.data, x->body.length, STREAM_WINDOW, &frame, &e);
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
		replenish(stream->session);
	}
	size_t left = response->body.length - stream->sent, length = left < size ? left : size;
	if (length)
		memcpy(room, response->body.data + stream->sent, length);
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

static int submit_answer(struct h2_stream *stream)
{
	const struct rpc_response *response = &stream->response;
	nghttp2_nv headers[12];
	char status[12], length[24], number[12];
	size_t count = 0;
	bool streaming = stream->kind == RPC_EXCHANGE_REFLECTION && response->code == GRPC_OK;
	bool head_only = response->grpc ? !response->body.length && response->code != GRPC_OK && !streaming
	                                : response->body.length == 0;
	if (stream->submitted)
		return 0;
	stream->submitted = true;
	(void)snprintf(status, sizeof(status), "%d", response->http_status);
	(void)snprintf(length, sizeof(length), "%zu", response->body.length);
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
	if (response->grpc)
		headers[count++] = HEADER("grpc-accept-encoding", "identity,gzip");
	else if (response->http_status != 304)
		headers[count++] = HEADER("content-length", length);
	if (response->grpc && head_only)
		count += status_headers(response, headers + count, number);
	nghttp2_data_provider provider = { .source.ptr = stream, .read_callback = read_body };
	return nghttp2_submit_response(stream->session->nghttp2, stream->id, headers, count,
	                               head_only ? NULL : &provider);
}

/* Answers with an error of ours, whatever state the exchange is in. */
static int answer_error(struct h2_stream *stream, enum grpc_code code, const char *message)
{
	bool grpc = !stream->x || rpc_is_grpc_content_type(stream->x->head.content_type);
	rpc_exchange_abandon(stream->x);
	stream->x = NULL;
	stream->responded = true;
	release_buffered(stream);
	if (stream->submitted) /* a reflection stream: the status goes into its trailers */
		return nghttp2_submit_rst_stream(stream->session->nghttp2, NGHTTP2_FLAG_NONE, stream->id,
		                                 NGHTTP2_CANCEL);
	rpc_response_set_error(&stream->response, grpc, code, message, NULL);
	return submit_answer(stream);
}

/* Takes the response out of the exchange, which ends here. */
static int answer_exchange(struct h2_stream *stream)
{
	struct rpc_exchange *x = steal_ptr(stream->x);
	stream->response = x->response;
	x->response = (struct rpc_response){ 0 };
	if (text_equal(x->head.method, "HEAD"))
		buf_release(&stream->response.body);
	rpc_exchange_free(x);
	stream->responded = true;
	release_buffered(stream);
	return submit_answer(stream);
}

/* On the loop thread, when the worker is done. */
static void exchange_finished(void *transport, struct rpc_exchange *x)
{
	struct h2_stream *stream = transport;
	struct rpc_connection *connection = stream->session->connection;
	(void)x;
	if (answer_exchange(stream) != 0)
		connection->broken = true;
	connection->wake(connection->owner);
}

/* --- requests --- */

static int begin_request(struct h2_stream *stream)
{
	struct rpc_exchange *x = stream->x;
	stream->begun = true;
	if (stream->header_bytes > HEADER_LIST_MAXIMUM)
		return answer_error(stream, GRPC_RESOURCE_EXHAUSTED, "the request's headers are too large");
	rpc_router_begin(x->router, x);
	stream->kind = x->kind;
	stream->deadline_ms = x->deadline_ms;
	/* A gRPC client may wait for the answer before it ends its stream. HTTP clients send their request first. */
	if (x->kind == RPC_EXCHANGE_ANSWERED && x->response.grpc)
		return answer_exchange(stream);
	if (x->kind == RPC_EXCHANGE_REFLECTION) {
		stream->response.grpc = true;
		stream->response.http_status = 200;
		stream->response.content_type = "application/grpc";
		buf_init(&stream->response.body, REFLECTION_OUT_MAXIMUM);
		buf_init(&stream->response.grpc_message, GRPC_STATUS_MAXIMUM);
		return submit_answer(stream);
	}
	return 0;
}

static int end_request(struct h2_stream *stream)
{
	stream->request_ended = true;
	if (stream->kind == RPC_EXCHANGE_REFLECTION) {
		(void)nghttp2_session_resume_data(stream->session->nghttp2, stream->id);
		return 0;
	}
	if (stream->responded || !stream->x || stream->x->submitted)
		return 0;
	if (stream->kind == RPC_EXCHANGE_ANSWERED)
		return answer_exchange(stream);
	stream->x->transport = stream;
	stream->x->finished = exchange_finished;
	if (rpc_router_submit(stream->x->router, stream->x) < 0)
		return answer_exchange(stream);
	return 0;
}

static int on_begin_headers(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct h2_stream *stream = stream_new(context, frame->hd.stream_id);
	return nghttp2_session_set_stream_user_data(nghttp2, stream->id, stream) == 0 ? 0
	                                                                              : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *nghttp2, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t value_length, uint8_t flags, void *context)
{
	(void)flags;
	(void)context;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, frame->hd.stream_id);
	if (!stream || stream->begun || !stream->x)
		return 0;
	stream->header_bytes += name_length + value_length + 32; /* RFC 7541, 4.1 */
	if (stream->header_bytes <= HEADER_LIST_MAXIMUM)
		rpc_exchange_set_header(stream->x, (const char *)name, name_length, (const char *)value, value_length);
	return 0;
}

static void send_final_goaway(struct h2_session *session)
{
	if (session->goaway_sent)
		return;
	session->goaway_sent = true;
	(void)nghttp2_submit_goaway(session->nghttp2, NGHTTP2_FLAG_NONE,
	                            nghttp2_session_get_last_proc_stream_id(session->nghttp2), NGHTTP2_NO_ERROR, NULL,
	                            0);
}

static int on_frame_received(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	struct h2_session *session = context;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, frame->hd.stream_id);
	bool carries_request = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
	int status = 0;
	if (frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK && session->draining)
		send_final_goaway(session);
	if (!stream || !carries_request)
		return 0;
	if (!stream->begun && frame->hd.type == NGHTTP2_HEADERS)
		status = begin_request(stream);
	if (status == 0 && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		status = end_request(stream);
	return status == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* Refuses a gRPC message by the length in its header, before its bytes come. */
static bool is_too_large(const struct rpc_exchange *x, struct err *e)
{
	struct grpc_frame frame;
	return x->kind == RPC_EXCHANGE_GRPC &&
	       grpc_frame_read(x->body.data, x->body.length, x->router->message_maximum, &frame, e) < 0;
}

static int take_data(struct h2_stream *stream, const uint8_t *bytes, size_t length)
{
	struct rpc_exchange *x = stream->x;
	auto_err struct err e = ERR_INIT;
	if (x->kind == RPC_EXCHANGE_FILE || x->kind == RPC_EXCHANGE_ANSWERED) {
		stream->dropped += length;
		return stream->dropped <= DROPPED_MAXIMUM
		               ? 0
		               : answer_error(stream, GRPC_INVALID_ARGUMENT, "a request body where none belongs");
	}
	if (buf_add(&x->body, bytes, length) < 0)
		return answer_error(stream, GRPC_RESOURCE_EXHAUSTED, "the request is larger than the maximum");
	if (is_too_large(x, &e))
		return answer_error(stream, grpc_code_of(e.kind), err_message(&e));
	if (x->kind == RPC_EXCHANGE_REFLECTION) {
		(void)nghttp2_session_resume_data(stream->session->nghttp2, stream->id);
		return 0;
	}
	stream->buffered += length;
	stream->session->buffered += length;
	return 0;
}

static int on_data(nghttp2_session *nghttp2, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length,
                   void *context)
{
	(void)flags;
	struct h2_session *session = context;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, id);
	int status = 0;
	(void)nghttp2_session_consume_connection(nghttp2, length);
	if (!stream)
		return 0;
	stream->unconsumed += length;
	stream->progress_ms = clock_monotonic_ms();
	if (!stream->responded && stream->x && !stream->request_ended)
		status = take_data(stream, bytes, length);
	replenish(session);
	return status == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_frame_sent(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	(void)context;
	bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
	            (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS);
	const struct h2_stream *stream =
	        ends ? nghttp2_session_get_stream_user_data(nghttp2, frame->hd.stream_id) : NULL;
	if (stream && !stream->request_ended)
		(void)nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

static int on_stream_close(nghttp2_session *nghttp2, int32_t id, uint32_t error_code, void *context)
{
	(void)error_code;
	struct h2_session *session = context;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, id);
	if (!stream)
		return 0;
	(void)nghttp2_session_set_stream_user_data(nghttp2, id, NULL);
	stream_free(stream);
	replenish(session);
	return 0;
}

/* --- the session as a protocol of connection.h --- */

static nghttp2_session *new_nghttp2_session(struct h2_session *session)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session *nghttp2 = NULL;
	if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
		abort();
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_received);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option_set_no_auto_window_update(option, 1);
	if (nghttp2_session_server_new2(&nghttp2, callbacks, session, option) != 0)
		abort();
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	return nghttp2;
}

static void *h2_open(struct rpc_connection *connection)
{
	struct h2_session *session = xcalloc(1, sizeof(*session));
	session->connection = connection;
	session->activity_ms = clock_monotonic_ms();
	session->goaway_ms = CLOCK_NEVER;
	session->nghttp2 = new_nghttp2_session(session);
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAXIMUM },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAXIMUM },
	};
	if (nghttp2_submit_settings(session->nghttp2, NGHTTP2_FLAG_NONE, settings, ARRAY_LENGTH(settings)) != 0 ||
	    nghttp2_session_set_local_window_size(session->nghttp2, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) != 0)
		connection->broken = true;
	return session;
}

static void h2_close(void *state)
{
	struct h2_session *session = state;
	/* Does not call on_stream_close for the streams that are still open. */
	nghttp2_session_del(session->nghttp2);
	while (session->oldest)
		stream_free(session->oldest);
	free(session);
}

static int h2_input(void *state, const uint8_t *bytes, size_t length)
{
	struct h2_session *session = state;
	session->activity_ms = clock_monotonic_ms();
	ssize_t consumed = nghttp2_session_mem_recv(session->nghttp2, bytes, length);
	return consumed == (ssize_t)length ? 0 : -1;
}

/* A client that is gone for half is gone: HTTP/2 needs both directions. */
static int h2_end_of_input(void *state)
{
	(void)state;
	return -1;
}

static int h2_output(void *state, struct buf *out)
{
	struct h2_session *session = state;
	while (out->length < RPC_OUTPUT_PIECE) {
		const uint8_t *bytes;
		ssize_t length = nghttp2_session_mem_send(session->nghttp2, &bytes);
		if (length == 0)
			return 0;
		if (length < 0 || buf_add(out, bytes, (size_t)length) < 0)
			return -1;
	}
	return 0;
}

static bool h2_wants_input(void *state)
{
	const struct h2_session *session = state;
	return nghttp2_session_want_read(session->nghttp2) != 0;
}

static bool h2_is_over(void *state)
{
	const struct h2_session *session = state;
	return !nghttp2_session_want_read(session->nghttp2) && !nghttp2_session_want_write(session->nghttp2);
}

/* When the client has to have sent more of the request. */
static int64_t stall_deadline(const struct h2_stream *stream)
{
	if (stream->request_ended || stream->responded)
		return CLOCK_NEVER;
	return stream->progress_ms + (stream->kind == RPC_EXCHANGE_REFLECTION ? REFLECTION_STALL_MS : REQUEST_STALL_MS);
}

static int64_t call_deadline(const struct h2_stream *stream)
{
	return stream->responded ? CLOCK_NEVER : stream->deadline_ms;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t h2_deadline(void *state)
{
	const struct h2_session *session = state;
	int64_t deadline = session->goaway_sent ? CLOCK_NEVER : session->goaway_ms;
	if (!session->oldest)
		deadline = earlier(deadline, session->activity_ms + IDLE_MS);
	for (const struct h2_stream *stream = session->oldest; stream; stream = stream->next)
		deadline = earlier(deadline, earlier(call_deadline(stream), stall_deadline(stream)));
	return deadline;
}

static void h2_drain(void *state)
{
	struct h2_session *session = state;
	if (session->draining)
		return;
	/* Two steps (RFC 9113, 6.8): "no new streams, please", and the final number once the client has seen that. */
	session->draining = true;
	session->goaway_ms = clock_monotonic_ms() + DRAIN_PING_MS;
	(void)nghttp2_submit_shutdown_notice(session->nghttp2);
	(void)nghttp2_submit_ping(session->nghttp2, NGHTTP2_FLAG_NONE, NULL);
}

static void h2_tick(void *state, int64_t now_ms)
{
	struct h2_session *session = state;
	if (now_ms >= session->goaway_ms)
		send_final_goaway(session);
	if (!session->oldest && now_ms >= session->activity_ms + IDLE_MS)
		send_final_goaway(session);
	for (struct h2_stream *stream = session->oldest, *next; stream; stream = next) {
		next = stream->next;
		int status = 0;
		if (now_ms >= call_deadline(stream))
			status = answer_error(stream, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
		else if (now_ms >= stall_deadline(stream))
			status = answer_error(stream, GRPC_DEADLINE_EXCEEDED,
			                      "the rest of the request did not come in time");
		if (status != 0)
			session->connection->broken = true;
	}
}

const struct rpc_protocol rpc_http2_protocol = {
	.open = h2_open,
	.close = h2_close,
	.input = h2_input,
	.end_of_input = h2_end_of_input,
	.output = h2_output,
	.wants_input = h2_wants_input,
	.is_over = h2_is_over,
	.deadline = h2_deadline,
	.tick = h2_tick,
	.drain = h2_drain,
};
