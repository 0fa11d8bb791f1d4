#include "controlplane/admission/secret_annotation.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)64 << 20);
	auto_err struct err e = ERR_INIT;
	if (size < 65536)
		(void)secret_annotation_read(&arena, arena_strndup(&arena, (const char *)data, size), &e);
	return 0;
}
