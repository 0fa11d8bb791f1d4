/*
 * What the control plane tells about itself besides its log: /metrics for Prometheus, /healthcheck/detail with each part's state, and, when
 * the configuration says so, /debug/… with what is held in memory and under way.
 */
#ifndef SANDBOX_CONTROLPLANE_PAGES_H
#define SANDBOX_CONTROLPLANE_PAGES_H

#include "controlplane/engine/engine.h"
#include "controlplane/store/database.h"
#include "rpc/server.h"

#define PAGES_MAXIMUM 8

struct pages_context {
	struct database *database;
	struct engine *engine;
	_Atomic(struct rpc_server *) server; /* NULL until it runs */
};

/* Fills in the pages and returns how many; the context is borrowed by them. */
size_t pages_fill(struct pages_context *context, bool debug, struct rpc_page ret_pages[PAGES_MAXIMUM]);

#endif
