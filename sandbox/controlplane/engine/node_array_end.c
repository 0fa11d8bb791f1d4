/*
 * How an array ends: what is known of all its elements is put together, either the messages of those that failed, or
 * the outputs of those that succeeded. What ended in earlier rounds is asked for only now, and what was too large for
 * its row is read again. Large lists become objects of their own, if the platform is told so.
 */
#include "controlplane/engine/node_array.h"

#include "controlplane/compiler/types.h"

/* Bytes of the messages of all elements (upstream's events.MaxErrorMessageLength at v1.16.8). */
#define MESSAGES_MAXIMUM ((size_t)100 * 1024)

/* ---- What has become of them ---- */

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

void array_end_with(struct machine *m, struct machine_node *node, const Flyteidl__Core__ExecutionError *error)
{
	array_abort_elements(m, node, "ArrayNodeFailing");
	node->row.task->error = error;
	machine_set_task(m, node, TASK(FAILED), NULL);
}

void array_fail(struct machine *m, struct machine_node *node)
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
	array_end_with(m, node, node->row.error);
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
	struct machine_node *reader = array_new_element(m, node, index);
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
	for (size_t i = 0; i < array->size && array->reader_count < ARRAY_READ_MAXIMUM; i++) {
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

void array_succeed(struct machine *m, struct machine_node *node)
{
	const struct machine_array *array = node->array;
	struct progress_task *task = node->row.task;
	if (!node->outputs) {
		if (array_has_outputs(node) && (!recall_elements(m, node) || !find_outputs(m, node)))
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
