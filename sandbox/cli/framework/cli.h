/*
 * What every verb gets: the global options, how to talk to the person (stderr), and the engine. stdout is data, stderr
 * is talk.
 */
#ifndef SANDBOX_CLI_FRAMEWORK_CLI_H
#define SANDBOX_CLI_FRAMEWORK_CLI_H

#include "base/err.h"
#include "cli/framework/instance_names.h"
#include "cli/framework/options.h"
#include "docker/client.h"

#include <stdbool.h>

/* Of every JSON document that the launcher prints; a member that goes or changes its meaning makes it 2. */
#define CLI_SCHEMA_VERSION 1

struct globals {
	const char *name;
	const char *host;
	const char *output; /* "text", "json", or one of the verb's formats (verb.h) */
	struct option_list trust; /* directories whose sandbox.yaml may set everything */
	bool quiet;
	bool verbose;
	bool no_color;
	bool help;
};
extern const struct option global_options[];

struct config_files;
struct spinner;

struct cli {
	struct globals globals;
	struct config_files *config; /* config_files.h */
	const char *verb;            /* name, for the envelope; NULL before it is known */
	const struct option_set *options; /* the verb's, for option_origin */
	struct instance_names instance;
	struct docker_endpoint endpoint;
	struct docker_client *docker; /* see cli_connect */
	bool colors_out;              /* of stdout and stderr */
	bool colors_err;
	bool events;        /* progress_events.h */
	/* Of a start: the check of `doctor` that tells more about an error, or NULL (doctor/checks.h). */
	const char *(*check_for_error)(const char *error_id);
	char *bundle;       /* of a failed start (doctor/bundle.h), or NULL */
	struct spinner *spinner; /* the line of progress on a terminal, or NULL */
	int64_t progress_last_ms;
};

/* Discovers the engine and connects, once; later calls return at once. */
int cli_connect(struct cli *cli, struct err *e);
void cli_release(struct cli *cli);
/* Another `cli` for the instance `name` on the same engine; cli_release it. */
int cli_for_instance(const struct cli *cli, const char *name, struct cli *ret_cli, struct err *e);

bool cli_wants_json(const struct cli *cli);
/* Whether -o is `format`. */
bool cli_wants(const struct cli *cli, const char *format);

/* A line on stderr for the person; nothing when --quiet. */
void cli_say(struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
/* As cli_say, with --verbose only. */
void cli_say_verbose(struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
/* A line that the next one replaces on a terminal; elsewhere printed at most every 10 s. */
void cli_progress(struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
/* Ends the line of cli_progress. */
void cli_progress_end(struct cli *cli);
/* error[id]: message, and its hint; on stderr whatever the options say. */
void cli_print_error(struct cli *cli, const struct err *e);
/* The end of a command that failed: cli_print_error, and as a document or event when such are wanted. */
void cli_print_failure(struct cli *cli, const struct err *e, int exit_code, bool stdout_is_ours);
/* {"id", "kind", "message", "hint", "exitCode"} of the error; a new reference. */
json_t *cli_error_json(const struct err *e, int exit_code);

/* The command "sandbox REST" for this instance, e.g. "sandbox start --name ci1"; free with free(). */
char *cli_command(const struct cli *cli, const char *rest);
/* That as the hint. Returns -1. */
int cli_hint_command(const struct cli *cli, struct err *e, const char *rest);

/* The envelope of every `-o json`: {"schemaVersion": 1, "command": VERB} and the members of `document`, whose reference
 * is taken. What schemas docs/schemas/ describe is this. A new reference. */
json_t *cli_envelope(const struct cli *cli, json_t *document);
/* The envelope and a newline on stdout; takes the reference. */
void cli_print_document(const struct cli *cli, json_t *document);

#endif
