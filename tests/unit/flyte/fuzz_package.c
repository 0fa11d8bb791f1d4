/* A package from anywhere: read, and made ready to be registered. */
#include "flyte/package.h"
#include "flyte/registration.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct registration_options options = { .project = "p",
		                                             .domain = "d",
		                                             .version = "v",
		                                             .force = true,
		                                             .k8s_service_account = "a",
		                                             .source_location = "s3://x" };
	auto_package struct package package = PACKAGE_INIT;
	auto_arena struct arena arena = ARENA_INIT((size_t)64 << 20);
	auto_err struct err e = ERR_INIT;
	if (package_add_archive(&package, "fuzz", data, size, &e) < 0)
		return 0;
	package_sort(&package);
	for (size_t i = 0; i < package.count && i < 64; i++) {
		struct registration r;
		const struct package_file *file = &package.files[i];
		if (package_kind_of(file) == PACKAGE_MESSAGE &&
		    registration_read(&arena, file->name, buf_text(&file->bytes), file->bytes.length, &r, &e) == 0)
			(void)registration_fill(&arena, &options, &r, &e);
	}
	return 0;
}
