/*
 * The parts of gRPC over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md) that are pure
 * functions: status codes, message frames, grpc-timeout, and the encoding of a status into trailers that no client
 * refuses for their size.
 */
#ifndef SANDBOX_RPC_GRPC_H
#define SANDBOX_RPC_GRPC_H

#include "base/buf.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

enum grpc_code {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2, /* never sent by us; a handler may ask for it */
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_UNAUTHENTICATED = 16,
	GRPC_CODE_COUNT,
};

/* "OK", "NOT_FOUND" …; NULL for a number that is none of the above. */
const char *grpc_code_name(unsigned code);
/* By the table in rpc/call.h; never UNKNOWN. */
enum grpc_code grpc_code_of(enum err_kind kind);
/* As grpc-gateway maps codes: 3 and 9 and 11 -> 400, 4 -> 504, 5 -> 404, 6 and 10 -> 409 … */
int grpc_http_status(enum grpc_code code);

#define GRPC_FRAME_HEADER_SIZE 5
/* grpc-message and grpc-status-details-bin together, encoded: Python clients refuse more than 32 KiB of metadata. */
#define GRPC_STATUS_MAXIMUM ((size_t)24 * 1024)

/*
 * The frame at the start of `bytes`. 1: complete, payload in ret_payload and its whole length (header included) in
 * ret_size; 0: more bytes are needed; -1 with `e` set: longer than `maximum`, or an unknown flag.
 */
struct grpc_frame {
	bool compressed;
	const uint8_t *payload;
	size_t payload_length;
	size_t size;
};
int grpc_frame_read(const void *bytes, size_t length, size_t maximum, struct grpc_frame *ret_frame, struct err *e);
void grpc_frame_write_header(uint8_t header[GRPC_FRAME_HEADER_SIZE], size_t payload_length);

/* "100m" and the like to milliseconds, rounded up; false when malformed (more than 8 digits, unknown unit). */
bool grpc_parse_timeout(const char *text, int64_t *ret_ms);

/*
 * Percent-encodes a grpc-message into at most `maximum` bytes. What is longer ends in "… (truncated)", never inside a
 * UTF-8 sequence. Bytes that are not UTF-8 become U+FFFD.
 */
void grpc_encode_message(const char *message, size_t maximum, struct buf *out);

/* Appends a google.rpc.Status; its message is cut to what a quarter of the buffer takes, `detail` may be NULL and is left out if it does not fit. */
void grpc_pack_status(enum grpc_code code, const char *message, const ProtobufCMessage *detail, struct buf *out);

/*
 * Appends a google.rpc.Status with `detail` packed into an Any, in base64 without padding, as grpc-status-details-bin
 * wants it; its message is shortened where needed, and nothing is appended when `detail` alone does not fit into
 * `maximum`.
 */
void grpc_encode_details(enum grpc_code code, const char *message, const ProtobufCMessage *detail, size_t maximum,
                         struct buf *out);

#endif
