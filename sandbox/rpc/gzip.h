/* gzip in both directions, of whole bodies in memory. */
#ifndef SANDBOX_RPC_GZIP_H
#define SANDBOX_RPC_GZIP_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the gzip (or zlib) stream decompressed; ERR_EXHAUSTED past the buffer's maximum, ERR_INVALID when corrupt. */
int gzip_expand(const uint8_t *bytes, size_t length, struct buf *out, struct err *e);

/* For what is sent once, and for what is sent often. */
enum { GZIP_FAST = 1, GZIP_SMALL = 6 };
/* Appends the bytes compressed; -1 when that would be no smaller than they are (and then `out` is as it was). */
int gzip_compress(const void *bytes, size_t length, int level, struct buf *out);

/* Whether an Accept-Encoding names gzip without forbidding it (RFC 9110, 12.5.3). NULL: no. */
bool gzip_is_accepted(const char *accept_encoding);

#endif
