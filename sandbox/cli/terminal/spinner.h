/*
 * A line on stderr's terminal that moves while something is waited for: a turning mark, what it is, and after a while
 * for how long. A thread draws it, so that it turns whatever the program waits for. Whoever writes to the terminal stops
 * it first; it leaves an empty line and the cursor at its beginning. Elsewhere than on a terminal there is none.
 */
#ifndef SANDBOX_CLI_TERMINAL_SPINNER_H
#define SANDBOX_CLI_TERMINAL_SPINNER_H

struct spinner;

/* NULL where stderr is no terminal that moves the cursor, or there is no thread to be had. */
struct spinner *spinner_start(const char *text);
/* Other words on the same line. */
void spinner_say(struct spinner *spinner, const char *text);
/* Ends it and frees it; NULL is allowed. Returns NULL. */
struct spinner *spinner_stop(struct spinner *spinner);

#endif
