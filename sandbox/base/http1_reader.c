#include "base/http1_reader.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

#define CHUNK_DIGITS_MAXIMUM 15
#define CHUNK_LINE_MAXIMUM 4096

static int broken(struct err *e, const char *what)
{
	return err_set(e, ERR_INTERNAL, "http-protocol", "the peer's answer breaks HTTP: %s", what);
}

bool http1_header(const struct buf *headers, const char *name, char *room, size_t size)
{
	size_t name_length = strlen(name);
	for (const char *line = buf_text(headers); *line;) {
		size_t length = strcspn(line, "\r\n");
		if (length > name_length && line[name_length] == ':' && strncasecmp(line, name, name_length) == 0) {
			const char *value = line + name_length + 1;
			value += strspn(value, " \t");
			size_t value_length = value < line + length ? (size_t)(line + length - value) : 0;
			if (value_length >= size)
				return false;
			memcpy(room, value, value_length);
			room[value_length] = '\0';
			return true;
		}
		line += length;
		line += strspn(line, "\r\n");
	}
	return false;
}

/* "HTTP/1.1 200 OK" */
static bool parse_status_line(struct http1_reader *reader)
{
	const char *line = buf_text(reader->headers);
	if (!text_starts_with(line, "HTTP/1.") || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
		return false;
	long status = 0;
	for (int i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return false;
		status = status * 10 + (line[i] - '0');
	}
	reader->status = status;
	reader->keep_alive = line[7] == '1';
	return status >= 100;
}

static int choose_body(struct http1_reader *reader, struct err *e)
{
	char value[64];
	if (http1_header(reader->headers, "Connection", value, sizeof(value)))
		reader->keep_alive = strcasecmp(value, "close") != 0 &&
		                     (reader->keep_alive || strcasecmp(value, "keep-alive") == 0);
	if (reader->without_body || reader->status == 101 || reader->status == 204 || reader->status == 304) {
		reader->state = HTTP1_DONE;
	} else if (http1_header(reader->headers, "Transfer-Encoding", value, sizeof(value))) {
		if (strcasecmp(value, "chunked") != 0)
			return broken(e, "it has a transfer encoding that nobody asked for");
		reader->state = HTTP1_CHUNK_SIZE;
	} else if (http1_header(reader->headers, "Content-Length", value, sizeof(value))) {
		if (!text_to_uint64(value, INT64_MAX, &reader->left))
			return broken(e, "its Content-Length is no number");
		reader->state = reader->left ? HTTP1_LENGTH : HTTP1_DONE;
	} else {
		reader->keep_alive = false;
		reader->state = HTTP1_UNTIL_CLOSE;
	}
	return 0;
}

static int end_of_head(struct http1_reader *reader, struct err *e)
{
	if (!parse_status_line(reader))
		return broken(e, "it does not begin with a status line");
	reader->line_start = 0;
	if (reader->status < 200 && reader->status != 101) {
		buf_clear(reader->headers);
		return 0;
	}
	if (choose_body(reader, e) < 0)
		return -1;
	reader->line_start = reader->headers->length;
	return reader->on_head(reader->context, reader->status, e);
}

/* Header and trailer lines; what they are kept in is what they are read from. Returns the bytes taken. */
static ssize_t take_line(struct http1_reader *reader, const char *bytes, size_t length, struct err *e)
{
	const char *end = memchr(bytes, '\n', length);
	size_t taken = end ? (size_t)(end - bytes) + 1 : length;
	/* A NUL would end the text for whoever reads the headers. */
	if (memchr(bytes, '\0', taken))
		return broken(e, "its head holds a zero byte");
	if (buf_add(reader->headers, bytes, taken) < 0)
		return err_set(e, ERR_EXHAUSTED, "response-too-large", "the answer's head is larger than %zu bytes",
		               reader->headers->maximum);
	if (!end)
		return (ssize_t)taken;
	const char *line = reader->headers->data + reader->line_start;
	bool empty = line[0] == '\n' || (line[0] == '\r' && line[1] == '\n');
	bool first = reader->state == HTTP1_HEAD && reader->line_start == 0;
	reader->line_start = reader->headers->length;
	if (!empty || first)
		return first && empty ? broken(e, "it begins with an empty line") : (ssize_t)taken;
	if (reader->state == HTTP1_TRAILER)
		reader->state = HTTP1_DONE;
	else if (end_of_head(reader, e) < 0)
		return -1;
	return (ssize_t)taken;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_chunk_size(struct http1_reader *reader, char c, struct err *e)
{
	if (++reader->chunk_line_length > CHUNK_LINE_MAXIMUM)
		return broken(e, "a chunk's size line has no end");
	if (c == '\n') {
		if (!reader->chunk_digits)
			return broken(e, "a chunk has no size");
		reader->state = reader->left ? HTTP1_CHUNK : HTTP1_TRAILER;
		reader->line_start = reader->headers->length;
		reader->chunk_digits = 0;
		reader->chunk_extension = false;
		reader->chunk_line_length = 0;
		return 0;
	}
	if (reader->chunk_extension)
		return 0;
	int digit = hex_value(c);
	if (digit < 0) {
		if (c != ';' && c != '\r' && c != ' ' && c != '\t')
			return broken(e, "a chunk's size is no number");
		reader->chunk_extension = true;
		return 0;
	}
	if (++reader->chunk_digits > CHUNK_DIGITS_MAXIMUM)
		return broken(e, "a chunk is too large");
	reader->left = reader->left * 16 + (uint64_t)digit;
	return 0;
}

static ssize_t take_data(struct http1_reader *reader, const char *bytes, size_t length, struct err *e)
{
	bool counted = reader->state != HTTP1_UNTIL_CLOSE;
	size_t taken = counted && reader->left < length ? (size_t)reader->left : length;
	if (reader->on_data(reader->context, bytes, taken, e) < 0)
		return -1;
	if (counted)
		reader->left -= taken;
	if (counted && !reader->left)
		reader->state = reader->state == HTTP1_CHUNK ? HTTP1_CHUNK_END : HTTP1_DONE;
	return (ssize_t)taken;
}

static ssize_t take(struct http1_reader *reader, const char *bytes, size_t length, struct err *e)
{
	switch (reader->state) {
	case HTTP1_HEAD:
	case HTTP1_TRAILER:
		return take_line(reader, bytes, length, e);
	case HTTP1_CHUNK_SIZE:
		return take_chunk_size(reader, *bytes, e) < 0 ? -1 : 1;
	case HTTP1_CHUNK_END:
		if (*bytes == '\n')
			reader->state = HTTP1_CHUNK_SIZE;
		else if (*bytes != '\r')
			return broken(e, "a chunk is longer than its size");
		return 1;
	case HTTP1_LENGTH:
	case HTTP1_CHUNK:
	case HTTP1_UNTIL_CLOSE:
		return take_data(reader, bytes, length, e);
	case HTTP1_DONE:
		break;
	}
	return 0;
}

ssize_t http1_reader_feed(struct http1_reader *reader, const char *bytes, size_t length, struct err *e)
{
	size_t at = 0;
	reader->begun = reader->begun || length > 0;
	while (at < length && reader->state != HTTP1_DONE) {
		ssize_t taken = take(reader, bytes + at, length - at, e);
		if (taken < 0)
			return -1;
		at += (size_t)taken;
	}
	return (ssize_t)at;
}

int http1_reader_end(struct http1_reader *reader, struct err *e)
{
	if (reader->state == HTTP1_DONE)
		return 0;
	if (reader->state == HTTP1_UNTIL_CLOSE) {
		reader->state = HTTP1_DONE;
		return 0;
	}
	return err_set(e, ERR_UNAVAILABLE, "connection-failed", "the peer closed the connection %s",
	               reader->begun ? "in the middle of its answer" : "without an answer");
}
