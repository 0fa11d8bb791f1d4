#include "cli/lifecycle/image_source.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/image_reference.h"
#include "base/platform.h"
#include "base/text.h"
#include "cli/framework/interrupt.h"
#include "docker/image.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAYERS_MAXIMUM 256
#define BUILD_STOP_MS 10000
#define MEGABYTE 1000000

extern char **environ;

/* Bytes of a pull, summed over its layers. */
struct transfer {
	struct cli *cli;
	const char *what;
	struct {
		char id[16];
		int64_t current, total;
	} layers[LAYERS_MAXIMUM];
	size_t count;
};

static void report(struct transfer *transfer, int64_t current, int64_t total)
{
	if (total > 0)
		cli_progress(transfer->cli, "%s: %lld of %lld MB (%lld %%)", transfer->what,
		             (long long)current / MEGABYTE, (long long)total / MEGABYTE,
		             (long long)(current * 100 / total));
	else
		cli_progress(transfer->cli, "%s", transfer->what);
}

static void note_progress(void *context, const struct docker_progress *progress)
{
	struct transfer *transfer = context;
	if (!*progress->id) {
		report(transfer, progress->current, progress->total);
		return;
	}
	/* Extraction counts from zero again; the download is what takes time. */
	bool download = text_equal(progress->status, "Downloading");
	bool whole = text_equal(progress->status, "Download complete");
	size_t i = 0;
	while (i < transfer->count &&
	       strncmp(transfer->layers[i].id, progress->id, sizeof(transfer->layers[i].id) - 1) != 0)
		i++;
	if (i == LAYERS_MAXIMUM || !(download || whole))
		return;
	if (i == transfer->count)
		(void)snprintf(transfer->layers[transfer->count++].id, sizeof(transfer->layers[i].id), "%s",
		               progress->id);
	if (download) {
		transfer->layers[i].current = progress->current;
		transfer->layers[i].total = progress->total;
	} else {
		transfer->layers[i].current = transfer->layers[i].total;
	}
	int64_t current = 0;
	int64_t total = 0;
	for (i = 0; i < transfer->count; i++) {
		current += transfer->layers[i].current;
		total += transfer->layers[i].total;
	}
	report(transfer, current, total);
}

/* 1 when the engine has it, 0 when not. */
static int look_for(struct cli *cli, const char *image, char **ret_id, struct err *e)
{
	auto_err struct err problem = ERR_INIT;
	auto_json json_t *found = docker_image_inspect(cli->docker, image, &problem);
	if (!found)
		return problem.kind == ERR_NOT_FOUND ? 0 : err_move(e, &problem);
	*ret_id = xstrdup(json_string_at(found, "Id", ""));
	return 1;
}

static int load(struct cli *cli, const struct image_wish *wish, char **ret_id, struct err *e)
{
	auto_free char *what = xasprintf("loading the image from '%s'", wish->file);
	auto_free char *loaded = NULL;
	struct transfer transfer = { .cli = cli, .what = what };
	int64_t began = clock_monotonic_ms();
	cli_progress(cli, "%s", what);
	int outcome = docker_image_load(cli->docker, wish->file, note_progress, &transfer, &loaded, e);
	cli_progress_end(cli);
	if (outcome < 0)
		return -1;
	cli_say(cli, "loaded '%s' from '%s' in %.1f s", loaded, wish->file,
	        (double)(clock_monotonic_ms() - began) / 1000);
	int found = look_for(cli, wish->image, ret_id, e);
	if (found != 0)
		return found;
	/* The file holds it under another name. */
	if (docker_image_tag(cli->docker, loaded, wish->image, e) < 0)
		return -1;
	return look_for(cli, wish->image, ret_id, e);
}

static int pull(struct cli *cli, const char *reference, const struct image_wish *wish, char **ret_id, struct err *e)
{
	auto_free char *what = xasprintf("pulling '%s'", reference);
	struct transfer transfer = { .cli = cli, .what = what };
	int64_t began = clock_monotonic_ms();
	cli_progress(cli, "%s", what);
	int outcome = docker_image_pull(cli->docker, reference, note_progress, &transfer, e);
	cli_progress_end(cli);
	if (outcome < 0)
		return -1;
	cli_say(cli, "pulled '%s' in %.1f s", reference, (double)(clock_monotonic_ms() - began) / 1000);
	if (!text_equal(reference, wish->image) && docker_image_tag(cli->docker, reference, wish->image, e) < 0)
		return -1;
	return look_for(cli, wish->image, ret_id, e);
}

/* Waits for the build script; an interrupt ends it first. Its exit code, 128 + signal, or -1. */
static int wait_for_build(pid_t pid, struct err *e)
{
	auto_fd int process = platform_watch_process(pid);
	struct pollfd events[] = { { .fd = interrupt_fd(), .events = POLLIN }, { .fd = process, .events = POLLIN } };
	bool interrupted = false;
	while (process >= 0 && poll(events, 2, interrupted ? BUILD_STOP_MS : -1) != 0) {
		if (events[1].revents)
			break;
		if (events[0].revents && !interrupted) {
			interrupted = true;
			kill(pid, SIGTERM);
			events[0].fd = -1;
		}
	}
	if (interrupted && !events[1].revents)
		kill(pid, SIGKILL);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (interrupted || interrupt_signal())
		return err_set(e, ERR_CANCELLED, "cancelled", "interrupted while the image was built");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* "flyte-sandbox" of "flyte-sandbox:0.1.0" */
static char *name_without_tag(const char *image)
{
	const char *slash = strrchr(image, '/');
	const char *colon = strchr(slash ? slash : image, ':');
	return colon ? xstrndup(image, (size_t)(colon - image)) : xstrdup(image);
}

/* Runs the script with its stdout on our stderr: it talks to the person. Ours alone are the ignored SIGPIPE and all
 * other descriptors, which a shell would trip over. */
static int spawn_build(const char *script, const char *name, pid_t *ret_pid, struct err *e)
{
	char tag_option[] = "--tag";
	auto_free char *program = xstrdup(script);
	auto_free char *tag = xstrdup(name);
	char *arguments[] = { program, tag_option, tag, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	int problem = posix_spawn(ret_pid, script, &actions, &attributes, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return problem ? err_set_errno(e, problem, "image-build", "cannot run '%s'", script) : 0;
}

static int build(struct cli *cli, const struct image_wish *wish, char **ret_id, struct err *e)
{
	auto_free char *script = xasprintf("%s/scripts/build-image", wish->source);
	auto_free char *name = name_without_tag(wish->image);
	pid_t pid;
	cli_say(cli, "building the image '%s' from '%s'; the first build takes many minutes", wish->image,
	        wish->source);
	if (spawn_build(script, name, &pid, e) < 0)
		return -1;
	int code = wait_for_build(pid, e);
	if (code < 0)
		return -1;
	if (code != 0) {
		err_set(e, ERR_INTERNAL, "image-build", "'%s' failed with exit code %d", script, code);
		return err_hint(e, "its messages are above; `%s --verbose` shows everything", script);
	}
	int found = look_for(cli, wish->image, ret_id, e);
	if (found == 0)
		return err_set(e, ERR_INTERNAL, "image-build", "'%s' succeeded but made no image '%s'", script,
		               wish->image);
	return found;
}

static bool can_build(const struct image_wish *wish)
{
	if (text_is_empty(wish->source))
		return false;
	auto_free char *script = xasprintf("%s/scripts/build-image", wish->source);
	return access(script, X_OK) == 0;
}

static int obtain(struct cli *cli, const struct image_wish *wish, char **ret_id, struct err *e)
{
	auto_free char *remote = !text_is_empty(wish->registry)                ? file_join(wish->registry, wish->image)
	                         : image_reference_names_registry(wish->image) ? xstrdup(wish->image)
	                                                                       : NULL;
	bool always = text_equal(wish->pull, "always");
	bool never = text_equal(wish->pull, "never");
	if (!text_is_empty(wish->file) && always)
		return load(cli, wish, ret_id, e);
	int found = always && remote ? 0 : look_for(cli, wish->image, ret_id, e);
	if (found != 0)
		return found;
	if (!text_is_empty(wish->file))
		return load(cli, wish, ret_id, e);
	if (remote && !never)
		return pull(cli, remote, wish, ret_id, e);
	bool ours = text_starts_with(wish->image, INSTANCE_DEFAULT ":") || text_equal(wish->image, INSTANCE_DEFAULT);
	if (ours && can_build(wish) && !never)
		return build(cli, wish, ret_id, e);
	err_set(e, ERR_NOT_FOUND, "image-missing", "the engine has no image '%s'", wish->image);
	if (never || !ours)
		return err_hint(e, "load it with `--image-file FILE`, or give --image a name with a registry");
	return err_hint(
	        e, "build it with scripts/build-image from the source tree (--source DIR), load it with `--image-file "
	           "FILE`, or name a registry in SANDBOX_REGISTRY");
}

int image_obtain(struct cli *cli, const struct image_wish *wish, char **ret_id, struct err *e)
{
	return obtain(cli, wish, ret_id, e) < 0 ? -1 : 0;
}
