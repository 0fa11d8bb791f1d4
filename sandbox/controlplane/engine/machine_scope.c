/*
 * Scopes: running instances of graphs. Nodes begin when everything upstream has succeeded and are moved on by their
 * kind while they are active; what becomes of the scope follows from its nodes and the workflow's failure policy. The
 * same code runs the execution's own workflow and every workflow inside a node.
 *
 * A scope is opened for one attempt of its parent. Its nodes' rows say so by parent_row_id and retry_group; the rows of
 * earlier attempts stay in the database as they ended.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"

static bool fails_immediately(const struct machine_scope *scope)
{
	const Flyteidl__Core__WorkflowMetadata *metadata = scope->graph->workflow->template_->metadata;
	return !metadata ||
	       metadata->on_failure == FLYTEIDL__CORE__WORKFLOW_METADATA__ON_FAILURE_POLICY__FAIL_IMMEDIATELY;
}

/* ---- Beginning a node ---- */

enum readiness { NOT_READY, READY, TO_BE_SKIPPED };

static enum readiness node_readiness(const struct machine_node *node)
{
	bool skipped = false;
	for (size_t i = 0; i < node->vertex->upstream_count; i++) {
		switch (node->scope->sources->nodes[node->vertex->upstream[i]]->row.phase) {
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

static bool is_at(const struct machine_node *node, size_t index)
{
	return index < node->scope->count && node->scope->nodes[index] == node;
}

static bool is_start(const struct machine_node *node)
{
	return is_at(node, node->scope->graph->start);
}

static bool is_end(const struct machine_node *node)
{
	return is_at(node, node->scope->graph->end);
}

bool machine_find_outputs(struct machine *m, struct machine_node *source, struct machine_node *failed_for)
{
	if (source->outputs_known)
		return true;
	if (!machine_ask(m, source, WANT_OUTPUTS))
		return false;
	if (source->failure.budget != POD_FAILURE_NONE) {
		machine_fail_node(m, failed_for, NODE(FAILED), &source->failure);
		return false;
	}
	source->outputs_known = true;
	return true;
}

/* The bindings of a node are resolved from what its sources have put out; for the end node they are the workflow's
 * outputs. */
bool machine_resolve_inputs(struct machine *m, struct machine_node *node)
{
	if (node->inputs)
		return true;
	if (node->element_of)
		return machine_resolve_element(m, node);
	struct machine_scope *scope = node->scope->sources;
	bool complete = true;
	for (size_t i = 0; i < node->vertex->source_count; i++) {
		struct machine_node *source = scope->nodes[node->vertex->sources[i]];
		/* The edges say so too; but a node that still wants things itself must not be asked for others in
		 * between. */
		if (source->outputs_known ||
		    (machine_node_is_finished(source) && machine_find_outputs(m, source, node)))
			continue;
		if (machine_node_is_finished(node))
			return false;
		complete = false;
	}
	if (!complete)
		return false;
	const Flyteidl__Core__WorkflowTemplate *template = scope->graph->workflow->template_;
	const size_t count = is_end(node) ? template->n_outputs : node->vertex->node->n_inputs;
	Flyteidl__Core__Binding *const *bindings = is_end(node) ? template->outputs : node->vertex->node->inputs;
	auto_err struct err e = ERR_INIT;
	node->inputs = machine_resolve_bindings(m, node, bindings, count, &e);
	if (!node->inputs && e.kind == ERR_UNAVAILABLE)
		return false;
	if (!node->inputs) {
		const struct machine_failure failure = { .budget = POD_FAILURE_PERMANENT,
			                                 .kind = ERROR_KIND(SYSTEM),
			                                 .code = "BindingResolutionFailure",
			                                 .message = arena_strdup(m->arena, err_message(&e)) };
		machine_fail_node(m, node, NODE(FAILED), &failure);
		return false;
	}
	if (node == scope->on_failure)
		node->inputs = machine_failure_inputs(m->arena, scope, node->inputs);
	return true;
}

bool machine_write_inputs(struct machine *m, struct machine_node *node)
{
	return machine_resolve_inputs(m, node) && machine_ask(m, node, WANT_WRITE_INPUTS);
}

const char *machine_attempt_directory(struct machine *m, const struct machine_node *node)
{
	if (node->element_of)
		return machine_element_directory(m, node);
	return arena_printf(m->arena, "%s/%" PRIu32, node->directory, node->row.attempt);
}

void machine_succeed_with(struct machine *m, struct machine_node *node, struct machine_node *source)
{
	if (!machine_find_outputs(m, source, node))
		return;
	node->outputs = source->outputs;
	if (!machine_write_outputs(m, node))
		return;
	node->outputs_known = true;
	machine_succeed_node(m, node);
}

bool machine_write_outputs(struct machine *m, struct machine_node *node)
{
	if (!node->outputs || node->outputs->n_literals == 0)
		return true;
	node->row.outputs_uri = arena_printf(m->arena, "%s/outputs.pb", machine_attempt_directory(m, node));
	return machine_ask(m, node, WANT_WRITE);
}

/* The start node puts out the scope's inputs, which a node that contains the scope has given it. False while they are
 * not known. */
static bool find_start_outputs(struct machine *m, struct machine_node *node)
{
	struct machine_scope *scope = node->scope;
	if (!scope->inputs && !scope->parent && !text_is_empty(m->definition->inputs_uri)) {
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
	if (!(is_start(node) ? find_start_outputs(m, node) : find_end_outputs(m, node)) ||
	    !machine_write_outputs(m, node))
		return;
	node->outputs_known = true;
	machine_succeed_node(m, node);
}

static bool has_place(const struct machine *m, const struct machine_node *node)
{
	const int32_t maximum = m->definition->spec->max_parallelism;
	return !node->vertex->kind->counts_for_parallelism || maximum <= 0 || m->running < (uint32_t)maximum;
}

bool machine_takes_place(struct machine *m, const struct machine_node *node)
{
	if (!has_place(m, node))
		return false;
	if (node->vertex->kind->counts_for_parallelism)
		m->running++;
	return true;
}

void machine_queue_node(struct machine *m, struct machine_node *node)
{
	if (!has_place(m, node)) {
		node->scope->held_back = true;
		return;
	}
	if (!machine_resolve_inputs(m, node))
		return;
	node->row.inputs = node->inputs;
	node->row.inputs_uri = arena_printf(m->arena, "%s/inputs.pb", node->directory);
	machine_set_node(m, node, NODE(QUEUED));
	(void)machine_takes_place(m, node);
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
	if (!machine_recover_node(m, node))
		machine_queue_node(m, node);
}

/* ---- Running a scope ---- */

static void advance_active(struct machine *m, struct machine_node *node)
{
	if (!machine_node_is_active(node))
		return;
	if (node->vertex->kind)
		machine_move_node(m, node);
	else
		advance_boundary_node(m, node);
}

void machine_advance_node(struct machine *m, struct machine_node *node)
{
	if (node->row.phase == NODE(UNDEFINED))
		begin_node(m, node);
	advance_active(m, node);
}

static void advance_nodes(struct machine *m, struct machine_scope *scope)
{
	scope->held_back = false;
	for (size_t i = 0; i < scope->count; i++) {
		if (scope->failed && fails_immediately(scope))
			advance_active(m, scope->nodes[i]);
		else
			machine_advance_node(m, scope->nodes[i]);
	}
}

static bool all_nodes_finished(const struct machine_scope *scope)
{
	for (size_t i = 0; i < scope->count; i++) {
		if (!machine_node_is_finished(scope->nodes[i]))
			return false;
	}
	return true;
}

/* Nothing runs, nothing is wanted, nothing is due: without this the scope would stay running for ever. */
static bool is_stuck(const struct machine *m, const struct machine_scope *scope)
{
	for (size_t i = 0; i < scope->count; i++) {
		if (machine_node_is_active(scope->nodes[i]) || scope->nodes[i]->want != WANT_NOTHING)
			return false;
	}
	return !m->changed && !scope->held_back;
}

const Flyteidl__Core__ExecutionError *machine_error_of_node(struct machine *m, const struct machine_node *failed)
{
	if (failed->row.phase == NODE(TIMED_OUT))
		return machine_error(m->arena, &(struct machine_failure){ .kind = ERROR_KIND(USER),
		                                                          .code = "Timeout",
		                                                          .message = "Timeout in node" });
	return failed->row.error;
}

/* True when the scope cannot succeed any more. */
static bool has_failed(struct machine *m, struct machine_scope *scope)
{
	if (scope->failed && (fails_immediately(scope) || all_nodes_finished(scope))) {
		scope->error = machine_error_of_node(m, scope->failed);
	} else if (is_stuck(m, scope)) {
		scope->error = machine_error(
		        m->arena, &(struct machine_failure){ .kind = ERROR_KIND(SYSTEM),
		                                             .code = "IllegalStateError",
		                                             .message = "no node of the workflow can go on" });
	} else {
		return false;
	}
	scope->failing = true;
	return true;
}

static void abort_nodes(struct machine *m, struct machine_scope *scope, const char *reason)
{
	for (size_t i = 0; i < scope->count; i++)
		machine_abort_node(m, scope->nodes[i], reason);
}

static enum machine_progress fail_scope(struct machine *m, struct machine_scope *scope)
{
	abort_nodes(m, scope, "Some node execution failed, auto-abort.");
	return machine_handle_failure(m, scope) ? SCOPE_FAILED : SCOPE_FAILS;
}

enum machine_progress machine_run_scope(struct machine *m, struct machine_scope *scope)
{
	if (scope->failing)
		return fail_scope(m, scope);
	advance_nodes(m, scope);
	if (scope->nodes[scope->graph->end]->row.phase == NODE(SUCCEEDED) && all_nodes_finished(scope))
		return SCOPE_SUCCEEDED;
	return has_failed(m, scope) ? fail_scope(m, scope) : SCOPE_RUNS;
}

void machine_set_scope_failing(struct machine_scope *scope, const Flyteidl__Core__ExecutionError *error)
{
	scope->failing = true;
	scope->error = error;
}

/* ---- Ending ---- */

void machine_abort_node(struct machine *m, struct machine_node *node, const char *reason)
{
	if (!machine_node_is_active(node))
		return;
	node->want = WANT_NOTHING;
	if (node->vertex->kind)
		node->vertex->kind->abort(m, node, reason);
	const struct machine_failure failure = { .code = "NodeAborted", .message = reason };
	node->row.error = machine_error(m->arena, &failure);
	machine_set_node(m, node, NODE(ABORTED));
}

void machine_abort_scope(struct machine *m, struct machine_scope *scope, const char *reason)
{
	abort_nodes(m, scope, reason);
	if (scope->on_failure)
		machine_abort_node(m, scope->on_failure, reason);
}

/* ---- Opening ---- */

static struct machine_node *new_node(struct machine *m, struct machine_scope *scope,
                                     const struct machine_vertex *vertex)
{
	struct machine_node *node = arena_new(m->arena, struct machine_node);
	const struct machine_node *parent = scope->parent;
	/* Only nodes of the top scope keep their data one level deeper (reference §2.4). */
	*node = (struct machine_node){
		.vertex = vertex,
		.scope = scope,
		.directory = arena_printf(m->arena, "%s/%s%s", scope->directory, vertex->id, parent ? "" : "/data"),
		.row = { .node_id = names_node_execution(m->arena, parent ? parent->row.node_id : NULL,
		                                         scope->parent_attempt, vertex->id),
		         .spec_node_id = vertex->id,
		         .node_name = vertex->node->metadata ? vertex->node->metadata->name : "",
		         .retry_group = parent ? arena_printf(m->arena, "%" PRIu32, scope->parent_attempt) : "",
		         .inputs_uri = "",
		         .outputs_uri = "",
		         .deck_uri = "",
		         .dynamic_workflow_uri = "",
		         .checkpoint_uri = "",
		         .cache_tag = "",
		         .previous_checkpoint_uri = "" },
	};
	proto_append(m->arena, m->node_count, m->nodes, node);
	return node;
}

static struct machine_node *find_node(const struct machine_scope *scope, const char *node_id)
{
	for (size_t i = 0; i < scope->count; i++) {
		if (text_equal(scope->nodes[i]->row.node_id, node_id))
			return scope->nodes[i];
	}
	return scope->on_failure && text_equal(scope->on_failure->row.node_id, node_id) ? scope->on_failure : NULL;
}

/* The first of the saved rows below that parent. */
static size_t first_saved(const struct machine *m, int64_t parent_row_id)
{
	size_t low = 0, high = m->saved_count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (m->saved[middle]->parent_row_id < parent_row_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int give_row(struct machine *m, struct machine_scope *scope, const struct progress_node *row, struct err *e)
{
	struct machine_node *node = find_node(scope, row->node_id);
	if (!node)
		return err_set(e, ERR_INTERNAL, NULL, "there is a row for node \"%s\", which its workflow has not",
		               row->node_id);
	const char *spec_node_id = node->row.spec_node_id;
	node->row = *row;
	node->row.spec_node_id = spec_node_id;
	node->saved = true;
	node->saved_attempt = row->attempt;
	if (node != scope->on_failure && (row->phase == NODE(FAILED) || row->phase == NODE(TIMED_OUT)) &&
	    (!scope->failed || scope->failed->row.ended_at_ns <= row->ended_at_ns))
		scope->failed = node;
	if (machine_node_is_active(node) && node->vertex->kind && node->vertex->kind->resume)
		return node->vertex->kind->resume(m, node, e);
	return 0;
}

/* The rows that were saved for the scope. A new node has none yet, and one without a parent is the execution's. */
static int give_rows(struct machine *m, struct machine_scope *scope, struct err *e)
{
	const int64_t parent_row_id = scope->parent ? scope->parent->row.row_id : 0;
	const char *group = scope->parent ? arena_printf(m->arena, "%" PRIu32, scope->parent_attempt) : "";
	if (scope->parent && parent_row_id == 0)
		return 0;
	for (size_t i = first_saved(m, parent_row_id); i < m->saved_count; i++) {
		if (m->saved[i]->parent_row_id != parent_row_id)
			break;
		if (text_equal(m->saved[i]->retry_group, group) && give_row(m, scope, m->saved[i], e) < 0)
			return -1;
	}
	return 0;
}

int machine_open_scope(struct machine *m, struct machine_node *parent, const struct machine_graph *graph,
                       const char *directory, struct err *e)
{
	struct machine_scope *scope = parent ? arena_new(m->arena, struct machine_scope) : &m->top;
	scope->graph = graph;
	scope->parent = parent;
	scope->sources = graph->end == SIZE_MAX && parent ? parent->scope->sources : scope;
	scope->parent_attempt = parent ? parent->row.attempt : 0;
	scope->directory = directory;
	scope->count = graph->count;
	scope->nodes = arena_array(m->arena, struct machine_node *, graph->count);
	if (parent)
		parent->inner = scope;
	for (size_t i = 0; i < graph->count; i++)
		scope->nodes[i] = new_node(m, scope, &graph->vertices[i]);
	if (graph->failure)
		scope->on_failure = new_node(m, scope, graph->failure);
	if (give_rows(m, scope, e) < 0)
		return -1;
	if (scope->inputs) {
		struct machine_node *start = scope->nodes[graph->start];
		start->outputs = scope->inputs;
		start->outputs_known = machine_node_is_finished(start);
	}
	return 0;
}
