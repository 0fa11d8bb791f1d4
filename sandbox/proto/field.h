/*
 * Reading and writing the fields of any message through its descriptor: what JSON, canonical form and diff have in
 * common.
 *
 * How protobuf-c lays a field out: a singular field is its C type at `offset`; a member of a oneof counts only while
 * the case at `quantifier_offset` holds its number; an `optional` scalar has a has_ flag there; a repeated field has
 * its count there and a pointer to its array at `offset`.
 */
#ifndef SANDBOX_PROTO_FIELD_H
#define SANDBOX_PROTO_FIELD_H

#include "proto/message.h"

/* Bytes of one value: of an array's element, or of the member. */
size_t proto_field_value_size(const ProtobufCFieldDescriptor *field);

static inline void *proto_field_member(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (char *)message + field->offset;
}

static inline const void *proto_field_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (const char *)message + field->offset;
}

/* Of a repeated field. */
size_t proto_field_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
const void *proto_field_element(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t index);

static inline bool proto_field_is_oneof(const ProtobufCFieldDescriptor *field)
{
	return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/*
 * Is there something to say: the oneof's current member, a present optional, a message, a non-default scalar, a
 * non-empty list.
 */
bool proto_field_is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
/* A scalar's zero, an empty text, a missing message. */
bool proto_value_is_default(const ProtobufCFieldDescriptor *field, const void *value);

/* Where to write a singular field's value; marks it as present. A previous member of its oneof is cleared. */
void *proto_field_prepare(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
/*
 * Room for one more element of a repeated field, zeroed, in the arena; the array is moved as needed. Only for fields
 * filled by this alone. NULL when the arena is too full.
 */
void *proto_field_append(struct arena *arena, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/*
 * Whether the arena certainly takes `size` more bytes: to be asked before allocating what somebody else decides the
 * size of.
 */
bool proto_arena_has_room(const struct arena *arena, size_t size);

/* The field with this name in either spelling (the .proto file's or lowerCamelCase), or NULL. */
const ProtobufCFieldDescriptor *proto_field_find(const ProtobufCMessageDescriptor *descriptor, const char *name,
                                                 size_t length);
/* "retry_attempt" -> "retryAttempt", cut to `size`. */
void proto_camel_case(const char *name, char *room, size_t size);

/* The order of two entries of one map: text by bytes, numbers as signed numbers. */
int proto_compare_keys(const ProtobufCMessage *a, const ProtobufCMessage *b);

/* The sub-message or entry behind a value pointer of a message field; NULL when unset. */
static inline ProtobufCMessage *proto_message_value(const void *value)
{
	return *(ProtobufCMessage *const *)value;
}

#endif
