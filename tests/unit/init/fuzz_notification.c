#include "init/control.h"
#include "init/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)probe_parse_notification((const char *)data, size);
	struct control_request request;
	(void)control_parse((const char *)data, size, &request, NULL);
	return 0;
}
