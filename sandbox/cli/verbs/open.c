/* open: the console in the person's browser. */
#include "base/text.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct open_values {
	bool print;
};

static const struct option open_options[] = {
	{ .name = "print",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct open_values, print),
	  .of_project = true,
	  .help = "only print the address" },
	{ .name = NULL },
};

/* True when the program could be run and said that it went well. */
static bool run_browser(const char *program, const char *url)
{
	char *const command[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)url, NULL };
	posix_spawn_file_actions_t actions;
	pid_t child = 0;
	int status = -1;
	if (posix_spawn_file_actions_init(&actions) != 0)
		return false;
	/* Browsers chatter; stdout is ours. */
	(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	bool spawned = posix_spawnp(&child, program, &actions, NULL, command, environ) == 0;
	posix_spawn_file_actions_destroy(&actions);
	while (spawned && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return spawned && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool show(const char *url)
{
	static const char *const programs[] = { "xdg-open", "open", "wslview" };
	const char *chosen = getenv("BROWSER");
	if (!text_is_empty(chosen) && run_browser(chosen, url))
		return true;
	for (size_t i = 0; i < ARRAY_LENGTH(programs); i++) {
		if (run_browser(programs[i], url))
			return true;
	}
	return false;
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct open_values *values = context;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	if (sandbox_require_running(cli, &sandbox, e) < 0)
		return -1;
	auto_json json_t *endpoints = sandbox_endpoints(&sandbox);
	const char *url = json_string_at(endpoints, "console", NULL);
	if (!url)
		return err_set(e, ERR_NOT_FOUND, "no-console", "the sandbox '%s' publishes no port for its console",
		               cli->instance.name);
	bool shown = !values->print && !cli_wants_json(cli) && show(url);
	if (cli_wants_json(cli))
		cli_print_document(cli, json_pack("{s:s, s:s}", "name", cli->instance.name, "url", url));
	else if (values->print)
		puts(url);
	else if (shown)
		cli_say(cli, "opened %s", url);
	else
		cli_say(cli, "no browser could be started here; the address is %s", url);
	return EXIT_CODE_OK;
}

const struct verb verb_open = {
	.name = "open",
	.summary = "open the console in a browser",
	.arguments = "",
	.description = "Opens the console with $BROWSER, xdg-open, open or wslview, the first that works; where none "
	               "does, the address is "
	               "printed.",
	.options = open_options,
	.values_size = sizeof(struct open_values),
	.arguments_maximum = 0,
	.run = run,
};
