/* delete: container, client configuration and context; the volume only when asked. */
#include "cli/errors.h"
#include "cli/instance_lock.h"
#include "cli/instances.h"
#include "cli/verb.h"
#include "docker/volume.h"

struct delete_values {
	bool volume;
};

static const struct option delete_options[] = {
	{ .name = "volume",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct delete_values, volume),
	  .help = "delete the state as well: projects, executions, data, built images" },
	{ .name = NULL },
};

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct delete_values *values = context;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_instance_lock struct instance_lock lock = INSTANCE_LOCK_INIT;
	auto_err struct err problem = ERR_INIT;
	if (instance_lock_take(cli, INSTANCE_LOCK_TIMEOUT_MS, &lock, e) < 0 || sandbox_find(cli, &sandbox, e) < 0)
		return -1;
	auto_json json_t *kept = docker_volume_inspect(cli->docker, cli->instance.name, &problem);
	if (!kept && problem.kind != ERR_NOT_FOUND)
		return err_move(e, &problem);
	cli_progress(cli, "deleting '%s'", cli->instance.name);
	if (instance_remove(cli, values->volume, e) < 0)
		return -1;
	if (sandbox.state == SANDBOX_ABSENT && !(values->volume && kept))
		cli_say(cli, "there is no sandbox '%s'", cli->instance.name);
	else if (values->volume)
		cli_say(cli, "deleted '%s' and its state", cli->instance.name);
	else
		cli_say(cli,
		        "deleted '%s'; its state is kept in the volume '%s' (`sandbox delete --volume` deletes it)",
		        cli->instance.name, cli->instance.name);
	if (cli_wants_json(cli))
		cli_print_document(cli, sandbox_short_document(cli, "absent"));
	return EXIT_CODE_OK;
}

const struct verb verb_delete = {
	.name = "delete",
	.summary = "delete the sandbox, with its state if asked",
	.arguments = "",
	.description = "Stops and deletes the container, the client configuration and the Kubernetes context. The "
	               "state stays in the volume for the next "
	               "`sandbox start`, unless --volume is given. Deleting what is not there is no error.",
	.options = delete_options,
	.values_size = sizeof(struct delete_values),
	.arguments_maximum = 0,
	.run = run,
};
