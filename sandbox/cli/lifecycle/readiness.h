/*
 * Waiting for a started container to be ready, by events: PID 1's status stream comes through an exec, and a second
 * connection waits for the container's end, so that a crash is known at once. The only polling is the first moment,
 * until PID 1 has opened its socket.
 */
#ifndef SANDBOX_CLI_LIFECYCLE_READINESS_H
#define SANDBOX_CLI_LIFECYCLE_READINESS_H

#include "cli/instance/sandbox.h"
#include "cli/instance/service_table.h"

struct readiness {
	struct cli *cli;
	const struct sandbox *sandbox;
	struct service_table_view *view;
	const char *enough;  /* the service whose readiness is enough; NULL: all */
	int64_t deadline_ms; /* monotonic */
	int64_t timeout_ms;  /* the same as it was asked for, for the message */
};

/* ERR_TIMEOUT "start-timeout" names what was missing and its last state; ERR_INTERNAL "sandbox-died" has exit code and
 * last log lines; "service-failing" when a service has failed again and again. `ret_services` is filled in every case;
 * release it. */
int readiness_follow(const struct readiness *readiness, struct services *ret_services, struct err *e);

#endif
