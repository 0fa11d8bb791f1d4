/* restart: stop and start of the container as it is; settings of `start` are not looked at. */
#include "base/clock.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/instance_lock.h"
#include "cli/lifecycle/arrival.h"
#include "docker/container.h"

struct restart_values {
	int64_t timeout_ms;
	int64_t grace_ms;
};

#define FIELD(field) offsetof(struct restart_values, field)
static const struct option restart_options[] = {
	ARRIVAL_TIMEOUT_OPTION(FIELD(timeout_ms)),
	{ .name = "grace",
	  .kind = OPTION_SECONDS,
	  .offset = FIELD(grace_ms),
	  .value = "TIME",
	  .fallback = "15s",
	  .of_project = true,
	  .help = "how long the services may take to end before they are killed" },
	{ .name = NULL },
};

static int stop(struct cli *cli, const struct sandbox *sandbox, int64_t grace_ms, struct err *e)
{
	if (sandbox->state == SANDBOX_PAUSED && docker_container_unpause(cli->docker, sandbox->id, e) < 0)
		return -1;
	if (sandbox->state == SANDBOX_STOPPED)
		return 0;
	cli_progress(cli, "stopping '%s'", cli->instance.name);
	int outcome = docker_container_stop(cli->docker, sandbox->id, (int)(grace_ms / 1000), e);
	cli_progress_end(cli);
	return outcome;
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct restart_values *values = context;
	auto_sandbox struct sandbox before = SANDBOX_INIT;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_services struct services services = SERVICES_INIT;
	auto_instance_lock struct instance_lock lock = INSTANCE_LOCK_INIT;
	int64_t began = clock_monotonic_ms();
	if (instance_lock_take(cli, values->timeout_ms, &lock, e) < 0 || sandbox_require(cli, &before, e) < 0 ||
	    stop(cli, &before, values->grace_ms, e) < 0 || docker_container_start(cli->docker, before.id, e) < 0 ||
	    sandbox_find(cli, &sandbox, e) < 0)
		return -1;
	const struct arrival arrival = { .cli = cli, .sandbox = &sandbox, .timeout_ms = values->timeout_ms };
	if (arrival_wait(&arrival, &services, e) < 0 || arrival_settle(&arrival, e) < 0)
		return -1;
	cli_say(cli, "restarted '%s' in %.1f s", cli->instance.name, (double)(clock_monotonic_ms() - began) / 1000);
	arrival_announce(&arrival, &services);
	return EXIT_CODE_OK;
}

const struct verb verb_restart = {
	.name = "restart",
	.summary = "stop the sandbox and start it again as it is",
	.arguments = "",
	.description =
	        "Ends all services in order and starts them again, with the container that is there: ports, image and "
	        "settings stay what they were. A stopped sandbox is started. To change settings use `sandbox stop` "
	        "and `sandbox start`.",
	.options = restart_options,
	.values_size = sizeof(struct restart_values),
	.arguments_maximum = 0,
	.run = run,
};
