/* doctor: the checks that start makes, all of them, with evidence and what to do. */
#include "base/text.h"
#include "cli/doctor/checks.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/lifecycle/settings.h"
#include "cli/lifecycle/start_options.h"
#include "cli/terminal/color.h"
#include "cli/terminal/columns.h"

#define TEXT_MAXIMUM ((size_t)256 * 1024)

static enum color color_of(enum check_outcome outcome)
{
	static const enum color colors[] = { COLOR_GREEN, COLOR_YELLOW, COLOR_RED, COLOR_DIM };
	return colors[outcome];
}

static json_t *document_of(const struct cli *cli, const struct checks *checks, const char *only, bool healthy)
{
	json_t *list = json_array();
	for (size_t i = 0; i < checks->count; i++) {
		const struct check_result *result = &checks->results[i];
		if (!only || text_equal(only, result->id))
			json_array_append_new(list, checks_json(result));
	}
	return json_pack("{s:s, s:b, s:o}", "name", cli->instance.name, "healthy", healthy, "checks", list);
}

static void print_text(const struct cli *cli, const struct checks *checks, const char *only)
{
	for (size_t i = 0; i < checks->count; i++) {
		const struct check_result *result = &checks->results[i];
		bool colors = cli->colors_out;
		if (only && !text_equal(only, result->id))
			continue;
		printf("%-10s  %s%-7s%s  %s\n", result->id, color_code(colors, color_of(result->outcome)),
		       check_outcome_name(result->outcome), color_reset(colors), result->evidence);
		if (result->fix)
			printf("%-10s  %-7s  %sfix:%s %s\n", "", "", color_code(colors, COLOR_CYAN), color_reset(colors),
			       result->fix);
	}
}

static int check_name(const char *name, struct err *e)
{
	size_t count = 0;
	for (; check_ids[count]; count++) {
		if (text_equal(check_ids[count], name))
			return 0;
	}
	const char *near = text_suggest(name, check_ids, count);
	err_set(e, ERR_USAGE, "bad-value", "there is no check '%s'", name);
	return near ? err_hint(e, "did you mean '%s'?", near) : err_hint(e, "`sandbox doctor` makes them all");
}

/* The code of the first failure, so that scripts can tell a full disk from a taken port. */
static int code_of(const struct checks *checks, const char *only)
{
	for (size_t i = 0; i < checks->count; i++) {
		const struct check_result *result = &checks->results[i];
		const struct err failure = { .kind = result->kind };
		if (result->outcome == CHECK_FAILURE && (!only || text_equal(only, result->id)))
			return exit_code_of(&failure, 0);
	}
	return EXIT_CODE_OK;
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	struct start_values with_kept = *(const struct start_values *)context;
	const struct start_values *values = &with_kept;
	const char *only = count ? arguments[0] : NULL;
	auto_checks struct checks checks = CHECKS_INIT;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	if (only && check_name(only, e) < 0)
		return -1;
	/* What is wrong with the engine is what the checks tell. */
	(void)sandbox_find(cli, &sandbox, NULL);
	settings_recall(cli, &sandbox, &with_kept);
	const struct image_wish image = start_image_wish(values);
	const struct port_wish ports = start_port_wish(values, cli, &sandbox);
	bool up = sandbox.state == SANDBOX_RUNNING || sandbox.state == SANDBOX_PAUSED;
	const struct checks_wish wish = { .minimum_disk = start_minimum_disk(values),
		                          .image = &image,
		                          .ports = up ? NULL : &ports,
		                          .root = checks_root() };
	int outcome = checks_run_all(cli, &wish, &checks, e);
	settings_release(&with_kept);
	if (outcome < 0)
		return -1;
	int code = code_of(&checks, only);
	if (cli_wants_json(cli))
		cli_print_document(cli, document_of(cli, &checks, only, code == EXIT_CODE_OK));
	else if (!cli->globals.quiet)
		print_text(cli, &checks, only);
	return code;
}

const struct verb verb_doctor = {
	.name = "doctor",
	.summary = "check what a sandbox needs of this machine",
	.arguments = "[CHECK]",
	.words = check_ids,
	.description =
	        "Makes the checks that `sandbox start` makes, or one of them: engine, permission, cgroup, disk, "
	        "memory, inotify, "
	        "modules, dns, ca, clock, ports, image. Each tells what was found and, where something is wrong, what "
	        "to "
	        "do. A failure keeps a sandbox from starting, a warning may; the exit code is 0 without failures, else "
	        "that of the error which `start` would end with. Takes the options of `sandbox start`, and its "
	        "settings "
	        "from files, so that the same image and ports are looked at.",
	.examples = "sandbox doctor -o json | jq '.checks[] | select(.outcome != \"ok\")'\twhat is not well\n"
	            "sandbox doctor ports\twho holds the ports",
	.options = start_options,
	.settings_of = "start",
	.values_size = sizeof(struct start_values),
	.arguments_maximum = 1,
	.run = run,
};
