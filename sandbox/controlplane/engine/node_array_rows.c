/*
 * Rows of array_elements: those of elements under way become nodes again at the begin of a round, and what has changed
 * of elements becomes rows at its end, that of attempts which were replaced, too.
 */
#include "controlplane/engine/node_array.h"

#include "base/text.h"

/* ---- Reading ---- */

static struct progress_task *task_of_row(struct machine *m, const struct machine_node *element,
                                         const struct array_element *row)
{
	struct progress_task *task = arena_new(m->arena, struct progress_task);
	*task = (struct progress_task){
		.attempt = row->attempt,
		.id = element->vertex->task->id,
		.task_type = element->vertex->task->type,
		.phase = row->task_phase,
		.inputs_uri = element->row.inputs_uri,
		.outputs_uri = "",
		.error = row->error,
		.reason = row->reason,
		.closure = proto_new(m->arena, flyteidl__admin__task_execution_closure),
		.pod_namespace = m->namespace,
		.pod_name = row->pod_name,
		.connector = row->connector,
		.created_at_ns = row->created_at_ns,
		.started_at_ns = row->started_at_ns,
		.ended_at_ns = row->ended_at_ns,
	};
	task->closure->n_logs = row->log_count;
	task->closure->logs = row->logs;
	return task;
}

static void resume_element(struct machine *m, struct machine_node *node, const struct array_element *row)
{
	struct machine_node *element = array_add_live(m, node, row->index);
	element->saved = true;
	element->saved_attempt = row->attempt;
	element->row.phase = row->phase;
	element->row.attempt = row->attempt;
	element->row.cache_tag = row->cache_tag;
	element->row.user_failures = row->user_failures;
	element->row.system_failures = row->system_failures;
	element->row.retry_at_ns = row->retry_at_ns;
	element->row.recheck_at_ns = row->recheck_at_ns;
	element->row.cache_status = row->cache_status;
	element->row.created_at_ns = row->queued_at_ns;
	element->row.started_at_ns = row->started_at_ns;
	if (row->has_task)
		element->row.task = task_of_row(m, element, row);
}

int array_resume(struct machine *m, struct machine_node *node, struct err *e)
{
	const struct progress_task *task = node->row.task;
	if (!task)
		return 0;
	array_open(m, node, task->array_size);
	struct machine_array *array = node->array;
	array->begun = task->array_begun;
	array->succeeded = task->array_succeeded;
	array->failed = task->array_failed;
	for (size_t i = 0; i < task->elements.count; i++) {
		const struct array_element *row = &task->elements.list[i];
		if (row->index >= array->begun || array->begun > array->size)
			return err_set(e, ERR_INTERNAL, NULL,
			               "there is a row for element %" PRIu32
			               " of node \"%s\", of which %zu of %zu have begun",
			               row->index, node->row.node_id, array->begun, array->size);
		resume_element(m, node, row);
	}
	return 0;
}

/* ---- Writing ---- */

/* An element that runs an execution has no task; clients are shown the one phase as the other. */
static Flyteidl__Core__TaskExecution__Phase shown_phase(Flyteidl__Core__NodeExecution__Phase phase)
{
	switch (phase) {
	case NODE(QUEUED):
		return TASK(QUEUED);
	case NODE(RUNNING):
		return TASK(RUNNING);
	case NODE(SUCCEEDED):
	case NODE(RECOVERED):
		return TASK(SUCCEEDED);
	case NODE(FAILED):
	case NODE(TIMED_OUT):
		return TASK(FAILED);
	case NODE(ABORTED):
		return TASK(ABORTED);
	default:
		return TASK(UNDEFINED);
	}
}

static struct array_element row_of(struct machine *m, const struct machine_node *element,
                                   const struct progress_task *task, Flyteidl__Core__NodeExecution__Phase phase)
{
	struct array_element row = {
		.index = element->index,
		.attempt = task ? task->attempt : element->row.attempt,
		.phase = phase,
		.cache_tag = element->row.cache_tag,
		.user_failures = element->row.user_failures,
		.system_failures = element->row.system_failures,
		.pod_name = "",
		.child_name = "",
		.reason = "",
		.error = element->row.error,
		.outputs = element->outputs,
		.cache_status = element->row.cache_status,
		.queued_at_ns = element->row.created_at_ns,
		.started_at_ns = element->row.started_at_ns,
		.ended_at_ns = element->row.ended_at_ns,
		.retry_at_ns = element->row.retry_at_ns,
		.recheck_at_ns = element->row.recheck_at_ns,
	};
	if (element->vertex->kind == &machine_kind_launch_plan) {
		row.task_phase = shown_phase(phase);
		row.child_name = element->row.started_at_ns ? machine_child_name(m, element) : "";
		return row;
	}
	if (!task && (phase == NODE(SUCCEEDED) || phase == NODE(RECOVERED))) { /* without a pod of its own */
		row.has_task = true;
		row.task_phase = TASK(SUCCEEDED);
	}
	if (!task)
		return row;
	row.has_task = true;
	row.task_phase = task->phase;
	row.pod_name = task->pod_name;
	row.connector = task->connector;
	row.log_count = task->closure->n_logs;
	row.logs = task->closure->logs;
	row.created_at_ns = task->created_at_ns;
	row.started_at_ns = task->started_at_ns;
	row.ended_at_ns = task->ended_at_ns;
	if (!row.error)
		row.error = task->error;
	if (!task->error) /* which says it better */
		row.reason = task->reason;
	return row;
}

/* The attempt of which there is a row has been replaced, and it never had a task that could say so. */
static bool was_replaced_unseen(const struct machine *m, const struct machine_node *element)
{
	if (!element->saved || element->saved_attempt == element->row.attempt)
		return false;
	for (size_t i = 0; i < m->ended_task_count; i++) {
		if (m->ended_tasks[i].node == element && m->ended_tasks[i].task->attempt == element->saved_attempt)
			return false;
	}
	return true;
}

bool machine_array_changes(struct machine *m, struct machine_array *array, struct array_elements *ret_changes)
{
	*ret_changes = (struct array_elements){ 0 };
	for (size_t i = 0; i < m->ended_task_count; i++) {
		const struct machine_ended_task *ended = &m->ended_tasks[i];
		if (ended->node->scope != array->scope)
			continue;
		const struct array_element row = row_of(m, ended->node, ended->task, NODE(UNDEFINED));
		proto_append(m->arena, ret_changes->count, ret_changes->list, row);
		ret_changes->list[ret_changes->count - 1].error = ended->task->error;
		ret_changes->list[ret_changes->count - 1].outputs = NULL;
	}
	for (size_t i = 0; i < array->live_count; i++) {
		struct machine_node *element = array->live[i];
		struct progress_task *task = element->row.task;
		if (!element->row.changed && !(task && task->changed))
			continue;
		if (was_replaced_unseen(m, element)) {
			const struct array_element replaced = { .index = element->index,
				                                .attempt = element->saved_attempt,
				                                .task_phase = TASK(FAILED) };
			proto_append(m->arena, ret_changes->count, ret_changes->list, replaced);
		}
		const struct array_element row = row_of(m, element, task, element->row.phase);
		proto_append(m->arena, ret_changes->count, ret_changes->list, row);
		element->saved = true;
		element->saved_attempt = element->row.attempt;
		element->row.changed = false;
		if (task)
			task->changed = false;
	}
	return ret_changes->count > 0;
}
