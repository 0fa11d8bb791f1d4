#include "cli/doctor/checks.h"

#include "base/image_reference.h"
#include "base/text.h"
#include "cli/doctor/checks_internal.h"
#include "cli/framework/interrupt.h"
#include "docker/image.h"

#include <stdarg.h>

const char *const check_ids[] = { "engine", "permission", "cgroup", "disk",  "memory", "inotify", "modules",
	                          "dns",    "ca",         "clock",  "ports", "image",  NULL };

/* Which check looks at what an error of `start` complains of. */
static const char *const errors[][2] = {
	{ "docker-not-running", "engine" },
	{ "docker-version", "engine" },
	{ "docker-host", "engine" },
	{ "docker-context", "engine" },
	{ "docker-transport", "engine" },
	{ "connection-failed", "engine" },
	{ "docker-permission", "permission" },
	{ "cgroup-unsuitable", "cgroup" },
	{ "disk-space", "disk" },
	{ "memory-space", "memory" },
	{ "clock-skew", "clock" },
	{ "port-taken", "ports" },
	{ "image-missing", "image" },
	{ "image-pull", "image" },
	{ "image-file", "image" },
	{ "image-build", "image" },
	{ "image-unsuitable", "image" },
	{ "credential-helper", "image" },
	{ "start-timeout", "memory" },
	{ "service-failing", "memory" },
	{ "sandbox-died", "memory" },
};

const char *checks_for_error(const char *error_id)
{
	for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
		if (text_equal(errors[i][0], error_id))
			return errors[i][1];
	}
	return NULL;
}

const char *check_outcome_name(enum check_outcome outcome)
{
	static const char *const names[] = { "ok", "warning", "failure", "skipped" };
	return names[outcome];
}

const char *checks_root(void)
{
	const char *root = getenv("SANDBOX_DOCTOR_ROOT");
	return root ? root : "";
}

void checks_release(struct checks *checks)
{
	for (size_t i = 0; i < checks->count; i++) {
		free(checks->results[i].evidence);
		free(checks->results[i].fix);
	}
	checks->count = 0;
}

void check_add(struct checks *checks, const char *id, enum check_outcome outcome, const char *fix, const char *format,
               ...)
{
	va_list arguments;
	va_start(arguments, format);
	checks->results[checks->count++] = (struct check_result){
		.id = id,
		.outcome = outcome,
		.evidence = xvasprintf(format, arguments),
		.fix = xstrdup(fix),
		.kind = ERR_PRECONDITION,
	};
	va_end(arguments);
}

void check_fails_as(struct checks *checks, enum err_kind kind, const char *error_id)
{
	struct check_result *result = &checks->results[checks->count - 1];
	result->kind = kind;
	result->error_id = error_id;
}

/* An error as a failed check. */
static void add_error(struct checks *checks, const char *id, const struct err *problem)
{
	check_add(checks, id, CHECK_FAILURE, problem->hint, "%s", err_message(problem));
	check_fails_as(checks, problem->kind, err_id(problem));
}

static bool check_engine(struct cli *cli, struct checks *checks, struct err *problem)
{
	if (cli_connect(cli, problem) < 0) {
		add_error(checks, problem->kind == ERR_PERMISSION ? "permission" : "engine", problem);
		return false;
	}
	auto_json json_t *version = docker_get(cli->docker, problem, "/version");
	if (!version) {
		add_error(checks, "engine", problem);
		return false;
	}
	check_add(checks, "engine", CHECK_OK, NULL, "%s %s, API 1.%u, at %s (chosen by %s)",
	          docker_client_is_podman(cli->docker) ? "Podman" : "Docker", json_string_at(version, "Version", "?"),
	          docker_client_api_minor(cli->docker), cli->endpoint.address, cli->endpoint.source);
	check_add(checks, "permission", CHECK_OK, NULL, "the engine takes our requests");
	return true;
}

static void check_ports(struct cli *cli, const struct port_wish *wish, struct checks *checks)
{
	auto_err struct err problem = ERR_INIT;
	auto_port_hold struct port_hold hold = PORT_HOLD_INIT;
	struct ports ports;
	if (!wish) {
		check_add(checks, "ports", CHECK_SKIPPED, NULL, "the sandbox '%s' runs and has its ports",
		          cli->instance.name);
	} else if (!docker_endpoint_is_local(&cli->endpoint)) {
		check_add(checks, "ports", CHECK_SKIPPED, NULL, "the ports of another machine cannot be looked at");
	} else if (ports_choose(cli->docker, wish, &ports, &hold, &problem) < 0) {
		add_error(checks, "ports", &problem);
	} else {
		check_add(checks, "ports", CHECK_OK, NULL, "free: %d (http), %d (kubernetes), %d (postgres), %d (s3)",
		          ports.host_port[PORT_HTTP], ports.host_port[PORT_KUBERNETES], ports.host_port[PORT_POSTGRES],
		          ports.host_port[PORT_S3]);
	}
}

static void check_image(struct cli *cli, const struct image_wish *wish, struct checks *checks)
{
	auto_err struct err problem = ERR_INIT;
	auto_json json_t *image = docker_image_inspect(cli->docker, wish->image, &problem);
	if (image) {
		check_add(checks, "image", CHECK_OK, NULL, "'%s' is there: %.19s", wish->image,
		          json_string_at(image, "Id", ""));
		return;
	}
	if (problem.kind != ERR_NOT_FOUND) {
		add_error(checks, "image", &problem);
		return;
	}
	auto_free char *script = wish->source ? xasprintf("%s/scripts/build-image", wish->source) : NULL;
	if (wish->file)
		check_add(checks, "image", CHECK_WARNING, NULL, "'%s' is not there; start loads it from '%s'",
		          wish->image, wish->file);
	else if (wish->registry || image_reference_names_registry(wish->image))
		check_add(checks, "image", CHECK_WARNING, NULL, "'%s' is not there; start pulls it from %s",
		          wish->image, wish->registry ? wish->registry : "its registry");
	else if (script && check_file_exists("", script))
		check_add(checks, "image", CHECK_WARNING, NULL, "'%s' is not there; start builds it with '%s'",
		          wish->image, script);
	else {
		check_add(checks, "image", CHECK_FAILURE,
		          "give an archive with --image-file, a registry with --registry, or build it with "
		          "scripts/build-image",
		          "'%s' is not there, and nothing says where it comes from", wish->image);
		check_fails_as(checks, ERR_NOT_FOUND, "image-missing");
	}
}

static void skip_rest(struct checks *checks)
{
	for (const char *const *id = check_ids; *id; id++) {
		bool there = false;
		for (size_t i = 0; i < checks->count; i++)
			there = there || text_equal(checks->results[i].id, *id);
		if (!there)
			check_add(checks, *id, CHECK_SKIPPED, NULL, "the engine has to answer first");
	}
}

/* What the engine tells of itself and this machine of itself. */
static void check_machine(struct cli *cli, const json_t *info, int64_t minimum_disk, const char *root,
                          struct checks *checks)
{
	/* What Podman says in Docker's fields is of the machine, and not of what a rootless engine may use. */
	bool podman = docker_client_is_podman(cli->docker);
	auto_err struct err untold = ERR_INIT;
	auto_json json_t *own = podman ? docker_get(cli->docker, &untold, "/libpod/info") : NULL;
	const struct check_machine machine = { .info = info,
		                               .controllers = json_lookup(own, "host/cgroupControllers"),
		                               .podman = podman,
		                               .root = root,
		                               .local = docker_endpoint_is_local(&cli->endpoint),
		                               .minimum_disk = minimum_disk };
	check_cgroup(&machine, checks);
	check_disk(&machine, checks);
	check_memory(&machine, checks);
	check_inotify(&machine, checks);
	check_modules(&machine, checks);
	check_dns(&machine, checks);
	check_ca(&machine, checks);
	check_clock(&machine, checks);
}

int checks_run_all(struct cli *cli, const struct checks_wish *wish, struct checks *ret_checks, struct err *e)
{
	auto_err struct err problem = ERR_INIT;
	bool answers = check_engine(cli, ret_checks, &problem);
	auto_json json_t *info = answers ? docker_get(cli->docker, &problem, "/info") : NULL;
	if (problem.kind == ERR_CANCELLED)
		return err_move(e, &problem);
	if (answers && !info)
		add_error(ret_checks, "cgroup", &problem);
	if (info) {
		check_machine(cli, info, wish->minimum_disk, wish->root, ret_checks);
		check_ports(cli, wish->ports, ret_checks);
		check_image(cli, wish->image, ret_checks);
	}
	skip_rest(ret_checks);
	return interrupt_check(e);
}

json_t *checks_json(const struct check_result *result)
{
	return json_pack("{s:s, s:s, s:s, s:s?}", "id", result->id, "outcome", check_outcome_name(result->outcome),
	                 "evidence", result->evidence, "fix", result->fix);
}

int checks_of_machine(struct cli *cli, int64_t minimum_disk, struct checks *ret_checks, struct err *e)
{
	auto_json json_t *info = docker_get(cli->docker, e, "/info");
	if (!info)
		return -1;
	check_machine(cli, info, minimum_disk, checks_root(), ret_checks);
	return 0;
}

int checks_before_start(struct cli *cli, int64_t minimum_disk, struct err *e)
{
	auto_checks struct checks checks = CHECKS_INIT;
	if (checks_of_machine(cli, minimum_disk, &checks, e) < 0)
		return -1;
	for (size_t i = 0; i < checks.count; i++) {
		const struct check_result *result = &checks.results[i];
		if (result->outcome == CHECK_WARNING)
			cli_say_verbose(cli, "%s: %s", result->id, result->evidence);
		if (result->outcome != CHECK_FAILURE)
			continue;
		err_set(e, result->kind, result->error_id, "%s", result->evidence);
		return result->fix ? err_hint(e, "%s", result->fix) : -1;
	}
	return 0;
}
