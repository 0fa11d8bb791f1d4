/* sandbox: finds the verb, fills its options, runs it, and turns its error into text and an exit code. */

#include "base/text.h"
#include "cli/framework/config_files.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/help.h"
#include "cli/framework/interrupt.h"
#include "cli/framework/verb.h"

#include <stdalign.h>
#include <string.h>
#include <unistd.h>

/* The first word that is neither an option nor an option's value; -1 when there is none. */
static int find_verb(char **words, int count)
{
	for (int i = 1; i < count; i++) {
		const char *word = words[i];
		if (text_equal(word, "--"))
			return i + 1 < count ? i + 1 : -1;
		if (word[0] != '-' || !word[1])
			return i;
		bool is_long = word[1] == '-';
		for (const struct option *option = global_options; option->name; option++) {
			bool named =
			        is_long ? text_equal(word + 2, option->name) : (option->letter == word[1] && !word[2]);
			if (named && option->kind != OPTION_FLAG)
				i++;
		}
	}
	return -1;
}

static int check_arguments(const struct verb *verb, char **arguments, size_t count, struct err *e)
{
	if (count < verb->arguments_minimum) {
		err_set(e, ERR_USAGE, "missing-argument", "`sandbox %s` needs %s", verb->name, verb->arguments);
		return err_hint(e, "`sandbox help %s` tells more", verb->name);
	}
	if (count > verb->arguments_maximum) {
		err_set(e, ERR_USAGE, "extra-argument", "`sandbox %s` does not take '%s'", verb->name,
		        arguments[verb->arguments_maximum]);
		return err_hint(e, "`sandbox help %s` tells more", verb->name);
	}
	return 0;
}

static int check_format(const struct verb *verb, const char *format, struct err *e)
{
	bool known = text_equal(format, "text") || text_equal(format, "json");
	auto_free char *list = xstrdup("text, json");
	for (const char *const *own = verb->formats; own && *own; own++) {
		char *longer = xasprintf("%s, %s", list, *own);
		free(list);
		list = longer;
		known = known || text_equal(format, *own);
	}
	if (known)
		return 0;
	err_set(e, ERR_USAGE, "bad-value", "`sandbox %s` has no output '%s'", verb->name, format);
	return err_hint(e, "it has %s", list);
}

/* What only the whole command line can tell: whether the project's file is trusted. */
static int settle(struct cli *cli, const struct verb *verb, const struct option_set *own,
                  const struct option_set *globals, struct err *e)
{
	const struct option_list *trust = &cli->globals.trust;
	if (verb->ignores_files || verb->shows_files)
		return 0;
	if (config_files_settle(cli->config, NULL, globals, trust, e) < 0 ||
	    (verb->settings_of && config_files_settle(cli->config, verb->settings_of, own, trust, e) < 0))
		return -1;
	return config_files_settle(cli->config, verb->name, own, trust, e);
}

static int run_verb(struct cli *cli, const struct verb *verb, const struct option_set *own,
                    const struct option_set *globals, char **words, size_t count, struct err *e)
{
	const struct option_set sets[] = { *own, *globals };
	const struct parse parse = { .sets = sets, .set_count = 2, .command_follows = verb->command_follows };
	size_t arguments = 0;
	int parsed = options_parse(&parse, words, count, &arguments, e);
	if (cli->globals.help) {
		help_print_verb(stdout, verb);
		return 0;
	}
	if (parsed < 0)
		return err_hint(e, "`sandbox help %s` lists the options", verb->name);
	if (settle(cli, verb, own, globals, e) < 0)
		return -1;
	const char *no_color = getenv("NO_COLOR");
	bool colors = !cli->globals.no_color && text_is_empty(no_color);
	const char *terminal = getenv("TERM");
	colors = colors && !text_equal(terminal, "dumb");
	cli->colors_out = colors && isatty(STDOUT_FILENO);
	cli->colors_err = colors && isatty(STDERR_FILENO);
	if (check_format(verb, cli->globals.output, e) < 0 || check_arguments(verb, words, arguments, e) < 0 ||
	    instance_names_of(cli->globals.name, &cli->instance, e) < 0)
		return -1;
	return verb->run(cli, own->values, words, arguments, e);
}

/* Fallbacks, files, environment. The verbs that only print what is built in do without the files: they have to work
 * when one of those is wrong. */
static int set_defaults(struct cli *cli, const struct verb *verb, const char *section, const struct option_set *set,
                        struct err *e)
{
	if (options_set_fallbacks(set, e) < 0)
		return -1;
	bool reads = verb && !verb->ignores_files;
	if (reads && !section && config_files_load(cli->config, e) < 0)
		return -1;
	if (reads && section && verb->settings_of && config_files_apply(cli->config, verb->settings_of, set, e) < 0)
		return -1;
	if (reads && config_files_apply(cli->config, section, set, e) < 0)
		return -1;
	return options_set_environment(set, e);
}

/* Global options before the verb, then the verb's own and more global ones. */
static int dispatch(struct cli *cli, int argc, char **argv, const struct verb **ret_verb, struct err *e)
{
	auto_option_origins struct option_origins origins = { .of = { NULL } };
	const struct option_set globals = { global_options, &cli->globals, &origins };
	int at = find_verb(argv, argc);
	if (set_defaults(cli, at < 0 ? NULL : verb_find(argv[at]), NULL, &globals, e) < 0)
		return -1;
	size_t ignored = 0;
	const struct parse parse = { .sets = &globals, .set_count = 1 };
	size_t before = at < 0 ? (size_t)argc - 1 : (size_t)at - 1;
	if (before == 1 && text_equal(argv[1], "--version")) {
		at = -1;
		*ret_verb = verb_find("version");
	} else if (options_parse(&parse, argv + 1, before, &ignored, e) < 0) {
		return -1;
	}
	if (at < 0 && !*ret_verb) {
		help_print_overview(cli->globals.help ? stdout : stderr);
		return cli->globals.help ? EXIT_CODE_OK : EXIT_CODE_USAGE;
	}
	const struct verb *verb = *ret_verb ? *ret_verb : verb_find(argv[at]);
	if (!verb)
		return verb_unknown(argv[at], e);
	*ret_verb = verb;
	cli->verb = verb->name;
	auto_free void *values = xcalloc(1, verb->values_size);
	auto_option_origins struct option_origins own_origins = { .of = { NULL } };
	const struct option_set own = { verb->options, values, &own_origins };
	int code = set_defaults(cli, verb, verb->name, &own, e);
	cli->options = &own;
	if (code == 0)
		code = run_verb(cli, verb, &own, &globals, at < 0 ? argv + argc : argv + at + 1,
		                at < 0 ? 0 : (size_t)(argc - at - 1), e);
	options_release(&own);
	cli->options = NULL;
	return code;
}

int main(int argc, char **argv)
{
	struct config_files config = CONFIG_FILES_INIT;
	struct cli cli = { .globals = { .name = NULL }, .config = &config };
	auto_err struct err e = ERR_INIT;
	const struct verb *verb = NULL;
	interrupt_setup();
	cli.colors_err = isatty(STDERR_FILENO) && text_is_empty(getenv("NO_COLOR"));
	int code = dispatch(&cli, argc, argv, &verb, &e);
	if (code < 0) {
		bool passes_code = verb && verb->failure_code && e.kind != ERR_USAGE && e.kind != ERR_CANCELLED;
		code = passes_code ? verb->failure_code : exit_code_of(&e, interrupt_signal());
		cli_print_failure(&cli, &e, code, !(verb && verb->foreign_stdout));
	}
	cli_progress_end(&cli);
	if (fflush(stdout) != 0 && code == 0)
		code = EXIT_CODE_FAILURE;
	option_list_release(&cli.globals.trust);
	cli_release(&cli);
	config_files_release(&config);
	return code;
}
