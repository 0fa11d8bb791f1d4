#include "init/logfile.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int logfile_open(struct logfile *file, const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	struct stat info;
	if (fd < 0 || fstat(fd, &info) < 0)
		return err_set_errno(e, errno, NULL, "cannot open the log file '%s'", path);
	*file = (struct logfile){ .path = xstrdup(path), .fd = fd, .size = (size_t)info.st_size };
	return 0;
}

void logfile_close(struct logfile *file)
{
	if (file->path)
		close(file->fd);
	free(file->path);
	*file = (struct logfile){ .fd = -1 };
}

/* May fail half-way, e.g. with no descriptor free; the next line tries again, and finds the file renamed already then.
 */
static void rotate(struct logfile *file)
{
	auto_free char *older = xasprintf("%s.1", file->path);
	if (rename(file->path, older) < 0 && errno != ENOENT)
		return;
	int fd = open(file->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		return;
	close(file->fd);
	file->fd = fd;
	file->size = 0;
}

void logfile_write(struct logfile *file, const char *bytes, size_t length)
{
	if (file->size + length > LOGFILE_SIZE_MAXIMUM)
		rotate(file);
	/* The cap holds where rotation is not possible: the newest lines are lost then, not the disk. */
	if (file->size + length > LOGFILE_SIZE_MAXIMUM && file->size)
		return;
	if (file_write_all(file->fd, bytes, length, NULL) == 0)
		file->size += length;
}
