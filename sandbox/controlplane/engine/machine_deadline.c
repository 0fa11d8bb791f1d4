/*
 * How long things may take, by what a node and its task say. The attempt's deadline counts from when the attempt began,
 * and a new attempt is made if the user's budget allows it; the node's counts from when the node was queued, and is
 * final. Upstream gives the node twice the attempt's, whatever the retries; here it has room for every attempt of the
 * user's budget and one more. Upstream looks at both for every kind of node, after what the node has just done
 * (nodes/executor.go at v1.16.8): who is done in the last moment is done.
 *
 * Tasks look for themselves (node_task.c): what their pod says counts, too.
 */
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

/* A century at most: added to a time of today it still is one. */
int64_t machine_node_timeout_ns(const struct machine *m, const struct machine_node *node)
{
	const int64_t maximum_ns = INT64_C(100) * 365 * 86400 * NS_PER_SECOND;
	const int64_t timeout_ns = machine_attempt_timeout_ns(node),
	              count = (int64_t)machine_maximum_attempts(m, node) + 1;
	return timeout_ns > maximum_ns / count ? maximum_ns : timeout_ns * count;
}

struct machine_failure machine_node_timed_out(struct machine *m, int64_t timeout_ns)
{
	return (struct machine_failure){
		.budget = POD_FAILURE_USER,
		.kind = ERROR_KIND(USER),
		.code = "TimedOut",
		.message = arena_printf(m->arena, "task active timeout [%s] expired",
		                        machine_duration_text(m, timeout_ns)),
	};
}

static void end_what_runs(struct machine *m, struct machine_node *node, const struct machine_failure *failure)
{
	if (node->row.task) { /* an array's */
		node->row.task->error = machine_error(m->arena, failure);
		machine_set_task(m, node, TASK(FAILED), failure->message);
	}
	node->vertex->kind->abort(m, node, failure->message);
}

/* When the attempt began is in recheck_at_ns, which nodes other than tasks have no other use for. */
static void check_deadlines(struct machine *m, struct machine_node *node)
{
	const int64_t timeout = machine_attempt_timeout_ns(node), node_timeout = machine_node_timeout_ns(m, node);
	struct machine_failure failure;
	if (timeout == 0 || node->row.phase == NODE(QUEUED) || node->row.phase == NODE(FAILING))
		return;
	if (node->row.recheck_at_ns == 0) {
		node->row.recheck_at_ns = m->now_ns;
		node->row.changed = true;
	}
	const int64_t attempt_ends = node->row.recheck_at_ns + timeout;
	const int64_t node_ends = node->row.created_at_ns + node_timeout;
	if (m->now_ns < attempt_ends && m->now_ns < node_ends) {
		machine_wake_at(m, attempt_ends < node_ends ? attempt_ends : node_ends);
		return;
	}
	if (m->now_ns >= node_ends) {
		failure = machine_node_timed_out(m, node_timeout);
		end_what_runs(m, node, &failure);
		machine_fail_node(m, node, NODE(TIMED_OUT), &failure);
		return;
	}
	failure = machine_attempt_timed_out(m, timeout);
	end_what_runs(m, node, &failure);
	machine_fail_attempt(m, node, &failure);
}

void machine_move_node(struct machine *m, struct machine_node *node)
{
	node->vertex->kind->advance(m, node);
	const bool asks = node->want != WANT_NOTHING && node->answer == ANSWER_PENDING; /* it may be done */
	if (machine_node_is_active(node) && !asks && node->vertex->kind != &machine_kind_task)
		check_deadlines(m, node);
}
