#include "cli/instance/container_output.h"

#include "base/file.h"

#include <unistd.h>

static int pass(void *context, enum docker_stream stream, const char *bytes, size_t length, struct err *e)
{
	(void)context;
	auto_err struct err problem = ERR_INIT;
	if (file_write_all(stream == DOCKER_STDERR ? STDERR_FILENO : STDOUT_FILENO, bytes, length, &problem) == 0)
		return 0;
	return err_set(e, ERR_CANCELLED, "closed-output", "%s", err_message(&problem));
}

const struct docker_sink container_output_passthrough = { .on_output = pass };
