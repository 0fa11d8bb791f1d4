/* A serialized task, workflow or launch plan, without an archive around it. */
#include "flyte/registration.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "a_1.pb", "a_2.pb", "a_3.pb", "a.pb" };
	static const struct registration_options options = {
		.project = "p", .domain = "d", .version = "v", .source_location = "s3://x"
	};
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		auto_arena struct arena arena = ARENA_INIT((size_t)64 << 20);
		auto_err struct err e = ERR_INIT;
		struct registration r;
		if (registration_read(&arena, names[i], data, size, &r, &e) < 0)
			continue;
		if (!r.id)
			abort();
		(void)registration_fill(&arena, &options, &r, &e);
	}
	return 0;
}
