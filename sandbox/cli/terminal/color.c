#include "cli/terminal/color.h"

const char *color_code(bool colors, enum color color)
{
	static const char *const codes[] = { [COLOR_PLAIN] = "",           [COLOR_BOLD] = "\033[1m",
		                             [COLOR_DIM] = "\033[2m",      [COLOR_RED] = "\033[31m",
		                             [COLOR_GREEN] = "\033[32m",   [COLOR_YELLOW] = "\033[33m",
		                             [COLOR_CYAN] = "\033[36m" };
	return colors ? codes[color] : "";
}

const char *color_reset(bool colors)
{
	return colors ? "\033[0m" : "";
}
