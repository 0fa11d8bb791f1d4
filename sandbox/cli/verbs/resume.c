/* resume: what `pause` has frozen goes on. */
#include "base/clock.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/instance_lock.h"
#include "cli/lifecycle/arrival.h"
#include "docker/container.h"

struct resume_values {
	int64_t timeout_ms;
};

static const struct option resume_options[] = {
	{ .name = "timeout",
	  .letter = 't',
	  .kind = OPTION_SECONDS,
	  .offset = offsetof(struct resume_values, timeout_ms),
	  .value = "TIME",
	  .environment = "SANDBOX_TIMEOUT",
	  .fallback = "300s",
	  .of_project = true,
	  .help = "how long the sandbox may take to be ready" },
	{ .name = NULL },
};

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct resume_values *values = context;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_services struct services services = SERVICES_INIT;
	auto_instance_lock struct instance_lock lock = INSTANCE_LOCK_INIT;
	int64_t began = clock_monotonic_ms();
	if (instance_lock_take(cli, values->timeout_ms, &lock, e) < 0 || sandbox_require(cli, &sandbox, e) < 0)
		return -1;
	if (sandbox.state == SANDBOX_STOPPED) {
		err_set(e, ERR_PRECONDITION, "sandbox-stopped", "the sandbox '%s' is stopped", cli->instance.name);
		return cli_hint_command(cli, e, "start");
	}
	if (sandbox.state == SANDBOX_PAUSED && docker_container_unpause(cli->docker, sandbox.id, e) < 0)
		return -1;
	const struct arrival arrival = { .cli = cli, .sandbox = &sandbox, .timeout_ms = values->timeout_ms };
	if (arrival_wait(&arrival, &services, e) < 0)
		return -1;
	cli_say(cli, "'%s' runs again after %lld ms", cli->instance.name, (long long)(clock_monotonic_ms() - began));
	sandbox.state = SANDBOX_RUNNING;
	if (cli_wants_json(cli))
		cli_print_document(cli, sandbox_document(cli, &sandbox, &services));
	return EXIT_CODE_OK;
}

const struct verb verb_resume = {
	.name = "resume",
	.summary = "let a paused sandbox go on",
	.arguments = "",
	.description = "Lets a paused sandbox go on and waits until its services are ready. Resuming a running sandbox "
	               "is no error.",
	.options = resume_options,
	.values_size = sizeof(struct resume_values),
	.arguments_maximum = 0,
	.run = run,
};
