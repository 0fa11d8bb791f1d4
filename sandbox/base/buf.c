#include "base/buf.h"

#include <string.h>

void buf_init(struct buf *b, size_t maximum)
{
	*b = (struct buf)BUF_INIT(maximum);
}

void buf_release(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->length = 0;
	b->capacity = 0;
}

void buf_clear(struct buf *b)
{
	b->length = 0;
	if (b->data)
		b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t length)
{
	if (length > b->maximum || b->length > b->maximum - length)
		return NULL;
	size_t needed = b->length + length + 1;
	if (needed > b->capacity) {
		size_t capacity = b->capacity ? b->capacity : 64;
		while (capacity < needed)
			capacity += capacity / 2 + 1;
		if (capacity > b->maximum + 1)
			capacity = b->maximum + 1;
		b->data = xreallocarray(b->data, capacity, 1);
		b->capacity = capacity;
	}
	return b->data + b->length;
}

void buf_commit(struct buf *b, size_t length)
{
	b->length += length;
	b->data[b->length] = '\0';
}

int buf_add(struct buf *b, const void *bytes, size_t length)
{
	char *room = buf_reserve(b, length);
	if (!room)
		return -1;
	if (length)
		memcpy(room, bytes, length);
	buf_commit(b, length);
	return 0;
}

int buf_add_str(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

int buf_add_byte(struct buf *b, char byte)
{
	return buf_add(b, &byte, 1);
}

int buf_add_vformat(struct buf *b, const char *format, va_list arguments)
{
	va_list again;
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		return -1;
	char *room = buf_reserve(b, (size_t)length);
	if (!room)
		return -1;
	(void)vsnprintf(room, (size_t)length + 1, format, arguments);
	buf_commit(b, (size_t)length);
	return 0;
}

int buf_add_format(struct buf *b, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int result = buf_add_vformat(b, format, arguments);
	va_end(arguments);
	return result;
}

void buf_consume(struct buf *b, size_t length)
{
	if (length >= b->length) {
		buf_clear(b);
		return;
	}
	memmove(b->data, b->data + length, b->length - length);
	b->length -= length;
	b->data[b->length] = '\0';
}

void buf_truncate(struct buf *b, size_t length)
{
	if (length >= b->length)
		return;
	b->length = length;
	b->data[length] = '\0';
}

char *buf_steal(struct buf *b)
{
	char *data = b->data ? b->data : xstrdup("");
	b->data = NULL;
	b->length = 0;
	b->capacity = 0;
	return data;
}

const char *buf_text(const struct buf *b)
{
	return b->data ? b->data : "";
}
