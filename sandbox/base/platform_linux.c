/* Linux, with glibc or musl. */
#include "base/platform.h"

#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROC_NET_MAXIMUM ((size_t)16 * 1024 * 1024)
#define TCP_STATE_LISTEN 0x0a /* in /proc/net/tcp */

int platform_socket(int domain, int type)
{
	return socket(domain, type | SOCK_CLOEXEC, 0);
}

int platform_socket_pair(int ret_ends[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_ends);
}

int platform_pipe(int ret_ends[2])
{
	return pipe2(ret_ends, O_CLOEXEC | O_NONBLOCK);
}

int platform_accept(int fd)
{
	return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int platform_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* proc(5): the 22nd field of /proc/PID/stat; the second one is in parentheses and may hold anything. */
#define FIELDS_AFTER_NAME 20

/* 0 for what is no such text. */
static uint64_t birth_in_stat(const char *at)
{
	for (int i = 0; at && i < FIELDS_AFTER_NAME; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return 0;
	auto_free char *field = xstrndup(at + 1, strcspn(at + 1, " \n"));
	uint64_t birth;
	return text_to_uint64(field, UINT64_MAX, &birth) ? birth : 0;
}

enum platform_process platform_process(pid_t pid, uint64_t *ret_birth)
{
	auto_free char *path = xasprintf("/proc/%lld/stat", (long long)pid);
	auto_buf struct buf text = BUF_INIT(4096);
	if (pid <= 0)
		return PLATFORM_PROCESS_ENDED;
	if (file_read(path, &text, NULL) < 0)
		/* /proc may hide processes of others (hidepid). */
		return kill(pid, 0) < 0 && errno == ESRCH ? PLATFORM_PROCESS_ENDED : PLATFORM_PROCESS_UNSEEN;
	const char *at = strrchr(buf_text(&text), ')');
	/* One that has ended and whose parent has not asked yet. */
	if (at && (text_starts_with(at, ") Z") || text_starts_with(at, ") X")))
		return PLATFORM_PROCESS_ENDED;
	uint64_t birth = birth_in_stat(at);
	if (!birth)
		return PLATFORM_PROCESS_UNSEEN;
	*ret_birth = birth;
	return PLATFORM_PROCESS_RUNS;
}

/* That of the machine's first process has a number of its own (PROC_PID_INIT_INO of the kernel). */
#define FIRST_PID_NAMESPACE "pid:[4026531836]"

static void first_line(const char *path, char *room, size_t size)
{
	auto_buf struct buf text = BUF_INIT(4096);
	if (file_read(path, &text, NULL) == 0)
		(void)snprintf(room, size, "%.*s", (int)strcspn(buf_text(&text), " \t\r\n"), buf_text(&text));
}

void platform_place(struct platform_place *ret_place)
{
	*ret_place = (struct platform_place){ .machine = "" };
	first_line("/etc/machine-id", ret_place->machine, sizeof(ret_place->machine));
	first_line("/proc/sys/kernel/random/boot_id", ret_place->boot, sizeof(ret_place->boot));
	/* The /proc of another namespace of process ids would tell of other processes. */
	char target[sizeof(ret_place->processes)] = "";
	if (readlink("/proc/self", target, sizeof(target) - 1) < 0 || strtoll(target, NULL, 10) != getpid())
		return;
	ssize_t length = readlink("/proc/self/ns/pid", target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	(void)snprintf(ret_place->processes, sizeof(ret_place->processes), "%s",
	               text_equal(target, FIRST_PID_NAMESPACE) ? PLATFORM_OF_MACHINE : target);
}

int platform_watch_process(pid_t pid)
{
#ifdef SYS_pidfd_open
	return (int)syscall(SYS_pidfd_open, pid, 0);
#else
	(void)pid;
	return -1;
#endif
}

/* glibc's strerror_r returns the text, musl's a number. */
#ifdef __GLIBC__
const char *platform_error_text(int errno_value, char *room, size_t size)
{
	return strerror_r(errno_value, room, size);
}
#else
const char *platform_error_text(int errno_value, char *room, size_t size)
{
	return strerror_r(errno_value, room, size) == 0 ? room : "unknown error";
}
#endif

static unsigned entries_of(const char *path)
{
	unsigned count = 0;
	DIR *directory = opendir(path);
	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count > 2 ? count - 2 : 0; /* . and .. */
}

struct timespec platform_modified(const struct stat *status)
{
	return status->st_mtim;
}

void platform_usage(struct platform_usage *ret_usage)
{
	auto_buf struct buf text = BUF_INIT(256);
	unsigned long long ignored, pages = 0;
	if (file_read("/proc/self/statm", &text, NULL) == 0)
		(void)sscanf(buf_text(&text), "%llu %llu", &ignored, &pages);
	*ret_usage = (struct platform_usage){ .resident_bytes = (double)pages * (double)sysconf(_SC_PAGESIZE),
		                              .open_files = entries_of("/proc/self/fd"),
		                              .threads = entries_of("/proc/self/task") };
}

/* The inode of the socket that listens on `port` in the text of /proc/net/tcp or tcp6; 0 when none does. */
static uint64_t listening_inode(const char *table, int port)
{
	for (const char *line = strchr(table, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		unsigned local_port = 0;
		unsigned state = 0;
		unsigned long long inode = 0;
		/* sl local_address remote_address st tx:rx tr:when retrnsmt uid timeout inode */
		int got =
		        sscanf(line + 1, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*d %llu",
		               &local_port, &state, &inode);
		if (got == 3 && local_port == (unsigned)port && state == TCP_STATE_LISTEN)
			return inode;
	}
	return 0;
}

static uint64_t find_inode(int port)
{
	static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
	for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
		auto_buf struct buf text = BUF_INIT(PROC_NET_MAXIMUM);
		if (file_read(tables[i], &text, NULL) < 0)
			continue;
		uint64_t inode = listening_inode(buf_text(&text), port);
		if (inode)
			return inode;
	}
	return 0;
}

static bool process_has_socket(const char *pid, const char *wanted)
{
	auto_free char *path = xasprintf("/proc/%s/fd", pid);
	DIR *directory = opendir(path);
	if (!directory)
		return false;
	bool found = false;
	for (const struct dirent *entry; !found && (entry = readdir(directory));) {
		char target[64];
		ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		found = text_equal(target, wanted);
	}
	closedir(directory);
	return found;
}

char *platform_port_process(int port)
{
	uint64_t inode = find_inode(port);
	DIR *proc = inode ? opendir("/proc") : NULL;
	if (!proc)
		return NULL;
	auto_free char *wanted = xasprintf("socket:[%llu]", (unsigned long long)inode);
	char *found = NULL;
	for (const struct dirent *entry; !found && (entry = readdir(proc));) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !process_has_socket(entry->d_name, wanted))
			continue;
		auto_free char *path = xasprintf("/proc/%s/comm", entry->d_name);
		auto_buf struct buf name = BUF_INIT(256);
		(void)file_read(path, &name, NULL);
		buf_truncate(&name, strcspn(buf_text(&name), "\n"));
		found = xasprintf("process '%s' (pid %s)", buf_text(&name), entry->d_name);
	}
	closedir(proc);
	return found;
}

uint64_t platform_missing_capabilities(void)
{
	auto_buf struct buf status = BUF_INIT(64 * 1024);
	auto_buf struct buf last = BUF_INIT(32);
	uint64_t bounding = 0;
	int last_capability = 0;
	if (file_read("/proc/self/status", &status, NULL) < 0 ||
	    file_read("/proc/sys/kernel/cap_last_cap", &last, NULL) < 0)
		return 0;
	const char *line = strstr(buf_text(&status), "CapBnd:");
	if (!line || sscanf(line, "CapBnd: %" SCNx64, &bounding) != 1 ||
	    sscanf(buf_text(&last), "%d", &last_capability) != 1 || last_capability < 0 || last_capability > 63)
		return 0;
	uint64_t all = last_capability == 63 ? UINT64_MAX : (UINT64_C(1) << (last_capability + 1)) - 1;
	return all & ~bounding;
}

char *platform_executable(void)
{
	return realpath("/proc/self/exe", NULL);
}

bool platform_routes(struct buf *ret_routes)
{
	return file_read("/proc/net/route", ret_routes, NULL) == 0;
}
