/* env: the variables that clients need, for a shell to take. */
#include "cli/clients/client_environment.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"

struct env_values {
	struct option_list override_name;
};

static const struct option env_options[] = {
	{ .name = "override-name",
	  .kind = OPTION_LIST,
	  .offset = offsetof(struct env_values, override_name),
	  .value = "VALUE=VARIABLE",
	  .help = "another variable for a value: name, config, kubeconfig, grpc, insecure, console, s3, s3.user, "
	          "s3.password, postgres, kubernetes" },
	{ .name = NULL },
};

static const char *const env_formats[] = { "env", NULL };

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct env_values *values = context;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	if (sandbox_require(cli, &sandbox, e) < 0)
		return -1;
	auto_json json_t *environment = client_environment(cli, &sandbox, &values->override_name, e);
	if (!environment)
		return -1;
	if (cli_wants_json(cli))
		cli_print_document(cli, json_pack("{s:s, s:O}", "name", cli->instance.name, "env", environment));
	else
		client_environment_print(environment, cli_wants(cli, "text"), stdout);
	return EXIT_CODE_OK;
}

const struct verb verb_env = {
	.name = "env",
	.summary = "print the environment that clients need",
	.arguments = "",
	.description = "Prints the variables with which flytekit, flytectl, kubectl and S3 clients find this instance, "
	               "as commands for a "
	               "POSIX shell; with -o env as lines NAME=value for an env file. The passwords are the well-known "
	               "ones of "
	               "the Flyte sandbox.",
	.examples = "eval \"$(sandbox env --name ci1)\"\tthis shell's clients talk to ci1\n"
	            "sandbox env -o env --override-name console=NEXT_PUBLIC_FLYTE >.env\tan env file with a name of "
	            "one's own",
	.options = env_options,
	.values_size = sizeof(struct env_values),
	.formats = env_formats,
	.arguments_maximum = 0,
	.run = run,
};
