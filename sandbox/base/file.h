/* Files as wholes. Every read has a maximum; every write that replaces a file is atomic. */
#ifndef SANDBOX_BASE_FILE_H
#define SANDBOX_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* Appends the file's bytes to `ret_bytes`; ERR_NOT_FOUND when absent, ERR_EXHAUSTED past the buffer's maximum. */
int file_read(const char *path, struct buf *ret_bytes, struct err *e);
/* Writes a temporary file beside `path`, syncs and renames it; a symlink at `path` is followed, not replaced. Mode applies to a new
 * file; an existing file keeps its mode. */
int file_write_atomic(const char *path, const void *bytes, size_t length, mode_t mode, struct err *e);
/* Creates `path` and its missing parents. */
int file_make_directories(const char *path, mode_t mode, struct err *e);
bool file_exists(const char *path);
/* Absent is success. */
int file_remove(const char *path, struct err *e);
/* Joins with exactly one '/'. Free with free(). */
char *file_join(const char *directory, const char *name);
/* All bytes to `fd`, across short writes and EINTR. */
int file_write_all(int fd, const void *bytes, size_t length, struct err *e);

#endif
