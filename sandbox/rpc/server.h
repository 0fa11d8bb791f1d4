/*
 * The control plane's one TCP port: gRPC over cleartext HTTP/2 (prior knowledge), the REST gateway and the console's
 * files over HTTP/1.1. One thread runs the event loop and owns every connection; a fixed pool of worker threads runs
 * the handlers (rpc/call.h), one call at a time each, with one arena per call. The server itself adds grpc.health.v1,
 * reflection v1 and v1alpha, /healthcheck, the redirect of / to /console/ and /me.
 *
 * Ownership: options, services, pages and method tables are borrowed and have to outlive the server; strings in the options
 * are copied.
 */
#ifndef SANDBOX_RPC_SERVER_H
#define SANDBOX_RPC_SERVER_H

#include "base/buf.h"
#include "rpc/call.h"
#include "rpc/limits.h"

#include <stdbool.h>

struct rpc_service {
	const char *name; /* "flyteidl.service.AdminService" */
	const struct rpc_method *methods;
	size_t method_count;
	void *context; /* first argument of every handler of the service */
};

/* One finished call, for the program's log. Strings are borrowed for the duration of the callback. */
struct rpc_call_report {
	const char *request_id;
	const char *peer_address;
	const char *protocol; /* "grpc", "grpc-web" or "http" */
	const char *path;     /* gRPC method, or "GET /api/v1/…" without the query */
	int code;             /* gRPC status code; 0 is success */
	int http_status;      /* as sent; 200 for every gRPC answer */
	const char *message;  /* of the error, else "" */
	int64_t duration_us;  /* from the request's head to the result */
	size_t request_bytes, response_bytes; /* of the bodies as they travelled */
};

/* A page beside the API: GET and HEAD of exactly that path, written on a worker's thread. */
struct rpc_page {
	const char *path;
	const char *content_type;
	/* -1 with `e` set: the error's status, and what was written (if anything) or the error as JSON. */
	int (*write)(void *context, struct buf *out, struct err *e);
	void *context;
};

struct rpc_server_options {
	const char *address; /* numeric IPv4 or IPv6 address; NULL: "0.0.0.0" */
	uint16_t port;       /* 0: the system picks one, see rpc_server_port */
	unsigned workers;    /* threads that run handlers; 0: 8 */
	const struct rpc_service *services;
	size_t service_count;
	const struct rpc_page *pages;
	size_t page_count;
	const char *console_directory; /* served below /console/; NULL: none */
	struct rpc_limits limits;      /* zero fields: the defaults */
	/* Called on the loop thread after every call (not for console files); must not block. May be NULL. */
	void (*on_call)(void *context, const struct rpc_call_report *report);
	void *on_call_context;
};

struct rpc_server;

/*
 * Listens and serves until rpc_server_stop. ERR_CONFLICT ("port-taken"), ERR_PERMISSION, ERR_INVALID (address, method
 * without descriptor).
 */
int rpc_server_start(const struct rpc_server_options *options, struct rpc_server **ret_server, struct err *e);

/* The port it listens on. */
uint16_t rpc_server_port(const struct rpc_server *server);

/* Writes what is connected, a line each connection: for people who look for a reason. From any thread but the loop's, for which it waits. */
int rpc_server_dump(struct rpc_server *server, struct buf *out, struct err *e);

/* What grpc.health.v1 and /healthcheck answer: SERVING and 200 (at first), or NOT_SERVING and 503. From any thread. */
void rpc_server_set_serving(struct rpc_server *server, bool serving);

/*
 * Graceful end: no new connections, GOAWAY on the open ones, calls under way are finished, then everything is freed and
 * 0 returned. At `deadline_ms` (monotonic) what is left is cut off; handlers that run even then cannot be ended: -1
 * with ERR_TIMEOUT, and the server's memory stays, because they still use it; calling again goes on waiting. Not from a
 * handler.
 */
int rpc_server_stop(struct rpc_server *server, int64_t deadline_ms, struct err *e);

#endif
