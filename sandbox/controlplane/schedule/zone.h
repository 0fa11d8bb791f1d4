/*
 * Time zones: how far local time is from UTC, at any time. Read from the zone files that every system has (RFC 9636,
 * "TZif"), because the C library converts only to the one zone of the process. Zones live in an arena.
 */
#ifndef SANDBOX_CONTROLPLANE_SCHEDULE_ZONE_H
#define SANDBOX_CONTROLPLANE_SCHEDULE_ZONE_H

#include "base/arena.h"
#include "base/err.h"

#include <stdint.h>

#define ZONE_DIRECTORY "/usr/share/zoneinfo"

struct zone;

/* The zone of that name, "Europe/Berlin"; NULL, which stands for UTC, for "", "UTC" and "Local" (this process has no
 * other). ERR_NOT_FOUND "unknown time zone <name>" as Go says it. */
int zone_load(struct arena *arena, const char *name, const struct zone **ret_zone, struct err *e);
/* The content of a zone file. Pure. ERR_INVALID. */
int zone_parse(struct arena *arena, const void *bytes, size_t length, const struct zone **ret_zone, struct err *e);
/* Seconds east of UTC at that time, which is in seconds since the Unix epoch. 0 for NULL. Pure. */
int32_t zone_offset(const struct zone *zone, int64_t at);

/* Days since 1970-01-01 of a day of the Gregorian calendar; month 1 … 12. */
int64_t zone_days_of(int64_t year, unsigned month, unsigned day);
/* And back. */
void zone_date_of(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

#endif
