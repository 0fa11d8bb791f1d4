/* The label of an owner, which anybody who may make containers can write. */
#include "cli/instance/lifetime.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct lifetime_place here = { "lab", { "machine-1", "boot-1", PLATFORM_OF_MACHINE } };
	static const struct lifetime_place nowhere = { .host = "" };
	if (size > 4096)
		return 0;
	auto_free char *label = xstrndup(size ? (const char *)data : "", size);
	auto_free char *over = lifetime_owner_over(label, &here);
	/* Only who has our boot, or our machine's name and id, is judged. */
	if (over && !strstr(label, "boot-1") && !(strstr(label, "lab") && strstr(label, "machine-1")))
		abort();
	if (lifetime_owner_over(label, &nowhere))
		abort();
	return 0;
}
