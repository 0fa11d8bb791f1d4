#include "base/text.h"
#include "proto/field.h"
#include "proto/json.h"
#include "proto/json_reader.h"
#include "proto/scalar.h"

#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/struct.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <string.h>

struct parser {
	struct json_reader reader;
	unsigned flags;
};

static int parse_message(struct parser *p, ProtobufCMessage *message);

static int too_large(struct parser *p)
{
	return err_set(p->reader.e, ERR_EXHAUSTED, "message-too-large", "the request is too large");
}

static ProtobufCMessage *new_message(struct parser *p, const ProtobufCMessageDescriptor *descriptor)
{
	if (!proto_arena_has_room(p->reader.arena, descriptor->sizeof_message)) {
		too_large(p);
		return NULL;
	}
	return proto_new_of(p->reader.arena, descriptor);
}

/* Puts the place in front of an error that came from reading a scalar. */
static int at_place(struct parser *p)
{
	const struct json_reader *r = &p->reader;
	return r->path_length ? err_wrap(r->e, "at \"%s\"", r->path) : -1;
}

static int parse_scalar(struct parser *p, const ProtobufCFieldDescriptor *field, void *value)
{
	struct json_reader *r = &p->reader;
	char number[JSON_READER_NUMBER_MAXIMUM], c = json_reader_peek(r);
	char *text = number;
	bool textual = field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES;
	if (field->type == PROTOBUF_C_TYPE_BOOL) {
		*(protobuf_c_boolean *)value = c == 't';
		return json_reader_literal(r, c == 't' ? "true" : "false");
	}
	if (textual || c == '"') {
		if (json_reader_string(r, &text) < 0)
			return -1;
	} else if (json_reader_number(r, number) < 0) {
		return -1;
	}
	if (field->type == PROTOBUF_C_TYPE_STRING) {
		*(char **)value = text;
		return 0;
	}
	return proto_scalar_from_text(r->arena, field, text, value, r->e) < 0 ? at_place(p) : 0;
}

/* `value` is a member that may hold a message already (merge). */
static int parse_value(struct parser *p, const ProtobufCFieldDescriptor *field, void *value)
{
	if (field->type != PROTOBUF_C_TYPE_MESSAGE)
		return parse_scalar(p, field, value);
	ProtobufCMessage **message = value;
	if (!*message)
		*message = new_message(p, field->descriptor);
	return *message ? parse_message(p, *message) : -1;
}

/* null means "not set", but to a Value it is a value, and so it is to NullValue. */
static bool null_is_a_value(const ProtobufCFieldDescriptor *field)
{
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return field->descriptor == &google__protobuf__value__descriptor;
	const ProtobufCEnumDescriptor *descriptor = field->type == PROTOBUF_C_TYPE_ENUM ? field->descriptor : NULL;
	return descriptor && text_equal(descriptor->name, "google.protobuf.NullValue");
}

static int parse_list(struct parser *p, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	struct json_reader *r = &p->reader;
	int status;
	if (json_reader_begin_array(r) < 0)
		return -1;
	size_t index = 0;
	for (; (status = json_reader_next_element(r, index == 0)) == 1; index++) {
		size_t mark = json_reader_enter_index(r, index);
		if (json_reader_peek(r) == 'n' && !null_is_a_value(field))
			return json_reader_fail(r, "null in a list");
		void *value = proto_field_append(r->arena, message, field);
		if (!value)
			return too_large(p);
		if (field->type == PROTOBUF_C_TYPE_STRING)
			*(const char **)value = protobuf_c_empty_string;
		if (parse_value(p, field, value) < 0)
			return -1;
		json_reader_leave(r, mark);
	}
	return status;
}

/* The entry with this key if the map has it already (the last one wins), else a new one. */
static ProtobufCMessage *map_entry(struct parser *p, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                                   const char *key)
{
	struct json_reader *r = &p->reader;
	ProtobufCMessage *entry = new_message(p, field->descriptor);
	if (!entry)
		return NULL;
	const ProtobufCFieldDescriptor *key_field = &entry->descriptor->fields[0];
	void **slot = proto_field_append(r->arena, message, field);
	if (!slot) {
		too_large(p);
		return NULL;
	}
	*slot = entry;
	if (proto_scalar_from_text(r->arena, key_field, key, proto_field_prepare(entry, key_field), r->e) < 0) {
		at_place(p);
		return NULL;
	}
	return entry;
}

static int parse_map(struct parser *p, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	struct json_reader *r = &p->reader;
	char *key;
	int status;
	if (json_reader_begin_object(r) < 0)
		return -1;
	for (bool first = true; (status = json_reader_next_key(r, first, &key)) == 1; first = false) {
		size_t mark = json_reader_enter(r, key);
		ProtobufCMessage *entry = map_entry(p, message, field, key);
		if (!entry)
			return -1;
		const ProtobufCFieldDescriptor *value = &entry->descriptor->fields[1];
		if (json_reader_peek(r) == 'n' && !null_is_a_value(value))
			return json_reader_fail(r, "null in a map");
		if (parse_value(p, value, proto_field_prepare(entry, value)) < 0)
			return -1;
		json_reader_leave(r, mark);
	}
	return status;
}

static int parse_field(struct parser *p, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	struct json_reader *r = &p->reader;
	if (json_reader_peek(r) == 'n' && !null_is_a_value(field))
		return json_reader_literal(r, "null");
	if (proto_is_map_field(field))
		return parse_map(p, message, field);
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return parse_list(p, message, field);
	if (proto_field_is_oneof(field)) {
		const uint32_t *which =
		        (const uint32_t *)(const void *)((const char *)message + field->quantifier_offset);
		if (*which && *which != field->id)
			return json_reader_fail(r, "another member of the same oneof is set already");
	}
	return parse_value(p, field, proto_field_prepare(message, field));
}

static int parse_fields(struct parser *p, ProtobufCMessage *message)
{
	struct json_reader *r = &p->reader;
	char *key;
	int status;
	if (json_reader_begin_object(r) < 0)
		return -1;
	for (bool first = true; (status = json_reader_next_key(r, first, &key)) == 1; first = false) {
		size_t mark = json_reader_enter(r, key);
		const ProtobufCFieldDescriptor *field = proto_field_find(message->descriptor, key, strlen(key));
		if (!field && !(p->flags & PROTO_JSON_IGNORE_UNKNOWN))
			return json_reader_fail(r, "unknown field of %s", message->descriptor->name);
		if ((field ? parse_field(p, message, field) : json_reader_skip(r)) < 0)
			return -1;
		json_reader_leave(r, mark);
	}
	return status;
}

/* --- the types with a form of their own --- */

static int parse_time(struct parser *p, ProtobufCMessage *message)
{
	char *text;
	if (json_reader_string(&p->reader, &text) < 0)
		return -1;
	int status;
	if (message->descriptor == &google__protobuf__timestamp__descriptor) {
		Google__Protobuf__Timestamp *time = (Google__Protobuf__Timestamp *)message;
		status = proto_timestamp_from_text(text, &time->seconds, &time->nanos, p->reader.e);
	} else {
		Google__Protobuf__Duration *duration = (Google__Protobuf__Duration *)message;
		status = proto_duration_from_text(text, &duration->seconds, &duration->nanos, p->reader.e);
	}
	return status < 0 ? at_place(p) : 0;
}

static int parse_any(struct parser *p, Google__Protobuf__Any *any)
{
	struct json_reader *r = &p->reader;
	char *key;
	int status;
	if (json_reader_begin_object(r) < 0)
		return -1;
	for (bool first = true; (status = json_reader_next_key(r, first, &key)) == 1; first = false) {
		size_t mark = json_reader_enter(r, key);
		int parsed;
		if (text_equal(key, "@type"))
			parsed = json_reader_string(r, &any->type_url);
		else if (text_equal(key, "value"))
			parsed = parse_scalar(p, proto_field_find(any->base.descriptor, "value", 5), &any->value);
		else
			parsed = json_reader_fail(r, "an Any is given as {\"@type\": …, \"value\": <base64>}");
		if (parsed < 0)
			return -1;
		json_reader_leave(r, mark);
	}
	return status;
}

static int parse_struct_value(struct parser *p, Google__Protobuf__Value *value)
{
	struct json_reader *r = &p->reader;
	const ProtobufCMessageDescriptor *type = value->base.descriptor;
	const char *name;
	switch (json_reader_peek(r)) {
	case 'n':
		value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE;
		value->null_value = GOOGLE__PROTOBUF__NULL_VALUE__NULL_VALUE;
		return json_reader_literal(r, "null");
	case 't':
	case 'f':
		name = "bool_value";
		break;
	case '"':
		name = "string_value";
		break;
	case '{':
		name = "struct_value";
		break;
	case '[':
		name = "list_value";
		break;
	default:
		name = "number_value";
		break;
	}
	const ProtobufCFieldDescriptor *field = proto_field_find(type, name, strlen(name));
	return parse_value(p, field, proto_field_prepare(&value->base, field));
}

static int parse_message(struct parser *p, ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	if (type == &google__protobuf__timestamp__descriptor || type == &google__protobuf__duration__descriptor)
		return parse_time(p, message);
	if (type == &google__protobuf__struct__descriptor)
		return parse_map(p, message, &type->fields[0]);
	if (type == &google__protobuf__list_value__descriptor)
		return parse_list(p, message, &type->fields[0]);
	if (type == &google__protobuf__value__descriptor)
		return parse_struct_value(p, (Google__Protobuf__Value *)message);
	if (type == &google__protobuf__any__descriptor)
		return parse_any(p, (Google__Protobuf__Any *)message);
	if (proto_is_wrapper(type))
		return parse_scalar(p, &type->fields[0], proto_field_member(message, &type->fields[0]));
	return parse_fields(p, message);
}

int proto_json_merge(struct arena *arena, ProtobufCMessage *message, const char *text, size_t length, unsigned flags,
                     struct err *e)
{
	struct parser p = { .flags = flags };
	json_reader_init(&p.reader, text, length, arena, e);
	return parse_message(&p, message) < 0 || json_reader_end(&p.reader) < 0 ? -1 : 0;
}

ProtobufCMessage *proto_json_parse_of(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
                                      const char *text, size_t length, unsigned flags, struct err *e)
{
	ProtobufCMessage *message = proto_new_of(arena, descriptor);
	return proto_json_merge(arena, message, text, length, flags, e) < 0 ? NULL : message;
}
