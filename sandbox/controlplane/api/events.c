/*
 * AdminService's event methods: what somebody else than our engine has seen of an execution. Which event is accepted is
 * flyteadmin's rule at v1.16.8 (pkg/manager/impl/{execution,node_execution,task_execution}_manager.go): a phase that
 * was recorded is ALREADY_EXISTS, nothing leaves a terminal phase, RUNNING does not go back to QUEUED, ABORTING only
 * ends, and an event of another cluster's engine is refused.
 *
 * Other than upstream, an event makes no node or task attempt: here they are the engine's own state, and it makes them
 * (docs/decisions/0012-events.md).
 */
#include "controlplane/api/executions.h"

#include "base/text.h"
#include "controlplane/api/literals.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/events.h"

#include "flyteidl/admin/event.pb-c.h"
#include "flyteidl/admin/task_execution.pb-c.h"

#include <string.h>

#define NANOSECONDS INT64_C(1000000000)
/* What engines sent before they had a name of their own. */
#define UNNAMED_PRODUCER "propeller"

static const char *phase_name(const ProtobufCEnumDescriptor *descriptor, int phase)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(descriptor, phase);
	return value ? value->name : NULL;
}

#define WORKFLOW_PHASE(event) phase_name(&flyteidl__core__workflow_execution__phase__descriptor, (int)(event)->phase)
#define NODE_PHASE(event) phase_name(&flyteidl__core__node_execution__phase__descriptor, (int)(event)->phase)
#define TASK_PHASE(event) phase_name(&flyteidl__core__task_execution__phase__descriptor, (int)(event)->phase)

static bool is_one_of(const char *phase, const char *const *phases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (text_equal(phase, phases[i]))
			return true;
	}
	return false;
}

static bool node_is_terminal(const char *phase)
{
	static const char *const phases[] = { "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "SKIPPED", "RECOVERED" };
	return is_one_of(phase, phases, ARRAY_LENGTH(phases));
}

static bool task_is_terminal(const char *phase)
{
	static const char *const phases[] = { "SUCCEEDED", "FAILED", "ABORTED" };
	return is_one_of(phase, phases, ARRAY_LENGTH(phases));
}

static int64_t wall_ns(const Google__Protobuf__Timestamp *timestamp)
{
	return timestamp ? timestamp->seconds * NANOSECONDS + timestamp->nanos : 0;
}

static int already_recorded(const char *kind, const char *phase, const char *id, struct err *e)
{
	return err_set(e, ERR_EXISTS, "recorded-phase", "This phase %s was already recorded for %s %s", phase, kind,
	               id);
}

/* `ended` is the phase that the detail names. */
static int invalid_change(struct rpc_call *call, const char *kind, const char *from, const char *to, const char *id,
                          bool ended, struct err *e)
{
	if (ended)
		call->error_detail = execution_already_terminal(call->arena, from);
	return err_set(e, ERR_PRECONDITION, "invalid-phase-change", "Invalid phase change from %s to %s for %s %s",
	               from, to, kind, id);
}

static int check_producer(struct rpc_call *call, const char *cluster, const char *producer, struct err *e)
{
	if (!*producer || text_equal(producer, UNNAMED_PRODUCER) || text_equal(producer, cluster))
		return 0;
	Flyteidl__Admin__EventFailureReason *reason = proto_new(call->arena, flyteidl__admin__event_failure_reason);
	reason->reason_case = FLYTEIDL__ADMIN__EVENT_FAILURE_REASON__REASON_INCOMPATIBLE_CLUSTER;
	reason->incompatible_cluster = proto_new(call->arena, flyteidl__admin__event_error_incompatible_cluster);
	reason->incompatible_cluster->cluster = arena_strdup(call->arena, producer);
	call->error_detail = &reason->base;
	return err_set(e, ERR_PRECONDITION, "other-cluster",
	               "Cluster/producer from event [%s] does not match existing workflow execution clusterInDB: [%s]",
	               producer, cluster);
}

/* The three kinds of event share a form of results; their unions differ in the values of the case only. */
static void set_outputs(struct arena *arena, struct event_change *change, const Flyteidl__Core__LiteralMap *outputs)
{
	change->outputs.bytes = proto_pack(arena, &outputs->base);
	if (!change->outputs.bytes.data) /* an empty map is not the same as none */
		change->outputs.bytes.data = (const uint8_t *)"";
}

static void set_error(struct arena *arena, struct event_change *change, const Flyteidl__Core__ExecutionError *error)
{
	const ProtobufCEnumValue *kind = protobuf_c_enum_descriptor_get_value(
	        &flyteidl__core__execution_error__error_kind__descriptor, (int)error->kind);
	change->error = proto_pack(arena, &error->base);
	if (!change->error.data)
		change->error.data = (const uint8_t *)"";
	change->error_kind = kind ? kind->name : "UNKNOWN";
	change->error_code = error->code;
}

#define SET_RESULT(arena, change, event, PREFIX)                                                                       \
	do {                                                                                                           \
		if ((event)->output_result_case == PREFIX##__OUTPUT_RESULT_OUTPUT_URI)                                 \
			(change)->outputs.uri = (event)->output_uri;                                                   \
		else if ((event)->output_result_case == PREFIX##__OUTPUT_RESULT_OUTPUT_DATA)                           \
			set_outputs(arena, change, (event)->output_data);                                              \
		else if ((event)->output_result_case == PREFIX##__OUTPUT_RESULT_ERROR)                                 \
			set_error(arena, change, (event)->error);                                                      \
	} while (0)

static int lock(struct api *api, struct rpc_call *call, const Flyteidl__Core__WorkflowExecutionIdentifier *id,
                struct database_connection **ret_connection, struct event_execution *ret_execution, struct err *e)
{
	if (api_connect(api, call, ret_connection, e) < 0 || database_begin(*ret_connection, e) < 0)
		return -1;
	return events_lock_execution(*ret_connection, call->arena, id->project, id->domain, id->name, ret_execution, e);
}

static int check_workflow_event(struct rpc_call *call, const struct event_execution *execution,
                                const Flyteidl__Event__WorkflowExecutionEvent *event, struct err *e)
{
	const char *from = execution->phase, *to = WORKFLOW_PHASE(event);
	const char *id = ids_execution_text(call->arena, event->execution_id);
	if (!text_equal(to, "QUEUED")) {
		if (text_equal(from, to))
			return already_recorded("workflow execution", from, id, e);
		if (check_producer(call, execution->cluster, event->producer_id, e) < 0)
			return -1;
	}
	if (execution_phase_is_terminal(from))
		return invalid_change(call, "workflow execution", from, to, id, true, e);
	if (text_equal(from, "RUNNING") && text_equal(to, "QUEUED"))
		return err_set(e, ERR_PRECONDITION, "invalid-phase-change",
		               "Cannot go from RUNNING to QUEUED for workflow execution %s", id);
	if (text_equal(from, "ABORTING") && !execution_phase_is_terminal(to))
		return invalid_change(call, "workflow execution", "aborting", to, id, false, e);
	return 0;
}

static ProtobufCMessage *create_workflow_event(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                               struct err *e)
{
	const Flyteidl__Event__WorkflowExecutionEvent *event =
	        ((const Flyteidl__Admin__WorkflowExecutionEventRequest *)message)->event;
	auto_connection struct database_connection *c = NULL;
	struct event_execution execution;
	if (!event || !event->execution_id) {
		err_set(e, ERR_INVALID, "missing-field", "missing %s", event ? "execution_id" : "event");
		return NULL;
	}
	const char *phase = WORKFLOW_PHASE(event);
	if (!phase) {
		err_set(e, ERR_INVALID, "invalid-phase", "invalid value for phase");
		return NULL;
	}
	if (ids_validate_execution(event->execution_id, e) < 0 ||
	    lock(context, call, event->execution_id, &c, &execution, e) < 0 ||
	    check_workflow_event(call, &execution, event, e) < 0)
		return NULL;
	struct event_change change = { .row_id = execution.id,
		                       .phase = phase,
		                       .occurred_at = wall_ns(event->occurred_at),
		                       .starts = text_equal(phase, "RUNNING"),
		                       .ends = execution_phase_is_terminal(phase) };
	SET_RESULT(call->arena, &change, event, FLYTEIDL__EVENT__WORKFLOW_EXECUTION_EVENT);
	if (events_change_execution(c, &change, e) < 0 || database_commit(c, e) < 0)
		return NULL;
	return &proto_new(call->arena, flyteidl__admin__workflow_execution_event_response)->base;
}

/* The engine makes nodes and attempts; who reports on one that is not there yet is too early, or wrong. */
static int not_made(const char *kind, const char *id, struct err *e)
{
	if (e->kind != ERR_NOT_FOUND)
		return -1;
	return err_set(e, ERR_PRECONDITION, "not-made", "%s %s has not been made by the engine", kind, id);
}

static ProtobufCMessage *create_node_event(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                           struct err *e)
{
	const Flyteidl__Event__NodeExecutionEvent *event =
	        ((const Flyteidl__Admin__NodeExecutionEventRequest *)message)->event;
	auto_connection struct database_connection *c = NULL;
	struct event_execution execution;
	struct node_execution_key key;
	struct node_execution_row node;
	const char *phase = event ? NODE_PHASE(event) : NULL;
	if (!phase) {
		err_set(e, ERR_INVALID, "missing-field", event ? "invalid value for phase" : "missing event");
		return NULL;
	}
	if (node_execution_key_of(event->id, &key, e) < 0 ||
	    lock(context, call, event->id->execution_id, &c, &execution, e) < 0 ||
	    check_producer(call, execution.cluster, event->producer_id, e) < 0)
		return NULL;
	const char *id = node_execution_text(call->arena, &key);
	if (node_executions_get(c, call->arena, &key, &node, e) < 0) {
		not_made("node execution", id, e);
		return NULL;
	}
	if (text_equal(node.phase, phase)) {
		already_recorded("node execution", phase, id, e);
		return NULL;
	}
	if (node_is_terminal(node.phase)) {
		invalid_change(call, "node execution", node.phase, phase, id, true, e);
		return NULL;
	}
	struct event_change change = { .row_id = node.id,
		                       .phase = phase,
		                       .occurred_at = wall_ns(event->occurred_at),
		                       .starts = text_equal(phase, "RUNNING"),
		                       .ends = node_is_terminal(phase),
		                       .deck_uri = event->deck_uri };
	SET_RESULT(call->arena, &change, event, FLYTEIDL__EVENT__NODE_EXECUTION_EVENT);
	if (events_change_node(c, execution.id, &change, e) < 0 || database_commit(c, e) < 0)
		return NULL;
	return &proto_new(call->arena, flyteidl__admin__node_execution_event_response)->base;
}

static void add_reason(struct arena *arena, Flyteidl__Admin__TaskExecutionClosure *closure, char *text,
                       Google__Protobuf__Timestamp *at)
{
	Flyteidl__Admin__Reason **reasons = arena_array(arena, Flyteidl__Admin__Reason *, closure->n_reasons + 1);
	if (closure->n_reasons)
		memcpy(reasons, closure->reasons, closure->n_reasons * sizeof(Flyteidl__Admin__Reason *));
	reasons[closure->n_reasons] = proto_new(arena, flyteidl__admin__reason);
	reasons[closure->n_reasons]->message = text;
	reasons[closure->n_reasons]->occurred_at = at;
	closure->reasons = reasons;
	closure->n_reasons++;
	closure->reason = text;
}

/* The stored closure with what the event adds to it: logs and custom info replace, reasons are collected. */
static int merge_closure(struct arena *arena, const struct task_execution_row *task,
                         const Flyteidl__Event__TaskExecutionEvent *event, struct event_change *change, struct err *e)
{
	Flyteidl__Admin__TaskExecutionClosure *closure = proto_unpack(arena, flyteidl__admin__task_execution_closure,
	                                                              task->closure.data, task->closure.length, e);
	if (!closure)
		return err_wrap(e, "the stored closure of a task execution");
	if (event->n_logs) {
		closure->logs = event->logs;
		closure->n_logs = event->n_logs;
	}
	for (size_t i = 0; i < event->n_reasons; i++)
		add_reason(arena, closure, event->reasons[i]->reason, event->reasons[i]->occurred_at);
	if (!event->n_reasons && *event->reason && !text_equal(event->reason, closure->reason))
		add_reason(arena, closure, event->reason, event->occurred_at);
	if (event->custom_info)
		closure->custom_info = event->custom_info;
	if (event->metadata)
		closure->metadata = event->metadata;
	change->reason = closure->reason;
	change->closure = proto_pack(arena, &closure->base);
	return 0;
}

static int check_task_event(struct rpc_call *call, const struct task_execution_row *task,
                            const Flyteidl__Event__TaskExecutionEvent *event, const char *id, int64_t phase_version,
                            struct err *e)
{
	const char *phase = TASK_PHASE(event);
	if (text_equal(task->phase, phase) && phase_version >= (int64_t)event->phase_version)
		return err_set(e, ERR_EXISTS, "recorded-phase",
		               "have already recorded task execution phase %s (version: %u) for %s", phase,
		               event->phase_version, id);
	if (task_is_terminal(task->phase))
		return invalid_change(call, "task execution", task->phase, phase, id, true, e);
	return 0;
}

static int read_task_event(const Flyteidl__Event__TaskExecutionEvent *event, struct task_execution_key *ret_key,
                           struct err *e)
{
	if (!event)
		return ids_require(NULL, "event", e);
	if (!event->occurred_at)
		return ids_require(NULL, "occurred_at", e);
	if (!TASK_PHASE(event))
		return err_set(e, ERR_INVALID, "invalid-phase", "invalid value for phase");
	Flyteidl__Core__TaskExecutionIdentifier id = FLYTEIDL__CORE__TASK_EXECUTION_IDENTIFIER__INIT;
	id.task_id = event->task_id;
	id.node_execution_id = event->parent_node_execution_id;
	id.retry_attempt = event->retry_attempt;
	return task_execution_key_of(&id, ret_key, e);
}

static ProtobufCMessage *create_task_event(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                           struct err *e)
{
	const Flyteidl__Event__TaskExecutionEvent *event =
	        ((const Flyteidl__Admin__TaskExecutionEventRequest *)message)->event;
	auto_connection struct database_connection *c = NULL;
	struct event_execution execution;
	struct task_execution_key key;
	struct task_execution_row task;
	if (read_task_event(event, &key, e) < 0 ||
	    lock(context, call, event->parent_node_execution_id->execution_id, &c, &execution, e) < 0 ||
	    check_producer(call, execution.cluster, event->producer_id, e) < 0)
		return NULL;
	const char *id = arena_printf(call->arena, "task_id:{%s} node_execution_id:{%s} retry_attempt:%u",
	                              ids_text(call->arena, event->task_id),
	                              node_execution_text(call->arena, &key.node), key.retry_attempt);
	if (task_executions_get(c, call->arena, &key, &task, e) < 0) {
		not_made("task execution", id, e);
		return NULL;
	}
	if (check_task_event(call, &task, event, id, task.phase_version, e) < 0)
		return NULL;
	const char *phase = TASK_PHASE(event);
	struct event_change change = { .row_id = task.id,
		                       .phase = phase,
		                       .phase_version = event->phase_version,
		                       .occurred_at = wall_ns(event->occurred_at),
		                       .starts = text_equal(phase, "RUNNING") && !task.started_at,
		                       .ends = task_is_terminal(phase) };
	SET_RESULT(call->arena, &change, event, FLYTEIDL__EVENT__TASK_EXECUTION_EVENT);
	if (merge_closure(call->arena, &task, event, &change, e) < 0 ||
	    events_change_task(c, execution.id, &change, e) < 0 || database_commit(c, e) < 0)
		return NULL;
	return &proto_new(call->arena, flyteidl__admin__task_execution_event_response)->base;
}

#define METHOD(rpc, prefix, function)                                                                                  \
	{                                                                                                              \
		"/flyteidl.service.AdminService/" rpc, &flyteidl__admin__##prefix##_event_request__descriptor,         \
		        &flyteidl__admin__##prefix##_event_response__descriptor, function                              \
	}

struct api_methods api_event_methods(void)
{
	static const struct rpc_method methods[] = {
		METHOD("CreateWorkflowEvent", workflow_execution, create_workflow_event),
		METHOD("CreateNodeEvent", node_execution, create_node_event),
		METHOD("CreateTaskEvent", task_execution, create_task_event),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
