/*
 * The graphs of a workflow and of all its sub-workflows as the machine walks them: vertices with indices instead of
 * names, built once from the compiled closure. Edges come from the closure's connections — the compile step has already
 * derived them from bindings and upstream_node_ids — and tasks and sub-workflows are looked up here so that a step
 * never searches.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"
#include "controlplane/compiler/bindings.h"
#include "controlplane/compiler/promise.h"

#define START_NODE "start-node"
#define END_NODE "end-node"

/* A sub-workflow's graph is built when a node first refers to it, and shared by all nodes that do. */
struct sub_graph {
	enum { SUB_GRAPH_UNTOUCHED, SUB_GRAPH_BUILDING, SUB_GRAPH_DONE } state;
	struct machine_graph graph;
};

struct closure_build {
	struct arena *arena;
	const Flyteidl__Core__CompiledWorkflowClosure *closure;
	struct sub_graph *sub_graphs; /* one per sub-workflow of the closure */
};

struct build {
	struct closure_build *all;
	struct arena *arena;
	const Flyteidl__Core__WorkflowTemplate *template;
	struct machine_graph *graph;
	struct machine_vertex *vertices;
	size_t count;
};

/* Workflows have at most some hundreds of nodes, and this runs once per execution. */
static bool find_vertex(const struct build *b, const char *id, size_t *ret_index)
{
	for (size_t i = 0; i < b->count; i++) {
		if (text_equal(b->vertices[i].id, id)) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

static bool same_id(const Flyteidl__Core__Identifier *a, const Flyteidl__Core__Identifier *b)
{
	return a && b && text_equal(a->project, b->project) && text_equal(a->domain, b->domain) &&
	       text_equal(a->name, b->name) && text_equal(a->version, b->version);
}

/* ---- What nodes refer to ---- */

static const Flyteidl__Core__TaskTemplate *find_task(const struct build *b, const Flyteidl__Core__Identifier *id)
{
	const Flyteidl__Core__CompiledWorkflowClosure *closure = b->all->closure;
	for (size_t i = 0; i < closure->n_tasks; i++) {
		const Flyteidl__Core__TaskTemplate *task = closure->tasks[i]->template_;
		if (task && same_id(task->id, id))
			return task;
	}
	return NULL;
}

static int build_workflow(struct closure_build *all, const Flyteidl__Core__CompiledWorkflow *workflow,
                          struct machine_graph *graph, struct err *e);

static int find_sub_graph(struct closure_build *all, const Flyteidl__Core__Identifier *id,
                          const struct machine_graph **ret_graph, struct err *e)
{
	for (size_t i = 0; i < all->closure->n_sub_workflows; i++) {
		const Flyteidl__Core__CompiledWorkflow *workflow = all->closure->sub_workflows[i];
		struct sub_graph *sub = &all->sub_graphs[i];
		if (!workflow->template_ || !same_id(workflow->template_->id, id))
			continue;
		if (sub->state == SUB_GRAPH_BUILDING)
			return err_set(e, ERR_INVALID, NULL, "the workflow \"%s\" contains itself", id->name);
		if (sub->state == SUB_GRAPH_UNTOUCHED) {
			sub->state = SUB_GRAPH_BUILDING;
			if (build_workflow(all, workflow, &sub->graph, e) < 0)
				return err_wrap(e, "the sub-workflow \"%s\"", id->name);
			sub->state = SUB_GRAPH_DONE;
		}
		*ret_graph = &sub->graph;
		return 0;
	}
	return err_set(e, ERR_INVALID, NULL, "a sub-workflow is missing from the workflow's closure");
}

static void set_unsupported(struct build *b, const char *id, const char *what)
{
	if (!b->graph->unsupported)
		b->graph->unsupported = arena_printf(b->arena, "node \"%s\" is %s", id, what);
}

static int add_sub_workflow(struct build *b, struct machine_vertex *v, struct err *e)
{
	v->kind = &machine_kind_workflow;
	if (find_sub_graph(b->all, v->node->workflow_node->sub_workflow_ref, &v->inner, e) < 0)
		return err_wrap(e, "node \"%s\"", v->id);
	if (v->inner->unsupported && !b->graph->unsupported)
		b->graph->unsupported = arena_printf(b->arena, "in node \"%s\", %s", v->id, v->inner->unsupported);
	return 0;
}

/* The graph below an array is the one vertex of which each element is an instance. */
static void add_array(struct build *b, struct machine_vertex *v, const struct array_spec *spec,
                      const struct machine_vertex *element)
{
	struct machine_graph *graph = arena_new(b->arena, struct machine_graph);
	*graph = (struct machine_graph){ .workflow = b->graph->workflow,
		                         .count = 1,
		                         .vertices = arena_copy(b->arena, element, sizeof(*element)) };
	v->kind = &machine_kind_array;
	v->inner = graph;
	v->element_outputs = element->task && element->task->interface && element->task->interface->outputs
	                             ? element->task->interface->outputs
	                             : proto_new(b->arena, flyteidl__core__variable_map);
	v->array = arena_copy(b->arena, spec, sizeof(*spec));
}

static int add_task(struct build *b, struct machine_vertex *v, struct err *e)
{
	v->kind = &machine_kind_task;
	v->task = find_task(b, v->node->task_node->reference_id);
	if (!v->task)
		return err_set(e, ERR_INVALID, NULL, "the task of node \"%s\" is missing from the workflow's closure",
		               v->id);
	if (text_equal(v->task->type, "container_array")) {
		const struct array_spec spec = array_spec_of_legacy_task(v->task);
		const struct machine_vertex element = *v;
		v->task = NULL;
		add_array(b, v, &spec, &element);
	}
	return 0;
}

static bool is_launch_plan(const Flyteidl__Core__Node *node)
{
	return node->target_case == FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE &&
	       node->workflow_node->reference_case == FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_LAUNCHPLAN_REF;
}

static int add_array_node(struct build *b, struct machine_vertex *v, struct err *e)
{
	const Flyteidl__Core__Node *inner = v->node->array_node->node;
	const struct array_spec spec = array_spec_of_node(v->node->array_node);
	struct machine_vertex element = { .id = v->id, .node = inner };
	if (inner && inner->target_case == FLYTEIDL__CORE__NODE__TARGET_TASK_NODE) {
		if (add_task(b, &element, e) < 0)
			return -1;
		if (element.kind != &machine_kind_task)
			return err_set(e, ERR_INVALID, NULL, "node \"%s\" is an array of arrays", v->id);
	} else if (inner && is_launch_plan(inner)) {
		element.kind = &machine_kind_launch_plan;
	} else {
		set_unsupported(b, v->id, "an array of anything but tasks and launch plans");
		return 0;
	}
	add_array(b, v, &spec, &element);
	return 0;
}

/* Chooses the vertex's kind by the node's target. */
static int set_target(struct build *b, struct machine_vertex *v, struct err *e)
{
	const Flyteidl__Core__Node *node = v->node;
	switch (node->target_case) {
	case FLYTEIDL__CORE__NODE__TARGET_TASK_NODE:
		return add_task(b, v, e);
	case FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE:
		return add_array_node(b, v, e);
	case FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE:
		if (node->workflow_node->reference_case == FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_SUB_WORKFLOW_REF)
			return add_sub_workflow(b, v, e);
		if (!is_launch_plan(node))
			break;
		v->kind = &machine_kind_launch_plan;
		return 0;
	case FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE:
		v->kind = &machine_kind_branch; /* its cases are added once all nodes are known that these refer to */
		return 0;
	case FLYTEIDL__CORE__NODE__TARGET_GATE_NODE:
		v->kind = &machine_kind_gate;
		return 0;
	default:
		break;
	}
	set_unsupported(b, v->id, "a node without a target");
	return 0;
}

/* ---- Vertices and edges ---- */

static void add_missing_sentinel(struct build *b, const char *id, size_t *ret_index)
{
	if (find_vertex(b, id, ret_index))
		return;
	Flyteidl__Core__Node *node = proto_new(b->arena, flyteidl__core__node);
	node->id = arena_strdup(b->arena, id);
	*ret_index = b->count;
	b->vertices[b->count++] = (struct machine_vertex){ .id = node->id, .node = node };
}

static int add_vertices(struct build *b, struct err *e)
{
	/* Two more than listed: a closure need not list its start and end nodes. */
	b->vertices = arena_array(b->arena, struct machine_vertex, b->template->n_nodes + 2);
	for (size_t i = 0; i < b->template->n_nodes; i++) {
		const Flyteidl__Core__Node *node = b->template->nodes[i];
		size_t other;
		if (find_vertex(b, node->id, &other))
			return err_set(e, ERR_INVALID, NULL, "the workflow has two nodes called \"%s\"", node->id);
		struct machine_vertex *v = &b->vertices[b->count++];
		*v = (struct machine_vertex){ .id = node->id, .node = node };
		if (!text_equal(node->id, START_NODE) && !text_equal(node->id, END_NODE) && set_target(b, v, e) < 0)
			return -1;
	}
	add_missing_sentinel(b, START_NODE, &b->graph->start);
	add_missing_sentinel(b, END_NODE, &b->graph->end);
	return 0;
}

static int add_edges(struct build *b, const Flyteidl__Core__ConnectionSet *connections, struct err *e)
{
	for (size_t i = 0; connections && i < connections->n_upstream; i++) {
		const Flyteidl__Core__ConnectionSet__UpstreamEntry *entry = connections->upstream[i];
		size_t to;
		if (!entry->value || !find_vertex(b, entry->key, &to))
			continue; /* the failure node is connected but not listed */
		size_t *upstream = arena_array(b->arena, size_t, entry->value->n_ids);
		for (size_t k = 0; k < entry->value->n_ids; k++) {
			if (!find_vertex(b, entry->value->ids[k], &upstream[k]))
				return err_set(e, ERR_INVALID, NULL,
				               "node \"%s\" follows node \"%s\", which does not exist", entry->key,
				               entry->value->ids[k]);
		}
		b->vertices[to].upstream = upstream;
		b->vertices[to].upstream_count = entry->value->n_ids;
	}
	return 0;
}

/* ---- Sources ---- */

/* What the launch plans of an array put out is learnt from who takes it. */
static void note_output(const struct build *b, struct machine_vertex *source, const char *promise)
{
	struct promise_variable variable;
	if (source->kind != &machine_kind_array || source->inner->vertices[0].task ||
	    !promise_variable_parse(promise, &variable))
		return;
	const char *name = bindings_output_variable(source->node, variable.name);
	const Flyteidl__Core__VariableMap *known = source->element_outputs;
	for (size_t i = 0; i < known->n_variables; i++) {
		if (text_equal(known->variables[i]->key, name))
			return;
	}
	Flyteidl__Core__VariableMap *more = arena_copy(b->arena, known, sizeof(*known));
	Flyteidl__Core__VariableMap__VariablesEntry *entry =
	        (Flyteidl__Core__VariableMap__VariablesEntry *)proto_new_of(
	                b->arena, &flyteidl__core__variable_map__variables_entry__descriptor);
	entry->key = arena_strdup(b->arena, name);
	more->variables = proto_copy_array(b->arena, more->variables, more->n_variables);
	proto_append(b->arena, more->n_variables, more->variables, entry);
	source->element_outputs = more;
}

/* Adds to `seen` the vertices that a binding refers to. */
static int add_sources(const struct build *b, const Flyteidl__Core__BindingData *data, bool *seen, struct err *e)
{
	if (!data)
		return 0;
	size_t index;
	switch (data->value_case) {
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE:
		/* An empty node id means the workflow's own inputs. */
		if (!find_vertex(b, text_is_empty(data->promise->node_id) ? START_NODE : data->promise->node_id,
		                 &index))
			return err_set(e, ERR_INVALID, NULL, "an input is bound to node \"%s\", which does not exist",
			               data->promise->node_id);
		seen[index] = true;
		note_output(b, &b->vertices[index], data->promise->var);
		return 0;
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION:
		for (size_t i = 0; i < data->collection->n_bindings; i++) {
			if (add_sources(b, data->collection->bindings[i], seen, e) < 0)
				return -1;
		}
		return 0;
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_MAP:
		for (size_t i = 0; i < data->map->n_bindings; i++) {
			if (add_sources(b, data->map->bindings[i]->value, seen, e) < 0)
				return -1;
		}
		return 0;
	default:
		return 0;
	}
}

static int find_sources_of(struct build *b, struct machine_vertex *v, bool is_end, struct err *e)
{
	const size_t count = is_end ? b->template->n_outputs : v->node->n_inputs;
	Flyteidl__Core__Binding *const *bindings = is_end ? b->template->outputs : v->node->inputs;
	bool *seen = arena_array(b->arena, bool, b->count);
	for (size_t k = 0; k < count; k++) {
		if (add_sources(b, bindings[k]->binding, seen, e) < 0)
			return err_wrap(e, "node \"%s\"", v->id);
	}
	for (size_t k = 0; k < b->count; k++)
		v->source_count += seen[k];
	size_t *sources = arena_array(b->arena, size_t, v->source_count);
	for (size_t k = 0, at = 0; k < b->count; k++) {
		if (seen[k])
			sources[at++] = k;
	}
	v->sources = sources;
	return 0;
}

/* ---- Branches ---- */

static int add_cases(struct build *b, struct machine_vertex *branch, struct err *e);

/* What a case's node follows is in the workflow around it, and nowhere but in its bindings. */
static int complete_case(struct build *b, struct machine_vertex *v, struct err *e)
{
	if (set_target(b, v, e) < 0 || find_sources_of(b, v, false, e) < 0)
		return -1;
	size_t *upstream = arena_array(b->arena, size_t, v->source_count);
	for (size_t i = 0; i < v->source_count; i++) {
		if (v->sources[i] != b->graph->start)
			upstream[v->upstream_count++] = v->sources[i];
	}
	v->upstream = upstream;
	return v->kind == &machine_kind_branch ? add_cases(b, v, e) : 0;
}

static int add_case(struct build *b, struct machine_graph *cases, struct machine_vertex *vertices,
                    const Flyteidl__Core__Node *node, struct err *e)
{
	if (!node)
		return err_set(e, ERR_INVALID, NULL, "a case has no node");
	for (size_t i = 0; i < cases->count; i++) {
		if (text_equal(vertices[i].id, node->id))
			return err_set(e, ERR_INVALID, NULL, "two cases have the node \"%s\"", node->id);
	}
	struct machine_vertex *v = &vertices[cases->count++];
	*v = (struct machine_vertex){ .id = node->id, .node = node };
	return complete_case(b, v, e);
}

static int add_cases(struct build *b, struct machine_vertex *branch, struct err *e)
{
	const Flyteidl__Core__BranchNode *node = branch->node->branch_node;
	const Flyteidl__Core__IfElseBlock *block = node ? node->if_else : NULL;
	if (!block || !block->case_)
		return err_set(e, ERR_INVALID, NULL, "node \"%s\" is a branch without cases", branch->id);
	struct machine_graph *cases = arena_new(b->arena, struct machine_graph);
	struct machine_vertex *vertices = arena_array(b->arena, struct machine_vertex, block->n_other + 2);
	*cases = (struct machine_graph){
		.workflow = b->graph->workflow, .vertices = vertices, .start = SIZE_MAX, .end = SIZE_MAX
	};
	int outcome = add_case(b, cases, vertices, block->case_->then_node, e);
	for (size_t i = 0; i < block->n_other && outcome == 0; i++)
		outcome = add_case(b, cases, vertices, block->other[i]->then_node, e);
	if (outcome == 0 && block->default_case == FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT_ELSE_NODE)
		outcome = add_case(b, cases, vertices, block->else_node, e);
	branch->inner = cases;
	return outcome < 0 ? err_wrap(e, "branch \"%s\"", branch->id) : 0;
}

/* ---- All of it ---- */

static int complete_vertex(struct build *b, struct machine_vertex *v, bool is_end, struct err *e)
{
	if (find_sources_of(b, v, is_end, e) < 0)
		return -1;
	return v->kind == &machine_kind_branch ? add_cases(b, v, e) : 0;
}

static int add_failure_node(struct build *b, struct err *e)
{
	const Flyteidl__Core__Node *node = b->template->failure_node;
	if (!node)
		return 0;
	struct machine_vertex *v = arena_new(b->arena, struct machine_vertex);
	*v = (struct machine_vertex){ .id = node->id, .node = node };
	b->graph->failure = v;
	return set_target(b, v, e) < 0 ? -1 : complete_vertex(b, v, false, e);
}

static int complete_vertices(struct build *b, struct err *e)
{
	for (size_t i = 0; i < b->count; i++) {
		if (complete_vertex(b, &b->vertices[i], i == b->graph->end, e) < 0)
			return -1;
	}
	return add_failure_node(b, e);
}

static int build_workflow(struct closure_build *all, const Flyteidl__Core__CompiledWorkflow *workflow,
                          struct machine_graph *graph, struct err *e)
{
	*graph = (struct machine_graph){ .workflow = workflow };
	struct build b = { .all = all, .arena = all->arena, .template = workflow->template_, .graph = graph };
	if (add_vertices(&b, e) < 0 || add_edges(&b, workflow->connections, e) < 0 || complete_vertices(&b, e) < 0)
		return -1;
	graph->count = b.count;
	graph->vertices = b.vertices;
	return 0;
}

int machine_graph_build(struct arena *arena, const Flyteidl__Core__CompiledWorkflowClosure *closure,
                        struct machine_graph *ret_graph, struct err *e)
{
	if (!closure->primary || !closure->primary->template_)
		return err_set(e, ERR_INVALID, NULL, "the workflow's closure has no workflow in it");
	struct closure_build all = { .arena = arena,
		                     .closure = closure,
		                     .sub_graphs = arena_array(arena, struct sub_graph, closure->n_sub_workflows) };
	struct machine_graph graph;
	if (build_workflow(&all, closure->primary, &graph, e) < 0)
		return -1;
	*ret_graph = graph;
	return 0;
}
