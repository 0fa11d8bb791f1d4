/*
 * Recovery: an execution that takes over from an earlier one what succeeded there. A node that may begin looks for its
 * row in the earlier execution, by its id, which is the same as long as it was reached in the same way; if it SUCCEEDED
 * there, or was RECOVERED, its outputs are copied and it is RECOVERED, as a whole, whatever it contains. A node that
 * failed there runs again, in its parts the same rule applies, elements of arrays (node_array.c) among them; a task
 * that left a checkpoint goes on from it. The failure node always runs: it reacts to what fails now.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"

static void take_over(struct machine *m, struct machine_node *node)
{
	if (!machine_resolve_inputs(m, node))
		return;
	node->row.inputs = node->inputs;
	node->row.inputs_uri = arena_printf(m->arena, "%s/inputs.pb", node->directory);
	if (!node->recovery.inputs_written && !machine_ask(m, node, WANT_WRITE_INPUTS))
		return;
	node->recovery.inputs_written = true;
	if (!machine_write_outputs(m, node))
		return;
	node->row.deck_uri = node->recovery.deck_uri;
	node->row.outputs = node->outputs;
	node->row.created_at_ns = node->row.started_at_ns = m->now_ns;
	node->outputs_known = true;
	machine_set_node(m, node, NODE(RECOVERED));
}

/* A failure node, or what it contains. */
static bool is_for_failures(const struct machine_node *node)
{
	for (; node; node = node->scope->parent) {
		if (node == node->scope->on_failure)
			return true;
	}
	return false;
}

bool machine_is_recovering(const struct machine *m, const struct machine_node *node)
{
	return m->definition->recovered_id && !is_for_failures(node);
}

bool machine_recover_node(struct machine *m, struct machine_node *node)
{
	if (!machine_is_recovering(m, node))
		return false;
	if (!node->recovery.answered && !machine_ask(m, node, WANT_RECOVERED))
		return true;
	node->recovery.answered = true;
	if (node->recovery.phase == NODE(SUCCEEDED) || node->recovery.phase == NODE(RECOVERED)) {
		take_over(m, node);
		return true;
	}
	node->outputs = NULL; /* of a node that did not succeed */
	if (!text_is_empty(node->recovery.checkpoint_uri))
		node->row.previous_checkpoint_uri = node->recovery.checkpoint_uri;
	return false;
}
