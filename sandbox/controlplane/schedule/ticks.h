/*
 * When a launch plan's schedule ticks, and what the execution of a tick is called. Pure but for the zone's file. Times
 * are nanoseconds since the Unix epoch; ticks are whole seconds.
 */
#ifndef SANDBOX_CONTROLPLANE_SCHEDULE_TICKS_H
#define SANDBOX_CONTROLPLANE_SCHEDULE_TICKS_H

#include "controlplane/schedule/cron.h"
#include "controlplane/store/entity.h"

#include "flyteidl/admin/schedule.pb-c.h"

struct ticks {
	int64_t rate_s; /* > 0: a fixed rate; 0: cron */
	struct cron cron;
	const struct zone *zone;
};

/* Later than any tick. */
#define TICKS_NEVER (CRON_NEVER * INT64_C(1000000000))

/* "NONE", "CRON" or "RATE": whether it has an expression at all, and of which kind. `schedule` may be NULL. */
const char *ticks_type(const Flyteidl__Admin__Schedule *schedule);
/* Of a schedule that has an expression. ERR_INVALID in flyteadmin's words. The zone is in the arena. */
int ticks_of_schedule(struct arena *arena, const Flyteidl__Admin__Schedule *schedule, struct ticks *ret_ticks,
                      struct err *e);

/* The first tick after `after_ns`; of a fixed rate, `after_ns` is the tick before, or the activation. TICKS_NEVER when
 * there is none. */
int64_t ticks_next(const struct ticks *ticks, int64_t after_ns);

/*
 * Which of the ticks that were missed are made up for: `tick_ns` is due, and so may be others up to `now_ns`. Returns
 * `tick_ns` when there are at most `maximum` of them, else the first of the last `maximum`.
 */
int64_t ticks_catch_up(const struct ticks *ticks, int64_t tick_ns, int64_t now_ns, size_t maximum);

/* The same for every replica and after every restart, and upstream's: that is what makes a tick happen once. In the
 * arena. */
char *ticks_execution_name(struct arena *arena, const struct entity_key *launch_plan, int64_t tick_ns);

#endif
