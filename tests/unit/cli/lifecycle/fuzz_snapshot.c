/* A snapshot's file: its manifest, its sum, and the volume in it. */
#include "cli/lifecycle/snapshot_file.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory: a disk that is busy would be a finding. */
static int file(void)
{
	static int fd = -1;
	if (fd < 0 && (fd = memfd_create("snapshot", MFD_CLOEXEC)) < 0)
		abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_err struct err e = ERR_INIT;
	if (size > 65536)
		return 0;
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file());
	if (ftruncate(file(), 0) < 0 || pwrite(file(), data, size, 0) != (ssize_t)size)
		abort();
	auto_json json_t *manifest = snapshot_manifest(path, &e);
	if (!manifest)
		return 0;
	auto_fd int sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
	(void)snapshot_verify(path, manifest, NULL);
	(void)snapshot_read_volume(path, manifest, sink, NULL);
	return 0;
}
