#include "base/memory.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

_Noreturn void memory_exhausted(void)
{
	static const char text[] = "out of memory\n";
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	abort();
}

void *memory_checked(void *pointer)
{
	if (!pointer)
		memory_exhausted();
	return pointer;
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);
	if (!p)
		memory_exhausted();
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);
	if (!p)
		memory_exhausted();
	return p;
}

void *xreallocarray(void *old, size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size)
		memory_exhausted();
	size_t bytes = count * size;
	void *p = realloc(old, bytes ? bytes : 1);
	if (!p)
		memory_exhausted();
	return p;
}

char *xstrdup(const char *text)
{
	return text ? xstrndup(text, strlen(text)) : NULL;
}

char *xstrndup(const char *text, size_t length)
{
	size_t n = strnlen(text, length);
	char *copy = xmalloc(n + 1);
	memcpy(copy, text, n);
	copy[n] = '\0';
	return copy;
}

char *xvasprintf(const char *format, va_list arguments)
{
	char *text = NULL;
	if (vasprintf(&text, format, arguments) < 0)
		memory_exhausted();
	return text;
}

char *xasprintf(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	char *text = xvasprintf(format, arguments);
	va_end(arguments);
	return text;
}

void cleanup_free(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

void cleanup_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

void cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}
