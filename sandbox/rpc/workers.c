#include "rpc/workers.h"

#include "base/metrics.h"

#include <pthread.h>

METRIC_GAUGE(queue_length, "sandbox_rpc_queue_length", "Calls waiting for a worker.");
METRIC_GAUGE(busy, "sandbox_rpc_workers_busy", "Workers that run a handler.");
METRIC_COUNTER(rejected, "sandbox_rpc_queue_rejected_total", "Calls refused because the queue was full.");

struct rpc_workers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct rpc_exchange *first;
	struct rpc_exchange **last;
	size_t queued;
	size_t queue_maximum;
	bool stopping;
	void (*done)(void *context, struct rpc_exchange *x);
	void *context;
	unsigned thread_count;
	pthread_t threads[];
};

/* The next exchange, waited for; NULL when the pool stops. */
static struct rpc_exchange *take(struct rpc_workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	while (!workers->first && !workers->stopping)
		pthread_cond_wait(&workers->work, &workers->lock);
	struct rpc_exchange *x = workers->first;
	if (x) {
		workers->first = x->next;
		if (!workers->first)
			workers->last = &workers->first;
		x->next = NULL;
		workers->queued--;
		metric_add(&queue_length, -1);
	}
	pthread_mutex_unlock(&workers->lock);
	return x;
}

static void *run(void *argument)
{
	struct rpc_workers *workers = argument;
	for (struct rpc_exchange *x; (x = take(workers));) {
		metric_add(&busy, 1);
		rpc_exchange_execute(x);
		metric_add(&busy, -1);
		workers->done(workers->context, x);
	}
	return NULL;
}

int rpc_workers_start(unsigned count, size_t queue_maximum, void (*done)(void *context, struct rpc_exchange *x),
                      void *context, struct rpc_workers **ret_workers, struct err *e)
{
	struct rpc_workers *workers = xcalloc(1, sizeof(*workers) + count * sizeof(workers->threads[0]));
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->work, NULL);
	workers->last = &workers->first;
	workers->queue_maximum = queue_maximum;
	workers->done = done;
	workers->context = context;
	for (; workers->thread_count < count; workers->thread_count++) {
		int status = pthread_create(&workers->threads[workers->thread_count], NULL, run, workers);
		if (status) {
			rpc_workers_stop(workers);
			return err_set_errno(e, status, NULL, "cannot start a worker thread");
		}
	}
	*ret_workers = workers;
	return 0;
}

int rpc_workers_submit(struct rpc_workers *workers, struct rpc_exchange *x)
{
	pthread_mutex_lock(&workers->lock);
	bool room = workers->queued < workers->queue_maximum;
	if (room) {
		*workers->last = x;
		workers->last = &x->next;
		workers->queued++;
		metric_add(&queue_length, 1);
		pthread_cond_signal(&workers->work);
	}
	pthread_mutex_unlock(&workers->lock);
	if (!room)
		metric_add(&rejected, 1);
	return room ? 0 : -1;
}

bool rpc_workers_withdraw(struct rpc_workers *workers, struct rpc_exchange *x)
{
	pthread_mutex_lock(&workers->lock);
	struct rpc_exchange **link = &workers->first;
	while (*link && *link != x)
		link = &(*link)->next;
	bool found = *link != NULL;
	if (found) {
		*link = x->next;
		if (!x->next)
			workers->last = link;
		x->next = NULL;
		workers->queued--;
		metric_add(&queue_length, -1);
	}
	pthread_mutex_unlock(&workers->lock);
	return found;
}

struct rpc_workers *rpc_workers_stop(struct rpc_workers *workers)
{
	if (!workers)
		return NULL;
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	pthread_cond_broadcast(&workers->work);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned i = 0; i < workers->thread_count; i++)
		pthread_join(workers->threads[i], NULL);
	pthread_cond_destroy(&workers->work);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
	return NULL;
}
