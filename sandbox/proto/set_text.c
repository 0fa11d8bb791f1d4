#include "base/text.h"
#include "proto/field.h"
#include "proto/json.h"
#include "proto/scalar.h"

#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <string.h>

static const ProtobufCFieldDescriptor *no_field(struct err *e, const ProtobufCMessage *message, const char *path)
{
	err_set(e, ERR_NOT_FOUND, NULL, "%s has no field \"%s\"", message->descriptor->name, path);
	return NULL;
}

/* Makes *message the sub-message in its singular field `field`, creating it. */
static int descend(struct arena *arena, ProtobufCMessage **message, const ProtobufCFieldDescriptor *field,
                   struct err *e)
{
	ProtobufCMessage **part = proto_field_prepare(*message, field);
	const ProtobufCMessageDescriptor *descriptor = field->descriptor;
	if (!*part && !proto_arena_has_room(arena, descriptor->sizeof_message))
		return err_set(e, ERR_EXHAUSTED, NULL, "the request is too large");
	if (!*part)
		*part = proto_new_of(arena, descriptor);
	*message = *part;
	return 0;
}

static bool is_singular_message(const ProtobufCFieldDescriptor *field)
{
	return field && field->type == PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED;
}

/*
 * Walks all but the last step; returns the last field and makes *message its holder. Nothing is created unless the
 * whole path exists.
 */
static const ProtobufCFieldDescriptor *resolve(struct arena *arena, ProtobufCMessage **message, const char *path,
                                               struct err *e)
{
	const ProtobufCMessageDescriptor *descriptor = (*message)->descriptor;
	const ProtobufCFieldDescriptor *field;
	for (const char *cursor = path;; descriptor = field->descriptor) {
		size_t length = strcspn(cursor, ".");
		field = proto_field_find(descriptor, cursor, length);
		cursor += length;
		if (!field || (*cursor && !is_singular_message(field)))
			return no_field(e, *message, path);
		if (!*cursor++)
			break;
	}
	for (const char *cursor = path;;) {
		size_t length = strcspn(cursor, ".");
		const ProtobufCFieldDescriptor *step = proto_field_find((*message)->descriptor, cursor, length);
		if (!cursor[length])
			return step;
		if (descend(arena, message, step, e) < 0)
			return NULL;
		cursor += length + 1;
	}
}

static int set_message(struct arena *arena, ProtobufCMessage *message, const char *value, struct err *e)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	if (type == &google__protobuf__timestamp__descriptor) {
		Google__Protobuf__Timestamp *time = (Google__Protobuf__Timestamp *)message;
		return proto_timestamp_from_text(value, &time->seconds, &time->nanos, e);
	}
	if (type == &google__protobuf__duration__descriptor) {
		Google__Protobuf__Duration *duration = (Google__Protobuf__Duration *)message;
		return proto_duration_from_text(value, &duration->seconds, &duration->nanos, e);
	}
	if (proto_is_wrapper(type))
		return proto_scalar_from_text(arena, &type->fields[0], value,
		                              proto_field_member(message, &type->fields[0]), e);
	return err_set(e, ERR_INVALID, NULL, "a %s cannot be given as text", type->name);
}

int proto_set_from_text(struct arena *arena, ProtobufCMessage *message, const char *path, const char *value,
                        struct err *e)
{
	ProtobufCMessage *holder = message;
	const ProtobufCFieldDescriptor *field = resolve(arena, &holder, path, e);
	if (!field)
		return -1;
	if (is_singular_message(field))
		return descend(arena, &holder, field, e) < 0 ? -1 : set_message(arena, holder, value, e);
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return err_set(e, ERR_INVALID, NULL, "\"%s\" is a list of messages and cannot be given as text", path);
	void *room = field->label == PROTOBUF_C_LABEL_REPEATED ? proto_field_append(arena, holder, field)
	                                                       : proto_field_prepare(holder, field);
	if (!room)
		return err_set(e, ERR_EXHAUSTED, NULL, "the request is too large");
	return proto_scalar_from_text(arena, field, value, room, e);
}

ProtobufCMessage *proto_submessage(struct arena *arena, ProtobufCMessage *message, const char *path, struct err *e)
{
	ProtobufCMessage *holder = message;
	const ProtobufCFieldDescriptor *field = resolve(arena, &holder, path, e);
	if (field && !is_singular_message(field)) {
		no_field(e, message, path);
		return NULL;
	}
	return !field || descend(arena, &holder, field, e) < 0 ? NULL : holder;
}
