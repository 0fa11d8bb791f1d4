/* Exit codes. The table in docs/guide/errors.md is this one; scripts rely on it. */
#ifndef SANDBOX_CLI_FRAMEWORK_EXIT_CODES_H
#define SANDBOX_CLI_FRAMEWORK_EXIT_CODES_H

#include "base/err.h"

enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_FAILURE = 1,
	EXIT_CODE_USAGE = 2,
	EXIT_CODE_ABSENT = 3,
	EXIT_CODE_STOPPED = 4,
	EXIT_CODE_NOT_READY = 5,
	EXIT_CODE_CONFLICT = 6,
	EXIT_CODE_PERMISSION = 7,
	EXIT_CODE_UNAVAILABLE = 8,
	EXIT_CODE_TIMEOUT = 9,
	EXIT_CODE_EXHAUSTED = 10,
	EXIT_CODE_UNSUPPORTED = 11,
	EXIT_CODE_INVALID = 12,
	EXIT_CODE_EXEC_FAILURE = 125, /* ours, where other codes are another program's */
	EXIT_CODE_SIGNAL = 128,       /* plus the signal's number */
};

/* `signal_number` is the signal that cancelled, or 0. */
int exit_code_of(const struct err *e, int signal_number);

struct exit_code_row {
	int code;
	const char *meaning;
};
/* For help and man page; ended by a NULL meaning. */
extern const struct exit_code_row exit_code_table[];

#endif
