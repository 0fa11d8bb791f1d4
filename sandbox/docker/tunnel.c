/*
 * The engine's socket over there is reached by `docker system dial-stdio`, as the docker command does it: it needs no configuration
 * of the SSH server, and finds the engine by the other user's own context.
 */
#include "docker/tunnel.h"

#include "base/file.h"
#include "base/text.h"

#include <pthread.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_MAXIMUM ((size_t)1024 * 1024)

struct docker_tunnel {
	struct ssh_target target;
	pthread_mutex_t lock; /* of the session's making */
	struct ssh_session *session;
	int cancel_fd;
};

static char *own_name(void)
{
	const char *user = getenv("USER");
	if (!text_is_empty(user))
		return xstrdup(user);
	const struct passwd *entry = getpwuid(getuid());
	return xstrdup(entry ? entry->pw_name : "root");
}

struct docker_tunnel *docker_tunnel_new(const char *address, struct err *e)
{
	auto_ssh_target struct ssh_target target = SSH_TARGET_INIT;
	if (ssh_target_parse(address, &target, e) < 0)
		return NULL;
	if (target.socket && strpbrk(target.socket, "'\\\n")) {
		err_set(e, ERR_INVALID, "docker-host", "the engine's address '%s' has a path with quotes", address);
		return NULL;
	}
	const char *home = getenv("HOME");
	auto_free char *path = xasprintf("%s/.ssh/config", home ? home : "");
	auto_buf struct buf config = BUF_INIT(CONFIG_MAXIMUM);
	(void)file_read(path, &config, NULL);
	auto_free char *user = own_name();
	ssh_target_complete(&target, buf_text(&config), home ? home : "", user);
	struct docker_tunnel *tunnel = xcalloc(1, sizeof(*tunnel));
	tunnel->target = target;
	target = (struct ssh_target)SSH_TARGET_INIT;
	tunnel->cancel_fd = -1;
	pthread_mutex_init(&tunnel->lock, NULL);
	return tunnel;
}

struct docker_tunnel *docker_tunnel_free(struct docker_tunnel *tunnel)
{
	if (!tunnel)
		return NULL;
	ssh_session_free(tunnel->session);
	ssh_target_release(&tunnel->target);
	pthread_mutex_destroy(&tunnel->lock);
	free(tunnel);
	return NULL;
}

void docker_tunnel_set_cancel_fd(struct docker_tunnel *tunnel, int cancel_fd)
{
	tunnel->cancel_fd = cancel_fd;
}

struct ssh_session *docker_tunnel_session(struct docker_tunnel *tunnel, struct err *e)
{
	pthread_mutex_lock(&tunnel->lock);
	if (!tunnel->session)
		tunnel->session = ssh_session_open(&tunnel->target, tunnel->cancel_fd, e);
	struct ssh_session *session = tunnel->session;
	pthread_mutex_unlock(&tunnel->lock);
	return session;
}

int docker_tunnel_dial(void *context, struct err *e)
{
	struct docker_tunnel *tunnel = context;
	struct ssh_session *session = docker_tunnel_session(tunnel, e);
	if (!session)
		return -1;
	const char *socket = tunnel->target.socket;
	auto_free char *command = socket ? xasprintf("docker --host 'unix://%s' system dial-stdio", socket)
	                                 : xstrdup("docker system dial-stdio");
	return ssh_session_run(session, command, e);
}

char *docker_tunnel_problem(struct docker_tunnel *tunnel)
{
	pthread_mutex_lock(&tunnel->lock);
	char *problem = tunnel->session ? ssh_session_problem(tunnel->session) : xstrdup("");
	pthread_mutex_unlock(&tunnel->lock);
	return problem;
}
