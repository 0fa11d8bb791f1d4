/* Answers of an HTTP/1.1 peer in pieces; the first byte says of what size. */
#include "base/http1_reader.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_head(void *context, long status, struct err *e)
{
	(void)context;
	(void)e;
	if (status < 100 || status > 999)
		abort();
	return 0;
}

static int on_data(void *context, const char *bytes, size_t length, struct err *e)
{
	size_t *sum = context;
	(void)e;
	for (size_t i = 0; i < length; i++)
		*sum += (unsigned char)bytes[i];
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf headers = BUF_INIT(1024);
	auto_err struct err e = ERR_INIT;
	size_t sum = 0;
	struct http1_reader reader = { .headers = &headers, .on_head = on_head, .on_data = on_data, .context = &sum };
	size_t chunk = size ? (size_t)data[0] + 1 : 1;
	for (size_t at = 1; at < size && reader.state != HTTP1_DONE; at += chunk) {
		if (http1_reader_feed(&reader, (const char *)data + at, size - at < chunk ? size - at : chunk, &e) < 0)
			return 0;
	}
	(void)http1_reader_end(&reader, &e);
	return 0;
}
