/*
 * HTTP/2 over nghttp2: one session per connection, one stream per exchange. nghttp2 does framing, header compression
 * and its own flood limits; this file adds what it leaves to us: memory, deadlines and the shape of answers.
 *
 * Memory. Request bodies are buffered whole before a call starts, so flow control is ours: a stream's window is given
 * back only while the connection buffers less than connection_buffer (limits.h). Past that only the oldest unfinished request
 * goes on; it ends sooner or later (complete, refused as too large, or timed out), which frees room for the next. That
 * bounds a connection to that plus one message plus a window for each stream, and cannot deadlock.
 *
 * Responses are held until the client takes them. While a connection holds more than its share of them, its next complete
 * requests wait on their streams, which costs the client's own throughput only; a response that does not move is given up. What the server
 * holds for all clients is bounded by one account (limits.h).
 *
 * Frames that cost the client nothing (pings, settings, resets, window updates, empty data) are paid from a budget that time and our
 * own sending refill; who has used it up is sent away with ENHANCE_YOUR_CALM. nghttp2 itself bounds settings entries, continuation
 * frames and acknowledgements that wait to be sent, and skips frames of unknown types without calling us.
 */
#include "rpc/http2_session.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/text.h"

#define CONNECTION_WINDOW (4 * 1024 * 1024)
/* A head this many times too large is no mistake any more but an attack (a "header bomb"). */
#define HEADER_BOMB 4
/* Frames that wait to be sent: more are left by who makes us answer and does not read. */
#define OUTBOUND_MAXIMUM 4096
/* Smaller pieces of a body cost more to handle than to send. */
#define SMALL_DATA 256
/* What is fed to nghttp2 at once, so that an end that was decided meanwhile is seen. */
#define INPUT_PIECE ((size_t)16 * 1024)

METRIC_COUNTER(sent_away, "sandbox_rpc_abuse_total", "HTTP/2 connections ended with ENHANCE_YOUR_CALM.");

const struct rpc_limits *h2_limits(const struct h2_session *session)
{
	return &session->connection->router->limits;
}

void h2_send_away(struct h2_session *session)
{
	if (!session->sent_away)
		metric_add(&sent_away, 1);
	session->sent_away = true;
	(void)nghttp2_session_terminate_session(session->nghttp2, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void spend(struct h2_session *session, enum rpc_cost cost)
{
	if (!rpc_budget_spend(&session->budget, cost, clock_monotonic_ms()))
		h2_send_away(session);
}

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

/* --- what nghttp2 tells --- */

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
	if (stream->header_bytes > HEADER_BOMB * h2_limits(session)->header_maximum)
		h2_send_away(session);
	if (!stream->begun && stream->x && stream->header_bytes <= h2_limits(session)->header_maximum)
		rpc_exchange_set_header(stream->x, (const char *)name, name_length, (const char *)value, value_length);
	return 0;
}

void h2_send_final_goaway(struct h2_session *session)
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
		h2_send_final_goaway(session);
	if (!stream || !carries_request)
		return 0;
	if (!stream->begun && frame->hd.type == NGHTTP2_HEADERS)
		status = h2_begin_request(stream);
	if (status == 0 && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		status = h2_end_request(stream);
	return status == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
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
		status = h2_take_data(stream, bytes, length);
	h2_replenish(session);
	return status == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_frame_sent(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	struct h2_session *session = context;
	bool carries = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
	bool ends = carries && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	if (carries)
		rpc_budget_earn(&session->budget, RPC_EARNED_BY_SENDING);
	/* Not together with the notice: nghttp2 would send the ping first, and its answer would not say that the notice was heard. */
	if (frame->hd.type == NGHTTP2_GOAWAY && session->draining && !session->goaway_sent)
		(void)nghttp2_submit_ping(nghttp2, NGHTTP2_FLAG_NONE, NULL);
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
	h2_replenish(session);
	return h2_resume_waiting(session) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
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
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h2_limits(session)->stream_maximum },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)h2_limits(session)->header_maximum },
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

static void h2_drain(void *state)
{
	struct h2_session *session = state;
	if (session->draining)
		return;
	/* Two steps (RFC 9113, 6.8): "no new streams, please", and the final number once the client has seen that. */
	session->draining = true;
	session->goaway_ms = clock_monotonic_ms() + h2_limits(session)->drain_ms;
	(void)nghttp2_submit_shutdown_notice(session->nghttp2);
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
