#include "cli/terminal/terminal.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 80
#define COLUMNS_MINIMUM 20

bool terminal_is_smart(int fd)
{
	const char *type = getenv("TERM");
	return isatty(fd) && !text_is_empty(type) && !text_equal(type, "dumb");
}

size_t terminal_columns(int fd)
{
	struct winsize size;
	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return COLUMNS_DEFAULT;
	return size.ws_col < COLUMNS_MINIMUM ? COLUMNS_MINIMUM : size.ws_col;
}

/* Bytes of an escape sequence "ESC [ … letter" at `text`, 0 if there is none. */
static size_t escape_length(const char *text)
{
	if (text[0] != '\033' || text[1] != '[')
		return 0;
	size_t length = 2 + strspn(text + 2, "0123456789;");
	return text[length] ? length + 1 : length;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes of `text` within `columns`; the columns used come back too. */
static size_t measure(const char *text, size_t columns, size_t *ret_used)
{
	size_t used = 0;
	size_t i = 0;
	while (text[i]) {
		size_t escape = escape_length(text + i);
		if (!escape && !is_continuation(text[i])) {
			if (used == columns)
				break;
			used++;
		}
		i += escape ? escape : 1;
	}
	*ret_used = used;
	return i;
}

size_t terminal_cut(const char *text, size_t columns)
{
	size_t used;
	return measure(text, columns, &used);
}

size_t terminal_width(const char *text)
{
	size_t used;
	measure(text, SIZE_MAX, &used);
	return used;
}

size_t terminal_rows(const char *text, size_t columns)
{
	size_t rows = 0;
	while (*text) {
		size_t length = strcspn(text, "\n");
		auto_free char *line = xstrndup(text, length);
		size_t width = terminal_width(line);
		rows += width ? (width + columns - 1) / columns : 1;
		text += length + (text[length] == '\n');
	}
	return rows;
}
