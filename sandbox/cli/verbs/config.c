/* config: what the options are when nothing is typed, and where that comes from. */
#include "base/text.h"
#include "cli/framework/config_files.h"
#include "cli/framework/config_schema.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/terminal/columns.h"

#define TEXT_MAXIMUM ((size_t)1024 * 1024)

struct config_values {
	bool origin;
	bool all;
};

#define FIELD(field) offsetof(struct config_values, field)
static const struct option config_options[] = {
	{ .name = "origin",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(origin),
	  .of_project = true,
	  .help = "tell where each value comes from: default, FILE:LINE, or the environment variable" },
	{ .name = "all",
	  .letter = 'a',
	  .kind = OPTION_FLAG,
	  .offset = FIELD(all),
	  .of_project = true,
	  .help = "options that have no value, too" },
	{ .name = NULL },
};

/* Value and origin of one option, of the strongest source that has it. Both owned by the caller; false for none. */
static bool look_up(const struct cli *cli, const char *section, const struct option *option, char **ret_value,
                    char **ret_origin)
{
	const char *variable = option->environment ? getenv(option->environment) : NULL;
	if (!text_is_empty(variable)) {
		*ret_value = xstrdup(variable);
		*ret_origin = xasprintf("$%s", option->environment);
		return true;
	}
	if (config_files_value(cli->config, section, option, &cli->globals.trust, ret_value, ret_origin))
		return true;
	if (!option->fallback)
		return false;
	*ret_value = xstrdup(option->fallback);
	*ret_origin = xstrdup("default");
	return true;
}

static void add_section(const struct cli *cli, const char *section, const struct option *options, bool all,
                        json_t *settings)
{
	for (; options && options->name; options++) {
		auto_free char *value = NULL;
		auto_free char *origin = NULL;
		bool found = look_up(cli, section, options, &value, &origin);
		auto_free char *name = xasprintf("%s%s%s", section ? section : "", section ? "." : "", options->name);
		if (found || all)
			json_array_append_new(settings, json_pack("{s:s, s:s?, s:s?}", "name", name, "value", value,
			                                          "origin", origin));
	}
}

static void print_text(struct cli *cli, const json_t *settings, bool origin)
{
	static const char *const heading[] = { "OPTION", "VALUE", "ORIGIN" };
	auto_columns struct columns columns = COLUMNS_INIT(origin ? 3 : 2);
	auto_buf struct buf text = BUF_INIT(TEXT_MAXIMUM);
	columns_add(&columns, heading);
	size_t i;
	json_t *setting;
	json_array_foreach(settings, i, setting)
	{
		const char *const cells[] = { json_string_at(setting, "name", ""), json_string_at(setting, "value", ""),
			                      json_string_at(setting, "origin", "") };
		columns_add(&columns, cells);
	}
	columns_render(&columns, cli->colors_out, &text);
	fputs(buf_text(&text), stdout);
}

/* The schema itself, so that it can be put into a file; in the envelope with -o json. */
static void print_schema(struct cli *cli)
{
	if (cli_wants_json(cli)) {
		cli_print_document(cli, json_pack("{s:o}", "schema", config_schema()));
		return;
	}
	auto_json json_t *schema = config_schema();
	auto_free char *text = json_dumps(schema, JSON_INDENT(2));
	puts(text);
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	(void)count;
	const struct config_values *values = context;
	if (text_equal(arguments[0], "schema")) {
		print_schema(cli);
		return EXIT_CODE_OK;
	}
	if (!text_equal(arguments[0], "view")) {
		err_set(e, ERR_USAGE, "bad-value", "`sandbox config` cannot '%s'", arguments[0]);
		return err_hint(e, "it can view and schema");
	}
	auto_json json_t *files = json_array();
	auto_json json_t *settings = json_array();
	for (size_t i = 0; i < cli->config->count; i++)
		json_array_append_new(files, json_string(cli->config->items[i].path));
	add_section(cli, NULL, global_options, values->all, settings);
	for (size_t i = 0; i < verb_count; i++)
		add_section(cli, verbs[i]->name, verbs[i]->options, values->all, settings);
	if (cli_wants_json(cli))
		cli_print_document(cli, json_pack("{s:O, s:O}", "files", files, "settings", settings));
	else
		print_text(cli, settings, values->origin);
	return EXIT_CODE_OK;
}

const struct verb verb_config = {
	.name = "config",
	.summary = "show the settings of the launcher and where they come from",
	.arguments = "view|schema",
	.words = (const char *const[]){ "view", "schema", NULL },
	.description =
	        "Options may be set in files: `sandbox.yaml`, the nearest one upward from the working directory, and "
	        "the user's "
	        "~/.config/sandbox/config.yaml. A file has the options of every verb by their names, and for each verb "
	        "a "
	        "mapping of its options. What comes later wins: default, project's file, user's file, environment, "
	        "command line. A name or value that is not known is an error with file and line.\n\n"
	        "The project's file may come from strangers. By itself it can set only what does no harm: name, ports, "
	        "memory, "
	        "waiting, output and the like. What could run code on this machine (image, source, from, config, env), "
	        "open it to others "
	        "(bind), send something elsewhere (host, registry, admin.endpoint, secret) or delete or overwrite "
	        "something "
	        "(volume, ttl, bundle) is an error there, unless you name that option yourself, or trust the project: "
	        "`trust: [DIR]` in "
	        "your own file, SANDBOX_TRUST or --trust.\n\n"
	        "view: prints every option that has a value. schema: prints the JSON schema of such a file, for "
	        "editors.",
	.examples = "sandbox config view --origin\twhat holds here, and why\n"
	            "sandbox config schema > sandbox.schema.json\tfor an editor that completes sandbox.yaml",
	.options = config_options,
	.values_size = sizeof(struct config_values),
	.arguments_minimum = 1,
	.arguments_maximum = 1,
	.shows_files = true,
	.run = run,
};
