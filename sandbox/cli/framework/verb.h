/*
 * What a verb is. One file per verb defines one `const struct verb`; verbs/verbs.c lists them in the order of the help. A
 * verb's function returns the exit code, or -1 with `e` set, which main.c prints and turns into an exit code
 * (exit_codes.h).
 */
#ifndef SANDBOX_CLI_FRAMEWORK_VERB_H
#define SANDBOX_CLI_FRAMEWORK_VERB_H

#include "cli/framework/cli.h"
#include "cli/framework/options.h"

#define ARGUMENTS_ANY SIZE_MAX

struct verb {
	const char *name;
	const char *summary;     /* one line */
	const char *arguments;   /* "[SERVICE]", "" for none */
	const char *const *words; /* what shells offer as the first argument, ended by NULL; NULL: by `arguments` */
	const char *description; /* paragraphs, "\n\n" between them */
	const char *examples;    /* lines "command\tmeaning", or NULL */
	const struct option *options;
	size_t values_size; /* of the struct that the options fill */
	size_t arguments_minimum;
	size_t arguments_maximum;
	bool command_follows;
	const char *const *formats; /* what -o may be beside "text" and "json", ended by NULL; NULL: nothing */
	bool ignores_files;         /* of settings (config_files.h) */
	bool shows_files;           /* also what they must not say */
	const char *settings_of;    /* another verb with the same options, whose settings hold here, too, or NULL */
	bool foreign_stdout;        /* stdout carries another program's output, so that -o json puts no error there */
	int failure_code; /* exit code of our own failures when the verb passes another program's on; 0: exit_codes.h
	                     decides */
	int (*run)(struct cli *cli, const void *values, char **arguments, size_t count, struct err *e);
};

extern const struct verb *const verbs[];
extern const size_t verb_count;
const struct verb *verb_find(const char *name);
/* Sets ERR_USAGE "unknown-verb" with what was probably meant, also by the names that other tools have. Returns -1. */
int verb_unknown(const char *name, struct err *e);

#endif
