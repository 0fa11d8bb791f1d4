/* Any refusal can be read; one that can never fit still cannot when more is said behind it. */
#include "base/arena.h"
#include "controlplane/engine/quota.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)1 << 20);
	if (size > 65536)
		return 0;
	const char *text = arena_strndup(&arena, (const char *)data, size);
	if (quota_can_never_fit(text) && !quota_can_never_fit(arena_printf(&arena, "%s, and more", text)))
		abort();
	return 0;
}
