/*
 * The loop of PID 1. One thread, one epoll set: signals (SIGCHLD, SIGTERM), the services' output and notification
 * sockets, probes under way, and clients of the status socket and port; the time of the next deadline is the timeout. After
 * every event `settle` moves each service as far as it can go: that is the only place where states change because of
 * other services' states.
 *
 * Start: a service begins as soon as all that it requires are ready, so everything independent starts at once.
 * Crash: the service restarts after a back-off (0.1 s doubling to 10 s); those that require it keep running.
 * Stop: in reverse, a service is told to stop when nothing that requires it runs any more; SIGKILL after its own time.
 */
#ifndef SANDBOX_INIT_SUPERVISOR_H
#define SANDBOX_INIT_SUPERVISOR_H

#include "init/config.h"

#define SUPERVISOR_SOCKET "/run/sandbox/init.sock"

/* Runs until SIGTERM/SIGINT and the orderly stop that follows (at most 10 s); the exit code of the container. */
int supervisor_run(const struct init_config *config);

#endif
