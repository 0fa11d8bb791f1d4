#include "cli/process.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Where the system has no event for the end of a process that is not our child. */
#define LOOK_AGAIN_MS 250

#if defined(__linux__)

#include <sys/syscall.h>

/* proc(5): the 22nd field of /proc/PID/stat; the second one is in parentheses and may hold anything. */
#define FIELDS_AFTER_NAME 20

uint64_t process_birth(pid_t pid)
{
	auto_free char *path = xasprintf("/proc/%lld/stat", (long long)pid);
	auto_buf struct buf text = BUF_INIT(4096);
	if (pid <= 0 || file_read(path, &text, NULL) < 0)
		return 0;
	const char *at = strrchr(buf_text(&text), ')');
	/* One that has ended and whose parent has not asked yet. */
	if (at && (text_starts_with(at, ") Z") || text_starts_with(at, ") X")))
		return 0;
	for (int i = 0; at && i < FIELDS_AFTER_NAME; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return 0;
	auto_free char *field = xstrndup(at + 1, strcspn(at + 1, " \n"));
	uint64_t birth;
	return text_to_uint64(field, UINT64_MAX, &birth) ? birth : 0;
}

/* Readable once the process has ended; -1 when the system cannot tell. */
static int end_event(pid_t pid)
{
#ifdef SYS_pidfd_open
	return (int)syscall(SYS_pidfd_open, pid, 0);
#else
	(void)pid;
	return -1;
#endif
}

#elif defined(__APPLE__)

#include <libproc.h>
#include <sys/event.h>

uint64_t process_birth(pid_t pid)
{
	struct proc_bsdinfo info;
	if (pid <= 0 || proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &info, sizeof(info)) != (int)sizeof(info))
		return 0;
	return info.pbi_start_tvsec * UINT64_C(1000000) + info.pbi_start_tvusec;
}

/* A kqueue is itself a descriptor that poll() takes. */
static int end_event(pid_t pid)
{
	int queue = kqueue();
	struct kevent event;
	EV_SET(&event, pid, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, NULL);
	if (queue >= 0 && kevent(queue, &event, 1, NULL, 0, NULL) == 0)
		return queue;
	if (queue >= 0)
		close(queue);
	return -1;
}

#else

uint64_t process_birth(pid_t pid)
{
	return pid > 0 && kill(pid, 0) == 0;
}

static int end_event(pid_t pid)
{
	(void)pid;
	return -1;
}

#endif

bool process_wait_end(pid_t pid, uint64_t birth, int64_t deadline_ms)
{
	/* The event first, then the look: a process that ends in between is noticed by one of them. */
	auto_fd int fd = end_event(pid);
	while (process_birth(pid) == birth) {
		int left = clock_poll_timeout(deadline_ms);
		struct pollfd event = { .fd = fd, .events = POLLIN };
		if (left == 0)
			return false;
		if (poll(&event, 1, fd >= 0 ? left : left < 0 || left > LOOK_AGAIN_MS ? LOOK_AGAIN_MS : left) > 0)
			return true;
	}
	return true;
}
