/* The queue's promises — never two at once, no wake-up lost, deadlines kept — and those of the shared threads. */
#include "base/parallel.h"
#include "controlplane/engine/queue.h"

#include "base/clock.h"
#include "base/memory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void keep(void *attachment)
{
	(void)attachment;
}

static void test_a_wake_up_during_a_round_causes_one_more(void **state)
{
	(void)state;
	struct queue *q = queue_new(keep);
	struct queue_work work;
	queue_wake(q, 1);
	queue_wake(q, 1);
	queue_wake(q, 2);
	assert_true(queue_take(q, &work));
	assert_int_equal(work.execution_id, 1);
	queue_wake(q, 1);
	queue_wake(q, 1);
	struct queue_work other;
	assert_true(queue_take(q, &other)); /* not 1, which is worked on */
	assert_int_equal(other.execution_id, 2);
	queue_done(q, &work, QUEUE_KEEP, CLOCK_NEVER);
	assert_true(queue_take(q, &work));
	assert_int_equal(work.execution_id, 1);
	/* Finished, but woken meanwhile: it stays. */
	queue_wake(q, 1);
	queue_done(q, &work, QUEUE_FINISHED, CLOCK_NEVER);
	assert_true(queue_take(q, &work));
	assert_int_equal(work.execution_id, 1);
	queue_done(q, &work, QUEUE_FINISHED, CLOCK_NEVER);
	queue_done(q, &other, QUEUE_FINISHED, CLOCK_NEVER);
	assert_int_equal(queue_count(q), 0);
	queue_stop(q);
	assert_false(queue_take(q, &work));
	queue_free(q);
}

static void test_deadlines(void **state)
{
	(void)state;
	struct queue *q = queue_new(keep);
	struct queue_work work, later;
	queue_wake(q, 1);
	queue_wake(q, 2);
	assert_true(queue_take(q, &later));
	assert_true(queue_take(q, &work));
	const int64_t now_ms = clock_monotonic_ms();
	queue_done(q, &later, QUEUE_KEEP, now_ms + 60);
	queue_done(q, &work, QUEUE_KEEP, now_ms + 20);
	assert_true(queue_take(q, &work));
	assert_int_equal(work.execution_id, 2);
	assert_true(clock_monotonic_ms() >= now_ms + 20);
	queue_done(q, &work, QUEUE_KEEP, CLOCK_NEVER);
	assert_true(queue_take(q, &work));
	assert_int_equal(work.execution_id, 1);
	assert_true(clock_monotonic_ms() >= now_ms + 60);
	queue_done(q, &work, QUEUE_KEEP, CLOCK_NEVER);
	queue_free(q);
}

static void test_failures_are_counted_and_pause(void **state)
{
	(void)state;
	struct queue *q = queue_new(keep);
	struct queue_work work;
	queue_wake(q, 1);
	assert_true(queue_take(q, &work));
	for (unsigned failures = 0; failures < 3; failures++) {
		assert_int_equal(work.failures, failures);
		const int64_t again_ms = clock_monotonic_ms() + 10;
		queue_wake(q, 1); /* does not shorten the pause */
		queue_done(q, &work, QUEUE_FAILED, again_ms);
		assert_true(queue_take(q, &work));
		assert_true(clock_monotonic_ms() >= again_ms);
	}
	queue_done(q, &work, QUEUE_KEEP, CLOCK_NEVER);
	queue_wake(q, 1);
	assert_true(queue_take(q, &work));
	assert_int_equal(work.failures, 0);
	queue_done(q, &work, QUEUE_KEEP, CLOCK_NEVER);
	queue_free(q);
}

static void test_what_is_elsewhere_waits(void **state)
{
	(void)state;
	struct queue *q = queue_new(keep);
	struct queue_work work;
	queue_wake(q, 1);
	assert_true(queue_take(q, &work));
	assert_false(work.elsewhere);
	/* Woken in its round and again afterwards: one late round. */
	queue_wake(q, 1);
	const int64_t now_ms = clock_monotonic_ms();
	queue_done(q, &work, QUEUE_ELSEWHERE, CLOCK_NEVER);
	queue_wake(q, 1);
	assert_true(queue_take(q, &work));
	assert_true(work.elsewhere);
	assert_true(clock_monotonic_ms() >= now_ms + QUEUE_PATIENCE_MS);
	/* A deadline comes late too; a failure does not change where it is, but comes as it says. */
	const int64_t then_ms = clock_monotonic_ms();
	queue_done(q, &work, QUEUE_ELSEWHERE, then_ms - QUEUE_PATIENCE_MS + 30);
	assert_true(queue_take(q, &work));
	assert_true(work.elsewhere);
	assert_true(clock_monotonic_ms() >= then_ms + 30);
	queue_done(q, &work, QUEUE_FAILED, clock_monotonic_ms());
	assert_true(queue_take(q, &work));
	assert_true(work.elsewhere);
	/* Taken over: as any other. */
	queue_done(q, &work, QUEUE_KEEP, CLOCK_NEVER);
	queue_wake(q, 1);
	assert_true(queue_take(q, &work));
	assert_false(work.elsewhere);
	queue_done(q, &work, QUEUE_FINISHED, CLOCK_NEVER);
	queue_free(q);
}

static int freed;

static void count_freed(void *attachment)
{
	if (attachment)
		freed++;
	free(attachment);
}

static void test_attachments_live_as_long_as_their_entry(void **state)
{
	(void)state;
	struct queue *q = queue_new(count_freed);
	struct queue_work work;
	for (int64_t id = 1; id <= 2; id++) {
		queue_wake(q, id);
		assert_true(queue_take(q, &work));
		assert_null(work.attachment);
		work.attachment = xmalloc(1);
		queue_done(q, &work, QUEUE_KEEP, CLOCK_NEVER);
	}
	queue_wake(q, 1);
	assert_true(queue_take(q, &work));
	assert_non_null(work.attachment);
	queue_done(q, &work, QUEUE_FINISHED, CLOCK_NEVER);
	assert_int_equal(freed, 1);
	queue_free(q);
	assert_int_equal(freed, 2);
}

/* ---- Under load ---- */

#define EXECUTIONS 20
#define WAKE_UPS 20000
#define WORKERS 4

struct load {
	struct queue *queue;
	atomic_int pending[EXECUTIONS];   /* wake-ups not yet seen by a round */
	atomic_int worked_on[EXECUTIONS]; /* rounds under way */
	atomic_int overlaps;
	atomic_int unseen;
};

static void *work_main(void *context)
{
	struct load *load = context;
	struct queue_work work;
	while (queue_take(load->queue, &work)) {
		const size_t i = (size_t)work.execution_id - 1;
		if (atomic_fetch_add(&load->worked_on[i], 1) != 0)
			atomic_fetch_add(&load->overlaps, 1);
		atomic_fetch_sub(&load->unseen, atomic_exchange(&load->pending[i], 0));
		atomic_fetch_sub(&load->worked_on[i], 1);
		queue_done(load->queue, &work, work.execution_id % 2 ? QUEUE_KEEP : QUEUE_FINISHED, CLOCK_NEVER);
	}
	return NULL;
}

static void test_no_wake_up_is_lost(void **state)
{
	(void)state;
	static struct load load;
	pthread_t workers[WORKERS];
	load.queue = queue_new(keep);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&workers[i], NULL, work_main, &load), 0);
	for (int i = 0; i < WAKE_UPS; i++) {
		atomic_fetch_add(&load.unseen, 1);
		atomic_fetch_add(&load.pending[i * 7 % EXECUTIONS], 1);
		queue_wake(load.queue, i * 7 % EXECUTIONS + 1);
	}
	const int64_t deadline_ms = clock_monotonic_ms() + 20000;
	while (atomic_load(&load.unseen) > 0 && clock_monotonic_ms() < deadline_ms)
		sched_yield();
	assert_int_equal(atomic_load(&load.unseen), 0);
	assert_int_equal(atomic_load(&load.overlaps), 0);
	queue_stop(load.queue);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	queue_free(load.queue);
}

/* ---- parallel ---- */

static struct parallel *shared;

static void increment(void *element)
{
	(*(int *)element)++;
}

static void *batches_main(void *context)
{
	(void)context;
	for (int round = 0; round < 300; round++) {
		int numbers[17] = { 0 };
		const size_t count = (size_t)(round % 18);
		parallel_run(shared, increment, numbers, count, sizeof(*numbers));
		for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
			if (numbers[i] != (i < count ? 1 : 0))
				return (void *)(uintptr_t)1;
		}
	}
	return NULL;
}

static void test_every_element_is_run_once(void **state)
{
	(void)state;
	for (unsigned threads = 0; threads <= 3; threads += 3) {
		pthread_t callers[4];
		shared = parallel_new(threads);
		for (size_t i = 0; i < ARRAY_LENGTH(callers); i++)
			assert_int_equal(pthread_create(&callers[i], NULL, batches_main, NULL), 0);
		for (size_t i = 0; i < ARRAY_LENGTH(callers); i++) {
			void *wrong;
			pthread_join(callers[i], &wrong);
			assert_null(wrong);
		}
		shared = parallel_free(shared);
	}
}

static void meet(void *element)
{
	pthread_barrier_wait(element);
}

static void test_elements_run_at_the_same_time(void **state)
{
	(void)state;
	/* Three that wait for each other only come back when there are three threads, the caller being one. */
	struct parallel *parallel = parallel_new(2);
	pthread_barrier_t barrier;
	pthread_barrier_init(&barrier, NULL, 3);
	parallel_run(parallel, meet, &barrier, 3, 0);
	pthread_barrier_destroy(&barrier);
	parallel_free(parallel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_wake_up_during_a_round_causes_one_more),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_failures_are_counted_and_pause),
		cmocka_unit_test(test_what_is_elsewhere_waits),
		cmocka_unit_test(test_attachments_live_as_long_as_their_entry),
		cmocka_unit_test(test_no_wake_up_is_lost),
		cmocka_unit_test(test_every_element_is_run_once),
		cmocka_unit_test(test_elements_run_at_the_same_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
