#include "init/service.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "init/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTENT_MAXIMUM ((size_t)256)

extern char **environ;

static const char *const state_names[] = {
	[SERVICE_WAITING] = "waiting", [SERVICE_STARTING] = "starting", [SERVICE_READY] = "ready",
	[SERVICE_FAILED] = "failed",   [SERVICE_STOPPING] = "stopping", [SERVICE_STOPPED] = "stopped",
};

const char *service_state_name(enum service_state state)
{
	return state_names[state];
}

bool service_waits(struct service *service, const struct service *services, bool *ret_told)
{
	char message[SERVICE_MESSAGE_SIZE] = "";
	for (unsigned i = 0; i < service->config->require_count; i++) {
		const struct service *required = &services[service->config->requires[i]];
		if (required->state == SERVICE_READY)
			continue;
		const size_t used = strlen(message);
		(void)snprintf(message + used, sizeof(message) - used, "%s%s", used ? ", " : "waits for ",
		               required->config->name);
	}
	*ret_told = !*message || text_equal(message, service->message);
	if (*message)
		memcpy(service->message, message, sizeof(message));
	return *message != '\0';
}

int service_forget_overrides(const char *content_path, const char *last_content_path, const char *override_directory,
                             bool *ret_dropped, struct err *e)
{
	auto_buf struct buf content = BUF_INIT(CONTENT_MAXIMUM);
	auto_buf struct buf last = BUF_INIT(CONTENT_MAXIMUM);
	*ret_dropped = false;
	if (file_read(content_path, &content, e) < 0 ||
	    (file_exists(last_content_path) && file_read(last_content_path, &last, e) < 0))
		return -1;
	if (text_equal(buf_text(&content), buf_text(&last)))
		return 0;
	*ret_dropped = file_exists(override_directory);
	if (filesystem_remove_tree(override_directory, e) < 0)
		return -1;
	return file_write_atomic(last_content_path, buf_text(&content), content.length, 0644, e);
}

static int open_notify_socket(const struct service *service, int *ret_fd, struct err *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", SERVICE_NOTIFY_DIRECTORY,
	               service->config->name);
	auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(e, errno, NULL, "cannot create a socket");
	(void)unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set_errno(e, errno, NULL, "cannot bind '%s'", address.sun_path);
	/* Services that gave up root must be able to send, too. */
	if (chmod(address.sun_path, 0666) < 0)
		return err_set_errno(e, errno, NULL, "cannot set the mode of '%s'", address.sun_path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int service_open(struct service *service, const struct service_config *config, struct err *e)
{
	*service = (struct service){ .config = config,
		                     .state = config->autostart ? SERVICE_WAITING : SERVICE_STOPPED,
		                     .wanted = config->autostart,
		                     .output_fd = -1,
		                     .notify_fd = -1,
		                     .probe = { .fd = -1 },
		                     .log = { .fd = -1 },
		                     .changed_ms = clock_monotonic_ms(),
		                     .deadline_ms = CLOCK_NEVER,
		                     .next_probe_ms = CLOCK_NEVER };
	auto_free char *path = xasprintf("%s/%s.log", SERVICE_LOG_DIRECTORY, config->name);
	if (logfile_open(&service->log, path, e) < 0)
		return -1;
	return open_notify_socket(service, &service->notify_fd, e);
}

void service_close(struct service *service)
{
	logfile_close(&service->log);
	probe_cancel(&service->probe);
	cleanup_fd(&service->notify_fd);
	cleanup_fd(&service->output_fd);
	service->notify_fd = -1;
	service->output_fd = -1;
}

/* The container's environment, then the service's own entries, then where to send notifications: the only one that is
 * ours to free. NULL-terminated, for the child only. */
static char **build_environment(const struct service_config *config, char **ret_own)
{
	size_t count = 0;
	for (char **entry = environ; *entry; entry++)
		count++;
	for (char **entry = config->environment; *entry; entry++)
		count++;
	char **environment = xcalloc(count + 2, sizeof(*environment));
	size_t used = 0;
	for (char **entry = environ; *entry; entry++) {
		bool replaced = text_starts_with(*entry, "NOTIFY_SOCKET=");
		for (char **own = config->environment; *own && !replaced; own++)
			replaced = strncmp(*own, *entry, strcspn(*own, "=") + 1) == 0;
		if (!replaced)
			environment[used++] = *entry;
	}
	for (char **entry = config->environment; *entry; entry++)
		environment[used++] = *entry;
	environment[used++] = xasprintf("NOTIFY_SOCKET=%s/%s", SERVICE_NOTIFY_DIRECTORY, config->name);
	*ret_own = environment[used - 1];
	return environment;
}

static _Noreturn void child_fails(const char *what)
{
	dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(errno));
	_exit(127);
}

static _Noreturn void run_child(const struct service_config *config, char **environment, const char *program,
                                int output_fd)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(output_fd, STDOUT_FILENO) < 0 ||
	    dup2(output_fd, STDERR_FILENO) < 0)
		child_fails("cannot set up standard streams");
	if (config->user) {
		const struct passwd *user = getpwnam(config->user);
		if (!user || initgroups(config->user, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
		    setuid(user->pw_uid) < 0)
			child_fails("cannot become the service's user");
	}
	execve(program, config->command, environment);
	child_fails(program);
}

int service_spawn(struct service *service, struct err *e)
{
	const struct service_config *config = service->config;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(e, errno, NULL, "cannot create a pipe");
	auto_fd int read_end = ends[0];
	auto_fd int write_end = ends[1];
	if (fcntl(read_end, F_SETFL, O_NONBLOCK) < 0)
		return err_set_errno(e, errno, NULL, "cannot set up a pipe");
	const char *slash = strrchr(config->command[0], '/');
	auto_free char *override = file_join(SERVICE_OVERRIDE_DIRECTORY, slash ? slash + 1 : config->command[0]);
	service->overridden = access(override, X_OK) == 0;
	const char *program = service->overridden ? override : config->command[0];
	char *own = NULL;
	char **environment = build_environment(config, &own);
	pid_t pid = fork();
	if (pid == 0)
		run_child(config, environment, program, write_end);
	free(own);
	free(environment);
	if (pid < 0)
		return err_set_errno(e, errno, NULL, "cannot start a process");
	cleanup_fd(&service->output_fd);
	service->output_fd = steal_fd(&read_end);
	service->pid = pid;
	last_words_clear(&service->last_words);
	service->reason[0] = '\0';
	service->started_ms = clock_monotonic_ms();
	return 0;
}

void service_signal(const struct service *service, int signal_number)
{
	if (service->pid > 0)
		kill(service->pid, signal_number);
}
