/* Whatever reads must print, and read back as the same value. */
#include "base/yaml.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf printed = BUF_INIT((size_t)64 * 1024 * 1024);
	auto_json json_t *value = yaml_parse((const char *)data, size, "input", &e);
	if (!value)
		return 0;
	if (yaml_print(value, &printed, &e) < 0)
		abort();
	auto_json json_t *again = yaml_parse(buf_text(&printed), printed.length, "printed", &e);
	if (!again || !json_equal(value, again))
		abort();
	return 0;
}
