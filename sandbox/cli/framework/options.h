/*
 * Options from one table. Each verb lists its options once; the table feeds the parser, `--help`, the man page, the
 * guide and the mapping from environment variables. Precedence: command line, environment, files (config_files.h),
 * fallback.
 *
 * A verb's values live in a struct of its own; a table entry says where (offset) and of what type the field is:
 * OPTION_FLAG bool; OPTION_TEXT and OPTION_CHOICE const char * (NULL when absent); OPTION_NUMBER and OPTION_SECONDS
 * int64_t; OPTION_LIST struct option_list (the option may be repeated). Texts are borrowed from argv, the environment or
 * the table.
 */
#ifndef SANDBOX_CLI_FRAMEWORK_OPTIONS_H
#define SANDBOX_CLI_FRAMEWORK_OPTIONS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_CHOICE, OPTION_NUMBER, OPTION_SECONDS, OPTION_LIST };

struct option_list {
	const char **items;
	size_t count;
};

struct option {
	const char *name; /* without dashes; NULL ends a table */
	char letter;      /* short form, or 0 */
	enum option_kind kind;
	size_t offset;
	const char *value;          /* placeholder in help: "FILE" */
	const char *environment;    /* variable, or NULL */
	const char *fallback;       /* as it would be typed; NULL: empty, 0, false */
	const char *const *choices; /* of OPTION_CHOICE, ended by NULL */
	int64_t minimum, maximum;   /* of OPTION_NUMBER */
	bool of_project;            /* a project's sandbox.yaml may set it without being trusted (config_files.h) */
	const char *help;           /* one sentence without period */
};

/* Entries that have nothing but the usual; `at` is the field's offset. */
#define OPTION_TEXT_AT(option, at, placeholder, sentence)                                                              \
	{                                                                                                              \
		.name = (option), .kind = OPTION_TEXT, .offset = (at), .value = (placeholder), .help = (sentence)      \
	}
#define OPTION_FLAG_AT(option, at, sentence)                                                                           \
	{                                                                                                              \
		.name = (option), .kind = OPTION_FLAG, .offset = (at), .help = (sentence)                              \
	}

#define OPTIONS_MAXIMUM 64

/* Who said an option's value last, by its place in the table: "--memory", "SANDBOX_MEMORY", "FILE, line 3"; NULL:
 * nobody, it is the fallback. */
struct option_origins {
	char *of[OPTIONS_MAXIMUM];
};
#define auto_option_origins __attribute__((cleanup(option_origins_release)))
void option_origins_release(struct option_origins *origins);

/* One table and the struct that it fills. */
struct option_set {
	const struct option *options; /* NULL: none */
	void *values;
	struct option_origins *origins; /* or NULL: nobody wants to know */
};

/* Who said the value of the option `name`, or NULL. */
const char *option_origin(const struct option_set *set, const char *name);
/* Notes who has said the option's value. */
void option_note_origin(const struct option_set *set, const struct option *option, const char *origin);

struct parse {
	const struct option_set *sets; /* looked through in order */
	size_t set_count;
	bool command_follows; /* everything from the first argument on belongs to another program */
};

/* Sets one value from text; `where` names option, variable or place in a file in the message. ERR_USAGE "bad-value". */
int option_set_value(const struct option *option, void *values, const char *where, const char *value, struct err *e);
int options_set_fallbacks(const struct option_set *set, struct err *e);
/* What the environment says. ERR_USAGE names the variable. */
int options_set_environment(const struct option_set *set, struct err *e);
/*
 * Parses `count` words. What is no option is moved to the front of `words` and counted in `ret_arguments`. `--` ends
 * the options. ERR_USAGE "unknown-option" with a suggestion, "missing-value", "bad-value".
 */
int options_parse(const struct parse *parse, char **words, size_t count, size_t *ret_arguments, struct err *e);
void option_list_release(struct option_list *list);
/* Releases the lists of a filled struct. */
void options_release(const struct option_set *set);

/* "90", "90s", "5m", "1h" in milliseconds. */
bool option_parse_seconds(const char *text, int64_t *ret_ms);

#endif
