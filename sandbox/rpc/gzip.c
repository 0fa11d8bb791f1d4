#include "rpc/gzip.h"

#include <string.h>
#include <strings.h>
#define ZLIB_CONST
#include <zlib.h>

static void end_inflate(z_stream *stream)
{
	(void)inflateEnd(stream);
}

int gzip_expand(const uint8_t *bytes, size_t length, struct buf *out, struct err *e)
{
	__attribute__((cleanup(end_inflate))) z_stream stream = { 0 };
	/* 15 window bits; +32 accepts the headers of gzip and of zlib. */
	if (inflateInit2(&stream, 15 + 32) != Z_OK)
		return err_set(e, ERR_INTERNAL, "zlib", "cannot start zlib");
	if (length > UINT32_MAX)
		return err_set(e, ERR_EXHAUSTED, "message-too-large", "compressed message of %zu bytes", length);
	stream.next_in = bytes;
	stream.avail_in = (unsigned)length;
	for (int status = Z_OK; status != Z_STREAM_END;) {
		unsigned char piece[16384];
		stream.next_out = piece;
		stream.avail_out = sizeof(piece);
		status = inflate(&stream, Z_NO_FLUSH);
		size_t produced = sizeof(piece) - stream.avail_out;
		if (status != Z_OK && status != Z_STREAM_END)
			return err_set(e, ERR_INVALID, "malformed-gzip", "malformed compressed message: %s",
			               stream.msg ? stream.msg : "it ends early");
		if (buf_add(out, piece, produced) < 0)
			return err_set(e, ERR_EXHAUSTED, "message-too-large",
			               "received message larger than the maximum (%zu bytes) after decompression",
			               out->maximum);
	}
	return 0;
}

static void end_deflate(z_stream *stream)
{
	(void)deflateEnd(stream);
}

int gzip_compress(const void *bytes, size_t length, int level, struct buf *out)
{
	__attribute__((cleanup(end_deflate))) z_stream stream = { 0 };
	/* 15 window bits; +16 writes gzip's header. */
	if (length > UINT32_MAX || deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -1;
	/* One call into a buffer that is a byte too small for no gain. */
	char *room = length ? buf_reserve(out, length) : NULL;
	if (!room)
		return -1;
	stream.next_in = bytes;
	stream.avail_in = (unsigned)length;
	stream.next_out = (unsigned char *)room;
	stream.avail_out = (unsigned)length - 1;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		return -1;
	buf_commit(out, stream.total_out);
	return 0;
}

bool gzip_is_accepted(const char *accept_encoding)
{
	for (const char *cursor = accept_encoding; cursor && *cursor;) {
		cursor += strspn(cursor, " \t,");
		size_t name = strcspn(cursor, " \t,;"), item = strcspn(cursor, ",");
		bool named = name == 4 && strncasecmp(cursor, "gzip", 4) == 0;
		const char *quality = named ? memmem(cursor, item, "q=", 2) : NULL;
		/* Zero is what has no other digit. */
		if (named)
			return !quality || quality + strcspn(quality, "123456789") < cursor + item;
		cursor += item;
	}
	return false;
}
