/*
 * A growable byte buffer with a mandatory maximum. Adding past the maximum fails, keeps what was there unchanged and is
 * reported by the return value, so that input from outside can never make us grow without bound. `data` is always NUL-terminated
 * behind `length` once anything was added, and is NULL before.
 */
#ifndef SANDBOX_BASE_BUF_H
#define SANDBOX_BASE_BUF_H

#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>

struct buf {
	char *data;
	size_t length;
	size_t capacity;
	size_t maximum; /* bytes, without the terminating NUL */
};

#define BUF_INIT(maximum_bytes) { .maximum = (maximum_bytes) }
#define auto_buf __attribute__((cleanup(buf_release)))

void buf_init(struct buf *b, size_t maximum);
/* Frees the bytes; the buffer may be used again with the same maximum. */
void buf_release(struct buf *b);
/* Length zero, memory kept. */
void buf_clear(struct buf *b);

/* All return 0, or -1 when the maximum would be exceeded. */
int buf_add(struct buf *b, const void *bytes, size_t length);
int buf_add_str(struct buf *b, const char *text);
int buf_add_byte(struct buf *b, char byte);
int buf_add_format(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
int buf_add_vformat(struct buf *b, const char *format, va_list arguments) PRINTF_LIKE(2, 0);
/* Makes room for `length` more bytes and returns where to write them, or NULL; then call buf_commit with what was written. */
char *buf_reserve(struct buf *b, size_t length);
void buf_commit(struct buf *b, size_t length);

/* Drops the first `length` bytes (at most what is there). */
void buf_consume(struct buf *b, size_t length);
/* Shortens to `length` if longer. */
void buf_truncate(struct buf *b, size_t length);
/* Hands the NUL-terminated bytes to the caller ("" when empty) and leaves the buffer empty. Free with free(). */
char *buf_steal(struct buf *b);
/* The text so far, "" when empty. Borrowed. */
const char *buf_text(const struct buf *b);

#endif
