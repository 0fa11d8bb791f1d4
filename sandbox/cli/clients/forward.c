#include "cli/clients/forward.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/platform.h"
#include "base/text.h"
#include "cli/framework/interrupt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

#define START_TIMEOUT_MS INT64_C(30000)
#define STOP_TIMEOUT_MS 5000
#define LISTEN_QUEUE 64

extern char **environ;

bool forward_is_needed(const struct cli *cli)
{
	return cli->endpoint.tunnel != NULL;
}

static char *lock_path(const struct cli *cli)
{
	auto_free char *kubeconfig = xstrdup(cli->instance.kubeconfig);
	return file_join(dirname(kubeconfig), FORWARD_LOCK);
}

static struct flock whole_file(void)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

pid_t forward_process(const struct cli *cli)
{
	auto_free char *path = lock_path(cli);
	auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	struct flock lock = whole_file();
	return fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

/* The lock is held for as long as the descriptor is open; another process's is a conflict. */
static int take_lock(const struct cli *cli, int *ret_fd, struct err *e)
{
	auto_free char *path = lock_path(cli);
	auto_free char *copy = xstrdup(path);
	if (file_make_directories(dirname(copy), 0755, e) < 0)
		return -1;
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock lock = whole_file();
	if (fd < 0)
		return err_set_errno(e, errno, NULL, "cannot open '%s'", path);
	if (fcntl(fd, F_SETLK, &lock) < 0) {
		err_set(e, ERR_CONFLICT, "forward-running", "the ports of '%s' are forwarded by process %d already", cli->instance.name,
		        (int)forward_process(cli));
		return cli_hint_command(cli, e, "status");
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int listen_on(int port, enum port_name name, struct err *e)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	auto_fd int fd = platform_socket(AF_INET, SOCK_STREAM);
	int on = 1;
	if (fd < 0)
		return err_set_errno(e, errno, NULL, "cannot make a socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, LISTEN_QUEUE) < 0) {
		int reason = errno;
		if (reason != EADDRINUSE)
			return err_set_errno(e, reason, NULL, "cannot listen on port %d", port);
		auto_free char *holder = platform_port_process(port);
		err_set(e, ERR_CONFLICT, "port-taken", "port %d (%s) of this machine is taken by %s", port, port_table[name].name,
		        holder ? holder : "another user's process");
		return err_hint(e, "stop it, or give the sandbox another port: `sandbox start --port %s=PORT`", port_table[name].name);
	}
	return steal_fd(&fd);
}

static int listen_on_all(struct ssh_session *session, const struct ports *ports, struct err *e)
{
	bool everywhere = text_is_empty(ports->address) || text_equal(ports->address, "0.0.0.0");
	for (size_t i = 0; i < PORT_COUNT; i++) {
		int port = ports->host_port[i];
		int fd = port ? listen_on(port, (enum port_name)i, e) : -1;
		if (port && fd < 0)
			return -1;
		if (port)
			ssh_session_forward(session, fd, everywhere ? "127.0.0.1" : ports->address, port);
	}
	return 0;
}

/* Tells the one who waits (wait_until_ready) that all ports listen, and says nothing from then on. */
static void detach(void)
{
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	(void)!write(STDERR_FILENO, "\n", 1);
	if (nowhere >= 0)
		(void)dup2(nowhere, STDERR_FILENO);
}

int forward_run(struct cli *cli, const struct ports *ports, bool background, struct err *e)
{
	auto_fd int lock = -1;
	struct ssh_session *session = docker_tunnel_session(cli->endpoint.tunnel, e);
	if (!session || take_lock(cli, &lock, e) < 0 || listen_on_all(session, ports, e) < 0)
		return -1;
	if (background)
		detach();
	else
		cli_say(cli, "forwarding the ports of '%s' until Ctrl-C", cli->instance.name);
	struct pollfd events[] = { { .fd = interrupt_fd(), .events = POLLIN },
		                   { .fd = ssh_session_ended_fd(session), .events = POLLIN } };
	while (poll(events, 2, -1) < 0 && errno == EINTR)
		;
	if (interrupt_signal())
		return 0;
	auto_free char *problem = ssh_session_problem(session);
	return err_set(e, ERR_UNAVAILABLE, "connection-failed", "the SSH connection to %s has ended: %s", cli->endpoint.address, problem);
}

/* What it says until it listens is this side's error; afterwards nobody reads it. */
static int wait_until_ready(int output, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(8192);
	int64_t deadline = clock_monotonic_ms() + START_TIMEOUT_MS;
	for (;;) {
		struct pollfd events[] = { { .fd = output, .events = POLLIN }, { .fd = interrupt_fd(), .events = POLLIN } };
		int ready = poll(events, 2, clock_poll_timeout(deadline));
		if (ready < 0 && errno != EINTR)
			return err_set_errno(e, errno, NULL, "cannot wait for the forwarding process");
		if (ready == 0)
			return err_set(e, ERR_TIMEOUT, "timeout", "the forwarding process did not listen within %lld s",
			               (long long)(START_TIMEOUT_MS / 1000));
		if (ready > 0 && events[1].revents)
			return err_set(e, ERR_CANCELLED, "cancelled", "interrupted");
		char piece[1024];
		ssize_t got = ready > 0 ? read(output, piece, sizeof(piece)) : -1;
		if (got < 0)
			continue;
		if (got > 0 && piece[0] == '\n' && !text.length)
			return 0;
		if (got > 0 && buf_add(&text, piece, (size_t)got) == 0)
			continue;
		err_set(e, ERR_UNAVAILABLE, "forward-failed", "the sandbox's ports cannot be forwarded: %.*s",
		        (int)strcspn(buf_text(&text), "\n"), buf_text(&text));
		return err_hint(e, "`sandbox forward` tries again, and tells more");
	}
}

/* Both its messages and its sign that it listens come through one pipe. */
static int spawn(const struct cli *cli, int output, struct err *e)
{
	auto_free char *program = platform_executable();
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char *arguments[] = { (char[]){ "sandbox" }, (char[]){ "forward" }, (char[]){ "--background" }, (char[]){ "--name" },
		              cli->instance.name, cli->globals.host ? (char[]){ "--host" } : NULL, cli->endpoint.address, NULL };
	pid_t pid;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	/* Out of the terminal's reach: Ctrl-C is for the one that started it. */
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	int problem = program ? posix_spawn(&pid, program, &actions, &attributes, arguments, environ) : ENOENT;
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return problem ? err_set_errno(e, problem, "forward-failed", "cannot start the process that forwards ports") : 0;
}

int forward_start(struct cli *cli, struct err *e)
{
	int ends[2];
	if (!forward_is_needed(cli) || forward_process(cli))
		return 0;
	if (platform_socket_pair(ends) < 0)
		return err_set_errno(e, errno, NULL, "cannot make a socket pair");
	auto_fd int ours = ends[0];
	auto_fd int theirs = ends[1];
	if (spawn(cli, theirs, e) < 0)
		return -1;
	close(steal_fd(&theirs));
	return wait_until_ready(ours, e);
}

void forward_stop(const struct cli *cli)
{
	pid_t pid = forward_process(cli);
	if (!pid || kill(pid, SIGTERM) < 0)
		return;
	/* Its lock goes with it, and is what a new one needs. */
	auto_fd int process = platform_watch_process(pid);
	struct pollfd ended = { .fd = process, .events = POLLIN };
	if (process >= 0)
		(void)poll(&ended, 1, STOP_TIMEOUT_MS);
}
