/* status: what the engine and PID 1 say, as a table or as JSON; the exit code tells scripts. */
#include "base/text.h"
#include "cli/clients/client_environment.h"
#include "cli/clients/forward.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/sandbox.h"
#include "cli/instance/service_table.h"
#include "cli/terminal/color.h"
#include "cli/terminal/terminal.h"

#include <unistd.h>

#define TEXT_MAXIMUM ((size_t)256 * 1024)

static int code_of(const struct sandbox *sandbox, const char *state)
{
	if (sandbox->state == SANDBOX_ABSENT)
		return EXIT_CODE_ABSENT;
	if (sandbox->state != SANDBOX_RUNNING)
		return EXIT_CODE_STOPPED;
	return text_equal(state, "running") ? EXIT_CODE_OK : EXIT_CODE_NOT_READY;
}

static enum color color_of(int code)
{
	return code == EXIT_CODE_OK ? COLOR_GREEN : code == EXIT_CODE_NOT_READY ? COLOR_YELLOW : COLOR_RED;
}

static void print_text(struct cli *cli, const struct sandbox *sandbox, const struct services *services,
                       const char *state, int code)
{
	bool colors = cli->colors_out;
	printf("%s  %s%s%s", cli->instance.name, color_code(colors, color_of(code)), state, color_reset(colors));
	if (text_equal(state, "crashed"))
		printf("  (exit code %d%s; `sandbox logs` tells more)", sandbox->exit_code,
		       sandbox->out_of_memory ? ", out of memory" : "");
	if (sandbox->state == SANDBOX_ABSENT)
		printf("  (`sandbox start%s%s` makes one)", cli->instance.is_default ? "" : " --name ",
		       cli->instance.is_default ? "" : cli->instance.name);
	putchar('\n');
	if (!services->count)
		return;
	auto_buf struct buf text = BUF_INIT(TEXT_MAXIMUM);
	bool terminal = isatty(STDOUT_FILENO);
	const struct service_table_style style = { .columns = terminal ? terminal_columns(STDOUT_FILENO) : 0,
		                           .colors = colors };
	service_table_render(services, &sandbox->ports, &style, &text);
	printf("\n%s", buf_text(&text));
	auto_free char *http = ports_endpoint(&sandbox->ports, PORT_HTTP);
	if (code == EXIT_CODE_OK && *http)
		printf("\nConsole  %s/console\n", http);
}

struct status_values {
	struct option_list override_name;
};

static const struct option status_options[] = {
	{ .name = "override-name",
	  .kind = OPTION_LIST,
	  .offset = offsetof(struct status_values, override_name),
	  .value = "VALUE=VARIABLE",
	  .help = "with -o env: another variable for a value, as of `sandbox env`" },
	{ .name = NULL },
};

static const char *const status_formats[] = { "env", "name", NULL };

static int print_environment(struct cli *cli, const struct sandbox *sandbox, const char *state,
                             const struct option_list *overrides, struct err *e)
{
	auto_json json_t *environment = client_environment(cli, sandbox, overrides, e);
	if (!environment)
		return -1;
	json_object_set_new(environment, "SANDBOX_STATE", json_string(state));
	client_environment_print(environment, false, stdout);
	return 0;
}

static void print_names(const struct services *services)
{
	for (size_t i = 0; i < services->count; i++)
		puts(services->items[i].name);
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct status_values *values = context;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_services struct services services = SERVICES_INIT;
	auto_err struct err problem = ERR_INIT;
	if (sandbox_find(cli, &sandbox, e) < 0)
		return -1;
	/* A container without an answering PID 1 is starting (or hanging): a state, not a failure of ours. */
	if (sandbox.state == SANDBOX_RUNNING && sandbox_services(cli, &sandbox, &services, &problem) < 0) {
		if (problem.kind == ERR_CANCELLED)
			return err_move(e, &problem);
		cli_say_verbose(cli, "%s", err_message(&problem));
	}
	const char *state = sandbox_state_text(&sandbox, &services);
	int code = code_of(&sandbox, state);
	if (cli_wants_json(cli))
		cli_print_document(cli, sandbox_document(cli, &sandbox, &services));
	else if (cli_wants(cli, "env"))
		return print_environment(cli, &sandbox, state, &values->override_name, e) < 0 ? -1 : code;
	else if (cli_wants(cli, "name"))
		print_names(&services);
	else if (!cli->globals.quiet)
		print_text(cli, &sandbox, &services, state, code);
	if (sandbox.state == SANDBOX_RUNNING && forward_is_needed(cli) && !forward_process(cli))
		cli_say(cli, "nothing forwards its ports to this machine: `sandbox forward`, or `sandbox start`");
	return code;
}

const struct verb verb_status = {
	.name = "status",
	.summary = "tell the state of the sandbox and its services",
	.arguments = "",
	.description = "Prints the sandbox's state and a table of its services. The exit code is 0 when it runs and is "
	               "ready, 3 when there is no "
	               "sandbox, 4 when it is stopped or paused, 5 when it runs and is not ready.\n\n"
	               "States: absent, stopped, crashed (ended by itself), paused, starting, degraded (a service has "
	               "failed and is being restarted), "
	               "running.\n\n"
	               "With -o env: the variables of `sandbox env` and SANDBOX_STATE as lines of an env file. With -o "
	               "name: the "
	               "services' names.",
	.examples = "sandbox status -o json | jq .services\tthe services for a script\n"
	            "sandbox status -q && pytest\trun tests only with a ready sandbox",
	.options = status_options,
	.values_size = sizeof(struct status_values),
	.formats = status_formats,
	.arguments_maximum = 0,
	.run = run,
};
