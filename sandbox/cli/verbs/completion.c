/* completion: the script that makes a shell complete our words. */
#include "base/text.h"
#include "cli/framework/completion.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"

static int run(struct cli *cli, const void *values, char **arguments, size_t count, struct err *e)
{
	(void)cli;
	(void)values;
	(void)count;
	static const struct {
		const char *shell;
		void (*print)(FILE *out);
	} shells[] = { { "bash", completion_print_bash },
		       { "zsh", completion_print_zsh },
		       { "fish", completion_print_fish } };
	for (size_t i = 0; i < ARRAY_LENGTH(shells); i++) {
		if (text_equal(arguments[0], shells[i].shell)) {
			shells[i].print(stdout);
			return EXIT_CODE_OK;
		}
	}
	err_set(e, ERR_USAGE, "bad-value", "there is no completion for the shell '%s'", arguments[0]);
	return err_hint(e, "the shells are bash, zsh and fish");
}

const struct verb verb_completion = {
	.name = "completion",
	.summary = "print the completion script of a shell",
	.arguments = "SHELL",
	.words = (const char *const[]){ "bash", "zsh", "fish", NULL },
	.description = "Prints a script that makes bash, zsh or fish complete verbs, options, their values, and the "
	               "names of the "
	               "instances and services that there are.",
	.examples = "source <(sandbox completion bash)\tin this shell\n"
	            "sandbox completion fish >~/.config/fish/completions/sandbox.fish\tfor every fish",
	.values_size = 1,
	.arguments_minimum = 1,
	.arguments_maximum = 1,
	.foreign_stdout = true,
	.ignores_files = true,
	.run = run,
};
