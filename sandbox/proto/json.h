/*
 * The proto3 JSON mapping (https://protobuf.dev/programming-guides/json/) over protobuf-c's descriptors. The parser
 * reads straight from the text into the arena, with no document in between, so that the arena's maximum bounds what
 * hostile input can cost.
 */
#ifndef SANDBOX_PROTO_JSON_H
#define SANDBOX_PROTO_JSON_H

#include "proto/message.h"

enum {
	PROTO_JSON_CAMEL_CASE = 1 << 0, /* lowerCamelCase names instead of the .proto file's own */
	PROTO_JSON_OMIT_DEFAULTS =
	        1 << 1, /* leave out unset fields; otherwise zero values, [] and {} and null (messages) are printed */
	PROTO_JSON_ENUM_NUMBERS = 1 << 3,   /* printer: enums by number, as Go's own encoder has them */
	PROTO_JSON_IGNORE_UNKNOWN = 1 << 2, /* parser: skip fields that the message does not have */
};

/*
 * Appends the message as JSON. Enums by name (number when unknown), 64-bit integers as strings, bytes in base64,
 * Timestamp, Duration, Struct, Value, ListValue and the wrappers in their own forms; an Any as {"@type": …, "value":
 * <base64 of its bytes>}, because types are not looked up here. -1 with ERR_EXHAUSTED when `out` is full, ERR_INVALID
 * for what has no JSON form (a Timestamp out of range).
 */
int proto_json_print(const ProtobufCMessage *message, unsigned flags, struct buf *out, struct err *e);

/* Appends text as a JSON string, quotes included; what is not UTF-8 becomes U+FFFD. -1 when the buffer is full. */
int proto_json_add_string(struct buf *out, const char *text, size_t length);

/*
 * Parses into the arena; NULL with ERR_INVALID ("malformed-json") naming the place, e.g. `at "spec.template.retries":
 * expected a number`. Accepts lowerCamelCase and original names, null as unset, numbers as strings, enum names and
 * numbers. Nesting deeper than PROTO_DEPTH_MAXIMUM, duplicate members of a oneof and text behind the value are errors.
 * Empty text is an error.
 */
#define proto_json_parse(arena, prefix, text, length, flags, e)                                                        \
	((__typeof__(prefix##__unpack(NULL, 0, NULL)))proto_json_parse_of((arena), &prefix##__descriptor, (text),      \
	                                                                  (length), (flags), (e)))
ProtobufCMessage *proto_json_parse_of(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
                                      const char *text, size_t length, unsigned flags, struct err *e);
/* The same into a message that is already there: fields in the text replace or add to what it has. 0 or -1. */
int proto_json_merge(struct arena *arena, ProtobufCMessage *message, const char *text, size_t length, unsigned flags,
                     struct err *e);

/*
 * Sets one field from text as it comes in a URL: `path` is a dotted field path (either spelling), the last one a
 * scalar, an enum, bytes (base64), a Timestamp, Duration or wrapper; a repeated last field gets the value appended.
 * ERR_NOT_FOUND when the path names no field, ERR_INVALID when the value does not fit.
 */
int proto_set_from_text(struct arena *arena, ProtobufCMessage *message, const char *path, const char *value,
                        struct err *e);

/*
 * The message at a dotted field path, made where it is not there yet. NULL with ERR_NOT_FOUND when the path names no
 * singular message.
 */
ProtobufCMessage *proto_submessage(struct arena *arena, ProtobufCMessage *message, const char *path, struct err *e);

#endif
