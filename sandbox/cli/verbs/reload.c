/* reload: puts a freshly built control plane into a running sandbox. PID 1 runs a program of the override folder in
 * place of the image's. */
#include "base/clock.h"
#include "base/text.h"
#include "base/file.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "cli/instance/sandbox.h"
#include "cli/instance/spec.h"
#include "cli/lifecycle/controlplane_config.h"
#include "cli/lifecycle/source_tree.h"
#include "docker/archive.h"
#include "docker/exec.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "flyte-controlplane"
#define SERVICE "controlplane"
#define RESTART_MS INT64_C(60000)

struct reload_values {
	bool reset;
	bool config;
};

static const struct option reload_options[] = {
	{ .name = "reset",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct reload_values, reset),
	  .help = "go back to the image's own control plane; with --config, to the default configuration" },
	{ .name = "config",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct reload_values, config),
	  .help = "put a configuration file in place instead of a program" },
	{ .name = NULL },
};

static int capture(struct cli *cli, const struct sandbox *sandbox, const char *const *command, struct err *e)
{
	auto_buf struct buf output = BUF_INIT(64 * 1024);
	return docker_exec_capture(cli->docker, sandbox->id, command, RESTART_MS, &output, e);
}

/* What is none would keep the sandbox from ever being ready, also after the next start. */
static int check_program(const char *path, struct err *e)
{
	static const char elf[] = { 0x7f, 'E', 'L', 'F' };
	char head[sizeof(elf)];
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) && memcmp(head, elf, sizeof(elf)) == 0)
		return 0;
	err_set(e, ERR_INVALID, "no-program", "'%s' is no program of Linux", path);
	return err_hint(e, "a configuration is put in place with --config");
}

static int put_program(struct cli *cli, const struct sandbox *sandbox, const char *path, struct err *e)
{
	auto_tar struct tar *tar = tar_new();
	tar_add_directory(tar, "override", 0755);
	if (tar_add_file(tar, "override/" PROGRAM, 0755, path, e) < 0)
		return err_hint(e, "build it: cmake --preset container && cmake --build --preset container");
	if (check_program(path, e) < 0)
		return -1;
	return docker_archive_put(cli->docker, sandbox->id, SPEC_STATE_DIRECTORY, tar, NULL, NULL, e);
}

/* {"name", "program" or "configuration", "milliseconds"}; null for what the image brings. */
static void tell(struct cli *cli, const char *what, const char *file, int64_t milliseconds)
{
	if (cli_wants_json(cli))
		cli_print_document(cli, json_pack("{s:s, s:s?, s:I}", "name", cli->instance.name, what, file,
		                                  "milliseconds", (json_int_t)milliseconds));
	else if (text_equal(what, "program"))
		cli_say(cli, "%s runs from %s (%lld ms)", SERVICE, file ? file : "the image", (long long)milliseconds);
	else
		cli_say(cli, "the sandbox is configured %s%s", file ? "by " : "as it is by default", file ? file : "");
}

/* The control plane takes it over by itself. */
static int reload_configuration(struct cli *cli, const struct sandbox *sandbox, const char *file, bool reset,
                                struct err *e)
{
	auto_free char *path = file ? xstrdup(file) : controlplane_config_default_file(cli);
	int64_t began = clock_monotonic_ms();
	if (reset ? controlplane_config_remove(cli, sandbox, e) < 0 : controlplane_config_put(cli, sandbox, path, e) < 0)
		return -1;
	tell(cli, "configuration", reset ? NULL : path, clock_monotonic_ms() - began);
	return EXIT_CODE_OK;
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	static const char *const restart[] = { "sandbox-init", "restart", SERVICE, NULL };
	static const char *const remove[] = { "rm", "-f", SPEC_STATE_DIRECTORY "/override/" PROGRAM, NULL };
	const struct reload_values *values = context;
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	const char *tree = count ? NULL : source_tree();
	auto_free char *built = tree ? file_join(tree, "out/container/bin/" PROGRAM) : NULL;
	const char *path = count ? arguments[0] : built;
	int64_t began = clock_monotonic_ms();
	if (sandbox_require_running(cli, &sandbox, e) < 0)
		return -1;
	if (values->config)
		return reload_configuration(cli, &sandbox, count ? arguments[0] : NULL, values->reset, e);
	if (!values->reset && !path) {
		err_set(e, ERR_USAGE, "missing-argument", "`sandbox reload` needs a file: this launcher was not built in a source tree");
		return err_hint(e, "`sandbox reload FILE`");
	}
	if (values->reset ? capture(cli, &sandbox, remove, e) < 0 : put_program(cli, &sandbox, path, e) < 0)
		return -1;
	if (capture(cli, &sandbox, restart, e) < 0)
		return cli_hint_command(cli, e, values->reset ? "logs " SERVICE : "reload --reset");
	tell(cli, "program", values->reset ? NULL : path, clock_monotonic_ms() - began);
	return EXIT_CODE_OK;
}

const struct verb verb_reload = {
	.name = "reload",
	.summary = "put a configuration or a freshly built control plane into the running sandbox",
	.arguments = "[FILE]",
	.description =
	        "With --config: checks the configuration FILE (by default ~/.flyte/sandbox/config.yaml) and puts it in place; "
	        "it holds at once, nothing is restarted, and a file with an error changes nothing.\n\n"
	        "Without, for work on the sandbox itself: copies the program FILE (by default the source tree's out/container/bin/" PROGRAM
	        ", built for the image's Debian) into the sandbox and restarts the control plane with it. It stays "
	        "until `sandbox reload --reset`, also over `stop` and `start`, and `sandbox status` shows it; a sandbox "
	        "that is started from another image drops it.",
	.options = reload_options,
	.values_size = sizeof(struct reload_values),
	.arguments_maximum = 1,
	.run = run,
};
