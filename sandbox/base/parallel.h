/*
 * Doing several things at once that each wait for somebody else: requests to the object store and to Kubernetes of one
 * round or one launch. The threads are shared by all that call; whoever calls takes part, so that a batch makes progress
 * even when every thread is busy, and a batch of one costs no hand-over at all.
 */
#ifndef SANDBOX_BASE_PARALLEL_H
#define SANDBOX_BASE_PARALLEL_H

#include <stddef.h>

struct parallel;

/* Where fewer threads can be made, or none, callers do the rest themselves. */
struct parallel *parallel_new(unsigned threads);
/* No batch may be under way. */
struct parallel *parallel_free(struct parallel *parallel);

/* Calls run(element) for each of `count` elements of `size` bytes at `elements`, in any order; returns when all have
 * returned. `parallel` NULL: one after another. */
void parallel_run(struct parallel *parallel, void (*run)(void *element), void *elements, size_t count, size_t size);

#endif
