/* delete: container, client configuration and context; the volume only when asked; with arguments, what is in Flyte. */
#include "cli/flytectl/flyte_attributes.h"
#include "cli/flytectl/flyte_delete.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/instance_lock.h"
#include "cli/instance/instances.h"
#include "cli/lifecycle/removal.h"
#include "docker/volume.h"

struct delete_values {
	struct flyte_delete in_flyte;
	bool volume;
};

static const struct option delete_options[] = {
	{ .name = "volume",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct delete_values, volume),
	  .help = "delete the state as well: projects, executions, data, built images" },
	FLYTE_DELETE_OPTIONS,
	{ .name = NULL },
};

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	const struct delete_values *values = context;
	if (count)
		return flyte_delete(cli, &values->in_flyte, arguments, count, e);
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
	.arguments = "[execution NAME... | ATTRIBUTE [WORKFLOW]]",
	.words = (const char *const[]){ "execution", FLYTE_ATTRIBUTE_NAMES, NULL },
	.description =
	        "Stops and deletes the container, the client configuration and the Kubernetes context. The "
	        "state stays in the volume for the next "
	        "`sandbox start`, unless --volume is given. Deleting what is not there is no error.\n\n"
	        "With arguments it deletes in Flyte, as flytectl does: `delete execution NAME` aborts an "
	        "execution, `delete task-resource-attribute` (or another attribute) takes away what `update` has set.",
	.examples =
	        "sandbox delete --volume\tthe sandbox and its state\n"
	        "sandbox delete execution f6a8c\tabort an execution\n"
	        "sandbox delete task-resource-attribute -p flytesnacks -d development\tback to the platform's limits",
	.options = delete_options,
	.values_size = sizeof(struct delete_values),
	.arguments_maximum = ARGUMENTS_ANY,
	.run = run,
};
