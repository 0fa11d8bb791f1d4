#include "cli/lifecycle/controlplane_config.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/instance/spec.h"
#include "docker/archive.h"
#include "docker/exec.h"

#include <string.h>

#define DIRECTORY SPEC_STATE_DIRECTORY "/config"
#define CANDIDATE DIRECTORY "/candidate/config.yaml"
#define TEMPLATES "cluster-resource-templates"
#define TIMEOUT_MS INT64_C(30000)
/* The control plane that runs: `sandbox reload` may have put another one in place of the image's. */
#define CHECK                                                                                                          \
	"p=" SPEC_STATE_DIRECTORY "/override/flyte-controlplane; [ -x \"$p\" ] || p=flyte-controlplane; "              \
	"\"$p\" --check-config " CANDIDATE

static char *beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	auto_free char *directory = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
	return file_join(directory, name);
}

char *controlplane_config_default_file(const struct cli *cli)
{
	return beside(cli->instance.kubeconfig, "config.yaml");
}

struct collected {
	struct buf text;
};

static int collect(void *context, enum docker_stream stream, const char *bytes, size_t length, struct err *e)
{
	struct collected *collected = context;
	(void)stream;
	(void)e;
	(void)buf_add(&collected->text, bytes, length);
	return 0;
}

static int check(struct cli *cli, const struct sandbox *sandbox, const char *file, struct err *e)
{
	static const char *const command[] = { "sh", "-c", CHECK, NULL };
	struct collected collected = { .text = BUF_INIT((size_t)64 * 1024) };
	const struct docker_sink sink = { .on_output = collect, .context = &collected };
	const struct docker_exec exec = { .command = command, .timeout_ms = TIMEOUT_MS };
	int code = 0;
	int outcome = docker_exec_run(cli->docker, sandbox->id, &exec, &sink, &code, e);
	if (outcome == 0 && code != 0) {
		const char *text = buf_text(&collected.text);
		outcome = err_set(e, ERR_INVALID, "bad-configuration", "%s: %.*s", file, (int)strcspn(text, "\n"),
		                  *text ? text : "the control plane cannot check it");
		err_hint(e, "the sandbox goes on with what it had; the settings are listed in "
		            "docs/guide/configuration.md");
	}
	buf_release(&collected.text);
	return outcome;
}

static int capture(struct cli *cli, const struct sandbox *sandbox, const char *const *command, struct err *e)
{
	auto_buf struct buf output = BUF_INIT((size_t)64 * 1024);
	return docker_exec_capture(cli->docker, sandbox->id, command, TIMEOUT_MS, &output, e);
}

int controlplane_config_put(struct cli *cli, const struct sandbox *sandbox, const char *file, struct err *e)
{
	static const char *const move[] = { "mv", CANDIDATE, DIRECTORY "/config.yaml", NULL };
	auto_tar struct tar *tar = tar_new();
	auto_free char *templates = beside(file, TEMPLATES);
	tar_add_directory(tar, "config", 0755);
	tar_add_directory(tar, "config/candidate", 0755);
	if (file_exists(templates)) {
		tar_add_directory(tar, "config/" TEMPLATES, 0755);
		if (tar_add_tree(tar, "config/" TEMPLATES, templates, NULL, e) < 0)
			return -1;
	}
	if (tar_add_file(tar, "config/candidate/config.yaml", 0644, file, e) < 0)
		return -1;
	if (docker_archive_put(cli->docker, sandbox->id, SPEC_STATE_DIRECTORY, tar, NULL, NULL, e) < 0 ||
	    check(cli, sandbox, file, e) < 0)
		return -1;
	return capture(cli, sandbox, move, e);
}

int controlplane_config_remove(struct cli *cli, const struct sandbox *sandbox, struct err *e)
{
	static const char *const remove[] = { "rm", "-f", DIRECTORY "/config.yaml", NULL };
	return capture(cli, sandbox, remove, e);
}
