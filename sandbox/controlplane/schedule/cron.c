#include "controlplane/schedule/cron.h"

#include "base/duration.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>

struct field {
	unsigned minimum, maximum;
	const char *const *names; /* of minimum, minimum + 1 …; NULL: none */
};

static const char *const months[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"
};
static const char *const weekdays[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

#define NS_PER_SECOND INT64_C(1000000000)
#define DAY_SECONDS INT64_C(86400)
/* How far ahead a match is looked for; what does not come within five years ("0 0 30 2 *") never comes. */
#define HORIZON_SECONDS (5 * 366 * DAY_SECONDS)

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

static const struct field fields[FIELD_COUNT] = {
	[MINUTE] = { 0, 59, NULL },  [HOUR] = { 0, 23, NULL },       [DAY] = { 1, 31, NULL },
	[MONTH] = { 1, 12, months }, [WEEKDAY] = { 0, 6, weekdays },
};

static const struct {
	const char *name;
	const char *expression;
} descriptors[] = {
	{ "@yearly", "0 0 1 1 *" },
	{ "@annually", "0 0 1 1 *" },
	{ "@monthly", "0 0 1 * *" },
	{ "@weekly", "0 0 * * 0" },
	{ "@daily", "0 0 * * *" },
	{ "@midnight", "0 0 * * *" },
	{ "@hourly", "0 * * * *" },
	/* flytekit lets these pass, too. */
	{ "yearly", "0 0 1 1 *" },
	{ "years", "0 0 1 1 *" },
	{ "annually", "0 0 1 1 *" },
	{ "monthly", "0 0 1 * *" },
	{ "months", "0 0 1 * *" },
	{ "weekly", "0 0 * * 0" },
	{ "weeks", "0 0 * * 0" },
	{ "daily", "0 0 * * *" },
	{ "days", "0 0 * * *" },
	{ "hourly", "0 * * * *" },
	{ "hours", "0 * * * *" },
};

static int parse_number(const struct field *field, const char *text, unsigned *ret_value, struct err *e)
{
	for (unsigned i = 0; field->names && field->minimum + i <= field->maximum; i++) {
		if (strcasecmp(text, field->names[i]) == 0) {
			*ret_value = field->minimum + i;
			return 0;
		}
	}
	uint64_t value;
	if (!text_to_uint64(text, UINT32_MAX / 2, &value))
		return err_set(e, ERR_INVALID, "invalid-cron", "failed to parse int from %s", text);
	*ret_value = (unsigned)value;
	return 0;
}

/* "*", "?", "3", "3-7", each with "/step"; changed in place. */
static int parse_range(const struct field *field, char *text, uint64_t *set, bool *any, struct err *e)
{
	auto_free char *whole = xstrdup(text);
	char *step_text = text, *high_text;
	char *low_text = strsep(&step_text, "/");
	high_text = low_text;
	low_text = strsep(&high_text, "-");
	unsigned low = field->minimum, high = field->maximum, step = 1;
	const bool star = strcmp(low_text, "*") == 0 || strcmp(low_text, "?") == 0;
	if (star) {
		if (high_text)
			return err_set(e, ERR_INVALID, "invalid-cron", "failed to parse int from %s", low_text);
	} else {
		if (parse_number(field, low_text, &low, e) < 0)
			return -1;
		/* "3/5" runs to the end of the field. */
		high = step_text ? field->maximum : low;
		if (high_text && parse_number(field, high_text, &high, e) < 0)
			return -1;
	}
	if (step_text && parse_number(&(struct field){ 0, 0, NULL }, step_text, &step, e) < 0)
		return -1;
	if (low < field->minimum)
		return err_set(e, ERR_INVALID, "invalid-cron", "beginning of range (%u) below minimum (%u): %s", low,
		               field->minimum, whole);
	if (high > field->maximum)
		return err_set(e, ERR_INVALID, "invalid-cron", "end of range (%u) above maximum (%u): %s", high,
		               field->maximum, whole);
	if (low > high)
		return err_set(e, ERR_INVALID, "invalid-cron", "beginning of range (%u) beyond end of range (%u): %s",
		               low, high, whole);
	if (step == 0)
		return err_set(e, ERR_INVALID, "invalid-cron", "step of range should be a positive number: %s", whole);
	*any = *any || (star && step == 1);
	for (unsigned i = low; i <= high; i += step)
		*set |= UINT64_C(1) << i;
	return 0;
}

static int parse_field(const struct field *field, char *text, uint64_t *ret_set, bool *ret_any, struct err *e)
{
	*ret_set = 0;
	*ret_any = false;
	char *rest = text;
	for (char *range; (range = strsep(&rest, ","));) {
		if (parse_range(field, range, ret_set, ret_any, e) < 0)
			return -1;
	}
	return 0;
}

static int parse_fields(const char *text, struct cron *cron, struct err *e)
{
	auto_free char *copy = xstrdup(text);
	char *parts[FIELD_COUNT] = { NULL }, *rest = copy;
	size_t count = 0;
	for (char *part; (part = strsep(&rest, " \t"));) {
		if (!*part)
			continue;
		if (count < FIELD_COUNT)
			parts[count] = part;
		count++;
	}
	if (count != FIELD_COUNT)
		return err_set(e, ERR_INVALID, "invalid-cron", "expected exactly 5 fields, found %zu: [%s]", count,
		               text);
	uint64_t *const sets[FIELD_COUNT] = { &cron->minutes, &cron->hours, &cron->days, &cron->months,
		                              &cron->weekdays };
	bool any[FIELD_COUNT];
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (parse_field(&fields[i], parts[i], sets[i], &any[i], e) < 0)
			return -1;
	}
	cron->any_day = any[DAY];
	cron->any_weekday = any[WEEKDAY];
	return 0;
}

/* "@every 1h30m". Whole seconds, at least one. */
static int parse_every(const char *text, struct cron *cron, struct err *e)
{
	int64_t every_ns;
	if (!duration_parse_go(text + strlen("@every "), &every_ns) || every_ns <= 0)
		return err_set(e, ERR_INVALID, "invalid-cron", "failed to parse duration %s", text);
	cron->every_s = every_ns < NS_PER_SECOND ? 1 : every_ns / NS_PER_SECOND;
	return 0;
}

static int parse_expression(const char *text, struct cron *cron, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LENGTH(descriptors); i++) {
		if (strcmp(text, descriptors[i].name) == 0)
			return parse_fields(descriptors[i].expression, cron, e);
	}
	if (text_starts_with(text, "@every "))
		return parse_every(text, cron, e);
	if (*text == '@')
		return err_set(e, ERR_INVALID, "invalid-cron", "unrecognized descriptor: %s", text);
	return parse_fields(text, cron, e);
}

/* Behind "CRON_TZ=<zone> ", the zone checked for shape only. */
static int strip_zone(const char **text, struct cron *cron, struct err *e)
{
	if (!text_starts_with(*text, "TZ=") && !text_starts_with(*text, "CRON_TZ="))
		return 0;
	const char *zone = strchr(*text, '=') + 1;
	size_t length = strcspn(zone, " ");
	if (length == 0 || length >= sizeof(cron->zone) || !zone[length] ||
	    zone[strspn(zone, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/")] != ' ')
		return err_set(e, ERR_INVALID, "invalid-cron", "provided bad location %.*s", (int)length, zone);
	memcpy(cron->zone, zone, length);
	*text = zone + length + strspn(zone + length, " ");
	return 0;
}

int cron_parse(const char *text, struct cron *ret_cron, struct err *e)
{
	struct cron cron = { .every_s = 0 };
	if (text_is_empty(text))
		return err_set(e, ERR_INVALID, "invalid-cron", "empty spec string");
	if (strip_zone(&text, &cron, e) < 0)
		return -1;
	if (parse_expression(text, &cron, e) < 0)
		return -1;
	*ret_cron = cron;
	return 0;
}

static bool has(uint64_t set, unsigned value)
{
	return set >> value & 1;
}

static bool day_matches(const struct cron *cron, int64_t days)
{
	int64_t year;
	unsigned month, day;
	zone_date_of(days, &year, &month, &day);
	if (!has(cron->months, month))
		return false;
	const bool of_month = has(cron->days, day);
	const bool of_week = has(cron->weekdays, (unsigned)(((days + 4) % 7 + 7) % 7)); /* 1970-01-01 was a Thursday */
	return cron->any_day || cron->any_weekday ? of_month && of_week : of_month || of_week;
}

/* Goes forward in absolute time and looks at the local time of each stop, so that it cannot lose its way where a clock
 * is put forward or back. A stop that does not match by its day or hour is followed by the next full hour of local
 * time. */
static int64_t next_match(const struct cron *cron, const struct zone *zone, int64_t at, int64_t horizon)
{
	while (at <= horizon) {
		const int64_t local = at + zone_offset(zone, at);
		const int64_t days = local / DAY_SECONDS - (local % DAY_SECONDS < 0);
		const unsigned of_day = (unsigned)(local - days * DAY_SECONDS);
		const unsigned hour = of_day / 3600, minute = of_day / 60 % 60, second = of_day % 60;
		if (second != 0) /* a zone whose offset has seconds, long ago */
			at += 60 - second;
		else if (!day_matches(cron, days) || !has(cron->hours, hour))
			at += (60 - minute) * 60;
		else if (!has(cron->minutes, minute))
			at += 60;
		else
			return at;
	}
	return CRON_NEVER;
}

int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after)
{
	if (after > CRON_NEVER - HORIZON_SECONDS)
		return CRON_NEVER;
	if (cron->every_s > 0)
		return cron->every_s < CRON_NEVER - after ? after + cron->every_s : CRON_NEVER;
	const int64_t into_minute = (after % 60 + 60) % 60;
	return next_match(cron, zone, after + 60 - into_minute, after + HORIZON_SECONDS);
}
