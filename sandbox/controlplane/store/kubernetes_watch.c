/*
 * A watch is a list followed by a stream of its changes (Kubernetes API concepts, "Efficient detection of changes").
 * The resource version of the list, then of every event and bookmark, says where the next stream begins; when the
 * server no longer knows that version ("410 Gone", as a status or as an ERROR event) the cycle starts again with a
 * list. A stream ends on its own every few minutes and is simply continued; now and then with a list, so that a change
 * that got lost on the way, whoever lost it, does not stay unknown. Anything else that goes wrong is waited out with a
 * growing, interruptible pause.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "controlplane/store/kubernetes_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define LINE_MAXIMUM ((size_t)16 * 1024 * 1024)
#define PAGE_MAXIMUM ((size_t)256 * 1024 * 1024)
/* A pod as a document is 80 KiB: more at once would stay with the process for good. */
#define PAGE_LIMIT 100
#define LIST_TIMEOUT_MS INT64_C(60000)
/* The server ends a stream after this; it sends a bookmark about once a minute, so silence for longer means a dead
 * connection. */
#define STREAM_SECONDS 290
#define STREAM_IDLE_MS INT64_C(150000)
#define PAUSE_FIRST_MS INT64_C(20)
#define PAUSE_MAXIMUM_MS INT64_C(5000)
#define RELIST_PAUSE_MS INT64_C(640)
#define RELIST_MS INT64_C(600000)

struct kubernetes_watch {
	struct kubernetes *kubernetes;
	struct http_client *client;
	char *path;
	char *selector; /* percent-encoded, "" for none */
	void (*on_event)(void *context, enum kubernetes_event event, const json_t *object);
	void *context;
	void (*on_problem)(void *context, const struct err *problem);
	void *problem_context;

	atomic_int_fast64_t heard_us;

	char *resource_version; /* of the last list, event or bookmark; NULL: a list is due */
	int64_t listed_ms, relist_ms;
	struct buf line;
	int64_t pause_ms;

	pthread_mutex_t mutex;
	pthread_cond_t stopping;
	bool stopped;
};

struct kubernetes_watch *kubernetes_watch_new(struct kubernetes *k, const char *path, const char *label_selector)
{
	struct kubernetes_watch *watch = xcalloc(1, sizeof(*watch));
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&watch->stopping, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&watch->mutex, NULL);
	watch->kubernetes = k;
	watch->client = kubernetes_make_client(k);
	watch->path = xstrdup(path);
	watch->selector = http_percent_encode(label_selector ? label_selector : "", "");
	buf_init(&watch->line, LINE_MAXIMUM);
	watch->relist_ms = RELIST_MS;
	return watch;
}

void kubernetes_watch_relist_after(struct kubernetes_watch *watch, int64_t ms)
{
	watch->relist_ms = ms;
}

struct kubernetes_watch *kubernetes_watch_free(struct kubernetes_watch *watch)
{
	if (!watch)
		return NULL;
	http_client_free(watch->client);
	buf_release(&watch->line);
	free(watch->path);
	free(watch->selector);
	free(watch->resource_version);
	pthread_cond_destroy(&watch->stopping);
	pthread_mutex_destroy(&watch->mutex);
	free(watch);
	return NULL;
}

void kubernetes_watch_on_problem(struct kubernetes_watch *watch,
                                 void (*on_problem)(void *context, const struct err *problem), void *context)
{
	watch->on_problem = on_problem;
	watch->problem_context = context;
}

void kubernetes_watch_stop(struct kubernetes_watch *watch)
{
	pthread_mutex_lock(&watch->mutex);
	watch->stopped = true;
	pthread_cond_broadcast(&watch->stopping);
	pthread_mutex_unlock(&watch->mutex);
	http_client_cancel(watch->client);
}

static bool is_stopped(struct kubernetes_watch *watch)
{
	pthread_mutex_lock(&watch->mutex);
	bool stopped = watch->stopped;
	pthread_mutex_unlock(&watch->mutex);
	return stopped;
}

static void pause_before_retry(struct kubernetes_watch *watch)
{
	watch->pause_ms = watch->pause_ms ? watch->pause_ms * 2 : PAUSE_FIRST_MS;
	if (watch->pause_ms > PAUSE_MAXIMUM_MS)
		watch->pause_ms = PAUSE_MAXIMUM_MS;
	int64_t until_ms = clock_monotonic_ms() + watch->pause_ms;
	struct timespec until = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };
	pthread_mutex_lock(&watch->mutex);
	while (!watch->stopped && pthread_cond_timedwait(&watch->stopping, &watch->mutex, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&watch->mutex);
}

static void remember_version(struct kubernetes_watch *watch, const char *version)
{
	atomic_store(&watch->heard_us, clock_monotonic_us());
	if (!*version)
		return;
	free(watch->resource_version);
	watch->resource_version = xstrdup(version);
}

static void forget_version(struct kubernetes_watch *watch)
{
	free(watch->resource_version);
	watch->resource_version = NULL;
}

/* Adds the headers of every request; returns their number. */
static size_t fill_headers(const char *authorization, struct http_header headers[2])
{
	headers[0] = (struct http_header){ "Accept", "application/json" };
	if (!authorization)
		return 1;
	headers[1] = (struct http_header){ "Authorization", authorization };
	return 2;
}

static json_t *fetch_page(struct kubernetes_watch *watch, const char *token, struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_free char *encoded = http_percent_encode(token, "");
	auto_free char *query =
	        xasprintf("%s?limit=%d%s%s%s%s", watch->path, PAGE_LIMIT, *watch->selector ? "&labelSelector=" : "",
	                  watch->selector, *token ? "&continue=" : "", encoded);
	auto_free char *url = kubernetes_url(watch->kubernetes, query);
	auto_free char *authorization = NULL;
	if (kubernetes_authorization(watch->kubernetes, &authorization, e) < 0)
		return NULL;
	struct http_header headers[2];
	struct http_request request = {
		.method = "GET",
		.url = url,
		.headers = headers,
		.header_count = fill_headers(authorization, headers),
		.response_maximum = PAGE_MAXIMUM,
		.timeout_ms = LIST_TIMEOUT_MS,
	};
	if (http_perform(watch->client, &request, &response, e) < 0)
		return NULL;
	if (response.status != 200) {
		kubernetes_translate(&response, e);
		return NULL;
	}
	return json_parse(buf_text(&response.body), response.body.length, "the Kubernetes API's list", e);
}

/* Reports everything that exists, page by page. */
static int list(struct kubernetes_watch *watch, struct err *e)
{
	auto_free char *token = xstrdup("");
	auto_free char *version = NULL;
	do {
		auto_json json_t *page = fetch_page(watch, token, e);
		if (!page)
			return -1;
		const json_t *items = json_object_get(page, "items");
		for (size_t i = 0; i < json_array_size(items) && !is_stopped(watch); i++)
			watch->on_event(watch->context, KUBERNETES_ADDED, json_array_get(items, i));
		free(token);
		token = xstrdup(json_string_at(page, "metadata/continue", ""));
		free(version);
		version = xstrdup(json_string_at(page, "metadata/resourceVersion", ""));
	} while (*token && !is_stopped(watch));
	if (is_stopped(watch))
		return err_set(e, ERR_CANCELLED, NULL, "stopped");
	if (!*version)
		return err_set(e, ERR_INTERNAL, "kubernetes-answer", "the list \"%s\" has no resource version",
		               watch->path);
	/* Only a complete list is a place to go on from. */
	remember_version(watch, version);
	watch->listed_ms = clock_monotonic_ms();
	watch->on_event(watch->context, KUBERNETES_SYNCED, NULL);
	return 0;
}

/* An ERROR event carries a Status. */
static int stream_error(const json_t *status, struct err *e)
{
	bool gone = json_integer_at(status, "code", 0) == 410;
	return err_set(e, gone ? ERR_PRECONDITION : ERR_UNAVAILABLE,
	               gone ? "kubernetes-gone" : "kubernetes-unavailable", "%s",
	               json_string_at(status, "message", "the watch ended with an error"));
}

static int deliver(struct kubernetes_watch *watch, const char *bytes, size_t length, struct err *e)
{
	auto_json json_t *event = json_parse(bytes, length, "a watch event", e);
	if (!event)
		return -1;
	const char *type = json_string_at(event, "type", "");
	const json_t *object = json_object_get(event, "object");
	if (text_equal(type, "ERROR"))
		return stream_error(object, e);
	if (text_equal(type, "ADDED"))
		watch->on_event(watch->context, KUBERNETES_ADDED, object);
	else if (text_equal(type, "MODIFIED"))
		watch->on_event(watch->context, KUBERNETES_MODIFIED, object);
	else if (text_equal(type, "DELETED"))
		watch->on_event(watch->context, KUBERNETES_DELETED, object);
	else if (!text_equal(type, "BOOKMARK"))
		return err_set(e, ERR_INTERNAL, "kubernetes-answer", "unknown watch event \"%s\"", type);
	remember_version(watch, json_string_at(object, "metadata/resourceVersion", ""));
	watch->pause_ms = 0;
	return 0;
}

/* One JSON object a line, cut anywhere by the transport. */
static int on_stream_data(void *context, const char *bytes, size_t length, struct err *e)
{
	struct kubernetes_watch *watch = context;
	while (length) {
		const char *end = memchr(bytes, '\n', length);
		size_t part = end ? (size_t)(end - bytes) : length;
		if (buf_add(&watch->line, bytes, part) < 0)
			return err_set(e, ERR_EXHAUSTED, "kubernetes-answer", "a watch event is larger than %zu bytes",
			               LINE_MAXIMUM);
		bytes += part + (end != NULL);
		length -= part + (end != NULL);
		if (end && watch->line.length && deliver(watch, watch->line.data, watch->line.length, e) < 0)
			return -1;
		if (end)
			buf_clear(&watch->line);
	}
	return 0;
}

static int stream(struct kubernetes_watch *watch, struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_free char *version = http_percent_encode(watch->resource_version, "");
	auto_free char *query =
	        xasprintf("%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%d&resourceVersion=%s%s%s", watch->path,
	                  STREAM_SECONDS, version, *watch->selector ? "&labelSelector=" : "", watch->selector);
	auto_free char *url = kubernetes_url(watch->kubernetes, query);
	auto_free char *authorization = NULL;
	if (kubernetes_authorization(watch->kubernetes, &authorization, e) < 0)
		return -1;
	struct http_header headers[2];
	struct http_request request = {
		.method = "GET",
		.url = url,
		.headers = headers,
		.header_count = fill_headers(authorization, headers),
		.on_data = on_stream_data,
		.context = watch,
		.timeout_ms = HTTP_NO_TIMEOUT,
		.idle_timeout_ms = STREAM_IDLE_MS,
	};
	buf_clear(&watch->line);
	if (http_perform(watch->client, &request, &response, e) < 0)
		return -1;
	return response.status == 200 ? 0 : kubernetes_translate(&response, e);
}

int64_t kubernetes_watch_heard_us(const struct kubernetes_watch *watch)
{
	return atomic_load(&watch->heard_us);
}

void kubernetes_watch_run(struct kubernetes_watch *watch,
                          void (*on_event)(void *context, enum kubernetes_event event, const json_t *object),
                          void *context)
{
	watch->on_event = on_event;
	watch->context = context;
	while (!is_stopped(watch)) {
		auto_err struct err e = ERR_INIT;
		int64_t started_ms = clock_monotonic_ms();
		if ((watch->resource_version || list(watch, &e) == 0) && stream(watch, &e) == 0) {
			const int64_t now_ms = clock_monotonic_ms();
			if (now_ms - watch->listed_ms >= watch->relist_ms)
				forget_version(watch);
			/* A server that ends streams at once must not be asked in a tight loop. */
			if (now_ms - started_ms < 1000)
				pause_before_retry(watch);
			else
				watch->pause_ms = 0;
			continue;
		}
		if (is_stopped(watch))
			break;
		/*
		 * Only a broken connection leaves our place in the stream known to be good; after anything else, and
		 * when it stays broken (the store behind the server may be another one), look afresh.
		 */
		bool lost_connection = e.kind == ERR_UNAVAILABLE || e.kind == ERR_TIMEOUT;
		bool gone = text_equal(err_id(&e), "kubernetes-gone");
		if (!lost_connection || watch->pause_ms >= RELIST_PAUSE_MS)
			forget_version(watch);
		if (watch->on_problem && !gone)
			watch->on_problem(watch->problem_context, &e);
		pause_before_retry(watch);
	}
}
