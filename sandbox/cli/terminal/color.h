/* Colours of text on a terminal. */
#ifndef SANDBOX_CLI_TERMINAL_COLOR_H
#define SANDBOX_CLI_TERMINAL_COLOR_H

#include <stdbool.h>

enum color { COLOR_PLAIN, COLOR_BOLD, COLOR_DIM, COLOR_RED, COLOR_GREEN, COLOR_YELLOW, COLOR_CYAN };

/* The escape sequence, or "" when colours are off. */
const char *color_code(bool colors, enum color color);
/* Back to what text is without any. */
const char *color_reset(bool colors);

#endif
