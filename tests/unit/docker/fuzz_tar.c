/* What an engine sends as the tar of a file. */
#include "base/buf.h"
#include "docker/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf content = BUF_INIT(65536);
	auto_err struct err e = ERR_INIT;
	if (docker_archive_first_file(data, size, "a file", &content, &e) < 0 && !*err_message(&e))
		abort();
	return 0;
}
