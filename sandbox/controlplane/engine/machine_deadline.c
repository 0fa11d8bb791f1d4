/* How long things may take, by what a node and its task say. */
#include "controlplane/engine/machine.h"

#include "proto/go_format.h"

#define NS_PER_SECOND INT64_C(1000000000)

const char *machine_duration_text(struct machine *m, int64_t duration_ns)
{
	return go_format_duration(m->arena, duration_ns / NS_PER_SECOND, (int32_t)(duration_ns % NS_PER_SECOND));
}

int64_t machine_duration_ns(const Google__Protobuf__Duration *duration)
{
	const int64_t maximum_seconds = INT64_MAX / NS_PER_SECOND / 1000;
	if (!duration || duration->seconds < 0 || duration->nanos < 0)
		return 0;
	return duration->seconds > maximum_seconds ? maximum_seconds * NS_PER_SECOND
	                                           : duration->seconds * NS_PER_SECOND + duration->nanos;
}

int64_t machine_attempt_timeout_ns(const struct machine_node *node)
{
	const Flyteidl__Core__NodeMetadata *of_node = node->vertex->node->metadata;
	const int64_t timeout = of_node ? machine_duration_ns(of_node->timeout) : 0;
	if (timeout > 0)
		return timeout;
	const Flyteidl__Core__TaskMetadata *of_task = node->vertex->task ? node->vertex->task->metadata : NULL;
	return of_task ? machine_duration_ns(of_task->timeout) : 0;
}

struct machine_failure machine_attempt_timed_out(struct machine *m, int64_t timeout_ns)
{
	return (struct machine_failure){
		.budget = POD_FAILURE_USER,
		.kind = ERROR_KIND(USER),
		.code = "TimeoutExpired",
		.message = arena_printf(m->arena, "task execution timeout [%s] expired",
		                        machine_duration_text(m, timeout_ns)),
	};
}
