/*
 * The table SERVICE STATUS NAMESPACE ENDPOINT. On a terminal it is redrawn in place, each time at the terminal's width
 * of that moment; what was drawn before may have been wrapped anew by a resize, so the number of rows to go up is
 * computed from the widths of the lines that stand there. Elsewhere every change is one line.
 */
#ifndef SANDBOX_CLI_INSTANCE_SERVICE_TABLE_H
#define SANDBOX_CLI_INSTANCE_SERVICE_TABLE_H

#include "cli/instance/ports.h"
#include "cli/instance/services.h"

#include <stdio.h>

struct service_table_style {
	size_t columns; /* of the terminal; 0: as wide as needed */
	bool colors;
};

/* The whole table, one line a row, each at most `columns` wide. */
void service_table_render(const struct services *services, const struct ports *ports, const struct service_table_style *style,
                  struct buf *out);
/* One row as a line of its own, in columns that do not depend on other rows. `index` SERVICES_MAXIMUM gives the
 * heading. */
void service_table_render_row(const struct services *services, size_t index, const struct ports *ports, bool colors,
                      struct buf *out);

struct service_table_view {
	FILE *out; /* NULL: show nothing */
	bool in_place;
	bool colors;
	bool started;
	char *drawn; /* what stands on the terminal */
};

void service_table_view_init(struct service_table_view *view, FILE *out, bool colors);
void service_table_view_release(struct service_table_view *view);
/* Service `index` has changed. */
void service_table_view_update(struct service_table_view *view, const struct services *services, size_t index,
                       const struct ports *ports);

#endif
