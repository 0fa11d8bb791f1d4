/* exec: a command in the sandbox's container, with its exit code. */
#include "base/text.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/interrupt.h"
#include "cli/framework/verb.h"
#include "cli/instance/container_output.h"
#include "cli/instance/sandbox.h"
#include "cli/terminal/raw_terminal.h"
#include "docker/exec.h"

#include <unistd.h>

struct exec_values {
	bool interactive;
	bool terminal;
	const char *user;
	const char *directory;
	struct option_list env;
};

#define FIELD(field) offsetof(struct exec_values, field)
static const struct option exec_options[] = {
	{ .name = "interactive",
	  .letter = 'i',
	  .kind = OPTION_FLAG,
	  .offset = FIELD(interactive),
	  .of_project = true,
	  .help = "hand our stdin to the command" },
	{ .name = "tty",
	  .letter = 't',
	  .kind = OPTION_FLAG,
	  .offset = FIELD(terminal),
	  .of_project = true,
	  .help = "give the command a terminal" },
	{ .name = "user",
	  .letter = 'u',
	  .kind = OPTION_TEXT,
	  .offset = FIELD(user),
	  .value = "USER",
	  .of_project = true,
	  .help = "user in the container" },
	{ .name = "workdir",
	  .letter = 'w',
	  .kind = OPTION_TEXT,
	  .offset = FIELD(directory),
	  .value = "DIR",
	  .of_project = true,
	  .help = "working directory in the container" },
	{ .name = "env",
	  .letter = 'e',
	  .kind = OPTION_LIST,
	  .offset = FIELD(env),
	  .value = "K=V",
	  .of_project = true,
	  .help = "environment variable" },
	{ .name = NULL },
};

static bool terminal_size(void *context, unsigned *ret_rows, unsigned *ret_columns)
{
	(void)context;
	return raw_terminal_size(STDIN_FILENO, ret_rows, ret_columns);
}

static int run_interactive(struct cli *cli, const struct sandbox *sandbox, const struct docker_exec *exec,
                           int *ret_code, struct err *e)
{
	struct raw_terminal terminal = RAW_TERMINAL_INIT;
	if (exec->terminal && raw_terminal_enter(&terminal, STDIN_FILENO, e) < 0)
		return -1;
	const struct docker_exec_input input = { .fd = STDIN_FILENO,
		                                 .resize_fd = terminal.resize_fd,
		                                 .size = terminal_size };
	int outcome = docker_exec_attach(cli->docker, sandbox->id, exec, &input, &container_output_passthrough, ret_code, e);
	raw_terminal_leave(&terminal);
	return outcome;
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	const struct exec_values *values = context;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	if (values->terminal && values->interactive && !isatty(STDIN_FILENO)) {
		err_set(e, ERR_USAGE, "no-terminal", "-t needs a terminal, and stdin is none");
		return err_hint(e, "leave out -t");
	}
	if (sandbox_require_running(cli, &sandbox, e) < 0)
		return -1;
	auto_free const char **command = xcalloc(count + 1, sizeof(*command));
	auto_free const char **environment = xcalloc(values->env.count + 1, sizeof(*environment));
	for (size_t i = 0; i < count; i++)
		command[i] = arguments[i];
	for (size_t i = 0; i < values->env.count; i++)
		environment[i] = values->env.items[i];
	const struct docker_exec exec = { .command = command,
		                          .user = values->user,
		                          .directory = values->directory,
		                          .environment = values->env.count ? environment : NULL,
		                          .terminal = values->terminal };
	int code = 0;
	int outcome = values->interactive
	                      ? run_interactive(cli, &sandbox, &exec, &code, e)
	                      : docker_exec_run(cli->docker, sandbox.id, &exec, &container_output_passthrough, &code, e);
	return outcome < 0 ? -1 : code;
}

const struct verb verb_exec = {
	.name = "exec",
	.summary = "run a command in the sandbox",
	.arguments = "[--] COMMAND [ARGUMENT]...",
	.description =
	        "Runs a command in the sandbox's container: kubectl, psql, ctr and buildctl are there. stdout and "
	        "stderr stay apart, and the exit code "
	        "is the command's; 125 means that the launcher itself failed. Options stand before the command. "
	        "An interrupt ends the launcher, "
	        "not the command, unless the command has a terminal (-it), where Ctrl-C is its own.",
	.examples = "sandbox exec -- kubectl get pods -A\tthe cluster from inside\n"
	            "sandbox exec -it bash\ta shell\n"
	            "sandbox exec -i -- psql postgresql://postgres:postgres@127.0.0.1/flyte <query.sql\tinput through a pipe",
	.options = exec_options,
	.values_size = sizeof(struct exec_values),
	.arguments_minimum = 1,
	.arguments_maximum = ARGUMENTS_ANY,
	.command_follows = true,
	.foreign_stdout = true,
	.failure_code = EXIT_CODE_EXEC_FAILURE,
	.run = run,
};
