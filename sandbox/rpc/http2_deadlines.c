/* What a client has to have done by when: every deadline of a connection and its streams, and what happens at it. */
#include "rpc/http2_session.h"

#include "base/clock.h"

#define REFLECTION_STALL_MS (600 * 1000)

int64_t h2_stall_ms(const struct h2_session *session)
{
	return rpc_limits_stall_ms(h2_limits(session), &session->connection->router->memory);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When the client has to have sent more of the request. */
static int64_t stall_deadline(const struct h2_stream *stream)
{
	const struct h2_session *session = stream->session;
	int64_t stall = h2_stall_ms(session);
	if (stream->request_ended || stream->responded || stream->withheld || !stream->begun)
		return CLOCK_NEVER;
	if (stream->kind == RPC_EXCHANGE_REFLECTION)
		return stream->progress_ms + REFLECTION_STALL_MS;
	return earlier(stream->progress_ms + stall,
	               rpc_limits_pace_ms(h2_limits(session), stall, stream->pace_ms, stream->received));
}

/* When the client has to have taken more of the response. */
static int64_t answer_deadline(const struct h2_stream *stream)
{
	bool unsent = stream->responded && stream->sent < stream->response.body.length;
	if (!unsent)
		return CLOCK_NEVER;
	return earlier(stream->session->sent_ms + h2_stall_ms(stream->session), stream->answer_deadline_ms);
}

/*
 * When the client has to have come to the point: sent its first SETTINGS, or the rest of a head. Nothing else can be
 * received inside of a head, so that this is about the connection.
 */
static int64_t head_deadline(const struct h2_session *session)
{
	int64_t head_ms = h2_limits(session)->head_ms;
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

int64_t h2_deadline(void *state)
{
	const struct h2_session *session = state;
	int64_t deadline = session->goaway_sent ? CLOCK_NEVER : session->goaway_ms;
	deadline = earlier(deadline, head_deadline(session));
	if (!session->oldest && !session->goaway_sent)
		deadline = earlier(deadline, session->activity_ms + h2_limits(session)->idle_ms);
	for (const struct h2_stream *stream = session->oldest; stream; stream = stream->next) {
		deadline = earlier(deadline, earlier(call_deadline(stream), stall_deadline(stream)));
		deadline = earlier(deadline, answer_deadline(stream));
	}
	return deadline;
}

void h2_tick(void *state, int64_t now_ms)
{
	struct h2_session *session = state;
	if (now_ms >= session->goaway_ms)
		h2_send_final_goaway(session);
	if (!session->oldest && now_ms >= session->activity_ms + h2_limits(session)->idle_ms)
		h2_send_final_goaway(session);
	if (now_ms >= head_deadline(session))
		h2_send_away(session);
	for (struct h2_stream *stream = session->oldest, *next; stream; stream = next) {
		next = stream->next;
		int status = 0;
		if (now_ms >= call_deadline(stream))
			status = h2_answer_error(stream, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
		else if (now_ms >= stall_deadline(stream))
			status = h2_answer_error(stream, GRPC_DEADLINE_EXCEEDED,
			                      "the rest of the request did not come in time");
		else if (now_ms >= answer_deadline(stream))
			status = h2_give_up_answer(stream);
		if (status != 0)
			session->connection->broken = true;
	}
}
