/*
 * Array nodes, flytekit's map tasks and maps over launch plans. The elements are task nodes or launch plan nodes in a
 * scope below the array, each with its own attempts, budgets and pods, or its own child execution, moved on by the same
 * code as any node of their kind. They differ in three ways: only so many are
 * there at a time, their rows are those of the table array_elements, and one that is over leaves nothing behind but a
 * line in the array's record, so that a round costs what is under way and not the size of the map. Clients see the
 * array as one attempt of a task.
 *
 * Elements begin in the order of their indices; so the saved ones are all up to some index, and those that follow have
 * not begun. The array fails as soon as too few can succeed any more, and succeeds when all have ended.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"
#include "controlplane/compiler/types.h"

/* Elements that begin in one round: the others begin in the next, which follows at once, so that what began is
 * committed and other executions get their turn. */
#define BEGIN_MAXIMUM 100
/* Outputs read from the object store at the same time, of elements whose row does not have them. */
#define READ_MAXIMUM 16
/* Bytes of the messages of all elements (upstream's events.MaxErrorMessageLength at v1.16.8). */
#define MESSAGES_MAXIMUM ((size_t)100 * 1024)

enum element_state { ELEMENT_UNKNOWN, ELEMENT_ACTIVE, ELEMENT_SUCCEEDED, ELEMENT_FAILED };

/* What is remembered of an element that is over. Of those that ended in earlier rounds nothing is known until it is
 * asked for, at the end: how many they are is enough. */
struct element {
	enum element_state state;
	uint32_t attempt;
	const Flyteidl__Core__LiteralMap *outputs; /* NULL: to be read, if any are declared */
	const Flyteidl__Core__ExecutionError *error;
};

struct machine_array {
	const struct machine_scope *scope; /* of its elements */
	size_t size;
	struct element *elements; /* one per element */
	size_t begun;             /* elements below this have begun */
	size_t active, succeeded, failed;
	size_t begun_in_round;
	bool complete; /* nothing is ELEMENT_UNKNOWN that has begun */
	/* Elements that are active, or have ended in this round. */
	size_t live_count;
	struct machine_node **live;
	/* Elements whose outputs are being read once more. */
	size_t reader_count;
	struct machine_node *readers[READ_MAXIMUM];
	size_t output_bytes;
};

static const struct array_spec *spec_of(const struct machine_node *node)
{
	return node->vertex->array;
}

static const struct machine_vertex *element_vertex(const struct machine_node *node)
{
	return &node->vertex->inner->vertices[0];
}

/* ---- Elements ---- */

/* The place of each attempt's results: flytekit's older map tasks append the index themselves, so there the attempt
 * comes before it. */
const char *machine_element_directory(struct machine *m, const struct machine_node *element)
{
	const char *array = element->scope->directory;
	if (spec_of(element->element_of)->legacy)
		return arena_printf(m->arena, "%s/%" PRIu32 "/%" PRIu32, array, element->row.attempt, element->index);
	return arena_printf(m->arena, "%s/%" PRIu32 "/%" PRIu32, array, element->index, element->row.attempt);
}

const char *machine_output_prefix(struct machine *m, const struct machine_node *node)
{
	if (node->element_of && spec_of(node->element_of)->legacy)
		return arena_printf(m->arena, "%s/%" PRIu32, node->scope->directory, node->row.attempt);
	return machine_attempt_directory(m, node);
}

static struct machine_node *new_element(struct machine *m, struct machine_node *node, uint32_t index)
{
	struct machine_node *element = arena_new(m->arena, struct machine_node);
	const char *id = arena_printf(m->arena, "n%" PRIu32, index);
	*element = (struct machine_node){
		.vertex = element_vertex(node),
		.scope = node->inner,
		.element_of = node,
		.index = index,
		.directory = arena_printf(m->arena, "%s/%" PRIu32, node->inner->directory, index),
		.row = { .node_id = names_node_execution(m->arena, node->row.node_id, node->row.attempt, id),
		         .spec_node_id = id,
		         .node_name = "",
		         .retry_group = "",
		         .inputs_uri = spec_of(node)->own_inputs ? arena_printf(m->arena, "%s/%" PRIu32 "/0/inputs.pb",
		                                                                node->directory, index)
		                                                 : node->row.inputs_uri,
		         .outputs_uri = "",
		         .deck_uri = "",
		         .checkpoint_uri = "",
		         .cache_tag = "",
		         .previous_checkpoint_uri = "" },
	};
	proto_append(m->arena, m->node_count, m->nodes, element);
	return element;
}

static struct machine_node *add_live_element(struct machine *m, struct machine_node *node, uint32_t index)
{
	struct machine_array *array = node->array;
	struct machine_node *element = new_element(m, node, index);
	proto_append(m->arena, array->live_count, array->live, element);
	array->elements[index].state = ELEMENT_ACTIVE;
	array->active++;
	return element;
}

static void begin_elements(struct machine *m, struct machine_node *node)
{
	struct machine_array *array = node->array;
	size_t limit = m->options->array_parallelism;
	if (spec_of(node)->parallelism > 0 && spec_of(node)->parallelism < limit)
		limit = spec_of(node)->parallelism;
	while (array->begun < array->size && array->active < limit) {
		if (array->begun_in_round == BEGIN_MAXIMUM) {
			machine_wake_at(m, m->now_ns);
			return;
		}
		struct machine_node *element = add_live_element(m, node, (uint32_t)array->begun++);
		array->begun_in_round++;
		machine_set_node(m, element, NODE(QUEUED));
	}
}

/* An element that is over becomes a line of the record. */
static void take_down(struct machine_array *array, const struct machine_node *node)
{
	struct element *element = &array->elements[node->index];
	element->attempt = node->row.attempt;
	if (node->row.phase == NODE(SUCCEEDED) || node->row.phase == NODE(RECOVERED)) {
		element->state = ELEMENT_SUCCEEDED;
		array->succeeded++;
		if (node->outputs &&
		    protobuf_c_message_get_packed_size(&node->outputs->base) <= ARRAY_ELEMENT_INLINE_MAXIMUM)
			element->outputs = node->outputs;
	} else {
		element->state = ELEMENT_FAILED;
		element->error = node->row.error;
		array->failed++;
	}
}

/* ---- Elements that an earlier execution has run ---- */

static bool has_outputs(const struct machine_node *node)
{
	return !element_vertex(node)->task || node->vertex->element_outputs->n_variables > 0;
}

static bool is_untried(const struct machine_node *element)
{
	return element->row.phase == NODE(QUEUED) && element->row.attempt == 0 && !element->row.task;
}

/* False while it is wanted which they are: as long as there are elements that have not been tried. */
static bool find_recoverable(struct machine *m, struct machine_node *node)
{
	const struct machine_array *array = node->array;
	bool untried = array->begun < array->size;
	if (!machine_is_recovering(m, node) || node->recovery.answered)
		return true;
	for (size_t i = 0; i < array->live_count && !untried; i++)
		untried = is_untried(array->live[i]);
	if (!untried)
		return true;
	if (!machine_ask(m, node, WANT_RECOVERED))
		return false;
	node->outputs = NULL;
	node->recovery.answered = true;
	return true;
}

static const struct array_element *find_earlier(const struct machine_node *element)
{
	const struct array_elements *earlier = &element->element_of->recovery.elements;
	size_t low = 0, high = earlier->count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (earlier->list[middle].index < element->index)
			low = middle + 1;
		else
			high = middle;
	}
	return low < earlier->count && earlier->list[low].index == element->index ? &earlier->list[low] : NULL;
}

/* True when the element's outputs are, or are being, copied from the earlier one. Those that cannot be read any more
 * are made again. */
static bool recover_element(struct machine *m, struct machine_node *element)
{
	const struct array_element *earlier = is_untried(element) ? find_earlier(element) : NULL;
	const struct machine_node *node = element->element_of;
	if (!earlier || element->recovery.answered)
		return false;
	if (!element->outputs)
		element->outputs = earlier->outputs;
	if (!element->outputs && has_outputs(node)) {
		element->row.outputs_uri =
		        spec_of(node)->legacy
		                ? arena_printf(m->arena, "%s/%" PRIu32 "/%" PRIu32 "/outputs.pb",
		                               node->recovery.directory, earlier->attempt, earlier->index)
		                : arena_printf(m->arena, "%s/%" PRIu32 "/%" PRIu32 "/outputs.pb",
		                               node->recovery.directory, earlier->index, earlier->attempt);
		if (!machine_ask(m, element, WANT_OUTPUTS))
			return true;
		if (element->failure.budget != POD_FAILURE_NONE) {
			element->outputs = NULL;
			element->row.outputs_uri = "";
			element->recovery.answered = true;
			return false;
		}
	}
	if (!machine_write_outputs(m, element))
		return true;
	machine_set_node(m, element, NODE(RECOVERED));
	return true;
}

static void advance_elements(struct machine *m, struct machine_node *node)
{
	struct machine_array *array = node->array;
	for (size_t i = 0; i < array->live_count; i++) {
		struct machine_node *element = array->live[i];
		if (!machine_node_is_active(element))
			continue;
		if (!recover_element(m, element))
			machine_move_node(m, element);
		if (machine_node_is_finished(element)) {
			array->active--;
			take_down(array, element);
		}
	}
}

static void abort_elements(struct machine *m, struct machine_node *node, const char *reason)
{
	for (size_t i = 0; i < node->array->live_count; i++) {
		struct machine_node *element = node->array->live[i];
		if (!machine_node_is_active(element))
			continue;
		machine_abort_node(m, element, reason);
		node->array->active--;
	}
}

/* ---- Beginning ---- */

static int open_array(struct machine *m, struct machine_node *node, size_t size)
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
	return 0;
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
	element->inputs = array_element_inputs(m->arena, spec_of(node), node->loaded_inputs, element->index);
	return true;
}

/* False when the node has just failed for it. */
static bool find_size(struct machine *m, struct machine_node *node, size_t *ret_size)
{
	auto_err struct err e = ERR_INIT;
	if (array_size(spec_of(node), node->loaded_inputs, ret_size, &e) < 0) {
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
	const struct machine_vertex *element = element_vertex(node);
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
	open_array(m, node, size);
	node->array->complete = true;
	make_task(m, node);
	machine_set_node(m, node, NODE(RUNNING));
	return true;
}

/* ---- Ending ---- */

static void recall_element(struct machine_array *array, const struct array_element *row)
{
	struct element *element = &array->elements[row->index];
	if (element->state != ELEMENT_UNKNOWN) /* this round knows better */
		return;
	element->attempt = row->attempt;
	element->outputs = row->outputs;
	element->error = row->error;
	element->state =
	        row->phase == NODE(SUCCEEDED) || row->phase == NODE(RECOVERED) ? ELEMENT_SUCCEEDED : ELEMENT_FAILED;
}

/* False while it is wanted what became of the elements that ended in earlier rounds. */
static bool recall_elements(struct machine *m, struct machine_node *node)
{
	struct machine_array *array = node->array;
	if (array->complete)
		return true;
	if (!machine_ask(m, node, WANT_ELEMENTS))
		return false;
	const struct array_elements *rows = &node->row.task->elements;
	for (size_t i = 0; i < rows->count; i++) {
		if (rows->list[i].index < array->size)
			recall_element(array, &rows->list[i]);
	}
	array->complete = true;
	return true;
}

/* What runs of a node that has just failed, and what clients see of it. */
static void end_with(struct machine *m, struct machine_node *node, const Flyteidl__Core__ExecutionError *error)
{
	abort_elements(m, node, "ArrayNodeFailing");
	node->row.task->error = error;
	machine_set_task(m, node, TASK(FAILED), NULL);
}

static void fail_array(struct machine *m, struct machine_node *node)
{
	const struct machine_array *array = node->array;
	if (!recall_elements(m, node))
		return;
	struct array_error *errors = arena_array(m->arena, struct array_error, array->failed);
	size_t count = 0;
	struct machine_failure failure = { .budget = POD_FAILURE_PERMANENT,
		                           .kind = ERROR_KIND(UNKNOWN),
		                           .code = "ArrayNodeFailing",
		                           .message = "Unknown reason" };
	for (size_t i = 0; i < array->size && count < array->failed; i++) {
		const Flyteidl__Core__ExecutionError *error = array->elements[i].error;
		if (array->elements[i].state != ELEMENT_FAILED || !error)
			continue;
		if (count == 0) {
			failure.kind = error->kind;
			failure.code = error->code;
		}
		errors[count++] = (struct array_error){ .index = (uint32_t)i, .message = error->message };
	}
	if (count > 0)
		failure.message = array_errors_summary(m->arena, errors, count, MESSAGES_MAXIMUM);
	machine_fail_node(m, node, NODE(FAILED), &failure);
	end_with(m, node, node->row.error);
}

static void fail_for_outputs(struct machine *m, struct machine_node *node, const struct machine_failure *failure)
{
	node->row.task->error = machine_error(m->arena, failure);
	machine_set_task(m, node, TASK(FAILED), failure->message);
	machine_fail_node(m, node, NODE(FAILED), failure);
}

/* Of an element that is over. */
static void add_reader(struct machine *m, struct machine_node *node, uint32_t index)
{
	struct machine_node *reader = new_element(m, node, index);
	reader->row.attempt = node->array->elements[index].attempt;
	reader->row.phase = NODE(SUCCEEDED);
	reader->row.outputs_uri = arena_printf(m->arena, "%s/outputs.pb", machine_attempt_directory(m, reader));
	node->array->readers[node->array->reader_count++] = reader;
}

/* True once the reader has what it was for. */
static bool is_read(struct machine *m, struct machine_node *node, struct machine_node *reader)
{
	struct machine_array *array = node->array;
	if (!machine_ask(m, reader, WANT_OUTPUTS))
		return false;
	if (reader->failure.budget != POD_FAILURE_NONE) {
		fail_for_outputs(m, node, &reader->failure);
		return false;
	}
	array->elements[reader->index].outputs = reader->outputs;
	array->output_bytes += protobuf_c_message_get_packed_size(&reader->outputs->base);
	if (array->output_bytes <= m->options->array_output_maximum)
		return true;
	const struct machine_failure failure = {
		.budget = POD_FAILURE_PERMANENT,
		.kind = ERROR_KIND(USER),
		.code = "OutputSizeExceeded",
		.message = arena_printf(m->arena, "the outputs of all elements together are larger than %zu bytes",
		                        m->options->array_output_maximum)
	};
	fail_for_outputs(m, node, &failure);
	return false;
}

/* Outputs that are in the object store only are read again, some at a time. False until all are here. */
static bool find_outputs(struct machine *m, struct machine_node *node)
{
	struct machine_array *array = node->array;
	size_t left = 0;
	for (size_t i = 0; i < array->reader_count; i++) {
		if (!is_read(m, node, array->readers[i]))
			array->readers[left++] = array->readers[i];
		if (machine_node_is_finished(node))
			return false;
	}
	array->reader_count = left;
	if (left > 0)
		return false;
	for (size_t i = 0; i < array->size && array->reader_count < READ_MAXIMUM; i++) {
		if (array->elements[i].state == ELEMENT_SUCCEEDED && !array->elements[i].outputs)
			add_reader(m, node, (uint32_t)i);
	}
	for (size_t i = 0; i < array->reader_count; i++)
		(void)machine_ask(m, array->readers[i], WANT_OUTPUTS);
	return array->reader_count == 0;
}

static Flyteidl__Core__Literal *offloaded(struct machine *m, struct machine_node *node, const char *name,
                                          const Flyteidl__Core__Literal *literal, size_t size)
{
	const struct machine_offloaded part = { .uri = arena_printf(m->arena, "%s/%s_offloaded_metadata.pb",
		                                                    machine_attempt_directory(m, node), name),
		                                .literal = literal };
	Flyteidl__Core__Literal *stands_for = proto_new(m->arena, flyteidl__core__literal);
	proto_append(m->arena, node->offload_count, node->offloads, part);
	stands_for->hash = cache_hash_of_literal(m->arena, literal);
	stands_for->value_case = FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA;
	stands_for->offloaded_metadata = proto_new(m->arena, flyteidl__core__literal_offloaded_metadata);
	stands_for->offloaded_metadata->uri = arena_strdup(m->arena, part.uri);
	stands_for->offloaded_metadata->size_bytes = size;
	stands_for->offloaded_metadata->inferred_type = types_of_literal(m->arena, literal);
	return stands_for;
}

/* Large lists become objects of their own, if the platform is told so. False when the node has just failed because one
 * is too large. `outputs` is ours. */
static bool offload_outputs(struct machine *m, struct machine_node *node, Flyteidl__Core__LiteralMap *outputs)
{
	const struct machine_options *options = m->options;
	for (size_t i = 0; options->offload_minimum > 0 && i < outputs->n_literals; i++) {
		Flyteidl__Core__LiteralMap__LiteralsEntry *entry = outputs->literals[i];
		const size_t size = protobuf_c_message_get_packed_size(&entry->value->base);
		if (size >= options->offload_maximum) {
			const struct machine_failure failure = {
				.budget = POD_FAILURE_PERMANENT,
				.kind = ERROR_KIND(USER),
				.code = "OutputSizeExceeded",
				.message = arena_printf(
				        m->arena,
				        "literal size [%zu] MB is larger than the max size [%zu] MB for offloading",
				        size >> 20, options->offload_maximum >> 20)
			};
			fail_for_outputs(m, node, &failure);
			return false;
		}
		if (size >= options->offload_minimum)
			entry->value = offloaded(m, node, entry->key, entry->value, size);
	}
	return true;
}

static void succeed_array(struct machine *m, struct machine_node *node)
{
	const struct machine_array *array = node->array;
	struct progress_task *task = node->row.task;
	if (!node->outputs) {
		if (has_outputs(node) && (!recall_elements(m, node) || !find_outputs(m, node)))
			return;
		const Flyteidl__Core__LiteralMap **outputs =
		        arena_array(m->arena, const Flyteidl__Core__LiteralMap *, array->size);
		for (size_t i = 0; i < array->size; i++)
			outputs[i] = array->elements[i].outputs;
		Flyteidl__Core__LiteralMap *lists =
		        array_collect_outputs(m->arena, node->vertex->element_outputs, outputs, array->size);
		if (!offload_outputs(m, node, lists))
			return;
		node->outputs = lists;
	}
	if (!machine_write_outputs(m, node))
		return;
	task->outputs = node->outputs;
	task->outputs_uri = node->row.outputs_uri;
	node->outputs_known = true;
	machine_set_task(m, node, TASK(SUCCEEDED), NULL);
	machine_succeed_node(m, node);
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
	if ((!node->array && !begin(m, node)) || !find_recoverable(m, node))
		return;
	struct machine_array *array = node->array;
	const size_t minimum = array_minimum_successes(spec_of(node), array->size);
	for (bool again = true; again;) {
		const bool unreachable = array->size - array->failed < minimum;
		if (unreachable && (!spec_of(node)->runs_all || array->succeeded + array->failed == array->size)) {
			fail_array(m, node);
			return;
		}
		const size_t failed = array->failed;
		begin_elements(m, node);
		if (array->active > 0)
			machine_set_task(m, node, TASK(RUNNING), NULL);
		advance_elements(m, node);
		if (machine_node_is_finished(node)) { /* its inputs cannot be had any more */
			end_with(m, node, node->row.error);
			return;
		}
		note_counts(node);
		again = array->failed > failed;
	}
	if (array->succeeded + array->failed == array->size)
		succeed_array(m, node);
}

static void array_abort(struct machine *m, struct machine_node *node, const char *reason)
{
	struct progress_task *task = node->row.task;
	if (!node->array || !task)
		return;
	abort_elements(m, node, reason);
	if (task->phase == TASK(FAILED)) /* it is tried again */
		return;
	const struct machine_failure failure = { .code = "NodeAborted", .message = reason };
	task->error = machine_error(m->arena, &failure);
	machine_set_task(m, node, TASK(ABORTED), reason);
}

/* ---- Rows ---- */

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
	struct machine_node *element = add_live_element(m, node, row->index);
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

static int array_resume(struct machine *m, struct machine_node *node, struct err *e)
{
	const struct progress_task *task = node->row.task;
	if (!task)
		return 0;
	open_array(m, node, task->array_size);
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

void machine_array_end_round(struct machine_node *node)
{
	struct machine_array *array = node->array;
	size_t left = 0;
	array->begun_in_round = 0;
	for (size_t i = 0; i < array->live_count; i++) {
		if (machine_node_is_active(array->live[i]))
			array->live[left++] = array->live[i];
	}
	array->live_count = left;
}

const struct machine_kind machine_kind_array = {
	.name = "array node",
	.counts_for_parallelism = true,
	.advance = array_advance,
	.resume = array_resume,
	.abort = array_abort,
};
