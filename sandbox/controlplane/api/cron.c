#include "controlplane/api/cron.h"

#include "base/memory.h"
#include "base/text.h"
#include "controlplane/store/filter.h"

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

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

static const struct field fields[FIELD_COUNT] = {
	[MINUTE] = { 0, 59, NULL },  [HOUR] = { 0, 23, NULL },       [DAY] = { 1, 31, NULL },
	[MONTH] = { 1, 12, months }, [WEEKDAY] = { 0, 6, weekdays },
};

static const struct {
	const char *name;
	const char *expression;
} descriptors[] = {
	{ "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
	{ "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
	{ "@hourly", "0 * * * *" },
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
	if (strcmp(low_text, "*") == 0 || strcmp(low_text, "?") == 0) {
		*any = *any || !step_text;
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

static int parse_descriptor(const char *text, struct cron *cron, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LENGTH(descriptors); i++) {
		if (strcmp(text, descriptors[i].name) == 0)
			return parse_fields(descriptors[i].expression, cron, e);
	}
	if (text_starts_with(text, "@every ")) {
		const char *duration = text + strlen("@every ");
		/* Go's syntax: unlike in filters, a number needs its unit. */
		bool unit = *duration && !strchr("0123456789.", duration[strlen(duration) - 1]);
		if (!unit || !filter_parse_duration(duration, &cron->every_ns) || cron->every_ns <= 0)
			return err_set(e, ERR_INVALID, "invalid-cron", "failed to parse duration %s", text);
		return 0;
	}
	return err_set(e, ERR_INVALID, "invalid-cron", "unrecognized descriptor: %s", text);
}

/* Behind "CRON_TZ=<zone> ", the zone checked for shape only: the zone database is the scheduler's business. */
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
	struct cron cron = { .every_ns = 0 };
	if (text_is_empty(text))
		return err_set(e, ERR_INVALID, "invalid-cron", "empty spec string");
	if (strip_zone(&text, &cron, e) < 0)
		return -1;
	if ((*text == '@' ? parse_descriptor(text, &cron, e) : parse_fields(text, &cron, e)) < 0)
		return -1;
	*ret_cron = cron;
	return 0;
}
