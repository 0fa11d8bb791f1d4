#include "controlplane/connectors/resource.h"

#include "base/text.h"

#define TASK(phase) FLYTEIDL__CORE__TASK_EXECUTION__PHASE__##phase

static struct connector_state goes_on(Flyteidl__Core__TaskExecution__Phase phase)
{
	return (struct connector_state){ .outcome = CONNECTOR_GOES_ON, .phase = phase };
}

static struct connector_state failed(const Flyteidl__Admin__Resource *resource, enum connector_outcome outcome,
                                     const char *message)
{
	struct connector_state state = { .outcome = outcome, .code = CONNECTOR_FAILED, .message = message };
	const Flyteidl__Admin__AgentError *error = resource->agent_error;
	if (!error)
		return state;
	if (!text_is_empty(error->code))
		state.code = error->code;
	if (error->kind == FLYTEIDL__ADMIN__AGENT_ERROR__KIND__RECOVERABLE)
		state.outcome = CONNECTOR_FAILED_RETRYABLE;
	state.by_system = error->origin == FLYTEIDL__CORE__EXECUTION_ERROR__ERROR_KIND__SYSTEM;
	return state;
}

static struct connector_state unknown(struct arena *arena, const char *what, int value)
{
	return (struct connector_state){
		.outcome = CONNECTOR_FAILED_RETRYABLE,
		.code = "SystemError",
		.message = arena_printf(arena, "unknown execution %s [%d].", what, value),
		.by_system = true,
	};
}

static struct connector_state by_state(struct arena *arena, const Flyteidl__Admin__Resource *resource)
{
	switch (resource->state) {
	case FLYTEIDL__ADMIN__STATE__PENDING:
		return goes_on(TASK(INITIALIZING));
	case FLYTEIDL__ADMIN__STATE__RUNNING:
		return goes_on(TASK(RUNNING));
	case FLYTEIDL__ADMIN__STATE__SUCCEEDED:
		return (struct connector_state){ .outcome = CONNECTOR_SUCCEEDED };
	case FLYTEIDL__ADMIN__STATE__PERMANENT_FAILURE:
		return failed(resource, CONNECTOR_FAILED_FOR_GOOD,
		              arena_printf(arena, "failed to run the job.\n%s", resource->message));
	case FLYTEIDL__ADMIN__STATE__RETRYABLE_FAILURE:
		return failed(resource, CONNECTOR_FAILED_RETRYABLE,
		              arena_printf(arena, "failed to run the job.\n%s", resource->message));
	default:
		return unknown(arena, "state", (int)resource->state);
	}
}

struct connector_state connector_state_of(struct arena *arena, const Flyteidl__Admin__Resource *resource)
{
	switch (resource->phase) {
	case TASK(UNDEFINED):
		return by_state(arena, resource);
	case TASK(QUEUED):
	case TASK(WAITING_FOR_RESOURCES):
	case TASK(INITIALIZING):
	case TASK(RUNNING):
		return goes_on(resource->phase);
	case TASK(SUCCEEDED):
		return (struct connector_state){ .outcome = CONNECTOR_SUCCEEDED };
	case TASK(ABORTED):
		return failed(resource, CONNECTOR_FAILED_FOR_GOOD, "failed to run the job with aborted phase.");
	case TASK(FAILED):
		return failed(resource, CONNECTOR_FAILED_FOR_GOOD,
		              arena_printf(arena, "failed to run the job: %s", resource->message));
	case TASK(RETRYABLE_FAILED):
		return failed(resource, CONNECTOR_FAILED_RETRYABLE,
		              arena_printf(arena, "failed to run the job: %s", resource->message));
	default:
		return unknown(arena, "phase", (int)resource->phase);
	}
}
