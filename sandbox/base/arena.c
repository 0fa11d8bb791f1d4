#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)16 * 1024)
#define ALIGNMENT ((size_t)16)

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t used;
	alignas(16) unsigned char bytes[];
};

void arena_release(struct arena *a)
{
	struct arena_block *block = a->blocks;
	while (block) {
		struct arena_block *next = block->next;
		free(block);
		block = next;
	}
	a->blocks = NULL;
	a->used = 0;
}

static void *alloc_within(struct arena *a, size_t size, size_t maximum)
{
	if (size > maximum)
		return NULL;
	size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	struct arena_block *block = a->blocks;
	if (!block || block->size - block->used < size) {
		size_t block_size = size > BLOCK_SIZE / 4 ? size : BLOCK_SIZE;
		if (a->used > maximum || block_size > maximum - a->used + BLOCK_SIZE)
			return NULL;
		struct arena_block *fresh = xmalloc(sizeof(*fresh) + block_size);
		fresh->size = block_size;
		fresh->used = 0;
		a->used += block_size;
		/* A block made for one large thing goes behind the current one, whose rest stays in use. */
		if (block && block_size != BLOCK_SIZE) {
			fresh->next = block->next;
			block->next = fresh;
		} else {
			fresh->next = block;
			a->blocks = fresh;
		}
		block = fresh;
	}
	void *p = block->bytes + block->used;
	block->used += size;
	memset(p, 0, size);
	return p;
}

void *arena_try_alloc(struct arena *a, size_t size)
{
	return alloc_within(a, size, a->maximum);
}

bool arena_is_exhausted(const struct arena *a)
{
	/* try_alloc lets the last block reach a little beyond. */
	return a->used > a->maximum && a->used - a->maximum > BLOCK_SIZE;
}

int arena_check(const struct arena *a, struct err *e)
{
	if (!arena_is_exhausted(a))
		return 0;
	return err_set(e, ERR_EXHAUSTED, "call-too-large", "this takes more than %zu MiB of memory", a->maximum >> 20);
}

void *arena_alloc(struct arena *a, size_t size)
{
	void *p = alloc_within(a, size, a->maximum > SIZE_MAX - ARENA_OVERDRAFT ? SIZE_MAX : a->maximum + ARENA_OVERDRAFT);
	if (!p) {
		fputs("arena: maximum and overdraft exceeded\n", stderr);
		abort();
	}
	return p;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size)
		abort();
	return arena_alloc(a, count * size);
}

void *arena_copy(struct arena *a, const void *bytes, size_t size)
{
	void *p = arena_alloc(a, size);
	if (size)
		memcpy(p, bytes, size);
	return p;
}

char *arena_strndup(struct arena *a, const char *text, size_t length)
{
	size_t n = strnlen(text, length);
	char *copy = arena_alloc(a, n + 1);
	memcpy(copy, text, n);
	return copy;
}

char *arena_strdup(struct arena *a, const char *text)
{
	return arena_strndup(a, text ? text : "", text ? strlen(text) : 0);
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	va_list again;
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		abort();
	char *text = arena_alloc(a, (size_t)length + 1);
	(void)vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}
