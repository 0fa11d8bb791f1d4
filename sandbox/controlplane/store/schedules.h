/*
 * Rows of the table `schedules`: the launch plans that start by themselves. launch_plans_set_state makes and removes
 * them; the rest is for the scheduler. Times are nanoseconds since the Unix epoch. Rows live in the arena given.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_SCHEDULES_H
#define SANDBOX_CONTROLPLANE_STORE_SCHEDULES_H

#include "controlplane/store/database.h"
#include "controlplane/store/entity.h"

/* Told, with any payload, in the transaction that makes or removes a schedule. */
#define SCHEDULES_CHANNEL "flyte_schedules"

struct schedule_row {
	int64_t launch_plan_id;
	struct entity_key launch_plan;
	struct proto_bytes spec; /* flyteidl.admin.LaunchPlanSpec */
	int64_t last_tick_at;
	int64_t next_tick_at; /* 0: not known yet */
	int64_t failures;
};

struct schedule_rows {
	size_t count;
	struct schedule_row *rows;
};

/* Schedules whose next tick is not known, or due at `now`; at most `limit`, those that wait longest first. */
int schedules_due(struct database_connection *c, struct arena *arena, int64_t now_ns, size_t limit,
                  struct schedule_rows *ret_rows, struct err *e);
/* When the next one will be due; 0: never. */
int schedules_next_due(struct database_connection *c, struct arena *arena, int64_t *ret_at_ns, struct err *e);

/*
 * The three ways on from what schedules_due gave: each changes the row only if it is still as it was read, so that of
 * several replicas one does it. 1 when changed, 0 when somebody else was first or the schedule is gone, -1.
 */
/* The next tick is found out, or put off because ticks in between are left out. */
int schedules_set_next(struct database_connection *c, const struct schedule_row *row, int64_t next_tick_ns,
                       struct err *e);
/* The due tick is done with; the next one is `next_tick_ns`. */
int schedules_done(struct database_connection *c, const struct schedule_row *row, int64_t next_tick_ns, struct err *e);
/* The due tick is to be tried again, not before `retry_ns`. */
int schedules_failed(struct database_connection *c, const struct schedule_row *row, int64_t retry_ns, struct err *e);

#endif
