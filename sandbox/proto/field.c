#include "proto/field.h"

#include <string.h>

size_t proto_field_value_size(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM:
		return 4;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	}
	abort();
}

static const void *quantifier(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (const char *)message + field->quantifier_offset;
}

static void *quantifier_member(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (char *)message + field->quantifier_offset;
}

size_t proto_field_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return *(const size_t *)quantifier(message, field);
}

const void *proto_field_element(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t index)
{
	const char *array = *(const char *const *)proto_field_value(message, field);
	return array + index * proto_field_value_size(field);
}

bool proto_value_is_default(const ProtobufCFieldDescriptor *field, const void *value)
{
	static const char zero[sizeof(ProtobufCBinaryData)];
	if (field->type == PROTOBUF_C_TYPE_STRING) {
		const char *text = *(const char *const *)value;
		return !text || !*text;
	}
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)value)->len == 0;
	return memcmp(value, zero, proto_field_value_size(field)) == 0;
}

bool proto_field_is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const void *value = proto_field_value(message, field);
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return proto_field_count(message, field) > 0;
	if (proto_field_is_oneof(field))
		return *(const uint32_t *)quantifier(message, field) == field->id &&
		       (field->type != PROTOBUF_C_TYPE_MESSAGE || proto_message_value(value));
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return proto_message_value(value) != NULL;
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING)
		return *(const protobuf_c_boolean *)quantifier(message, field);
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL)
		return *(const char *const *)value != NULL && *(const void *const *)value != field->default_value;
	return !proto_value_is_default(field, value);
}

void *proto_field_prepare(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	void *member = proto_field_member(message, field);
	if (proto_field_is_oneof(field)) {
		uint32_t *which = quantifier_member(message, field);
		/* Members share their memory: forget what another one left there. */
		if (*which != field->id)
			memset(member, 0, proto_field_value_size(field));
		*which = field->id;
	} else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING &&
	           field->type != PROTOBUF_C_TYPE_MESSAGE) {
		*(protobuf_c_boolean *)quantifier_member(message, field) = 1;
	}
	return member;
}

bool proto_arena_has_room(const struct arena *arena, size_t size)
{
	/* Blocks are counted when they are made; this leaves room for a fresh one and for alignment. */
	const size_t slack = (size_t)32 * 1024;
	return size < arena->maximum && arena->used < arena->maximum - size &&
	       slack < arena->maximum - size - arena->used;
}

void *proto_field_append(struct arena *arena, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	size_t *count = quantifier_member(message, field), size = proto_field_value_size(field);
	void **array = proto_field_member(message, field);
	if (!proto_arena_has_room(arena, *count * 2 * size + size))
		return NULL;
	*array = proto_grow(arena, *array, *count, size);
	return (char *)*array + (*count)++ * size;
}

void proto_camel_case(const char *name, char *room, size_t size)
{
	size_t n = 0;
	bool upper = false;
	for (; *name && n + 1 < size; name++) {
		if (*name == '_') {
			upper = true;
			continue;
		}
		room[n++] = upper && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
		upper = false;
	}
	room[n] = '\0';
}

const ProtobufCFieldDescriptor *proto_field_find(const ProtobufCMessageDescriptor *descriptor, const char *name,
                                                 size_t length)
{
	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
		char camel[128];
		if (strlen(field->name) == length && memcmp(field->name, name, length) == 0)
			return field;
		proto_camel_case(field->name, camel, sizeof(camel));
		if (strlen(camel) == length && memcmp(camel, name, length) == 0)
			return field;
	}
	return NULL;
}

int proto_compare_keys(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	const ProtobufCFieldDescriptor *key = &a->descriptor->fields[0];
	const void *left = proto_field_value(a, key), *right = proto_field_value(b, key);
	if (key->type == PROTOBUF_C_TYPE_STRING) {
		const char *left_text = *(const char *const *)left, *right_text = *(const char *const *)right;
		return strcmp(left_text ? left_text : "", right_text ? right_text : "");
	}
	if (proto_field_value_size(key) == 8) {
		int64_t left_number = *(const int64_t *)left, right_number = *(const int64_t *)right;
		return (left_number > right_number) - (left_number < right_number);
	}
	int32_t left_number = *(const int32_t *)left, right_number = *(const int32_t *)right;
	return (left_number > right_number) - (left_number < right_number);
}
