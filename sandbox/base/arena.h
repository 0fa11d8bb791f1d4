/*
 * Memory that is freed all at once. A request, an engine round, a compile step each own one arena; everything that they build —
 * strings, protobuf messages, arrays — lives in it and is never freed singly. The maximum bounds what one request can cost:
 *
 * - arena_try_alloc gives nothing beyond it. So do the protobuf parser, which calls that a parse failure, and everything that copies at once what may be as
 *   large as the request.
 * - The others, which build small things, always give, because code that looked at each of them would be nothing else: past the maximum the
 *   arena is exhausted. A loop whose turns the request decides on asks arena_check once a turn and gives up, an error of that request. The overdraft is for
 *   what is built between two such questions; a turn's cost is bounded by the request, so that it is not reached (docs/decisions/0004-memory.md). The process
 *   ends there.
 *
 * An arena belongs to one thread at a time.
 */
#ifndef SANDBOX_BASE_ARENA_H
#define SANDBOX_BASE_ARENA_H

#include "base/err.h"
#include "base/memory.h"

#include <stdbool.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used;    /* bytes handed out or reserved in blocks */
	size_t maximum; /* bytes */
};

#define ARENA_OVERDRAFT ((size_t)1 << 30)
#define ARENA_INIT(maximum_bytes) { .maximum = (maximum_bytes) }
#define auto_arena __attribute__((cleanup(arena_release)))

void arena_release(struct arena *a);

/* Zeroed, 16-byte aligned. NULL only when the maximum would be exceeded. */
void *arena_try_alloc(struct arena *a, size_t size);
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));
void *arena_calloc(struct arena *a, size_t count, size_t size) __attribute__((returns_nonnull));
#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, count) ((type *)arena_calloc((a), (count), sizeof(type)))
void *arena_copy(struct arena *a, const void *bytes, size_t size) __attribute__((returns_nonnull));
/* -1 with ERR_EXHAUSTED ("call-too-large") when the maximum has been passed. */
bool arena_is_exhausted(const struct arena *a);
int arena_check(const struct arena *a, struct err *e);
/* NULL gives "". protobuf-c strings are never NULL. */
char *arena_strdup(struct arena *a, const char *text) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *text, size_t length) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3) __attribute__((returns_nonnull));

#endif
