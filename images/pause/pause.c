/*
 * The process that holds a pod's namespaces. It sleeps until it is told to go, and buries orphans: in a pod that shares its process
 * namespace it is everyone's PID 1. A signal's default action does not apply to PID 1, hence the waiting for them by hand.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	for (;;) {
		int signal_number;
		if (sigwait(&signals, &signal_number) != 0)
			return 1;
		if (signal_number != SIGCHLD)
			return 0;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}
