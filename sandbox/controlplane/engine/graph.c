/*
 * The graph of a workflow as the machine walks it: vertices with indices instead of names, built once from the compiled
 * closure. Edges come from the closure's connections — the compile step has already derived them from bindings and
 * upstream_node_ids — and the tasks are looked up here so that a step never searches.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"

#define START_NODE "start-node"
#define END_NODE "end-node"

struct build {
	struct arena *arena;
	const Flyteidl__Core__CompiledWorkflowClosure *closure;
	const Flyteidl__Core__WorkflowTemplate *template;
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

static const Flyteidl__Core__TaskTemplate *find_task(const struct build *b, const Flyteidl__Core__Identifier *id)
{
	for (size_t i = 0; i < b->closure->n_tasks; i++) {
		const Flyteidl__Core__TaskTemplate *task = b->closure->tasks[i]->template_;
		if (task && same_id(task->id, id))
			return task;
	}
	return NULL;
}

static const char *target_name(const Flyteidl__Core__Node *node)
{
	switch (node->target_case) {
	case FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE:
		return node->workflow_node->reference_case == FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_LAUNCHPLAN_REF
		               ? "a launch plan node"
		               : "a sub-workflow node";
	case FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE:
		return "a branch node";
	case FLYTEIDL__CORE__NODE__TARGET_GATE_NODE:
		return "a gate node";
	case FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE:
		return "an array node";
	default:
		return "a node without a target";
	}
}

static int add_vertices(struct build *b, struct machine_graph *graph, struct err *e)
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
		if (text_equal(node->id, START_NODE) || text_equal(node->id, END_NODE))
			continue;
		if (node->target_case == FLYTEIDL__CORE__NODE__TARGET_TASK_NODE) {
			v->kind = &machine_kind_task;
			v->task = find_task(b, node->task_node->reference_id);
			if (!v->task)
				return err_set(e, ERR_INVALID, NULL,
				               "the task of node \"%s\" is missing from the workflow's closure",
				               node->id);
		} else if (!graph->unsupported) {
			graph->unsupported = arena_printf(b->arena, "node \"%s\" is %s", node->id, target_name(node));
		}
	}
	for (size_t i = 0; i < 2; i++) {
		const char *id = i == 0 ? START_NODE : END_NODE;
		size_t *index = i == 0 ? &graph->start : &graph->end;
		if (find_vertex(b, id, index))
			continue;
		Flyteidl__Core__Node *node = proto_new(b->arena, flyteidl__core__node);
		node->id = arena_strdup(b->arena, id);
		*index = b->count;
		b->vertices[b->count++] = (struct machine_vertex){ .id = node->id, .node = node };
	}
	if (b->template->failure_node && !graph->unsupported)
		graph->unsupported =
		        arena_printf(b->arena, "node \"%s\" is a failure node", b->template->failure_node->id);
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

static int find_sources(struct build *b, const struct machine_graph *graph, struct err *e)
{
	bool *seen = arena_array(b->arena, bool, b->count);
	for (size_t i = 0; i < b->count; i++) {
		struct machine_vertex *v = &b->vertices[i];
		const bool is_end = i == graph->end;
		const size_t count = is_end ? b->template->n_outputs : v->node->n_inputs;
		Flyteidl__Core__Binding *const *bindings = is_end ? b->template->outputs : v->node->inputs;
		memset(seen, 0, b->count * sizeof(*seen));
		for (size_t k = 0; k < count; k++) {
			if (add_sources(b, bindings[k]->binding, seen, e) < 0)
				return err_wrap(e, "node \"%s\"", v->id);
		}
		size_t *sources = arena_array(b->arena, size_t, b->count);
		for (size_t k = 0; k < b->count; k++) {
			if (seen[k])
				sources[v->source_count++] = k;
		}
		v->sources = sources;
	}
	return 0;
}

int machine_graph_build(struct arena *arena, const Flyteidl__Core__CompiledWorkflowClosure *closure,
                        struct machine_graph *ret_graph, struct err *e)
{
	if (!closure->primary || !closure->primary->template_)
		return err_set(e, ERR_INVALID, NULL, "the workflow's closure has no workflow in it");
	struct build b = { .arena = arena, .closure = closure, .template = closure->primary->template_ };
	struct machine_graph graph = { .workflow = closure->primary };
	if (add_vertices(&b, &graph, e) < 0 || add_edges(&b, closure->primary->connections, e) < 0 ||
	    find_sources(&b, &graph, e) < 0)
		return -1;
	graph.count = b.count;
	graph.vertices = b.vertices;
	*ret_graph = graph;
	return 0;
}
