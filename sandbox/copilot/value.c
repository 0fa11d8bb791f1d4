#include "copilot/value.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/text.h"
#include "proto/go_format.h"
#include "proto/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MAXIMUM ((size_t)64 * 1024 * 1024)

/* ---- Printing ---- */

/* A primitive that has no value is null, as in JSON. */
static char *print_primitive(struct arena *arena, const Flyteidl__Core__Primitive *primitive)
{
	char *text = go_format_primitive(arena, primitive, GO_FLOAT_PLAIN);
	return text ? text : arena_strdup(arena, "null");
}

static int unsupported(struct err *e, int kind)
{
	return err_set(e, ERR_UNSUPPORTED, "unsupported-value", "a scalar of kind %d cannot be a file", kind);
}

int value_print(struct arena *arena, const Flyteidl__Core__Scalar *scalar, struct proto_bytes *ret_bytes, struct err *e)
{
	auto_buf struct buf json = BUF_INIT(JSON_MAXIMUM);
	const char *text = "null";
	switch (scalar->value_case) {
	case FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE:
		text = print_primitive(arena, scalar->primitive);
		break;
	case FLYTEIDL__CORE__SCALAR__VALUE_ERROR:
		text = scalar->error->message;
		break;
	case FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE:
		break;
	case FLYTEIDL__CORE__SCALAR__VALUE_BINARY:
		*ret_bytes =
		        (struct proto_bytes){ .data = scalar->binary->value.data, .length = scalar->binary->value.len };
		return 0;
	case FLYTEIDL__CORE__SCALAR__VALUE_GENERIC:
		if (proto_json_print(&scalar->generic->base, 0, &json, e) < 0)
			return -1;
		text = arena_strdup(arena, buf_text(&json));
		break;
	default:
		return unsupported(e, (int)scalar->value_case);
	}
	*ret_bytes = (struct proto_bytes){ .data = (const uint8_t *)text, .length = strlen(text) };
	return 0;
}

static int print_json_primitive(const Flyteidl__Core__Primitive *primitive, struct buf *out)
{
	auto_arena struct arena arena = ARENA_INIT(JSON_MAXIMUM);
	switch (primitive->value_case) {
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE:
		return proto_json_add_string(out, primitive->string_value, strlen(primitive->string_value));
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME:
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION:
		return buf_add_format(out, "\"%s\"", print_primitive(&arena, primitive));
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE:
		/* JSON has no number for these. */
		if (isnan(primitive->float_value) || isinf(primitive->float_value))
			return buf_add_str(out, "null");
		return buf_add_str(out, print_primitive(&arena, primitive));
	default:
		return buf_add_str(out, print_primitive(&arena, primitive));
	}
}

int value_print_json(const Flyteidl__Core__Scalar *scalar, struct buf *out, struct err *e)
{
	auto_free char *base64 = NULL;
	int outcome;
	switch (scalar->value_case) {
	case FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE:
		outcome = print_json_primitive(scalar->primitive, out);
		break;
	case FLYTEIDL__CORE__SCALAR__VALUE_ERROR:
		outcome = proto_json_add_string(out, scalar->error->message, strlen(scalar->error->message));
		break;
	case FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE:
		outcome = buf_add_str(out, "null");
		break;
	case FLYTEIDL__CORE__SCALAR__VALUE_BINARY:
		base64 = base64_encode(scalar->binary->value.data, scalar->binary->value.len);
		outcome = buf_add_format(out, "\"%s\"", base64);
		break;
	case FLYTEIDL__CORE__SCALAR__VALUE_GENERIC:
		return proto_json_print(&scalar->generic->base, 0, out, e);
	default:
		return unsupported(e, (int)scalar->value_case);
	}
	return outcome < 0 ? err_set(e, ERR_EXHAUSTED, NULL, "the inputs are too long for one file") : 0;
}

/* ---- Parsing ---- */

static bool parse_integer(const char *text, int64_t *ret_value)
{
	return text_to_int64(text + (*text == '+' && text[1] != '-'), INT64_MIN, INT64_MAX, ret_value);
}

static bool parse_float(const char *text, double *ret_value)
{
	char *end;
	errno = 0;
	*ret_value = strtod(text, &end);
	const bool overflow = errno == ERANGE && fabs(*ret_value) > 1;
	return *text && !*end && !overflow && !strchr(" \t\n\v\f\r", *text) && !strchr(text, '(');
}

/* strconv.ParseBool */
static bool parse_boolean(const char *text, bool *ret_value)
{
	static const char *const words[] = { "0", "f", "F", "false", "FALSE", "False",
		                             "1", "t", "T", "true",  "TRUE",  "True" };
	for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
		if (!text_equal(text, words[i]))
			continue;
		*ret_value = i >= ARRAY_LENGTH(words) / 2;
		return true;
	}
	return false;
}

static Flyteidl__Core__Primitive *parse_primitive(struct arena *arena, Flyteidl__Core__SimpleType type,
                                                  const char *text)
{
	Flyteidl__Core__Primitive *primitive = proto_new(arena, flyteidl__core__primitive);
	int64_t ns;
	bool boolean;
	switch (type) {
	case FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER:
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
		return parse_integer(text, &primitive->integer) ? primitive : NULL;
	case FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT:
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE;
		return parse_float(text, &primitive->float_value) ? primitive : NULL;
	case FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN:
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN;
		if (!parse_boolean(text, &boolean))
			return NULL;
		primitive->boolean = boolean;
		return primitive;
	case FLYTEIDL__CORE__SIMPLE_TYPE__DURATION:
		if (!duration_parse_go(text, &ns))
			return NULL;
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION;
		primitive->duration = proto_new(arena, google__protobuf__duration);
		primitive->duration->seconds = ns / 1000000000;
		primitive->duration->nanos = (int32_t)(ns % 1000000000);
		return primitive;
	case FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME:
		if (!clock_parse_rfc3339(text, &ns))
			return NULL;
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME;
		primitive->datetime = proto_new(arena, google__protobuf__timestamp);
		primitive->datetime->seconds = ns / 1000000000 - (ns % 1000000000 < 0);
		primitive->datetime->nanos = (int32_t)((ns % 1000000000 + 1000000000) % 1000000000);
		return primitive;
	default:
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE;
		primitive->string_value = arena_strdup(arena, text);
		return primitive;
	}
}

static char *trim(struct arena *arena, const char *text)
{
	static const char blank[] = " \n\t";
	text += strspn(text, blank);
	size_t length = strlen(text);
	while (length && strchr(blank, text[length - 1]))
		length--;
	return arena_strndup(arena, text, length);
}

static int parse_scalar(struct arena *arena, Flyteidl__Core__SimpleType type, char *text,
                        Flyteidl__Core__Scalar *scalar, struct err *e)
{
	const ProtobufCEnumValue *name =
	        protobuf_c_enum_descriptor_get_value(&flyteidl__core__simple_type__descriptor, (int)type);
	switch (type) {
	case FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT:
		scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_GENERIC;
		scalar->generic = proto_json_parse(arena, google__protobuf__struct, text, strlen(text), 0, e);
		return scalar->generic ? 0 : err_wrap(e, "failed to load generic type as json");
	case FLYTEIDL__CORE__SIMPLE_TYPE__BINARY:
		scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_BINARY;
		scalar->binary = proto_new(arena, flyteidl__core__binary);
		scalar->binary->value = (ProtobufCBinaryData){ .data = (uint8_t *)text, .len = strlen(text) };
		return 0;
	case FLYTEIDL__CORE__SIMPLE_TYPE__ERROR:
		scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_ERROR;
		scalar->error = proto_new(arena, flyteidl__core__error);
		scalar->error->message = text;
		return 0;
	case FLYTEIDL__CORE__SIMPLE_TYPE__NONE:
		scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE;
		scalar->none_type = proto_new(arena, flyteidl__core__void);
		return 0;
	default:
		scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
		scalar->primitive = parse_primitive(arena, type, text);
		return scalar->primitive
		               ? 0
		               : err_set(e, ERR_INVALID, "malformed-value", "\"%.100s\" is not a value of type %s",
		                         text, name ? name->name : "unknown");
	}
}

Flyteidl__Core__Literal *value_parse(struct arena *arena, Flyteidl__Core__SimpleType type, const char *text,
                                     struct err *e)
{
	Flyteidl__Core__Literal *literal = proto_new(arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = proto_new(arena, flyteidl__core__scalar);
	return parse_scalar(arena, type, trim(arena, text), literal->scalar, e) < 0 ? NULL : literal;
}
