/*
 * HTTP/1.1 over http_parser: one request at a time. While a request is being executed nothing more is read from the
 * socket; what a pipelining client has sent already waits in `pending`. A request that is refused before its body has
 * come is answered with "Connection: close", and the rest of its bytes are dropped.
 */
#include "base/clock.h"
#include "base/text.h"
#include "rpc/connection.h"

#include <http_parser.h>
#include <string.h>
#include <strings.h>

#define TARGET_MAXIMUM ((size_t)16 * 1024)
#define HEADER_NAME_MAXIMUM ((size_t)1024)
#define RESPONSE_HEAD_MAXIMUM ((size_t)32 * 1024)
#define PENDING_MAXIMUM ((size_t)256 * 1024)

enum h1_phase {
	H1_IDLE,      /* between requests */
	H1_HEAD,      /* receiving a head */
	H1_BODY,      /* receiving a body */
	H1_EXECUTING, /* a worker has the exchange */
	H1_ANSWERING, /* the response is being sent */
	H1_OVER,
};

struct h1_session {
	struct rpc_connection *connection;
	http_parser parser;
	enum h1_phase phase;
	struct rpc_exchange *x;
	struct buf target, name, value; /* of the head being received */
	size_t header_bytes;
	bool value_seen; /* the header in name/value is complete up to more bytes of its value */
	bool expects_continue, expects_other;
	unsigned hosts;
	bool keep_alive;
	bool draining;
	struct buf pending; /* input behind the current request */
	struct buf head;    /* response head, or "100 Continue" */
	size_t head_sent;
	struct rpc_response response;
	size_t body_sent;
	int64_t deadline_ms;
	int64_t body_ms; /* when the body began to come */
};

static const struct rpc_limits *limits_of(const struct h1_session *session)
{
	return &session->connection->router->limits;
}

static int64_t stall_ms(const struct h1_session *session)
{
	return rpc_limits_stall_ms(limits_of(session), &session->connection->router->memory);
}

static const char *reason_of(int status)
{
	return status == 499 ? "Client Closed Request" : http_status_str((enum http_status)status);
}

static void set_phase(struct h1_session *session, enum h1_phase phase)
{
	int64_t now = clock_monotonic_ms();
	session->phase = phase;
	session->deadline_ms = phase == H1_IDLE   ? now + limits_of(session)->idle_ms / 15
	                       : phase == H1_HEAD ? now + limits_of(session)->head_ms
	                       : phase == H1_BODY ? now + stall_ms(session)
	                                          : CLOCK_NEVER;
	if (phase == H1_BODY)
		session->body_ms = now;
}

/* More of the body has come: neither may it stall nor trickle. */
static void take_pace(struct h1_session *session)
{
	int64_t stall = stall_ms(session), still = clock_monotonic_ms() + stall;
	int64_t paced = rpc_limits_pace_ms(limits_of(session), stall, session->body_ms, session->x->body.length);
	session->deadline_ms = still < paced ? still : paced;
}

/* --- answers --- */

static void add_header(struct buf *head, const char *name, const char *value)
{
	if (value)
		(void)buf_add_format(head, "%s: %s\r\n", name, value);
}

static void write_head(struct h1_session *session)
{
	const struct rpc_response *response = &session->response;
	struct buf *head = &session->head;
	bool bodiless = response->http_status == 304 || response->http_status == 204;
	(void)buf_add_format(head, "HTTP/1.1 %d %s\r\n", response->http_status, reason_of(response->http_status));
	add_header(head, "Content-Type", response->content_type);
	add_header(head, "Location", response->location);
	add_header(head, "ETag", response->etag);
	add_header(head, "Cache-Control", response->cache_control);
	add_header(head, "Allow", response->allow);
	for (size_t i = 0; i < response->extra_count; i++)
		add_header(head, response->extra[i].name, response->extra[i].value);
	if (!bodiless)
		(void)buf_add_format(head, "Content-Length: %zu\r\n", response->length);
	bool old = session->parser.http_major == 1 && session->parser.http_minor == 0;
	add_header(head, "Connection", !session->keep_alive ? "close" : old ? "keep-alive" : NULL);
	(void)buf_add_str(head, "\r\n");
}

/* Starts sending the session's response. */
static void begin_answer(struct h1_session *session, struct rpc_exchange *x)
{
	rpc_exchange_dress(x, &session->response);
	session->body_sent = 0;
	if (session->draining || session->response.close)
		session->keep_alive = false;
	write_head(session);
	set_phase(session, H1_ANSWERING);
}

/* The exchange's response is complete. The exchange ends here. */
static void answer(struct h1_session *session)
{
	struct rpc_exchange *x = steal_ptr(session->x);
	rpc_response_release(&session->response);
	session->response = x->response;
	x->response = (struct rpc_response){ 0 };
	begin_answer(session, x);
	rpc_exchange_free(x);
}

static void exchange_finished(void *transport, struct rpc_exchange *x)
{
	struct h1_session *session = transport;
	(void)x;
	answer(session);
	session->connection->wake(session->connection->owner);
}

static enum grpc_code code_of_status(int status)
{
	switch (status) {
	case 408:
	case 504:
		return GRPC_DEADLINE_EXCEEDED;
	case 413:
		return GRPC_RESOURCE_EXHAUSTED;
	case 503:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_INVALID_ARGUMENT;
	}
}

/* An answer to a request that cannot be read to its end, or is not waited for. */
static void refuse(struct h1_session *session, int status, const char *message)
{
	struct rpc_exchange *x = steal_ptr(session->x);
	if (!x)
		x = rpc_exchange_new(session->connection->router, session->connection->peer_address);
	bool grpc = rpc_exchange_speaks_grpc(x);
	rpc_response_set_error(&session->response, grpc, code_of_status(status), message, NULL);
	if (!grpc)
		session->response.http_status = status;
	session->keep_alive = false;
	begin_answer(session, x);
	rpc_exchange_abandon(x);
}

/* --- http_parser's callbacks; non-zero stops the parser. After a refusal the phase is ANSWERING --- */

static int on_message_begin(http_parser *parser)
{
	struct h1_session *session = parser->data;
	buf_clear(&session->target);
	buf_clear(&session->name);
	buf_clear(&session->value);
	session->header_bytes = 0;
	session->value_seen = false;
	session->expects_continue = session->expects_other = false;
	session->hosts = 0;
	session->x = rpc_exchange_new(session->connection->router, session->connection->peer_address);
	set_phase(session, H1_HEAD);
	return 0;
}

static int on_url(http_parser *parser, const char *bytes, size_t length)
{
	struct h1_session *session = parser->data;
	if (buf_add(&session->target, bytes, length) == 0)
		return 0;
	refuse(session, 414, "the request target is too long");
	return 1;
}

static void take_header(struct h1_session *session)
{
	if (!session->value_seen)
		return;
	const struct buf *name = &session->name, *value = &session->value;
	rpc_exchange_set_header(session->x, buf_text(name), name->length, buf_text(value), value->length);
	if (strcasecmp(buf_text(name), "host") == 0)
		session->hosts++;
	if (strcasecmp(buf_text(name), "expect") == 0) {
		session->expects_continue = strcasecmp(buf_text(value), "100-continue") == 0;
		session->expects_other = !session->expects_continue;
	}
	buf_clear(&session->name);
	buf_clear(&session->value);
	session->value_seen = false;
}

static int add_header_bytes(struct h1_session *session, struct buf *to, const char *bytes, size_t length)
{
	session->header_bytes += length;
	if (session->header_bytes <= limits_of(session)->header_maximum && buf_add(to, bytes, length) == 0)
		return 0;
	refuse(session, 431, "the request's headers are too large");
	return 1;
}

static int on_header_field(http_parser *parser, const char *bytes, size_t length)
{
	struct h1_session *session = parser->data;
	if (session->phase != H1_HEAD) /* trailers of a chunked body */
		return 0;
	take_header(session);
	return add_header_bytes(session, &session->name, bytes, length);
}

static int on_header_value(http_parser *parser, const char *bytes, size_t length)
{
	struct h1_session *session = parser->data;
	if (session->phase != H1_HEAD)
		return 0;
	session->value_seen = true;
	return add_header_bytes(session, &session->value, bytes, length);
}

/* "http://host/path" (a proxy's form) is served like "/path". */
static void set_target(struct h1_session *session)
{
	const char *target = buf_text(&session->target);
	if (strncasecmp(target, "http://", 7) == 0) {
		const char *path = strchr(target + 7, '/');
		target = path ? path : "/";
	}
	rpc_exchange_set_target(session->x, target, strlen(target));
}

static int on_headers_complete(http_parser *parser)
{
	struct h1_session *session = parser->data;
	take_header(session);
	struct rpc_exchange *x = session->x;
	const char *method = http_method_str((enum http_method)parser->method);
	rpc_exchange_set_header(x, ":method", 7, method, strlen(method));
	set_target(session);
	/* RFC 9112, 3.2: exactly one, so that nobody on the way can have read another than we do. */
	bool old = parser->http_major == 1 && parser->http_minor == 0;
	if (session->hosts > 1 || (!session->hosts && !old)) {
		refuse(session, 400, "a request needs exactly one Host");
		return -1;
	}
	if (session->expects_other) {
		refuse(session, 417, "the only expectation that is met is 100-continue");
		return -1;
	}
	parser->upgrade = 0; /* no Upgrade is offered, so it is ignored (RFC 9110, 7.8) */
	rpc_router_begin(x->router, x);
	bool has_length = parser->content_length != UINT64_MAX && parser->content_length > 0;
	if (has_length && x->kind != RPC_EXCHANGE_ANSWERED && parser->content_length > x->body.maximum) {
		refuse(session, 413, "the request is larger than the maximum");
		return -1;
	}
	if (session->expects_continue && x->kind != RPC_EXCHANGE_ANSWERED)
		(void)buf_add_str(&session->head, "HTTP/1.1 100 Continue\r\n\r\n");
	set_phase(session, H1_BODY);
	return 0;
}

static int on_body(http_parser *parser, const char *bytes, size_t length)
{
	struct h1_session *session = parser->data;
	struct rpc_exchange *x = session->x;
	auto_err struct err e = ERR_INIT;
	if (x->kind != RPC_EXCHANGE_ANSWERED && rpc_exchange_add_body(x, bytes, length, &e) == 0) {
		take_pace(session);
		return 0;
	}
	if (x->kind == RPC_EXCHANGE_ANSWERED) {
		/* Decided already; do not read a body of any length for nothing. */
		session->keep_alive = false;
		answer(session);
	} else {
		refuse(session, e.kind == ERR_UNAVAILABLE ? 503 : 413, err_message(&e));
	}
	return 1;
}

static int on_message_complete(http_parser *parser)
{
	struct h1_session *session = parser->data;
	struct rpc_exchange *x = session->x;
	session->keep_alive = http_should_keep_alive(parser) != 0;
	http_parser_pause(parser, 1);
	if (x->kind == RPC_EXCHANGE_ANSWERED) {
		answer(session);
		return 0;
	}
	set_phase(session, H1_EXECUTING);
	x->transport = session;
	x->finished = exchange_finished;
	if (rpc_router_submit(x->router, x) < 0)
		answer(session);
	return 0;
}

static const http_parser_settings parser_settings = {
	.on_message_begin = on_message_begin,
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

/* --- the session as a protocol of connection.h --- */

static void *h1_open(struct rpc_connection *connection)
{
	struct h1_session *session = xcalloc(1, sizeof(*session));
	session->connection = connection;
	http_parser_init(&session->parser, HTTP_REQUEST);
	session->parser.data = session;
	buf_init(&session->target, TARGET_MAXIMUM);
	buf_init(&session->name, HEADER_NAME_MAXIMUM);
	buf_init(&session->value, limits_of(session)->header_maximum);
	buf_init(&session->pending, PENDING_MAXIMUM);
	buf_init(&session->head, RESPONSE_HEAD_MAXIMUM);
	set_phase(session, H1_IDLE);
	return session;
}

static void h1_close(void *state)
{
	struct h1_session *session = state;
	rpc_exchange_abandon(session->x);
	rpc_response_release(&session->response);
	struct buf *buffers[] = { &session->target, &session->name, &session->value, &session->pending,
		                  &session->head };
	for (size_t i = 0; i < ARRAY_LENGTH(buffers); i++)
		buf_release(buffers[i]);
	free(session);
}

/* Feeds the parser until it needs more, or a request is complete. What is left over goes to `pending`. */
static int parse(struct h1_session *session, const char *bytes, size_t length)
{
	size_t taken = http_parser_execute(&session->parser, &parser_settings, bytes, length);
	enum http_errno problem = HTTP_PARSER_ERRNO(&session->parser);
	if (problem == HPE_PAUSED)
		return buf_add(&session->pending, bytes + taken, length - taken);
	if (problem != HPE_OK && session->phase <= H1_BODY) {
		/* What the parser does not understand is not answered in its terms: the connection ends with a 400. */
		if (session->phase == H1_IDLE)
			session->x = NULL;
		refuse(session, 400, http_errno_description(problem));
	}
	return 0;
}

static int h1_input(void *state, const uint8_t *bytes, size_t length)
{
	struct h1_session *session = state;
	if (session->phase <= H1_BODY)
		return parse(session, (const char *)bytes, length);
	if (!session->keep_alive && session->phase >= H1_ANSWERING)
		return 0;
	return buf_add(&session->pending, bytes, length);
}

static int h1_end_of_input(void *state)
{
	struct h1_session *session = state;
	/* What was pipelined behind the current request is answered, too; half a request is not. */
	return session->phase <= H1_BODY ? -1 : 0;
}

/* The response is out. On to the next request, or the end. */
static int next_request(struct h1_session *session)
{
	rpc_response_release(&session->response);
	if (!session->keep_alive || session->draining) {
		set_phase(session, H1_OVER);
		return 0;
	}
	set_phase(session, H1_IDLE);
	http_parser_pause(&session->parser, 0);
	if (!session->pending.length)
		return 0;
	struct buf input = session->pending;
	buf_init(&session->pending, PENDING_MAXIMUM);
	int status = parse(session, input.data, input.length);
	buf_release(&input);
	return status;
}

/* Moves at most a piece of `from` behind `*sent` into `out`; true when all of it is out. */
static bool send_part(const struct buf *from, size_t *sent, struct buf *out)
{
	size_t left = from->length - *sent, room = out->length < RPC_OUTPUT_PIECE ? RPC_OUTPUT_PIECE - out->length : 0;
	size_t length = left < room ? left : room;
	if (length && buf_add(out, from->data + *sent, length) < 0)
		return false;
	*sent += length;
	return *sent == from->length;
}

static int h1_output(void *state, struct buf *out)
{
	struct h1_session *session = state;
	for (;;) {
		if (!send_part(&session->head, &session->head_sent, out))
			return 0;
		buf_clear(&session->head);
		session->head_sent = 0;
		if (session->phase != H1_ANSWERING || !send_part(&session->response.body, &session->body_sent, out))
			return 0;
		if (next_request(session) < 0)
			return -1;
	}
}

static bool h1_wants_input(void *state)
{
	const struct h1_session *session = state;
	return session->phase <= H1_BODY && !session->pending.length;
}

static bool h1_is_idle(void *state)
{
	const struct h1_session *session = state;
	return session->phase == H1_IDLE;
}

static bool h1_is_over(void *state)
{
	const struct h1_session *session = state;
	return session->phase == H1_OVER;
}

static int64_t h1_deadline(void *state)
{
	const struct h1_session *session = state;
	bool waits = session->phase == H1_EXECUTING && session->x;
	return waits ? session->x->deadline_ms : session->deadline_ms;
}

static void h1_tick(void *state, int64_t now_ms)
{
	struct h1_session *session = state;
	if (now_ms < h1_deadline(session))
		return;
	if (session->phase == H1_IDLE)
		set_phase(session, H1_OVER);
	else if (session->phase == H1_EXECUTING)
		refuse(session, 504, "deadline exceeded");
	else if (session->phase <= H1_BODY)
		refuse(session, 408, "the request did not come in time");
}

static void h1_drain(void *state)
{
	struct h1_session *session = state;
	session->draining = true;
	if (session->phase == H1_IDLE)
		set_phase(session, H1_OVER);
}

const struct rpc_protocol rpc_http1_protocol = {
	.open = h1_open,
	.close = h1_close,
	.input = h1_input,
	.end_of_input = h1_end_of_input,
	.output = h1_output,
	.wants_input = h1_wants_input,
	.is_idle = h1_is_idle,
	.is_over = h1_is_over,
	.deadline = h1_deadline,
	.tick = h1_tick,
	.drain = h1_drain,
};
