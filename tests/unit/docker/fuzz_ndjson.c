/* Lines of JSON in pieces. */
#include "docker/ndjson.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int look(void *context, const json_t *value, struct err *e)
{
	(void)context;
	(void)e;
	(void)json_string_at(value, "errorDetail/message", "");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_ndjson struct ndjson lines = NDJSON_INIT("fuzz", look, NULL);
	auto_err struct err e = ERR_INIT;
	size_t chunk = size ? (size_t)data[0] + 1 : 1;
	for (size_t at = 1; at < size; at += chunk) {
		if (ndjson_feed(&lines, (const char *)data + at, size - at < chunk ? size - at : chunk, &e) < 0)
			return 0;
	}
	(void)ndjson_end(&lines, &e);
	return 0;
}
