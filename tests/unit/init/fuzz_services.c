#include "init/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct init_config config;
	(void)config_parse((const char *)data, size, &config, NULL);
	config_release(&config);
	return 0;
}
