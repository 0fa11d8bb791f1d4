/* Terminals: whether there is one, how wide it is, how wide text is on it. */
#ifndef SANDBOX_CLI_TERMINAL_TERMINAL_H
#define SANDBOX_CLI_TERMINAL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* A terminal that understands cursor movement: isatty and TERM is not "dumb". */
bool terminal_is_smart(int fd);
/* Columns now; 80 when unknown; never below 20. */
size_t terminal_columns(int fd);
/* How many bytes of `text` fit into `columns`, not cutting a UTF-8 character. Escape sequences take no room. */
size_t terminal_cut(const char *text, size_t columns);
/* Columns that `text` takes: one per character, none for escape sequences and combining bytes. */
size_t terminal_width(const char *text);
/* Terminal rows that `text` takes when it is shown `columns` wide. */
size_t terminal_rows(const char *text, size_t columns);

#endif
