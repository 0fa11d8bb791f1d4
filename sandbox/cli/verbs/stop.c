/* stop: the services end in order; container and volume stay, so that `start` goes on from there. */
#include "base/clock.h"
#include "cli/clients/forward.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/instance_lock.h"
#include "cli/instance/sandbox.h"
#include "cli/instance/spec.h"
#include "docker/container.h"

struct stop_values {
	int64_t timeout_ms;
};

static const struct option stop_options[] = {
	{ .name = "timeout",
	  .letter = 't',
	  .kind = OPTION_SECONDS,
	  .offset = offsetof(struct stop_values, timeout_ms),
	  .value = "TIME",
	  .fallback = "15s",
	  .of_project = true,
	  .help = "how long the services may take to end before they are killed" },
	{ .name = NULL },
};

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct stop_values *values = context;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_instance_lock struct instance_lock lock = INSTANCE_LOCK_INIT;
	if (instance_lock_take(cli, INSTANCE_LOCK_TIMEOUT_MS, &lock, e) < 0 || sandbox_require(cli, &sandbox, e) < 0)
		return -1;
	int64_t began = clock_monotonic_ms();
	if (sandbox.state == SANDBOX_STOPPED) {
		cli_say(cli, "the sandbox '%s' is stopped", cli->instance.name);
	} else {
		/* A paused container's processes cannot react to the signal. */
		if (sandbox.state == SANDBOX_PAUSED && docker_container_unpause(cli->docker, sandbox.id, e) < 0)
			return -1;
		cli_progress(cli, "stopping '%s'", cli->instance.name);
		if (docker_container_stop(cli->docker, sandbox.id, (int)(values->timeout_ms / 1000), e) < 0)
			return -1;
		cli_say(cli, "stopped '%s' in %.1f s; its state is kept", cli->instance.name,
		        (double)(clock_monotonic_ms() - began) / 1000);
	}
	forward_stop(cli);
	if (cli_wants_json(cli))
		cli_print_document(cli, sandbox_short_document(cli, "stopped"));
	return EXIT_CODE_OK;
}

const struct verb verb_stop = {
	.name = "stop",
	.summary = "stop the sandbox and keep its state",
	.arguments = "",
	.description = "Ends all services in order and keeps container and volume: `sandbox start` goes on with all "
	               "projects and executions that "
	               "were there. Stopping a stopped sandbox is no error.",
	.options = stop_options,
	.values_size = sizeof(struct stop_values),
	.arguments_maximum = 0,
	.run = run,
};
