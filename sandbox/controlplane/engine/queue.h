/*
 * Which executions want a round, and when. Each execution is in the queue at most once and is worked on by at most one
 * worker at a time; a wake-up that comes during its round causes exactly one more. Deadlines live here too, so that a
 * worker that waits for work waits for the next of them as well: nothing is polled.
 *
 * An execution may be elsewhere: another replica moves it. Its wake-ups count here too, because that replica may be gone,
 * but they are let lie for QUEUE_PATIENCE_MS. Most of the time there is nothing left to do then.
 *
 * An entry exists from the first wake-up until a round says that the execution is finished. With it lives an
 * attachment, in which the rounds keep what they need not read again; it belongs to the worker that holds the entry.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_QUEUE_H
#define SANDBOX_CONTROLPLANE_ENGINE_QUEUE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

/* Half of what a takeover may take (docs/internals/engine.md). */
#define QUEUE_PATIENCE_MS INT64_C(1000)

/* `free_attachment` is called with what is left when an entry goes; never under the queue's lock. */
struct queue *queue_new(void (*free_attachment)(void *attachment));
struct queue *queue_free(struct queue *queue);

/* Any thread. */
void queue_wake(struct queue *queue, int64_t execution_id);
/* Wakes every execution that has an entry. */
void queue_wake_all(struct queue *queue);
/* Makes queue_take return false, now and ever after. */
void queue_stop(struct queue *queue);

struct queue_work {
	int64_t execution_id;
	void *attachment;
	unsigned failures;   /* rounds in a row that were reported as failed */
	int64_t woken_at_us; /* monotonic: when it was put in line */
	bool elsewhere;      /* it was left to another replica, and the time for that is over */
};
/* Waits for an execution that wants a round. False when stopped. Every true is followed by one queue_done. */
bool queue_take(struct queue *queue, struct queue_work *ret_work);

enum queue_outcome {
	QUEUE_KEEP,      /* wait for the next wake-up or for `wake_at_ms` */
	QUEUE_ELSEWHERE, /* as QUEUE_KEEP, but wake-ups until then and `wake_at_ms` come late */
	QUEUE_FAILED,    /* as QUEUE_KEEP, and counts as a failure; what was elsewhere still is */
	QUEUE_FINISHED,  /* forget it, unless it was woken meanwhile */
};
/* `work->attachment` is handed back. `wake_at_ms` is monotonic; CLOCK_NEVER for none. */
void queue_done(struct queue *queue, const struct queue_work *work, enum queue_outcome outcome, int64_t wake_at_ms);
/* A line each entry: execution's row, state, failures, when it is due. -1 when it does not fit. */
int queue_dump(struct queue *queue, struct buf *out);
/* Entries at present. */
size_t queue_count(struct queue *queue);

#endif
