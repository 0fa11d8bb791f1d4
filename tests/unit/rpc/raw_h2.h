/* An HTTP/2 client that does what no library would: frames by hand, one connection, one test thread. Waits end after ten seconds. */
#ifndef TESTS_RPC_RAW_H2_H
#define TESTS_RPC_RAW_H2_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum raw_frame_type {
	RAW_DATA,
	RAW_HEADERS,
	RAW_PRIORITY,
	RAW_RST_STREAM,
	RAW_SETTINGS,
	RAW_PUSH_PROMISE,
	RAW_PING,
	RAW_GOAWAY,
	RAW_WINDOW_UPDATE,
	RAW_CONTINUATION,
};
enum { RAW_END_STREAM = 1, RAW_ACK = 1, RAW_END_HEADERS = 4 };

struct raw_frame {
	uint8_t type, flags;
	uint32_t stream;
	const uint8_t *payload; /* until the next frame is read */
	size_t length;
};

struct raw_h2 {
	int fd;
	struct buf in;
	size_t taken; /* of `in`, by the frame read last */
};

/* Appends a frame of at most 16 KiB. */
void raw_add_frame(struct buf *out, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t length);
/* The frame that the bytes begin with, and its size; 0 when they are not all of one. */
size_t raw_parse_frame(const void *bytes, size_t available, struct raw_frame *ret_frame);
/* Connects; `greet` sends the preface and empty SETTINGS. */
void raw_open(struct raw_h2 *raw, uint16_t port, bool greet);
void raw_close(struct raw_h2 *raw);
/* False when the server has closed or takes nothing for ten seconds. */
bool raw_send(struct raw_h2 *raw, const void *bytes, size_t length);
bool raw_send_frame(struct raw_h2 *raw, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t length);
/* The head of a gRPC call as a header block. `extra` is appended as it is. */
void raw_head(struct buf *out, const char *path, const struct buf *extra);
void raw_add_literal(struct buf *out, const char *name, const char *value, size_t value_length);
bool raw_send_call(struct raw_h2 *raw, uint32_t stream, const char *path, const void *body, size_t length);
/* The next frame; false when the connection ended or nothing came for ten seconds. */
bool raw_read(struct raw_h2 *raw, struct raw_frame *ret_frame);
/* Reads up to a frame of that type on that stream (0: any). */
bool raw_wait(struct raw_h2 *raw, uint8_t type, uint32_t stream, struct raw_frame *ret_frame);
/* Reads to the end of the connection: the error code of the last GOAWAY, -1 when there was none, -2 when it does not end. */
int64_t raw_end(struct raw_h2 *raw);
uint32_t raw_number(const uint8_t bytes[4]);

#endif
