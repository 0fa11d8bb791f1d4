#include "cli/framework/cli.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/framework/interrupt.h"
#include "cli/framework/progress_events.h"
#include "cli/terminal/color.h"
#include "cli/terminal/spinner.h"
#include "cli/terminal/terminal.h"

#include <string.h>
#include <unistd.h>

#define PROGRESS_EVENT_MS 500
#define PROGRESS_PLAIN_MS 10000

int cli_connect(struct cli *cli, struct err *e)
{
	if (cli->docker)
		return 0;
	if (!cli->endpoint.address && docker_endpoint_discover(cli->globals.host, &cli->endpoint, e) < 0)
		return -1;
	cli->docker = docker_client_connect(&cli->endpoint, interrupt_fd(), e);
	if (!cli->docker)
		return -1;
	cli_say_verbose(cli, "engine at %s (%s), API 1.%u", cli->endpoint.address, cli->endpoint.source,
	                docker_client_api_minor(cli->docker));
	return 0;
}

void cli_release(struct cli *cli)
{
	cli->docker = docker_client_free(cli->docker);
	docker_endpoint_release(&cli->endpoint);
	free(cli->bundle);
	instance_names_release(&cli->instance);
}

int cli_for_instance(const struct cli *cli, const char *name, struct cli *ret_cli, struct err *e)
{
	*ret_cli = (struct cli){
		.globals = cli->globals, .verb = cli->verb, .colors_out = cli->colors_out, .colors_err = cli->colors_err
	};
	return instance_names_of(name, &ret_cli->instance, e);
}

bool cli_wants(const struct cli *cli, const char *format)
{
	return text_equal(cli->globals.output, format);
}

bool cli_wants_json(const struct cli *cli)
{
	return cli_wants(cli, "json");
}

static void say(struct cli *cli, const char *format, va_list arguments) PRINTF_LIKE(2, 0);
static void say(struct cli *cli, const char *format, va_list arguments)
{
	auto_free char *text = xvasprintf(format, arguments);
	cli_progress_end(cli);
	if (cli->events)
		cli_event(cli, "message", json_pack("{s:s}", "text", text));
	else
		fprintf(stderr, "%s\n", text);
}

void cli_say(struct cli *cli, const char *format, ...)
{
	if (cli->globals.quiet)
		return;
	va_list arguments;
	va_start(arguments, format);
	say(cli, format, arguments);
	va_end(arguments);
}

void cli_say_verbose(struct cli *cli, const char *format, ...)
{
	if (!cli->globals.verbose)
		return;
	va_list arguments;
	va_start(arguments, format);
	say(cli, format, arguments);
	va_end(arguments);
}

void cli_progress(struct cli *cli, const char *format, ...)
{
	if (cli->globals.quiet)
		return;
	bool terminal = !cli->events && terminal_is_smart(STDERR_FILENO);
	int64_t pause = terminal ? 0 : cli->events ? PROGRESS_EVENT_MS : PROGRESS_PLAIN_MS;
	int64_t now = clock_monotonic_ms();
	bool first = !cli->progress_last_ms;
	if (!first && now - cli->progress_last_ms < pause)
		return;
	cli->progress_last_ms = now;
	/* What is over soon needs no line in a log file. */
	if (first && !terminal && !cli->events)
		return;
	va_list arguments;
	va_start(arguments, format);
	auto_free char *text = xvasprintf(format, arguments);
	va_end(arguments);
	if (cli->events) {
		cli_event(cli, "progress", json_pack("{s:s}", "text", text));
		return;
	}
	if (!terminal) {
		fprintf(stderr, "%s\n", text);
		return;
	}
	if (cli->spinner)
		spinner_say(cli->spinner, text);
	else
		cli->spinner = spinner_start(text);
}

void cli_progress_end(struct cli *cli)
{
	cli->spinner = spinner_stop(cli->spinner);
	cli->progress_last_ms = 0;
}

static const char *failed_check(const struct cli *cli, const struct err *e)
{
	return cli->check_for_error ? cli->check_for_error(err_id(e)) : NULL;
}

void cli_print_error(struct cli *cli, const struct err *e)
{
	bool colors = cli->colors_err;
	cli_progress_end(cli);
	fflush(stdout);
	fprintf(stderr, "%serror[%s]%s: %s\n", color_code(colors, COLOR_RED), err_id(e), color_reset(colors),
	        err_message(e));
	if (e->hint)
		fprintf(stderr, "%shint%s: %s\n", color_code(colors, COLOR_CYAN), color_reset(colors), e->hint);
	const char *check = failed_check(cli, e);
	if (check)
		fprintf(stderr, "%scheck%s: sandbox doctor %s\n", color_code(colors, COLOR_CYAN), color_reset(colors),
		        check);
	if (cli->bundle)
		fprintf(stderr, "%slogs%s: %s\n", color_code(colors, COLOR_CYAN), color_reset(colors), cli->bundle);
}

/* {"name", "error", "check", "bundle"} */
static json_t *failure_json(const struct cli *cli, const struct err *e, int exit_code)
{
	return json_pack("{s:s?, s:o, s:s?, s:s?}", "name", cli->instance.name, "error", cli_error_json(e, exit_code),
	                 "check", failed_check(cli, e), "bundle", cli->bundle);
}

void cli_print_failure(struct cli *cli, const struct err *e, int exit_code, bool stdout_is_ours)
{
	cli_print_error(cli, e);
	if (cli->events)
		cli_event(cli, "error", failure_json(cli, e, exit_code));
	else if (cli_wants_json(cli) && stdout_is_ours)
		cli_print_document(cli, failure_json(cli, e, exit_code));
}

char *cli_command(const struct cli *cli, const char *rest)
{
	if (cli->instance.is_default)
		return xasprintf("sandbox %s", rest);
	return xasprintf("sandbox %s --name %s", rest, cli->instance.name);
}

int cli_hint_command(const struct cli *cli, struct err *e, const char *rest)
{
	auto_free char *command = cli_command(cli, rest);
	return err_hint(e, "%s", command);
}

json_t *cli_error_json(const struct err *e, int exit_code)
{
	return json_pack("{s:s, s:s, s:s, s:s?, s:i}", "id", err_id(e), "kind", err_kind_name(e->kind), "message",
	                 err_message(e), "hint", e->hint, "exitCode", exit_code);
}

json_t *cli_envelope(const struct cli *cli, json_t *document)
{
	auto_json json_t *owned = document;
	json_t *envelope = json_pack("{s:i, s:s?}", "schemaVersion", CLI_SCHEMA_VERSION, "command", cli->verb);
	json_object_update(envelope, owned);
	return envelope;
}

void cli_print_document(const struct cli *cli, json_t *document)
{
	auto_json json_t *envelope = cli_envelope(cli, document);
	auto_free char *text = json_dumps(envelope, JSON_INDENT(2) | JSON_ENCODE_ANY);
	puts(text ? text : "null");
}
