#include "cli/flytectl/flyte_client.h"

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/framework/interrupt.h"
#include "cli/instance/sandbox.h"

#include <string.h>

#define CONFIGURATION_MAXIMUM ((size_t)1024 * 1024)
#define ARENA_MAXIMUM ((size_t)1024 * 1024 * 1024)
#define CALL_MS INT64_C(60000)
#define DEFAULT_PROJECT "flytesnacks"
#define DEFAULT_DOMAIN "development"

const char *const flyte_formats[] = { "table", "yaml", NULL };

/* "dns:///host:port" with what `insecure` says, as grpc_client_open wants it. */
static char *target_of(const char *endpoint, bool insecure)
{
	const bool is_dns = text_starts_with(endpoint, "dns:///");
	const char *scheme = strstr(endpoint, "://");
	const char *host = is_dns ? endpoint + strlen("dns:///") : scheme ? scheme + 3 : endpoint;
	const bool secure = scheme && !is_dns ? text_starts_with(endpoint, "https://") : !insecure;
	return xasprintf("%s://%s", secure ? "https" : "http", host);
}

struct place {
	char *target;
	char *ca_file; /* or NULL */
};

static int read_configuration(const char *path, bool insecure, struct place *place, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(CONFIGURATION_MAXIMUM);
	if (file_read(path, &text, e) < 0)
		return -1;
	auto_json json_t *document = yaml_parse(buf_text(&text), text.length, path, e);
	if (!document)
		return -1;
	const char *endpoint = json_string_at(document, "admin/endpoint", "");
	if (!*endpoint) {
		err_set(e, ERR_INVALID, "no-endpoint", "'%s' has no admin.endpoint", path);
		return err_hint(e, "give --admin.endpoint, or another file with --config");
	}
	place->target = target_of(endpoint, insecure || json_boolean_at(document, "admin/insecure", false));
	const char *ca = json_string_at(document, "admin/caCertFilePath", "");
	place->ca_file = *ca ? xstrdup(ca) : NULL;
	return 0;
}

/* The engine's word: for an instance that was started without configuring clients. */
static int ask_engine(struct cli *cli, struct place *place, struct err *e)
{
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	if (sandbox_require_running(cli, &sandbox, e) < 0)
		return -1;
	auto_free char *http = ports_endpoint(&sandbox.ports, PORT_HTTP);
	if (!*http)
		return err_set(e, ERR_PRECONDITION, "no-endpoint", "the sandbox publishes no port for Flyte");
	place->target = xstrdup(http);
	return 0;
}

static int find(struct cli *cli, const struct flyte_options *options, struct place *place, struct err *e)
{
	const char *named = options->config            ? options->config
	                    : cli->instance.is_default ? getenv("FLYTECTL_CONFIG")
	                                               : NULL;
	if (options->endpoint) {
		place->target = target_of(options->endpoint, true);
		return 0;
	}
	if (!text_is_empty(named))
		return read_configuration(named, options->insecure, place, e);
	if (file_exists(cli->instance.configuration))
		return read_configuration(cli->instance.configuration, options->insecure, place, e);
	return ask_engine(cli, place, e);
}

int flyte_open(struct cli *cli, const struct flyte_options *options, struct flyte *ret_flyte, struct err *e)
{
	struct place place = { .target = NULL };
	struct flyte flyte = {
		.cli = cli,
		.arena = ARENA_INIT(ARENA_MAXIMUM),
		.project = text_is_empty(options->project) ? DEFAULT_PROJECT : options->project,
		.domain = text_is_empty(options->domain) ? DEFAULT_DOMAIN : options->domain,
	};
	int outcome = find(cli, options, &place, e);
	const struct http_client_options http = { .cancel_fd = interrupt_fd(),
		                                  .ca_file = options->ca_file ? options->ca_file : place.ca_file };
	if (outcome == 0)
		outcome = grpc_client_open(place.target, &http, &flyte.client, e);
	if (outcome == 0)
		cli_say_verbose(cli, "control plane at %s", place.target);
	free(place.target);
	free(place.ca_file);
	if (outcome == 0)
		*ret_flyte = flyte;
	return outcome;
}

void flyte_close(struct flyte *flyte)
{
	flyte->client = grpc_client_free(flyte->client);
	arena_release(&flyte->arena);
}

ProtobufCMessage *flyte_call_of(struct flyte *flyte, const char *method, const ProtobufCMessage *request,
                                const ProtobufCMessageDescriptor *response, struct err *e)
{
	auto_free char *full = xasprintf("flyteidl.service.%s", method);
	ProtobufCMessage *answer = grpc_client_unary(flyte->client, &flyte->arena, full, request, response, CALL_MS, e);
	if (!answer && e->kind == ERR_UNAVAILABLE)
		cli_hint_command(flyte->cli, e, "status");
	return answer;
}

Flyteidl__Core__Identifier *flyte_identifier(struct flyte *flyte, Flyteidl__Core__ResourceType type, const char *name,
                                             const char *version)
{
	Flyteidl__Core__Identifier *id = proto_new(&flyte->arena, flyteidl__core__identifier);
	id->resource_type = type;
	id->project = arena_strdup(&flyte->arena, flyte->project);
	id->domain = arena_strdup(&flyte->arena, flyte->domain);
	id->name = arena_strdup(&flyte->arena, name);
	id->version = arena_strdup(&flyte->arena, version);
	return id;
}

Flyteidl__Core__WorkflowExecutionIdentifier *flyte_execution_id(struct flyte *flyte, const char *name)
{
	Flyteidl__Core__WorkflowExecutionIdentifier *id =
	        proto_new(&flyte->arena, flyteidl__core__workflow_execution_identifier);
	id->project = arena_strdup(&flyte->arena, flyte->project);
	id->domain = arena_strdup(&flyte->arena, flyte->domain);
	id->name = arena_strdup(&flyte->arena, name);
	return id;
}
