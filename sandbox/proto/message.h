/*
 * Protobuf messages in arenas. Every message of a request, an engine round or a compile step is unpacked into, or built in, one arena
 * (base/arena.h) and never freed singly; so messages may share sub-messages and strings freely within that arena's life.
 *
 * Building by hand:
 *	Flyteidl__Core__Identifier *id = proto_new(arena, flyteidl__core__identifier);
 *	id->project = arena_strdup(arena, project);
 * proto_new leaves strings at protobuf_c_empty_string, which is never NULL.
 *
 * Map fields are repeated entry messages with `key` and `value`; see proto_is_map_field.
 */
#ifndef SANDBOX_PROTO_MESSAGE_H
#define SANDBOX_PROTO_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/* How deep messages may nest when they come from outside; protobuf's own libraries use 100. Checked by proto_unpack before parsing. */
#define PROTO_DEPTH_MAXIMUM 100

#define proto_new(arena, prefix) \
	((__typeof__(prefix##__unpack(NULL, 0, NULL)))proto_new_of((arena), &prefix##__descriptor))
ProtobufCMessage *proto_new_of(struct arena *arena, const ProtobufCMessageDescriptor *descriptor);

/* Parses into the arena. ERR_INVALID ("malformed-message") when malformed, nested too deep, or larger than the arena allows. */
#define proto_unpack(arena, prefix, bytes, length, e) \
	((__typeof__(prefix##__unpack(NULL, 0, NULL)))proto_unpack_of((arena), &prefix##__descriptor, (bytes), (length), (e)))
ProtobufCMessage *proto_unpack_of(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, const void *bytes,
				  size_t length, struct err *e);
/*
 * The same for what a client or a task sends: text that is not UTF-8 is ERR_INVALID too, as the protobuf specification asks of a parser. JSON and
 * Postgres could not hold it. So is text with a zero byte, which neither Postgres nor a string in C can hold. What we have stored ourselves must stay readable, therefore it is not asked of everything.
 */
ProtobufCMessage *proto_unpack_strict_of(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, const void *bytes,
					 size_t length, struct err *e);

/* The serialized message, in the arena. */
struct proto_bytes {
	const uint8_t *data;
	size_t length;
};
struct proto_bytes proto_pack(struct arena *arena, const ProtobufCMessage *message);
/* Appends to a bounded buffer; -1 when it does not fit. */
int proto_pack_to_buf(const ProtobufCMessage *message, struct buf *out);
/* A deep copy in another arena. */
#define proto_copy(arena, message) ((__typeof__(message))proto_copy_of((arena), &(message)->base))
ProtobufCMessage *proto_copy_of(struct arena *arena, const ProtobufCMessage *message);

/* True for a map<K,V> field: protobuf-c keeps it as repeated messages named …Entry with the fields key = 1 and value = 2. */
bool proto_is_map_field(const ProtobufCFieldDescriptor *field);

/*
 * Appends `element` to a repeated field held as (count, array) in an arena. Only for arrays that proto_append itself has made from
 * empty: an array that came out of proto_unpack has no room to spare, copy it first with proto_copy_array.
 */
#define proto_append(arena, count, array, element)                                                                       \
	do {                                                                                                             \
		(array) = proto_grow((arena), (array), (count), sizeof(*(array)));                                       \
		(array)[(count)++] = (element);                                                                          \
	} while (0)
/* The array with room for one more element; doubles at powers of two. */
void *proto_grow(struct arena *arena, void *array, size_t count, size_t element_size);

/* An appendable copy of an array of `count` elements. */
#define proto_copy_array(arena, array, count) ((__typeof__(array))proto_copy_elements((arena), (array), (count), sizeof(*(array))))
void *proto_copy_elements(struct arena *arena, const void *array, size_t count, size_t element_size);

/* The FileDescriptorSet of everything generated (a serialized google.protobuf.FileDescriptorSet). */
extern const unsigned char proto_descriptor_set[];
extern const size_t proto_descriptor_set_size;
/* The OpenAPI document of the REST routes: JSON text, NUL-terminated. */
extern const unsigned char proto_openapi[];
extern const size_t proto_openapi_size;

#endif
