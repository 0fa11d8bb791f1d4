/* logs: the container's own log (PID 1's), or one service's, which PID 1 keeps in a file on the volume. */
#include "base/file.h"
#include "base/text.h"
#include "cli/doctor/bundle.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/container_output.h"
#include "cli/instance/sandbox.h"
#include "cli/instance/spec.h"
#include "docker/archive.h"
#include "docker/container.h"
#include "docker/exec.h"

#include <string.h>
#include <unistd.h>

#define LOG_FILE_MAXIMUM ((size_t)128 * 1024 * 1024)
#define TAIL_MAXIMUM 1000000

struct logs_values {
	bool follow;
	const char *tail;
	bool timestamps;
	const char *since;
	const char *bundle;
};

#define FIELD(field) offsetof(struct logs_values, field)
static const struct option logs_options[] = {
	{ .name = "follow",
	  .letter = 'f',
	  .kind = OPTION_FLAG,
	  .offset = FIELD(follow),
	  .of_project = true,
	  .help = "go on with new lines as they come" },
	{ .name = "tail",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(tail),
	  .value = "N",
	  .fallback = "200",
	  .of_project = true,
	  .help = "how many of the last lines; `all` for every line" },
	{ .name = "timestamps",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(timestamps),
	  .of_project = true,
	  .help = "the container's log: the time of each line" },
	{ .name = "since",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(since),
	  .value = "TIME",
	  .of_project = true,
	  .help = "the container's log: lines since then (RFC 3339 or Unix seconds)" },
	{ .name = "bundle",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(bundle),
	  .value = "FILE",
	  .help = "write all logs, with status, checks and what the engine tells, to a tar.gz instead" },
	{ .name = NULL },
};

static int parse_tail(const char *text, int64_t *ret_tail, struct err *e)
{
	*ret_tail = -1;
	if (text_equal(text, "all") || text_to_int64(text, 0, TAIL_MAXIMUM, ret_tail))
		return 0;
	return err_set(e, ERR_USAGE, "bad-value", "--tail: '%s' is neither `all` nor a number of lines", text);
}

static int unknown_service(struct cli *cli, const struct sandbox *sandbox, const char *service, struct err *e)
{
	auto_services struct services services = SERVICES_INIT;
	err_set(e, ERR_NOT_FOUND, "unknown-service", "the sandbox has no service '%s'", service);
	if (sandbox->state != SANDBOX_RUNNING || sandbox_services(cli, sandbox, &services, NULL) < 0 || !services.count)
		return -1;
	const char *names[SERVICES_MAXIMUM];
	for (size_t i = 0; i < services.count; i++)
		names[i] = services.items[i].name;
	const char *near = text_suggest(service, names, services.count);
	return near ? err_hint(e, "did you mean '%s'? `sandbox status` lists the services", near)
	            : err_hint(e, "`sandbox status` lists the services");
}

static bool is_service_name(const char *name)
{
	return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(name) && !strstr(name, "..");
}

static int log_of_running(struct cli *cli, const struct sandbox *sandbox, const char *service, bool follow,
                          int64_t tail, struct err *e)
{
	auto_free char *lines = xasprintf("%lld", (long long)(tail < 0 ? TAIL_MAXIMUM : tail ? tail : 1));
	const char *const command[] = {
		"sandbox-init", "logs", service, "--tail", lines, follow ? "--follow" : NULL, NULL
	};
	const struct docker_exec exec = { .command = command };
	int code = 0;
	if (docker_exec_run(cli->docker, sandbox->id, &exec, &container_output_passthrough, &code, e) < 0)
		return -1;
	return code;
}

/* The file's last lines, straight from the volume: what a dead sandbox can still tell. */
static int log_of_stopped(struct cli *cli, const struct sandbox *sandbox, const char *service, int64_t tail,
                          struct err *e)
{
	auto_free char *path = xasprintf("%s/log/%s.log", SPEC_STATE_DIRECTORY, service);
	auto_buf struct buf text = BUF_INIT(LOG_FILE_MAXIMUM);
	auto_err struct err problem = ERR_INIT;
	if (docker_archive_get_file(cli->docker, sandbox->id, path, &text, &problem) < 0)
		return problem.kind == ERR_NOT_FOUND ? unknown_service(cli, sandbox, service, e)
		                                     : err_move(e, &problem);
	const char *begin = buf_text(&text);
	const char *at = begin + text.length;
	for (int64_t lines = tail; tail >= 0 && at > begin; at--) {
		bool line_start = at[-1] == '\n' && at < begin + text.length;
		if (lines == 0 || (line_start && --lines == 0))
			break;
	}
	if (tail < 0)
		at = begin;
	return file_write_all(STDOUT_FILENO, at, (size_t)(begin + text.length - at), e);
}

static int log_of_service(struct cli *cli, const struct sandbox *sandbox, const char *service,
                          const struct logs_values *values, int64_t tail, struct err *e)
{
	if (!is_service_name(service))
		return unknown_service(cli, sandbox, service, e);
	if (sandbox->state != SANDBOX_RUNNING)
		return log_of_stopped(cli, sandbox, service, tail, e);
	auto_services struct services services = SERVICES_INIT;
	auto_err struct err problem = ERR_INIT;
	if (sandbox_services(cli, sandbox, &services, &problem) < 0) /* PID 1 does not answer: its files do */
		return problem.kind == ERR_CANCELLED ? err_move(e, &problem)
		                                     : log_of_stopped(cli, sandbox, service, tail, e);
	for (size_t i = 0; i < services.count; i++) {
		if (text_equal(services.items[i].name, service))
			return log_of_running(cli, sandbox, service, values->follow, tail, e);
	}
	return unknown_service(cli, sandbox, service, e);
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	const struct logs_values *values = context;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	int64_t tail;
	if (parse_tail(values->tail, &tail, e) < 0 || sandbox_require(cli, &sandbox, e) < 0)
		return -1;
	if (values->bundle) {
		if (bundle_write(cli, values->bundle, NULL, e) < 0)
			return -1;
		if (cli_wants_json(cli))
			cli_print_document(
			        cli, json_pack("{s:s, s:s}", "name", cli->instance.name, "bundle", values->bundle));
		else
			cli_say(cli, "everything is in '%s'", values->bundle);
		return EXIT_CODE_OK;
	}
	const struct docker_log_options options = {
		.tail = tail, .follow = values->follow, .timestamps = values->timestamps, .since = values->since
	};
	int outcome = count ? log_of_service(cli, &sandbox, arguments[0], values, tail, e)
	                    : docker_container_logs(cli->docker, sandbox.id, &options, &container_output_passthrough, e);
	/* `sandbox logs | head` is no failure. */
	if (outcome < 0 && text_equal(e->id, "closed-output"))
		return EXIT_CODE_OK;
	return outcome;
}

const struct verb verb_logs = {
	.name = "logs",
	.summary = "show the log of the sandbox or of one service",
	.arguments = "[SERVICE]",
	.description = "Without SERVICE: the container's own log, where its first process tells what the services do. "
	               "With SERVICE (see `sandbox status`): "
	               "what that service printed, even when the sandbox has stopped. The logs of pods are "
	               "Kubernetes's: kubectl logs.",
	.examples = "sandbox logs --follow\tas it goes\n"
	            "sandbox logs kubernetes --tail 50\tone service's last lines",
	.options = logs_options,
	.values_size = sizeof(struct logs_values),
	.arguments_maximum = 1,
	.foreign_stdout = true,
	.run = run,
};
