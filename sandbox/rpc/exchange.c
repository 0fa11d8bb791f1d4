#include "rpc/exchange.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "proto/json.h"
#include "rpc/gateway.h"
#include "rpc/gzip.h"
#include "rpc/invoke.h"
#include "rpc/origin.h"
#include "rpc/router.h"
#include "rpc/static_files.h"

#include <string.h>
#include <strings.h>

/* What fits into a packet or two is not worth the time. */
#define COMPRESS_MINIMUM ((size_t)2048)
#define PAGE_MAXIMUM ((size_t)16 * 1024 * 1024)
#define JSON_ERROR_MAXIMUM ((size_t)256 * 1024)

struct rpc_exchange *rpc_exchange_new(struct rpc_router *router, const char *peer_address)
{
	struct rpc_exchange *x = xcalloc(1, sizeof(*x));
	x->router = router;
	x->begun_us = clock_monotonic_us();
	x->deadline_ms = CLOCK_NEVER;
	cancel_init(&x->cancel);
	unsigned long long number = atomic_fetch_add(&router->next_request, 1);
	(void)snprintf(x->request_id, sizeof(x->request_id), "%s-%llu", router->request_prefix, number);
	(void)snprintf(x->peer_address, sizeof(x->peer_address), "%s", peer_address);
	return x;
}

static void head_release(struct rpc_head *head)
{
	char **fields[] = { &head->method,        &head->path,          &head->query,
		            &head->authority,     &head->content_type,  &head->content_encoding,
		            &head->accept,        &head->grpc_encoding, &head->grpc_timeout,
		            &head->if_none_match, &head->sec_fetch_site, &head->grpc_accept_encoding,
		            &head->origin,        &head->access_control_request_method,
		            &head->accept_encoding, &head->request_id };
	for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
		free(*fields[i]);
		*fields[i] = NULL;
	}
}

struct rpc_exchange *rpc_exchange_free(struct rpc_exchange *x)
{
	if (!x)
		return NULL;
	head_release(&x->head);
	gateway_match_free(x->match);
	rpc_exchange_release_body(x);
	rpc_response_release(&x->response);
	cancel_release(&x->cancel);
	free(x);
	return NULL;
}

void rpc_exchange_abandon(struct rpc_exchange *x)
{
	if (!x)
		return;
	if (!x->submitted) {
		rpc_exchange_free(x);
		return;
	}
	x->transport = NULL;
	x->finished = NULL;
	atomic_store(&x->abandoned, true);
	cancel_request(&x->cancel);
	const struct rpc_router *router = x->router;
	if (router->withdraw && router->withdraw(router->executor, x))
		rpc_exchange_finish(x);
}

int rpc_exchange_add_body(struct rpc_exchange *x, const void *bytes, size_t length, struct err *e)
{
	if (!rpc_charge_take(&x->charge, &x->router->memory, length))
		return err_set(e, ERR_UNAVAILABLE, "memory-short",
		               "the server holds too many requests and responses at the moment, try again");
	if (buf_add(&x->body, bytes, length) < 0)
		return err_set(e, ERR_EXHAUSTED, "request-too-large", "the request is larger than the maximum");
	x->request_bytes += length;
	return 0;
}

void rpc_exchange_release_body(struct rpc_exchange *x)
{
	buf_release(&x->body);
	rpc_charge_release(&x->charge);
}

void rpc_exchange_set_target(struct rpc_exchange *x, const char *target, size_t length)
{
	const char *question = memchr(target, '?', length);
	size_t path_length = question ? (size_t)(question - target) : length;
	free(x->head.path);
	free(x->head.query);
	x->head.path = xstrndup(target, path_length);
	x->head.query = question ? xstrndup(question + 1, length - path_length - 1) : NULL;
}

/* A client's own id makes its call findable in both logs. It goes into our log and back, so that only plain ones are taken. */
static void take_request_id(struct rpc_exchange *x)
{
	const char *id = x->head.request_id;
	size_t length = strlen(id);
	if (length && length < sizeof(x->request_id) &&
	    strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/+=-") == length)
		memcpy(x->request_id, id, length + 1);
}

void rpc_exchange_set_header(struct rpc_exchange *x, const char *name, size_t name_length, const char *value,
                             size_t value_length)
{
	const struct {
		const char *name;
		char **field;
	} known[] = {
		{ ":method", &x->head.method },
		{ ":authority", &x->head.authority },
		{ "host", &x->head.authority },
		{ "content-type", &x->head.content_type },
		{ "content-encoding", &x->head.content_encoding },
		{ "accept", &x->head.accept },
		{ "grpc-encoding", &x->head.grpc_encoding },
		{ "grpc-timeout", &x->head.grpc_timeout },
		{ "grpc-accept-encoding", &x->head.grpc_accept_encoding },
		{ "if-none-match", &x->head.if_none_match },
		{ "sec-fetch-site", &x->head.sec_fetch_site },
		{ "origin", &x->head.origin },
		{ "access-control-request-method", &x->head.access_control_request_method },
		{ "accept-encoding", &x->head.accept_encoding },
		{ "x-request-id", &x->head.request_id },
	};
	if (name_length == 5 && memcmp(name, ":path", 5) == 0) {
		rpc_exchange_set_target(x, value, value_length);
		return;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
		if (strlen(known[i].name) != name_length || strncasecmp(known[i].name, name, name_length) != 0)
			continue;
		if (*known[i].field)
			return; /* the first one counts: :authority before host, no smuggling by repetition */
		*known[i].field = xstrndup(value, value_length);
		if (known[i].field == &x->head.request_id)
			take_request_id(x);
		return;
	}
}

bool rpc_is_grpc_content_type(const char *content_type)
{
	static const char name[] = "application/grpc";
	if (!content_type || strncasecmp(content_type, name, sizeof(name) - 1) != 0)
		return false;
	char next = content_type[sizeof(name) - 1];
	return next == '\0' || next == '+' || next == ';' || next == ' ';
}

void rpc_response_release(struct rpc_response *response)
{
	free(response->location);
	free(response->etag);
	free(response->message);
	buf_release(&response->body);
	buf_release(&response->grpc_message);
	buf_release(&response->details);
	buf_release(&response->status);
	rpc_charge_release(&response->charge);
	for (size_t i = 0; i < response->extra_count; i++)
		free(response->extra[i].value);
	*response = (struct rpc_response){ 0 };
}

void rpc_response_add_header(struct rpc_response *response, const char *name, const char *value)
{
	if (response->extra_count == RPC_EXTRA_HEADERS)
		abort();
	response->extra[response->extra_count++] = (struct rpc_response_header){ .name = name, .value = xstrdup(value) };
}

bool rpc_exchange_speaks_grpc(const struct rpc_exchange *x)
{
	return x->web || (x->http2 && rpc_is_grpc_content_type(x->head.content_type));
}

void rpc_response_compress(const struct rpc_exchange *x, struct rpc_response *response, int level)
{
	struct buf *body = &response->body;
	struct buf packed = BUF_INIT(body->length);
	if (body->length < COMPRESS_MINIMUM || !gzip_is_accepted(x->head.accept_encoding) ||
	    gzip_compress(body->data, body->length, level, &packed) < 0) {
		buf_release(&packed);
		return;
	}
	buf_release(body);
	*body = packed;
	response->compressed = true;
}

static const char *protocol_of(const struct rpc_exchange *x)
{
	return x->web ? "grpc-web" : rpc_exchange_speaks_grpc(x) ? "grpc" : "http";
}

/* Once a call, whatever becomes of it: at its answer, or when the worker lets go of what nobody waited for. Not for files and pages. */
static void report(struct rpc_exchange *x, const struct rpc_response *response)
{
	const struct rpc_router *router = x->router;
	enum grpc_code code = response->code < GRPC_CODE_COUNT ? response->code : GRPC_INTERNAL;
	if (x->reported || !x->stats)
		return;
	x->reported = true;
	int64_t duration_us = clock_monotonic_us() - x->begun_us;
	atomic_fetch_add_explicit(&x->stats->codes[code], 1, memory_order_relaxed);
	metric_histogram_observe(&x->stats->duration, duration_us);
	if (!router->on_call)
		return;
	auto_free char *path = rpc_exchange_speaks_grpc(x) ? xstrdup(x->head.path) : xasprintf("%s %s", x->head.method, x->head.path);
	struct rpc_call_report call = {
		.request_id = x->request_id,
		.peer_address = x->peer_address,
		.protocol = protocol_of(x),
		.path = path,
		.code = (int)code,
		.http_status = response->http_status,
		.message = code == GRPC_CANCELLED && !response->message ? "the client went away before the answer"
		           : response->message                         ? response->message
		                                                        : "",
		.duration_us = duration_us,
		.request_bytes = x->request_bytes,
		.response_bytes = response->body.length,
	};
	router->on_call(router->on_call_context, &call);
}

/* An error in the form in which the result would have come, as grpc-gateway does it: flyteconsole asks for everything in binary. */
static void prefer_binary_error(const struct rpc_exchange *x, struct rpc_response *response)
{
	const char *type = gateway_binary_type(&x->head);
	if (!type || !response->status.length || x->kind == RPC_EXCHANGE_FILE || x->kind == RPC_EXCHANGE_PAGE)
		return;
	buf_release(&response->body);
	response->body = response->status;
	response->status = (struct buf)BUF_INIT(0);
	response->content_type = type;
}

void rpc_exchange_dress(struct rpc_exchange *x, struct rpc_response *response)
{
	report(x, response);
	if (response->compressed)
		rpc_response_add_header(response, response->grpc ? "grpc-encoding" : "content-encoding", "gzip");
	if (response->grpc && x->web)
		grpc_web_finish(response, x->web);
	rpc_response_add_header(response, "x-request-id", x->request_id);
	rpc_origin_add_headers(&x->head, response);
	if (!response->grpc) {
		prefer_binary_error(x, response);
		/* Whatever a browser makes of the answer, it depends on who asks and how. */
		rpc_response_add_header(response, "vary", "origin, accept, accept-encoding");
		rpc_response_add_header(response, "x-content-type-options", "nosniff");
	}
	response->length = response->body.length;
	if (text_equal(x->head.method, "HEAD"))
		buf_release(&response->body);
}

/* {"code":5,"message":"…","details":[{"@type":…}]}, as grpc-gateway reports errors. */
static void write_json_error(struct rpc_response *response, enum grpc_code code, const char *message,
                             const ProtobufCMessage *detail)
{
	struct buf *body = &response->body;
	buf_init(body, JSON_ERROR_MAXIMUM);
	(void)buf_add_format(body, "{\"code\":%d,\"message\":", (int)code);
	size_t length = strlen(message);
	(void)proto_json_add_string(body, message, length < JSON_ERROR_MAXIMUM / 8 ? length : JSON_ERROR_MAXIMUM / 8);
	(void)buf_add_str(body, ",\"details\":[");
	if (detail) {
		auto_buf struct buf text = BUF_INIT(JSON_ERROR_MAXIMUM / 4);
		auto_err struct err ignored = ERR_INIT;
		if (proto_json_print(detail, 0, &text, &ignored) == 0)
			(void)buf_add_format(body, "{\"@type\":\"type.googleapis.com/%s\"%s%s",
			                     detail->descriptor->name, text.length > 2 ? "," : "", text.data + 1);
	}
	(void)buf_add_str(body, "]}");
}

void rpc_response_set_error(struct rpc_response *response, bool grpc, enum grpc_code code, const char *message,
                            const ProtobufCMessage *detail)
{
	bool close = response->close;
	rpc_response_release(response);
	response->close = close;
	response->grpc = grpc;
	response->code = code;
	response->message = xstrdup(message);
	if (!grpc) {
		response->http_status = grpc_http_status(code);
		response->content_type = "application/json";
		write_json_error(response, code, message, detail);
		buf_init(&response->status, JSON_ERROR_MAXIMUM);
		grpc_pack_status(code, message, detail, &response->status);
		return;
	}
	response->http_status = 200;
	response->content_type = "application/grpc";
	buf_init(&response->grpc_message, GRPC_STATUS_MAXIMUM);
	buf_init(&response->details, GRPC_STATUS_MAXIMUM);
	if (detail)
		grpc_encode_details(code, message, detail, GRPC_STATUS_MAXIMUM / 3, &response->details);
	grpc_encode_message(message, GRPC_STATUS_MAXIMUM - response->details.length, &response->grpc_message);
}

void rpc_response_set_err(struct rpc_response *response, bool grpc, enum grpc_code code, const struct err *e,
                          const ProtobufCMessage *detail)
{
	/* Both forms of an error have one text: the next step follows what went wrong. */
	auto_free char *text = e->hint ? xasprintf("%s; %s", err_message(e), e->hint) : NULL;
	rpc_response_set_error(response, grpc, code ? code : grpc_code_of(e->kind), text ? text : err_message(e), detail);
}

static void write_page(struct rpc_exchange *x)
{
	struct rpc_response *response = &x->response;
	auto_err struct err e = ERR_INIT;
	response->http_status = 200;
	response->content_type = x->page->content_type;
	response->cache_control = "no-store";
	buf_init(&response->body, PAGE_MAXIMUM);
	int status = x->page->write(x->page->context, &response->body, &e);
	if (status < 0 && !response->body.length)
		rpc_response_set_err(response, false, GRPC_OK, &e, NULL);
	else if (status < 0)
		response->http_status = grpc_http_status(grpc_code_of(e.kind));
	else
		rpc_response_compress(x, response, GZIP_FAST);
}

static void execute(struct rpc_exchange *x)
{
	bool grpc = x->kind == RPC_EXCHANGE_GRPC;
	if (clock_monotonic_ms() >= x->deadline_ms) {
		rpc_response_set_error(&x->response, grpc, GRPC_DEADLINE_EXCEEDED,
		                       "deadline exceeded before the call could start", NULL);
		return;
	}
	switch (x->kind) {
	case RPC_EXCHANGE_GRPC:
		rpc_invoke_grpc(x);
		break;
	case RPC_EXCHANGE_GATEWAY:
		gateway_execute(x);
		break;
	case RPC_EXCHANGE_FILE:
		static_files_answer(x->router->console_directory, x);
		break;
	case RPC_EXCHANGE_PAGE:
		write_page(x);
		break;
	case RPC_EXCHANGE_ANSWERED:
	case RPC_EXCHANGE_REFLECTION:
		break;
	}
}

void rpc_exchange_execute(struct rpc_exchange *x)
{
	if (atomic_load(&x->abandoned))
		return;
	execute(x);
	rpc_charge_set(&x->response.charge, &x->router->memory, x->response.body.capacity);
}

void rpc_exchange_finish(struct rpc_exchange *x)
{
	x->submitted = false;
	if (atomic_load(&x->abandoned)) {
		struct rpc_response none = { .code = GRPC_CANCELLED };
		report(x, &none);
	}
	if (x->finished && x->transport)
		x->finished(x->transport, x);
	else
		rpc_exchange_free(x);
}
