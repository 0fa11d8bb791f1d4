/* The options of `start`, which `doctor` takes too, and what they mean for the parts that do the work. */
#ifndef SANDBOX_CLI_LIFECYCLE_START_OPTIONS_H
#define SANDBOX_CLI_LIFECYCLE_START_OPTIONS_H

#include "cli/framework/options.h"
#include "cli/instance/ports.h"
#include "cli/instance/sandbox.h"
#include "cli/lifecycle/image_source.h"

struct start_values {
	const char *image, *image_file, *registry, *pull, *source;
	const char *ports, *bind;
	const char *config;
	const char *wait;
	const char *from;
	struct option_list port;
	struct option_list env;
	int64_t timeout_ms;
	int64_t minimum_disk; /* GB */
	int64_t memory;       /* MiB */
	int64_t ttl_ms;
	int64_t owner_pid;
	json_t *kept; /* what settings_recall has put in (settings.h), or NULL */
	bool keep_context;
	bool keep;
	bool no_wait;
	bool events;
	bool dry_run;
};
extern const struct option start_options[];

/* ERR_USAGE "bad-value" for what a table cannot say. */
int start_check_values(const struct start_values *values, struct err *e);
/* Borrowed from the values. */
struct image_wish start_image_wish(const struct start_values *values);
struct port_wish start_port_wish(const struct start_values *values, const struct cli *cli,
                                 const struct sandbox *existing);
int64_t start_minimum_disk(const struct start_values *values); /* bytes */

#endif
