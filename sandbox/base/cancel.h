/*
 * A request to stop waiting, from one thread to another. The waiting side polls cancel_fd beside what it waits for; who never waits never
 * pays for a descriptor. Once requested it stays so.
 */
#ifndef SANDBOX_BASE_CANCEL_H
#define SANDBOX_BASE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

struct cancel {
	atomic_bool requested;
	atomic_int fd; /* the ends of a pipe; -1 until somebody waits */
	atomic_int write_fd;
};

#define CANCEL_INIT { .fd = -1, .write_fd = -1 }

void cancel_init(struct cancel *cancel);
/* Nobody may use it any more. */
void cancel_release(struct cancel *cancel);
/* From any thread. */
void cancel_request(struct cancel *cancel);
/* False for NULL. */
bool cancel_is_requested(const struct cancel *cancel);
/* Readable once requested; for poll only. By the waiting thread alone. -1 (which poll ignores) for NULL, or when there are no descriptors. */
int cancel_fd(struct cancel *cancel);

#endif
