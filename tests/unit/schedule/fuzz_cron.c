/* Any text as a cron expression: what is accepted has matches in order, or none, and each of them again matches the
 * sets. */
#include "controlplane/schedule/cron.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct cron cron;
	if (cron_parse(arena_strndup(&arena, (const char *)data, size), &cron, NULL) < 0)
		return 0;
	int64_t at = 1767225600;
	for (unsigned i = 0; i < 3; i++) {
		const int64_t next = cron_next(&cron, NULL, at);
		if (next <= at ||
		    (next != CRON_NEVER && !cron.every_s && (next % 60 || !(cron.minutes >> (next / 60 % 60) & 1))))
			abort();
		at = next;
		if (at == CRON_NEVER)
			break;
	}
	return 0;
}
