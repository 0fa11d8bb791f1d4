#include "cli/framework/interrupt.h"

#include "base/platform.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static int pipe_ends[2] = { -1, -1 };
static volatile sig_atomic_t last_signal;
static volatile sig_atomic_t pending;

static void handle(int number)
{
	int saved = errno;
	if (pending) {
		signal(number, SIG_DFL);
		raise(number);
	}
	pending = 1;
	last_signal = number;
	(void)!write(pipe_ends[1], "", 1);
	errno = saved;
}

void interrupt_setup(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	if (platform_pipe(pipe_ends) < 0)
		abort();
	struct sigaction action = { .sa_handler = handle };
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct sigaction before;
		/* nohup and background jobs have told us not to care. */
		if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
}

int interrupt_fd(void)
{
	return pipe_ends[0];
}

int interrupt_signal(void)
{
	return last_signal;
}

int interrupt_check(struct err *e)
{
	return pending ? err_set(e, ERR_CANCELLED, "cancelled", "interrupted") : 0;
}

void interrupt_acknowledge(void)
{
	char bytes[16];
	while (read(pipe_ends[0], bytes, sizeof(bytes)) > 0)
		;
	pending = 0;
}
