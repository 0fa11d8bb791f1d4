#include "cli/lifecycle/snapshot.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/instance/spec.h"
#include "cli/lifecycle/snapshot_file.h"
#include "docker/container.h"
#include "docker/exec.h"
#include "docker/image.h"
#include "docker/volume.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* Of the image: what it was built from, the same for two builds of the same sources. */
#define CONTENT_LABEL "dev.sandbox.content"
/* The helper ends by itself should we not come to that. */
#define HELPER_SECONDS "86400"
#define COMPLAINT_MAXIMUM ((size_t)4096)
#define MEGABYTE 1000000
#define CHECKPOINT_TIMEOUT_MS 120000

char *snapshot_directory(struct err *e)
{
	const char *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");
	if (!text_is_empty(data))
		return file_join(data, "sandbox/snapshots");
	if (!text_is_empty(home))
		return file_join(home, ".local/share/sandbox/snapshots");
	err_set(e, ERR_PRECONDITION, "no-home", "HOME is not set, so there is no place for snapshots");
	return NULL;
}

/* ---- the helper ---- */

/* trusted.* attributes need SYS_ADMIN, file capabilities SETFCAP, devices MKNOD. */
static json_t *helper_body(const char *image, const char *volume)
{
	return json_pack("{s:s, s:[s], s:[s], s:s, s:{s:s, s:b, s:[s,s,s,s,s,s,s,s,s], s:[s,s], s:s, s:{s:s}, s:[{s:s, "
	                 "s:s, s:s}]}}",
	                 "Image", image, "Entrypoint", "sleep", "Cmd", HELPER_SECONDS, "User", "0", "HostConfig",
	                 "NetworkMode", "none", "AutoRemove", 1, "CapAdd", "SYS_ADMIN", "SETFCAP", "MKNOD",
	                 "DAC_OVERRIDE", "DAC_READ_SEARCH", "CHOWN", "FOWNER", "FSETID", "KILL", "SecurityOpt",
	                 "apparmor=unconfined", "seccomp=unconfined", "CgroupnsMode", "private", "LogConfig", "Type",
	                 "none", "Mounts", "Type", "volume", "Source", volume, "Target", SPEC_STATE_DIRECTORY);
}

/* A running container around the volume. `ret_id` is owned by the caller. */
static int helper_start(struct docker_client *docker, const char *volume, const char *image, char **ret_id,
                        struct err *e)
{
	auto_free char *name = xasprintf("%s-snapshot", volume);
	auto_json json_t *body = helper_body(image, volume);
	/* One that an earlier launcher has left: the lock says that nobody needs it. */
	if (docker_container_remove(docker, name, e) < 0 || docker_container_create(docker, name, body, ret_id, e) < 0)
		return -1;
	if (docker_container_start(docker, *ret_id, e) == 0)
		return 0;
	(void)docker_container_remove(docker, *ret_id, NULL);
	return -1;
}

static int take_complaint(struct buf *complaint, const char *bytes, size_t length)
{
	size_t room = complaint->maximum - complaint->length;
	return buf_add(complaint, bytes, length < room ? length : room);
}

/* GNU tar: 1 is "some files changed" and the like. */
static int judge_tar(int code, const struct buf *complaint, const char *what, struct err *e)
{
	if (code == 0)
		return 0;
	return err_set(e, ERR_INTERNAL, "snapshot-tar", "%s: tar ended with exit code %d: %.*s", what, code,
	               (int)strcspn(buf_text(complaint), "\n"), buf_text(complaint));
}

/* ---- saving ---- */

struct saving {
	struct cli *cli;
	struct snapshot_writer *writer;
	int64_t bytes;
	struct buf complaint;
};

static int take_tar(void *context, enum docker_stream stream, const char *bytes, size_t length, struct err *e)
{
	struct saving *saving = context;
	if (stream == DOCKER_STDERR)
		return take_complaint(&saving->complaint, bytes, length);
	saving->bytes += (int64_t)length;
	cli_progress(saving->cli, "saving: %lld MB", (long long)saving->bytes / MEGABYTE);
	return snapshot_writer_add(saving->writer, bytes, length, e);
}

static int save_volume(struct cli *cli, const char *helper, struct snapshot_writer *writer, struct err *e)
{
	static const char *const command[] = { "tar",
		                               "--create",
		                               "--file=-",
		                               "--format=posix",
		                               "--sparse",
		                               "--xattrs",
		                               "--xattrs-include=*",
		                               "--numeric-owner",
		                               "--warning=no-file-ignored",
		                               "--directory=" SPEC_STATE_DIRECTORY,
		                               ".",
		                               NULL };
	struct saving saving = { .cli = cli, .writer = writer, .complaint = BUF_INIT(COMPLAINT_MAXIMUM) };
	const struct docker_sink sink = { .on_output = take_tar, .context = &saving };
	const struct docker_exec exec = { .command = command };
	int code = 0;
	int outcome = docker_exec_run(cli->docker, helper, &exec, &sink, &code, e);
	cli_progress_end(cli);
	if (outcome == 0)
		outcome = judge_tar(code, &saving.complaint, "cannot read the volume", e);
	buf_release(&saving.complaint);
	return outcome;
}

static json_t *manifest_of(const struct cli *cli, const char *image_name, const json_t *image)
{
	char time[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(clock_wall_ns(), time);
	return json_pack("{s:i, s:s, s:s, s:s, s:{s:s, s:s, s:s?, s:s}}", "format", SNAPSHOT_FORMAT, "name",
	                 cli->instance.name, "created", time, "launcher", SANDBOX_VERSION, "image", "name", image_name,
	                 "id", json_string_at(image, "Id", ""), "content",
	                 json_string_value(json_object_get(json_lookup(image, "Config/Labels"), CONTENT_LABEL)),
	                 "architecture", json_string_at(image, "Architecture", ""));
}

/* With the volume at rest. */
static int save_at_rest(struct cli *cli, struct docker_client *docker, const struct sandbox *sandbox, const char *path,
                        json_t **ret_manifest, struct err *e)
{
	auto_json json_t *image = docker_image_inspect(docker, sandbox->image_id, e);
	auto_free char *helper = NULL;
	if (!image || helper_start(docker, cli->instance.name, sandbox->image_id, &helper, e) < 0)
		return -1;
	auto_json json_t *manifest = manifest_of(cli, sandbox->image, image);
	struct snapshot_writer *writer = snapshot_writer_open(path, e);
	int outcome = writer ? save_volume(cli, helper, writer, e) : -1;
	if (outcome == 0)
		outcome = snapshot_writer_finish(writer, manifest, e);
	snapshot_writer_free(writer);
	(void)docker_container_remove(docker, helper, NULL);
	if (outcome == 0)
		*ret_manifest = steal_ptr(manifest);
	return outcome;
}

/*
 * What is paused is saved as a power cut would leave it. Postgres survives that, but with a recovery to do; and whoever
 * has set synchronous_commit to off would lose what it has answered and not yet written. So it writes all down first.
 */
static int write_down(struct docker_client *docker, const char *container, struct err *e)
{
	static const char *const command[] = { "psql", "-qc", "checkpoint",
		                               "postgresql://postgres:postgres@127.0.0.1/postgres", NULL };
	auto_buf struct buf output = BUF_INIT(COMPLAINT_MAXIMUM);
	auto_err struct err problem = ERR_INIT;
	if (docker_exec_capture(docker, container, command, CHECKPOINT_TIMEOUT_MS, &output, &problem) == 0)
		return 0;
	err_set(e, problem.kind, "snapshot-checkpoint", "Postgres does not write down what it has: %s",
	        err_message(&problem));
	return err_hint(e, "see `sandbox logs postgres`; a stopped sandbox is saved without it: sandbox stop");
}

int snapshot_save(struct cli *cli, const char *path, json_t **ret_manifest, struct err *e)
{
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	if (sandbox_require(cli, &sandbox, e) < 0)
		return -1;
	/* What must not be cut in half by an interrupt: a sandbox is never left paused. */
	auto_docker_client struct docker_client *docker = docker_client_clone(cli->docker, -1);
	bool pauses = sandbox.state == SANDBOX_RUNNING;
	if (pauses && (write_down(cli->docker, sandbox.id, e) < 0 || docker_container_pause(docker, sandbox.id, e) < 0))
		return err_wrap(e, "cannot save '%s'", cli->instance.name);
	int outcome = save_at_rest(cli, docker, &sandbox, path, ret_manifest, e);
	auto_err struct err problem = ERR_INIT;
	if (!pauses || docker_container_unpause(docker, sandbox.id, &problem) == 0)
		return outcome < 0 ? err_wrap(e, "cannot save '%s'", cli->instance.name) : 0;
	if (outcome == 0) {
		json_decref(*ret_manifest);
		err_move(e, &problem);
	}
	err_wrap(e, "cannot save '%s', and it stays paused", cli->instance.name);
	return cli_hint_command(cli, e, "resume");
}

/* ---- restoring ---- */

/* The thread that unpacks the file into the pipe that tar's input comes from. */
struct feeder {
	const char *path;
	const json_t *manifest;
	int fd;
	int outcome;
	struct err problem;
};

static void *feed(void *context)
{
	struct feeder *feeder = context;
	feeder->outcome = snapshot_read_volume(feeder->path, feeder->manifest, feeder->fd, &feeder->problem);
	close(feeder->fd);
	return NULL;
}

static int take_restored(void *context, enum docker_stream stream, const char *bytes, size_t length, struct err *e)
{
	(void)e;
	return stream == DOCKER_STDERR ? take_complaint(context, bytes, length) : 0;
}

static int unpack_from(struct cli *cli, const char *helper, int fd, struct err *e)
{
	static const char *const command[] = { "tar",
		                               "--extract",
		                               "--file=-",
		                               "--xattrs",
		                               "--xattrs-include=*",
		                               "--same-owner",
		                               "--same-permissions",
		                               "--numeric-owner",
		                               "--directory=" SPEC_STATE_DIRECTORY,
		                               NULL };
	auto_buf struct buf complaint = BUF_INIT(COMPLAINT_MAXIMUM);
	const struct docker_sink sink = { .on_output = take_restored, .context = &complaint };
	const struct docker_exec exec = { .command = command };
	const struct docker_exec_input input = { .fd = fd, .resize_fd = -1 };
	int code = 0;
	if (docker_exec_attach(cli->docker, helper, &exec, &input, &sink, &code, e) < 0)
		return -1;
	return judge_tar(code, &complaint, "cannot fill the volume", e);
}

static int restore_volume(struct cli *cli, const char *helper, const char *path, const json_t *manifest, struct err *e)
{
	int ends[2];
	if (pipe(ends) < 0)
		return err_set_errno(e, errno, NULL, "cannot make a pipe");
	struct feeder feeder = { .path = path, .manifest = manifest, .fd = ends[1], .problem = ERR_INIT };
	pthread_t thread;
	int problem = pthread_create(&thread, NULL, feed, &feeder);
	if (problem) {
		close(ends[0]);
		close(ends[1]);
		return err_set_errno(e, problem, NULL, "cannot make a thread");
	}
	cli_progress(cli, "restoring '%s'", path);
	int outcome = unpack_from(cli, helper, ends[0], e);
	/* Who still writes sees a closed pipe. */
	close(ends[0]);
	pthread_join(thread, NULL);
	cli_progress_end(cli);
	if (outcome == 0 && feeder.outcome < 0)
		outcome = err_move(e, &feeder.problem);
	err_release(&feeder.problem);
	return outcome;
}

/* The volume's files and the image's belong together: database, image store, Kubernetes. */
static int check_image(const json_t *manifest, const char *name, const json_t *image, struct err *e)
{
	const char *content = json_string_value(json_object_get(json_lookup(image, "Config/Labels"), CONTENT_LABEL));
	const char *architecture = json_string_at(image, "Architecture", "");
	bool same_content = content && text_equal(content, json_string_at(manifest, "image/content", NULL));
	bool same = text_equal(json_string_at(image, "Id", ""), json_string_at(manifest, "image/id", NULL));
	if ((same || same_content) && text_equal(architecture, json_string_at(manifest, "image/architecture", "")))
		return 0;
	err_set(e, ERR_INVALID, "snapshot-mismatch",
	        "the snapshot was made with the image '%s' (%.19s, %s), and '%s' is another one (%.19s, %s)",
	        json_string_at(manifest, "image/name", "?"), json_string_at(manifest, "image/id", "?"),
	        json_string_at(manifest, "image/architecture", "?"), name, json_string_at(image, "Id", "?"),
	        architecture);
	return err_hint(e, "name the image that it was made with: --image NAME");
}

int snapshot_target_taken(const struct cli *cli, const char *path, struct err *e)
{
	auto_free char *delete = cli_command(cli, "delete --volume");
	err_set(e, ERR_CONFLICT, "snapshot-target", "the instance '%s' has a state already", cli->instance.name);
	return err_hint(e,
	                "put it beside, under another name: `sandbox start --name NAME --from %s`. Only if that state "
	                "may go for "
	                "good: `%s` first",
	                path, delete);
}

static int check_target(struct cli *cli, const char *path, struct err *e)
{
	auto_sandbox struct sandbox sandbox = SANDBOX_INIT;
	auto_err struct err problem = ERR_INIT;
	if (sandbox_find(cli, &sandbox, e) < 0)
		return -1;
	auto_json json_t *volume = docker_volume_inspect(cli->docker, cli->instance.name, &problem);
	if (!volume && problem.kind != ERR_NOT_FOUND)
		return err_move(e, &problem);
	if (!volume && sandbox.state == SANDBOX_ABSENT)
		return 0;
	return snapshot_target_taken(cli, path, e);
}

int snapshot_restore(struct cli *cli, const char *path, const char *image_name, struct err *e)
{
	auto_json json_t *manifest = snapshot_manifest(path, e);
	if (!manifest || check_target(cli, path, e) < 0)
		return -1;
	auto_json json_t *image = docker_image_inspect(cli->docker, image_name, e);
	if (!image || check_image(manifest, image_name, image, e) < 0 || snapshot_verify(path, manifest, e) < 0)
		return -1;
	auto_docker_client struct docker_client *docker = docker_client_clone(cli->docker, -1);
	auto_json json_t *labels = spec_labels(&cli->instance);
	auto_free char *helper = NULL;
	if (docker_volume_create(docker, cli->instance.name, labels, e) < 0)
		return -1;
	int outcome = helper_start(docker, cli->instance.name, image_name, &helper, e);
	if (outcome == 0) {
		outcome = restore_volume(cli, helper, path, manifest, e);
		(void)docker_container_remove(docker, helper, NULL);
	}
	if (outcome < 0) {
		(void)docker_volume_remove(docker, cli->instance.name, NULL);
		return err_wrap(e, "cannot restore '%s'", path);
	}
	return 0;
}
