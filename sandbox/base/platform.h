/*
 * What POSIX leaves to the system. Everything in base, docker and cli that is not POSIX (2017, with the few functions of 2024 that
 * Linux, musl and macOS have had for long: asprintf, memmem, mkostemp, getentropy) stands behind this header: platform_linux.c
 * and platform_macos.c. tests/unit/layers/test_portable.py holds the rest to it.
 */
#ifndef SANDBOX_BASE_PLATFORM_H
#define SANDBOX_BASE_PLATFORM_H

#include "base/memory.h"

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The three make descriptors that no child inherits; -1 with errno. Both ends of a pipe do not block. */
int platform_socket(int domain, int type);
int platform_socket_pair(int ret_ends[2]);
int platform_pipe(int ret_ends[2]);
int platform_accept(int fd);
int platform_set_nonblocking(int fd);

/* For send(): a peer that is gone is an error, not a signal. Where there is no such flag, platform_socket sees to it. */
#ifdef MSG_NOSIGNAL
#define PLATFORM_NO_SIGPIPE MSG_NOSIGNAL
#else
#define PLATFORM_NO_SIGPIPE 0
#endif

enum platform_process {
	PLATFORM_PROCESS_RUNS,
	PLATFORM_PROCESS_ENDED, /* or there has been none */
	PLATFORM_PROCESS_UNSEEN /* there is one, and we may not see more of it */
};
/* Whether a process runs, and then a number that tells it from a later one with the same id: when it was started, in the system's own unit. */
enum platform_process platform_process(pid_t pid, uint64_t *ret_birth);

/* What process ids are numbers of: a process id means nothing to somebody for whom `boot` or `processes` differs. Without spaces; empty where the
 * system does not tell. */
struct platform_place {
	char machine[64];   /* stays over restarts; copies of a machine may have the same */
	char boot[64];      /* new with each start of the machine, and the same in all its containers */
	char processes[32]; /* the namespace of process ids, or PLATFORM_OF_MACHINE */
};
#define PLATFORM_OF_MACHINE "machine"
void platform_place(struct platform_place *ret_place);

/* A descriptor that becomes readable when a process ends, a child of ours or not; -1 when the system cannot tell. */
int platform_watch_process(pid_t pid);

/* strerror_r, whose result differs between systems. Returns `room` or a static text. */
const char *platform_error_text(int errno_value, char *room, size_t size);

/* When a file was changed last: the field has another name on each system. */
struct timespec platform_modified(const struct stat *status);

/* What the process itself uses. */
struct platform_usage {
	double resident_bytes;
	unsigned open_files;
	unsigned threads;
};
void platform_usage(struct platform_usage *ret_usage);

/* "process 'nginx' (pid 12)" of a listening TCP port of this machine, or NULL when it cannot be told (another user's process).
 * Free with free(). */
char *platform_port_process(int port);

/* Linux: the capabilities that this machine's bounding set lacks, by number as bits. 0 elsewhere, where the engine is in a machine of its
 * own. */
uint64_t platform_missing_capabilities(void);

/* Linux: the table of IPv4 routes, as /proc/net/route has it. False elsewhere. */
bool platform_routes(struct buf *ret_routes);

/* The running program's file, or NULL. Free with free(). */
char *platform_executable(void);

#endif
