/*
 * The machine's loop: nodes begin when everything upstream has succeeded, are moved on by their kind while they are
 * active, and the execution follows from its nodes. A step repeats passes over all nodes until a pass changes nothing,
 * so the order of nodes is of no importance. What a node does once it runs is in its kind's file; phases and their
 * bookkeeping are in machine_phases.c.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"

static bool fails_immediately(const struct machine *m)
{
	const Flyteidl__Core__WorkflowMetadata *metadata = m->top.graph->workflow->template_->metadata;
	return !metadata ||
	       metadata->on_failure == FLYTEIDL__CORE__WORKFLOW_METADATA__ON_FAILURE_POLICY__FAIL_IMMEDIATELY;
}

static void fail_execution(struct machine *m, const Flyteidl__Core__ExecutionError *error)
{
	m->execution.error = error;
	machine_set_execution(m, EXECUTION(FAILING));
}

/* ---- Beginning a node ---- */

enum readiness { NOT_READY, READY, TO_BE_SKIPPED };

static enum readiness node_readiness(const struct machine_node *node)
{
	bool skipped = false;
	for (size_t i = 0; i < node->vertex->upstream_count; i++) {
		switch (node->scope->nodes[node->vertex->upstream[i]]->row.phase) {
		case NODE(SUCCEEDED):
		case NODE(RECOVERED):
			break;
		case NODE(FAILED):
		case NODE(TIMED_OUT):
		case NODE(SKIPPED):
		case NODE(ABORTED):
			skipped = true;
			break;
		default:
			return NOT_READY;
		}
	}
	return skipped ? TO_BE_SKIPPED : READY;
}

static bool is_start(const struct machine_node *node)
{
	return node->vertex == &node->scope->graph->vertices[node->scope->graph->start];
}

static bool is_end(const struct machine_node *node)
{
	return node->vertex == &node->scope->graph->vertices[node->scope->graph->end];
}

/* The bindings of a node are resolved from what its sources have put out; for the end node they are the workflow's
 * outputs. */
bool machine_resolve_inputs(struct machine *m, struct machine_node *node)
{
	if (node->inputs)
		return true;
	struct machine_scope *scope = node->scope;
	bool complete = true;
	for (size_t i = 0; i < node->vertex->source_count; i++) {
		struct machine_node *source = scope->nodes[node->vertex->sources[i]];
		if (source->outputs_known)
			continue;
		/* The edges say so too; but a node that still wants things itself must not be asked for others in
		 * between. */
		if (!machine_node_is_finished(source)) {
			complete = false;
			continue;
		}
		if (!machine_ask(m, source, WANT_OUTPUTS)) {
			complete = false;
		} else if (source->failure.budget != POD_FAILURE_NONE) {
			machine_fail_node(m, node, NODE(FAILED), &source->failure);
			return false;
		} else {
			source->outputs_known = true;
		}
	}
	if (!complete)
		return false;
	const Flyteidl__Core__WorkflowTemplate *template = scope->graph->workflow->template_;
	const size_t count = is_end(node) ? template->n_outputs : node->vertex->node->n_inputs;
	Flyteidl__Core__Binding *const *bindings = is_end(node) ? template->outputs : node->vertex->node->inputs;
	auto_err struct err e = ERR_INIT;
	node->inputs = machine_resolve_bindings(m, scope, bindings, count, &e);
	if (!node->inputs) {
		const struct machine_failure failure = { .budget = POD_FAILURE_PERMANENT,
			                                 .kind = ERROR_KIND(SYSTEM),
			                                 .code = "BindingResolutionFailure",
			                                 .message = arena_strdup(m->arena, err_message(&e)) };
		machine_fail_node(m, node, NODE(FAILED), &failure);
		return false;
	}
	return true;
}

static const char *outputs_uri(struct machine *m, const struct machine_node *node)
{
	return arena_printf(m->arena, "%s/%" PRIu32 "/outputs.pb", node->directory, node->row.attempt);
}

/* The start node puts out the workflow's inputs. False while they are not known. */
static bool find_start_outputs(struct machine *m, struct machine_node *node)
{
	struct machine_scope *scope = node->scope;
	if (!scope->inputs && !text_is_empty(m->definition->inputs_uri)) {
		if (!machine_ask(m, node, WANT_INPUTS_READ))
			return false;
		if (node->failure.budget != POD_FAILURE_NONE) {
			machine_fail_node(m, node, NODE(FAILED), &node->failure);
			return false;
		}
		scope->inputs = node->outputs;
	}
	node->outputs = scope->inputs;
	return true;
}

/* The end node puts out what the workflow's outputs are bound to. */
static bool find_end_outputs(struct machine *m, struct machine_node *node)
{
	if (!machine_resolve_inputs(m, node))
		return false;
	node->row.inputs = node->inputs;
	node->outputs = node->inputs;
	return true;
}

/* Start and end nodes run nothing: they only put down what comes in or goes out, if it is anything. */
static void advance_boundary_node(struct machine *m, struct machine_node *node)
{
	if (!(is_start(node) ? find_start_outputs(m, node) : find_end_outputs(m, node)))
		return;
	if (node->outputs && node->outputs->n_literals > 0) {
		node->row.outputs_uri = outputs_uri(m, node);
		if (!machine_ask(m, node, WANT_WRITE))
			return;
	}
	node->outputs_known = true;
	machine_succeed_node(m, node);
}

static void begin_node(struct machine *m, struct machine_node *node)
{
	const enum readiness readiness = is_start(node) ? READY : node_readiness(node);
	if (readiness == NOT_READY)
		return;
	if (readiness == TO_BE_SKIPPED) {
		machine_set_node(m, node, NODE(SKIPPED));
		return;
	}
	if (!node->vertex->kind) {
		machine_set_node(m, node, NODE(QUEUED));
		return;
	}
	const bool counts = node->vertex->kind->counts_for_parallelism;
	const int32_t maximum = m->definition->spec->max_parallelism;
	if (counts && maximum > 0 && m->running >= (uint32_t)maximum)
		return;
	if (!machine_resolve_inputs(m, node))
		return;
	node->row.inputs = node->inputs;
	node->row.inputs_uri = arena_printf(m->arena, "%s/inputs.pb", node->directory);
	machine_set_node(m, node, NODE(QUEUED));
	if (counts)
		m->running++;
}

/* ---- The execution ---- */

static void advance_nodes(struct machine *m)
{
	m->running = 0;
	for (size_t i = 0; i < m->top.graph->count; i++) {
		const struct machine_node *node = m->top.nodes[i];
		if (machine_node_is_active(node) && node->vertex->kind && node->vertex->kind->counts_for_parallelism)
			m->running++;
	}
	for (size_t i = 0; i < m->top.graph->count; i++) {
		struct machine_node *node = m->top.nodes[i];
		if (node->row.phase == NODE(UNDEFINED) && !(m->failed && fails_immediately(m)))
			begin_node(m, node);
		if (machine_node_is_active(node)) {
			if (node->vertex->kind)
				node->vertex->kind->advance(m, node);
			else
				advance_boundary_node(m, node);
		}
	}
}

static bool all_nodes_finished(const struct machine *m)
{
	for (size_t i = 0; i < m->top.graph->count; i++) {
		if (!machine_node_is_finished(m->top.nodes[i]))
			return false;
	}
	return true;
}

/* Nothing runs, nothing is wanted, nothing is due: without this the execution would stay RUNNING for ever. */
static bool is_stuck(const struct machine *m)
{
	for (size_t i = 0; i < m->top.graph->count; i++) {
		if (machine_node_is_active(m->top.nodes[i]) || m->top.nodes[i]->want != WANT_NOTHING)
			return false;
	}
	return !m->changed;
}

static const Flyteidl__Core__ExecutionError *execution_error(struct machine *m)
{
	if (m->failed->row.phase == NODE(TIMED_OUT))
		return machine_error(m->arena, &(struct machine_failure){ .kind = ERROR_KIND(USER),
		                                                          .code = "Timeout",
		                                                          .message = "Timeout in node" });
	return m->failed->row.error;
}

static void run_execution(struct machine *m)
{
	advance_nodes(m);
	const struct machine_node *end = m->top.nodes[m->top.graph->end];
	if (m->failed && (fails_immediately(m) || all_nodes_finished(m))) {
		fail_execution(m, execution_error(m));
	} else if (end->row.phase == NODE(SUCCEEDED) && all_nodes_finished(m)) {
		m->execution.outputs = end->outputs;
		m->execution.outputs_uri = end->row.outputs_uri;
		machine_set_execution(m, EXECUTION(SUCCEEDING));
	} else if (is_stuck(m)) {
		fail_execution(m, machine_error(m->arena, &(struct machine_failure){
		                                                  .kind = ERROR_KIND(SYSTEM),
		                                                  .code = "IllegalStateError",
		                                                  .message = "no node of the workflow can go on" }));
	}
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
		return;
	}
	machine_set_execution(m, EXECUTION(RUNNING));
}

static void abort_nodes(struct machine *m, const char *reason)
{
	for (size_t i = 0; i < m->top.graph->count; i++) {
		struct machine_node *node = m->top.nodes[i];
		if (!machine_node_is_active(node))
			continue;
		node->want = WANT_NOTHING;
		if (node->vertex->kind)
			node->vertex->kind->abort(m, node, reason);
		const struct machine_failure failure = { .code = "NodeAborted", .message = reason };
		node->row.error = machine_error(m->arena, &failure);
		machine_set_node(m, node, NODE(ABORTED));
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
		abort_nodes(m, "Some node execution failed, auto-abort.");
		machine_set_execution(m, EXECUTION(FAILED));
		break;
	case EXECUTION(ABORTING):
		abort_nodes(m,
		            text_is_empty(m->execution.abort_cause) ? "Execution aborted." : m->execution.abort_cause);
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

static struct machine_node *find_node(const struct machine_scope *scope, const char *node_id)
{
	for (size_t i = 0; i < scope->graph->count; i++) {
		if (text_equal(scope->nodes[i]->row.node_id, node_id))
			return scope->nodes[i];
	}
	return NULL;
}

/* Of several failed nodes the last one decides, as upstream reports it; with FAIL_IMMEDIATELY there is one. */
static void find_failed_node(struct machine *m)
{
	for (size_t i = 0; i < m->top.graph->count; i++) {
		struct machine_node *node = m->top.nodes[i];
		if ((node->row.phase == NODE(FAILED) || node->row.phase == NODE(TIMED_OUT)) &&
		    (!m->failed || m->failed->row.ended_at_ns <= node->row.ended_at_ns))
			m->failed = node;
	}
}

static void open_scope(struct machine *m, struct machine_scope *scope)
{
	scope->nodes = arena_array(m->arena, struct machine_node *, scope->graph->count);
	for (size_t i = 0; i < scope->graph->count; i++) {
		const struct machine_vertex *vertex = &scope->graph->vertices[i];
		struct machine_node *node = arena_new(m->arena, struct machine_node);
		const char *parent = scope->parent ? scope->parent->row.node_id : NULL;
		*node = (struct machine_node){
			.vertex = vertex,
			.scope = scope,
			.directory = arena_printf(m->arena, "%s/%s/data", scope->directory, vertex->id),
			.row = { .node_id = names_node_execution(m->arena, parent, scope->parent_attempt, vertex->id),
			         .spec_node_id = vertex->id,
			         .parent_row_id = scope->parent ? scope->parent->row.row_id : 0,
			         .node_name = vertex->node->metadata ? vertex->node->metadata->name : "",
			         .retry_group = "",
			         .inputs_uri = "",
			         .outputs_uri = "",
			         .deck_uri = "",
			         .checkpoint_uri = "" },
		};
		scope->nodes[i] = node;
	}
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
	m->top = (struct machine_scope){
		.graph = graph,
		.directory = arena_printf(arena, "%s/%s-%s-%s", options->metadata_prefix, definition->project,
		                          definition->domain, definition->name),
		.inputs = definition->inputs,
	};
	open_scope(m, &m->top);
	for (size_t i = 0; i < rows->count; i++) {
		struct machine_node *node = find_node(&m->top, rows->nodes[i].node_id);
		if (!node)
			return err_set(e, ERR_INTERNAL, NULL,
			               "execution \"%s\" has a row for node \"%s\", which its workflow has not",
			               definition->name, rows->nodes[i].node_id);
		const char *spec_node_id = node->row.spec_node_id;
		node->row = rows->nodes[i];
		node->row.spec_node_id = spec_node_id;
		if (is_start(node) && m->top.inputs) {
			node->outputs = m->top.inputs;
			node->outputs_known = true;
		}
	}
	find_failed_node(m);
	return 0;
}
