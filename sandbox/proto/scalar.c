#include "proto/scalar.h"

#include "base/base64.h"
#include "base/text.h"
#include "proto/field.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* google.protobuf.Timestamp: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z. Duration: +-10000 years. */
#define TIMESTAMP_MINIMUM INT64_C(-62135596800)
#define TIMESTAMP_MAXIMUM INT64_C(253402300799)
#define DURATION_MAXIMUM INT64_C(315576000000)
#define NANOS 1000000000

static int expected(struct err *e, const char *what, const char *text)
{
	return err_set(e, ERR_INVALID, "malformed-value", "expected %s, got \"%.64s\"", what, text);
}

/* --- numbers --- */

static bool is_number_text(const char *text)
{
	return *text && text[strspn(text, "0123456789+-.eE")] == '\0' && strpbrk(text, "0123456789");
}

/* Integers may come as "1.0" or "1e3"; what is no integer, or not exact, is refused. */
static bool read_signed(const char *text, int64_t minimum, int64_t maximum, int64_t *ret_value)
{
	if (!is_number_text(text))
		return false;
	char *end;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (*end) {
		double number = strtod(text, &end);
		if (*end || number != floor(number) || fabs(number) > 9007199254740992.0)
			return false;
		value = (long long)number;
	} else if (errno == ERANGE) {
		return false;
	}
	*ret_value = value;
	return value >= minimum && value <= maximum;
}

static bool read_unsigned(const char *text, uint64_t maximum, uint64_t *ret_value)
{
	int64_t value;
	if (is_number_text(text) && text[strspn(text, "0123456789")] == '\0') {
		errno = 0;
		*ret_value = strtoull(text, NULL, 10);
		return errno != ERANGE && *ret_value <= maximum;
	}
	if (!read_signed(text, 0, INT64_MAX, &value))
		return false;
	*ret_value = (uint64_t)value;
	return *ret_value <= maximum;
}

static bool read_double(const char *text, double *ret_value)
{
	static const struct {
		const char *text;
		double value;
	} names[] = { { "NaN", (double)NAN }, { "Infinity", (double)INFINITY }, { "-Infinity", -(double)INFINITY } };
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		if (text_equal(text, names[i].text)) {
			*ret_value = names[i].value;
			return true;
		}
	}
	char *end;
	if (!is_number_text(text))
		return false;
	*ret_value = strtod(text, &end);
	return !*end && isfinite(*ret_value);
}

static int read_float(const char *text, float *ret_value, struct err *e)
{
	double number;
	if (!read_double(text, &number) || (isfinite(number) && fabs(number) > 3.4028235677973366e38))
		return expected(e, "a number of single precision", text);
	*ret_value = (float)number;
	return 0;
}

void proto_double_to_text(double number, char room[PROTO_NUMBER_SIZE])
{
	if (!isfinite(number)) {
		(void)snprintf(room, PROTO_NUMBER_SIZE, "%s",
		               isnan(number) ? "NaN"
		               : number > 0  ? "Infinity"
		                             : "-Infinity");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(room, PROTO_NUMBER_SIZE, "%.*g", digits, number);
		if (strtod(room, NULL) == number)
			return;
	}
}

void proto_float_to_text(float number, char room[PROTO_NUMBER_SIZE])
{
	if (!isfinite(number)) {
		proto_double_to_text((double)number, room);
		return;
	}
	for (int digits = 6; digits <= 9; digits++) {
		(void)snprintf(room, PROTO_NUMBER_SIZE, "%.*g", digits, (double)number);
		if (strtof(room, NULL) == number)
			return;
	}
}

/* --- enums --- */

static const ProtobufCEnumValue *enum_value_of(const ProtobufCFieldDescriptor *field, int number)
{
	return protobuf_c_enum_descriptor_get_value(field->descriptor, number);
}

const char *proto_enum_name(const ProtobufCFieldDescriptor *field, const void *value)
{
	const ProtobufCEnumValue *found = enum_value_of(field, *(const int *)value);
	return found ? found->name : NULL;
}

static int read_enum(const ProtobufCFieldDescriptor *field, const char *text, int *ret_value, struct err *e)
{
	const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value_by_name(field->descriptor, text);
	int64_t number;
	if (found) {
		*ret_value = found->value;
		return 0;
	}
	if (read_signed(text, INT32_MIN, INT32_MAX, &number)) {
		*ret_value = (int)number;
		return 0;
	}
	const ProtobufCEnumDescriptor *descriptor = field->descriptor;
	auto_free char *what = xasprintf("a value of %s", descriptor->name);
	return expected(e, what, text);
}

/* --- base64 --- */

static int read_base64(struct arena *arena, const char *text, ProtobufCBinaryData *ret_bytes, struct err *e)
{
	size_t length = strlen(text);
	auto_buf struct buf bytes = BUF_INIT(length);
	if (base64_decode(text, length, &bytes) < 0)
		return expected(e, "base64", text);
	if (!proto_arena_has_room(arena, bytes.length))
		return err_set(e, ERR_EXHAUSTED, NULL, "the request is too large");
	*ret_bytes = (ProtobufCBinaryData){ .data = arena_copy(arena, bytes.data, bytes.length), .len = bytes.length };
	return 0;
}

int proto_base64_encode(const void *bytes, size_t length, struct buf *out)
{
	/* In pieces of whole triples, so that what the buffer has no room for is not encoded first. */
	const size_t piece = (size_t)96 * 1024;
	const unsigned char *cursor = bytes;
	while (length) {
		size_t part = length < piece ? length : piece;
		auto_free char *text = base64_encode(cursor, part);
		if (buf_add_str(out, text) < 0)
			return -1;
		cursor += part;
		length -= part;
	}
	return 0;
}

/* --- any scalar --- */

static int read_text(struct arena *arena, const char *text, char **ret_text, struct err *e)
{
	if (!proto_arena_has_room(arena, strlen(text) + 1))
		return err_set(e, ERR_EXHAUSTED, NULL, "the request is too large");
	*ret_text = arena_strdup(arena, text);
	return 0;
}

static int read_bool(const char *text, protobuf_c_boolean *ret_value, struct err *e)
{
	if (!text_equal(text, "true") && !text_equal(text, "false"))
		return expected(e, "true or false", text);
	*ret_value = text_equal(text, "true");
	return 0;
}

int proto_scalar_from_text(struct arena *arena, const ProtobufCFieldDescriptor *field, const char *text, void *value,
                           struct err *e)
{
	int64_t number;
	uint64_t natural;
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		if (!read_signed(text, INT32_MIN, INT32_MAX, &number))
			return expected(e, "a 32-bit integer", text);
		*(int32_t *)value = (int32_t)number;
		return 0;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return read_signed(text, INT64_MIN, INT64_MAX, value) ? 0 : expected(e, "a 64-bit integer", text);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		if (!read_unsigned(text, UINT32_MAX, &natural))
			return expected(e, "an unsigned 32-bit integer", text);
		*(uint32_t *)value = (uint32_t)natural;
		return 0;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return read_unsigned(text, UINT64_MAX, value) ? 0 : expected(e, "an unsigned 64-bit integer", text);
	case PROTOBUF_C_TYPE_FLOAT:
		return read_float(text, value, e);
	case PROTOBUF_C_TYPE_DOUBLE:
		return read_double(text, value) ? 0 : expected(e, "a number", text);
	case PROTOBUF_C_TYPE_BOOL:
		return read_bool(text, value, e);
	case PROTOBUF_C_TYPE_ENUM:
		return read_enum(field, text, value, e);
	case PROTOBUF_C_TYPE_STRING:
		return read_text(arena, text, value, e);
	case PROTOBUF_C_TYPE_BYTES:
		return read_base64(arena, text, value, e);
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	}
	return expected(e, "a scalar field", text);
}

bool proto_scalar_to_text(const ProtobufCFieldDescriptor *field, const void *value, char room[PROTO_NUMBER_SIZE])
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		(void)snprintf(room, PROTO_NUMBER_SIZE, "%d", *(const int32_t *)value);
		return true;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		(void)snprintf(room, PROTO_NUMBER_SIZE, "%u", *(const uint32_t *)value);
		return true;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		(void)snprintf(room, PROTO_NUMBER_SIZE, "%lld", (long long)*(const int64_t *)value);
		return true;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		(void)snprintf(room, PROTO_NUMBER_SIZE, "%llu", (unsigned long long)*(const uint64_t *)value);
		return true;
	case PROTOBUF_C_TYPE_FLOAT:
		proto_float_to_text(*(const float *)value, room);
		return true;
	case PROTOBUF_C_TYPE_DOUBLE:
		proto_double_to_text(*(const double *)value, room);
		return true;
	case PROTOBUF_C_TYPE_BOOL:
		(void)snprintf(room, PROTO_NUMBER_SIZE, "%s", *(const protobuf_c_boolean *)value ? "true" : "false");
		return true;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	}
	return false;
}

/* --- Timestamp and Duration --- */

/* Fraction with 3, 6 or 9 digits, or none. */
static void add_fraction(char *room, size_t size, int32_t nanos, const char *unit)
{
	if (nanos == 0)
		(void)snprintf(room, size, "%s", unit);
	else if (nanos % 1000000 == 0)
		(void)snprintf(room, size, ".%03d%s", nanos / 1000000, unit);
	else if (nanos % 1000 == 0)
		(void)snprintf(room, size, ".%06d%s", nanos / 1000, unit);
	else
		(void)snprintf(room, size, ".%09d%s", nanos, unit);
}

int proto_timestamp_to_text(int64_t seconds, int32_t nanos, char room[PROTO_NUMBER_SIZE])
{
	struct tm tm;
	time_t time = (time_t)seconds;
	if (seconds < TIMESTAMP_MINIMUM || seconds > TIMESTAMP_MAXIMUM || nanos < 0 || nanos >= NANOS ||
	    !gmtime_r(&time, &tm))
		return -1;
	int length = snprintf(room, PROTO_NUMBER_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
	                      tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	add_fraction(room + length, PROTO_NUMBER_SIZE - (size_t)length, nanos, "Z");
	return 0;
}

int proto_duration_to_text(int64_t seconds, int32_t nanos, char room[PROTO_NUMBER_SIZE])
{
	bool mixed = (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0);
	if (seconds < -DURATION_MAXIMUM || seconds > DURATION_MAXIMUM || nanos <= -NANOS || nanos >= NANOS || mixed)
		return -1;
	bool negative = seconds < 0 || nanos < 0;
	int length = snprintf(room, PROTO_NUMBER_SIZE, "%s%lld", negative ? "-" : "",
	                      (long long)(seconds < 0 ? -seconds : seconds));
	add_fraction(room + length, PROTO_NUMBER_SIZE - (size_t)length, nanos < 0 ? -nanos : nanos, "s");
	return 0;
}

/* `count` digits at *cursor, advancing it. */
static bool read_digits(const char **cursor, int count, int *ret_value)
{
	int value = 0;
	for (int i = 0; i < count; i++, (*cursor)++) {
		if (**cursor < '0' || **cursor > '9')
			return false;
		value = value * 10 + (**cursor - '0');
	}
	*ret_value = value;
	return true;
}

/* An optional fraction of up to nine digits. */
static bool read_fraction(const char **cursor, int32_t *ret_nanos)
{
	*ret_nanos = 0;
	if (**cursor != '.')
		return true;
	(*cursor)++;
	int digits = 0;
	int32_t nanos = 0;
	for (; **cursor >= '0' && **cursor <= '9'; (*cursor)++, digits++) {
		if (digits == 9)
			return false;
		nanos = nanos * 10 + (**cursor - '0');
	}
	for (int i = digits; i < 9; i++)
		nanos *= 10;
	*ret_nanos = nanos;
	return digits > 0;
}

static bool read_separator(const char **cursor, const char *allowed)
{
	if (!**cursor || !strchr(allowed, **cursor))
		return false;
	(*cursor)++;
	return true;
}

/* "Z" or "+hh:mm", in seconds. */
static bool read_offset(const char **cursor, int *ret_seconds)
{
	int hours, minutes, sign = **cursor == '-' ? -1 : 1;
	*ret_seconds = 0;
	if (**cursor == 'Z' || **cursor == 'z') {
		(*cursor)++;
		return true;
	}
	if (!read_separator(cursor, "+-") || !read_digits(cursor, 2, &hours) || !read_separator(cursor, ":") ||
	    !read_digits(cursor, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* Days since the epoch of a Gregorian date. */
static int64_t days_from_civil(int year, int month, int day)
{
	int shifted = month <= 2 ? year - 1 : year;
	int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
	int64_t year_of_era = shifted - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static bool is_date(int year, int month, int day)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (leap && month == 2);
}

int proto_timestamp_from_text(const char *text, int64_t *ret_seconds, int32_t *ret_nanos, struct err *e)
{
	const char *cursor = text;
	int year, month, day, hour, minute, second, offset;
	bool fine = read_digits(&cursor, 4, &year) && read_separator(&cursor, "-") && read_digits(&cursor, 2, &month) &&
	            read_separator(&cursor, "-") && read_digits(&cursor, 2, &day) && read_separator(&cursor, "Tt") &&
	            read_digits(&cursor, 2, &hour) && read_separator(&cursor, ":") &&
	            read_digits(&cursor, 2, &minute) && read_separator(&cursor, ":") &&
	            read_digits(&cursor, 2, &second) && read_fraction(&cursor, ret_nanos) &&
	            read_offset(&cursor, &offset) && !*cursor;
	if (!fine || !is_date(year, month, day) || hour > 23 || minute > 59 || second > 59)
		return expected(e, "a time like 2026-01-31T23:59:59.5Z", text);
	int64_t seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
	if (seconds < TIMESTAMP_MINIMUM || seconds > TIMESTAMP_MAXIMUM)
		return expected(e, "a time between the years 1 and 9999", text);
	*ret_seconds = seconds;
	return 0;
}

int proto_duration_from_text(const char *text, int64_t *ret_seconds, int32_t *ret_nanos, struct err *e)
{
	const char *cursor = text;
	bool negative = *cursor == '-';
	cursor += negative;
	int64_t seconds = 0;
	int digits = 0;
	for (; *cursor >= '0' && *cursor <= '9' && digits < 13; cursor++, digits++)
		seconds = seconds * 10 + (*cursor - '0');
	if (!digits || !read_fraction(&cursor, ret_nanos) || !text_equal(cursor, "s") || seconds > DURATION_MAXIMUM)
		return expected(e, "a duration like 1.5s", text);
	*ret_seconds = negative ? -seconds : seconds;
	*ret_nanos = negative ? -*ret_nanos : *ret_nanos;
	return 0;
}

/* --- names and bytes --- */

bool proto_is_wrapper(const ProtobufCMessageDescriptor *descriptor)
{
	return text_starts_with(descriptor->name, "google.protobuf.") && text_ends_with(descriptor->name, "Value") &&
	       descriptor->n_fields == 1 && text_equal(descriptor->fields[0].name, "value");
}

size_t proto_utf8_sequence(const char *text, size_t length)
{
	const unsigned char *bytes = (const unsigned char *)text;
	if (!length)
		return 0;
	if (bytes[0] < 0x80)
		return 1;
	size_t needed = bytes[0] >= 0xc2 && bytes[0] <= 0xdf   ? 2
	                : bytes[0] >= 0xe0 && bytes[0] <= 0xef ? 3
	                : bytes[0] >= 0xf0 && bytes[0] <= 0xf4 ? 4
	                                                       : 0;
	if (needed > length)
		return 0;
	for (size_t i = 1; i < needed; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xf0 && bytes[1] < 0x90);
	bool beyond = (bytes[0] == 0xed && bytes[1] > 0x9f) || (bytes[0] == 0xf4 && bytes[1] > 0x8f);
	return needed && (overlong || beyond) ? 0 : needed;
}
