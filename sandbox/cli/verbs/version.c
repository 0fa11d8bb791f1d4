/* version: this launcher; with --all the engine and the sandbox, too. */
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/sandbox.h"

struct version_values {
	bool all;
};

static const struct option version_options[] = {
	{ .name = "all",
	  .letter = 'a',
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct version_values, all),
	  .of_project = true,
	  .help = "ask the Docker engine and the sandbox for theirs" },
	{ .name = NULL },
};

static int add_engine(struct cli *cli, json_t *document, struct err *e)
{
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	if (sandbox_find(cli, &sandbox, e) < 0)
		return -1;
	auto_json json_t *version = docker_get(cli->docker, e, "/version");
	if (!version)
		return -1;
	auto_free char *api = xasprintf("1.%u", docker_client_api_minor(cli->docker));
	json_object_set_new(document, "engine",
	                    json_pack("{s:s, s:s, s:s}", "version", json_string_at(version, "Version", "unknown"),
	                              "api", api, "address", cli->endpoint.address));
	bool absent = sandbox.state == SANDBOX_ABSENT;
	json_object_set_new(document, "image", absent ? json_null() : json_string(sandbox.image));
	json_object_set_new(document, "imageId", absent ? json_null() : json_string(sandbox.image_id));
	return 0;
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)arguments;
	(void)count;
	const struct version_values *values = context;
	auto_json json_t *document = json_pack("{s:s}", "version", SANDBOX_VERSION);
	if (values->all && add_engine(cli, document, e) < 0)
		return -1;
	if (cli_wants_json(cli)) {
		cli_print_document(cli, json_incref(document));
		return EXIT_CODE_OK;
	}
	printf("sandbox %s\n", SANDBOX_VERSION);
	if (values->all) {
		printf("engine  %s, API %s, at %s\n", json_string_at(document, "engine/version", ""),
		       json_string_at(document, "engine/api", ""), json_string_at(document, "engine/address", ""));
		printf("image   %s\n", json_string_at(document, "image", "(no sandbox)"));
	}
	return EXIT_CODE_OK;
}

const struct verb verb_version = {
	.name = "version",
	.summary = "tell the versions",
	.arguments = "",
	.description = "Prints this launcher's version; with --all the engine's and the image of the sandbox, too.",
	.options = version_options,
	.values_size = sizeof(struct version_values),
	.arguments_maximum = 0,
	.ignores_files = true,
	.run = run,
};
