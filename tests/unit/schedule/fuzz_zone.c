/* Any bytes as a zone file: what is accepted has an offset at any time, and one that a clock can have. */
#include "controlplane/schedule/zone.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	const struct zone *zone;
	if (zone_parse(&arena, data, size, &zone, NULL) < 0)
		return 0;
	for (int64_t at = INT64_C(-9000000000); at <= INT64_C(9000000000); at += 987654321) {
		const int32_t offset = zone_offset(zone, at);
		if (offset < -26 * 3600 || offset > 26 * 3600)
			abort();
	}
	return 0;
}
