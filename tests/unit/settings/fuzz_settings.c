/* Settings files of whatever content: read or refused, never anything else, and what is read is the same when read again. */
#include "controlplane/settings/settings.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_settings const struct settings *settings = NULL, *again = NULL;
	auto_err struct err e = ERR_INIT;
	if (settings_parse((const char *)data, size, "file", false, &settings, &e) < 0) {
		if (!*err_message(&e))
			abort();
		return 0;
	}
	if (settings_parse((const char *)data, size, "file", false, &again, &e) < 0 || !settings_equal(settings, again))
		abort();
	if (!settings->domain_count || settings->max_parallelism < 0)
		abort();
	return 0;
}
