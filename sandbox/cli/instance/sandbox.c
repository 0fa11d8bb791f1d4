#include "cli/instance/sandbox.h"

#include "base/text.h"
#include "cli/framework/interrupt.h"
#include "cli/instance/spec.h"
#include "docker/container.h"
#include "docker/exec.h"
#include "docker/ndjson.h"

#define STATUS_TIMEOUT_MS INT64_C(20000)
#define STATUS_MAXIMUM ((size_t)1024 * 1024)

void sandbox_release(struct sandbox *sandbox)
{
	free(sandbox->id);
	free(sandbox->image);
	free(sandbox->image_id);
	free(sandbox->specification);
	free(sandbox->created_at);
	free(sandbox->started_at);
	json_decref(sandbox->labels);
	json_decref(sandbox->environment);
	status_port_release(&sandbox->status_port);
	*sandbox = (struct sandbox)SANDBOX_INIT;
}

static enum sandbox_state state_of(const json_t *container)
{
	const char *status = json_string_at(container, "State/Status", "");
	if (text_equal(status, "paused"))
		return SANDBOX_PAUSED;
	return text_equal(status, "running") || text_equal(status, "restarting") ? SANDBOX_RUNNING : SANDBOX_STOPPED;
}

void sandbox_of_container(const struct cli *cli, const json_t *container, struct sandbox *ret_sandbox)
{
	json_t *labels = json_lookup(container, "Config/Labels");
	*ret_sandbox = (struct sandbox){
		.state = state_of(container),
		.id = xstrdup(json_string_at(container, "Id", "")),
		.image = xstrdup(json_string_at(container, "Config/Image", "")),
		.image_id = xstrdup(json_string_at(container, "Image", "")),
		.specification = xstrdup(json_string_value(json_object_get(labels, SPEC_LABEL))),
		.labels = json_incref(labels),
		.environment = json_incref(json_lookup(container, "Config/Env")),
		.memory_bytes = json_integer_at(container, "HostConfig/Memory", 0),
		.created_at = xstrdup(json_string_at(container, "Created", "")),
		.started_at = xstrdup(json_string_at(container, "State/StartedAt", "")),
		.exit_code = (int)json_integer_at(container, "State/ExitCode", 0),
		.out_of_memory = json_boolean_at(container, "State/OOMKilled", false),
	};
	ports_of_container(&cli->endpoint, container, &ret_sandbox->ports);
	status_port_of_container(container, &ret_sandbox->status_port);
}

int sandbox_find(struct cli *cli, struct sandbox *ret_sandbox, struct err *e)
{
	if (cli_connect(cli, e) < 0)
		return -1;
	auto_err struct err problem = ERR_INIT;
	auto_json json_t *container = docker_container_inspect(cli->docker, cli->instance.name, &problem);
	*ret_sandbox = (struct sandbox)SANDBOX_INIT;
	if (!container)
		return problem.kind == ERR_NOT_FOUND ? 0 : err_move(e, &problem);
	const json_t *labels = json_lookup(container, "Config/Labels");
	if (!json_object_get(labels, INSTANCE_LABEL)) {
		err_set(e, ERR_CONFLICT, "foreign-container", "the container '%s' was not made by this launcher",
		        cli->instance.name);
		return err_hint(e, "remove it (`docker rm -f %s`), or use another name: --name NAME",
		                cli->instance.name);
	}
	sandbox_of_container(cli, container, ret_sandbox);
	return 0;
}

static int absent(const struct cli *cli, struct err *e)
{
	err_set(e, ERR_NOT_FOUND, "sandbox-absent", "there is no sandbox '%s'", cli->instance.name);
	return cli_hint_command(cli, e, "start");
}

int sandbox_require(struct cli *cli, struct sandbox *ret_sandbox, struct err *e)
{
	if (sandbox_find(cli, ret_sandbox, e) < 0)
		return -1;
	return ret_sandbox->state == SANDBOX_ABSENT ? absent(cli, e) : 0;
}

int sandbox_require_running(struct cli *cli, struct sandbox *ret_sandbox, struct err *e)
{
	if (sandbox_find(cli, ret_sandbox, e) < 0)
		return -1;
	const char *name = cli->instance.name;
	switch (ret_sandbox->state) {
	case SANDBOX_RUNNING:
		return 0;
	case SANDBOX_ABSENT:
		return absent(cli, e);
	case SANDBOX_STOPPED:
		err_set(e, ERR_PRECONDITION, "sandbox-stopped", "the sandbox '%s' is stopped", name);
		break;
	case SANDBOX_PAUSED:
		err_set(e, ERR_PRECONDITION, "sandbox-paused", "the sandbox '%s' is paused", name);
		break;
	}
	return cli_hint_command(cli, e, "start");
}

static int take_line(void *context, const json_t *line, struct err *e)
{
	size_t index;
	return services_take(context, line, &index, e) < 0 ? -1 : 0;
}

static int services_by_exec(struct cli *cli, const struct sandbox *sandbox, struct services *ret_services,
                            struct err *e)
{
	static const char *const command[] = { "sandbox-init", "status", "--json", NULL };
	auto_services struct services services = SERVICES_INIT;
	auto_ndjson struct ndjson lines = NDJSON_INIT("the sandbox's status", take_line, &services);
	auto_buf struct buf output = BUF_INIT(STATUS_MAXIMUM);
	auto_err struct err problem = ERR_INIT;
	int outcome = docker_exec_capture(cli->docker, sandbox->id, command, STATUS_TIMEOUT_MS, &output, &problem);
	/* The exit code says "not ready"; the lines are what counts. */
	if (outcome < 0 && !output.length)
		return err_move(e, &problem);
	if (ndjson_feed(&lines, buf_text(&output), output.length, e) < 0 || ndjson_end(&lines, e) < 0)
		return -1;
	*ret_services = services;
	services = (struct services)SERVICES_INIT;
	return 0;
}

int sandbox_services(struct cli *cli, const struct sandbox *sandbox, struct services *ret_services, struct err *e)
{
	const struct status_port *port = &sandbox->status_port;
	auto_err struct err problem = ERR_INIT;
	if (!port->port || !port->token || !docker_endpoint_is_local(&cli->endpoint))
		return services_by_exec(cli, sandbox, ret_services, e);
	if (status_port_ask(port, interrupt_fd(), ret_services, &problem) == 0)
		return 0;
	if (problem.kind == ERR_CANCELLED)
		return err_move(e, &problem);
	cli_say_verbose(cli, "the status port does not help (%s); the engine is asked", err_message(&problem));
	return services_by_exec(cli, sandbox, ret_services, e);
}

static bool was_stopped_on_purpose(const struct sandbox *sandbox)
{
	return sandbox->exit_code == 0 || sandbox->exit_code == 143 || sandbox->exit_code == 137;
}

const char *sandbox_state_text(const struct sandbox *sandbox, const struct services *services)
{
	switch (sandbox->state) {
	case SANDBOX_ABSENT:
		return "absent";
	case SANDBOX_PAUSED:
		return "paused";
	case SANDBOX_STOPPED:
		return was_stopped_on_purpose(sandbox) && !sandbox->out_of_memory ? "stopped" : "crashed";
	case SANDBOX_RUNNING:
		break;
	}
	if (!services || !services->complete)
		return "starting";
	for (size_t i = 0; i < services->count; i++) {
		if (text_equal(services->items[i].status, "failed"))
			return "degraded";
	}
	return services->ready ? "running" : "starting";
}

static json_t *services_json(const struct sandbox *sandbox, const struct services *services)
{
	json_t *list = json_array();
	for (size_t i = 0; services && i < services->count; i++) {
		const struct service *service = &services->items[i];
		if (!service_is_shown(service))
			continue;
		auto_free char *endpoint = ports_endpoint_of_container_port(&sandbox->ports, service->endpoint_port);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", service->name, "status",
		                                      service->status, "namespace", service->namespace, "message",
		                                      service->message, "endpoint", endpoint));
	}
	return list;
}

static json_t *text_or_null(char *text)
{
	json_t *value = text_is_empty(text) ? json_null() : json_string(text);
	free(text);
	return value;
}

json_t *sandbox_endpoints(const struct sandbox *sandbox)
{
	const struct ports *ports = &sandbox->ports;
	json_t *endpoints = json_object();
	int http = ports->host_port[PORT_HTTP];
	int postgres = ports->host_port[PORT_POSTGRES];
	json_object_set_new(endpoints, "console",
	                    text_or_null(http ? xasprintf("http://%s:%d/console", ports->host, http) : NULL));
	json_object_set_new(endpoints, "grpc", text_or_null(http ? xasprintf("%s:%d", ports->host, http) : NULL));
	json_object_set_new(endpoints, "kubernetes", text_or_null(ports_endpoint(ports, PORT_KUBERNETES)));
	json_object_set_new(endpoints, "s3", text_or_null(ports_endpoint(ports, PORT_S3)));
	json_object_set_new(
	        endpoints, "postgres",
	        text_or_null(postgres ? xasprintf("postgresql://postgres:postgres@%s:%d/flyte", ports->host, postgres)
	                              : NULL));
	return endpoints;
}

json_t *sandbox_document(const struct cli *cli, const struct sandbox *sandbox, const struct services *services)
{
	bool present = sandbox->state != SANDBOX_ABSENT;
	const char *state = sandbox_state_text(sandbox, services);
	json_t *document = json_pack("{s:s, s:s, s:b}", "name", cli->instance.name, "state", state, "ready",
	                             text_equal(state, "running"));
	json_object_set_new(document, "services", services_json(sandbox, services));
	json_object_set_new(document, "endpoints", present ? sandbox_endpoints(sandbox) : json_null());
	json_object_set_new(document, "image", present ? json_string(sandbox->image) : json_null());
	json_object_set(document, "timings", services && services->timings ? services->timings : json_null());
	json_object_set_new(document, "context", present ? json_string(cli->instance.name) : json_null());
	json_object_set_new(document, "config", present ? json_string(cli->instance.configuration) : json_null());
	json_object_set_new(document, "kubeconfig", present ? json_string(cli->instance.kubeconfig) : json_null());
	return document;
}

json_t *sandbox_short_document(const struct cli *cli, const char *state)
{
	return json_pack("{s:s, s:s}", "name", cli->instance.name, "state", state);
}
