#include "base/cancel.h"

#include "base/platform.h"

#include <unistd.h>

void cancel_init(struct cancel *cancel)
{
	atomic_init(&cancel->requested, false);
	atomic_init(&cancel->fd, -1);
	atomic_init(&cancel->write_fd, -1);
}

void cancel_release(struct cancel *cancel)
{
	int fd = atomic_exchange(&cancel->fd, -1);
	int write_fd = atomic_exchange(&cancel->write_fd, -1);
	if (fd >= 0)
		close(fd);
	if (write_fd >= 0)
		close(write_fd);
}

static void signal_fd(int fd)
{
	/* Cannot fail but for a pipe that is full, and then it is readable. */
	ssize_t ignored = write(fd, "", 1);
	(void)ignored;
}

/* The flag first, then the descriptor; cancel_fd does it the other way round: whoever is second sees the other. */
void cancel_request(struct cancel *cancel)
{
	atomic_store(&cancel->requested, true);
	int fd = atomic_load(&cancel->write_fd);
	if (fd >= 0)
		signal_fd(fd);
}

bool cancel_is_requested(const struct cancel *cancel)
{
	return cancel && atomic_load(&cancel->requested);
}

int cancel_fd(struct cancel *cancel)
{
	if (!cancel)
		return -1;
	int fd = atomic_load(&cancel->fd);
	int ends[2];
	if (fd >= 0 || platform_pipe(ends) < 0)
		return fd;
	atomic_store(&cancel->fd, ends[0]);
	atomic_store(&cancel->write_fd, ends[1]);
	if (atomic_load(&cancel->requested))
		signal_fd(ends[1]);
	return ends[0];
}
