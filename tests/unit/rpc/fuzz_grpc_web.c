/*
 * What a client sends in frames: the text form of gRPC-Web, message frames, compressed messages, grpc-timeout, origins. The first byte
 * chooses; the rest is the input.
 */
#include "base/text.h"
#include "rpc/exchange.h"
#include "rpc/gzip.h"
#include "rpc/origin.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAXIMUM ((size_t)64 * 1024)

static void decode_text(const uint8_t *data, size_t size)
{
	auto_buf struct buf out = BUF_INIT(MAXIMUM);
	auto_err struct err e = ERR_INIT;
	if (grpc_web_decode_text((const char *)data, size, &out, &e) < 0 && e.kind != ERR_INVALID && e.kind != ERR_EXHAUSTED)
		abort();
	if (out.length > size)
		abort();
}

static void read_frames(const uint8_t *data, size_t size)
{
	struct grpc_frame frame;
	auto_err struct err e = ERR_INIT;
	while (grpc_frame_read(data, size, MAXIMUM, &frame, &e) > 0) {
		if (frame.size > size || frame.payload_length > MAXIMUM)
			abort();
		data += frame.size;
		size -= frame.size;
	}
}

static void expand(const uint8_t *data, size_t size)
{
	auto_buf struct buf out = BUF_INIT(MAXIMUM), packed = BUF_INIT(2 * MAXIMUM), again = BUF_INIT(MAXIMUM);
	auto_err struct err e = ERR_INIT;
	if (gzip_expand(data, size, &out, &e) < 0 || gzip_compress(out.data, out.length, GZIP_FAST, &packed) < 0)
		return;
	if (gzip_expand((const uint8_t *)packed.data, packed.length, &again, &e) < 0 || again.length != out.length ||
	    memcmp(again.data, out.data, out.length) != 0)
		abort();
}

/* An answer of any kind, dressed for a client that sent these headers. */
static void finish(const uint8_t *data, size_t size)
{
	auto_free char *text = xstrndup((const char *)data, size);
	struct rpc_response response = { 0 };
	rpc_response_set_error(&response, true, GRPC_INTERNAL, text, NULL);
	grpc_web_finish(&response, size % 2 ? GRPC_WEB_TEXT : GRPC_WEB_BINARY);
	if (!response.body.length)
		abort();
	rpc_response_release(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	auto_free char *text = xstrndup((const char *)data + 1, size - 1);
	int64_t ignored;
	const char *subtype;
	switch (data[0] % 5) {
	case 0:
		decode_text(data + 1, size - 1);
		break;
	case 1:
		read_frames(data + 1, size - 1);
		break;
	case 2:
		expand(data + 1, size - 1);
		break;
	case 3:
		finish(data + 1, size - 1);
		break;
	default:
		(void)grpc_parse_timeout(text, &ignored);
		(void)grpc_web_form_of(text, &subtype);
		(void)gzip_is_accepted(text);
		(void)rpc_origin_is_allowed(text, "localhost:30080");
	}
	return 0;
}
