/*
 * Phases and their bookkeeping: whatever changes a row goes through here, so that times, marks, histories and the list
 * of transitions are right without anybody thinking of them. Also the retry budgets, which decide between another
 * attempt and a failed node.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"

/* Reasons kept per attempt; a pod that waits for long repeats a few, a wild one must not grow the row without bound. */
#define REASONS_MAXIMUM 64
/* Of the pause before a retry. */
#define RETRY_DOUBLINGS 8

static const char *phase_name(const ProtobufCEnumDescriptor *descriptor, int value)
{
	const ProtobufCEnumValue *entry = protobuf_c_enum_descriptor_get_value(descriptor, value);
	return entry ? entry->name : "UNKNOWN";
}

static void record(struct machine *m, const struct machine_transition *transition)
{
	proto_append(m->arena, m->transition_count, m->transitions, *transition);
	m->changed = true;
}

void machine_set_execution(struct machine *m, Flyteidl__Core__WorkflowExecution__Phase phase)
{
	const ProtobufCEnumDescriptor *names = &flyteidl__core__workflow_execution__phase__descriptor;
	if (m->execution.phase == phase)
		return;
	record(m, &(struct machine_transition){ .from = phase_name(names, (int)m->execution.phase),
	                                        .to = phase_name(names, (int)phase) });
	m->execution.phase = phase;
	m->execution.changed = true;
	if (phase == EXECUTION(RUNNING))
		m->execution.started_at_ns = m->now_ns;
	if (progress_execution_is_finished(phase))
		m->execution.ended_at_ns = m->now_ns;
}

bool machine_node_is_finished(const struct machine_node *node)
{
	switch (node->row.phase) {
	case NODE(SUCCEEDED):
	case NODE(FAILED):
	case NODE(ABORTED):
	case NODE(SKIPPED):
	case NODE(TIMED_OUT):
	case NODE(RECOVERED):
		return true;
	default:
		return false;
	}
}

bool machine_node_is_active(const struct machine_node *node)
{
	return node->row.phase != NODE(UNDEFINED) && !machine_node_is_finished(node);
}

void machine_set_node(struct machine *m, struct machine_node *node, Flyteidl__Core__NodeExecution__Phase phase)
{
	const ProtobufCEnumDescriptor *names = &flyteidl__core__node_execution__phase__descriptor;
	struct progress_node *row = &node->row;
	if (row->phase == phase)
		return;
	record(m, &(struct machine_transition){ .node_id = row->node_id,
	                                        .attempt = row->attempt,
	                                        .from = phase_name(names, (int)row->phase),
	                                        .to = phase_name(names, (int)phase) });
	row->phase = phase;
	row->changed = true;
	if (!row->created_at_ns)
		row->created_at_ns = m->now_ns;
	if (phase == NODE(RUNNING) && !row->started_at_ns)
		row->started_at_ns = m->now_ns;
	if (machine_node_is_finished(node)) {
		row->ended_at_ns = m->now_ns;
		row->retry_at_ns = row->recheck_at_ns = 0;
	}
}

static bool task_is_finished(const struct progress_task *task)
{
	return task->phase == TASK(SUCCEEDED) || task->phase == TASK(FAILED) || task->phase == TASK(ABORTED) ||
	       task->phase == TASK(RETRYABLE_FAILED);
}

static Google__Protobuf__Timestamp *timestamp(struct arena *arena, int64_t at_ns)
{
	Google__Protobuf__Timestamp *t = proto_new(arena, google__protobuf__timestamp);
	t->seconds = at_ns / 1000000000;
	t->nanos = (int32_t)(at_ns % 1000000000);
	return t;
}

static void add_reason(struct machine *m, struct progress_task *task, const char *reason)
{
	Flyteidl__Admin__TaskExecutionClosure *closure = task->closure;
	Flyteidl__Admin__Reason *entry = proto_new(m->arena, flyteidl__admin__reason);
	entry->occurred_at = timestamp(m->arena, m->now_ns);
	entry->message = arena_strdup(m->arena, reason);
	task->reason = entry->message;
	if (closure->n_reasons == REASONS_MAXIMUM)
		closure->reasons[REASONS_MAXIMUM - 1] = entry;
	else
		proto_append(m->arena, closure->n_reasons, closure->reasons, entry);
}

void machine_set_task(struct machine *m, struct machine_node *node, Flyteidl__Core__TaskExecution__Phase phase,
                      const char *reason)
{
	const ProtobufCEnumDescriptor *names = &flyteidl__core__task_execution__phase__descriptor;
	struct progress_task *task = node->row.task;
	const bool new_reason = !text_is_empty(reason) && !text_equal(reason, task->reason);
	if (task->phase == phase && !new_reason)
		return;
	task->changed = true;
	if (task->phase != phase) {
		record(m, &(struct machine_transition){ .node_id = node->row.node_id,
		                                        .of_task = true,
		                                        .attempt = task->attempt,
		                                        .from = phase_name(names, (int)task->phase),
		                                        .to = phase_name(names, (int)phase) });
		task->phase = phase;
		task->phase_version = 0;
	} else {
		task->phase_version++;
	}
	if (new_reason)
		add_reason(m, task, reason);
	if (phase == TASK(RUNNING) && !task->started_at_ns)
		task->started_at_ns = m->now_ns;
	if (task_is_finished(task))
		task->ended_at_ns = m->now_ns;
}

void machine_succeed_node(struct machine *m, struct machine_node *node)
{
	node->row.outputs = node->outputs;
	if (!node->row.started_at_ns) /* start and end nodes take no time */
		node->row.started_at_ns = m->now_ns;
	machine_set_node(m, node, NODE(SUCCEEDED));
}

Flyteidl__Core__ExecutionError *machine_error(struct arena *arena, const struct machine_failure *failure)
{
	Flyteidl__Core__ExecutionError *error = proto_new(arena, flyteidl__core__execution_error);
	error->kind = failure->kind;
	error->code = arena_strdup(arena, failure->code);
	error->message = arena_strdup(arena, failure->message);
	error->error_uri = arena_strdup(arena, failure->error_uri);
	error->timestamp = failure->timestamp;
	error->worker = arena_strdup(arena, failure->worker);
	return error;
}

struct machine_failure machine_failure_of(const Flyteidl__Core__ExecutionError *error)
{
	return (struct machine_failure){
		.budget = POD_FAILURE_PERMANENT,
		.kind = error->kind,
		.code = error->code,
		.message = error->message,
		.error_uri = error->error_uri,
		.timestamp = error->timestamp,
		.worker = error->worker,
	};
}

void machine_fail_node(struct machine *m, struct machine_node *node, Flyteidl__Core__NodeExecution__Phase phase,
                       const struct machine_failure *failure)
{
	node->want = WANT_NOTHING;
	if (node->inner) /* nothing goes on in a node that is over */
		machine_abort_scope(m, node->inner, failure->message);
	node->row.error = machine_error(m->arena, failure);
	machine_set_node(m, node, phase);
	if (node != node->scope->on_failure)
		node->scope->failed = node;
}

static uint32_t attempts_of(const Flyteidl__Core__RetryStrategy *retries)
{
	return retries->retries == UINT32_MAX ? UINT32_MAX : retries->retries + 1;
}

/* A retry strategy that allows one attempt says no more than none does (upstream's isEligibleForRetry). */
uint32_t machine_maximum_attempts(const struct machine *m, const struct machine_node *node)
{
	const Flyteidl__Core__NodeMetadata *of_node = node->vertex->node->metadata;
	const Flyteidl__Core__TaskMetadata *of_task = node->vertex->task ? node->vertex->task->metadata : NULL;
	if (of_node && of_node->retries && of_node->retries->retries > 0)
		return attempts_of(of_node->retries);
	if (of_task && of_task->retries && of_task->retries->retries > 0)
		return attempts_of(of_task->retries);
	return m->options->default_maximum_attempts;
}

static const char *kind_name(Flyteidl__Core__ExecutionError__ErrorKind kind)
{
	return phase_name(&flyteidl__core__execution_error__error_kind__descriptor, (int)kind);
}

/* Upstream's text and, whoever was to blame, its kind USER: the budget is the user's to set (nodes/executor.go at
 * v1.16.8). */
static void fail_exhausted(struct machine *m, struct machine_node *node, const struct machine_failure *last,
                           uint32_t current, uint32_t maximum)
{
	struct machine_failure failure = *last;
	failure.budget = POD_FAILURE_PERMANENT;
	failure.kind = ERROR_KIND(USER);
	failure.code = arena_printf(m->arena, "RetriesExhausted|%s", last->code);
	failure.message = arena_printf(m->arena, "[%" PRIu32 "/%" PRIu32 "] currentAttempt done. Last Error: %s::%s",
	                               current, maximum, kind_name(last->kind), last->message);
	machine_fail_node(m, node, NODE(FAILED), &failure);
}

static void begin_next_attempt(struct machine *m, struct machine_node *node)
{
	if (node->row.task) {
		const struct machine_ended_task ended = { .node = node, .task = node->row.task, .array = node->array };
		proto_append(m->arena, m->ended_task_count, m->ended_tasks, ended);
	}
	if (node->inner) {
		machine_abort_scope(m, node->inner, "The attempt around it has failed.");
		node->inner = NULL;
	}
	node->array = NULL;
	node->child.known = false;
	node->signal_known = false;
	node->outputs = NULL;
	node->dynamic = NULL;
	node->row.dynamic = NULL;
	node->row.dynamic_graph = NULL;
	node->result_known = false;
	node->row.task = NULL; /* a dynamic node stays DYNAMIC_RUNNING until it may run a pod again */
	node->row.attempt++;
	node->row.recheck_at_ns = 0;
	node->row.changed = true;
	node->pod.known = false;
	node->connector.known = false;
	node->want = WANT_NOTHING;
	m->changed = true;
}

static int64_t retry_pause(const struct machine *m, uint32_t failures)
{
	return m->options->retry_delay_ns << (failures < RETRY_DOUBLINGS ? failures : RETRY_DOUBLINGS);
}

void machine_fail_attempt(struct machine *m, struct machine_node *node, const struct machine_failure *failure)
{
	struct progress_node *row = &node->row;
	if (row->task && !task_is_finished(row->task)) {
		row->task->error = machine_error(m->arena, failure);
		machine_set_task(m, node, TASK(FAILED), failure->message);
	}
	if (failure->budget == POD_FAILURE_PERMANENT) {
		machine_fail_node(m, node, NODE(FAILED), failure);
		return;
	}
	const bool of_system = failure->kind == ERROR_KIND(SYSTEM);
	const bool own_budget = of_system && !m->options->ignore_retry_cause;
	const uint32_t failures = m->options->ignore_retry_cause ? row->attempt
	                          : of_system                    ? row->system_failures
	                                                         : row->user_failures;
	/* What is counted, and shown, are the retries of the system and the attempts of the user. */
	const uint32_t current = own_budget ? failures : failures + 1;
	const uint32_t maximum = own_budget ? m->options->system_retries : machine_maximum_attempts(m, node);
	if (current >= maximum) {
		fail_exhausted(m, node, failure, current, maximum);
		return;
	}
	row->retry_at_ns = of_system ? m->now_ns + retry_pause(m, row->system_failures) : 0;
	if (of_system)
		row->system_failures++;
	else
		row->user_failures++;
	begin_next_attempt(m, node);
}

bool machine_ask(struct machine *m, struct machine_node *node, enum machine_want want)
{
	(void)m;
	if (node->want != want) {
		node->want = want;
		node->answer = ANSWER_PENDING;
		node->failure = (struct machine_failure){ .budget = POD_FAILURE_NONE };
	}
	if (node->answer != ANSWER_GIVEN)
		return false;
	node->want = WANT_NOTHING;
	return true;
}

void machine_wake_at(struct machine *m, int64_t at_ns)
{
	if (at_ns > 0 && (m->wake_at_ns == 0 || at_ns < m->wake_at_ns))
		m->wake_at_ns = at_ns;
}

/* The current attempt, while something outside runs it. */
static const struct progress_task *running_task(const struct machine_node *node)
{
	const struct progress_task *task = node->row.task;
	return machine_node_is_active(node) && task && !task_is_finished(task) ? task : NULL;
}

bool machine_node_has_pod(const struct machine_node *node)
{
	const struct progress_task *task = running_task(node);
	return task && !task->connector && !text_is_empty(task->pod_name) &&
	       task->phase != TASK(WAITING_FOR_RESOURCES) && task->phase != TASK(UNDEFINED);
}

bool machine_node_has_connector(const struct machine_node *node)
{
	const struct progress_task *task = running_task(node);
	return task && task->connector && task->phase != TASK(UNDEFINED);
}

bool machine_owns_pod(const struct machine *m, const char *pod_name)
{
	for (size_t i = 0; i < m->node_count; i++) {
		const struct machine_node *node = m->nodes[i];
		if (machine_node_has_pod(node) && text_equal(node->row.task->pod_name, pod_name))
			return true;
	}
	return false;
}
