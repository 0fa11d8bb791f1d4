/*
 * Cron expressions as Flyte's schedules take them (robfig/cron's ParseStandard): five fields, a descriptor such as @daily, or @every with a
 * duration; "CRON_TZ=<zone> " or "TZ=<zone> " may stand in front. Pure.
 */
#ifndef SANDBOX_CONTROLPLANE_API_CRON_H
#define SANDBOX_CONTROLPLANE_API_CRON_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define CRON_ZONE_SIZE 64

/* Bit n of a set is on when n matches. */
struct cron {
	uint64_t minutes, hours, days, months, weekdays; /* weekdays: Sunday 0 */
	bool any_day, any_weekday;                       /* "*": when neither is, either may match */
	int64_t every_ns;                                /* > 0 for @every, and the sets unused */
	char zone[CRON_ZONE_SIZE];                       /* "" for UTC */
};

/* ERR_INVALID in robfig/cron's words, without "Invalid cron expression: ". */
int cron_parse(const char *text, struct cron *ret_cron, struct err *e);

#endif
