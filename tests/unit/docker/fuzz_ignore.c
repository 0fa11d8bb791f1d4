/* Patterns up to the first NUL, then a path. Nothing may crash or take long. */
#include "docker/ignore.h"

#include "base/memory.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	size_t patterns = nul ? (size_t)(nul - data) : size;
	auto_free char *path = nul ? xstrndup((const char *)nul + 1, size - patterns - 1) : xstrdup("a/b");
	auto_ignore struct ignore ignore = IGNORE_INIT;
	auto_err struct err e = ERR_INIT;
	if (size < 4096 && ignore_parse((const char *)data, patterns, &ignore, &e) == 0)
		(void)ignore_matches(&ignore, path);
	return 0;
}
