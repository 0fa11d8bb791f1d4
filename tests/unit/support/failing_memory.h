/*
 * Every allocation made to fail in turn. The functions that allocate are the test program's own (failing_memory.c), so that libraries get
 * no memory either; with AddressSanitizer they hand on to its functions, else to the C library's.
 */
#ifndef SANDBOX_TESTS_FAILING_MEMORY_H
#define SANDBOX_TESTS_FAILING_MEMORY_H

#include <stdbool.h>

/* Runs `work` in a child process for each allocation that it makes, which then fails. Each child has to end in one of two ways: `work` returns
 * and has freed what it allocated, or the process ends with "out of memory" on stderr (base/memory.h). Anything else, a crash above all,
 * fails the test (cmocka). Returns how many allocations there are. */
unsigned fail_each_allocation(void (*work)(void));

/* For a part of `work` whose allocations do not fail, because a library of others crashes there: say which. */
void spare_allocations(bool spare);

#endif
