/* A log file with a size cap: when it is full it becomes NAME.1 (the older one is dropped) and a new one begins. */
#ifndef SANDBOX_INIT_LOGFILE_H
#define SANDBOX_INIT_LOGFILE_H

#include "base/err.h"

#define LOGFILE_SIZE_MAXIMUM ((size_t)8 * 1024 * 1024)

struct logfile {
	char *path;
	int fd;
	size_t size;
};

int logfile_open(struct logfile *file, const char *path, struct err *e);
void logfile_close(struct logfile *file);
/* Never fails from the caller's view: what cannot be written (disk full) is dropped, the service must not be held up.
 */
void logfile_write(struct logfile *file, const char *bytes, size_t length);

#endif
