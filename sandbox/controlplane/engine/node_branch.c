/*
 * Branch nodes. The nodes of the cases are a scope of their own below the node, as clients expect to find them,
 * although their inputs are bound to nodes around the branch. Which case holds is decided once all inputs of the branch
 * are known (compiler/branch): the others' nodes are skipped, and the outputs of the one that ran are the branch's.
 *
 * The decision is not saved. Until the chosen node has a row it is made again, from the same inputs.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"
#include "controlplane/compiler/branch.h"

static int open_scope(struct machine *m, struct machine_node *node, struct err *e)
{
	return machine_open_scope(m, node, node->vertex->inner, machine_attempt_directory(m, node), e);
}

/* False while the node's inputs are on their way to where clients read them. */
static bool begin(struct machine *m, struct machine_node *node)
{
	auto_err struct err e = ERR_INIT;
	if (!machine_write_inputs(m, node))
		return false;
	node->row.is_parent = true;
	machine_set_node(m, node, NODE(RUNNING));
	return node->inner || open_scope(m, node, &e) == 0; /* a new scope has no rows that could not fit */
}

static void skip_others(struct machine *m, struct machine_node *node, const struct machine_node *chosen)
{
	for (size_t i = 0; i < node->inner->count; i++) {
		if (node->inner->nodes[i] != chosen)
			machine_set_node(m, node->inner->nodes[i], NODE(SKIPPED));
	}
}

/* NULL while the inputs are not known, or when the branch has just failed. */
static struct machine_node *choose(struct machine *m, struct machine_node *node)
{
	auto_err struct err e = ERR_INIT;
	if (!machine_resolve_inputs(m, node))
		return NULL;
	const char *id = branch_decide(node->vertex->node->branch_node, node->inputs, &e);
	struct machine_node *chosen = NULL;
	for (size_t i = 0; id && i < node->inner->count && !chosen; i++) {
		if (text_equal(node->inner->nodes[i]->vertex->id, id))
			chosen = node->inner->nodes[i];
	}
	skip_others(m, node, chosen);
	if (chosen)
		return chosen;
	const struct machine_failure failure = { .budget = POD_FAILURE_PERMANENT,
		                                 .kind = ERROR_KIND(USER),
		                                 .code = arena_strdup(m->arena, err_id(&e)),
		                                 .message = arena_strdup(m->arena, err_message(&e)) };
	machine_fail_node(m, node, NODE(FAILED), &failure);
	return NULL;
}

/* The node of the case that holds: the one that was not skipped, once it has begun. */
static struct machine_node *find_chosen(struct machine *m, struct machine_node *node)
{
	for (size_t i = 0; i < node->inner->count; i++) {
		struct machine_node *child = node->inner->nodes[i];
		if (child->row.phase != NODE(UNDEFINED) && child->row.phase != NODE(SKIPPED))
			return child;
	}
	return choose(m, node);
}

static void branch_advance(struct machine *m, struct machine_node *node)
{
	if ((node->row.phase == NODE(QUEUED) || !node->inner) && !begin(m, node))
		return;
	struct machine_node *chosen = find_chosen(m, node);
	if (!chosen)
		return;
	machine_advance_node(m, chosen);
	switch (chosen->row.phase) {
	case NODE(SUCCEEDED):
	case NODE(RECOVERED):
		machine_succeed_with(m, node, chosen);
		break;
	case NODE(FAILED):
	case NODE(TIMED_OUT): {
		const struct machine_failure failure = machine_failure_of(machine_error_of_node(m, chosen));
		machine_fail_node(m, node, NODE(FAILED), &failure);
		break;
	}
	case NODE(SKIPPED): /* something that only this case needs has failed */
		machine_set_node(m, node, NODE(SKIPPED));
		break;
	default:
		break;
	}
}

static void branch_abort(struct machine *m, struct machine_node *node, const char *reason)
{
	if (node->inner)
		machine_abort_scope(m, node->inner, reason);
}

const struct machine_kind machine_kind_branch = {
	.name = "branch node",
	.advance = branch_advance,
	.resume = open_scope,
	.abort = branch_abort,
};
