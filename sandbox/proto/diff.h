/*
 * What differs between two messages of one type, in the form in which Flyte reports a registration with a different
 * structure.
 */
#ifndef SANDBOX_PROTO_DIFF_H
#define SANDBOX_PROTO_DIFF_H

#include "proto/message.h"

#define PROTO_DIFF_MAXIMUM ((size_t)8 * 1024)

/*
 * Per differing leaf: "/path/to/field:\n\t- old\n\t+ new\n"; a side that has nothing there is left out of the pair.
 * Path steps are field names in lowerCamelCase, list indices and map keys. At most PROTO_DIFF_MAXIMUM bytes, ended by
 * "… (truncated)" when there was more; "" when the messages mean the same. Canonicalizes both in place. The text is in
 * the arena.
 */
const char *proto_diff(struct arena *arena, ProtobufCMessage *old_message, ProtobufCMessage *new_message);

#endif
