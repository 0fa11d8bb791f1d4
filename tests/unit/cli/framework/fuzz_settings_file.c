/* Whatever a sandbox.yaml holds: it is refused with file and line, or all of it can be applied and looked up. */
#include "base/text.h"
#include "cli/framework/cli.h"
#include "cli/framework/config_files.h"
#include "cli/framework/verb.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply(const struct config_files *files, const char *section, const struct option *options, size_t size)
{
	auto_free void *values = xcalloc(1, size);
	auto_option_origins struct option_origins origins = { .of = { NULL } };
	const struct option_set set = { options, values, &origins };
	const struct option_list nobody = { .items = NULL };
	auto_err struct err e = ERR_INIT;
	auto_err struct err late = ERR_INIT;
	if (config_files_apply(files, section, &set, &e) < 0 && !text_equal(err_id(&e), "config-file"))
		abort();
	if (config_files_settle(files, section, &set, &nobody, &late) < 0 &&
	    !text_equal(err_id(&late), "untrusted-setting"))
		abort();
	options_release(&set);
	for (; options && options->name; options++) {
		auto_free char *value = NULL;
		auto_free char *origin = NULL;
		(void)config_files_value(files, section, options, &nobody, &value, &origin);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_files files = CONFIG_FILES_INIT;
	auto_err struct err e = ERR_INIT;
	if (size > 4096)
		return 0;
	if (config_files_add(&files, "/project/sandbox.yaml", true, (const char *)data, size, &e) == 0) {
		apply(&files, NULL, global_options, sizeof(struct globals));
		for (size_t i = 0; i < verb_count; i++)
			apply(&files, verbs[i]->name, verbs[i]->options, verbs[i]->values_size);
	} else if (!text_starts_with(err_message(&e), "/project/sandbox.yaml")) {
		abort();
	}
	config_files_release(&files);
	return 0;
}
