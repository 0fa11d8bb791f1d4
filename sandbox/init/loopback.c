#include "init/loopback.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Documentation/admin-guide/devices.txt of the kernel */
#define CONTROL_MAJOR 10
#define CONTROL_MINOR 237
#define LOOP_MAJOR 7
/* Between the question for a free device and its use, somebody else on the machine may take it. */
#define ATTEMPTS 64

static int open_device(const char *path, mode_t kind, dev_t device, int flags, struct err *e)
{
	int fd = open(path, flags | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (mknod(path, kind | 0600, device) < 0 && errno != EEXIST)
			return err_set_errno(e, errno, NULL, "cannot make the device node '%s'", path);
		fd = open(path, flags | O_CLOEXEC);
	}
	if (fd < 0)
		return err_set_errno(e, errno, NULL, "cannot open '%s'", path);
	return fd;
}

/* Attaches `file_fd` to a free device; returns the device's descriptor. While it is open the device stays. */
static int attach(int control_fd, int file_fd, char **ret_path, struct err *e)
{
	for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
		int number = ioctl(control_fd, LOOP_CTL_GET_FREE);
		if (number < 0)
			return err_set_errno(e, errno, NULL, "no free loop device");
		auto_free char *path = xasprintf("/dev/loop%d", number);
		auto_fd int device = open_device(path, S_IFBLK, makedev(LOOP_MAJOR, (unsigned)number), O_RDONLY, e);
		if (device < 0)
			return -1;
		const struct loop_config config = { .fd = (uint32_t)file_fd,
			                            .info = { .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR } };
		if (ioctl(device, LOOP_CONFIGURE, &config) == 0) {
			*ret_path = steal_ptr(path);
			return steal_fd(&device);
		}
		if (errno != EBUSY)
			return err_set_errno(e, errno, NULL, "cannot use '%s'", path);
	}
	return err_set(e, ERR_CONFLICT, NULL, "other programs took %d loop devices from us", ATTEMPTS);
}

int loopback_mount(const char *file, const char *target, struct err *e)
{
	auto_fd int file_fd = open(file, O_RDONLY | O_CLOEXEC);
	if (file_fd < 0)
		return err_set_errno(e, errno, NULL, "cannot open '%s'", file);
	auto_fd int control_fd =
	        open_device("/dev/loop-control", S_IFCHR, makedev(CONTROL_MAJOR, CONTROL_MINOR), O_RDWR, e);
	if (control_fd < 0)
		return -1;
	auto_free char *path = NULL;
	auto_fd int device = attach(control_fd, file_fd, &path, e);
	if (device < 0)
		return -1;
	if (mount(path, target, "squashfs", MS_RDONLY, NULL) < 0)
		return err_set_errno(e, errno, NULL, "cannot mount '%s' on '%s'", file, target);
	return 0;
}
