/*
 * Rows of the table `connector_tasks`: attempts of tasks that connectors run. They are between the engine, which begins
 * and ends them within its rounds, and those who call connectors (controlplane/connectors), which take what is due under
 * a lease: a call is made outside of any transaction, and whoever takes over a lease that ran out knows that its call may
 * have been made. All times are those of Postgres, so that replicas need not agree on theirs.
 *
 * Whoever changes a row tells the others in the same transaction: the engine those who call (CONNECTOR_TASKS_CHANNEL),
 * these the engine (by the execution's row). Rows live in the arena given.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_CONNECTOR_TASKS_H
#define SANDBOX_CONTROLPLANE_STORE_CONNECTOR_TASKS_H

#include "controlplane/store/database.h"

#define CONNECTOR_TASKS_CHANNEL "flyte_connector_tasks"

/* ---- For the engine, in its transaction ---- */

struct connector_task_new {
	int64_t execution_id;
	const char *name, *task_type, *output_prefix;
	int32_t task_version;
	struct proto_bytes request; /* flyteidl.admin.CreateTaskRequest */
};
/* One that exists is left as it is. */
int connector_tasks_begin(struct database_connection *c, const struct connector_task_new *task, struct err *e);

struct connector_task_row {
	const char *name;
	bool created;                /* the connector knows of it */
	bool finished;               /* `resource` is the last that it says */
	struct proto_bytes resource; /* NULL data: none yet */
	const char *failure_code, *failure_message; /* code "": none */
	bool failure_retryable;
	const char *problem; /* "": none */
};
struct connector_task_rows {
	size_t count;
	struct connector_task_row *rows;
};
/* All of the execution that are not to be deleted. */
int connector_tasks_load(struct database_connection *c, struct arena *arena, int64_t execution_id,
                         struct connector_task_rows *ret_rows, struct err *e);
/* Ends those of the execution that are not among `names`: what runs is to be deleted, of what is over the row goes. */
int connector_tasks_end_others(struct database_connection *c, struct arena *arena, int64_t execution_id,
                               const char *const *names, size_t count, struct err *e);

/* ---- For those who call ---- */

enum connector_call { CONNECTOR_CREATE, CONNECTOR_GET, CONNECTOR_DELETE };

struct connector_work {
	int64_t id, lease;
	enum connector_call call;
	const char *name, *task_type, *output_prefix;
	int32_t task_version;
	struct proto_bytes request, meta;
	int64_t questions, failures;
	int64_t failing_ms; /* since the first of `failures` */
};
/*
 * Takes the row that is due for longest, until `lease_ms` from now: 1. 0: none is due, and `ret_wait_ms` is how long
 * until one is, or -1 for never.
 */
int connector_tasks_take(struct database_connection *c, struct arena *arena, int64_t lease_ms,
                         struct connector_work *ret_work, int64_t *ret_wait_ms, struct err *e);

/* What came of the call. 1 when it was written down, 0 when somebody else has taken the row meanwhile. */
int connector_tasks_created(struct database_connection *c, const struct connector_work *work, struct proto_bytes meta,
                            struct err *e);
/* `finished`: there is nothing more to ask; else asked again in `wait_ms`. */
int connector_tasks_heard(struct database_connection *c, const struct connector_work *work,
                          struct proto_bytes resource, bool finished, int64_t wait_ms, struct err *e);
/* Tried again in `wait_ms`; `problem` is what the user sees until then. */
int connector_tasks_postpone(struct database_connection *c, const struct connector_work *work, const char *problem,
                             int64_t wait_ms, struct err *e);
/* Nothing came of it: as it was before it was taken. */
int connector_tasks_leave(struct database_connection *c, const struct connector_work *work, struct err *e);
int connector_tasks_fail(struct database_connection *c, const struct connector_work *work, const char *code,
                         const char *message, bool retryable, struct err *e);
/* Those that wait for a connector look for it now. */
int connector_tasks_hurry(struct database_connection *c, struct err *e);
/* Every unfinished execution looks again: connectors run other tasks than before. */
int connector_tasks_wake_engine(struct database_connection *c, struct err *e);
/* Deleted, or given up. */
int connector_tasks_forget(struct database_connection *c, const struct connector_work *work, struct err *e);

#endif
