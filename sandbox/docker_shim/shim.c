#include "docker_shim/shim.h"

#include "base/file.h"
#include "base/image_reference.h"
#include "base/text.h"

#include <string.h>

#define CTR "ctr", "-n", "k8s.io", "images"

void shim_command_release(struct shim_command *command)
{
	for (size_t i = 0; i < command->count; i++)
		free(command->words[i]);
	free(command->words);
	free(command->message);
	*command = (struct shim_command)SHIM_COMMAND_INIT;
}

/* Takes the word. */
static void add_owned(struct shim_command *command, char *word)
{
	command->words = xreallocarray(command->words, command->count + 2, sizeof(*command->words));
	command->words[command->count++] = word;
	command->words[command->count] = NULL;
}

static void add_all(struct shim_command *command, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_owned(command, xstrdup(words[i]));
}

static void add_option(struct shim_command *command, const char *kind, char *value)
{
	add_owned(command, xstrdup(kind));
	add_owned(command, value);
}

/* ---- build ---- */

struct build {
	struct shim_command *command;
	char *names; /* of the image, joined by commas */
	const char *file;
	const char *context;
	const char *progress;
	bool pull;
};

enum takes { TAKES_NOTHING, TAKES_VALUE };
enum meaning { TAG, FILE_NAME, BUILD_ARGUMENT, LABEL, TARGET, PLATFORM, PROGRESS, NO_CACHE, PULL, NOTHING, REFUSED };

static const struct build_option {
	const char *name;
	enum takes takes;
	enum meaning meaning;
} build_options[] = {
	{ "--tag", TAKES_VALUE, TAG },
	{ "-t", TAKES_VALUE, TAG },
	{ "--file", TAKES_VALUE, FILE_NAME },
	{ "-f", TAKES_VALUE, FILE_NAME },
	{ "--build-arg", TAKES_VALUE, BUILD_ARGUMENT },
	{ "--label", TAKES_VALUE, LABEL },
	{ "--target", TAKES_VALUE, TARGET },
	{ "--platform", TAKES_VALUE, PLATFORM },
	{ "--progress", TAKES_VALUE, PROGRESS },
	{ "--no-cache", TAKES_NOTHING, NO_CACHE },
	{ "--pull", TAKES_NOTHING, PULL },
	/* What holds here anyway. */
	{ "--load", TAKES_NOTHING, NOTHING },
	{ "--rm", TAKES_NOTHING, NOTHING },
	{ "--force-rm", TAKES_NOTHING, NOTHING },
	{ "--quiet", TAKES_NOTHING, NOTHING },
	{ "-q", TAKES_NOTHING, NOTHING },
	{ "--network", TAKES_VALUE, NOTHING },
	{ "--push", TAKES_NOTHING, REFUSED },
	{ "--output", TAKES_VALUE, REFUSED },
	{ "-o", TAKES_VALUE, REFUSED },
};

static const struct build_option *find_option(const char *word, size_t length)
{
	for (size_t i = 0; i < ARRAY_LENGTH(build_options); i++) {
		if (strlen(build_options[i].name) == length && memcmp(build_options[i].name, word, length) == 0)
			return &build_options[i];
	}
	return NULL;
}

static int add_name(struct build *build, const char *name, struct err *e)
{
	auto_free char *reference = NULL;
	if (image_reference_normalise(name, &reference, e) < 0)
		return -1;
	char *names = build->names ? xasprintf("%s,%s", build->names, reference) : xstrdup(reference);
	free(build->names);
	build->names = names;
	return 0;
}

/* K=V; K alone has its value from the environment, and is left out where that has none (docker build --build-arg). */
static void add_argument(struct build *build, const char *argument)
{
	const char *value = getenv(argument);
	if (strchr(argument, '='))
		add_option(build->command, "--opt", xasprintf("build-arg:%s", argument));
	else if (value)
		add_option(build->command, "--opt", xasprintf("build-arg:%s=%s", argument, value));
}

static int take_option(struct build *build, const struct build_option *option, const char *value, struct err *e)
{
	switch (option->meaning) {
	case TAG:
		return add_name(build, value, e);
	case FILE_NAME:
		build->file = value;
		return 0;
	case BUILD_ARGUMENT:
		add_argument(build, value);
		return 0;
	case LABEL:
		add_option(build->command, "--opt", xasprintf("label:%s", value));
		return 0;
	case TARGET:
		add_option(build->command, "--opt", xasprintf("target=%s", value));
		return 0;
	case PLATFORM:
		add_option(build->command, "--opt", xasprintf("platform=%s", value));
		return 0;
	case PROGRESS:
		build->progress = value;
		return 0;
	case NO_CACHE:
		add_owned(build->command, xstrdup("--no-cache"));
		return 0;
	case PULL:
		build->pull = true;
		return 0;
	case NOTHING:
		return 0;
	case REFUSED:
		break;
	}
	err_set(e, ERR_UNSUPPORTED, "docker-shim", "%s is not for a build in the sandbox", option->name);
	return err_hint(e, "what is built is where pods find it; nothing has to be pushed");
}

static int parse_build(struct build *build, char *const *words, size_t count, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		const char *word = words[i];
		const char *sign = text_starts_with(word, "--") ? strchr(word, '=') : NULL;
		if (word[0] != '-' || !word[1]) {
			if (build->context)
				return err_set(e, ERR_USAGE, "extra-argument",
				               "docker build takes one context, not '%s' too", word);
			build->context = word;
			continue;
		}
		const struct build_option *option = find_option(word, sign ? (size_t)(sign - word) : strlen(word));
		if (!option)
			return err_set(e, ERR_USAGE, "unknown-option", "docker build has no option '%s' here", word);
		const bool separate = option->takes == TAKES_VALUE && !sign;
		if (separate && i + 1 == count)
			return err_set(e, ERR_USAGE, "missing-value", "%s needs a value", word);
		const char *value = sign ? sign + 1 : separate ? words[++i] : "";
		if (take_option(build, option, value, e) < 0)
			return -1;
	}
	return 0;
}

/* The Dockerfile's folder and name, for BuildKit, which takes them apart. */
static void add_dockerfile(struct build *build)
{
	auto_free char *path = build->file ? xstrdup(build->file) : file_join(build->context, "Dockerfile");
	char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	add_option(build->command, "--opt", xasprintf("filename=%s", name));
	auto_free char *directory = !slash          ? xstrdup(".")
	                            : slash == path ? xstrdup("/")
	                                            : xstrndup(path, (size_t)(slash - path));
	add_option(build->command, "--local", xasprintf("dockerfile=%s", directory));
}

static int translate_build(char *const *words, size_t count, struct shim_command *command, struct err *e)
{
	static const char *const start[] = { "buildctl", "build", "--frontend", "dockerfile.v0" };
	struct build build = { .command = command, .progress = "plain" };
	add_all(command, start, ARRAY_LENGTH(start));
	command->builds = true;
	int outcome = parse_build(&build, words, count, e);
	if (outcome == 0 && (!build.context || text_equal(build.context, "-") || strstr(build.context, "://")))
		outcome = err_set(e, ERR_USAGE, "missing-argument", "docker build needs a folder as its context");
	if (outcome == 0) {
		add_owned(command, xasprintf("--progress=%s", build.progress));
		add_option(command, "--opt", xasprintf("image-resolve-mode=%s", build.pull ? "pull" : "local"));
		add_option(command, "--local", xasprintf("context=%s", build.context));
		add_dockerfile(&build);
		if (build.names)
			add_option(command, "--output", xasprintf("type=image,\"name=%s\",unpack=true", build.names));
	}
	free(build.names);
	return outcome;
}

/* ---- Images ---- */

static int translate_names(const char *verb, char *const *words, size_t count, size_t wanted,
                           struct shim_command *command, struct err *e)
{
	static const char *const start[] = { CTR };
	if (count != wanted)
		return err_set(e, ERR_USAGE, "missing-argument", "docker %s takes %zu name%s", verb, wanted,
		               wanted == 1 ? "" : "s");
	add_all(command, start, ARRAY_LENGTH(start));
	add_owned(command, xstrdup(verb));
	if (text_equal(verb, "tag"))
		add_owned(command, xstrdup("--force"));
	for (size_t i = 0; i < count; i++) {
		char *reference = NULL;
		if (image_reference_normalise(words[i], &reference, e) < 0)
			return -1;
		add_owned(command, reference);
	}
	return 0;
}

static int translate_list(struct shim_command *command)
{
	static const char *const words[] = { CTR, "list" };
	add_all(command, words, ARRAY_LENGTH(words));
	return 0;
}

int shim_translate(char *const *words, size_t count, struct shim_command *ret_command, struct err *e)
{
	const char *verb = count ? words[0] : "";
	size_t used = 1;
	/* Alone, `rm` and `ls` are about containers, of which there are none. */
	const bool of_images = text_equal(verb, "image");
	if (count > 1 && (of_images || text_equal(verb, "buildx"))) {
		verb = words[1];
		used = 2;
	}
	char *const *rest = words + used;
	const size_t left = count > used ? count - used : 0;
	if (text_equal(verb, "build"))
		return translate_build(rest, left, ret_command, e);
	if (text_equal(verb, "tag"))
		return translate_names("tag", rest, left, 2, ret_command, e);
	if (text_equal(verb, "rmi") || (of_images && text_equal(verb, "rm")))
		return translate_names("remove", rest, left, 1, ret_command, e);
	if (text_equal(verb, "pull"))
		return translate_names("pull", rest, left, 1, ret_command, e);
	if (text_equal(verb, "images") || (of_images && (text_equal(verb, "ls") || text_equal(verb, "list"))))
		return translate_list(ret_command);
	if (text_equal(verb, "version") || text_equal(verb, "--version"))
		ret_command->message = xstrdup("docker of the sandbox " SANDBOX_VERSION ": BuildKit and containerd");
	else if (text_equal(verb, "push"))
		ret_command->message =
		        xstrdup("nothing to push: what is built here is where the sandbox's pods find it");
	if (ret_command->message)
		return 0;
	err_set(e, ERR_UNSUPPORTED, "docker-shim", "there is no Docker engine in the sandbox, and no 'docker %s'",
	        verb);
	return err_hint(
	        e, "docker build, tag, images, rmi, pull and version work on the images of the sandbox's Kubernetes");
}
