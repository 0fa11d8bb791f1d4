/*
 * Ctrl-C and friends as a descriptor: the first SIGINT, SIGTERM or SIGHUP makes interrupt_fd() readable, which ends
 * whatever exchange with the engine is under way (base/http.h), and what was begun is taken back. A second signal
 * before interrupt_acknowledge ends the process at once.
 */
#ifndef SANDBOX_CLI_FRAMEWORK_INTERRUPT_H
#define SANDBOX_CLI_FRAMEWORK_INTERRUPT_H

#include "base/err.h"

/* Installs the handlers; also ignores SIGPIPE, so that a closed pipe is an error of write. */
void interrupt_setup(void);
int interrupt_fd(void);
/* The signal that came last, or 0. */
int interrupt_signal(void);
/* Sets ERR_CANCELLED and returns -1 when a signal has come: for work that is not interrupted in the middle. */
int interrupt_check(struct err *e);
/* Makes the descriptor unreadable again, so that exchanges with the engine are possible. */
void interrupt_acknowledge(void);

#endif
