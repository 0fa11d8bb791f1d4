/* Requests, from their heads to their last bytes, and the windows that hold them back. */
#include "rpc/http2_session.h"

#include "base/clock.h"

#define DROPPED_MAXIMUM ((size_t)64 * 1024)
#define REFLECTION_STREAMS 4

/* Gives windows back as far as the rule at the top of the file allows. */
void h2_replenish(struct h2_session *session)
{
	bool first_unfinished = true;
	for (struct h2_stream *stream = session->oldest; stream; stream = stream->next) {
		bool unfinished = !stream->request_ended && !stream->responded;
		bool turn = session->buffered < h2_limits(session)->connection_buffer || (unfinished && first_unfinished) ||
		            stream->responded;
		bool full =
		        stream->kind == RPC_EXCHANGE_REFLECTION && stream->x && stream->x->body.length > H2_STREAM_WINDOW;
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

/* On the loop thread, when the worker is done. */
static void exchange_finished(void *transport, struct rpc_exchange *x)
{
	struct h2_stream *stream = transport;
	struct rpc_connection *connection = stream->session->connection;
	(void)x;
	if (h2_answer_exchange(stream) != 0)
		connection->broken = true;
	connection->wake(connection->owner);
}

int h2_begin_request(struct h2_stream *stream)
{
	struct rpc_exchange *x = stream->x;
	stream->begun = true;
	if (stream->header_bytes > h2_limits(stream->session)->header_maximum)
		return h2_answer_error(stream, GRPC_RESOURCE_EXHAUSTED, "the request's headers are too large");
	rpc_router_begin(x->router, x);
	stream->kind = x->kind;
	stream->deadline_ms = x->deadline_ms;
	stream->progress_ms = stream->pace_ms = clock_monotonic_ms();
	stream->session->reflection_streams += stream->kind == RPC_EXCHANGE_REFLECTION;
	if (stream->session->reflection_streams > REFLECTION_STREAMS)
		return h2_answer_error(stream, GRPC_RESOURCE_EXHAUSTED, "too many reflection streams on this connection");
	/* A gRPC client may wait for the answer before it ends its stream. HTTP clients send their request first. */
	if (x->kind == RPC_EXCHANGE_ANSWERED && x->response.grpc)
		return h2_answer_exchange(stream);
	if (x->kind == RPC_EXCHANGE_REFLECTION)
		return h2_begin_reflection(stream);
	return 0;
}

static int submit_exchange(struct h2_stream *stream)
{
	stream->x->transport = stream;
	stream->x->finished = exchange_finished;
	return rpc_router_submit(stream->x->router, stream->x) < 0 ? h2_answer_exchange(stream) : 0;
}

int h2_end_request(struct h2_stream *stream)
{
	stream->request_ended = true;
	if (stream->kind == RPC_EXCHANGE_REFLECTION) {
		(void)nghttp2_session_resume_data(stream->session->nghttp2, stream->id);
		return 0;
	}
	if (stream->responded || !stream->x || stream->x->submitted)
		return 0;
	if (stream->kind == RPC_EXCHANGE_ANSWERED)
		return h2_answer_exchange(stream);
	stream->waiting = stream->session->held >= h2_limits(stream->session)->connection_memory;
	return stream->waiting ? 0 : submit_exchange(stream);
}

/* Responses have left: what waited for that begins, the oldest first. */
int h2_resume_waiting(struct h2_session *session)
{
	for (struct h2_stream *stream = session->oldest, *next; stream; stream = next) {
		next = stream->next;
		if (session->held >= h2_limits(session)->connection_memory)
			break;
		if (!stream->waiting || !stream->x)
			continue;
		stream->waiting = false;
		if (submit_exchange(stream) != 0)
			return -1;
	}
	return 0;
}

/* Refuses a gRPC message by the length in its header, before its bytes come. */
static bool is_too_large(const struct rpc_exchange *x, struct err *e)
{
	struct grpc_frame frame;
	return x->kind == RPC_EXCHANGE_GRPC && x->web != GRPC_WEB_TEXT &&
	       grpc_frame_read(x->body.data, x->body.length, x->router->limits.message_maximum, &frame, e) < 0;
}

int h2_take_data(struct h2_stream *stream, const uint8_t *bytes, size_t length)
{
	struct rpc_exchange *x = stream->x;
	auto_err struct err e = ERR_INIT;
	if (x->kind == RPC_EXCHANGE_FILE || x->kind == RPC_EXCHANGE_PAGE || x->kind == RPC_EXCHANGE_ANSWERED) {
		stream->dropped += length;
		return stream->dropped <= DROPPED_MAXIMUM
		               ? 0
		               : h2_answer_error(stream, GRPC_INVALID_ARGUMENT, "a request body where none belongs");
	}
	if (rpc_exchange_add_body(x, bytes, length, &e) < 0)
		return h2_answer_error(stream, grpc_code_of(e.kind), err_message(&e));
	if (is_too_large(x, &e))
		return h2_answer_error(stream, grpc_code_of(e.kind), err_message(&e));
	if (x->kind == RPC_EXCHANGE_REFLECTION) {
		(void)nghttp2_session_resume_data(stream->session->nghttp2, stream->id);
		return 0;
	}
	stream->buffered += length;
	stream->session->buffered += length;
	return 0;
}
