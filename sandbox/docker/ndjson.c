#include "docker/ndjson.h"

#include <string.h>

void ndjson_release(struct ndjson *stream)
{
	buf_release(&stream->line);
}

int ndjson_end(struct ndjson *stream, struct err *e)
{
	const char *text = buf_text(&stream->line);
	if (text[strspn(text, " \t\r")] == '\0' && strlen(text) == stream->line.length)
		return 0;
	auto_json json_t *value = json_parse(text, stream->line.length, stream->subject, e);
	if (!value)
		return -1;
	buf_clear(&stream->line);
	return stream->on_value(stream->context, value, e);
}

int ndjson_feed(struct ndjson *stream, const char *bytes, size_t length, struct err *e)
{
	while (length) {
		const char *newline = memchr(bytes, '\n', length);
		size_t part = newline ? (size_t)(newline - bytes) : length;
		if (buf_add(&stream->line, bytes, part) < 0)
			return err_set(e, ERR_EXHAUSTED, "line-too-long", "%s has a line longer than %zu bytes",
			               stream->subject, stream->line.maximum);
		if (!newline)
			return 0;
		if (ndjson_end(stream, e) < 0)
			return -1;
		buf_clear(&stream->line);
		bytes += part + 1;
		length -= part + 1;
	}
	return 0;
}
