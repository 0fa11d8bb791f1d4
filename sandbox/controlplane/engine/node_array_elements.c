/*
 * The elements of an array while they are under way. They are nodes as any other, there are only so many at a time, and
 * one that is over becomes a line of the array's record. In an execution that recovers another, those that had
 * succeeded there are taken over one by one.
 */
#include "controlplane/engine/node_array.h"

/* Elements that begin in one round: the others begin in the next, which follows at once, so that what began is
 * committed and other executions get their turn. */
#define BEGIN_MAXIMUM 100

/* ---- Places ---- */

/* The place of each attempt's results: flytekit's older map tasks append the index themselves, so there the attempt
 * comes before it. */
const char *machine_element_directory(struct machine *m, const struct machine_node *element)
{
	const char *array = element->scope->directory;
	if (array_spec_of(element->element_of)->legacy)
		return arena_printf(m->arena, "%s/%" PRIu32 "/%" PRIu32, array, element->row.attempt, element->index);
	return arena_printf(m->arena, "%s/%" PRIu32 "/%" PRIu32, array, element->index, element->row.attempt);
}

const char *machine_output_prefix(struct machine *m, const struct machine_node *node)
{
	if (node->element_of && array_spec_of(node->element_of)->legacy)
		return arena_printf(m->arena, "%s/%" PRIu32, node->scope->directory, node->row.attempt);
	return machine_attempt_directory(m, node);
}

struct machine_node *array_new_element(struct machine *m, struct machine_node *node, uint32_t index)
{
	struct machine_node *element = arena_new(m->arena, struct machine_node);
	const char *id = arena_printf(m->arena, "n%" PRIu32, index);
	*element = (struct machine_node){
		.vertex = array_element_vertex(node),
		.scope = node->inner,
		.element_of = node,
		.index = index,
		.directory = arena_printf(m->arena, "%s/%" PRIu32, node->inner->directory, index),
		.row = { .node_id = names_node_execution(m->arena, node->row.node_id, node->row.attempt, id),
		         .spec_node_id = id,
		         .node_name = "",
		         .retry_group = "",
		         .inputs_uri =
		                 array_spec_of(node)->own_inputs
		                         ? arena_printf(m->arena, "%s/%" PRIu32 "/0/inputs.pb", node->directory, index)
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

struct machine_node *array_add_live(struct machine *m, struct machine_node *node, uint32_t index)
{
	struct machine_array *array = node->array;
	struct machine_node *element = array_new_element(m, node, index);
	proto_append(m->arena, array->live_count, array->live, element);
	array->elements[index].state = ELEMENT_ACTIVE;
	array->active++;
	return element;
}

void array_begin_elements(struct machine *m, struct machine_node *node)
{
	struct machine_array *array = node->array;
	size_t limit = m->options->array_parallelism;
	if (array_spec_of(node)->parallelism > 0 && array_spec_of(node)->parallelism < limit)
		limit = array_spec_of(node)->parallelism;
	while (array->begun < array->size && array->active < limit) {
		if (array->begun_in_round == BEGIN_MAXIMUM) {
			machine_wake_at(m, m->now_ns);
			return;
		}
		struct machine_node *element = array_add_live(m, node, (uint32_t)array->begun++);
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

static bool is_untried(const struct machine_node *element)
{
	return element->row.phase == NODE(QUEUED) && element->row.attempt == 0 && !element->row.task;
}

bool array_find_recoverable(struct machine *m, struct machine_node *node)
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
	if (!element->outputs && array_has_outputs(node)) {
		element->row.outputs_uri =
		        array_spec_of(node)->legacy
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

void array_advance_elements(struct machine *m, struct machine_node *node)
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

void array_abort_elements(struct machine *m, struct machine_node *node, const char *reason)
{
	for (size_t i = 0; i < node->array->live_count; i++) {
		struct machine_node *element = node->array->live[i];
		if (!machine_node_is_active(element))
			continue;
		machine_abort_node(m, element, reason);
		node->array->active--;
	}
}
