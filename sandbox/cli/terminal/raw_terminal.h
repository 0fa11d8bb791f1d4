/* The terminal as a transparent line: every key goes to the other end, and changes of its size can be waited for. */
#ifndef SANDBOX_CLI_TERMINAL_RAW_TERMINAL_H
#define SANDBOX_CLI_TERMINAL_RAW_TERMINAL_H

#include "base/err.h"

#include <stdbool.h>
#include <termios.h>

struct raw_terminal {
	int fd;        /* -1: not entered */
	int resize_fd; /* readable after the size has changed; -1 when not entered */
	struct termios before;
};

#define RAW_TERMINAL_INIT                                                                                              \
	{                                                                                                              \
		.fd = -1, .resize_fd = -1                                                                              \
	}

int raw_terminal_enter(struct raw_terminal *terminal, int fd, struct err *e);
/* Restores the terminal; may be called when it was not entered. */
void raw_terminal_leave(struct raw_terminal *terminal);
bool raw_terminal_size(int fd, unsigned *ret_rows, unsigned *ret_columns);

#endif
