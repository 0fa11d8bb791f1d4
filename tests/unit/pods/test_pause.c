#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The program reaps a child that it has from before it became pause, and ends on SIGTERM with 0. */
static void test_reaps_and_ends(void **state)
{
	(void)state;
	int hold[2], tell[2];
	assert_int_equal(pipe(hold), 0);
	assert_int_equal(pipe(tell), 0);
	pid_t pause = fork();
	if (pause == 0) {
		pid_t child = fork();
		if (child == 0) {
			char byte;
			close(hold[1]);
			_exit(read(hold[0], &byte, 1) < 0);
		}
		if (write(tell[1], &child, sizeof(child)) != sizeof(child))
			_exit(1);
		close(hold[1]);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failing test leaves nothing behind */
		execl(PAUSE_PROGRAM, "pause", (char *)NULL);
		_exit(127);
	}
	pid_t child;
	assert_int_equal(read(tell[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(kill(child, 0), 0);
	close(hold[0]);
	close(hold[1]); /* the child ends now */
	int64_t deadline = clock_monotonic_ms() + 10000;
	while (kill(child, 0) == 0 && clock_monotonic_ms() < deadline)
		poll(NULL, 0, 5);
	assert_int_equal(kill(child, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(kill(pause, SIGTERM), 0);
	int status;
	assert_int_equal(waitpid(pause, &status, 0), pause);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_reaps_and_ends) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
