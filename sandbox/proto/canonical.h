/*
 * One byte form per meaning. Two messages that say the same may differ in the order of their map entries; sorted by key
 * (and a key given twice reduced to its last value), their serialization is equal, since protobuf-c writes fields by
 * number. Registration compares such digests.
 */
#ifndef SANDBOX_PROTO_CANONICAL_H
#define SANDBOX_PROTO_CANONICAL_H

#include "proto/message.h"

#define PROTO_DIGEST_SIZE 32

/* Sorts every map of the message and of its sub-messages, in place. The message keeps its meaning. */
void proto_canonicalize(ProtobufCMessage *message);

/*
 * SHA-256 of the canonical serialization; canonicalizes `message` in place first. `arena` takes nothing when this
 * returns.
 */
void proto_digest(struct arena *arena, ProtobufCMessage *message, uint8_t ret_digest[PROTO_DIGEST_SIZE]);

#endif
