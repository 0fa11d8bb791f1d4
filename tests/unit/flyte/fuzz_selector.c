#include "flyte/selector.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	auto_err struct err e = ERR_INIT;
	auto_free char *text = xstrndup((const char *)data, size);
	(void)selector_to_filters(&arena, text, &e);
	return 0;
}
