/* help: everything comes from the tables (help.h). */
#include "base/text.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/help.h"

struct help_values {
	bool man;
	bool markdown;
	bool verbs;
	bool errors;
};

static const struct option help_options[] = {
	{ .name = "man",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct help_values, man),
	  .help = "print the manual page in roff; with a verb, that verb's page" },
	{ .name = "markdown",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct help_values, markdown),
	  .help = "print the guide's page, docs/guide/cli.md" },
	{ .name = "verbs",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct help_values, verbs),
	  .help = "print the names of the verbs, one a line" },
	{ .name = "errors",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct help_values, errors),
	  .help = "print the table of errors with their exit codes, docs/guide/errors.md" },
	{ .name = NULL },
};

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)cli;
	const struct help_values *values = context;
	if (values->verbs) {
		help_print_verb_names(stdout);
	} else if (values->man && !count) {
		help_print_manual(stdout);
	} else if (values->errors) {
		help_print_errors(stdout);
	} else if (values->markdown) {
		help_print_markdown(stdout);
	} else if (count == 0) {
		help_print_overview(stdout);
	} else {
		const struct verb *verb = verb_find(arguments[0]);
		if (!verb)
			return verb_unknown(arguments[0], e);
		if (values->man)
			help_print_verb_manual(stdout, verb);
		else
			help_print_verb(stdout, verb);
	}
	return EXIT_CODE_OK;
}

const struct verb verb_help = {
	.name = "help",
	.summary = "tell about the verbs and their options",
	.arguments = "[VERB]",
	.description = "Prints the verbs, or one verb's options and examples.",
	.options = help_options,
	.values_size = sizeof(struct help_values),
	.arguments_maximum = 1,
	.foreign_stdout = true,
	.ignores_files = true,
	.run = run,
};
