/*
 * HTTP/2 over nghttp2: one session per connection, one stream per exchange. nghttp2 does framing, header compression
 * and its own flood limits; this file adds what it leaves to us: memory, deadlines and the shape of answers.
 *
 * Memory. Request bodies are buffered whole before a call starts, so flow control is ours: a stream's window is given
 * back only while the connection buffers less than BUFFER_SOFT_MAXIMUM. Past that only the oldest unfinished request
 * goes on; it ends sooner or later (complete, refused as too large, or timed out), which frees room for the next. That
 * bounds a connection to the soft maximum plus one message plus a window for each stream, and cannot deadlock.
 *
 * Responses are held until the client takes them. While a connection holds more than its share of them, its next complete
 * requests wait on their streams, which costs the client's own throughput only; a response that does not move is given up. What the server
 * holds for all clients is bounded by one account (limits.h).
 *
 * Frames that cost the client nothing (pings, settings, resets, window updates, empty data) are paid from a budget that time and our
 * own sending refill; who has used it up is sent away with ENHANCE_YOUR_CALM. nghttp2 itself bounds settings entries, continuation
 * frames and acknowledgements that wait to be sent, and skips frames of unknown types without calling us.
 *
 * Answers. A gRPC error without a message is sent as Trailers-Only; everything else as headers, data, trailers. An
 * answer may come before the request's end (unknown gRPC method, too large, deadline): the rest of the body is then
 * dropped and the stream reset with NO_ERROR once the answer is out (RFC 9113, 8.1).
 */
#include "base/clock.h"
#include "base/metrics.h"
#include "base/text.h"
#include "rpc/connection.h"
#include "rpc/reflection.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#define STREAM_WINDOW (256 * 1024)
#define CONNECTION_WINDOW (4 * 1024 * 1024)
#define BUFFER_SOFT_MAXIMUM ((size_t)32 * 1024 * 1024)
#define REFLECTION_PENDING_MAXIMUM ((size_t)256 * 1024)
#define REFLECTION_OUT_MAXIMUM ((size_t)8 * 1024 * 1024)
#define DROPPED_MAXIMUM ((size_t)64 * 1024)
#define REFLECTION_STREAMS 4
#define REFLECTION_STALL_MS (600 * 1000)
/* A head this many times too large is no mistake any more but an attack (a "header bomb"). */
#define HEADER_BOMB 4
/* What is fed to nghttp2 at once, so that an end that was decided meanwhile is seen. */
#define OUTBOUND_MAXIMUM 4096
/* Smaller pieces of a body cost more to handle than to send. */
#define SMALL_DATA 256
#define INPUT_PIECE ((size_t)16 * 1024)

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
	size_t received;     /* body bytes since pace_ms */
	size_t held;         /* response bytes that count against the session */
	bool withheld;       /* its window is kept shut by us: not the client's fault that nothing comes */
	bool waiting;        /* complete, and not submitted because the session holds too much */
	bool begun;          /* the head was complete */
	bool request_ended;
	bool responded; /* an answer is decided; input is dropped */
	bool submitted;
	int64_t deadline_ms;
	int64_t progress_ms;               /* when the client last sent something */
	int64_t pace_ms;                   /* since when `received` is counted */
	int64_t answer_deadline_ms;        /* when its response has to be out, however well the others do */
	struct h2_stream *previous, *next; /* by age */
};

struct h2_session {
	struct rpc_connection *connection;
	nghttp2_session *nghttp2;
	struct h2_stream *oldest, *newest;
	size_t buffered;
	size_t held;
	unsigned reflection_streams;
	int32_t first_stream; /* the first id that the client used; 0: none yet */
	struct rpc_budget budget;
	bool settings_seen;
	bool sent_away;
	bool draining, goaway_sent;
	int64_t opened_ms;
	int64_t goaway_ms;   /* when to send the final GOAWAY even without an answer to the ping */
	int64_t activity_ms; /* when a whole frame last came */
	int64_t sent_ms;     /* when response bytes last went out, or began to wait */
};

METRIC_COUNTER(sent_away, "sandbox_rpc_abuse_total", "HTTP/2 connections ended with ENHANCE_YOUR_CALM.");
METRIC_COUNTER(answers_given_up, "sandbox_rpc_stalled_responses_total", "Responses that clients did not take in time.");

static const struct rpc_limits *limits_of(const struct h2_session *session)
{
	return &session->connection->router->limits;
}

static int64_t stall_ms(const struct h2_session *session)
{
	return rpc_limits_stall_ms(limits_of(session), &session->connection->router->memory);
}

/* Ends the connection for abuse; what it asked for is dropped. */
static void send_away(struct h2_session *session)
{
	if (!session->sent_away)
		metric_add(&sent_away, 1);
	session->sent_away = true;
	(void)nghttp2_session_terminate_session(session->nghttp2, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void spend(struct h2_session *session, enum rpc_cost cost)
{
	if (!rpc_budget_spend(&session->budget, cost, clock_monotonic_ms()))
		send_away(session);
}

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
	stream->session->held -= stream->held;
	stream->session->reflection_streams -= stream->kind == RPC_EXCHANGE_REFLECTION;
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
	stream->progress_ms = stream->pace_ms = clock_monotonic_ms();
	stream->answer_deadline_ms = CLOCK_NEVER;
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
		if (!turn) {
			stream->withheld = unfinished;
			continue;
		}
		if (stream->withheld) {
			stream->withheld = false;
			stream->received = 0;
			stream->progress_ms = stream->pace_ms = clock_monotonic_ms();
		}
		if (full || !stream->unconsumed)
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
		        rpc_limits_pace_ms(limits_of(session), stall_ms(session), now, session->held);
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

/* Answers with an error of ours, whatever state the exchange is in. */
static int answer_error(struct h2_stream *stream, enum grpc_code code, const char *message)
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
static int answer_exchange(struct h2_stream *stream)
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
	if (stream->header_bytes > limits_of(stream->session)->header_maximum)
		return answer_error(stream, GRPC_RESOURCE_EXHAUSTED, "the request's headers are too large");
	rpc_router_begin(x->router, x);
	stream->kind = x->kind;
	stream->deadline_ms = x->deadline_ms;
	stream->progress_ms = stream->pace_ms = clock_monotonic_ms();
	stream->session->reflection_streams += stream->kind == RPC_EXCHANGE_REFLECTION;
	if (stream->session->reflection_streams > REFLECTION_STREAMS)
		return answer_error(stream, GRPC_RESOURCE_EXHAUSTED, "too many reflection streams on this connection");
	/* A gRPC client may wait for the answer before it ends its stream. HTTP clients send their request first. */
	if (x->kind == RPC_EXCHANGE_ANSWERED && x->response.grpc)
		return answer_exchange(stream);
	if (x->kind == RPC_EXCHANGE_REFLECTION) {
		stream->response.grpc = true;
		stream->response.http_status = 200;
		stream->response.content_type = "application/grpc";
		rpc_exchange_dress(x, &stream->response);
		buf_init(&stream->response.body, REFLECTION_OUT_MAXIMUM);
		buf_init(&stream->response.grpc_message, GRPC_STATUS_MAXIMUM);
		return submit_answer(stream);
	}
	return 0;
}

static int submit_exchange(struct h2_stream *stream)
{
	stream->x->transport = stream;
	stream->x->finished = exchange_finished;
	return rpc_router_submit(stream->x->router, stream->x) < 0 ? answer_exchange(stream) : 0;
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
	stream->waiting = stream->session->held >= limits_of(stream->session)->connection_memory;
	return stream->waiting ? 0 : submit_exchange(stream);
}

/* Responses have left: what waited for that begins, the oldest first. */
static int resume_waiting(struct h2_session *session)
{
	for (struct h2_stream *stream = session->oldest, *next; stream; stream = next) {
		next = stream->next;
		if (session->held >= limits_of(session)->connection_memory)
			break;
		if (!stream->waiting || !stream->x)
			continue;
		stream->waiting = false;
		if (submit_exchange(stream) != 0)
			return -1;
	}
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
	struct h2_session *session = context;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, frame->hd.stream_id);
	if (!stream)
		return 0;
	stream->header_bytes += name_length + value_length + 32; /* RFC 7541, 4.1 */
	if (stream->header_bytes > HEADER_BOMB * limits_of(session)->header_maximum)
		send_away(session);
	if (!stream->begun && stream->x && stream->header_bytes <= limits_of(session)->header_maximum)
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

static int on_begin_frame(nghttp2_session *nghttp2, const nghttp2_frame_hd *head, void *context)
{
	(void)nghttp2;
	struct h2_session *session = context;
	bool ends = head->flags & NGHTTP2_FLAG_END_STREAM;
	switch (head->type) {
	case NGHTTP2_HEADERS:
		/* RFC 9113, 5.1.1: ids rise. nghttp2 takes a smaller one for a stream that it has forgotten; before the first it cannot be. */
		if (!session->first_stream)
			session->first_stream = head->stream_id;
		if (head->stream_id < session->first_stream)
			(void)nghttp2_session_terminate_session(session->nghttp2, NGHTTP2_PROTOCOL_ERROR);
		break;
	case NGHTTP2_DATA:
		if (head->length < SMALL_DATA && !ends)
			spend(session, head->length ? RPC_COST_SMALL_DATA : RPC_COST_EMPTY_DATA);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		spend(session, RPC_COST_WINDOW_UPDATE);
		break;
	case NGHTTP2_PRIORITY:
		spend(session, RPC_COST_PRIORITY);
		break;
	case NGHTTP2_RST_STREAM:
		spend(session, RPC_COST_RESET);
		break;
	case NGHTTP2_SETTINGS:
		spend(session, head->flags & NGHTTP2_FLAG_ACK ? RPC_COST_PING : RPC_COST_SETTINGS);
		break;
	default:
		spend(session, RPC_COST_PING);
	}
	return 0;
}

static int on_frame_received(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	struct h2_session *session = context;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, frame->hd.stream_id);
	bool carries_request = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
	int status = 0;
	session->activity_ms = clock_monotonic_ms();
	session->settings_seen = session->settings_seen || frame->hd.type == NGHTTP2_SETTINGS;
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
	return x->kind == RPC_EXCHANGE_GRPC && x->web != GRPC_WEB_TEXT &&
	       grpc_frame_read(x->body.data, x->body.length, x->router->limits.message_maximum, &frame, e) < 0;
}

static int take_data(struct h2_stream *stream, const uint8_t *bytes, size_t length)
{
	struct rpc_exchange *x = stream->x;
	auto_err struct err e = ERR_INIT;
	if (x->kind == RPC_EXCHANGE_FILE || x->kind == RPC_EXCHANGE_PAGE || x->kind == RPC_EXCHANGE_ANSWERED) {
		stream->dropped += length;
		return stream->dropped <= DROPPED_MAXIMUM
		               ? 0
		               : answer_error(stream, GRPC_INVALID_ARGUMENT, "a request body where none belongs");
	}
	if (rpc_exchange_add_body(x, bytes, length, &e) < 0)
		return answer_error(stream, grpc_code_of(e.kind), err_message(&e));
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
	stream->received += length;
	stream->progress_ms = session->activity_ms = clock_monotonic_ms();
	if (!stream->responded && stream->x && !stream->request_ended)
		status = take_data(stream, bytes, length);
	replenish(session);
	return status == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_frame_sent(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	struct h2_session *session = context;
	bool carries = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
	bool ends = carries && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	if (carries)
		rpc_budget_earn(&session->budget, RPC_EARNED_BY_SENDING);
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
	return resume_waiting(session) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* --- the session as a protocol of connection.h --- */

static nghttp2_session *new_nghttp2_session(struct h2_session *session)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session *nghttp2 = NULL;
	if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
		abort();
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
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
	session->opened_ms = session->activity_ms = session->sent_ms = clock_monotonic_ms();
	rpc_budget_init(&session->budget, session->opened_ms);
	session->goaway_ms = CLOCK_NEVER;
	session->nghttp2 = new_nghttp2_session(session);
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_of(session)->stream_maximum },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits_of(session)->header_maximum },
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
	while (length && nghttp2_session_want_read(session->nghttp2)) {
		size_t piece = length < INPUT_PIECE ? length : INPUT_PIECE;
		ssize_t consumed = nghttp2_session_mem_recv(session->nghttp2, bytes, piece);
		if (consumed != (ssize_t)piece)
			return -1;
		if (nghttp2_session_get_outbound_queue_size(session->nghttp2) > OUTBOUND_MAXIMUM)
			return -1; /* the client makes us answer and does not read */
		bytes += piece;
		length -= piece;
	}
	return 0;
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

static bool h2_is_idle(void *state)
{
	const struct h2_session *session = state;
	return !session->oldest;
}

static bool h2_is_over(void *state)
{
	const struct h2_session *session = state;
	return !nghttp2_session_want_read(session->nghttp2) && !nghttp2_session_want_write(session->nghttp2);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When the client has to have sent more of the request. */
static int64_t stall_deadline(const struct h2_stream *stream)
{
	const struct h2_session *session = stream->session;
	int64_t stall = stall_ms(session);
	if (stream->request_ended || stream->responded || stream->withheld || !stream->begun)
		return CLOCK_NEVER;
	if (stream->kind == RPC_EXCHANGE_REFLECTION)
		return stream->progress_ms + REFLECTION_STALL_MS;
	return earlier(stream->progress_ms + stall,
	               rpc_limits_pace_ms(limits_of(session), stall, stream->pace_ms, stream->received));
}

/* When the client has to have taken more of the response. */
static int64_t answer_deadline(const struct h2_stream *stream)
{
	bool unsent = stream->responded && stream->sent < stream->response.body.length;
	if (!unsent)
		return CLOCK_NEVER;
	return earlier(stream->session->sent_ms + stall_ms(stream->session), stream->answer_deadline_ms);
}

/*
 * When the client has to have come to the point: sent its first SETTINGS, or the rest of a head. Nothing else can be
 * received inside of a head, so that this is about the connection.
 */
static int64_t head_deadline(const struct h2_session *session)
{
	int64_t head_ms = limits_of(session)->head_ms;
	if (session->sent_away)
		return CLOCK_NEVER;
	if (!session->settings_seen)
		return session->opened_ms + head_ms;
	return session->newest && !session->newest->begun ? session->newest->progress_ms + head_ms : CLOCK_NEVER;
}

static int64_t call_deadline(const struct h2_stream *stream)
{
	return stream->responded ? CLOCK_NEVER : stream->deadline_ms;
}

static int64_t h2_deadline(void *state)
{
	const struct h2_session *session = state;
	int64_t deadline = session->goaway_sent ? CLOCK_NEVER : session->goaway_ms;
	deadline = earlier(deadline, head_deadline(session));
	if (!session->oldest && !session->goaway_sent)
		deadline = earlier(deadline, session->activity_ms + limits_of(session)->idle_ms);
	for (const struct h2_stream *stream = session->oldest; stream; stream = stream->next) {
		deadline = earlier(deadline, earlier(call_deadline(stream), stall_deadline(stream)));
		deadline = earlier(deadline, answer_deadline(stream));
	}
	return deadline;
}

static void h2_drain(void *state)
{
	struct h2_session *session = state;
	if (session->draining)
		return;
	/* Two steps (RFC 9113, 6.8): "no new streams, please", and the final number once the client has seen that. */
	session->draining = true;
	session->goaway_ms = clock_monotonic_ms() + limits_of(session)->drain_ms;
	(void)nghttp2_submit_shutdown_notice(session->nghttp2);
	(void)nghttp2_submit_ping(session->nghttp2, NGHTTP2_FLAG_NONE, NULL);
}

/* The client does not take it. */
static int give_up_answer(struct h2_stream *stream)
{
	buf_truncate(&stream->response.body, stream->sent);
	metric_add(&answers_given_up, 1);
	return nghttp2_submit_rst_stream(stream->session->nghttp2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
}

static void h2_tick(void *state, int64_t now_ms)
{
	struct h2_session *session = state;
	if (now_ms >= session->goaway_ms)
		send_final_goaway(session);
	if (!session->oldest && now_ms >= session->activity_ms + limits_of(session)->idle_ms)
		send_final_goaway(session);
	if (now_ms >= head_deadline(session))
		send_away(session);
	for (struct h2_stream *stream = session->oldest, *next; stream; stream = next) {
		next = stream->next;
		int status = 0;
		if (now_ms >= call_deadline(stream))
			status = answer_error(stream, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
		else if (now_ms >= stall_deadline(stream))
			status = answer_error(stream, GRPC_DEADLINE_EXCEEDED,
			                      "the rest of the request did not come in time");
		else if (now_ms >= answer_deadline(stream))
			status = give_up_answer(stream);
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
	.is_idle = h2_is_idle,
	.is_over = h2_is_over,
	.deadline = h2_deadline,
	.tick = h2_tick,
	.drain = h2_drain,
};
