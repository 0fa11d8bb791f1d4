/* However a body is cut into pieces, the same messages come out. */
#include "grpc/frames.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int collect(void *context, const void *bytes, size_t length, struct err *e)
{
	struct buf *seen = context;
	(void)e;
	return buf_add_byte(seen, '|') < 0 || buf_add(seen, bytes, length) < 0 ? -1 : 0;
}

static int read_all(const uint8_t *data, size_t size, size_t piece, struct buf *seen)
{
	auto_err struct err e = ERR_INIT;
	struct grpc_frames frames = GRPC_FRAMES_INIT(1000, collect, seen);
	int outcome = 0;
	for (size_t at = 0; at < size && outcome == 0; at += piece)
		outcome = grpc_frames_read(&frames, (const char *)data + at, size - at < piece ? size - at : piece, &e);
	if (outcome == 0)
		outcome = grpc_frames_end(&frames, &e);
	grpc_frames_release(&frames);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf whole = BUF_INIT((size_t)1 << 20), single = BUF_INIT((size_t)1 << 20);
	if (size > 100000)
		return 0;
	const int first = read_all(data, size, size ? size : 1, &whole);
	const int second = read_all(data, size, 1, &single);
	if (first != second || whole.length != single.length ||
	    (whole.length && memcmp(whole.data, single.data, whole.length) != 0))
		abort();
	return 0;
}
