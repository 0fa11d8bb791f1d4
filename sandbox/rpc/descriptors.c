#include "rpc/descriptors.h"

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

int descriptors_each(int (*visit)(void *context, struct proto_bytes file, struct err *e), void *context, struct err *e)
{
	const uint8_t *cursor = proto_descriptor_set, *end = cursor + proto_descriptor_set_size;
	while (cursor < end) {
		uint64_t tag, length;
		/* FileDescriptorSet has one field: repeated FileDescriptorProto file = 1. */
		if (!read_varint(&cursor, end, &tag) || tag != (1 << 3 | 2) || !read_varint(&cursor, end, &length) ||
		    length > (uint64_t)(end - cursor))
			return err_set(e, ERR_INTERNAL, NULL, "the built-in descriptor set is damaged");
		if (visit(context, (struct proto_bytes){ .data = cursor, .length = (size_t)length }, e) < 0)
			return -1;
		cursor += length;
	}
	return 0;
}

Google__Protobuf__FileDescriptorProto *descriptors_unpack(struct arena *arena, struct proto_bytes file, struct err *e)
{
	return proto_unpack(arena, google__protobuf__file_descriptor_proto, file.data, file.length, e);
}
