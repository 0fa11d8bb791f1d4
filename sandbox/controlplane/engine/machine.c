/*
 * The execution: it begins, its top scope runs, and it ends as that scope does or as its user wants. A step repeats
 * passes over all nodes until a pass changes nothing, so the order of nodes is of no importance. How nodes of a scope
 * follow each other is in machine_scope.c, what a node does once it runs in its kind's file; phases and their
 * bookkeeping are in machine_phases.c.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"

static void fail_execution(struct machine *m, const Flyteidl__Core__ExecutionError *error)
{
	m->execution.error = error;
	machine_set_execution(m, EXECUTION(FAILING));
}

static void begin_execution(struct machine *m)
{
	if (m->top.graph->unsupported) {
		const struct machine_failure failure = {
			.kind = ERROR_KIND(SYSTEM),
			.code = "UnsupportedNode",
			.message = arena_printf(m->arena, "%s, which this version of the sandbox cannot run",
			                        m->top.graph->unsupported),
		};
		fail_execution(m, machine_error(m->arena, &failure));
		machine_set_execution(m, EXECUTION(FAILED)); /* nothing has begun that a failure node could clean up */
		return;
	}
	machine_set_execution(m, EXECUTION(RUNNING));
}

static void count_running_nodes(struct machine *m)
{
	m->running = 0;
	for (size_t i = 0; i < m->node_count; i++) {
		const struct machine_node *node = m->nodes[i];
		/* What is around other nodes would keep its own children waiting. */
		if (machine_node_is_active(node) && !node->element_of && node->row.phase != NODE(DYNAMIC_RUNNING) &&
		    node->vertex->kind && node->vertex->kind->counts_for_parallelism)
			m->running++;
	}
}

/* RUNNING and FAILING: the top scope decides. */
static void run_execution(struct machine *m)
{
	struct machine_node *end = m->top.nodes[m->top.graph->end];
	count_running_nodes(m);
	switch (machine_run_scope(m, &m->top)) {
	case SCOPE_RUNS:
		break;
	case SCOPE_SUCCEEDED:
		if (!machine_find_outputs(m, end, end))
			break;
		m->execution.outputs = end->outputs;
		m->execution.outputs_uri = end->row.outputs_uri;
		machine_set_execution(m, EXECUTION(SUCCEEDING));
		break;
	case SCOPE_FAILS:
		fail_execution(m, m->top.error);
		break;
	case SCOPE_FAILED:
		if (m->execution.phase == EXECUTION(FAILING))
			machine_set_execution(m, EXECUTION(FAILED));
		else
			fail_execution(m, m->top.error);
		break;
	}
}

static void step_once(struct machine *m)
{
	switch (m->execution.phase) {
	case EXECUTION(UNDEFINED):
	case EXECUTION(QUEUED):
		begin_execution(m);
		break;
	case EXECUTION(RUNNING):
		run_execution(m);
		break;
	case EXECUTION(SUCCEEDING):
		machine_set_execution(m, EXECUTION(SUCCEEDED));
		break;
	case EXECUTION(FAILING):
		machine_set_scope_failing(&m->top, m->execution.error);
		run_execution(m);
		break;
	case EXECUTION(ABORTING):
		machine_abort_scope(m, &m->top,
		                    text_is_empty(m->execution.abort_cause) ? "Execution aborted."
		                                                            : m->execution.abort_cause);
		machine_set_execution(m, EXECUTION(ABORTED));
		break;
	default:
		break;
	}
}

void machine_step(struct machine *m)
{
	m->wake_at_ns = 0;
	do {
		m->changed = false;
		step_once(m);
	} while (m->changed);
}

/* ---- Setting up ---- */

static int compare_rows(const void *a, const void *b)
{
	const struct progress_node *x = *(const struct progress_node *const *)a;
	const struct progress_node *y = *(const struct progress_node *const *)b;
	if (x->parent_row_id != y->parent_row_id)
		return x->parent_row_id < y->parent_row_id ? -1 : 1;
	return x < y ? -1 : x > y; /* as they came */
}

static void keep_rows(struct machine *m, const struct progress_nodes *rows)
{
	m->saved = arena_array(m->arena, const struct progress_node *, rows->count);
	m->saved_count = rows->count;
	for (size_t i = 0; i < rows->count; i++)
		m->saved[i] = &rows->nodes[i];
	if (rows->count > 1)
		qsort(m->saved, m->saved_count, sizeof(*m->saved), compare_rows);
}

int machine_init(struct machine *m, struct arena *arena, const struct machine_options *options,
                 const struct progress_definition *definition, const struct machine_graph *graph,
                 const struct progress_execution *execution, const struct progress_nodes *rows, int64_t now_ns,
                 struct err *e)
{
	*m = (struct machine){
		.arena = arena, .options = options, .definition = definition, .execution = *execution, .now_ns = now_ns
	};
	m->namespace = arena_printf(arena, "%s-%s", definition->project, definition->domain);
	keep_rows(m, rows);
	const char *directory = arena_printf(arena, "%s/%s-%s-%s", options->metadata_prefix, definition->project,
	                                     definition->domain, definition->name);
	m->top.inputs = definition->inputs;
	if (machine_open_scope(m, NULL, graph, directory, e) < 0)
		return err_wrap(e, "execution \"%s\"", definition->name);
	return 0;
}
