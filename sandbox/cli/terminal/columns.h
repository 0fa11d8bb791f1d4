/* Rows of text in columns as wide as their widest cell: what `list` and its like print. */
#ifndef SANDBOX_CLI_TERMINAL_COLUMNS_H
#define SANDBOX_CLI_TERMINAL_COLUMNS_H

#include "base/buf.h"

#include <stdbool.h>

#define COLUMNS_MAXIMUM 16

struct columns {
	size_t width; /* cells in a row */
	char **cells;
	size_t count;
};

#define COLUMNS_INIT(cells_in_a_row)                                                                                   \
	{                                                                                                              \
		.width = (cells_in_a_row)                                                                              \
	}
#define auto_columns __attribute__((cleanup(columns_release)))
void columns_release(struct columns *columns);

/* Adds one row: `width` texts, copied; NULL is an empty cell. The first row is the heading. */
void columns_add(struct columns *columns, const char *const *texts);
/* Appends the rows to `out`, the heading bold when `colors`. No space at a line's end. */
void columns_render(const struct columns *columns, bool colors, struct buf *out);

#endif
