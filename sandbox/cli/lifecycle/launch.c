#include "cli/lifecycle/launch.h"

#include "base/text.h"
#include "cli/framework/interrupt.h"
#include "docker/container.h"
#include "docker/volume.h"

#include <stdlib.h>
#include <string.h>

#define CLEANUP_STOP_SECONDS 10

void launch_init(struct launch *launch, struct cli *cli)
{
	*launch = (struct launch){ .cli = cli, .docker = docker_client_clone(cli->docker, -1) };
}

void launch_release(struct launch *launch)
{
	free(launch->container);
	docker_client_free(launch->docker);
	*launch = (struct launch)LAUNCH_INIT;
}

static int ensure_volume(struct launch *launch, const json_t *body, struct err *e)
{
	struct cli *cli = launch->cli;
	auto_err struct err problem = ERR_INIT;
	auto_json json_t *found = docker_volume_inspect(launch->docker, cli->instance.name, &problem);
	if (found && !json_object_get(json_object_get(found, "Labels"), INSTANCE_LABEL)) {
		err_set(e, ERR_CONFLICT, "foreign-volume", "the volume '%s' was not made by this launcher",
		        cli->instance.name);
		return err_hint(e, "remove it (`docker volume rm %s`), or use another name: --name NAME",
		                cli->instance.name);
	}
	if (found)
		return 0;
	if (problem.kind != ERR_NOT_FOUND)
		return err_move(e, &problem);
	auto_json json_t *labels = json_copy(json_lookup(body, "Labels"));
	json_object_del(labels, SPEC_LABEL);
	json_object_del(labels, SPEC_SETTINGS_LABEL);
	launch->created_volume = docker_volume_create(launch->docker, cli->instance.name, labels, e) == 0;
	return launch->created_volume ? 0 : -1;
}

/* The error tells of an image that is no sandbox. */
static int unsuitable(struct err *e)
{
	e->id = "image-unsuitable";
	return err_hint(
	        e, "this is no sandbox image: build one with scripts/build-image, or name another one with --image");
}

/*
 * What this machine lacks is left out before anything is asked for; what an engine elsewhere lacks is known from its
 * refusal. Create: "invalid CapAdd: capability not supported by your kernel or not available in the current
 * environment: "CAP_SYS_RESOURCE"". Start: "unable to apply caps: operation not permitted"; that runc does not say
 * which, but it is this one that small virtual machines and containers do not give.
 */
static bool leave_out_capability(struct cli *cli, json_t *body, const char *message)
{
	json_t *wanted = json_object_get(json_object_get(body, "HostConfig"), "CapAdd");
	if (strstr(message, "unable to apply caps"))
		message = "CapAdd \"CAP_SYS_RESOURCE\"";
	if (!strstr(message, "CapAdd"))
		return false;
	for (size_t i = 0; i < json_array_size(wanted); i++) {
		const char *name = json_string_value(json_array_get(wanted, i));
		auto_free char *quoted = xasprintf("\"CAP_%s\"", name);
		if (!strstr(message, quoted))
			continue;
		cli_say_verbose(cli, "the engine's machine lacks the capability %s: without it", name);
		return json_array_remove(wanted, i) == 0;
	}
	return false;
}

/* `body` loses the capabilities that are not to be had. */
static int create_container(struct launch *launch, json_t *body, struct err *e)
{
	auto_err struct err problem = ERR_INIT;
	while (docker_container_create(launch->docker, launch->cli->instance.name, body, &launch->container, &problem) <
	       0) {
		if (!leave_out_capability(launch->cli, body, err_message(&problem)))
			return err_move(e, &problem);
		err_release(&problem);
	}
	return 0;
}

static int create(struct launch *launch, json_t *body, struct err *e)
{
	if (ensure_volume(launch, body, e) < 0)
		return -1;
	if (interrupt_check(e) < 0)
		return -1;
	if (create_container(launch, body, e) < 0) {
		if (e && strstr(err_message(e), "No command specified"))
			return unsuitable(e);
		/* The volume may be the other one's by now. */
		launch->created_volume = launch->created_volume && e->kind != ERR_CONFLICT;
		return e->kind == ERR_CONFLICT
		               ? err_hint(e, "another `sandbox start` may be at work; `sandbox status` tells")
		               : -1;
	}
	launch->created_container = true;
	return interrupt_check(e);
}

/* "… bind for 127.0.0.1:30080 failed: port is already allocated", "… listen tcp4 127.0.0.1:30080: bind: address already
 * in use" */
static bool complains_about_port(const char *message, const struct ports *ports, enum port_name *ret_name)
{
	if (!strstr(message, "port is already allocated") && !strstr(message, "address already in use"))
		return false;
	for (size_t i = 0; i < PORT_COUNT; i++) {
		auto_free char *port = xasprintf(":%d", ports->host_port[i]);
		const char *at = strstr(message, port);
		if (at && strchr(": ", at[strlen(port)])) {
			*ret_name = (enum port_name)i;
			return true;
		}
	}
	return false;
}

/* A container that this start has made is made anew without what its machine turns out to lack. */
static int start_container(struct launch *launch, json_t *body, struct err *e)
{
	auto_err struct err problem = ERR_INIT;
	while (docker_container_start(launch->docker, launch->container, &problem) < 0) {
		if (!launch->created_container || !leave_out_capability(launch->cli, body, err_message(&problem)))
			return err_move(e, &problem);
		err_release(&problem);
		if (docker_container_remove(launch->docker, launch->container, e) < 0)
			return -1;
		launch->created_container = launch->started = false;
		free(steal_ptr(launch->container));
		if (create(launch, body, e) < 0)
			return -1;
		launch->started = true;
	}
	return 0;
}

static int explain_start(struct launch *launch, const struct ports *ports, struct err *e)
{
	enum port_name name = PORT_HTTP;
	if (e && complains_about_port(err_message(e), ports, &name))
		return ports_taken_error(launch->docker, name, ports->host_port[name], e);
	if (e && strstr(err_message(e), "sandbox-init"))
		return unsuitable(e);
	if (e && strstr(err_message(e), "unable to apply caps"))
		return err_hint(e, "the engine's host lacks capabilities that the sandbox asks for");
	return -1;
}

int launch_start(struct launch *launch, const struct sandbox *existing, const json_t *body, const char *image_id,
                 const struct ports *ports, struct port_hold *hold, struct err *e)
{
	struct cli *cli = launch->cli;
	const char *hash = json_string_value(json_object_get(json_lookup(body, "Labels"), SPEC_LABEL));
	/* A container's labels cannot be changed: one whose lifetime had or gets an end is made anew. */
	bool limited = lifetime_is_limited(existing->labels) || lifetime_is_limited(json_lookup(body, "Labels"));
	bool same = existing->state == SANDBOX_STOPPED && text_equal(existing->specification, hash) &&
	            text_equal(existing->image_id, image_id) && !limited;
	if (existing->state == SANDBOX_STOPPED && !same) {
		cli_say_verbose(cli, "the container is made anew: image or settings have changed");
		if (docker_container_remove(launch->docker, existing->id, e) < 0)
			return -1;
	}
	auto_json json_t *asked = json_deep_copy(body);
	if (same)
		launch->container = xstrdup(existing->id);
	else if (create(launch, asked, e) < 0)
		return -1;
	port_hold_release(hold);
	launch->started = true;
	if (start_container(launch, asked, e) < 0)
		return explain_start(launch, ports, e);
	return interrupt_check(e);
}

int launch_take_back(struct launch *launch, struct err *e)
{
	interrupt_acknowledge();
	if (launch->created_container) {
		if (docker_container_remove(launch->docker, launch->container, e) < 0)
			return -1;
	} else if (launch->started &&
	           docker_container_stop(launch->docker, launch->container, CLEANUP_STOP_SECONDS, e) < 0) {
		return -1;
	}
	if (launch->created_volume)
		return docker_volume_remove(launch->docker, launch->cli->instance.name, e);
	return 0;
}
