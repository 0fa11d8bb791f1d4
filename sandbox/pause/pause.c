/*
 * The first process of every pod: it holds the pod's namespaces open while containers come and go, and with a shared
 * process namespace it is their PID 1, which has to reap what they orphan. It waits for signals and does nothing else;
 * SIGTERM and SIGINT end it.
 *
 * The signals are blocked and waited for instead of handled: the kernel drops a signal for PID 1 that has neither a
 * handler nor is blocked, and this way there is no moment at which one could be missed.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(void)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return EXIT_FAILURE;
	for (;;) {
		/* Signals of the same kind are merged, and children may be older than this program: reap all that have ended. */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		int signal = sigwaitinfo(&signals, NULL);
		if (signal == SIGINT || signal == SIGTERM)
			return EXIT_SUCCESS;
	}
}
