#include "cli/instance/service_table.h"

#include "base/text.h"
#include "cli/terminal/color.h"
#include "cli/terminal/terminal.h"

#include <string.h>

#define CELLS 4
#define NAMESPACE_CELL 2
#define GAP 3
#define TABLE_MAXIMUM ((size_t)256 * 1024)

static const char *const heading[CELLS] = { "SERVICE", "STATUS", "NAMESPACE", "ENDPOINT" };
/* Widths where each row stands alone. */
static const size_t alone_widths[CELLS] = { 14, 10, 12, 0 };

struct row {
	char *cells[CELLS];
	const char *status;
};

static void row_release(struct row *row)
{
	for (size_t i = 0; i < CELLS; i++)
		free(row->cells[i]);
}

static char *describe_ready(const struct service *service, const struct ports *ports)
{
	char *endpoint = ports_endpoint_of_container_port(ports, service->endpoint_port);
	auto_free char *headline = service_headline(service);
	if (!*headline)
		return endpoint;
	char *both = xasprintf("%s%s(%s)", endpoint, *endpoint ? "  " : "", headline);
	free(endpoint);
	return both;
}

/* The last cell is the endpoint of what works, and the reason of what does not yet. */
static void row_of_service(const struct service *service, const struct ports *ports, struct row *ret_row)
{
	bool ready = text_equal(service->status, "ready");
	char *last = ready ? describe_ready(service, ports) : service_headline(service);
	*ret_row = (struct row){ .cells = { xstrdup(service->name), xstrdup(service->status),
		                            xstrdup(service->namespace), last },
		                 .status = service->status };
	for (char *c = last; *c; c++) {
		if ((unsigned char)*c < ' ')
			*c = ' ';
	}
}

static void row_of_heading(struct row *ret_row)
{
	*ret_row = (struct row){ .status = "" };
	for (size_t i = 0; i < CELLS; i++)
		ret_row->cells[i] = xstrdup(heading[i]);
}

static enum color color_of(const char *status)
{
	if (text_equal(status, "ready"))
		return COLOR_GREEN;
	if (text_equal(status, "failed"))
		return COLOR_RED;
	return *status ? COLOR_YELLOW : COLOR_BOLD;
}

/* Columns that the widest line takes. */
static size_t widest(const size_t widths[CELLS])
{
	size_t columns = (CELLS - 1) * GAP;
	for (size_t i = 0; i < CELLS; i++)
		columns += widths[i];
	return columns;
}

static void render(const struct row *row, const size_t widths[CELLS], const struct service_table_style *style, struct buf *out)
{
	auto_buf struct buf line = BUF_INIT(TABLE_MAXIMUM);
	bool whole = !*row->status;
	size_t room = style->columns ? style->columns : SIZE_MAX;
	bool narrow = style->columns && widest(widths) > style->columns;
	if (style->colors && whole)
		buf_add_str(&line, color_code(true, COLOR_BOLD));
	for (size_t i = 0; i < CELLS; i++) {
		/* An address that is cut off would be a wrong one. */
		if (narrow && i == NAMESPACE_CELL)
			continue;
		size_t width = terminal_width(row->cells[i]);
		bool colored = style->colors && !whole && i == 1;
		buf_add_str(&line, color_code(colored, color_of(row->status)));
		buf_add_str(&line, row->cells[i]);
		buf_add_str(&line, color_reset(colored));
		if (i + 1 < CELLS)
			buf_add_format(&line, "%*s", (int)((width < widths[i] ? widths[i] - width : 0) + GAP), "");
	}
	buf_truncate(&line, terminal_cut(buf_text(&line), room));
	while (line.length && line.data[line.length - 1] == ' ')
		buf_truncate(&line, line.length - 1);
	buf_add(out, buf_text(&line), line.length);
	buf_add_str(out, color_reset(style->colors));
	buf_add_byte(out, '\n');
}

void service_table_render(const struct services *services, const struct ports *ports, const struct service_table_style *style,
                  struct buf *out)
{
	struct row rows[SERVICES_MAXIMUM + 1];
	size_t count = 1;
	size_t widths[CELLS] = { 0 };
	row_of_heading(&rows[0]);
	for (size_t i = 0; i < services->count; i++) {
		if (service_is_shown(&services->items[i]))
			row_of_service(&services->items[i], ports, &rows[count++]);
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < CELLS; j++) {
			size_t width = terminal_width(rows[i].cells[j]);
			widths[j] = width > widths[j] ? width : widths[j];
		}
	}
	for (size_t i = 0; i < count; i++) {
		render(&rows[i], widths, style, out);
		row_release(&rows[i]);
	}
}

void service_table_render_row(const struct services *services, size_t index, const struct ports *ports, bool colors,
                      struct buf *out)
{
	struct row row;
	if (index == SERVICES_MAXIMUM)
		row_of_heading(&row);
	else
		row_of_service(&services->items[index], ports, &row);
	render(&row, alone_widths, &(struct service_table_style){ .colors = colors }, out);
	row_release(&row);
}

void service_table_view_init(struct service_table_view *view, FILE *out, bool colors)
{
	*view = (struct service_table_view){ .out = out, .colors = colors, .in_place = out && terminal_is_smart(fileno(out)) };
}

void service_table_view_release(struct service_table_view *view)
{
	free(view->drawn);
	view->drawn = NULL;
}

static void redraw(struct service_table_view *view, const struct services *services, const struct ports *ports)
{
	size_t columns = terminal_columns(fileno(view->out));
	auto_buf struct buf text = BUF_INIT(TABLE_MAXIMUM);
	size_t up = view->drawn ? terminal_rows(view->drawn, columns) : 0;
	service_table_render(services, ports, &(struct service_table_style){ .columns = columns, .colors = view->colors }, &text);
	if (text_equal(view->drawn, buf_text(&text)))
		return;
	if (up)
		fprintf(view->out, "\033[%zuA\r\033[J", up);
	fputs(buf_text(&text), view->out);
	fflush(view->out);
	free(view->drawn);
	view->drawn = buf_steal(&text);
}

void service_table_view_update(struct service_table_view *view, const struct services *services, size_t index,
                       const struct ports *ports)
{
	if (!view->out || !service_is_shown(&services->items[index]))
		return;
	if (view->in_place) {
		redraw(view, services, ports);
		return;
	}
	auto_buf struct buf text = BUF_INIT(TABLE_MAXIMUM);
	if (!view->started)
		service_table_render_row(services, SERVICES_MAXIMUM, ports, view->colors, &text);
	service_table_render_row(services, index, ports, view->colors, &text);
	view->started = true;
	fputs(buf_text(&text), view->out);
	fflush(view->out);
}
