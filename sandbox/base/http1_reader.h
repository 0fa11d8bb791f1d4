/*
 * HTTP/1.1 responses out of a stream of bytes cut anywhere (RFC 9112): heads, bodies by length, in chunks, or to the
 * connection's end. Pure: no I/O. Interim responses (1xx but 101) are passed over. Everything that a peer could make
 * large has a maximum; what breaks the protocol is an error and never a guess.
 */
#ifndef SANDBOX_BASE_HTTP1_READER_H
#define SANDBOX_BASE_HTTP1_READER_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum http1_state {
	HTTP1_HEAD,
	HTTP1_LENGTH,     /* a body of `left` more bytes */
	HTTP1_CHUNK_SIZE, /* the line in front of a chunk */
	HTTP1_CHUNK,      /* `left` more bytes of one */
	HTTP1_CHUNK_END,  /* the line end behind it */
	HTTP1_TRAILER,
	HTTP1_UNTIL_CLOSE,
	HTTP1_DONE,
};

struct http1_reader {
	struct buf *headers; /* gets the status line and headers of the final response, and trailers behind; has a maximum */
	bool without_body;   /* the request was HEAD */
	int (*on_head)(void *context, long status, struct err *e);
	int (*on_data)(void *context, const char *bytes, size_t length, struct err *e);
	void *context;

	enum http1_state state;
	size_t line_start; /* in `headers` */
	uint64_t left;
	unsigned chunk_digits;
	bool chunk_extension; /* behind the size: skipped */
	size_t chunk_line_length;
	long status;
	bool keep_alive;
	bool begun; /* a byte of a response has been seen */
};

/*
 * Takes bytes up to the end of the response and returns how many that were. -1 with `e`: a callback's error,
 * ERR_EXHAUSTED "response-too-large" (head), or ERR_INTERNAL "http-protocol".
 */
ssize_t http1_reader_feed(struct http1_reader *reader, const char *bytes, size_t length, struct err *e);
/* The connection has ended: 0 when that is a response's end, else -1 with ERR_UNAVAILABLE "connection-failed". */
int http1_reader_end(struct http1_reader *reader, struct err *e);

/* A header's value out of raw header lines, case-insensitive, the first one's; copied, cut never: false when absent or too long. */
bool http1_header(const struct buf *headers, const char *name, char *room, size_t size);

#endif
