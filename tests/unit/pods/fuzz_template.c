/* Any text renders without an input map; rendering is stable where no template is left. */
#include "controlplane/engine/template.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)8 * 1024 * 1024);
	auto_err struct err e = ERR_INIT;
	if (size > 65536)
		return 0;
	struct template_values values = {
		.input = "i", .namespace = "n", .prev_checkpoint_prefix = "", .output_prefix = "{{.namespace}}"
	};
	const char *text = arena_strndup(&arena, (const char *)data, size);
	bool used = false;
	if (!template_render(&arena, text, &values, &used, &e))
		abort();
	return 0;
}
