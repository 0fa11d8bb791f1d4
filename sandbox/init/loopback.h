/*
 * Mounts a file system that lies in a file (squashfs, as the images folder ships them) through a loop device. The
 * container has no device nodes for those, but may make them; the device belongs to the whole machine, so it is marked
 * to free itself when its mount is gone, however this container ends.
 */
#ifndef SANDBOX_INIT_LOOPBACK_H
#define SANDBOX_INIT_LOOPBACK_H

#include "base/err.h"

/* Read-only. ERR_UNSUPPORTED or another kind where the machine does not let us: no loop devices, a kernel without
 * squashfs or before 5.8. */
int loopback_mount(const char *file, const char *target, struct err *e);

#endif
