/* pause: every process is frozen where it stands; memory stays, processor time is free. */
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/instance_lock.h"
#include "cli/instance/sandbox.h"
#include "docker/container.h"

static int run(struct cli *cli, const void *values, char **arguments, size_t count, struct err *e)
{
	(void)values;
	(void)arguments;
	(void)count;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_instance_lock struct instance_lock lock = INSTANCE_LOCK_INIT;
	if (instance_lock_take(cli, INSTANCE_LOCK_TIMEOUT_MS, &lock, e) < 0 || sandbox_require(cli, &sandbox, e) < 0)
		return -1;
	if (sandbox.state == SANDBOX_STOPPED) {
		err_set(e, ERR_PRECONDITION, "sandbox-stopped", "the sandbox '%s' is stopped", cli->instance.name);
		return cli_hint_command(cli, e, "start");
	}
	if (sandbox.state == SANDBOX_RUNNING && docker_container_pause(cli->docker, sandbox.id, e) < 0)
		return -1;
	cli_say(cli, "'%s' is paused; `sandbox resume` lets it go on", cli->instance.name);
	if (cli_wants_json(cli))
		cli_print_document(cli, sandbox_short_document(cli, "paused"));
	return EXIT_CODE_OK;
}

const struct verb verb_pause = {
	.name = "pause",
	.summary = "freeze the sandbox where it stands",
	.arguments = "",
	.description =
	        "Freezes every process of the sandbox: it takes no processor time and keeps its memory. `sandbox "
	        "resume` (or "
	        "`sandbox start`) lets it go on at once. Timers of Kubernetes and Flyte see a jump of the clock. "
	        "Pausing a paused sandbox is no error.",
	.values_size = 1,
	.arguments_maximum = 0,
	.run = run,
};
