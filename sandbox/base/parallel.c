#include "base/parallel.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct batch {
	void (*run)(void *element);
	char *elements;
	size_t size, count;
	size_t taken, done;
	struct batch *next;
};

struct parallel {
	pthread_mutex_t mutex;
	pthread_cond_t work, finished;
	bool stopped;
	struct batch *first, *last; /* batches that have elements left to take */
	pthread_t *threads;
	unsigned thread_count;
};

/* Takes an element of the batch and runs it, with the mutex released meanwhile. False when none is left to take. */
static bool run_one(struct parallel *p, struct batch *batch)
{
	if (batch->taken == batch->count)
		return false;
	void *element = batch->elements + batch->taken++ * batch->size;
	if (batch->taken == batch->count) {
		struct batch **at = &p->first, *before = NULL;
		while (*at != batch) {
			before = *at;
			at = &(*at)->next;
		}
		*at = batch->next;
		if (p->last == batch)
			p->last = before;
	}
	pthread_mutex_unlock(&p->mutex);
	batch->run(element);
	pthread_mutex_lock(&p->mutex);
	if (++batch->done == batch->count)
		pthread_cond_broadcast(&p->finished);
	return true;
}

static void *thread_main(void *context)
{
	struct parallel *p = context;
	pthread_mutex_lock(&p->mutex);
	while (!p->stopped) {
		if (p->first)
			(void)run_one(p, p->first);
		else
			pthread_cond_wait(&p->work, &p->mutex);
	}
	pthread_mutex_unlock(&p->mutex);
	return NULL;
}

struct parallel *parallel_new(unsigned threads)
{
	struct parallel *p = xcalloc(1, sizeof(*p));
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->finished, NULL);
	p->threads = xcalloc(threads ? threads : 1, sizeof(*p->threads));
	for (; p->thread_count < threads; p->thread_count++) {
		if (pthread_create(&p->threads[p->thread_count], NULL, thread_main, p) != 0)
			break; /* with fewer, or none, the callers do the work themselves */
	}
	return p;
}

struct parallel *parallel_free(struct parallel *p)
{
	if (!p)
		return NULL;
	pthread_mutex_lock(&p->mutex);
	p->stopped = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->mutex);
	for (unsigned i = 0; i < p->thread_count; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->finished);
	pthread_mutex_destroy(&p->mutex);
	free(p->threads);
	free(p);
	return NULL;
}

void parallel_run(struct parallel *p, void (*run)(void *element), void *elements, size_t count, size_t size)
{
	struct batch batch = { .run = run, .elements = elements, .size = size, .count = count };
	if (!p || count <= 1) {
		for (size_t i = 0; i < count; i++)
			run((char *)elements + i * size);
		return;
	}
	pthread_mutex_lock(&p->mutex);
	if (p->last)
		p->last->next = &batch;
	else
		p->first = &batch;
	p->last = &batch;
	pthread_cond_broadcast(&p->work);
	while (run_one(p, &batch))
		;
	while (batch.done < batch.count)
		pthread_cond_wait(&p->finished, &p->mutex);
	pthread_mutex_unlock(&p->mutex);
}
