/*
 * Cron expressions as Flyte's schedules take them (robfig/cron's ParseStandard): five fields, a descriptor such as
 * @daily, or @every with a duration; "CRON_TZ=<zone> " or "TZ=<zone> " may stand in front. Besides, flytekit's "daily",
 * "days" and their like are descriptors. Pure.
 */
#ifndef SANDBOX_CONTROLPLANE_SCHEDULE_CRON_H
#define SANDBOX_CONTROLPLANE_SCHEDULE_CRON_H

#include "base/err.h"
#include "controlplane/schedule/zone.h"

#include <stdbool.h>
#include <stdint.h>

#define CRON_ZONE_SIZE 64

/* Bit n of a set is on when n matches. */
struct cron {
	uint64_t minutes, hours, days, months, weekdays; /* weekdays: Sunday 0 */
	bool any_day, any_weekday;                       /* "*": when neither is, either may match */
	int64_t every_s;                                 /* > 0 for @every, and the sets unused */
	char zone[CRON_ZONE_SIZE];                       /* "" for UTC */
};

/* ERR_INVALID in robfig/cron's words, without "Invalid cron expression: ". */
int cron_parse(const char *text, struct cron *ret_cron, struct err *e);

/* Later than anything; in nanoseconds, it still fits an int64_t. */
#define CRON_NEVER INT64_C(9000000000)

/*
 * The first time after `after` at which the expression matches in that zone, in whole seconds since the Unix epoch;
 * CRON_NEVER when none of the next five years does. A local time that is left out when clocks are put forward does not
 * match, one that comes twice when they are put back matches twice. @every counts from `after`.
 */
int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after);

#endif
