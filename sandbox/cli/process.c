#include "cli/process.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/platform.h"

#include <poll.h>

/* Where the system has no event for the end of a process that is not our child. */
#define LOOK_AGAIN_MS 250

uint64_t process_birth(pid_t pid)
{
	return platform_process_birth(pid);
}

bool process_wait_end(pid_t pid, uint64_t birth, int64_t deadline_ms)
{
	/* The event first, then the look: a process that ends in between is noticed by one of them. */
	auto_fd int fd = platform_watch_process(pid);
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
