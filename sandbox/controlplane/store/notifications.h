/*
 * Rows of the table `notifications`: what is still to be sent about executions that have ended. The engine adds them in
 * the transaction that ends the execution; who sends (controlplane/notify) takes them one by one under a lease, so that
 * nothing is locked while a mail server thinks. Times are those of Postgres. Rows live in the arena given.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_NOTIFICATIONS_H
#define SANDBOX_CONTROLPLANE_STORE_NOTIFICATIONS_H

#include "controlplane/store/database.h"

#include "flyteidl/core/execution.pb-c.h"

#define NOTIFICATIONS_CHANNEL "flyte_notifications"

/* ---- For the engine ---- */

struct notifications_channels {
	bool mail, webhook;
};
/* Adds what the execution's own list asks to be told of that phase. A repetition adds nothing. */
int notifications_add(struct database_connection *c, struct arena *arena, int64_t execution_id,
                      Flyteidl__Core__WorkflowExecution__Phase phase, struct notifications_channels channels,
                      struct err *e);

/* ---- For those who send ---- */

struct notification_work {
	int64_t id, lease, attempts;
	int64_t position;
	bool webhook; /* else mail */
	const char *phase;
	/* Of the execution. */
	const char *project, *domain, *name;
	const char *workflow_project, *workflow_domain, *workflow_name, *workflow_version;
	const char *launch_plan_project, *launch_plan_domain, *launch_plan_name, *launch_plan_version; /* or "" */
	struct proto_bytes list;  /* flyteidl.admin.NotificationList */
	struct proto_bytes error; /* flyteidl.core.ExecutionError; NULL data: none */
	int64_t ended_at_ns;
};
/* Takes the row that is due for longest, until `lease_ms` from now: 1. 0: none is due; `ret_wait_ms` until one is, -1
 * for never. */
int notifications_take(struct database_connection *c, struct arena *arena, int64_t lease_ms,
                       struct notification_work *ret_work, int64_t *ret_wait_ms, struct err *e);
/* Sent, or given up. */
int notifications_done(struct database_connection *c, const struct notification_work *work, struct err *e);
/* Nothing came of it: as it was before it was taken. */
int notifications_leave(struct database_connection *c, const struct notification_work *work, struct err *e);
int notifications_postpone(struct database_connection *c, const struct notification_work *work, int64_t wait_ms,
                           struct err *e);

#endif
