/*
 * Errors that people and scripts meet: their ids, the exit codes that they end with, when they come and what helps. Manual page and
 * docs/guide/errors.md are made of it; tests hold it to what the sources say (tests/unit/cli/framework/test_command_line.py).
 */
#ifndef SANDBOX_CLI_FRAMEWORK_ERROR_TABLE_H
#define SANDBOX_CLI_FRAMEWORK_ERROR_TABLE_H

struct error_row {
	const char *ids;   /* separated by spaces; NULL ends the table */
	const char *codes; /* of exit_codes.h, separated by ", " */
	const char *when;
	const char *help; /* "" where the message has it all */
};
extern const struct error_row error_table[];

#endif
