/* delete: container, client configuration and context; the volume only when asked. */
#include "cli/clients.h"
#include "cli/errors.h"
#include "cli/sandbox.h"
#include "cli/verb.h"
#include "docker/container.h"
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

/* 1 when there was a volume. */
static int delete_volume(struct cli *cli, struct err *e)
{
	auto_err struct err problem = ERR_INIT;
	auto_json json_t *volume = docker_volume_inspect(cli->docker, cli->instance.name, &problem);
	if (!volume)
		return problem.kind == ERR_NOT_FOUND ? 0 : err_move(e, &problem);
	if (!json_object_get(json_object_get(volume, "Labels"), INSTANCE_LABEL))
		return err_set(e, ERR_CONFLICT, "foreign-volume", "the volume '%s' was not made by this launcher",
		               cli->instance.name);
	return docker_volume_remove(cli->docker, cli->instance.name, e) < 0 ? -1 : 1;
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct delete_values *values = context;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	if (sandbox_find(cli, &sandbox, e) < 0)
		return -1;
	bool existed = sandbox.state != SANDBOX_ABSENT;
	cli_progress(cli, "deleting '%s'", cli->instance.name);
	if (existed && docker_container_remove(cli->docker, sandbox.id, e) < 0)
		return -1;
	int volume = values->volume ? delete_volume(cli, e) : 0;
	if (volume < 0 || clients_forget(cli, e) < 0)
		return -1;
	if (!existed && !volume)
		cli_say(cli, "there is no sandbox '%s'", cli->instance.name);
	else if (values->volume)
		cli_say(cli, "deleted '%s' and its state", cli->instance.name);
	else
		cli_say(cli,
		        "deleted '%s'; its state is kept in the volume '%s' (`sandbox delete --volume` deletes it)",
		        cli->instance.name, cli->instance.name);
	if (cli_wants_json(cli))
		cli_print_json(sandbox_short_document(cli, "absent"));
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
