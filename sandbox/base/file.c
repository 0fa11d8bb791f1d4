#include "base/file.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK ((size_t)64 * 1024)

int file_read(const char *path, struct buf *ret_bytes, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(e, errno, NULL, "cannot open '%s'", path);
	for (;;) {
		size_t room = ret_bytes->maximum - ret_bytes->length;
		size_t want = room < READ_CHUNK ? room + 1 : READ_CHUNK;
		char chunk[READ_CHUNK];
		ssize_t got = read(fd, chunk, want < sizeof(chunk) ? want : sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(e, errno, NULL, "cannot read '%s'", path);
		if (got == 0)
			return 0;
		if (buf_add(ret_bytes, chunk, (size_t)got) < 0)
			return err_set(e, ERR_EXHAUSTED, "file-too-large", "'%s' is larger than %zu bytes", path,
				       ret_bytes->maximum);
	}
}

int file_write_all(int fd, const void *bytes, size_t length, struct err *e)
{
	const char *cursor = bytes;
	while (length) {
		ssize_t written = write(fd, cursor, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return err_set_errno(e, errno, NULL, "cannot write");
		cursor += written;
		length -= (size_t)written;
	}
	return 0;
}

static int write_and_sync(int fd, const void *bytes, size_t length, mode_t mode, struct err *e)
{
	if (file_write_all(fd, bytes, length, e) < 0)
		return -1;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return err_set_errno(e, errno, NULL, "cannot finish the file");
	return 0;
}

int file_write_atomic(const char *path, const void *bytes, size_t length, mode_t mode, struct err *e)
{
	auto_free char *target = realpath(path, NULL);
	if (!target)
		target = xstrdup(path);
	struct stat existing;
	bool exists = stat(target, &existing) == 0;
	if (exists)
		mode = existing.st_mode & 07777;
	auto_free char *temporary = xasprintf("%s.XXXXXX", target);
	auto_fd int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(e, errno, NULL, "cannot create a file beside '%s'", path);
	/* Under sudo the file stays its owner's; whoever may not give files away has made it himself. */
	if (exists && (existing.st_uid != geteuid() || existing.st_gid != getegid()))
		(void)!fchown(fd, existing.st_uid, existing.st_gid);
	if (write_and_sync(fd, bytes, length, mode, e) < 0) {
		unlink(temporary);
		return err_wrap(e, "cannot write '%s'", path);
	}
	if (rename(temporary, target) < 0) {
		int reason = errno;
		unlink(temporary);
		return err_set_errno(e, reason, NULL, "cannot replace '%s'", path);
	}
	return 0;
}

int file_make_directories(const char *path, mode_t mode, struct err *e)
{
	auto_free char *partial = xstrdup(path);
	for (char *slash = partial + 1; *partial; slash++) {
		if (*slash != '/' && *slash)
			continue;
		char end = *slash;
		*slash = '\0';
		if (mkdir(partial, mode) < 0 && errno != EEXIST)
			return err_set_errno(e, errno, NULL, "cannot create the directory '%s'", partial);
		if (!end)
			break;
		*slash = end;
	}
	return 0;
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int file_remove(const char *path, struct err *e)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set_errno(e, errno, NULL, "cannot remove '%s'", path);
	return 0;
}

char *file_join(const char *directory, const char *name)
{
	return xasprintf("%s%s%s", directory, text_ends_with(directory, "/") ? "" : "/", name[0] == '/' ? name + 1 : name);
}
