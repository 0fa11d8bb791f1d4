#include "proto/message.h"

#include "base/text.h"
#include "proto/scalar.h"

#include <string.h>

/* Where protobuf-c puts a message, which does not say why it has failed. */
struct room {
	struct arena *arena;
	bool exhausted;
};

static void *allocate_in_arena(void *data, size_t size)
{
	struct room *room = data;
	void *bytes = arena_try_alloc(room->arena, size);
	room->exhausted |= !bytes;
	return bytes;
}

static void free_nothing(void *arena, void *pointer)
{
	(void)arena;
	(void)pointer;
}

ProtobufCMessage *proto_new_of(struct arena *arena, const ProtobufCMessageDescriptor *descriptor)
{
	ProtobufCMessage *message = arena_alloc(arena, descriptor->sizeof_message);
	protobuf_c_message_init(descriptor, message);
	return message;
}

/* A varint at *cursor, advancing it; false past the end or over 64 bits. */
static bool read_varint(const uint8_t **cursor, const uint8_t *end, uint64_t *ret_value)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64 && *cursor < end; shift += 7) {
		uint8_t byte = *(*cursor)++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

/* What is wrong with a text, NULL if nothing. A zero byte is allowed by protobuf, but protobuf-c's strings would silently end there. */
static const char *fault_of(const char *text, size_t length)
{
	if (memchr(text, '\0', length))
		return "a zero byte, which cannot be kept";
	while (length) {
		size_t sequence = proto_utf8_sequence(text, length);
		if (!sequence)
			return "invalid UTF-8";
		text += sequence;
		length -= sequence;
	}
	return NULL;
}

struct walk {
	bool text_is_checked;
	const ProtobufCFieldDescriptor *bad_text;
	const char *fault; /* of bad_text */
};

/*
 * Walks the wire format along the descriptor to find how deep sub-messages nest, because protobuf-c's parser recurses without a limit,
 * and whether text is such as we can keep, which it does not look at. Malformed input is left to that parser: here it only ends the walk.
 */
static bool is_fine(struct walk *walk, const ProtobufCMessageDescriptor *descriptor, const uint8_t *cursor, const uint8_t *end,
		    int depth)
{
	if (depth > PROTO_DEPTH_MAXIMUM)
		return false;
	while (cursor < end) {
		uint64_t tag, length;
		if (!read_varint(&cursor, end, &tag))
			return true;
		switch (tag & 7) {
		case 0:
			if (!read_varint(&cursor, end, &length))
				return true;
			continue;
		case 1:
			length = 8;
			break;
		case 5:
			length = 4;
			break;
		case 2:
			if (!read_varint(&cursor, end, &length))
				return true;
			break;
		default:
			return true;
		}
		if (length > (uint64_t)(end - cursor))
			return true;
		if ((tag & 7) == 2) {
			const ProtobufCFieldDescriptor *field =
				protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3));
			if (field && field->type == PROTOBUF_C_TYPE_MESSAGE &&
			    !is_fine(walk, field->descriptor, cursor, cursor + length, depth + 1))
				return false;
			if (walk->text_is_checked && field && field->type == PROTOBUF_C_TYPE_STRING)
				walk->fault = fault_of((const char *)cursor, length);
			if (walk->fault) {
				walk->bad_text = field;
				return false;
			}
		}
		cursor += length;
	}
	return true;
}

static ProtobufCMessage *unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, const void *bytes, size_t length,
				bool text_is_checked, struct err *e)
{
	const uint8_t *data = bytes ? bytes : (const uint8_t *)"";
	struct walk walk = { .text_is_checked = text_is_checked };
	if (!is_fine(&walk, descriptor, data, data + length, 0)) {
		if (walk.bad_text)
			err_set(e, ERR_INVALID, "malformed-message", "%s: the field \"%s\" contains %s", descriptor->name,
				walk.bad_text->name, walk.fault);
		else
			err_set(e, ERR_INVALID, "malformed-message", "%s nests deeper than %d levels", descriptor->name,
				PROTO_DEPTH_MAXIMUM);
		return NULL;
	}
	struct room room = { .arena = arena };
	ProtobufCAllocator allocator = { .alloc = allocate_in_arena, .free = free_nothing, .allocator_data = &room };
	ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, length, data);
	if (room.exhausted)
		err_set(e, ERR_EXHAUSTED, "message-too-large", "%s (%zu bytes) takes more than %zu MiB of memory", descriptor->name,
			length, arena->maximum >> 20);
	else if (!message)
		err_set(e, ERR_INVALID, "malformed-message", "malformed %s (%zu bytes)", descriptor->name, length);
	return message;
}

ProtobufCMessage *proto_unpack_of(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, const void *bytes,
				  size_t length, struct err *e)
{
	return unpack(arena, descriptor, bytes, length, false, e);
}

ProtobufCMessage *proto_unpack_strict_of(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, const void *bytes,
					 size_t length, struct err *e)
{
	return unpack(arena, descriptor, bytes, length, true, e);
}

struct proto_bytes proto_pack(struct arena *arena, const ProtobufCMessage *message)
{
	size_t length = protobuf_c_message_get_packed_size(message);
	uint8_t *data = arena_alloc(arena, length);
	protobuf_c_message_pack(message, data);
	return (struct proto_bytes){ .data = data, .length = length };
}

int proto_pack_to_buf(const ProtobufCMessage *message, struct buf *out)
{
	size_t length = protobuf_c_message_get_packed_size(message);
	char *room = buf_reserve(out, length);
	if (!room)
		return -1;
	protobuf_c_message_pack(message, (uint8_t *)room);
	buf_commit(out, length);
	return 0;
}

ProtobufCMessage *proto_copy_of(struct arena *arena, const ProtobufCMessage *message)
{
	struct proto_bytes bytes = proto_pack(arena, message);
	ProtobufCMessage *copy = proto_unpack_of(arena, message->descriptor, bytes.data, bytes.length, NULL);
	if (!copy)
		abort();
	return copy;
}

bool proto_is_map_field(const ProtobufCFieldDescriptor *field)
{
	if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE)
		return false;
	const ProtobufCMessageDescriptor *entry = field->descriptor;
	return entry->n_fields == 2 && text_ends_with(entry->short_name, "Entry") && text_equal(entry->fields[0].name, "key") &&
	       text_equal(entry->fields[1].name, "value");
}

void *proto_grow(struct arena *arena, void *array, size_t count, size_t element_size)
{
	if (count && (count & (count - 1)))
		return array;
	void *bigger = arena_calloc(arena, count ? count * 2 : 1, element_size);
	if (count)
		memcpy(bigger, array, count * element_size);
	return bigger;
}

void *proto_copy_elements(struct arena *arena, const void *array, size_t count, size_t element_size)
{
	size_t capacity = 1;
	while (capacity < count)
		capacity *= 2;
	void *copy = arena_calloc(arena, capacity, element_size);
	if (count)
		memcpy(copy, array, count * element_size);
	return copy;
}
