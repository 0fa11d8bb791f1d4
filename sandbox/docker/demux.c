#include "docker/demux.h"

#include "base/buf.h"

#include <string.h>

enum { STREAM_STDIN = 0, STREAM_SYSTEM_ERROR = 3 };

static int start_frame(struct demux *demux, struct err *e)
{
	const unsigned char *header = demux->header;
	size_t length = (size_t)header[4] << 24 | (size_t)header[5] << 16 | (size_t)header[6] << 8 | header[7];
	if (header[0] > STREAM_SYSTEM_ERROR || header[1] || header[2] || header[3])
		return err_set(e, ERR_INTERNAL, "docker-stream", "the engine's output stream has a malformed frame");
	if (length > DEMUX_FRAME_MAXIMUM)
		return err_set(e, ERR_INTERNAL, "docker-stream",
		               "the engine's output stream announces a frame of %zu bytes", length);
	demux->remaining = length;
	demux->header_length = 0;
	demux->error_length = 0;
	return 0;
}

static int take_header(struct demux *demux, const char **bytes, size_t *length, struct err *e)
{
	while (*length && demux->header_length < sizeof(demux->header)) {
		demux->header[demux->header_length++] = (unsigned char)**bytes;
		(*bytes)++;
		(*length)--;
	}
	return demux->header_length == sizeof(demux->header) ? start_frame(demux, e) : 0;
}

static int take_error(struct demux *demux, const char *bytes, size_t length, struct err *e)
{
	size_t room = sizeof(demux->error) - demux->error_length;
	size_t taken = length < room ? length : room;
	memcpy(demux->error + demux->error_length, bytes, taken);
	demux->error_length += taken;
	if (demux->remaining)
		return 0;
	return err_set(e, ERR_INTERNAL, "docker-stream", "the engine broke off the output: %.*s",
	               (int)demux->error_length, demux->error);
}

static int take_payload(struct demux *demux, const char **bytes, size_t *length, const struct docker_sink *sink,
                        struct err *e)
{
	size_t taken = *length < demux->remaining ? *length : demux->remaining;
	const char *payload = *bytes;
	*bytes += taken;
	*length -= taken;
	demux->remaining -= taken;
	if (demux->header[0] == STREAM_SYSTEM_ERROR)
		return take_error(demux, payload, taken, e);
	enum docker_stream stream = demux->header[0] == DOCKER_STDERR ? DOCKER_STDERR : DOCKER_STDOUT;
	return sink->on_output(sink->context, stream, payload, taken, e);
}

int demux_feed(struct demux *demux, const char *bytes, size_t length, const struct docker_sink *sink, struct err *e)
{
	if (demux->raw)
		return length ? sink->on_output(sink->context, DOCKER_STDOUT, bytes, length, e) : 0;
	while (length) {
		int outcome = demux->remaining ? take_payload(demux, &bytes, &length, sink, e)
		                               : take_header(demux, &bytes, &length, e);
		if (outcome < 0)
			return -1;
	}
	return 0;
}

int demux_end(const struct demux *demux, struct err *e)
{
	if (demux->remaining || demux->header_length)
		return err_set(e, ERR_INTERNAL, "docker-stream", "the engine's output stream ends within a frame");
	return 0;
}

int docker_keep_tail(void *context, enum docker_stream stream, const char *bytes, size_t length, struct err *e)
{
	(void)stream;
	(void)e;
	struct buf *text = context;
	if (length > text->maximum)
		return 0;
	if (text->length + length > text->maximum)
		buf_consume(text, text->length + length - text->maximum);
	return buf_add(text, bytes, length);
}
