/* The first byte says how the rest is cut; whatever comes, the output is no longer than the input and equal for every
 * cut. */
#include "docker/demux.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct total {
	size_t bytes;
	uint64_t hash;
};

static int count(void *context, enum docker_stream stream, const char *bytes, size_t length, struct err *e)
{
	struct total *total = context;
	(void)e;
	for (size_t i = 0; i < length; i++)
		total->hash = (total->hash ^ (unsigned char)bytes[i] ^ (uint64_t)stream << 8) * UINT64_C(0x100000001b3);
	total->bytes += length;
	return 0;
}

static struct total run(const uint8_t *data, size_t size, size_t chunk)
{
	struct total total = { .bytes = 0 };
	struct demux demux = DEMUX_INIT;
	const struct docker_sink sink = { count, &total };
	auto_err struct err e = ERR_INIT;
	for (size_t at = 0; at < size; at += chunk) {
		size_t length = size - at < chunk ? size - at : chunk;
		if (demux_feed(&demux, (const char *)data + at, length, &sink, &e) < 0)
			break;
	}
	(void)demux_end(&demux, &e);
	return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct total whole = run(data + 1, size - 1, size);
	struct total cut = run(data + 1, size - 1, (size_t)data[0] + 1);
	if (whole.bytes != cut.bytes || whole.hash != cut.hash || whole.bytes > size)
		abort();
	return 0;
}
