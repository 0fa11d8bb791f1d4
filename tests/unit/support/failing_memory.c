#include "failing_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define NEXT(function) __interceptor_##function
#else
#define NEXT(function) __libc_##function
#endif
void *NEXT(malloc)(size_t size);
void *NEXT(calloc)(size_t count, size_t size);
void *NEXT(realloc)(void *old, size_t size);
void NEXT(free)(void *pointer);

static bool counting;
static unsigned fail_at; /* counted from 1; 0: none */
static unsigned count;
static int balance; /* allocated and not freed */

/* The sanitizer's own beginnings allocate, too, before there is anything that instrumented code could look at. */
#define EARLY __attribute__((no_sanitize("address", "undefined")))

/* With FAILING_MEMORY_TRACE set: where the allocation is that fails, for addr2line. */
static EARLY void show_stack(void)
{
	void *frames[32];
	if (!getenv("FAILING_MEMORY_TRACE"))
		return;
	counting = false;
	backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
	counting = true;
}

static EARLY bool fails(void)
{
	if (!counting || ++count != fail_at)
		return false;
	show_stack();
	errno = ENOMEM;
	return true;
}

static EARLY void *allocated(void *pointer)
{
	if (counting && pointer)
		balance++;
	return pointer;
}

/* The same attributes as in stdlib.h would promise too much of functions that fail. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
EARLY __attribute__((visibility("default"))) void *malloc(size_t size)
{
	return fails() ? NULL : allocated(NEXT(malloc)(size));
}

EARLY __attribute__((visibility("default"))) void *calloc(size_t members, size_t size)
{
	return fails() ? NULL : allocated(NEXT(calloc)(members, size));
}

EARLY __attribute__((visibility("default"))) void *realloc(void *old, size_t size)
{
	if (fails())
		return NULL;
	void *pointer = NEXT(realloc)(old, size);
	return old ? pointer : allocated(pointer);
}

EARLY __attribute__((visibility("default"))) void free(void *pointer)
{
	if (counting && pointer)
		balance--;
	NEXT(free)(pointer);
}
#pragma GCC diagnostic pop

void spare_allocations(bool spare)
{
	counting = fail_at && !spare;
}

#define CODE_LEAK 98
#define CODE_NOT_REACHED 99

static _Noreturn void run_child(void (*work)(void), unsigned number, int errors)
{
	/* An abort is one of the right ends: no core of it. */
	const struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
	/* cmocka catches these and goes on with the next test. */
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS };
	for (size_t i = 0; i < ARRAY_LENGTH(crashes); i++)
		signal(crashes[i], SIG_DFL);
	dup2(errors, STDERR_FILENO);
	fail_at = number;
	counting = true;
	work();
	counting = false;
	if (count < number)
		_exit(CODE_NOT_REACHED);
	if (balance > 0)
		dprintf(STDERR_FILENO, "%d allocations are not freed\n", balance);
	_exit(balance > 0 ? CODE_LEAK : 0);
}

/* libarchive ends the process itself, in its own words. */
static bool ended_for_memory(int status, const char *text)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
		return strstr(text, "out of memory");
	return WIFEXITED(status) && WEXITSTATUS(status) == 1 && strstr(text, "libarchive") && strstr(text, "Out of memory");
}

unsigned fail_each_allocation(void (*work)(void))
{
	/* What is made once for the whole process, and kept, is there before anything is counted. */
	work();
	for (unsigned number = 1;; number++) {
		char path[] = "/tmp/sandbox-test-XXXXXX";
		auto_fd int errors = mkostemp(path, O_CLOEXEC);
		assert_true(errors >= 0);
		unlink(path);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			run_child(work, number, errors);
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status) && WEXITSTATUS(status) == CODE_NOT_REACHED)
			return number - 1;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		char text[4096] = "";
		ssize_t length = pread(errors, text, sizeof(text) - 1, 0);
		assert_true(length >= 0);
		if (ended_for_memory(status, text))
			continue;
		fail_msg("allocation %u: status %#x: %s", number, (unsigned)status, text);
	}
}
