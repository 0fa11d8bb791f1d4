#include "proto/diff.h"

#include "base/text.h"
#include "proto/canonical.h"
#include "proto/field.h"
#include "proto/json.h"
#include "proto/scalar.h"

#include <string.h>

#define TRUNCATED "\xe2\x80\xa6 (truncated)\n"
#define PATH_MAXIMUM ((size_t)1024)
/* Of one shown value: bytes of the value itself, and of its escaped form or JSON. */
#define VALUE_MAXIMUM ((size_t)512)
#define SHOWN_MAXIMUM ((size_t)6 * VALUE_MAXIMUM + 2)

struct differ {
	struct buf out;
	struct buf path;
	bool truncated;
};

static void diff_messages(struct differ *d, const ProtobufCMessage *old, const ProtobufCMessage *new);

/* The longest start of `text` of at most VALUE_MAXIMUM bytes that ends with a whole character. */
static size_t shown_length(const char *text)
{
	size_t length = strnlen(text, VALUE_MAXIMUM + 1);
	if (length <= VALUE_MAXIMUM)
		return length;
	length = VALUE_MAXIMUM;
	while (length && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	return length;
}

/* Both return whether something was left out. */
static bool add_text(struct buf *out, const char *text)
{
	size_t length = text ? shown_length(text) : 0;
	(void)proto_json_add_string(out, text ? text : "", length);
	if (!text || !text[length])
		return false;
	buf_truncate(out, out->length - 1); /* the closing quote: the text goes on */
	return true;
}

static bool add_bytes(struct buf *out, const ProtobufCBinaryData *bytes)
{
	size_t length = bytes->len < VALUE_MAXIMUM ? bytes->len : VALUE_MAXIMUM;
	(void)proto_base64_encode(bytes->data, length, out);
	return length < bytes->len;
}

static bool add_message(struct buf *out, const ProtobufCMessage *message)
{
	auto_err struct err e = ERR_INIT;
	if (!message)
		return buf_add_str(out, "{}") < 0;
	return proto_json_print(message, PROTO_JSON_CAMEL_CASE | PROTO_JSON_OMIT_DEFAULTS, out, &e) < 0;
}

/* The value as one line: text in quotes, messages as compact JSON, long ones cut. */
static void show(struct differ *d, const char *sign, const ProtobufCFieldDescriptor *field, const void *value)
{
	auto_buf struct buf text = BUF_INIT(SHOWN_MAXIMUM);
	char number[PROTO_NUMBER_SIZE];
	bool cut = false;
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		cut = add_text(&text, *(const char *const *)value);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		cut = add_bytes(&text, value);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		cut = add_message(&text, proto_message_value(value));
		break;
	case PROTOBUF_C_TYPE_ENUM:
		if (proto_enum_name(field, value)) {
			(void)buf_add_str(&text, proto_enum_name(field, value));
			break;
		}
		__attribute__((fallthrough));
	default:
		if (proto_scalar_to_text(field, value, number))
			(void)buf_add_str(&text, number);
		break;
	}
	if (buf_add_format(&d->out, "\t%s %s%s\n", sign, buf_text(&text), cut ? "\xe2\x80\xa6" : "") < 0)
		d->truncated = true;
}

/* One difference; a side without a value is NULL. */
static void report(struct differ *d, const ProtobufCFieldDescriptor *field, const void *old, const void *new)
{
	size_t start = d->out.length;
	if (d->truncated)
		return;
	if (buf_add_format(&d->out, "%s:\n", buf_text(&d->path)) < 0)
		d->truncated = true;
	if (old && !d->truncated)
		show(d, "-", field, old);
	if (new && !d->truncated)
		show(d, "+", field, new);
	if (d->truncated)
		buf_truncate(&d->out, start);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_scalar(const ProtobufCFieldDescriptor *field, const void *old, const void *new)
{
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return same_text(*(const char *const *)old, *(const char *const *)new);
	if (field->type == PROTOBUF_C_TYPE_BYTES) {
		const ProtobufCBinaryData *a = old, *b = new;
		return a->len == b->len && (!a->len || memcmp(a->data, b->data, a->len) == 0);
	}
	return memcmp(old, new, proto_field_value_size(field)) == 0;
}

/* Both sides may be NULL: nothing there. */
static void diff_values(struct differ *d, const ProtobufCFieldDescriptor *field, const void *old, const void *new)
{
	if (!old && !new)
		return;
	bool both = old && new;
	if (both && field->type == PROTOBUF_C_TYPE_MESSAGE && proto_message_value(old) && proto_message_value(new))
		diff_messages(d, proto_message_value(old), proto_message_value(new));
	else if (!both || (field->type == PROTOBUF_C_TYPE_MESSAGE ? proto_message_value(old) != proto_message_value(new)
	                                                          : !same_scalar(field, old, new)))
		report(d, field, old, new);
}

static void diff_lists(struct differ *d, const ProtobufCFieldDescriptor *field, const ProtobufCMessage *old,
                       const ProtobufCMessage *new)
{
	size_t old_count = proto_field_count(old, field), new_count = proto_field_count(new, field);
	for (size_t i = 0; i < old_count || i < new_count; i++) {
		size_t mark = d->path.length;
		(void)buf_add_format(&d->path, "/%zu", i);
		diff_values(d, field, i < old_count ? proto_field_element(old, field, i) : NULL,
		            i < new_count ? proto_field_element(new, field, i) : NULL);
		buf_truncate(&d->path, mark);
	}
}

static const ProtobufCMessage *entry_at(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                                        size_t index)
{
	return index < proto_field_count(message, field)
	               ? proto_message_value(proto_field_element(message, field, index))
	               : NULL;
}

static const char *key_text(const ProtobufCMessage *entry, char room[PROTO_NUMBER_SIZE])
{
	const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0];
	const void *value = proto_field_value(entry, key);
	return proto_scalar_to_text(key, value, room) ? room : *(const char *const *)value;
}

/* A merge over the two sorted maps. */
static void diff_maps(struct differ *d, const ProtobufCFieldDescriptor *field, const ProtobufCMessage *old,
                      const ProtobufCMessage *new)
{
	size_t i = 0, k = 0;
	for (;;) {
		const ProtobufCMessage *left = entry_at(old, field, i), *right = entry_at(new, field, k);
		if (!left && !right)
			return;
		int order = !left ? 1 : !right ? -1 : proto_compare_keys(left, right);
		left = order <= 0 ? left : NULL;
		right = order >= 0 ? right : NULL;
		const ProtobufCMessage *either = left ? left : right;
		const ProtobufCFieldDescriptor *value = &either->descriptor->fields[1];
		char number[PROTO_NUMBER_SIZE];
		size_t mark = d->path.length;
		(void)buf_add_format(&d->path, "/%s", key_text(either, number));
		diff_values(d, value, left ? proto_field_value(left, value) : NULL,
		            right ? proto_field_value(right, value) : NULL);
		buf_truncate(&d->path, mark);
		i += left != NULL;
		k += right != NULL;
	}
}

static void diff_fields(struct differ *d, const ProtobufCFieldDescriptor *field, const ProtobufCMessage *old,
                        const ProtobufCMessage *new)
{
	size_t mark = d->path.length;
	char camel[128];
	proto_camel_case(field->name, camel, sizeof(camel));
	(void)buf_add_format(&d->path, "/%s", camel);
	if (proto_is_map_field(field))
		diff_maps(d, field, old, new);
	else if (field->label == PROTOBUF_C_LABEL_REPEATED)
		diff_lists(d, field, old, new);
	else
		diff_values(d, field, proto_field_is_set(old, field) ? proto_field_value(old, field) : NULL,
		            proto_field_is_set(new, field) ? proto_field_value(new, field) : NULL);
	buf_truncate(&d->path, mark);
}

static void diff_messages(struct differ *d, const ProtobufCMessage *old, const ProtobufCMessage *new)
{
	for (unsigned i = 0; i < old->descriptor->n_fields && !d->truncated; i++)
		diff_fields(d, &old->descriptor->fields[i], old, new);
}

const char *proto_diff(struct arena *arena, ProtobufCMessage *old_message, ProtobufCMessage *new_message)
{
	struct differ d = { .out = BUF_INIT(PROTO_DIFF_MAXIMUM - sizeof(TRUNCATED)), .path = BUF_INIT(PATH_MAXIMUM) };
	proto_canonicalize(old_message);
	proto_canonicalize(new_message);
	diff_messages(&d, old_message, new_message);
	char *text = arena_printf(arena, "%s%s", buf_text(&d.out), d.truncated ? TRUNCATED : "");
	buf_release(&d.out);
	buf_release(&d.path);
	return text;
}
