#include "cli/flytectl/grid.h"

#include "cli/terminal/terminal.h"

#include <ctype.h>
#include <string.h>

/* Above this many rows flytectl's heading tells how many there are. */
#define COUNTED_ROWS 3

void grid_release(struct grid *grid)
{
	for (size_t i = 0; i < grid->rows * grid->columns; i++)
		free(grid->cells[i]);
	free(grid->cells);
	*grid = (struct grid)GRID_INIT(grid->columns);
}

void grid_add(struct grid *grid, const char *const *cells)
{
	grid->cells = xreallocarray(grid->cells, (grid->rows + 1) * grid->columns, sizeof(*grid->cells));
	for (size_t i = 0; i < grid->columns; i++)
		grid->cells[grid->rows * grid->columns + i] = xstrdup(cells[i] ? cells[i] : "");
	grid->rows++;
}

/* Line `number` of a cell, as a view; its length comes back. */
static const char *line_of(const char *cell, size_t number, size_t *ret_length)
{
	for (; number && *cell; number--) {
		cell += strcspn(cell, "\n");
		cell += *cell == '\n';
	}
	*ret_length = number ? 0 : strcspn(cell, "\n");
	return cell;
}

static size_t lines_in(const char *cell)
{
	size_t lines = 1;
	for (; *cell; cell++)
		lines += *cell == '\n';
	return lines;
}

static size_t line_width(const char *text, size_t length)
{
	auto_free char *line = xstrndup(text, length);
	return terminal_width(line);
}

static void add_line(const char *text, size_t length, size_t width, struct buf *out)
{
	/* What would move the cursor is shown as a space. */
	for (size_t i = 0; i < length; i++)
		(void)buf_add_byte(out, iscntrl((unsigned char)text[i]) ? ' ' : text[i]);
	for (size_t used = line_width(text, length); used < width; used++)
		(void)buf_add_byte(out, ' ');
}

static void add_rule(const size_t *widths, size_t columns, struct buf *out)
{
	for (size_t c = 0; c < columns; c++) {
		(void)buf_add_byte(out, ' ');
		for (size_t i = 0; i < widths[c] + 2; i++)
			(void)buf_add_byte(out, '-');
	}
	(void)buf_add_str(out, " \n");
}

static void add_row(const struct grid *grid, size_t row, const size_t *widths, struct buf *out)
{
	char *const *cells = grid->cells + row * grid->columns;
	size_t lines = 1;
	for (size_t c = 0; c < grid->columns; c++)
		lines = lines_in(cells[c]) > lines ? lines_in(cells[c]) : lines;
	for (size_t line = 0; line < lines; line++) {
		for (size_t c = 0; c < grid->columns; c++) {
			size_t length;
			const char *text = line_of(cells[c], line, &length);
			(void)buf_add_str(out, "| ");
			add_line(text, length, widths[c], out);
			(void)buf_add_byte(out, ' ');
		}
		(void)buf_add_str(out, "|\n");
	}
}

static void measure(const struct grid *grid, size_t *widths)
{
	for (size_t i = 0; i < grid->rows * grid->columns; i++) {
		for (size_t line = 0; line < lines_in(grid->cells[i]); line++) {
			size_t length;
			const char *text = line_of(grid->cells[i], line, &length);
			const size_t width = line_width(text, length);
			if (width > widths[i % grid->columns])
				widths[i % grid->columns] = width;
		}
	}
}

/* Headings in capitals; the first one tells the number of many rows. */
static void make_headings(const struct grid *grid)
{
	for (size_t c = 0; c < grid->columns; c++) {
		for (char *at = grid->cells[c]; *at; at++)
			*at = (char)toupper((unsigned char)*at);
	}
	if (grid->rows - 1 <= COUNTED_ROWS)
		return;
	char *counted = xasprintf("%s (%zu)", grid->cells[0], grid->rows - 1);
	free(grid->cells[0]);
	grid->cells[0] = counted;
}

void grid_render(const struct grid *grid, struct buf *out)
{
	auto_free size_t *widths = xcalloc(grid->columns, sizeof(*widths));
	make_headings(grid);
	measure(grid, widths);
	add_rule(widths, grid->columns, out);
	for (size_t row = 0; row < grid->rows; row++) {
		add_row(grid, row, widths, out);
		add_rule(widths, grid->columns, out);
	}
	(void)buf_add_format(out, "%zu rows\n", grid->rows - 1);
}
