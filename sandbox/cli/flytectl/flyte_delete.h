/* `delete execution NAME…` and `delete <attribute>`: beside the verb's own meaning, what flytectl deletes
 * (flytectl/cmd/delete at v1.16.8). */
#ifndef SANDBOX_CLI_FLYTECTL_FLYTE_DELETE_H
#define SANDBOX_CLI_FLYTECTL_FLYTE_DELETE_H

#include "cli/flytectl/flyte_client.h"

struct flyte_delete {
	struct flyte_options flyte;
	const char *attribute_file;
	bool dry_run;
};
/* Entries of the option table of a struct that begins with a flyte_delete. */
#define FLYTE_DELETE_OPTIONS                                                                                           \
	FLYTE_OPTIONS,                                                                                                 \
	        { .name = "attrFile",                                                                                  \
		  .kind = OPTION_TEXT,                                                                                 \
		  .offset = offsetof(struct flyte_delete, attribute_file),                                             \
		  .value = "FILE",                                                                                     \
		  .help = "attributes: project, domain and workflow from this file" },                                 \
	{                                                                                                              \
		.name = "dryRun", .kind = OPTION_FLAG, .offset = offsetof(struct flyte_delete, dry_run),               \
		.help = "in Flyte: check, and delete nothing"                                                          \
	}

int flyte_delete(struct cli *cli, const struct flyte_delete *values, char *const *arguments, size_t count,
                 struct err *e);

#endif
