#include "rpc/router.h"

#include "base/clock.h"
#include "base/text.h"
#include "rpc/gateway.h"
#include "rpc/health.h"
#include "rpc/origin.h"
#include "rpc/reflection.h"
#include "rpc/static_files.h"

#include <string.h>
#include <strings.h>
#include <sys/random.h>

/* Padding and line breaks between the pieces of a text body. */
#define TEXT_SLACK 65536

static int compare_routes(const void *a, const void *b)
{
	return strcmp(((const struct rpc_route *)a)->path, ((const struct rpc_route *)b)->path);
}

static void add_service(struct rpc_router *router, const struct rpc_service *service)
{
	for (size_t i = 0; i < service->method_count; i++)
		router->routes[router->route_count++] = (struct rpc_route){
			.path = service->methods[i].path,
			.method = &service->methods[i],
			.context = service->context,
		};
}

static int add_services(struct rpc_router *router, const struct rpc_server_options *options, struct err *e)
{
	router->health = health_service(router);
	size_t count = router->health.method_count;
	for (size_t i = 0; i < options->service_count; i++)
		count += options->services[i].method_count;
	router->routes = xcalloc(count, sizeof(*router->routes));
	router->stats = xcalloc(count + 1, sizeof(*router->stats));
	add_service(router, &router->health);
	for (size_t i = 0; i < options->service_count; i++)
		add_service(router, &options->services[i]);
	qsort(router->routes, router->route_count, sizeof(*router->routes), compare_routes);
	for (size_t i = 0; i < router->route_count; i++) {
		const struct rpc_method *method = router->routes[i].method;
		router->routes[i].stats = &router->stats[i];
		if (!method->handler || !method->request || !method->response)
			return err_set(e, ERR_INVALID, NULL, "method %s has no handler or no message type",
			               method->path);
		if (i && text_equal(router->routes[i - 1].path, method->path))
			return err_set(e, ERR_INVALID, NULL, "method %s is registered twice", method->path);
	}
	return 0;
}

/* The methods that were called, each with its codes and durations: as many series as there are methods, not as clients may invent. */
static void collect(void *context, struct metrics_page *page)
{
	const struct rpc_router *router = context;
	metrics_family(page, "sandbox_rpc_calls_total", METRIC_KIND_COUNTER, "Calls by method and gRPC code, over gRPC, gRPC-Web and REST.");
	for (size_t i = 0; i <= router->route_count; i++) {
		const char *method = i < router->route_count ? router->routes[i].path : "unknown";
		for (unsigned code = 0; code < GRPC_CODE_COUNT; code++) {
			const char *name = grpc_code_name(code);
			uint64_t count = name ? atomic_load(&router->stats[i].codes[code]) : 0;
			const struct metric_label labels[] = { { "method", method }, { "code", name } };
			if (count)
				metrics_sample(page, labels, 2, (double)count);
		}
	}
	metrics_family(page, "sandbox_rpc_call_seconds", METRIC_KIND_HISTOGRAM, "From a request's head to its answer.");
	for (size_t i = 0; i < router->route_count; i++) {
		const struct metric_label label = { "method", router->routes[i].path };
		if (metric_histogram_count(&router->stats[i].duration))
			metrics_histogram(page, &label, 1, &router->stats[i].duration);
	}
	metrics_family(page, "sandbox_rpc_memory_bytes", METRIC_KIND_GAUGE, "Bytes of requests and responses held at present.");
	metrics_sample(page, NULL, 0, (double)atomic_load(&router->memory.used));
}

int rpc_router_init(struct rpc_router *router, const struct rpc_server_options *options, struct err *e)
{
	unsigned char random[4] = { 0 };
	if (getrandom(random, sizeof(random), 0) < 0)
		return err_set(e, ERR_INTERNAL, NULL, "no random bytes");
	(void)snprintf(router->request_prefix, sizeof(router->request_prefix), "%02x%02x%02x%02x", random[0], random[1],
	               random[2], random[3]);
	router->limits = options->limits;
	rpc_limits_fill(&router->limits);
	router->memory.maximum = router->limits.memory_maximum;
	router->console_directory = xstrdup(options->console_directory);
	router->pages = options->pages;
	router->page_count = options->page_count;
	router->on_call = options->on_call;
	router->on_call_context = options->on_call_context;
	atomic_store(&router->serving, true);
	router->reflection = reflection_new(options->services, options->service_count);
	if (add_services(router, options, e) < 0)
		return -1;
	router->gateway = gateway_new(router, options->services, options->service_count, e);
	if (!router->gateway)
		return -1;
	router->collector = (struct metrics_collector){ .collect = collect, .context = router };
	metrics_add_collector(&router->collector);
	return 0;
}

void rpc_router_release(struct rpc_router *router)
{
	metrics_remove_collector(&router->collector);
	free(router->routes);
	free(router->stats);
	router->stats = NULL;
	free(router->console_directory);
	gateway_free(router->gateway);
	reflection_free(router->reflection);
	router->routes = NULL;
	router->console_directory = NULL;
	router->gateway = NULL;
	router->reflection = NULL;
}

const struct rpc_route *rpc_router_find(const struct rpc_router *router, const char *path)
{
	const struct rpc_route key = { .path = path };
	return bsearch(&key, router->routes, router->route_count, sizeof(*router->routes), compare_routes);
}

static void answer_error(struct rpc_exchange *x, bool grpc, enum grpc_code code, const char *message)
{
	x->kind = RPC_EXCHANGE_ANSWERED;
	rpc_response_set_error(&x->response, grpc, code, message, NULL);
}

/* An HTTP status outside of the mapping of codes: the request is no gRPC or REST call at all. */
static void answer_status(struct rpc_exchange *x, int status, const char *message)
{
	answer_error(x, false, status == 415 ? GRPC_INVALID_ARGUMENT : GRPC_UNIMPLEMENTED, message);
	x->response.http_status = status;
}

/* Sets the deadline; false when the header is malformed. */
static bool read_timeout(struct rpc_exchange *x)
{
	int64_t timeout;
	if (text_is_empty(x->head.grpc_timeout))
		return true;
	if (!grpc_parse_timeout(x->head.grpc_timeout, &timeout))
		return false;
	x->deadline_ms = clock_monotonic_ms() + timeout;
	return true;
}

/* `subtype` is what the content type says behind "application/grpc" or "application/grpc-web". */
static void begin_grpc(struct rpc_router *router, struct rpc_exchange *x, const char *subtype)
{
	const char *encoding = x->head.grpc_encoding;
	const struct rpc_route *route = rpc_router_find(router, x->head.path);
	x->stats = route ? route->stats : x->stats;
	if (!x->http2 && !x->web) {
		answer_status(x, 415, "gRPC needs HTTP/2");
	} else if (!text_equal(x->head.method, "POST")) {
		answer_status(x, 405, "gRPC calls are POST requests");
		x->response.allow = "POST";
	} else if (*subtype == '+' && strncasecmp(subtype, "+proto", 6) != 0) {
		answer_status(x, 415, "of gRPC's encodings only +proto is supported");
	} else if (!text_is_empty(encoding) && strcasecmp(encoding, "identity") != 0 &&
	           strcasecmp(encoding, "gzip") != 0) {
		answer_error(x, true, GRPC_UNIMPLEMENTED, "unsupported grpc-encoding; identity and gzip are supported");
	} else if (!read_timeout(x)) {
		answer_error(x, true, GRPC_INTERNAL, "malformed grpc-timeout");
	} else if (x->web && rpc_origin_is_refused(&x->head)) {
		answer_error(x, true, GRPC_PERMISSION_DENIED, "pages of this origin may not call this API");
	} else if (!x->web && reflection_is_path(x->head.path)) {
		x->kind = RPC_EXCHANGE_REFLECTION;
		buf_init(&x->body, router->limits.message_maximum);
	} else if (!route) {
		auto_free char *message = xasprintf("unknown method %.512s", x->head.path);
		answer_error(x, true, GRPC_UNIMPLEMENTED, message);
	} else {
		x->kind = RPC_EXCHANGE_GRPC;
		x->method = route->method;
		x->method_context = route->context;
		size_t maximum = router->limits.message_maximum + GRPC_FRAME_HEADER_SIZE;
		buf_init(&x->body, x->web == GRPC_WEB_TEXT ? maximum / 3 * 4 + TEXT_SLACK : maximum);
	}
}

static void redirect_to_console(struct rpc_exchange *x)
{
	x->kind = RPC_EXCHANGE_ANSWERED;
	x->response.http_status = 302;
	x->response.location = xstrdup(STATIC_FILES_PREFIX);
}

static void answer_text(struct rpc_exchange *x, int status, const char *content_type, const char *text)
{
	x->kind = RPC_EXCHANGE_ANSWERED;
	x->response.http_status = status;
	x->response.content_type = content_type;
	buf_init(&x->response.body, strlen(text));
	(void)buf_add_str(&x->response.body, text);
}

static const struct rpc_page *find_page(const struct rpc_router *router, const char *path)
{
	for (size_t i = 0; i < router->page_count; i++)
		if (text_equal(router->pages[i].path, path))
			return &router->pages[i];
	return NULL;
}

/* The paths that are no API; false when `path` is none of them. */
static bool begin_fixed(struct rpc_router *router, struct rpc_exchange *x)
{
	const char *path = x->head.path;
	if (text_equal(path, "/healthcheck")) {
		bool serving = atomic_load(&router->serving) && !atomic_load(&router->draining);
		answer_text(x, serving ? 200 : 503, "text/plain", serving ? "ok\n" : "not serving\n");
	} else if (text_equal(path, "/") || text_equal(path, "/console")) {
		redirect_to_console(x);
	} else if (text_equal(path, "/me")) {
		answer_text(x, 200, "application/json", "{}");
	} else if (text_equal(path, "/api/v1/openapi")) {
		answer_text(x, 200, "application/json", (const char *)proto_openapi);
	} else if (text_starts_with(path, STATIC_FILES_PREFIX)) {
		x->kind = RPC_EXCHANGE_FILE;
	} else {
		x->page = find_page(router, path);
		x->kind = RPC_EXCHANGE_PAGE;
		return x->page != NULL;
	}
	return true;
}

static void begin_gateway(struct rpc_router *router, struct rpc_exchange *x, bool path_known)
{
	if (!x->match && path_known) {
		answer_status(x, 405, "this path has no such method");
		return;
	}
	if (!x->match) {
		answer_error(x, false, GRPC_NOT_FOUND, "no such path");
		return;
	}
	/* Nothing here asks for a password: a page from elsewhere must not make its visitor's browser change things. */
	if (rpc_origin_is_refused(&x->head)) {
		answer_error(x, false, GRPC_PERMISSION_DENIED,
		             "requests of other sites' pages may not change anything");
		return;
	}
	const struct rpc_route *route = gateway_match_route(x->match);
	x->stats = route->stats ? route->stats : x->stats;
	if (!route->method) {
		auto_free char *message = xasprintf("unknown method %s", route->path);
		answer_error(x, false, GRPC_UNIMPLEMENTED, message);
		return;
	}
	if (!read_timeout(x)) {
		answer_error(x, false, GRPC_INVALID_ARGUMENT, "malformed grpc-timeout");
		return;
	}
	x->kind = RPC_EXCHANGE_GATEWAY;
	x->method = route->method;
	x->method_context = route->context;
	buf_init(&x->body, router->limits.message_maximum);
}

void rpc_router_begin(struct rpc_router *router, struct rpc_exchange *x)
{
	if (!x->head.path)
		x->head.path = xstrdup("");
	if (!x->head.method)
		x->head.method = xstrdup("");
	const char *subtype;
	if (rpc_origin_answer_preflight(x))
		return;
	/* Until it is known to be one of ours. */
	x->stats = &router->stats[router->route_count];
	x->web = grpc_web_form_of(x->head.content_type, &subtype);
	if (x->web || rpc_is_grpc_content_type(x->head.content_type)) {
		begin_grpc(router, x, x->web ? subtype : x->head.content_type + strlen("application/grpc"));
		return;
	}
	bool path_known, reads = text_equal(x->head.method, "GET") || text_equal(x->head.method, "HEAD");
	x->match = gateway_find(router->gateway, x->head.method, x->head.path, &path_known);
	if (!x->match && !path_known && reads && begin_fixed(router, x)) {
		x->stats = NULL;
		return;
	}
	begin_gateway(router, x, path_known);
}

int rpc_router_submit(struct rpc_router *router, struct rpc_exchange *x)
{
	x->submitted = true;
	if (router->submit(router->executor, x) == 0)
		return 0;
	x->submitted = false;
	rpc_response_set_error(&x->response, x->kind == RPC_EXCHANGE_GRPC, GRPC_UNAVAILABLE,
	                       "the server has too many calls waiting, try again", NULL);
	return -1;
}
