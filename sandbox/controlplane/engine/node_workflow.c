/*
 * Sub-workflow nodes: the workflow runs in the same execution, as a scope below the node. The node's inputs are the
 * workflow's, the end node's outputs are the node's, and the failure that decides the workflow is the node's. Upstream
 * does not try a sub-workflow a second time, whatever retries its node has: its tasks have their own.
 */
#include "controlplane/engine/machine.h"

static int open_scope(struct machine *m, struct machine_node *node, struct err *e)
{
	if (machine_open_scope(m, node, node->vertex->inner, machine_attempt_directory(m, node), e) < 0)
		return -1;
	if (node->row.phase == NODE(FAILING))
		machine_set_scope_failing(node->inner, node->row.error);
	return 0;
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

/* What the start node puts out; later rounds no longer need it. False while it is not known, or when the node has just
 * failed for it. */
static bool give_inputs(struct machine *m, struct machine_node *node)
{
	struct machine_scope *scope = node->inner;
	if (machine_node_is_finished(scope->nodes[scope->graph->start]))
		return true;
	if (!machine_resolve_inputs(m, node))
		return false;
	scope->inputs = node->inputs;
	return true;
}

static void workflow_advance(struct machine *m, struct machine_node *node)
{
	if (((node->row.phase == NODE(QUEUED) || !node->inner) && !begin(m, node)) || !give_inputs(m, node))
		return;
	switch (machine_run_scope(m, node->inner)) {
	case SCOPE_RUNS:
		break;
	case SCOPE_SUCCEEDED:
		machine_succeed_with(m, node, node->inner->nodes[node->inner->graph->end]);
		break;
	case SCOPE_FAILS:
		node->row.error = node->inner->error;
		machine_set_node(m, node, NODE(FAILING));
		break;
	case SCOPE_FAILED: {
		const struct machine_failure failure = machine_failure_of(node->inner->error);
		machine_fail_node(m, node, NODE(FAILED), &failure);
		break;
	}
	}
}

static void workflow_abort(struct machine *m, struct machine_node *node, const char *reason)
{
	if (node->inner)
		machine_abort_scope(m, node->inner, reason);
}

const struct machine_kind machine_kind_workflow = {
	.name = "sub-workflow node",
	.advance = workflow_advance,
	.resume = open_scope,
	.abort = workflow_abort,
};
