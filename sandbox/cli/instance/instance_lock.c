#include "cli/instance/instance_lock.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/framework/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* flock has no deadline and no descriptor to wait on. */
#define LOOK_AGAIN_MS 50

void instance_lock_release(struct instance_lock *lock)
{
	if (lock->fd >= 0)
		close(lock->fd);
	lock->fd = -1;
}

/* A directory that only this user can write to, even in a shared /tmp. */
static char *lock_directory(struct err *e)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	auto_free char *path = text_is_empty(runtime) ? xasprintf("/tmp/sandbox-%llu", (unsigned long long)getuid())
	                                              : file_join(runtime, "sandbox");
	struct stat status;
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		err_set_errno(e, errno, "instance-lock", "cannot make '%s'", path);
		return NULL;
	}
	if (lstat(path, &status) < 0 || !S_ISDIR(status.st_mode) || status.st_uid != getuid()) {
		err_set(e, ERR_PERMISSION, "instance-lock", "'%s' is not a directory of ours", path);
		err_hint(e, "remove it, or set XDG_RUNTIME_DIR to a directory of yours");
		return NULL;
	}
	return steal_ptr(path);
}

static char *lock_path(const struct cli *cli, struct err *e)
{
	auto_free char *directory = lock_directory(e);
	if (!directory)
		return NULL;
	return xasprintf("%s/%s-%08" PRIx32 ".lock", directory, cli->instance.name,
	                 (uint32_t)text_hash(cli->endpoint.address));
}

static void read_holder(int fd, char *text, size_t size)
{
	ssize_t length = pread(fd, text, size - 1, 0);
	text[length > 0 ? length : 0] = '\0';
}

static int locked(int fd, const struct cli *cli, struct err *e)
{
	char holder[64];
	read_holder(fd, holder, sizeof(holder));
	err_set(e, ERR_CONFLICT, "instance-locked", "another `sandbox %s is at work on '%s'", holder,
	        cli->instance.name);
	return err_hint(e, "wait for it, or end it");
}

static int wait_for(int fd, struct cli *cli, int64_t timeout_ms, struct err *e)
{
	int64_t deadline = clock_monotonic_ms() + timeout_ms;
	bool told = false;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set_errno(e, errno, "instance-lock", "cannot lock the instance '%s'",
			                     cli->instance.name);
		if (interrupt_check(e) < 0)
			return -1;
		if (clock_monotonic_ms() >= deadline)
			return locked(fd, cli, e);
		if (!told)
			cli_say(cli, "waiting: another launcher is at work on '%s'", cli->instance.name);
		told = true;
		struct pollfd interrupt = { .fd = interrupt_fd(), .events = POLLIN };
		(void)poll(&interrupt, 1, LOOK_AGAIN_MS);
	}
	return 0;
}

int instance_lock_take(struct cli *cli, int64_t timeout_ms, struct instance_lock *ret_lock, struct err *e)
{
	if (cli_connect(cli, e) < 0)
		return -1;
	auto_free char *path = lock_path(cli, e);
	if (!path)
		return -1;
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set_errno(e, errno, "instance-lock", "cannot open '%s'", path);
	if (wait_for(fd, cli, timeout_ms, e) < 0)
		return -1;
	/* For the message of whoever waits in vain; a line that cannot be written only makes it shorter. */
	auto_free char *holder = xasprintf("%s` (pid %lld)", cli->verb ? cli->verb : "", (long long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, holder, strlen(holder), 0) < 0)
		cli_say_verbose(cli, "'%s' cannot be written", path);
	ret_lock->fd = steal_fd(&fd);
	return 0;
}
