#include "proto/go_format.h"

#include "base/buf.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#define TEXT_MAXIMUM ((size_t)4 * 1024 * 1024)
#define DEPTH_MAXIMUM 100

/* strconv.FormatFloat(value, 'g', -1, 64) takes the exponent form for exponents below -4 and, with the shortest digits,
 * from 6 on. */
#define EXPONENT_LOW (-4)
#define EXPONENT_HIGH 6

/* What it is instead, or NULL with the shortest digits that read back: "-1.5e+02". */
static const char *not_a_number(double value, char text[64])
{
	if (isnan(value))
		return "NaN";
	if (isinf(value))
		return value > 0 ? "+Inf" : "-Inf";
	for (int precision = 0; precision <= 16; precision++) {
		snprintf(text, 64, "%.*e", precision, value);
		const double again = strtod(text, NULL);
		if (memcmp(&again, &value, sizeof(value)) == 0)
			break;
	}
	return NULL;
}

/* strconv.FormatFloat(value, 'f', -1, 64). */
static char *format_float_plain(struct arena *arena, double value)
{
	char text[64], digits[32];
	const char *word = not_a_number(value, text);
	size_t count = 0;
	if (word)
		return arena_strdup(arena, word);
	for (const char *at = text; *at != 'e'; at++)
		if (*at >= '0' && *at <= '9')
			digits[count++] = *at;
	while (count > 1 && digits[count - 1] == '0')
		count--;
	const long exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
	auto_buf struct buf out = BUF_INIT(512);
	buf_add_str(&out, text[0] == '-' ? "-" : "");
	/* Digit i stands at 10^(exponent - i); what lies between the digits and the point are zeros. */
	const long last = (long)count - 1 > exponent ? (long)count - 1 : exponent;
	for (long i = exponent < 0 ? exponent : 0; i <= last; i++) {
		if (i == exponent + 1)
			buf_add_byte(&out, '.');
		buf_add_byte(&out, i >= 0 && i < (long)count ? digits[i] : '0');
	}
	return arena_strdup(arena, buf_text(&out));
}

char *go_format_float(struct arena *arena, double value)
{
	char text[64];
	const char *word = not_a_number(value, text);
	if (word)
		return arena_strdup(arena, word);
	char *mark = strchr(text, 'e');
	int exponent = (int)strtol(mark + 1, NULL, 10);
	if (exponent < EXPONENT_LOW || exponent >= EXPONENT_HIGH)
		return arena_strdup(arena, text);
	*mark = '\0';
	size_t count = 0; /* of digits */
	for (const char *at = text; *at; at++)
		count += *at >= '0' && *at <= '9';
	int fraction_digits = (int)count - 1 - exponent;
	return arena_printf(arena, "%.*f", fraction_digits > 0 ? fraction_digits : 0, value);
}

/* ".5" for 500000000 of nine digits: without trailing zeros, nothing for zero. */
static void format_fraction(uint64_t value, unsigned width, char room[16])
{
	snprintf(room, 16, ".%0*" PRIu64, (int)width, value);
	size_t length = strlen(room);
	while (length > 1 && room[length - 1] == '0')
		length--;
	room[length > 1 ? length : 0] = '\0';
}

static char *format_small_duration(struct arena *arena, const char *sign, uint64_t nanoseconds)
{
	char fraction[16];
	if (nanoseconds < 1000)
		return arena_printf(arena, "%s%" PRIu64 "ns", sign, nanoseconds);
	bool micro = nanoseconds < 1000000;
	uint64_t unit = micro ? 1000 : 1000000;
	format_fraction(nanoseconds % unit, micro ? 3 : 6, fraction);
	return arena_printf(arena, "%s%" PRIu64 "%s%s", sign, nanoseconds / unit, fraction, micro ? "\xc2\xb5s" : "ms");
}

char *go_format_duration(struct arena *arena, int64_t seconds, int32_t nanoseconds)
{
	char fraction[16];
	const char *sign = seconds < 0 || nanoseconds < 0 ? "-" : "";
	uint64_t whole = seconds < 0 ? (uint64_t)0 - (uint64_t)seconds : (uint64_t)seconds;
	uint64_t rest = (uint64_t)llabs(nanoseconds) % 1000000000;
	if (!whole && !rest)
		return arena_strdup(arena, "0s");
	if (!whole)
		return format_small_duration(arena, sign, rest);
	format_fraction(rest, 9, fraction);
	uint64_t hours = whole / 3600, minutes = whole / 60 % 60;
	if (hours)
		return arena_printf(arena, "%s%" PRIu64 "h%" PRIu64 "m%" PRIu64 "%ss", sign, hours, minutes, whole % 60,
		                    fraction);
	if (minutes)
		return arena_printf(arena, "%s%" PRIu64 "m%" PRIu64 "%ss", sign, minutes, whole % 60, fraction);
	return arena_printf(arena, "%s%" PRIu64 "%ss", sign, whole, fraction);
}

char *go_format_time(struct arena *arena, int64_t seconds, int32_t nanoseconds)
{
	struct tm utc;
	char text[64], fraction[16];
	time_t time = (time_t)seconds;
	if (!gmtime_r(&time, &utc))
		return arena_printf(arena, "%" PRId64, seconds);
	format_fraction((uint64_t)llabs(nanoseconds) % 1000000000, 9, fraction);
	/* %Y is not padded to four digits by glibc. */
	strftime(text, sizeof(text), "-%m-%dT%H:%M:%S", &utc);
	return arena_printf(arena, "%04ld%s%sZ", (long)utc.tm_year + 1900, text, fraction);
}

static char *unprintable(struct err *e, const char *what)
{
	err_set(e, ERR_INVALID, "BadTaskSpecification", "a value of kind %s cannot be part of a command", what);
	return NULL;
}

char *go_format_primitive(struct arena *arena, const Flyteidl__Core__Primitive *primitive, enum go_float floats)
{
	switch (primitive->value_case) {
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER:
		return arena_printf(arena, "%" PRId64, primitive->integer);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE:
		return floats == GO_FLOAT_PLAIN ? format_float_plain(arena, primitive->float_value)
		                                : go_format_float(arena, primitive->float_value);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE:
		return arena_strdup(arena, primitive->string_value);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN:
		return arena_strdup(arena, primitive->boolean ? "true" : "false");
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME:
		return go_format_time(arena, primitive->datetime->seconds, primitive->datetime->nanos);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION:
		return go_format_duration(arena, primitive->duration->seconds, primitive->duration->nanos);
	default:
		return NULL;
	}
}

static char *format_at(struct arena *arena, const Flyteidl__Core__Literal *literal, unsigned depth, struct err *e);

static char *format_scalar(struct arena *arena, const Flyteidl__Core__Scalar *scalar, unsigned depth, struct err *e)
{
	char *text;
	switch (scalar->value_case) {
	case FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE:
		text = go_format_primitive(arena, scalar->primitive, GO_FLOAT_SHORTEST);
		return text ? text : unprintable(e, "\"unset primitive\"");
	case FLYTEIDL__CORE__SCALAR__VALUE_BLOB:
		return arena_strdup(arena, scalar->blob->uri);
	case FLYTEIDL__CORE__SCALAR__VALUE_SCHEMA:
		return arena_strdup(arena, scalar->schema->uri);
	case FLYTEIDL__CORE__SCALAR__VALUE_STRUCTURED_DATASET:
		return arena_strdup(arena, scalar->structured_dataset->uri);
	case FLYTEIDL__CORE__SCALAR__VALUE_UNION:
		/* Upstream refuses unions; the value that they hold is what the author of the command meant. */
		return scalar->union_->value ? format_at(arena, scalar->union_->value, depth + 1, e)
		                             : unprintable(e, "\"empty union\"");
	case FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE:
		return arena_strdup(arena, "");
	case FLYTEIDL__CORE__SCALAR__VALUE_BINARY:
		return unprintable(e, "\"binary\"");
	case FLYTEIDL__CORE__SCALAR__VALUE_GENERIC:
		return unprintable(e, "\"struct\"");
	default:
		return unprintable(e, "\"unknown scalar\"");
	}
}

static char *format_collection(struct arena *arena, const Flyteidl__Core__LiteralCollection *collection, unsigned depth,
                               struct err *e)
{
	auto_buf struct buf out = BUF_INIT(TEXT_MAXIMUM);
	buf_add_byte(&out, '[');
	int outcome = 0;
	for (size_t i = 0; i < collection->n_literals && outcome == 0; i++) {
		const char *text = format_at(arena, collection->literals[i], depth + 1, e);
		if (!text)
			return NULL;
		outcome = buf_add_format(&out, "%s%s", i ? "," : "", text);
	}
	if (outcome < 0 || buf_add_byte(&out, ']') < 0) {
		err_set(e, ERR_EXHAUSTED, "BadTaskSpecification", "a list in a command is longer than %zu bytes",
		        TEXT_MAXIMUM);
		return NULL;
	}
	return arena_strdup(arena, buf_text(&out));
}

static char *format_at(struct arena *arena, const Flyteidl__Core__Literal *literal, unsigned depth, struct err *e)
{
	if (depth > DEPTH_MAXIMUM)
		return unprintable(e, "\"too deeply nested\"");
	switch (literal->value_case) {
	case FLYTEIDL__CORE__LITERAL__VALUE_SCALAR:
		return format_scalar(arena, literal->scalar, depth, e);
	case FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION:
		return format_collection(arena, literal->collection, depth, e);
	case FLYTEIDL__CORE__LITERAL__VALUE_MAP:
		return unprintable(e, "\"map\"");
	default:
		return unprintable(e, "\"unset literal\"");
	}
}

char *go_format_literal(struct arena *arena, const Flyteidl__Core__Literal *literal, struct err *e)
{
	return format_at(arena, literal, 0, e);
}
