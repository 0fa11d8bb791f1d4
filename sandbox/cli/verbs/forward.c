/* forward: the ports of a sandbox behind an SSH engine, on this machine (forward.h). */
#include "cli/clients/forward.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/sandbox.h"

struct forward_values {
	bool background;
};

static const struct option forward_options[] = {
	{ .name = "background",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct forward_values, background),
	  .help = "as `start` runs it: say nothing once the ports listen" },
	{ .name = NULL },
};

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct forward_values *values = context;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	if (sandbox_require_running(cli, &sandbox, e) < 0)
		return -1;
	if (!forward_is_needed(cli)) {
		err_set(e, ERR_PRECONDITION, "forward-needless", "the engine at %s publishes the ports itself", cli->endpoint.address);
		return err_hint(e, "only engines behind ssh:// need `sandbox forward`");
	}
	return forward_run(cli, &sandbox.ports, values->background, e) < 0 ? -1 : EXIT_CODE_OK;
}

const struct verb verb_forward = {
	.name = "forward",
	.summary = "bring the ports of a sandbox behind SSH to this machine",
	.arguments = "",
	.description = "With an engine behind ssh:// the sandbox's ports are on the other machine. `sandbox start` leaves a process in the background "
	               "that joins the same ports of this machine's loopback to them through SSH, so that every URL and configuration is as with "
	               "a local engine; `stop` and `delete` end it. This verb does it in the foreground, until Ctrl-C: after this machine was "
	               "restarted, or the connection was lost.",
	.options = forward_options,
	.values_size = sizeof(struct forward_values),
	.arguments_maximum = 0,
	.run = run,
};
