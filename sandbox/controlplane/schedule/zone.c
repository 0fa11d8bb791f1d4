/*
 * A zone file is a list of transitions, each to one of a few offsets, and a rule in POSIX TZ form for everything after
 * the last one
 * ("CET-1CEST,M3.5.0,M10.5.0/3"). The list comes twice, with 32-bit and with 64-bit times; only the second is read.
 */
#include "controlplane/schedule/zone.h"

#include "base/file.h"
#include "base/text.h"

#include <string.h>

#define FILE_MAXIMUM ((size_t)256 * 1024) /* the largest of the database has 3.5 KiB */
#define HEADER_SIZE 44
#define OFFSET_MAXIMUM (26 * 3600) /* RFC 9636: at most 25:59:59 */
#define DAY_SECONDS INT64_C(86400)

/* When a year's summer time begins or ends, local time. */
struct change {
	enum { CHANGE_WEEKDAY, CHANGE_DAY, CHANGE_DAY_WITHOUT_LEAP } kind;
	unsigned month, week, weekday; /* CHANGE_WEEKDAY; week 5 is the last */
	unsigned day;                  /* the others: 0 … 365, or 1 … 365 */
	int32_t time;                  /* seconds after midnight, also before and far after */
};

struct rule {
	bool has_summer;
	int32_t standard, summer; /* seconds east */
	struct change begin, end;
};

struct zone {
	size_t count;
	const uint8_t *times; /* big-endian int64 each */
	const uint8_t *types; /* one index each */
	size_t type_count;
	const uint8_t *offsets; /* 6 bytes each, the first four a big-endian int32 */
	bool has_rule;
	struct rule rule;
};

/* ---- The calendar (proleptic Gregorian), by eras of 400 years ---- */

int64_t zone_days_of(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	const int64_t era = (year >= 0 ? year : year - 399) / 400;
	const int64_t of_era = year - era * 400;
	const int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void zone_date_of(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	days += 719468;
	const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	const int64_t of_era = days - era * 146097;
	const int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	const int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	const int64_t month = (5 * of_year + 2) / 153;
	*ret_day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (unsigned)(month < 10 ? month + 3 : month - 9);
	*ret_year = year + era * 400 + (*ret_month <= 2);
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t floor_days(int64_t seconds)
{
	return seconds / DAY_SECONDS - (seconds % DAY_SECONDS < 0);
}

/* ---- The rule ---- */

static bool parse_number(const char **at, unsigned maximum, unsigned *ret_value)
{
	unsigned value = 0, digits = 0;
	for (; **at >= '0' && **at <= '9' && digits < 4; digits++)
		value = value * 10 + (unsigned)(*(*at)++ - '0');
	*ret_value = value;
	return digits > 0 && value <= maximum;
}

/* "[+-]hh[:mm[:ss]]" in seconds. */
static bool parse_time(const char **at, unsigned hours_maximum, int32_t *ret_seconds)
{
	const bool negative = **at == '-';
	unsigned part[3] = { 0, 0, 0 };
	if (**at == '-' || **at == '+')
		(*at)++;
	if (!parse_number(at, hours_maximum, &part[0]))
		return false;
	for (size_t i = 1; i < 3 && **at == ':'; i++) {
		(*at)++;
		if (!parse_number(at, 59, &part[i]))
			return false;
	}
	const int32_t seconds = (int32_t)(part[0] * 3600 + part[1] * 60 + part[2]);
	*ret_seconds = negative ? -seconds : seconds;
	return true;
}

/* "CET" or "<+0530>": of no interest. */
static bool skip_name(const char **at)
{
	const char *from = *at;
	if (**at == '<') {
		while (**at && **at != '>')
			(*at)++;
		return *(*at) == '>' && (*at)++ > from;
	}
	while ((**at >= 'a' && **at <= 'z') || (**at >= 'A' && **at <= 'Z'))
		(*at)++;
	return *at > from;
}

static bool parse_change(const char **at, struct change *ret_change)
{
	*ret_change = (struct change){ .time = 2 * 3600 };
	bool fine;
	if (*(*at)++ != ',')
		return false;
	if (**at == 'M') {
		(*at)++;
		ret_change->kind = CHANGE_WEEKDAY;
		fine = parse_number(at, 12, &ret_change->month) && *(*at)++ == '.' &&
		       parse_number(at, 5, &ret_change->week) && *(*at)++ == '.' &&
		       parse_number(at, 6, &ret_change->weekday) && ret_change->month > 0 && ret_change->week > 0;
	} else if (**at == 'J') {
		(*at)++;
		ret_change->kind = CHANGE_DAY_WITHOUT_LEAP;
		fine = parse_number(at, 365, &ret_change->day) && ret_change->day > 0;
	} else {
		ret_change->kind = CHANGE_DAY;
		fine = parse_number(at, 365, &ret_change->day);
	}
	if (!fine || **at != '/')
		return fine;
	(*at)++;
	return parse_time(at, 167, &ret_change->time);
}

/* Offsets count west in this form, and east everywhere else. */
static bool parse_rule(const char *text, struct rule *ret_rule)
{
	struct rule rule = { .has_summer = false };
	if (!skip_name(&text) || !parse_time(&text, 24, &rule.standard))
		return false;
	rule.standard = -rule.standard;
	if (*text) {
		rule.has_summer = true;
		rule.summer = rule.standard + 3600;
		if (!skip_name(&text))
			return false;
		if (*text != ',') {
			if (!parse_time(&text, 24, &rule.summer))
				return false;
			rule.summer = -rule.summer;
		}
		if (!parse_change(&text, &rule.begin) || !parse_change(&text, &rule.end) || *text)
			return false;
	}
	*ret_rule = rule;
	return true;
}

/* The day of that year, in days since the epoch. */
static int64_t change_day(const struct change *change, int64_t year)
{
	const int64_t first = zone_days_of(year, change->kind == CHANGE_WEEKDAY ? change->month : 1, 1);
	if (change->kind == CHANGE_DAY)
		return first + change->day;
	if (change->kind == CHANGE_DAY_WITHOUT_LEAP)
		return first + change->day - 1 + (is_leap(year) && change->day >= 60);
	const int64_t next_month =
	        change->month == 12 ? zone_days_of(year + 1, 1, 1) : zone_days_of(year, change->month + 1, 1);
	const int64_t first_weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
	int64_t day = first + (change->weekday - first_weekday + 7) % 7 + 7 * ((int64_t)change->week - 1);
	while (day >= next_month)
		day -= 7;
	return day;
}

static int32_t rule_offset(const struct rule *rule, int64_t at)
{
	int64_t year;
	unsigned month, day;
	if (!rule->has_summer)
		return rule->standard;
	zone_date_of(floor_days(at + rule->standard), &year, &month, &day);
	const int64_t begin = change_day(&rule->begin, year) * DAY_SECONDS + rule->begin.time - rule->standard;
	const int64_t end = change_day(&rule->end, year) * DAY_SECONDS + rule->end.time - rule->summer;
	const bool summer = begin < end ? at >= begin && at < end : at >= begin || at < end;
	return summer ? rule->summer : rule->standard;
}

/* ---- The file ---- */

static uint32_t read_32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t time_at(const struct zone *zone, size_t i)
{
	const uint8_t *p = zone->times + i * 8;
	return (int64_t)((uint64_t)read_32(p) << 32 | read_32(p + 4));
}

static int32_t type_offset(const struct zone *zone, size_t type)
{
	return (int32_t)read_32(zone->offsets + type * 6);
}

struct header {
	size_t utc, standard, leap, time, type, character;
};

static bool read_header(const uint8_t *bytes, size_t length, struct header *ret_header)
{
	if (length < HEADER_SIZE || memcmp(bytes, "TZif", 4) != 0 || bytes[4] < '2')
		return false;
	size_t counts[6];
	for (size_t i = 0; i < 6; i++) {
		counts[i] = read_32(bytes + 20 + i * 4);
		if (counts[i] > FILE_MAXIMUM)
			return false;
	}
	*ret_header = (struct header){ counts[0], counts[1], counts[2], counts[3], counts[4], counts[5] };
	return true;
}

static size_t block_size(const struct header *h, size_t time_size)
{
	return h->time * (time_size + 1) + h->type * 6 + h->character + h->leap * (time_size + 4) + h->standard +
	       h->utc;
}

static bool types_are_sane(const struct zone *zone)
{
	for (size_t i = 0; i < zone->count; i++) {
		if (zone->types[i] >= zone->type_count || (i > 0 && time_at(zone, i - 1) >= time_at(zone, i)))
			return false;
	}
	for (size_t i = 0; i < zone->type_count; i++) {
		if (type_offset(zone, i) < -OFFSET_MAXIMUM || type_offset(zone, i) > OFFSET_MAXIMUM)
			return false;
	}
	return zone->type_count > 0;
}

/* "\n<rule>\n" at the end of the file; an empty rule says nothing about what comes after the last transition. */
static bool read_footer(struct arena *arena, const uint8_t *bytes, size_t length, struct zone *zone)
{
	if (length < 2 || bytes[0] != '\n')
		return false;
	const uint8_t *end = memchr(bytes + 1, '\n', length - 1);
	if (!end)
		return false;
	char *text = arena_alloc(arena, (size_t)(end - bytes));
	memcpy(text, bytes + 1, (size_t)(end - bytes) - 1);
	text[end - bytes - 1] = '\0';
	zone->has_rule = *text != '\0';
	return !zone->has_rule || parse_rule(text, &zone->rule);
}

int zone_parse(struct arena *arena, const void *data, size_t length, const struct zone **ret_zone, struct err *e)
{
	const uint8_t *bytes = arena_copy(arena, data, length);
	struct header first, second;
	struct zone *zone = arena_new(arena, struct zone);
	if (!read_header(bytes, length, &first) || length - HEADER_SIZE < block_size(&first, 4))
		return err_set(e, ERR_INVALID, "bad-zone", "no zone file of version 2");
	bytes += HEADER_SIZE + block_size(&first, 4);
	length -= HEADER_SIZE + block_size(&first, 4);
	if (!read_header(bytes, length, &second) || length - HEADER_SIZE < block_size(&second, 8))
		return err_set(e, ERR_INVALID, "bad-zone", "the zone file is cut off");
	bytes += HEADER_SIZE;
	length -= HEADER_SIZE;
	*zone = (struct zone){
		.count = second.time,
		.times = bytes,
		.types = bytes + second.time * 8,
		.type_count = second.type,
		.offsets = bytes + second.time * 9,
	};
	if (!types_are_sane(zone) ||
	    !read_footer(arena, bytes + block_size(&second, 8), length - block_size(&second, 8), zone))
		return err_set(e, ERR_INVALID, "bad-zone", "the zone file contradicts itself");
	*ret_zone = zone;
	return 0;
}

int32_t zone_offset(const struct zone *zone, int64_t at)
{
	if (!zone)
		return 0;
	size_t low = 0, high = zone->count; /* the first transition after `at` */
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (time_at(zone, middle) <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == zone->count && zone->has_rule)
		return rule_offset(&zone->rule, at);
	return type_offset(zone, low == 0 ? 0 : zone->types[low - 1]);
}

int zone_load(struct arena *arena, const char *name, const struct zone **ret_zone, struct err *e)
{
	*ret_zone = NULL;
	if (text_is_empty(name) || text_equal(name, "UTC") || text_equal(name, "Local"))
		return 0;
	auto_free char *path = xasprintf(ZONE_DIRECTORY "/%s", name);
	auto_buf struct buf content = BUF_INIT(FILE_MAXIMUM);
	auto_err struct err why = ERR_INIT;
	/* No name of a zone leads out of the directory. */
	if (strstr(name, "..") || name[0] == '/' || file_read(path, &content, &why) < 0 ||
	    zone_parse(arena, content.data, content.length, ret_zone, &why) < 0)
		return err_set(e, ERR_NOT_FOUND, "unknown-zone", "unknown time zone %s", name);
	return 0;
}
