/*
 * GetExecutionMetrics: where an execution's time went, as a tree of spans. A span of an execution, a node or an attempt
 * of a task covers its life; the operation spans inside name what the platform spent besides: setting up, tearing down,
 * between an attempt and the next (NODE_RESET), and between a node and the one it waited for (NODE_TRANSITION). Names
 * and structure: flyteadmin's metrics_manager.go at v1.16.8. Unlike there, the tree is made from three queries however
 * many nodes there are, from what ran instead of from the workflow's definition: a node's transition is measured from
 * the sibling that ended last before it began.
 */
#include "controlplane/api/executions.h"

#include "base/text.h"
#include "controlplane/api/execution_messages.h"
#include "controlplane/launch/ids.h"

#include "flyteidl/core/metrics.pb-c.h"

struct history {
	struct arena *arena;
	struct execution_row execution;
	struct node_execution_rows nodes; /* by creation */
	struct task_execution_rows tasks; /* by creation */
};

static Flyteidl__Core__Span *new_span(struct arena *arena, int64_t start, int64_t end)
{
	Flyteidl__Core__Span *span = proto_new(arena, flyteidl__core__span);
	span->start_time = api_timestamp(arena, start);
	span->end_time = api_timestamp(arena, end);
	return span;
}

static void append(struct arena *arena, Flyteidl__Core__Span *parent, Flyteidl__Core__Span *child)
{
	proto_append(arena, parent->n_spans, parent->spans, child);
}

/* Left out (NULL) when it would be negative: rows are written one after the other, so that a child may end a moment
 * after its parent. */
static Flyteidl__Core__Span *append_operation(struct arena *arena, Flyteidl__Core__Span *parent, const char *operation,
                                              int64_t start, int64_t end)
{
	if (end < start)
		return NULL;
	Flyteidl__Core__Span *span = new_span(arena, start, end);
	span->id_case = FLYTEIDL__CORE__SPAN__ID_OPERATION_ID;
	span->operation_id = arena_strdup(arena, operation);
	append(arena, parent, span);
	return span;
}

/* Setting up was over when the first thing inside began. */
static void end_setup(struct arena *arena, Flyteidl__Core__Span *setup, int64_t start, int64_t first_start)
{
	if (setup && first_start >= start)
		setup->end_time = api_timestamp(arena, first_start);
}

static Flyteidl__Core__Span *task_span(struct arena *arena, const struct task_execution_row *task)
{
	struct task_execution_key key = task_execution_row_key(task);
	Flyteidl__Core__Span *span = new_span(arena, task->created_at, task->updated_at);
	span->id_case = FLYTEIDL__CORE__SPAN__ID_TASK_ID;
	span->task_id = task_execution_identifier(arena, &key);
	if (task->started_at == 0) {
		append_operation(arena, span, "TASK_SETUP", task->created_at, task->updated_at);
		return span;
	}
	append_operation(arena, span, "TASK_SETUP", task->created_at, task->started_at);
	if (task->duration_ns < 0) {
		append_operation(arena, span, "TASK_RUNTIME", task->started_at, task->updated_at);
		return span;
	}
	int64_t ended_at = task->started_at + task->duration_ns;
	append_operation(arena, span, "TASK_RUNTIME", task->started_at, ended_at);
	append_operation(arena, span, "TASK_TEARDOWN", ended_at, task->updated_at);
	return span;
}

static bool is_endpoint(const struct node_execution_row *node)
{
	return text_equal(node->spec_node_id, "start-node") || text_equal(node->spec_node_id, "end-node");
}

/* When the last sibling that was over by then ended; 0 when there is none. */
static int64_t last_end_before(const struct history *h, const struct node_execution_row *node)
{
	int64_t last = 0;
	for (size_t i = 0; i < h->nodes.count; i++) {
		const struct node_execution_row *other = &h->nodes.rows[i];
		if (other->id != node->id && other->parent_id == node->parent_id &&
		    other->updated_at <= node->created_at && other->updated_at > last)
			last = other->updated_at;
	}
	return last;
}

static void append_nodes(const struct history *h, Flyteidl__Core__Span *span, int64_t parent_id, int depth,
                         int64_t *first_start, int64_t *last_end);

static Flyteidl__Core__Span *node_span(const struct history *h, const struct node_execution_row *node, int depth)
{
	struct node_execution_key key = node_execution_row_key(node);
	Flyteidl__Core__Span *span = new_span(h->arena, node->created_at, node->updated_at);
	span->id_case = FLYTEIDL__CORE__SPAN__ID_NODE_ID;
	span->node_id = node_execution_identifier(h->arena, &key);
	int64_t transition = last_end_before(h, node);
	if (transition)
		append_operation(h->arena, span, "NODE_TRANSITION", transition, node->created_at);
	if (depth == 0)
		return span;

	/* What the node consists of: attempts of a task, nodes of its own, or both, one after the other. */
	int64_t first_start = 0, last_end = 0;
	Flyteidl__Core__Span *setup =
	        append_operation(h->arena, span, "NODE_SETUP", node->created_at, node->updated_at);
	for (size_t i = 0; i < h->tasks.count; i++) {
		const struct task_execution_row *task = &h->tasks.rows[i];
		if (task->node_execution_id != node->id)
			continue;
		if (first_start == 0)
			first_start = task->created_at;
		else
			append_operation(h->arena, span, "NODE_RESET", last_end, task->created_at);
		if (depth != 1)
			append(h->arena, span, task_span(h->arena, task));
		last_end = task->updated_at;
	}
	append_nodes(h, span, node->id, depth - 1, &first_start, &last_end);
	if (first_start == 0)
		return span;
	end_setup(h->arena, setup, node->created_at, first_start);
	append_operation(h->arena, span, "NODE_TEARDOWN", last_end, node->updated_at);
	return span;
}

/* The spans of all nodes below `parent_id`. The times are extended to when the first of them began and the last one
 * ended. */
static void append_nodes(const struct history *h, Flyteidl__Core__Span *span, int64_t parent_id, int depth,
                         int64_t *first_start, int64_t *last_end)
{
	for (size_t i = 0; i < h->nodes.count; i++) {
		const struct node_execution_row *node = &h->nodes.rows[i];
		if (node->parent_id != parent_id || is_endpoint(node))
			continue;
		if (*first_start == 0)
			*first_start = node->created_at;
		if (node->updated_at > *last_end)
			*last_end = node->updated_at;
		append(h->arena, span, node_span(h, node, depth));
	}
}

static Flyteidl__Core__Span *execution_span(const struct history *h, int depth)
{
	const struct execution_row *execution = &h->execution;
	Flyteidl__Core__Span *span = new_span(h->arena, execution->created_at, execution->updated_at);
	span->id_case = FLYTEIDL__CORE__SPAN__ID_WORKFLOW_ID;
	span->workflow_id = ids_new_execution(h->arena, execution->project, execution->domain, execution->name);
	if (depth == 0)
		return span;
	int64_t first_start = 0, last_end = 0;
	Flyteidl__Core__Span *setup =
	        append_operation(h->arena, span, "WORKFLOW_SETUP", execution->created_at, execution->updated_at);
	append_nodes(h, span, 0, depth - 1, &first_start, &last_end);
	if (first_start == 0)
		return span;
	end_setup(h->arena, setup, execution->created_at, first_start);
	if (execution_phase_is_terminal(execution->phase))
		append_operation(h->arena, span, "WORKFLOW_TEARDOWN", last_end, execution->updated_at);
	return span;
}

EXECUTION_HANDLER(execution_get_metrics)
{
	struct api *api = context;
	const Flyteidl__Admin__WorkflowExecutionGetMetricsRequest *r =
	        (const Flyteidl__Admin__WorkflowExecutionGetMetricsRequest *)message;
	struct history h = { .arena = call->arena };
	struct database_connection *c auto_connection = NULL;
	if (ids_validate_execution(r->id, e) < 0 || api_connect(api, call, &c, e) < 0 ||
	    executions_get(c, call->arena, r->id->project, r->id->domain, r->id->name, &h.execution, e) < 0 ||
	    node_executions_of(c, call->arena, h.execution.id, &h.nodes, e) < 0 ||
	    task_executions_of(c, call->arena, h.execution.id, &h.tasks, e) < 0)
		return NULL;
	Flyteidl__Admin__WorkflowExecutionGetMetricsResponse *response =
	        proto_new(call->arena, flyteidl__admin__workflow_execution_get_metrics_response);
	response->span = execution_span(&h, r->depth);
	return &response->base;
}
