/*
 * What the parts of an HTTP/2 connection share: http2.c feeds nghttp2 and hears of frames, http2_requests.c takes requests in and gives
 * windows back, http2_answers.c sends responses, http2_deadlines.c knows what has to have happened by when. Only they include this.
 */
#ifndef SANDBOX_RPC_HTTP2_SESSION_H
#define SANDBOX_RPC_HTTP2_SESSION_H

#include "rpc/connection.h"

#include <nghttp2/nghttp2.h>

#define H2_STREAM_WINDOW (256 * 1024)

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

/* --- http2.c --- */

const struct rpc_limits *h2_limits(const struct h2_session *session);
/* Ends the connection for abuse; what it asked for is dropped. */
void h2_send_away(struct h2_session *session);
void h2_send_final_goaway(struct h2_session *session);

/* --- http2_requests.c; -1 and other negative numbers: the connection is broken --- */

/* The head is complete. */
int h2_begin_request(struct h2_stream *stream);
/* Bytes of the body. */
int h2_take_data(struct h2_stream *stream, const uint8_t *bytes, size_t length);
/* All of it is there. */
int h2_end_request(struct h2_stream *stream);
/* Responses have left: what waited for that begins, the oldest first. */
int h2_resume_waiting(struct h2_session *session);
/* Gives windows back as far as the rule at the top of http2.c allows. */
void h2_replenish(struct h2_session *session);

/* --- http2_answers.c; as above --- */

/* Answers with an error of ours, whatever state the exchange is in. */
int h2_answer_error(struct h2_stream *stream, enum grpc_code code, const char *message);
/* Takes the response out of the exchange, which ends here. */
int h2_answer_exchange(struct h2_stream *stream);
/* Answers one reflection request after another from now on. */
int h2_begin_reflection(struct h2_stream *stream);
/* The client does not take it. */
int h2_give_up_answer(struct h2_stream *stream);

/* --- http2_deadlines.c --- */

/* How long a client may stall at present. */
int64_t h2_stall_ms(const struct h2_session *session);
/* Of struct rpc_protocol. */
int64_t h2_deadline(void *state);
void h2_tick(void *state, int64_t now_ms);

#endif
