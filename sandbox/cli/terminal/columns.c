#include "cli/terminal/columns.h"

#include "cli/terminal/color.h"
#include "cli/terminal/terminal.h"

#define GAP 2

void columns_release(struct columns *columns)
{
	for (size_t i = 0; i < columns->count; i++)
		free(columns->cells[i]);
	free(columns->cells);
	*columns = (struct columns)COLUMNS_INIT(columns->width);
}

void columns_add(struct columns *columns, const char *const *texts)
{
	columns->cells = xreallocarray(columns->cells, columns->count + columns->width, sizeof(*columns->cells));
	for (size_t i = 0; i < columns->width; i++)
		columns->cells[columns->count++] = xstrdup(texts[i] ? texts[i] : "");
}

static void render_row(const struct columns *columns, size_t first, const size_t *widths, struct buf *out)
{
	size_t missing = 0; /* spaces that stand before the next text that is there */
	for (size_t i = 0; i < columns->width; i++) {
		const char *text = columns->cells[first + i];
		size_t width = terminal_width(text);
		if (*text) {
			buf_add_format(out, "%*s%s", (int)missing, "", text);
			missing = 0;
		}
		missing += widths[i] - width + GAP;
	}
}

void columns_render(const struct columns *columns, bool colors, struct buf *out)
{
	size_t widths[COLUMNS_MAXIMUM] = { 0 };
	for (size_t i = 0; i < columns->count; i++) {
		size_t width = terminal_width(columns->cells[i]);
		size_t at = i % columns->width;
		widths[at] = width > widths[at] ? width : widths[at];
	}
	for (size_t i = 0; i < columns->count; i += columns->width) {
		buf_add_str(out, color_code(colors && !i, COLOR_BOLD));
		render_row(columns, i, widths, out);
		buf_add_str(out, color_reset(colors && !i));
		buf_add_byte(out, '\n');
	}
}
