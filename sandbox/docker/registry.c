#include "docker/registry.h"

#include "base/base64.h"
#include "base/file.h"
#include "base/image_reference.h"
#include "base/json.h"
#include "base/platform.h"
#include "base/text.h"
#include "docker/image.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOCKER_HUB "https://index.docker.io/v1/"
#define AUTH_MAXIMUM ((size_t)64 * 1024)
#define CONFIG_MAXIMUM ((size_t)1024 * 1024)
#define HELPER_ANSWER_MAXIMUM ((size_t)256 * 1024)

extern char **environ;

char *docker_registry_of(const char *reference)
{
	if (!image_reference_names_registry(reference) || text_starts_with(reference, "docker.io/"))
		return xstrdup(DOCKER_HUB);
	return xstrndup(reference, strcspn(reference, "/"));
}

/* RFC 4648 §5, with padding, which is what engines expect in X-Registry-Auth. */
static char *encode_url(const char *text)
{
	char *encoded = base64_encode(text, strlen(text));
	for (char *c = encoded; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return encoded;
}

static json_t *read_config(void)
{
	const char *directory = getenv("DOCKER_CONFIG");
	const char *home = getenv("HOME");
	auto_free char *path = !text_is_empty(directory) ? file_join(directory, "config.json")
	                       : home                    ? file_join(home, ".docker/config.json")
	                                                 : xstrdup("");
	auto_buf struct buf text = BUF_INIT(CONFIG_MAXIMUM);
	if (file_read(path, &text, NULL) < 0)
		return NULL;
	return json_parse(buf_text(&text), text.length, path, NULL);
}

static int read_all(int fd, struct buf *out, struct err *e)
{
	char chunk[4096];
	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(e, errno, NULL, "cannot read the answer");
		if (got == 0)
			return 0;
		if (buf_add(out, chunk, (size_t)got) < 0)
			return err_set(e, ERR_EXHAUSTED, "credential-helper", "the answer is too long");
	}
}

/* Runs `program get` with `input` on its stdin; its stdout comes back in `answer`. Returns its exit code or -1. The
 * stdin is a socket, so that a program that does not read it cannot kill us with SIGPIPE. */
static int run_helper(const char *program, const char *input, struct buf *answer, struct err *e)
{
	int to[2];
	int from[2];
	if (platform_socket_pair(to) < 0)
		return err_set_errno(e, errno, NULL, "cannot make a socket pair");
	auto_fd int to_read = to[0];
	auto_fd int to_write = to[1];
	if (platform_socket_pair(from) < 0)
		return err_set_errno(e, errno, NULL, "cannot make a socket pair");
	auto_fd int from_read = from[0];
	auto_fd int from_write = from[1];
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to_read, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, from_write, STDOUT_FILENO);
	auto_free char *name = xstrdup(program);
	char get[] = "get";
	char *arguments[] = { name, get, NULL };
	pid_t pid;
	int problem = posix_spawnp(&pid, program, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (problem)
		return err_set_errno(e, problem, "credential-helper", "cannot run '%s'", program);
	close(steal_fd(&to_read));
	close(steal_fd(&from_write));
	/* A registry's name fits into the socket's buffer: no deadlock between the two directions. */
	(void)send(to_write, input, strlen(input), PLATFORM_NO_SIGPIPE);
	close(steal_fd(&to_write));
	int outcome = read_all(from_read, answer, e);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (outcome < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static json_t *ask_helper(const char *suffix, const char *registry, struct err *e)
{
	auto_free char *program = xasprintf("docker-credential-%s", suffix);
	auto_buf struct buf answer = BUF_INIT(HELPER_ANSWER_MAXIMUM);
	int code = run_helper(program, registry, &answer, e);
	if (code < 0) {
		err_wrap(e, "credentials of '%s'", registry);
		return NULL;
	}
	if (code != 0 && strstr(buf_text(&answer), "credentials not found"))
		return json_object();
	if (code != 0) {
		err_set(e, ERR_UNAUTHENTICATED, "credential-helper", "'%s' failed with exit code %d: %s", program, code,
		        buf_text(&answer));
		return NULL;
	}
	auto_json json_t *found = json_parse(buf_text(&answer), answer.length, program, e);
	if (!found)
		return NULL;
	const char *user = json_string_at(found, "Username", "");
	const char *secret = json_string_at(found, "Secret", "");
	json_t *credentials =
	        text_equal(user, "<token>")
	                ? json_pack("{s:s, s:s}", "identitytoken", secret, "serveraddress", registry)
	                : json_pack("{s:s, s:s, s:s}", "username", user, "password", secret, "serveraddress", registry);
	if (!credentials)
		err_set(e, ERR_INVALID, "credential-helper", "'%s' gave text that is not UTF-8", program);
	return credentials;
}

static json_t *from_auths(const json_t *config, const char *registry)
{
	const json_t *entry = json_object_get(json_lookup(config, "auths"), registry);
	const char *token = json_string_at(entry, "identitytoken", "");
	if (*token)
		return json_pack("{s:s, s:s}", "identitytoken", token, "serveraddress", registry);
	const char *encoded = json_string_at(entry, "auth", "");
	auto_buf struct buf pair = BUF_INIT(AUTH_MAXIMUM);
	if (base64_decode(encoded, strlen(encoded), &pair) < 0)
		return json_object();
	const char *colon = strchr(buf_text(&pair), ':');
	if (!colon)
		return json_object();
	auto_free char *user = xstrndup(buf_text(&pair), (size_t)(colon - buf_text(&pair)));
	return json_pack("{s:s, s:s, s:s}", "username", user, "password", colon + 1, "serveraddress", registry);
}

char *docker_registry_credentials(const char *reference, struct err *e)
{
	auto_free char *registry = docker_registry_of(reference);
	auto_json json_t *config = read_config();
	const char *helper = json_string_value(json_object_get(json_lookup(config, "credHelpers"), registry));
	if (!helper)
		helper = json_string_at(config, "credsStore", NULL);
	auto_json json_t *credentials = helper ? ask_helper(helper, registry, e) : from_auths(config, registry);
	if (!credentials && helper)
		return NULL;
	auto_free char *text = credentials ? json_to_text(credentials) : xstrdup("{}");
	return encode_url(text);
}
