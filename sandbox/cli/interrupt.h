/*
 * Ctrl-C and friends as a descriptor: the first SIGINT, SIGTERM or SIGHUP makes interrupt_fd() readable, which ends
 * whatever exchange with the engine is under way (base/http.h). Clean-up acknowledges it and goes on talking to the
 * engine; a second signal then ends the clean-up too.
 */
#ifndef SANDBOX_CLI_INTERRUPT_H
#define SANDBOX_CLI_INTERRUPT_H

#include <stdbool.h>

/* Installs the handlers; also ignores SIGPIPE, so that a closed pipe is an error of write. */
void interrupt_setup(void);
int interrupt_fd(void);
/* The signal that came last, or 0. */
int interrupt_signal(void);
/* Makes the descriptor unreadable again. */
void interrupt_acknowledge(void);
/* Gives the signals their default meaning again: a second Ctrl-C ends the process at once. */
void interrupt_restore(void);

#endif
