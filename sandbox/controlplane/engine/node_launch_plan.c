/*
 * Launch plan nodes, by themselves or as elements of an array: the attempt is another execution, with rows, nodes and
 * an end of its own. The node's row is committed before the child is launched, because the child refers to it, and
 * because who aborts the node knows by it that there may be a child. From then on the node looks at its child whenever
 * its execution is woken, and the child's last round wakes it.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"

const char *machine_child_name(struct machine *m, const struct machine_node *node)
{
	return names_child_execution(m->arena, m->definition->name, node->row.node_id, node->row.attempt);
}

static struct machine_failure rejected(struct machine *m, const struct machine_node *node, const char *how)
{
	return (struct machine_failure){
		.budget = POD_FAILURE_PERMANENT,
		.kind = ERROR_KIND(USER),
		.code = "RemoteChildWorkflowExecutionFailed",
		.message = arena_printf(m->arena, "launchplan [%s] %s", machine_child_name(m, node), how),
	};
}

static bool is_committed(const struct machine_node *node)
{
	return node->saved && node->saved_attempt == node->row.attempt;
}

static void set_child(struct machine *m, struct machine_node *node)
{
	node->row.child = proto_new(m->arena, flyteidl__core__workflow_execution_identifier);
	node->row.child->project = arena_strdup(m->arena, m->definition->project);
	node->row.child->domain = arena_strdup(m->arena, m->definition->domain);
	node->row.child->name = arena_strdup(m->arena, machine_child_name(m, node));
}

/* False while the attempt waits for the commit that makes it known. An element's inputs are the array's, and its child
 * has them too. */
static bool begin(struct machine *m, struct machine_node *node)
{
	if (node->row.phase == NODE(QUEUED) && !node->element_of && !machine_write_inputs(m, node))
		return false;
	if (!is_committed(node)) {
		if (node->row.phase == NODE(RUNNING)) /* another attempt */
			set_child(m, node);
		machine_wake_at(m, m->now_ns); /* the next round follows at once */
		return false;
	}
	if (node->row.phase == NODE(QUEUED)) {
		set_child(m, node);
		machine_set_node(m, node, NODE(RUNNING));
	}
	return true;
}

static void succeed(struct machine *m, struct machine_node *node)
{
	node->outputs = node->child.outputs ? node->child.outputs : proto_new(m->arena, flyteidl__core__literal_map);
	if (!machine_write_outputs(m, node))
		return;
	node->outputs_known = true;
	machine_succeed_node(m, node);
}

static void launch_plan_advance(struct machine *m, struct machine_node *node)
{
	if (!node->child.known && !begin(m, node))
		return;
	if (!node->child.known) {
		if (!machine_resolve_inputs(m, node) || !machine_ask(m, node, WANT_CHILD))
			return;
		if (node->failure.budget != POD_FAILURE_NONE) {
			machine_fail_node(m, node, NODE(FAILED), &node->failure);
			return;
		}
		node->child.known = true;
	}
	struct machine_failure failure;
	switch (node->child.phase) {
	case EXECUTION(SUCCEEDED):
		succeed(m, node);
		return;
	case EXECUTION(FAILED):
	case EXECUTION(TIMED_OUT):
		failure = node->child.error ? machine_failure_of(node->child.error) : rejected(m, node, "failed");
		machine_fail_node(m, node, NODE(FAILED), &failure);
		return;
	case EXECUTION(ABORTED):
		failure = rejected(m, node, "aborted");
		machine_fail_node(m, node, NODE(FAILED), &failure);
		return;
	default:
		return;
	}
}

/* Whoever saves the rows aborts the child in the same transaction. */
static void launch_plan_abort(struct machine *m, struct machine_node *node, const char *reason)
{
	if (!is_committed(node)) /* it cannot have been launched */
		return;
	const struct progress_definition *d = m->definition;
	const struct machine_orphan orphan = {
		.name = machine_child_name(m, node),
		.cause =
		        arena_printf(m->arena, "cascading abort as parent execution id [%s:%s:%s] aborted, reason [%s]",
		                     d->project, d->domain, d->name, reason),
	};
	proto_append(m->arena, m->orphan_count, m->orphans, orphan);
}

const struct machine_kind machine_kind_launch_plan = {
	.name = "launch plan node",
	.counts_for_parallelism = true,
	.advance = launch_plan_advance,
	.abort = launch_plan_abort,
};
