/*
 * build: packs the context here, unpacks it in the sandbox's volume, and lets the BuildKit there build straight into
 * the image store of the kubelet. No registry, no copy. The context is removed in every case, and an interrupt ends the
 * builder, too.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/image_reference.h"
#include "base/text.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/interrupt.h"
#include "cli/framework/verb.h"
#include "cli/instance/sandbox.h"
#include "cli/instance/spec.h"
#include "cli/verbs/build_secrets.h"
#include "docker/archive.h"
#include "docker/exec.h"

#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define IGNORE_FILE_MAXIMUM ((size_t)4 * 1024 * 1024)
/* That of PID 1, with a margin: it has the better message. */
#define BUILDKIT_START_MS INT64_C(630000)
#define CLEANUP_MS INT64_C(30000)
#define OUTPUT_TAIL_MAXIMUM ((size_t)256 * 1024)
#define MEGABYTE 1e6

struct build_values {
	const char *tag;
	const char *file;
	const char *target;
	struct option_list build_args;
	struct option_list secrets;
	bool no_cache;
};

#define FIELD(field) offsetof(struct build_values, field)
static const struct option build_options[] = {
	{ .name = "tag",
	  .letter = 't',
	  .kind = OPTION_TEXT,
	  .offset = FIELD(tag),
	  .value = "NAME",
	  .of_project = true,
	  .help = "the image's name for `pyflyte run --image NAME` and pod specs; needed" },
	{ .name = "file",
	  .letter = 'f',
	  .kind = OPTION_TEXT,
	  .offset = FIELD(file),
	  .value = "FILE",
	  .of_project = true,
	  .help = "the Dockerfile; DIR/Dockerfile by default" },
	{ .name = "build-arg",
	  .kind = OPTION_LIST,
	  .offset = FIELD(build_args),
	  .value = "K=V",
	  .of_project = true,
	  .help = "value of an ARG of the Dockerfile" },
	{ .name = "secret",
	  .kind = OPTION_LIST,
	  .offset = FIELD(secrets),
	  .value = "id=ID,src=FILE",
	  .help = "file for `RUN --mount=type=secret,id=ID`, in no layer; this machine's CA certificates are there as "
	          "ca-certificates" },
	{ .name = "target",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(target),
	  .value = "STAGE",
	  .of_project = true,
	  .help = "stage to build" },
	{ .name = "no-cache",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(no_cache),
	  .of_project = true,
	  .help = "run every step anew" },
	{ .name = NULL },
};

struct build {
	struct cli *cli;
	const struct build_values *values;
	struct sandbox sandbox;
	char *reference;  /* normalised */
	char *dockerfile; /* path on this machine */
	char *directory;  /* of the context in the container */
	struct build_secrets secrets;
	struct tar *tar;
	struct buf tail; /* the builder's last output, for --quiet and for the error */
	bool uploaded;
	int64_t began_ms;
};

static void build_release(struct build *build)
{
	sandbox_release(&build->sandbox);
	free(build->reference);
	free(build->dockerfile);
	free(build->directory);
	build_secrets_release(&build->secrets);
	tar_free(build->tar);
	buf_release(&build->tail);
}

/* --file is relative to where we are, as with `docker build`; inside of the context is accepted, too. */
static int find_dockerfile(struct build *build, const char *context, struct err *e)
{
	const char *file = build->values->file;
	build->dockerfile = file ? xstrdup(file) : file_join(context, "Dockerfile");
	if (file && file[0] != '/' && !file_exists(file)) {
		free(build->dockerfile);
		build->dockerfile = file_join(context, file);
	}
	if (file_exists(build->dockerfile))
		return 0;
	err_set(e, ERR_NOT_FOUND, "dockerfile-missing", "there is no Dockerfile '%s'", file ? file : build->dockerfile);
	return err_hint(e, "name it with --file FILE");
}

/* <Dockerfile>.dockerignore wins over .dockerignore, as in BuildKit. */
static int read_ignore(const struct build *build, const char *context, struct ignore *ret_ignore, struct err *e)
{
	auto_free char *own = xasprintf("%s.dockerignore", build->dockerfile);
	auto_free char *general = file_join(context, ".dockerignore");
	const char *path = file_exists(own) ? own : general;
	auto_buf struct buf text = BUF_INIT(IGNORE_FILE_MAXIMUM);
	if (!file_exists(path))
		return 0;
	if (file_read(path, &text, e) < 0 || ignore_parse(buf_text(&text), text.length, ret_ignore, e) < 0)
		return err_wrap(e, "'%s'", path);
	return 0;
}

/* Beside the context, not in it: COPY does not reach them. */
static int pack_secrets(struct build *build, const char *top, struct err *e)
{
	auto_free char *folder = xasprintf("%s/secrets", top);
	if (build_secrets_collect(&build->values->secrets, &build->secrets, e) < 0)
		return -1;
	tar_add_directory(build->tar, folder, 0700);
	for (size_t i = 0; i < build->secrets.count; i++) {
		auto_free char *name = file_join(folder, build->secrets.items[i].id);
		if (tar_add_file(build->tar, name, 0600, build->secrets.items[i].path, e) < 0)
			return -1;
	}
	return 0;
}

static int pack(struct build *build, const char *context, struct err *e)
{
	auto_ignore struct ignore ignore = IGNORE_INIT;
	struct stat status;
	if (stat(context, &status) < 0 || !S_ISDIR(status.st_mode)) {
		err_set(e, ERR_NOT_FOUND, "context-missing", "the build context '%s' is not a directory", context);
		return err_hint(
		        e, "name the folder with the Dockerfile and what it copies, e.g. `sandbox build . --tag NAME`");
	}
	if (find_dockerfile(build, context, e) < 0 || read_ignore(build, context, &ignore, e) < 0)
		return -1;
	uint64_t random;
	if (getentropy(&random, sizeof(random)) < 0)
		return err_set(e, ERR_INTERNAL, NULL, "no random numbers");
	auto_free char *top = xasprintf("build/%016" PRIx64, random);
	auto_free char *files = xasprintf("%s/context", top);
	auto_free char *recipes = xasprintf("%s/dockerfile", top);
	auto_free char *recipe = xasprintf("%s/Dockerfile", recipes);
	build->directory = xasprintf("%s/%s", SPEC_STATE_DIRECTORY, top);
	build->tar = tar_new();
	tar_add_directory(build->tar, "build", 0755);
	tar_add_directory(build->tar, top, 0700);
	tar_add_directory(build->tar, files, 0755);
	tar_add_directory(build->tar, recipes, 0755);
	if (tar_add_file(build->tar, recipe, 0644, build->dockerfile, e) < 0 || pack_secrets(build, top, e) < 0)
		return -1;
	return tar_add_tree(build->tar, files, context, &ignore, e);
}

static void show_upload(void *context)
{
	struct build *build = context;
	cli_progress(build->cli, "sending the context: %.1f of %.1f MB",
	             (double)tar_content_sent(build->tar) / MEGABYTE, (double)tar_content_size(build->tar) / MEGABYTE);
}

static int upload(struct build *build, struct err *e)
{
	build->uploaded = true;
	int outcome = docker_archive_put(build->cli->docker, build->sandbox.id, SPEC_STATE_DIRECTORY, build->tar,
	                                 show_upload, build, e);
	cli_progress_end(build->cli);
	if (outcome == 0)
		cli_say(build->cli, "context: %.1f MB in %zu files", (double)tar_content_size(build->tar) / MEGABYTE,
		        tar_entry_count(build->tar));
	return outcome;
}

static int start_builder(struct build *build, struct err *e)
{
	static const char *const command[] = { "sandbox-init", "start", "buildkit", NULL };
	auto_buf struct buf output = BUF_INIT(64 * 1024);
	if (docker_exec_capture(build->cli->docker, build->sandbox.id, command, BUILDKIT_START_MS, &output, e) == 0)
		return 0;
	err_wrap(e, "the builder does not start");
	return cli_hint_command(build->cli, e, "logs buildkit");
}

static int take_output(void *context, enum docker_stream stream, const char *bytes, size_t length, struct err *e)
{
	(void)stream;
	(void)e;
	struct build *build = context;
	if (!build->cli->globals.quiet && file_write_all(STDERR_FILENO, bytes, length, NULL) < 0)
		return 0; /* nobody looks any more: the build goes on */
	size_t kept = length < build->tail.maximum ? length : build->tail.maximum;
	bytes += length - kept;
	if (build->tail.length + kept > build->tail.maximum)
		buf_consume(&build->tail, build->tail.length + kept - build->tail.maximum);
	return buf_add(&build->tail, bytes, kept);
}

/* The words of the builder's command line; the shell in front notes its process id, so that an interrupt can reach it.
 */
struct command {
	const char **words;
	char **owned;
	size_t count;
};

static void command_add(struct command *command, char *word)
{
	command->words = xreallocarray(command->words, command->count + 2, sizeof(*command->words));
	command->owned = xreallocarray(command->owned, command->count + 1, sizeof(*command->owned));
	command->owned[command->count] = word;
	command->words[command->count++] = word;
	command->words[command->count] = NULL;
}

static void command_release(struct command *command)
{
	for (size_t i = 0; i < command->count; i++)
		free(command->owned[i]);
	free(command->owned);
	free(command->words);
}

static void make_command(const struct build *build, struct command *command)
{
	static const char *const start[] = { "/bin/sh", "-c", "echo $$ >\"$0\" && exec \"$@\"" };
	static const char *const middle[] = { "buildctl",
		                              "build",
		                              "--progress=plain",
		                              "--frontend",
		                              "dockerfile.v0",
		                              "--opt",
		                              "filename=Dockerfile",
		                              "--opt",
		                              "image-resolve-mode=local" };
	for (size_t i = 0; i < ARRAY_LENGTH(start); i++)
		command_add(command, xstrdup(start[i]));
	command_add(command, xasprintf("%s/pid", build->directory));
	for (size_t i = 0; i < ARRAY_LENGTH(middle); i++)
		command_add(command, xstrdup(middle[i]));
	command_add(command, xstrdup("--local"));
	command_add(command, xasprintf("context=%s/context", build->directory));
	command_add(command, xstrdup("--local"));
	command_add(command, xasprintf("dockerfile=%s/dockerfile", build->directory));
	command_add(command, xstrdup("--output"));
	command_add(command, xasprintf("type=image,name=%s,unpack=true", build->reference));
	for (size_t i = 0; i < build->values->build_args.count; i++) {
		command_add(command, xstrdup("--opt"));
		command_add(command, xasprintf("build-arg:%s", build->values->build_args.items[i]));
	}
	for (size_t i = 0; i < build->secrets.count; i++) {
		const char *id = build->secrets.items[i].id;
		command_add(command, xstrdup("--secret"));
		command_add(command, xasprintf("id=%s,src=%s/secrets/%s", id, build->directory, id));
	}
	if (build->values->target) {
		command_add(command, xstrdup("--opt"));
		command_add(command, xasprintf("target=%s", build->values->target));
	}
	if (build->values->no_cache)
		command_add(command, xstrdup("--no-cache"));
}

/* The builder's exit code, or -1. */
static int run_builder(struct build *build, struct err *e)
{
	struct command command = { .count = 0 };
	make_command(build, &command);
	const struct docker_exec exec = { .command = command.words };
	const struct docker_sink sink = { .on_output = take_output, .context = build };
	int code = 0;
	int outcome = docker_exec_run(build->cli->docker, build->sandbox.id, &exec, &sink, &code, e);
	command_release(&command);
	return outcome < 0 ? -1 : code;
}

/* Ends a builder that still runs and removes the context. */
static void clean_up(struct build *build, bool interrupted)
{
	static const char script[] = "pid=$(cat \"$0/pid\" 2>/dev/null); [ -z \"$1\" ] || [ -z \"$pid\" ] || kill "
	                             "-TERM \"$pid\"; rm -rf \"$0\"";
	const char *const command[] = { "/bin/sh", "-c", script, build->directory, interrupted ? "kill" : "", NULL };
	auto_buf struct buf output = BUF_INIT(4096);
	auto_err struct err problem = ERR_INIT;
	if (!build->uploaded)
		return;
	interrupt_acknowledge();
	if (docker_exec_capture(build->cli->docker, build->sandbox.id, command, CLEANUP_MS, &output, &problem) < 0)
		cli_say(build->cli, "the context '%s' in the sandbox could not be removed: %s", build->directory,
		        err_message(&problem));
}

/* The builder's last "error: …" line. */
static int build_failed(struct build *build, int code, struct err *e)
{
	const char *text = buf_text(&build->tail);
	const char *message = NULL;
	if (build->cli->globals.quiet)
		(void)file_write_all(STDERR_FILENO, text, build->tail.length, NULL);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (text_starts_with(line, "error: "))
			message = line + strlen("error: ");
	}
	if (message)
		return err_set(e, ERR_INVALID, "build-failed", "%.*s", (int)strcspn(message, "\n"), message);
	return err_set(e, ERR_INVALID, "build-failed", "the builder ended with exit code %d", code);
}

static int build_in_sandbox(struct build *build, const char *context, struct err *e)
{
	if (image_reference_normalise(build->values->tag, &build->reference, e) < 0 || pack(build, context, e) < 0 ||
	    sandbox_require_running(build->cli, &build->sandbox, e) < 0 || start_builder(build, e) < 0 ||
	    upload(build, e) < 0)
		return -1;
	return run_builder(build, e);
}

static void print_result(const struct build *build)
{
	double seconds = (double)(clock_monotonic_ms() - build->began_ms) / 1000;
	cli_say(build->cli, "built '%s' in %.1f s; pods and `pyflyte run --image %s` can use it", build->reference,
	        seconds, build->values->tag);
	if (cli_wants_json(build->cli))
		cli_print_document(build->cli,
		                   json_pack("{s:s, s:s}", "image", build->reference, "tag", build->values->tag));
	else if (build->cli->globals.quiet)
		puts(build->reference);
}

static int run(struct cli *cli, const void *values, char **arguments, size_t count, struct err *e)
{
	(void)count;
	struct build build = { .cli = cli,
		               .values = values,
		               .sandbox = SANDBOX_INIT,
		               .tail = BUF_INIT(OUTPUT_TAIL_MAXIMUM),
		               .began_ms = clock_monotonic_ms() };
	int code = -1;
	if (!build.values->tag) {
		err_set(e, ERR_USAGE, "missing-option", "`sandbox build` needs a name for the image");
		err_hint(e, "sandbox build %s --tag NAME", arguments[0]);
	} else {
		code = build_in_sandbox(&build, arguments[0], e);
		clean_up(&build, code < 0 && e->kind == ERR_CANCELLED);
	}
	if (code > 0) {
		auto_err struct err failure = ERR_INIT;
		build_failed(&build, code, &failure);
		cli_print_error(cli, &failure);
	} else if (code == 0) {
		print_result(&build);
	}
	build_release(&build);
	return code;
}

const struct verb verb_build = {
	.name = "build",
	.summary = "build an image inside the sandbox, for tasks",
	.arguments = "DIR",
	.description = "Builds DIR's Dockerfile with the sandbox's BuildKit, straight into the image store of its "
	               "Kubernetes: pods can use the image at "
	               "once, and no registry is involved. FROM finds images that the sandbox has, and pulls others. "
	               ".dockerignore is honoured. The "
	               "builder's exit code is ours when it fails.",
	.examples = "sandbox build . --tag my-task:1\tbuild, then: pyflyte run --remote --image my-task:1 wf.py wf\n"
	            "sandbox build app -f app/dev.Dockerfile -t app --build-arg PYTHON=3.12\tanother Dockerfile, with "
	            "an argument\n"
	            "sandbox build . -t app --secret id=token,src=$HOME/.token\ta file for RUN "
	            "--mount=type=secret,id=token",
	.options = build_options,
	.values_size = sizeof(struct build_values),
	.arguments_minimum = 1,
	.arguments_maximum = 1,
	.run = run,
};
