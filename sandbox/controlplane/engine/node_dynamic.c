/*
 * Dynamic tasks: the task's pod has written which nodes it wants run (futures.pb) instead of outputs. These are
 * compiled into a workflow, which runs as a scope below the node — phase DYNAMIC_RUNNING — as a sub-workflow does. The
 * compiled closure is kept in the node's row, so that it is compiled once an attempt.
 *
 * A node of it that fails fails the task for good, as upstream; only a time-out of one is tried again, with a new pod.
 * While what it has made runs, the task is none of the nodes that count for max_parallelism: before its next attempt it
 * has to wait for a place among them. Until then it is DYNAMIC_RUNNING, without an attempt.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"
#include "controlplane/engine/dynamic.h"

int machine_resume_dynamic(struct machine *m, struct machine_node *node, struct err *e)
{
	if (node->row.phase != NODE(DYNAMIC_RUNNING) || !node->row.task)
		return 0;
	if (!node->row.dynamic_graph)
		return err_set(e, ERR_INTERNAL, NULL, "the workflow of dynamic node \"%s\" is missing",
		               node->row.node_id);
	return machine_open_scope(m, node, node->row.dynamic_graph, machine_attempt_directory(m, node), e);
}

static unsigned depth_of(const struct machine_node *node)
{
	unsigned depth = 0;
	for (const struct machine_scope *scope = node->scope; scope->parent; scope = scope->parent->scope)
		depth++;
	return depth;
}

static void fail_build(struct machine *m, struct machine_node *node, const char *message)
{
	const struct machine_failure failure = { .budget = POD_FAILURE_PERMANENT,
		                                 .kind = ERROR_KIND(USER),
		                                 .code = "DynamicWorkflowBuildFailed",
		                                 .message = message };
	machine_fail_attempt(m, node, &failure);
}

/* Whether all of it can be run, as graph.c finds out; NULL with the attempt failed. */
static const struct machine_graph *build_graph(struct machine *m, struct machine_node *node)
{
	auto_err struct err e = ERR_INIT;
	struct machine_graph *graph = arena_new(m->arena, struct machine_graph);
	if (machine_graph_build(m->arena, node->dynamic, graph, &e) < 0) {
		fail_build(m, node, arena_strdup(m->arena, err_message(&e)));
		return NULL;
	}
	if (graph->unsupported) {
		fail_build(
		        m, node,
		        arena_printf(m->arena, "%s, which this version of the sandbox cannot run", graph->unsupported));
		return NULL;
	}
	return graph;
}

void machine_begin_dynamic(struct machine *m, struct machine_node *node)
{
	auto_err struct err e = ERR_INIT;
	if (node->element_of) {
		fail_build(m, node, "an element of a map task cannot be a dynamic task");
		return;
	}
	if (depth_of(node) >= DYNAMIC_DEPTH_MAXIMUM) {
		fail_build(m, node,
		           arena_printf(m->arena, "dynamic tasks and sub-workflows are nested deeper than %d levels",
		                        DYNAMIC_DEPTH_MAXIMUM));
		return;
	}
	if (!node->dynamic) {
		if (!machine_ask(m, node, WANT_DYNAMIC))
			return;
		if (node->failure.budget != POD_FAILURE_NONE) {
			machine_fail_attempt(m, node, &node->failure);
			return;
		}
	}
	node->row.dynamic_workflow_uri =
	        arena_printf(m->arena, "%s/dynamic_compiled.pb", machine_attempt_directory(m, node));
	if (!machine_ask(m, node, WANT_WRITE_DYNAMIC))
		return;
	const struct machine_graph *graph = build_graph(m, node);
	if (!graph)
		return;
	machine_set_task(m, node, TASK(SUCCEEDED), NULL);
	node->row.is_parent = node->row.is_dynamic = true;
	node->row.dynamic = node->dynamic;
	node->row.dynamic_graph = graph;
	machine_set_node(m, node, NODE(DYNAMIC_RUNNING));
	/* Without rows that could not fit: the attempt is new. */
	(void)machine_open_scope(m, node, graph, machine_attempt_directory(m, node), &e);
}

static void fail(struct machine *m, struct machine_node *node)
{
	const struct machine_scope *scope = node->inner;
	struct machine_failure failure = machine_failure_of(scope->error);
	if (scope->failed && scope->failed->row.phase == NODE(TIMED_OUT))
		failure.budget = POD_FAILURE_USER;
	machine_fail_attempt(m, node, &failure);
}

void machine_advance_dynamic(struct machine *m, struct machine_node *node)
{
	if (!node->row.task) {
		if (machine_takes_place(m, node))
			machine_set_node(m, node, NODE(RUNNING));
		return;
	}
	switch (machine_run_scope(m, node->inner)) {
	case SCOPE_RUNS:
		break;
	case SCOPE_SUCCEEDED:
		machine_succeed_with(m, node, node->inner->nodes[node->inner->graph->end]);
		if (node->row.phase == NODE(SUCCEEDED))
			machine_keep_in_cache(m, node);
		break;
	case SCOPE_FAILS: /* there are no failure nodes in what a task makes */
	case SCOPE_FAILED:
		fail(m, node);
		break;
	}
}
