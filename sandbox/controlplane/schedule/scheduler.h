/*
 * The scheduler: starts executions of active launch plans when their schedules tick. Every replica runs one. What is
 * due is in Postgres (store/schedules); nothing is polled, and nothing is locked while an execution is made: the
 * execution of a tick has a name that follows from the launch plan and the tick, so of all who try, at whatever time,
 * one makes it and the others find it made.
 *
 * A tick that cannot be started for now (no Postgres, no object store) is tried again until it can; one that never can
 * be (archived project, inputs that do not fit, concurrency limit reached) is logged and passed over, as upstream does.
 * What was missed while nobody ran is made up for, the last `catch_up_maximum` ticks of each schedule.
 */
#ifndef SANDBOX_CONTROLPLANE_SCHEDULE_SCHEDULER_H
#define SANDBOX_CONTROLPLANE_SCHEDULE_SCHEDULER_H

#include "controlplane/launch/launch.h"

#define SCHEDULER_CATCH_UP_MAXIMUM ((size_t)100)

struct scheduler_options {
	struct launch_context launch; /* what it points to must outlive the scheduler */
	size_t catch_up_maximum;      /* 0: SCHEDULER_CATCH_UP_MAXIMUM */
};

struct scheduler;
int scheduler_start(const struct scheduler_options *options, struct scheduler **ret_scheduler, struct err *e);
/* Finishes the launch under way and joins the threads. NULL is fine. */
struct scheduler *scheduler_stop(struct scheduler *scheduler);

/*
 * What the scheduler does each time it wakes: starts everything due at `now_ns` (wall clock). `ret_next_ns` is when the
 * next tick will be due; 0: never. -1 when the database failed; what is not done then is done by the next call. Given
 * for tests, which have a clock of their own.
 */
int scheduler_run(const struct scheduler_options *options, int64_t now_ns, int64_t *ret_next_ns, struct err *e);

#endif
