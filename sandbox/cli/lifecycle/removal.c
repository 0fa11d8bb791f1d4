#include "cli/lifecycle/removal.h"

#include "cli/clients/clients.h"
#include "cli/instance/sandbox.h"
#include "docker/container.h"
#include "docker/volume.h"

static int remove_volume(struct cli *cli, struct err *e)
{
	auto_err struct err problem = ERR_INIT;
	auto_json json_t *volume = docker_volume_inspect(cli->docker, cli->instance.name, &problem);
	if (!volume)
		return problem.kind == ERR_NOT_FOUND ? 0 : err_move(e, &problem);
	if (!json_object_get(json_object_get(volume, "Labels"), INSTANCE_LABEL))
		return err_set(e, ERR_CONFLICT, "foreign-volume", "the volume '%s' was not made by this launcher",
		               cli->instance.name);
	return docker_volume_remove(cli->docker, cli->instance.name, e);
}

int instance_remove(struct cli *cli, bool volume, struct err *e)
{
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	if (sandbox_find(cli, &sandbox, e) < 0)
		return -1;
	if (sandbox.state != SANDBOX_ABSENT && docker_container_remove(cli->docker, sandbox.id, e) < 0)
		return -1;
	if (volume && remove_volume(cli, e) < 0)
		return -1;
	return clients_forget(cli, e);
}
