/* The files inside proto_descriptor_set, without unpacking what nobody asked for. */
#ifndef SANDBOX_RPC_DESCRIPTORS_H
#define SANDBOX_RPC_DESCRIPTORS_H

#include "proto/message.h"

#include <google/protobuf/descriptor.pb-c.h>

/*
 * Calls `visit` with the serialized bytes of each FileDescriptorProto, which live as long as the program; stops at the
 * first < 0.
 */
int descriptors_each(int (*visit)(void *context, struct proto_bytes file, struct err *e), void *context, struct err *e);

/* The unpacked form, in the arena. */
Google__Protobuf__FileDescriptorProto *descriptors_unpack(struct arena *arena, struct proto_bytes file, struct err *e);

#endif
