/* macOS. Written from its manual pages and headers; there has been no machine to compile it on but for tests/portable/test_macos.py. */
#include "base/platform.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <libproc.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/event.h>
#include <sys/proc_info.h>
#include <sys/sysctl.h>
#include <unistd.h>
#include <uuid/uuid.h>

#define PROCESSES_MAXIMUM 65536
#define FILES_MAXIMUM 4096

static int mark(int fd)
{
	int on = 1;
	if (fd < 0)
		return -1;
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* Fails on what is no socket, which cannot raise the signal either. */
	(void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
	return fd;
}

int platform_socket(int domain, int type)
{
	return mark(socket(domain, type, 0));
}

int platform_socket_pair(int ret_ends[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ret_ends) < 0)
		return -1;
	mark(ret_ends[0]);
	mark(ret_ends[1]);
	return 0;
}

int platform_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int platform_pipe(int ret_ends[2])
{
	if (pipe(ret_ends) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		mark(ret_ends[i]);
		(void)platform_set_nonblocking(ret_ends[i]);
	}
	return 0;
}

int platform_accept(int fd)
{
	int accepted = mark(accept(fd, NULL, NULL));
	if (accepted >= 0)
		(void)platform_set_nonblocking(accepted);
	return accepted;
}

enum platform_process platform_process(pid_t pid, uint64_t *ret_birth)
{
	struct proc_bsdinfo info;
	if (pid <= 0)
		return PLATFORM_PROCESS_ENDED;
	/* Nothing is told of processes that have ended and whose parent has not asked yet, nor of other users'. */
	if (proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &info, sizeof(info)) != (int)sizeof(info))
		return kill(pid, 0) < 0 && errno == EPERM ? PLATFORM_PROCESS_UNSEEN : PLATFORM_PROCESS_ENDED;
	*ret_birth = info.pbi_start_tvsec * UINT64_C(1000000) + info.pbi_start_tvusec;
	return PLATFORM_PROCESS_RUNS;
}

static void system_text(const char *name, char *room, size_t size)
{
	if (sysctlbyname(name, room, &size, NULL, 0) < 0)
		room[0] = '\0';
}

void platform_place(struct platform_place *ret_place)
{
	*ret_place = (struct platform_place){ .processes = PLATFORM_OF_MACHINE };
	system_text("kern.bootsessionuuid", ret_place->boot, sizeof(ret_place->boot));
	const struct timespec patience = { .tv_sec = 1 };
	uuid_t id;
	if (gethostuuid(id, &patience) == 0)
		uuid_unparse(id, ret_place->machine);
}

/* A kqueue is itself a descriptor that poll() takes. */
int platform_watch_process(pid_t pid)
{
	struct kevent change;
	auto_fd int queue = kqueue();
	EV_SET(&change, (uintptr_t)pid, EVFILT_PROC, EV_ADD | EV_ONESHOT, NOTE_EXIT, 0, NULL);
	if (queue < 0 || kevent(queue, &change, 1, NULL, 0, NULL) < 0)
		return -1;
	return steal_fd(&queue);
}

const char *platform_error_text(int errno_value, char *room, size_t size)
{
	return strerror_r(errno_value, room, size) == 0 ? room : "unknown error";
}

struct timespec platform_modified(const struct stat *status)
{
	return status->st_mtimespec;
}

void platform_usage(struct platform_usage *ret_usage)
{
	struct proc_taskinfo info;
	*ret_usage = (struct platform_usage){ .resident_bytes = 0 };
	if (proc_pidinfo(getpid(), PROC_PIDTASKINFO, 0, &info, sizeof(info)) == (int)sizeof(info)) {
		ret_usage->resident_bytes = (double)info.pti_resident_size;
		ret_usage->threads = (unsigned)info.pti_threadnum;
	}
	int bytes = proc_pidinfo(getpid(), PROC_PIDLISTFDS, 0, NULL, 0);
	if (bytes > 0)
		ret_usage->open_files = (unsigned)bytes / (unsigned)sizeof(struct proc_fdinfo);
}

static bool listens(pid_t pid, int fd, int port)
{
	struct socket_fdinfo info;
	if (proc_pidfdinfo(pid, fd, PROC_PIDFDSOCKETINFO, &info, sizeof(info)) != (int)sizeof(info))
		return false;
	if (info.psi.soi_kind != SOCKINFO_TCP || info.psi.soi_proto.pri_tcp.tcpsi_state != TSI_S_LISTEN)
		return false;
	return ntohs((uint16_t)info.psi.soi_proto.pri_tcp.tcpsi_ini.insi_lport) == port;
}

static bool process_listens(pid_t pid, int port)
{
	auto_free struct proc_fdinfo *files = xcalloc(FILES_MAXIMUM, sizeof(*files));
	int bytes = proc_pidinfo(pid, PROC_PIDLISTFDS, 0, files, (int)(FILES_MAXIMUM * sizeof(*files)));
	for (int i = 0; i < bytes / (int)sizeof(*files); i++) {
		if (files[i].proc_fdtype == PROX_FDTYPE_SOCKET && listens(pid, files[i].proc_fd, port))
			return true;
	}
	return false;
}

char *platform_port_process(int port)
{
	auto_free pid_t *pids = xcalloc(PROCESSES_MAXIMUM, sizeof(*pids));
	int count = proc_listallpids(pids, (int)(PROCESSES_MAXIMUM * sizeof(*pids)));
	for (int i = 0; i < count; i++) {
		char name[2 * MAXCOMLEN + 1] = "";
		if (!process_listens(pids[i], port))
			continue;
		(void)proc_name(pids[i], name, sizeof(name));
		return xasprintf("process '%s' (pid %d)", name, (int)pids[i]);
	}
	return NULL;
}

uint64_t platform_missing_capabilities(void)
{
	return 0;
}

char *platform_executable(void)
{
	char path[PROC_PIDPATHINFO_MAXSIZE];
	return proc_pidpath(getpid(), path, sizeof(path)) > 0 ? xstrdup(path) : NULL;
}

bool platform_routes(struct buf *ret_routes)
{
	(void)ret_routes;
	return false;
}
