#include "controlplane/pages.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "proto/json.h"

#include <malloc.h>
#include <stdatomic.h>
#include <string.h>

#define PING_MS 1000

static int cut(struct err *e)
{
	return err_set(e, ERR_EXHAUSTED, "page-too-large", "there is more than a page holds");
}

static int write_metrics(void *context, struct buf *out, struct err *e)
{
	(void)context;
	if (metrics_write(out) == 0)
		return 0;
	buf_clear(out);
	return cut(e);
}

/* {"database":{"ok":true},"pod_watch":{"ok":false,"reason":"…"}}; the status is 503 when one of them is not. */
static int write_health(void *context, struct buf *out, struct err *e)
{
	const struct pages_context *pages = context;
	auto_err struct err why = ERR_INIT;
	const int64_t began_us = clock_monotonic_us();
	const bool database = database_ping(pages->database, clock_monotonic_ms() + PING_MS, &why) == 0;
	const bool watch = engine_is_synced(pages->engine);
	(void)buf_add_format(out, "{\"database\":{\"ok\":%s,\"microseconds\":%lld", database ? "true" : "false",
			     (long long)(clock_monotonic_us() - began_us));
	if (!database) {
		(void)buf_add_str(out, ",\"reason\":");
		(void)proto_json_add_string(out, err_message(&why), strlen(err_message(&why)));
	}
	(void)buf_add_format(out, "},\"pod_watch\":{\"ok\":%s%s}}\n", watch ? "true" : "false",
			     watch ? "" : ",\"reason\":\"the list of pods is not complete\"");
	return database && watch ? 0 : err_set(e, ERR_UNAVAILABLE, "not-healthy", "a part is not healthy");
}

static int write_memory(void *context, struct buf *out, struct err *e)
{
	(void)context;
	const struct mallinfo2 info = mallinfo2();
	if (buf_add_format(out, "heap_bytes=%zu\nheap_used_bytes=%zu\nheap_free_bytes=%zu\nheap_releasable_bytes=%zu\nmapped_blocks=%zu\n"
				"mapped_bytes=%zu\n",
			   info.arena, info.uordblks, info.fordblks, info.keepcost, info.hblks, info.hblkhd) < 0)
		return cut(e);
	return 0;
}

static int write_engine(void *context, struct buf *out, struct err *e)
{
	const struct pages_context *pages = context;
	return engine_dump(pages->engine, out) < 0 ? cut(e) : 0;
}

static int write_connections(void *context, struct buf *out, struct err *e)
{
	const struct pages_context *pages = context;
	struct rpc_server *server = atomic_load(&pages->server);
	if (!server)
		return err_set(e, ERR_UNAVAILABLE, NULL, "the server is just starting");
	return rpc_server_dump(server, out, e);
}

size_t pages_fill(struct pages_context *context, bool debug, struct rpc_page ret_pages[PAGES_MAXIMUM])
{
	static const char text[] = "text/plain; charset=utf-8";
	const struct rpc_page pages[] = {
		{ "/metrics", METRICS_CONTENT_TYPE, write_metrics, context },
		{ "/healthcheck/detail", "application/json", write_health, context },
		{ "/debug/memory", text, write_memory, context },
		{ "/debug/engine", text, write_engine, context },
		{ "/debug/connections", text, write_connections, context },
	};
	static_assert(ARRAY_LENGTH(pages) <= PAGES_MAXIMUM, "each has a slot");
	const size_t count = debug ? ARRAY_LENGTH(pages) : 2;
	memcpy(ret_pages, pages, count * sizeof(*pages));
	return count;
}
