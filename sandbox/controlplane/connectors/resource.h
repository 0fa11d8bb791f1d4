/*
 * What a connector says of a task (flyteidl.admin.Resource), in the engine's terms. Pure. The rules are those of
 * upstream's plugin (flyteplugins/go/tasks/plugins/webapi/connector/plugin.go at v1.16.8): the phase counts, and where
 * there is none the older `state`. Beyond upstream, RETRYABLE_FAILED and an error that says it is recoverable are
 * retried.
 */
#ifndef SANDBOX_CONTROLPLANE_CONNECTORS_RESOURCE_H
#define SANDBOX_CONTROLPLANE_CONNECTORS_RESOURCE_H

#include "base/arena.h"

#include "flyteidl/admin/agent.pb-c.h"
#include "flyteidl/core/execution.pb-c.h"

#include <stdbool.h>

/* Upstream's code of whatever a connector lets fail without a code of its own. */
#define CONNECTOR_FAILED "TaskFailedWithError"

enum connector_outcome { CONNECTOR_GOES_ON, CONNECTOR_SUCCEEDED, CONNECTOR_FAILED_FOR_GOOD, CONNECTOR_FAILED_RETRYABLE };

struct connector_state {
	enum connector_outcome outcome;
	Flyteidl__Core__TaskExecution__Phase phase; /* while it goes on */
	/* Of a failure; in the arena, or constant. */
	const char *code, *message;
	bool by_system; /* the system is to blame, not the user */
};

struct connector_state connector_state_of(struct arena *arena, const Flyteidl__Admin__Resource *resource);

#endif
