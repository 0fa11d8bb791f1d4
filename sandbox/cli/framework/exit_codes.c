#include "cli/framework/exit_codes.h"

#include <signal.h>

const struct exit_code_row exit_code_table[] = {
	{ EXIT_CODE_OK, "done; for `status`: the sandbox runs and is ready" },
	{ EXIT_CODE_FAILURE, "failed for a reason without a code of its own" },
	{ EXIT_CODE_USAGE, "the command line is wrong" },
	{ EXIT_CODE_ABSENT, "there is no such sandbox, image, context, file or service" },
	{ EXIT_CODE_STOPPED, "the sandbox is stopped, or in another state that forbids the command" },
	{ EXIT_CODE_NOT_READY, "`status`: the sandbox runs and is not ready" },
	{ EXIT_CODE_CONFLICT, "something else holds a port, a name or a lock" },
	{ EXIT_CODE_PERMISSION, "permission denied" },
	{ EXIT_CODE_UNAVAILABLE, "the Docker engine or a registry does not answer" },
	{ EXIT_CODE_TIMEOUT, "a deadline has passed" },
	{ EXIT_CODE_EXHAUSTED, "not enough disk, memory or other space" },
	{ EXIT_CODE_UNSUPPORTED, "not supported, e.g. a too old engine" },
	{ EXIT_CODE_INVALID, "a file or a request has invalid content" },
	{ EXIT_CODE_EXEC_FAILURE, "`exec`: the launcher failed; other codes are the command's own" },
	{ EXIT_CODE_SIGNAL + SIGINT, "interrupted by Ctrl-C (128 and the signal's number for others)" },
	{ 0, NULL },
};

int exit_code_of(const struct err *e, int signal_number)
{
	switch (e->kind) {
	case ERR_USAGE:
		return EXIT_CODE_USAGE;
	case ERR_NOT_FOUND:
		return EXIT_CODE_ABSENT;
	case ERR_PRECONDITION:
		return EXIT_CODE_STOPPED;
	case ERR_EXISTS:
	case ERR_CONFLICT:
		return EXIT_CODE_CONFLICT;
	case ERR_PERMISSION:
	case ERR_UNAUTHENTICATED:
		return EXIT_CODE_PERMISSION;
	case ERR_UNAVAILABLE:
		return EXIT_CODE_UNAVAILABLE;
	case ERR_TIMEOUT:
		return EXIT_CODE_TIMEOUT;
	case ERR_EXHAUSTED:
		return EXIT_CODE_EXHAUSTED;
	case ERR_UNSUPPORTED:
		return EXIT_CODE_UNSUPPORTED;
	case ERR_INVALID:
		return EXIT_CODE_INVALID;
	case ERR_CANCELLED:
		return EXIT_CODE_SIGNAL + (signal_number ? signal_number : SIGINT);
	default:
		return EXIT_CODE_FAILURE;
	}
}
