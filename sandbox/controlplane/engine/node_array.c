/*
 * Array nodes, flytekit's map tasks and maps over launch plans. The elements are task nodes or launch plan nodes in a
 * scope below the array, each with its own attempts, budgets and pods, or its own child execution, moved on by the same
 * code as any node of their kind. They differ in three ways: only so many are there at a time, their rows are those of
 * the table array_elements, and one that is over leaves nothing behind but a line in the array's record, so that a round
 * costs what is under way and not the size of the map. Clients see the array as one attempt of a task.
 *
 * Elements begin in the order of their indices; so the saved ones are all up to some index, and those that follow have
 * not begun. The array fails as soon as too few can succeed any more, and succeeds when all have ended.
 */
#include "controlplane/engine/node_array.h"

/* ---- Beginning ---- */

void array_open(struct machine *m, struct machine_node *node, size_t size)
{
	struct machine_scope *scope = arena_new(m->arena, struct machine_scope);
	*scope = (struct machine_scope){ .graph = node->vertex->inner,
		                         .parent = node,
		                         .parent_attempt = node->row.attempt,
		                         .directory = machine_attempt_directory(m, node) };
	node->inner = scope;
	node->array = arena_new(m->arena, struct machine_array);
	node->array->scope = scope;
	node->array->size = size;
	node->array->elements = arena_array(m->arena, struct element, size);
}

static void fail_before_it_begins(struct machine *m, struct machine_node *node, const char *message)
{
	const struct machine_failure failure = { .budget = POD_FAILURE_PERMANENT,
		                                 .kind = ERROR_KIND(USER),
		                                 .code = "InvalidArrayLength",
		                                 .message = message };
	machine_fail_node(m, node, NODE(FAILED), &failure);
}

/* Elements take their part of lists also when these are offloaded; what all of them read keeps them as they are. False
 * while that is wanted, or when the node has just failed for it. */
static bool load_inputs(struct machine *m, struct machine_node *node)
{
	auto_err struct err e = ERR_INIT;
	if (node->loaded_inputs)
		return true;
	node->loaded_inputs = machine_load_offloaded(m, node, node->inputs, &e);
	if (node->loaded_inputs || e.kind == ERR_UNAVAILABLE)
		return node->loaded_inputs != NULL;
	const struct machine_failure failure = { .budget = POD_FAILURE_PERMANENT,
		                                 .kind = ERROR_KIND(SYSTEM),
		                                 .code = "RuntimeExecutionError",
		                                 .message = arena_strdup(m->arena, err_message(&e)) };
	machine_fail_node(m, node, NODE(FAILED), &failure);
	return false;
}

/* Most rounds of an array begin nothing, and do without. */
bool machine_resolve_element(struct machine *m, struct machine_node *element)
{
	struct machine_node *node = element->element_of;
	if (!machine_resolve_inputs(m, node) || !load_inputs(m, node))
		return false;
	element->inputs = array_element_inputs(m->arena, array_spec_of(node), node->loaded_inputs, element->index);
	return true;
}

/* False when the node has just failed for it. */
static bool find_size(struct machine *m, struct machine_node *node, size_t *ret_size)
{
	auto_err struct err e = ERR_INIT;
	if (array_size(array_spec_of(node), node->loaded_inputs, ret_size, &e) < 0) {
		fail_before_it_begins(m, node, arena_strdup(m->arena, err_message(&e)));
		return false;
	}
	if (*ret_size > m->options->array_maximum) {
		fail_before_it_begins(m, node,
		                      arena_printf(m->arena, "array size > max allowed. requested [%zu]. allowed [%zu]",
		                                   *ret_size, m->options->array_maximum));
		return false;
	}
	return true;
}

/* Clients know a task execution by its task, so the launch plan stands for it. */
static const Flyteidl__Core__Identifier *entity_of(const struct machine_node *node)
{
	const struct machine_vertex *element = array_element_vertex(node);
	return element->task ? element->task->id : element->node->workflow_node->launchplan_ref;
}

static void make_task(struct machine *m, struct machine_node *node)
{
	struct progress_task *task = arena_new(m->arena, struct progress_task);
	*task = (struct progress_task){
		.attempt = node->row.attempt,
		.id = entity_of(node),
		.task_type = "container_array",
		.inputs_uri = node->row.inputs_uri,
		.outputs_uri = "",
		.reason = "",
		.closure = proto_new(m->arena, flyteidl__admin__task_execution_closure),
		.pod_namespace = "",
		.pod_name = "",
		.is_array = true,
		.array_size = (uint32_t)node->array->size,
		.created_at_ns = m->now_ns,
		.changed = true,
	};
	Flyteidl__Event__TaskExecutionMetadata *metadata =
	        proto_new(m->arena, flyteidl__event__task_execution_metadata);
	metadata->generated_name = names_generated(m->arena, m->definition->name, node->row.node_id, node->row.attempt);
	metadata->plugin_identifier = arena_strdup(m->arena, "k8s-array");
	task->closure->metadata = metadata;
	task->closure->task_type = arena_strdup(m->arena, task->task_type);
	task->closure->event_version = 1;
	node->row.task = task;
	machine_set_task(m, node, TASK(QUEUED), NULL);
}

/* False while the inputs are on their way to where the elements read them, or when the node has just failed. */
static bool begin(struct machine *m, struct machine_node *node)
{
	size_t size;
	node->row.is_array = node->vertex->node->target_case == FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE;
	if (!machine_resolve_inputs(m, node) || !load_inputs(m, node) || !find_size(m, node, &size) ||
	    !machine_ask(m, node, WANT_WRITE_INPUTS))
		return false;
	array_open(m, node, size);
	node->array->complete = true;
	make_task(m, node);
	machine_set_node(m, node, NODE(RUNNING));
	return true;
}

/* ---- The kind ---- */

/* The counts are in the task's row. */
static void note_counts(struct machine_node *node)
{
	const struct machine_array *array = node->array;
	struct progress_task *task = node->row.task;
	if (task->array_begun == array->begun && task->array_succeeded == array->succeeded &&
	    task->array_failed == array->failed)
		return;
	task->array_begun = (uint32_t)array->begun;
	task->array_succeeded = (uint32_t)array->succeeded;
	task->array_failed = (uint32_t)array->failed;
	task->changed = true;
}

static void array_advance(struct machine *m, struct machine_node *node)
{
	if ((!node->array && !begin(m, node)) || !array_find_recoverable(m, node))
		return;
	struct machine_array *array = node->array;
	const size_t minimum = array_minimum_successes(array_spec_of(node), array->size);
	for (bool again = true; again;) {
		const bool unreachable = array->size - array->failed < minimum;
		if (unreachable &&
		    (!array_spec_of(node)->runs_all || array->succeeded + array->failed == array->size)) {
			array_fail(m, node);
			return;
		}
		const size_t failed = array->failed;
		array_begin_elements(m, node);
		if (array->active > 0)
			machine_set_task(m, node, TASK(RUNNING), NULL);
		array_advance_elements(m, node);
		if (machine_node_is_finished(node)) { /* its inputs cannot be had any more */
			array_end_with(m, node, node->row.error);
			return;
		}
		note_counts(node);
		again = array->failed > failed;
	}
	if (array->succeeded + array->failed == array->size)
		array_succeed(m, node);
}

static void array_abort(struct machine *m, struct machine_node *node, const char *reason)
{
	struct progress_task *task = node->row.task;
	if (!node->array || !task)
		return;
	array_abort_elements(m, node, reason);
	if (task->phase == TASK(FAILED)) /* it is tried again */
		return;
	const struct machine_failure failure = { .code = "NodeAborted", .message = reason };
	task->error = machine_error(m->arena, &failure);
	machine_set_task(m, node, TASK(ABORTED), reason);
}

const struct machine_kind machine_kind_array = {
	.name = "array node",
	.counts_for_parallelism = true,
	.advance = array_advance,
	.resume = array_resume,
	.abort = array_abort,
};
