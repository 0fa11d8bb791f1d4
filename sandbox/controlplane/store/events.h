/*
 * What a reported event changes in the rows of an execution, its nodes and their task attempts. The caller holds the
 * execution's row, as an engine round does, so that the two never see half of each other's work.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_EVENTS_H
#define SANDBOX_CONTROLPLANE_STORE_EVENTS_H

#include "controlplane/store/database.h"
#include "controlplane/store/executions.h"

struct event_execution {
	int64_t id;
	const char *phase;
	const char *cluster; /* "" when it belongs to no particular one */
};

/* Locks the execution's row until the transaction ends, waiting for it. ERR_NOT_FOUND. Inside a transaction. */
int events_lock_execution(struct database_connection *c, struct arena *arena, const char *project, const char *domain,
                          const char *name, struct event_execution *ret_execution, struct err *e);

/* Only what the event says; the rest of the row stays. */
struct event_change {
	int64_t row_id;
	const char *phase;
	int64_t occurred_at; /* ns since the epoch; start or end of what `starts` or `ends`, 0: now */
	bool starts, ends;
	struct stored_literals outputs; /* NULL data and "" when the event has none */
	struct proto_bytes error;       /* flyteidl.core.ExecutionError; NULL data for none */
	const char *error_kind, *error_code;
	const char *deck_uri; /* of a node */
	/* of a task attempt */
	int64_t phase_version;
	const char *reason;
	struct proto_bytes closure; /* flyteidl.admin.TaskExecutionClosure */
};

/* Each wakes the engine when the transaction commits. */
int events_change_execution(struct database_connection *c, const struct event_change *change, struct err *e);
int events_change_node(struct database_connection *c, int64_t execution_id, const struct event_change *change,
                       struct err *e);
int events_change_task(struct database_connection *c, int64_t execution_id, const struct event_change *change,
                       struct err *e);

#endif
