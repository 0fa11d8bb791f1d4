/*
 * Memory that is always there. An allocation of ours that fails ends the process: what we allocate without asking is small and
 * bounded, every byte that matters is in Postgres or on disk, and a supervisor starts us again. Anything whose size
 * somebody else decides goes through `struct buf` (base/buf.h) or `struct arena` (base/arena.h), which have a maximum and return an
 * error instead. See docs/decisions/0004-memory.md.
 *
 * Locals clean up after themselves: declare them with auto_free, auto_fd … and hand the value on with steal_ptr / steal_fd.
 */
#ifndef SANDBOX_BASE_MEMORY_H
#define SANDBOX_BASE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define PRINTF_LIKE(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1, 2)));
/* Array growth; `count * size` is checked for overflow. */
void *xreallocarray(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
/* NULL gives NULL. */
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length) __attribute__((returns_nonnull));
char *xasprintf(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((returns_nonnull));
char *xvasprintf(const char *format, va_list arguments) PRINTF_LIKE(1, 0) __attribute__((returns_nonnull));

/* The end of a process that gets no memory: "out of memory" on stderr, and abort(). */
_Noreturn void memory_exhausted(void);
/* What a library has made for us and gives NULL for only when there is no memory. */
void *memory_checked(void *pointer) __attribute__((returns_nonnull));

/* Cleanup attributes: each takes a pointer to the local and accepts the empty value. */
void cleanup_free(void *pointer_to_pointer);
void cleanup_fd(const int *fd);
void cleanup_file(FILE **file);

#define auto_free __attribute__((cleanup(cleanup_free)))
#define auto_fd __attribute__((cleanup(cleanup_fd)))
#define auto_file __attribute__((cleanup(cleanup_file)))

static inline void *steal_ptr_impl(void *pointer_to_pointer)
{
	void **p = pointer_to_pointer;
	void *value = *p;
	*p = NULL;
	return value;
}
#define steal_ptr(p) ((__typeof__(p))steal_ptr_impl(&(p)))

static inline int steal_fd(int *fd)
{
	int value = *fd;
	*fd = -1;
	return value;
}

#endif
