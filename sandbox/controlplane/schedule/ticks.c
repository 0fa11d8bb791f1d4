#include "controlplane/schedule/ticks.h"

#include "base/text.h"

#include <inttypes.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define CRON_EXPRESSION FLYTEIDL__ADMIN__SCHEDULE__SCHEDULE_EXPRESSION_CRON_EXPRESSION
#define CRON_SCHEDULE FLYTEIDL__ADMIN__SCHEDULE__SCHEDULE_EXPRESSION_CRON_SCHEDULE
#define RATE FLYTEIDL__ADMIN__SCHEDULE__SCHEDULE_EXPRESSION_RATE

/* The older field, a cron expression without anything around it, may be sent empty by who has no schedule. */
const char *ticks_type(const Flyteidl__Admin__Schedule *schedule)
{
	if (!schedule)
		return "NONE";
	if (schedule->schedule_expression_case == RATE)
		return "RATE";
	if (schedule->schedule_expression_case == CRON_SCHEDULE ||
	    (schedule->schedule_expression_case == CRON_EXPRESSION && !text_is_empty(schedule->cron_expression)))
		return "CRON";
	return "NONE";
}

static int parse_rate(const Flyteidl__Admin__FixedRate *rate, struct ticks *ticks, struct err *e)
{
	static const int64_t units[] = {
		[FLYTEIDL__ADMIN__FIXED_RATE_UNIT__MINUTE] = 60,
		[FLYTEIDL__ADMIN__FIXED_RATE_UNIT__HOUR] = 3600,
		[FLYTEIDL__ADMIN__FIXED_RATE_UNIT__DAY] = 86400,
	};
	if (rate->value == 0 || rate->unit >= ARRAY_LENGTH(units))
		return err_set(e, ERR_INVALID, "invalid-rate", "invalid value for fixed rate");
	ticks->rate_s = rate->value * units[rate->unit];
	return 0;
}

int ticks_of_schedule(struct arena *arena, const Flyteidl__Admin__Schedule *schedule, struct ticks *ret_ticks,
                      struct err *e)
{
	struct ticks ticks = { .rate_s = 0 };
	auto_err struct err why = ERR_INIT;
	if (schedule->schedule_expression_case == RATE) {
		if (parse_rate(schedule->rate, &ticks, e) < 0)
			return -1;
		*ret_ticks = ticks;
		return 0;
	}
	const char *expression = schedule->schedule_expression_case == CRON_SCHEDULE ? schedule->cron_schedule->schedule
	                                                                             : schedule->cron_expression;
	if (cron_parse(expression, &ticks.cron, &why) < 0)
		return err_set(e, ERR_INVALID, "invalid-cron", "Invalid cron expression: %s", err_message(&why));
	if (zone_load(arena, ticks.cron.zone, &ticks.zone, &why) < 0)
		return err_set(e, ERR_INVALID, "invalid-cron", "Invalid cron expression: provided bad location %s: %s",
		               ticks.cron.zone, err_message(&why));
	*ret_ticks = ticks;
	return 0;
}

int64_t ticks_next(const struct ticks *ticks, int64_t after_ns)
{
	const int64_t after = after_ns / NS_PER_SECOND;
	if (ticks->rate_s > 0)
		return ticks->rate_s < CRON_NEVER - after ? (after + ticks->rate_s) * NS_PER_SECOND : TICKS_NEVER;
	return cron_next(&ticks->cron, ticks->zone, after) * NS_PER_SECOND;
}

/* How many ticks there are from the first one after `from_ns` up to `to_ns`; not counted further than `enough`. */
static size_t count_ticks(const struct ticks *ticks, int64_t from_ns, int64_t to_ns, size_t enough)
{
	size_t count = 0;
	for (int64_t at = ticks_next(ticks, from_ns); at <= to_ns && count < enough; at = ticks_next(ticks, at))
		count++;
	return count;
}

int64_t ticks_catch_up(const struct ticks *ticks, int64_t tick_ns, int64_t now_ns, size_t maximum)
{
	if (1 + count_ticks(ticks, tick_ns, now_ns, maximum) <= maximum)
		return tick_ns;
	const int64_t period_s = ticks->rate_s ? ticks->rate_s : ticks->cron.every_s;
	if (period_s > 0) {
		const int64_t missed = (now_ns - tick_ns) / (period_s * NS_PER_SECOND);
		return tick_ns + (missed - (int64_t)maximum + 1) * period_s * NS_PER_SECOND;
	}
	/* A window before now that is long enough, found by doubling; then from its beginning on, as many as are too
	 * many are left out. */
	int64_t window_ns = NS_PER_SECOND;
	while (now_ns - window_ns > tick_ns && count_ticks(ticks, now_ns - window_ns, now_ns, maximum) < maximum)
		window_ns *= 2;
	int64_t at = now_ns - window_ns > tick_ns ? ticks_next(ticks, now_ns - window_ns) : tick_ns;
	size_t left = 1 + count_ticks(ticks, at, now_ns, SIZE_MAX);
	for (; left > maximum; left--)
		at = ticks_next(ticks, at);
	return at;
}

/* FNV-1 (not 1a) of "project:domain:name:version:seconds", little-endian, as the beginning of an otherwise empty UUID:
 * its first 19 digits behind an 'f' (flyteadmin's scheduler at v1.16.8). */
char *ticks_execution_name(struct arena *arena, const struct entity_key *launch_plan, int64_t tick_ns)
{
	const char *text = arena_printf(arena, "%s:%s:%s:%s:%" PRId64, launch_plan->project, launch_plan->domain,
	                                launch_plan->name, launch_plan->version, tick_ns / NS_PER_SECOND);
	uint64_t hash = UINT64_C(14695981039346656037);
	for (const char *c = text; *c; c++)
		hash = (hash * UINT64_C(1099511628211)) ^ (unsigned char)*c;
	return arena_printf(arena, "f%016" PRIx64 "000", __builtin_bswap64(hash));
}
