#include "controlplane/engine/queue.h"

#include "base/clock.h"
#include "base/memory.h"

#include <inttypes.h>
#include <pthread.h>

#define BUCKETS 1024

enum entry_state {
	ENTRY_IDLE,
	ENTRY_QUEUED,
	ENTRY_WORKED_ON,
	ENTRY_WORKED_ON_AND_WOKEN,
};

struct entry {
	int64_t execution_id;
	enum entry_state state;
	bool elsewhere;
	int64_t wake_at_ms;
	int64_t woken_at_us;
	unsigned failures;
	void *attachment;
	struct entry *next_in_bucket;
	struct entry *next_in_line;
};

struct queue {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool stopped;
	struct entry *buckets[BUCKETS];
	size_t count;
	struct entry *first, *last; /* the line */
	int64_t next_due_ms;        /* not later than the earliest wake_at_ms of all entries */
	void (*free_attachment)(void *attachment);
};

struct queue *queue_new(void (*free_attachment)(void *attachment))
{
	struct queue *q = xcalloc(1, sizeof(*q));
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&q->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&q->mutex, NULL);
	q->next_due_ms = CLOCK_NEVER;
	q->free_attachment = free_attachment;
	return q;
}

struct queue *queue_free(struct queue *q)
{
	if (!q)
		return NULL;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct entry *entry = q->buckets[i], *next; entry; entry = next) {
			next = entry->next_in_bucket;
			q->free_attachment(entry->attachment);
			free(entry);
		}
	}
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->mutex);
	free(q);
	return NULL;
}

int queue_dump(struct queue *q, struct buf *out)
{
	static const char *const states[] = { "idle", "queued", "worked on", "worked on, woken" };
	const int64_t now_ms = clock_monotonic_ms();
	int status = 0;
	pthread_mutex_lock(&q->mutex);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct entry *entry = q->buckets[i]; entry && status == 0; entry = entry->next_in_bucket) {
			status = buf_add_format(out, "execution_row=%" PRId64 " state=\"%s\" failures=%u",
			                        entry->execution_id, states[entry->state], entry->failures);
			if (status == 0 && entry->elsewhere)
				status = buf_add_str(out, " elsewhere=yes");
			if (status == 0 && entry->wake_at_ms != CLOCK_NEVER)
				status = buf_add_format(out, " due_in_ms=%" PRId64, entry->wake_at_ms - now_ms);
			if (status == 0)
				status = buf_add_str(out, "\n");
		}
	}
	pthread_mutex_unlock(&q->mutex);
	return status;
}

static struct entry **find(struct queue *q, int64_t execution_id)
{
	struct entry **at = &q->buckets[(uint64_t)execution_id % BUCKETS];
	while (*at && (*at)->execution_id != execution_id)
		at = &(*at)->next_in_bucket;
	return at;
}

static void enqueue(struct queue *q, struct entry *entry)
{
	entry->state = ENTRY_QUEUED;
	entry->woken_at_us = clock_monotonic_us();
	entry->wake_at_ms = CLOCK_NEVER;
	entry->next_in_line = NULL;
	if (q->last)
		q->last->next_in_line = entry;
	else
		q->first = entry;
	q->last = entry;
	pthread_cond_signal(&q->changed);
}

static void wait_until(struct queue *q, struct entry *entry, int64_t wake_at_ms)
{
	entry->state = ENTRY_IDLE;
	entry->wake_at_ms = wake_at_ms;
	if (wake_at_ms < q->next_due_ms) {
		q->next_due_ms = wake_at_ms;
		pthread_cond_signal(&q->changed);
	}
}

/* Woken, but another replica moves it: what is due sooner stays so. */
static void wait_patiently(struct queue *q, struct entry *entry, int64_t wake_at_ms)
{
	const int64_t due_ms = clock_monotonic_ms() + QUEUE_PATIENCE_MS;
	wait_until(q, entry, wake_at_ms < due_ms ? wake_at_ms : due_ms);
}

static void wake(struct queue *q, struct entry *entry)
{
	if (entry->state == ENTRY_IDLE && entry->elsewhere)
		wait_patiently(q, entry, entry->wake_at_ms);
	else if (entry->state == ENTRY_IDLE)
		enqueue(q, entry);
	else if (entry->state == ENTRY_WORKED_ON)
		entry->state = ENTRY_WORKED_ON_AND_WOKEN;
}

void queue_wake(struct queue *q, int64_t execution_id)
{
	pthread_mutex_lock(&q->mutex);
	struct entry **at = find(q, execution_id);
	if (!*at) {
		*at = xcalloc(1, sizeof(**at));
		(*at)->execution_id = execution_id;
		(*at)->wake_at_ms = CLOCK_NEVER;
		q->count++;
	}
	wake(q, *at);
	pthread_mutex_unlock(&q->mutex);
}

void queue_wake_all(struct queue *q)
{
	pthread_mutex_lock(&q->mutex);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct entry *entry = q->buckets[i]; entry; entry = entry->next_in_bucket)
			wake(q, entry);
	}
	pthread_mutex_unlock(&q->mutex);
}

void queue_stop(struct queue *q)
{
	pthread_mutex_lock(&q->mutex);
	q->stopped = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->mutex);
}

/* Puts into the line whatever is due, and finds out what is next. */
static void enqueue_due(struct queue *q)
{
	const int64_t now_ms = clock_monotonic_ms();
	if (q->next_due_ms > now_ms)
		return;
	q->next_due_ms = CLOCK_NEVER;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct entry *entry = q->buckets[i]; entry; entry = entry->next_in_bucket) {
			if (entry->state != ENTRY_IDLE)
				continue;
			if (entry->wake_at_ms <= now_ms)
				enqueue(q, entry);
			else if (entry->wake_at_ms < q->next_due_ms)
				q->next_due_ms = entry->wake_at_ms;
		}
	}
}

static void wait_for_work(struct queue *q)
{
	if (q->next_due_ms == CLOCK_NEVER) {
		pthread_cond_wait(&q->changed, &q->mutex);
		return;
	}
	const struct timespec until = { .tv_sec = q->next_due_ms / 1000, .tv_nsec = q->next_due_ms % 1000 * 1000000 };
	pthread_cond_timedwait(&q->changed, &q->mutex, &until);
}

bool queue_take(struct queue *q, struct queue_work *ret_work)
{
	pthread_mutex_lock(&q->mutex);
	enqueue_due(q);
	while (!q->stopped && !q->first) {
		wait_for_work(q);
		enqueue_due(q);
	}
	const bool taken = !q->stopped;
	if (taken) {
		struct entry *entry = q->first;
		q->first = entry->next_in_line;
		if (!q->first)
			q->last = NULL;
		entry->state = ENTRY_WORKED_ON;
		*ret_work = (struct queue_work){ .execution_id = entry->execution_id,
			                         .attachment = entry->attachment,
			                         .failures = entry->failures,
			                         .elsewhere = entry->elsewhere,
			                         .woken_at_us = entry->woken_at_us };
		entry->attachment = NULL;
		/* We may have been the one that looked after the next deadline: somebody who waits without one takes
		 * over. */
		if (q->first || q->next_due_ms != CLOCK_NEVER)
			pthread_cond_signal(&q->changed);
	}
	pthread_mutex_unlock(&q->mutex);
	return taken;
}

static void wait_again(struct queue *q, struct entry *entry, enum queue_outcome outcome, int64_t wake_at_ms)
{
	const bool woken = entry->state == ENTRY_WORKED_ON_AND_WOKEN;
	const int64_t late_ms = wake_at_ms == CLOCK_NEVER ? CLOCK_NEVER : wake_at_ms + QUEUE_PATIENCE_MS;
	if (outcome != QUEUE_FAILED)
		entry->elsewhere = outcome == QUEUE_ELSEWHERE;
	/* After a failure a wake-up waits too: what failed would most likely fail again. */
	if (outcome == QUEUE_FAILED)
		wait_until(q, entry, wake_at_ms);
	else if (entry->elsewhere && woken)
		wait_patiently(q, entry, late_ms);
	else if (entry->elsewhere)
		wait_until(q, entry, late_ms);
	else if (woken)
		enqueue(q, entry);
	else
		wait_until(q, entry, wake_at_ms);
}

void queue_done(struct queue *q, const struct queue_work *work, enum queue_outcome outcome, int64_t wake_at_ms)
{
	void *unused = work->attachment;
	pthread_mutex_lock(&q->mutex);
	struct entry **at = find(q, work->execution_id);
	struct entry *entry = *at;
	entry->failures = outcome == QUEUE_FAILED ? entry->failures + 1 : 0;
	if (outcome == QUEUE_FINISHED && entry->state == ENTRY_WORKED_ON) {
		*at = entry->next_in_bucket;
		free(entry);
		q->count--;
	} else {
		entry->attachment = work->attachment;
		unused = NULL;
		wait_again(q, entry, outcome, wake_at_ms);
	}
	pthread_mutex_unlock(&q->mutex);
	if (unused)
		q->free_attachment(unused);
}

size_t queue_count(struct queue *q)
{
	pthread_mutex_lock(&q->mutex);
	const size_t count = q->count;
	pthread_mutex_unlock(&q->mutex);
	return count;
}
