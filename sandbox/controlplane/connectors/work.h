/* One row of store/connector_tasks that is due: the call is made, and what came of it written down. */
#ifndef SANDBOX_CONTROLPLANE_CONNECTORS_WORK_H
#define SANDBOX_CONTROLPLANE_CONNECTORS_WORK_H

#include "controlplane/connectors/catalog.h"
#include "controlplane/store/connector_tasks.h"

/* A row is kept for this much longer than its call may take. */
#define WORK_MARGIN_MS INT64_C(20000)

struct work_context {
	struct database *database;
	const struct settings *settings;
	const struct connector_catalog *catalog;
	/* What a connector has answered must be written down: while Postgres is away, it is tried again after a pause in
	 * this function, until that returns false. */
	bool (*pause)(void *context);
	void *context;
	int cancel_fd; /* ends a question under way, as in base/http.h; its row is left to whoever comes next */
};

/* The longest that any call may take, with the margin. */
int64_t work_lease_ms(const struct work_context *context);
/* -1 with `e` set when nothing could be written down: the row is taken again when its lease has run out. */
int work_run(const struct work_context *context, const struct connector_work *work, struct err *e);

#endif
