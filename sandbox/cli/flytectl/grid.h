/* Tables as flytectl prints them: upper-case headings, "|" between columns, a rule below each row, the number of rows.
 * Cells may have several lines. */
#ifndef SANDBOX_CLI_FLYTECTL_GRID_H
#define SANDBOX_CLI_FLYTECTL_GRID_H

#include "base/buf.h"

struct grid {
	size_t columns;
	char **cells; /* row by row, the headings first; owned */
	size_t rows;  /* with the headings */
};
/* clang-format off */
#define GRID_INIT(column_count) { .columns = (column_count) }
/* clang-format on */
#define auto_grid __attribute__((cleanup(grid_release)))
void grid_release(struct grid *grid);

/* Adds one row of copies; NULL is an empty cell. */
void grid_add(struct grid *grid, const char *const *cells);
void grid_render(const struct grid *grid, struct buf *out);

#endif
