#include "controlplane/admission/secret_annotation.h"

#include "base/buf.h"
#include "base/text.h"
#include "proto/message.h"

#include <string.h>

#define TEXT_MAXIMUM ((size_t)256 * 1024)
#define NAME_MAXIMUM 64

static int digit_of(char c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	return c >= '1' && c <= '6' ? 26 + c - '1' : -1;
}

/* Bits that make no whole byte at the end are padding. */
static int decode(const char *text, struct buf *out)
{
	unsigned bits = 0, count = 0;
	for (; *text && *text != '='; text++) {
		const int digit = digit_of(*text);
		if (digit < 0)
			return -1;
		bits = bits << 5 | (unsigned)digit;
		count += 5;
		if (count < 8)
			continue;
		count -= 8;
		const char byte = (char)(bits >> count & 0xff);
		if (!byte || buf_add_byte(out, byte) < 0)
			return -1;
	}
	return 0;
}

/* ---- The text form of a message with strings and enums in it ---- */

static void skip_blank(const char **at)
{
	*at += strspn(*at, " \t\r\n,;");
}

static bool read_name(const char **at, char name[NAME_MAXIMUM])
{
	const size_t length = strspn(*at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	if (length == 0 || length >= NAME_MAXIMUM)
		return false;
	memcpy(name, *at, length);
	name[length] = '\0';
	*at += length;
	return true;
}

static int octal(const char **at)
{
	int value = 0;
	for (int i = 0; i < 3 && **at >= '0' && **at <= '7'; i++)
		value = value * 8 + *(*at)++ - '0';
	return value;
}

/* Behind the backslash. -1 for what Go's encoder does not write. */
static int read_escape(const char **at)
{
	static const char names[] = "nrt\"'\\", values[] = "\n\r\t\"'\\";
	if (**at >= '0' && **at <= '7')
		return octal(at);
	const char *found = **at ? strchr(names, **at) : NULL;
	if (!found)
		return -1;
	(*at)++;
	return values[found - names];
}

static char *read_string(struct arena *arena, const char **at)
{
	const char quote = **at;
	auto_buf struct buf out = BUF_INIT(TEXT_MAXIMUM);
	if (quote != '"' && quote != '\'')
		return NULL;
	for ((*at)++; **at != quote;) {
		int c = (unsigned char)*(*at)++;
		if (c == '\n')
			return NULL;
		if (c == '\\')
			c = read_escape(at);
		if (c <= 0 || c > 255 || buf_add_byte(&out, (char)c) < 0)
			return NULL;
	}
	(*at)++;
	return arena_strdup(arena, buf_text(&out));
}

static bool read_enum(const char **at, const ProtobufCEnumDescriptor *type, int *ret_value)
{
	char name[NAME_MAXIMUM];
	int64_t number;
	if (!read_name(at, name))
		return false;
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(type, name);
	if (!value && text_to_int64(name, 0, INT32_MAX, &number))
		value = protobuf_c_enum_descriptor_get_value(type, (int)number);
	if (value)
		*ret_value = value->value;
	return value != NULL;
}

static bool read_field(struct arena *arena, const char **at, Flyteidl__Core__Secret *secret)
{
	char name[NAME_MAXIMUM];
	if (!read_name(at, name))
		return false;
	const ProtobufCFieldDescriptor *field =
	        protobuf_c_message_descriptor_get_field_by_name(&flyteidl__core__secret__descriptor, name);
	skip_blank(at);
	if (!field || *(*at)++ != ':')
		return false;
	skip_blank(at);
	void *member = (char *)secret + field->offset;
	if (field->type == PROTOBUF_C_TYPE_ENUM)
		return read_enum(at, field->descriptor, member);
	if (field->type != PROTOBUF_C_TYPE_STRING)
		return false;
	char *text = read_string(arena, at);
	if (text)
		*(char **)member = text;
	return text != NULL;
}

Flyteidl__Core__Secret *secret_annotation_read(struct arena *arena, const char *annotation, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(TEXT_MAXIMUM);
	Flyteidl__Core__Secret *secret = proto_new(arena, flyteidl__core__secret);
	if (decode(annotation, &text) < 0) {
		err_set(e, ERR_INVALID, "bad-annotation", "the annotation is not a secret in Flyte's Base32");
		return NULL;
	}
	const char *at = buf_text(&text);
	for (skip_blank(&at); *at; skip_blank(&at)) {
		if (read_field(arena, &at, secret))
			continue;
		err_set(e, ERR_INVALID, "bad-annotation", "the annotation \"%s\" is not the text of a secret",
		        buf_text(&text));
		return NULL;
	}
	return secret;
}
