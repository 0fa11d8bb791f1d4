/*
 * Scalar values and their text, as proto3 JSON writes them inside of quotes and URLs write them without: numbers,
 * booleans, enums, base64, and the text forms of Timestamp and Duration.
 */
#ifndef SANDBOX_PROTO_SCALAR_H
#define SANDBOX_PROTO_SCALAR_H

#include "proto/message.h"

#define PROTO_NUMBER_SIZE 40

/*
 * Writes the value of a non-message field from text into `value`. Text and bytes go to the arena. Errors say what was
 * expected
 * ("expected an integer between …, got …").
 */
int proto_scalar_from_text(struct arena *arena, const ProtobufCFieldDescriptor *field, const char *text, void *value,
                           struct err *e);
/* For messages with a text form of their own: Timestamp, Duration. */
int proto_timestamp_from_text(const char *text, int64_t *ret_seconds, int32_t *ret_nanos, struct err *e);
int proto_duration_from_text(const char *text, int64_t *ret_seconds, int32_t *ret_nanos, struct err *e);
/* Both return -1 when out of the range that has a text. */
int proto_timestamp_to_text(int64_t seconds, int32_t nanos, char room[PROTO_NUMBER_SIZE]);
int proto_duration_to_text(int64_t seconds, int32_t nanos, char room[PROTO_NUMBER_SIZE]);

/* The shortest decimal that reads back as the same number; "NaN", "Infinity", "-Infinity". */
void proto_double_to_text(double number, char room[PROTO_NUMBER_SIZE]);
void proto_float_to_text(float number, char room[PROTO_NUMBER_SIZE]);

/*
 * A scalar number, boolean or enum as text without quotes: what diff and map keys show. False for text, bytes and
 * messages.
 */
bool proto_scalar_to_text(const ProtobufCFieldDescriptor *field, const void *value, char room[PROTO_NUMBER_SIZE]);
/* The enum value's name, or NULL. */
const char *proto_enum_name(const ProtobufCFieldDescriptor *field, const void *value);

int proto_base64_encode(const void *bytes, size_t length, struct buf *out);

/* google.protobuf.{Bool,String,Bytes,Int32,…}Value. */
bool proto_is_wrapper(const ProtobufCMessageDescriptor *descriptor);

/* Length of the UTF-8 sequence at `text`, of at most `length` bytes; 0 when it is none. */
size_t proto_utf8_sequence(const char *text, size_t length);

#endif
