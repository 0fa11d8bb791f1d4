/*
 * What start, restart and resume do once the container runs: show the services as they become ready, tell clients where
 * the sandbox is, and let it come back by itself from now on.
 */
#ifndef SANDBOX_CLI_LIFECYCLE_ARRIVAL_H
#define SANDBOX_CLI_LIFECYCLE_ARRIVAL_H

#include "cli/framework/options.h"
#include "cli/instance/sandbox.h"

struct arrival {
	struct cli *cli;
	const struct sandbox *sandbox;
	int64_t timeout_ms;
	const char *enough; /* the service whose readiness is enough; NULL: all */
	bool make_current;  /* the Kubernetes context, as for kubeconfig_merge */
};

/* The entry of a verb's table for timeout_ms; `at` is the field's offset. */
#define ARRIVAL_TIMEOUT_OPTION(at)                                                                                     \
	{                                                                                                              \
		.name = "timeout", .letter = 't', .kind = OPTION_SECONDS, .offset = (at), .value = "TIME",             \
		.environment = "SANDBOX_TIMEOUT", .fallback = "300s", .of_project = true,                              \
		.help = "how long the sandbox may take from its container's start to ready"                            \
	}

/* Follows the services until the sandbox is ready; errors as of readiness_follow. */
int arrival_wait(const struct arrival *arrival, struct services *ret_services, struct err *e);
/* Configures clients and sets the restart policy. */
int arrival_settle(const struct arrival *arrival, struct err *e);
/* The result as an event, or: the status document with -o json, else console, context and client configuration. */
void arrival_announce(const struct arrival *arrival, const struct services *services);

#endif
