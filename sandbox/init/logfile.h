/* A log file with a size cap: when it is full it becomes NAME.1 (the older one is dropped) and a new one begins. */
#ifndef SANDBOX_INIT_LOGFILE_H
#define SANDBOX_INIT_LOGFILE_H

#include "base/err.h"

#define LOGFILE_SIZE_MAXIMUM ((size_t)8 * 1024 * 1024)
#define LOGFILE_LAST_LINE_SIZE 256

struct logfile {
	char *path;
	int fd;
	size_t size;
	char last_line[LOGFILE_LAST_LINE_SIZE]; /* the newest complete line, cut to fit: for status messages */
	char line[LOGFILE_LAST_LINE_SIZE];      /* the one being written */
	size_t line_length;
};

int logfile_open(struct logfile *file, const char *path, struct err *e);
void logfile_close(struct logfile *file);
/* Never fails from the caller's view: what cannot be written (disk full) is dropped, the service must not be held up.
 */
void logfile_write(struct logfile *file, const char *bytes, size_t length);

#endif
