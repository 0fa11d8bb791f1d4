/*
 * The body of a gRPC call: messages, each behind one byte that tells whether it is compressed and four of its length
 * (gRPC over HTTP/2, "Length-Prefixed-Message"). Pure.
 */
#ifndef SANDBOX_GRPC_FRAMES_H
#define SANDBOX_GRPC_FRAMES_H

#include "base/buf.h"
#include "base/err.h"
#include "proto/message.h"

/* Appends the message; -1 when it does not fit. */
int grpc_frame_add(struct buf *out, const ProtobufCMessage *message);

/* Takes a body apart as it comes. */
struct grpc_frames {
	size_t maximum; /* bytes of one message */
	struct buf pending;
	int (*on_message)(void *context, const void *bytes, size_t length, struct err *e);
	void *context;
};
#define GRPC_FRAMES_INIT(message_maximum, function, argument)                                                          \
	{                                                                                                              \
		.maximum = (message_maximum), .pending = BUF_INIT((message_maximum) + 65536 + 5),                      \
		.on_message = (function), .context = (argument)                                                        \
	}
void grpc_frames_release(struct grpc_frames *frames);

/* ERR_EXHAUSTED for a message that is too long, ERR_UNSUPPORTED for a compressed one, else what on_message says. */
int grpc_frames_read(struct grpc_frames *frames, const char *bytes, size_t length, struct err *e);
/* At the end of the body: ERR_INTERNAL when it ends within a message. */
int grpc_frames_end(const struct grpc_frames *frames, struct err *e);

#endif
