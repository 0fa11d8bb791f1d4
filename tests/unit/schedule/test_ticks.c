/* When schedules tick: cron expressions, time zones and what is made up for, each against an oracle that does the same
 * the slow way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "controlplane/schedule/ticks.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS INT64_C(1000000000)

static struct arena arena = ARENA_INIT((size_t)256 << 20);

static int64_t at(const char *text)
{
	int64_t ns;
	if (!clock_parse_rfc3339(text, &ns))
		fail_msg("not a time: %s", text);
	return ns / NS;
}

static const char *text_of(int64_t seconds)
{
	char text[CLOCK_RFC3339_SIZE];
	if (seconds == CRON_NEVER)
		return "never";
	clock_format_rfc3339(seconds * NS, text);
	return arena_printf(&arena, "%.19sZ", text);
}

static struct cron parse(const char *text)
{
	auto_err struct err e = ERR_INIT;
	struct cron cron;
	if (cron_parse(text, &cron, &e) < 0)
		fail_msg("%s: %s", text, err_message(&e));
	return cron;
}

static void test_cron(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t minutes, hours, days, months, weekdays;
	} good[] = {
		{ "0 0 1 1 0", 1, 1, 2, 2, 1 },
		{ "*/20 1,2 2-4 JAN,feb mon-WED", 1 | 1 << 20 | UINT64_C(1) << 40, 6, 0x1c, 6, 0xe },
		{ "5/25  *  31 12 ?", 1 << 5 | 1 << 30 | UINT64_C(1) << 55, 0xffffff, UINT64_C(1) << 31, 1 << 12,
		  0x7f },
		{ "1-9/4 0 1 1 6", 1 << 1 | 1 << 5 | 1 << 9, 1, 2, 2, 1 << 6 },
		{ "@hourly", 1, 0xffffff, 0xfffffffe, 0x1ffe, 0x7f },
		{ "@weekly", 1, 1, 0xfffffffe, 0x1ffe, 1 },
		{ "CRON_TZ=Europe/Berlin 0 0 1 1 0", 1, 1, 2, 2, 1 },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
		auto_err struct err e = ERR_INIT;
		struct cron cron;
		if (cron_parse(good[i].text, &cron, &e) < 0)
			fail_msg("%s: %s", good[i].text, err_message(&e));
		assert_true(cron.minutes == good[i].minutes);
		assert_true(cron.hours == good[i].hours);
		assert_true(cron.days == good[i].days);
		assert_true(cron.months == good[i].months);
		assert_true(cron.weekdays == good[i].weekdays);
	}
	struct cron cron;
	assert_int_equal(cron_parse("@every 1h30m", &cron, NULL), 0);
	assert_int_equal(cron.every_s, 5400);
	assert_int_equal(cron_parse("TZ=UTC @daily", &cron, NULL), 0);
	assert_string_equal(cron.zone, "UTC");
	assert_true(cron.any_day && cron.any_weekday);

	static const struct {
		const char *text, *error;
	} bad[] = {
		{ "", "empty spec string" },
		{ "* * * *", "expected exactly 5 fields, found 4: [* * * *]" },
		{ "* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]" },
		{ "60 * * * *", "end of range (60) above maximum (59): 60" },
		{ "* 24 * * *", "end of range (24) above maximum (23): 24" },
		{ "* * 0 * *", "beginning of range (0) below minimum (1): 0" },
		{ "* * * 13 *", "end of range (13) above maximum (12): 13" },
		{ "* * * * 7", "end of range (7) above maximum (6): 7" },
		{ "5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3" },
		{ "*/0 * * * *", "step of range should be a positive number: */0" },
		{ "x * * * *", "failed to parse int from x" },
		{ "1, * * * *", "failed to parse int from " },
		{ "*-5 * * * *", "failed to parse int from *" },
		{ "@never", "unrecognized descriptor: @never" },
		{ "@every 5", "failed to parse duration @every 5" },
		{ "@every -5s", "failed to parse duration @every -5s" },
		{ "TZ=a;b * * * * *", "provided bad location a;b" },
		{ "TZ=UTC", "provided bad location UTC" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		auto_err struct err e = ERR_INIT;
		assert_int_equal(cron_parse(bad[i].text, &cron, &e), -1);
		assert_string_equal(err_message(&e), bad[i].error);
	}
}

/* ---- Zones ---- */

/* A zone file with nothing but a rule. */
static const struct zone *zone_of_rule(const char *rule)
{
	auto_err struct err e = ERR_INIT;
	uint8_t header[44] = "TZif2";
	header[39] = 1; /* one type */
	uint8_t type[6] = { 0 };
	auto_buf struct buf file = BUF_INIT(4096);
	assert_int_equal(buf_add(&file, header, sizeof(header)), 0);
	assert_int_equal(buf_add(&file, type, sizeof(type)), 0);
	assert_int_equal(buf_add(&file, header, sizeof(header)), 0);
	assert_int_equal(buf_add(&file, type, sizeof(type)), 0);
	assert_int_equal(buf_add_format(&file, "\n%s\n", rule), 0);
	const struct zone *zone;
	if (zone_parse(&arena, file.data, file.length, &zone, &e) < 0)
		fail_msg("%s: %s", rule, err_message(&e));
	return zone;
}

/* The C library knows the rules of one zone at a time: ours against its, until the year 2099. */
static void compare_with_libc(const char *tz, const struct zone *zone, int64_t from)
{
	assert_int_equal(setenv("TZ", tz, 1), 0);
	tzset();
	/* A step that falls on all times of the day, and around changes. */
	for (int64_t t = from; t < INT64_C(4100000000); t += 86400 * 3 + 3607) {
		const time_t now = (time_t)t;
		struct tm tm;
		assert_non_null(localtime_r(&now, &tm));
		if (zone_offset(zone, t) != tm.tm_gmtoff)
			fail_msg("%s at %s: %d, not %ld", tz, text_of(t), zone_offset(zone, t), tm.tm_gmtoff);
	}
	assert_int_equal(unsetenv("TZ"), 0);
}

static void test_rules(void **state)
{
	(void)state;
	static const char *const rules[] = {
		"CET-1CEST,M3.5.0,M10.5.0/3",       "EST5EDT,M3.2.0,M11.1.0",
		"NZST-12NZDT,M9.5.0,M4.1.0/3",      "<+0530>-5:30",
		"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "XXX3YYY2,J60/1,J300/1",
		"XXX3YYY2:30,59/1,299/1",           "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rules); i++)
		compare_with_libc(rules[i], zone_of_rule(rules[i]), 0); /* the library knows no rule before 1970 */
	static const char *const bad[] = { "CET",
		                           "CET-25",
		                           "1CET",
		                           "CET-1CEST",
		                           "CET-1CEST,M3.5.0",
		                           "CET-1CEST,M13.5.0,M10.5.0",
		                           "CET-1CEST,M3.6.0,M1.1.0",
		                           "CET-1CEST,M3.5.7,M10.5.0",
		                           "CET-1CEST,M3.5.0,M10.5.0/168",
		                           "CET-1CEST,J0,J1",
		                           "CET-1CEST,M3.5.0,M10.5.0x",
		                           "<+05" };
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		uint8_t header[44] = "TZif2";
		header[39] = 1;
		auto_buf struct buf file = BUF_INIT(4096);
		const struct zone *zone;
		for (size_t k = 0; k < 2; k++)
			assert_int_equal(buf_add(&file, header, sizeof(header)) + buf_add(&file, "\0\0\0\0\0\0", 6), 0);
		assert_int_equal(buf_add_format(&file, "\n%s\n", bad[i]), 0);
		if (zone_parse(&arena, file.data, file.length, &zone, NULL) == 0)
			fail_msg("%s was accepted", bad[i]);
	}
}

static void test_zones_of_this_machine(void **state)
{
	(void)state;
	static const char *const names[] = { "Europe/Berlin",     "America/New_York", "America/Sao_Paulo",
		                             "Asia/Kolkata",      "Asia/Tehran",      "Australia/Lord_Howe",
		                             "Africa/Casablanca", "Pacific/Apia",     "Etc/GMT+12",
		                             "America/St_Johns" };
	size_t compared = 0;
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		const struct zone *zone;
		if (access(ZONE_DIRECTORY "/Europe/Berlin", R_OK) < 0)
			break;
		auto_err struct err e = ERR_INIT;
		if (zone_load(&arena, names[i], &zone, &e) < 0)
			fail_msg("%s: %s", names[i], err_message(&e));
		compare_with_libc(names[i], zone, INT64_C(-2000000000));
		compared++;
	}
	if (compared == 0)
		skip(); /* a machine without zone files; the rules were tested above */
}

static void test_unknown_zones(void **state)
{
	(void)state;
	static const char *const names[] = { "Europe/Atlantis", "../../etc/passwd", "/etc/passwd", "." };
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		auto_err struct err e = ERR_INIT;
		const struct zone *zone;
		assert_int_equal(zone_load(&arena, names[i], &zone, &e), -1);
		assert_int_equal(e.kind, ERR_NOT_FOUND);
		assert_string_equal(err_message(&e), arena_printf(&arena, "unknown time zone %s", names[i]));
	}
	const struct zone *zone;
	assert_int_equal(zone_load(&arena, "UTC", &zone, NULL), 0);
	assert_null(zone);
}

static void test_calendar(void **state)
{
	(void)state;
	for (int64_t days = -800000; days < 800000; days++) {
		int64_t year;
		unsigned month, day;
		zone_date_of(days, &year, &month, &day);
		assert_true(month >= 1 && month <= 12 && day >= 1 && day <= 31);
		assert_true(zone_days_of(year, month, day) == days);
	}
	assert_true(zone_days_of(1970, 1, 1) == 0);
	assert_true(zone_days_of(2000, 2, 29) == 11016);
}

/* ---- The next match ---- */

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static void test_next(void **state)
{
	(void)state;
	static const struct {
		const char *expression, *rule, *after, *next;
	} cases[] = {
		{ "* * * * *", NULL, "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z" },
		{ "* * * * *", NULL, "2026-01-01T00:00:59Z", "2026-01-01T00:01:00Z" },
		{ "*/15 * * * *", NULL, "2026-01-01T00:44:00Z", "2026-01-01T00:45:00Z" },
		{ "*/15 * * * *", NULL, "2026-12-31T23:45:00Z", "2027-01-01T00:00:00Z" },
		{ "0 12 * * *", NULL, "2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z" },
		{ "5 4 * * sun", NULL, "2026-11-26T00:00:00Z", "2026-11-29T04:05:00Z" },
		{ "0 0 13 * 5", NULL, "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z" }, /* the 13th or a Friday */
		{ "0 0 13 * *", NULL, "2026-11-01T00:00:00Z", "2026-11-13T00:00:00Z" },
		{ "0 0 */1 * 5", NULL, "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z" }, /* every day is "any day" */
		{ "0 0 29 2 *", NULL, "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z" },
		{ "0 0 30 2 *", NULL, "2026-01-01T00:00:00Z", "never" },
		{ "@yearly", NULL, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z" },
		{ "days", NULL, "2026-01-01T00:00:01Z", "2026-01-02T00:00:00Z" },
		{ "@every 1h30m", NULL, "2026-01-01T00:00:07Z", "2026-01-01T01:30:07Z" },
		{ "@every 10ms", NULL, "2026-01-01T00:00:07Z", "2026-01-01T00:00:08Z" },
		/* Noon in Berlin, by winter and by summer. */
		{ "0 12 * * *", BERLIN, "2026-01-01T00:00:00Z", "2026-01-01T11:00:00Z" },
		{ "0 12 * * *", BERLIN, "2026-07-01T00:00:00Z", "2026-07-01T10:00:00Z" },
		/* 2026-03-29 has no 02:30 there. */
		{ "30 2 * * *", BERLIN, "2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z" },
		{ "0 3 * * *", BERLIN, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z" },
		{ "0 0 * * *", BERLIN, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z" }, /* a day of 23 hours */
		/* 2026-10-25 has it twice. */
		{ "30 2 * * *", BERLIN, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z" },
		{ "30 2 * * *", BERLIN, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z" },
		{ "30 2 * * *", BERLIN, "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z" },
		{ "0 * * * *", "<+0530>-5:30", "2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z" },
		/* Lord Howe changes by half an hour. */
		{ "15 2 * * *", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-10-03T12:00:00Z",
		  "2026-10-04T15:15:00Z" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const struct cron cron = parse(cases[i].expression);
		const struct zone *zone = cases[i].rule ? zone_of_rule(cases[i].rule) : NULL;
		const char *next = text_of(cron_next(&cron, zone, at(cases[i].after)));
		if (!text_equal(next, cases[i].next))
			fail_msg("%s after %s: %s, not %s", cases[i].expression, cases[i].after, next, cases[i].next);
	}
}

/* Minute by minute, with the C library's calendar. */
static int64_t slow_next(const struct cron *cron, const struct zone *zone, int64_t after, int64_t until)
{
	for (int64_t t = after - (after % 60 + 60) % 60 + 60; t <= until; t += 60) {
		const time_t local = (time_t)(t + zone_offset(zone, t));
		struct tm tm;
		assert_non_null(gmtime_r(&local, &tm));
		const bool day = cron->days >> tm.tm_mday & 1, weekday = cron->weekdays >> tm.tm_wday & 1;
		const bool day_fits = cron->any_day || cron->any_weekday ? day && weekday : day || weekday;
		if (day_fits && cron->months >> (tm.tm_mon + 1) & 1 && cron->hours >> tm.tm_hour & 1 &&
		    cron->minutes >> tm.tm_min & 1)
			return t;
	}
	return CRON_NEVER;
}

static unsigned seed = 1;
static unsigned random_below(unsigned limit)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % limit;
}

static const char *random_expression(void)
{
	static const char *const fields[5][5] = { { "*", "0", "*/7", "59", "13-20,40" },
		                                  { "*", "2", "0", "*/5", "23,1-3" },
		                                  { "*", "1", "*/10", "29,31", "?" },
		                                  { "*", "3", "10", "jan-apr", "*" },
		                                  { "*", "0", "mon-fri", "6", "*" } };
	return arena_printf(&arena, "%s %s %s %s %s", fields[0][random_below(5)], fields[1][random_below(5)],
	                    fields[2][random_below(5)], fields[3][random_below(5)], fields[4][random_below(5)]);
}

static void test_next_against_every_minute(void **state)
{
	(void)state;
	const struct zone *const zones[] = { NULL, zone_of_rule(BERLIN),
		                             zone_of_rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"),
		                             zone_of_rule("NZST-12NZDT,M9.5.0,M4.1.0/3"), zone_of_rule("<-0930>9:30") };
	static const char *const starts[] = { "2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z", "2026-04-04T10:00:00Z",
		                              "2026-12-30T00:00:17Z" };
	for (unsigned i = 0; i < 400; i++) {
		const char *expression = random_expression();
		const struct cron cron = parse(expression);
		const struct zone *zone = zones[i % ARRAY_LENGTH(zones)];
		int64_t t = at(starts[random_below(ARRAY_LENGTH(starts))]) + random_below(7200);
		const int64_t until = t + 86400 * 40;
		for (unsigned k = 0; k < 5 && t < until; k++) {
			const int64_t expected = slow_next(&cron, zone, t, until), next = cron_next(&cron, zone, t);
			if (expected == CRON_NEVER) {
				assert_true(next > until);
				break;
			}
			if (next != expected)
				fail_msg("%s in zone %zu after %s: %s, not %s", expression, i % ARRAY_LENGTH(zones),
				         text_of(t), text_of(next), text_of(expected));
			t = next;
		}
	}
}

/* ---- Schedules ---- */

static Flyteidl__Admin__Schedule *cron_schedule(const char *expression)
{
	Flyteidl__Admin__Schedule *schedule = proto_new(&arena, flyteidl__admin__schedule);
	schedule->schedule_expression_case = FLYTEIDL__ADMIN__SCHEDULE__SCHEDULE_EXPRESSION_CRON_SCHEDULE;
	schedule->cron_schedule = proto_new(&arena, flyteidl__admin__cron_schedule);
	schedule->cron_schedule->schedule = arena_strdup(&arena, expression);
	return schedule;
}

static Flyteidl__Admin__Schedule *rate_schedule(uint32_t value, Flyteidl__Admin__FixedRateUnit unit)
{
	Flyteidl__Admin__Schedule *schedule = proto_new(&arena, flyteidl__admin__schedule);
	schedule->schedule_expression_case = FLYTEIDL__ADMIN__SCHEDULE__SCHEDULE_EXPRESSION_RATE;
	schedule->rate = proto_new(&arena, flyteidl__admin__fixed_rate);
	schedule->rate->value = value;
	schedule->rate->unit = unit;
	return schedule;
}

static struct ticks ticks_of(const Flyteidl__Admin__Schedule *schedule)
{
	auto_err struct err e = ERR_INIT;
	struct ticks ticks;
	if (ticks_of_schedule(&arena, schedule, &ticks, &e) < 0)
		fail_msg("%s", err_message(&e));
	return ticks;
}

static void test_rates(void **state)
{
	(void)state;
	const struct {
		uint32_t value;
		Flyteidl__Admin__FixedRateUnit unit;
		int64_t seconds;
	} cases[] = { { 1, FLYTEIDL__ADMIN__FIXED_RATE_UNIT__MINUTE, 60 },
		      { 5, FLYTEIDL__ADMIN__FIXED_RATE_UNIT__HOUR, 18000 },
		      { 2, FLYTEIDL__ADMIN__FIXED_RATE_UNIT__DAY, 172800 } };
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const struct ticks ticks = ticks_of(rate_schedule(cases[i].value, cases[i].unit));
		/* The first counts from the activation, whose fraction of a second is dropped. */
		assert_true(ticks_next(&ticks, 1000 * NS + 5) == (1000 + cases[i].seconds) * NS);
	}
	const struct ticks longest = ticks_of(rate_schedule(UINT32_MAX, FLYTEIDL__ADMIN__FIXED_RATE_UNIT__DAY));
	assert_true(ticks_next(&longest, 1000 * NS) == TICKS_NEVER);
}

static void test_refused_schedules(void **state)
{
	(void)state;
	const struct {
		const Flyteidl__Admin__Schedule *schedule;
		const char *error;
	} cases[] = {
		{ rate_schedule(0, FLYTEIDL__ADMIN__FIXED_RATE_UNIT__DAY), "invalid value for fixed rate" },
		{ rate_schedule(1, (Flyteidl__Admin__FixedRateUnit)3), "invalid value for fixed rate" },
		{ cron_schedule("* * * *"), "Invalid cron expression: expected exactly 5 fields, found 4: [* * * *]" },
		{ cron_schedule("CRON_TZ=Europe/Atlantis * * * * *"),
		  "Invalid cron expression: provided bad location Europe/Atlantis: unknown time zone Europe/Atlantis" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		auto_err struct err e = ERR_INIT;
		struct ticks ticks;
		assert_int_equal(ticks_of_schedule(&arena, cases[i].schedule, &ticks, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_string_equal(err_message(&e), cases[i].error);
	}
}

static void test_types(void **state)
{
	(void)state;
	Flyteidl__Admin__Schedule *older = proto_new(&arena, flyteidl__admin__schedule);
	assert_string_equal(ticks_type(NULL), "NONE");
	assert_string_equal(ticks_type(older), "NONE");
	older->schedule_expression_case = FLYTEIDL__ADMIN__SCHEDULE__SCHEDULE_EXPRESSION_CRON_EXPRESSION;
	older->cron_expression = arena_strdup(&arena, "");
	assert_string_equal(ticks_type(older), "NONE");
	older->cron_expression = arena_strdup(&arena, "@daily");
	assert_string_equal(ticks_type(older), "CRON");
	assert_string_equal(ticks_type(cron_schedule("@daily")), "CRON");
	assert_string_equal(ticks_type(rate_schedule(1, FLYTEIDL__ADMIN__FIXED_RATE_UNIT__DAY)), "RATE");
}

/* All missed ticks listed, and the last of them taken. */
static void check_catch_up(const struct ticks *ticks, int64_t tick, int64_t now, size_t maximum)
{
	size_t count = 0;
	for (int64_t t = tick; t <= now; t = ticks_next(ticks, t))
		count++;
	int64_t expected = tick;
	for (; count > maximum; count--)
		expected = ticks_next(ticks, expected);
	const int64_t first = ticks_catch_up(ticks, tick, now, maximum);
	if (first != expected)
		fail_msg("from %s to %s, %zu: %s, not %s", text_of(tick / NS), text_of(now / NS), maximum,
		         text_of(first / NS), text_of(expected / NS));
}

static void test_catch_up(void **state)
{
	(void)state;
	const struct ticks schedules[] = { ticks_of(rate_schedule(1, FLYTEIDL__ADMIN__FIXED_RATE_UNIT__MINUTE)),
		                           ticks_of(rate_schedule(7, FLYTEIDL__ADMIN__FIXED_RATE_UNIT__HOUR)),
		                           ticks_of(cron_schedule("* * * * *")),
		                           ticks_of(cron_schedule("*/5 8-9 * * mon")),
		                           ticks_of(cron_schedule("@daily")),
		                           ticks_of(cron_schedule("@every 90s")) };
	static const size_t maxima[] = { 1, 2, 3, 100 };
	static const int64_t gaps[] = { 0, 1, 59, 60, 61, 3600, 86400, 86400 * 9 + 5 };
	for (size_t i = 0; i < ARRAY_LENGTH(schedules); i++) {
		const int64_t tick = ticks_next(&schedules[i], at("2026-11-20T07:00:13Z") * NS);
		for (size_t m = 0; m < ARRAY_LENGTH(maxima); m++) {
			for (size_t g = 0; g < ARRAY_LENGTH(gaps); g++)
				check_catch_up(&schedules[i], tick, tick + gaps[g] * NS, maxima[m]);
		}
	}
	/* Ten years of every minute: not one by one. */
	const int64_t tick = at("2026-01-01T00:00:00Z") * NS, now = at("2036-01-01T00:00:30Z") * NS;
	assert_string_equal(text_of(ticks_catch_up(&schedules[2], tick, now, 3) / NS), "2035-12-31T23:58:00Z");
	assert_string_equal(text_of(ticks_catch_up(&schedules[0], tick, now, 3) / NS), "2035-12-31T23:58:00Z");
}

static void test_execution_names(void **state)
{
	(void)state;
	const struct entity_key plan = { "flytesnacks", "development", "wf.hourly", "v1" };
	/* Computed independently from upstream's definition. */
	assert_string_equal(ticks_execution_name(&arena, &plan, at("2026-01-01T00:00:00Z") * NS),
	                    "fa2f885cb6a7c5ced000");
	assert_string_not_equal(ticks_execution_name(&arena, &plan, at("2026-01-01T00:01:00Z") * NS),
	                        "fa2f885cb6a7c5ced000");
}

static int clean(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cron),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_zones_of_this_machine),
		cmocka_unit_test(test_unknown_zones),
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_next_against_every_minute),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_refused_schedules),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_catch_up),
		cmocka_unit_test(test_execution_names),
	};
	return cmocka_run_group_tests(tests, NULL, clean);
}
