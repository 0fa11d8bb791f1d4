/* Messages of Flyte on stdout, as flytectl prints them: a table of chosen columns, proto3 JSON, or the same as YAML. */
#ifndef SANDBOX_CLI_FLYTECTL_FLYTE_PRINT_H
#define SANDBOX_CLI_FLYTECTL_FLYTE_PRINT_H

#include "cli/flytectl/flyte_client.h"

struct flyte_column {
	const char *heading;
	const char *path;        /* members joined by '/', as in proto3 JSON */
	const char *description; /* the path leads to a map of variables: their names with what is found here */
	size_t maximum;          /* bytes that are shown; 0: all */
};

/* "table", "json" or "yaml". */
const char *flyte_format(const struct cli *cli);
/* The value as it is, without the envelope of the launcher's own documents: scripts for flytectl read it. Takes the
 * reference. */
void flyte_put_json(json_t *value);
/* One message is printed as itself, none or several as a list. */
int flyte_print(const struct cli *cli, const struct flyte_column *columns, size_t column_count,
                ProtobufCMessage *const *messages, size_t count, struct err *e);
/* A value that is no message: JSON or YAML by the format; the table only of an array. */
int flyte_print_json(const struct cli *cli, const struct flyte_column *columns, size_t column_count, json_t *value,
                     struct err *e);
json_t *flyte_message_json(const ProtobufCMessage *message, struct err *e);

/* "Continue? [y/n]: " on stderr and a line of stdin. ERR_PRECONDITION "not-confirmed" unless it is a yes. */
int flyte_confirm(struct cli *cli, const char *question, const char *flag, struct err *e);
/* Writes the file; asks first when it is there. */
int flyte_write_file(struct cli *cli, const char *path, const struct buf *text, struct err *e);
/* What changes, line by line, on stdout; false when nothing does. */
bool flyte_print_changes(const char *before, const char *after);

#endif
