#include "controlplane/store/objects_listing.h"

#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)64 << 20);
	auto_err struct err e = ERR_INIT;
	auto_free char *xml = xstrndup((const char *)data, size);
	char *token = NULL;
	struct objects_listing listing = { .arena = &arena, .maximum = 100 };
	if (objects_listing_read(&listing, "bucket", xml, &token, &e) < 0)
		return 0;
	if (listing.count > listing.maximum)
		abort();
	for (size_t i = 0; i < listing.count; i++)
		if (!text_starts_with(listing.uris[i], "s3://bucket/"))
			abort();
	free(token);
	return 0;
}
