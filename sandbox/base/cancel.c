#include "base/cancel.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

void cancel_init(struct cancel *cancel)
{
	atomic_init(&cancel->requested, false);
	atomic_init(&cancel->fd, -1);
}

void cancel_release(struct cancel *cancel)
{
	int fd = atomic_exchange(&cancel->fd, -1);
	if (fd >= 0)
		close(fd);
}

static void signal_fd(int fd)
{
	/* Cannot fail: the counter is far from its end. */
	const uint64_t one = 1;
	ssize_t ignored = write(fd, &one, sizeof(one));
	(void)ignored;
}

/* The flag first, then the descriptor; cancel_fd does it the other way round: whoever is second sees the other. */
void cancel_request(struct cancel *cancel)
{
	atomic_store(&cancel->requested, true);
	int fd = atomic_load(&cancel->fd);
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
	if (fd >= 0)
		return fd;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	atomic_store(&cancel->fd, fd);
	if (fd >= 0 && atomic_load(&cancel->requested))
		signal_fd(fd);
	return fd;
}
