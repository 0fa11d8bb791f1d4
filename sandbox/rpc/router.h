/*
 * What a request leads to: built once from the services, read by all threads. Methods are found by binary search over
 * their paths; REST routes come from the descriptors (gateway.h).
 */
#ifndef SANDBOX_RPC_ROUTER_H
#define SANDBOX_RPC_ROUTER_H

#include "base/metrics.h"
#include "rpc/exchange.h"

struct gateway;
struct reflection;

/* How the calls of one method went. */
struct rpc_route_stats {
	atomic_uint_fast64_t codes[GRPC_CODE_COUNT];
	struct metric_histogram duration;
};

struct rpc_route {
	const char *path;
	const struct rpc_method *method;
	void *context;
	struct rpc_route_stats *stats;
};

struct rpc_router {
	struct rpc_route *routes; /* sorted by path */
	size_t route_count;
	struct rpc_route_stats *stats; /* one a route, and the last for paths that are none */
	struct metrics_collector collector;
	struct rpc_service health;
	const struct rpc_page *pages;
	size_t page_count;
	struct gateway *gateway;
	struct reflection *reflection;
	char *console_directory; /* or NULL */
	struct rpc_limits limits; /* no field is zero */
	struct rpc_memory memory; /* of requests and responses */
	atomic_bool serving;
	atomic_bool draining;
	atomic_uint_fast64_t next_request;
	char request_prefix[12];
	/* How an exchange gets executed: queued for a worker, or at once in tests. -1: no room, nothing happened. */
	int (*submit)(void *executor, struct rpc_exchange *x);
	/* Takes back what was submitted and does not run yet; false when it runs or has run. NULL: never. */
	bool (*withdraw)(void *executor, struct rpc_exchange *x);
	void *executor;
	void (*on_call)(void *context, const struct rpc_call_report *report);
	void *on_call_context;
};

/* Takes the limits, services and callbacks of the options; `submit` and `executor` are set by the caller afterwards. */
int rpc_router_init(struct rpc_router *router, const struct rpc_server_options *options, struct err *e);
void rpc_router_release(struct rpc_router *router);

/* NULL when there is none. */
const struct rpc_route *rpc_router_find(const struct rpc_router *router, const char *path);

/* Decides the exchange's kind by its head, sets its body's maximum and, where the head alone is enough, its response.
 */
void rpc_router_begin(struct rpc_router *router, struct rpc_exchange *x);
/* The whole request is there: executes it through the executor, or sets UNAVAILABLE and returns -1 when that is full.
 */
int rpc_router_submit(struct rpc_router *router, struct rpc_exchange *x);

#endif
