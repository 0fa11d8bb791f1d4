/*
 * The order of the compile step (builder.h tells the story), and sub-workflows, which are compiled when a node first
 * refers to them. Templates are copied before anything else, because compiling completes them in place: start and end
 * node, the ids of nodes within branches, sorted upstream ids, the start node's name in promises that leave the node
 * out.
 */
#include "controlplane/compiler/builder.h"

#include "base/buf.h"
#include "proto/message.h"

#include <string.h>

/* ---- the request's parts, by identifier ---- */

static void index_tasks(struct compilation *c)
{
	c->tasks = arena_array(c->arena, struct task_interface, c->request->task_count);
	for (size_t i = 0; i < c->request->task_count; i++) {
		const Flyteidl__Core__TaskTemplate *task = c->request->tasks[i]->template_;
		c->tasks[i].task = task;
		if (!task || !task->id)
			compile_error(&c->errors, COMPILE_VALUE_REQUIRED, "task",
			              "a task without id was given (Template.Id)");
		else
			identifier_index_add(c->arena, &c->task_index, task->id, i);
	}
	identifier_index_sort(&c->task_index);
	for (size_t i = 0; i < c->request->launch_plan_count; i++)
		if (c->request->launch_plans[i].id)
			identifier_index_add(c->arena, &c->launch_plan_index, c->request->launch_plans[i].id, i);
	identifier_index_sort(&c->launch_plan_index);
}

/* NULL with ERR_EXHAUSTED when the arena has no room: what is copied here is as large as the request. */
static Flyteidl__Core__WorkflowTemplate *copy_template(struct compilation *c,
                                                       const Flyteidl__Core__WorkflowTemplate *template_, struct err *e)
{
	size_t length = protobuf_c_message_get_packed_size(&template_->base);
	uint8_t *bytes = arena_try_alloc(c->arena, length);
	ProtobufCMessage *copy = NULL;
	if (bytes) {
		protobuf_c_message_pack(&template_->base, bytes);
		copy = proto_unpack_of(c->arena, template_->base.descriptor, bytes, length, NULL);
	}
	if (!copy)
		err_set(e, ERR_EXHAUSTED, "workflow-too-large", "the workflow is too large to compile (%zu bytes)",
		        length);
	return (Flyteidl__Core__WorkflowTemplate *)copy;
}

static int index_sub_workflows(struct compilation *c, struct err *e)
{
	c->sub_workflows = arena_array(c->arena, struct sub_workflow, c->request->sub_workflow_count);
	for (size_t i = 0; i < c->request->sub_workflow_count; i++) {
		Flyteidl__Core__WorkflowTemplate *template_ = copy_template(c, c->request->sub_workflows[i], e);
		if (!template_)
			return -1;
		c->sub_workflows[i].compiled = proto_new(c->arena, flyteidl__core__compiled_workflow);
		c->sub_workflows[i].compiled->template_ = template_;
		if (!template_->id)
			compile_error(&c->errors, COMPILE_VALUE_REQUIRED, "root",
			              "a sub-workflow without id was given");
		else
			identifier_index_add(c->arena, &c->sub_workflow_index, template_->id, i);
	}
	const Flyteidl__Core__Identifier *duplicate = identifier_index_sort(&c->sub_workflow_index);
	if (duplicate)
		compile_error(&c->errors, COMPILE_DUPLICATE_ID, identifier_text(c->arena, duplicate),
		              "two sub-workflows have the same id");
	return 0;
}

/* ---- sub-workflows ---- */

struct sub_workflow *sub_workflow_find(struct compilation *c, const Flyteidl__Core__Identifier *id)
{
	long position = identifier_index_find(&c->sub_workflow_index, id);
	return position < 0 ? NULL : &c->sub_workflows[position];
}

static void report_recursion(struct compilation *c, const char *node_id, const struct sub_workflow *workflow)
{
	auto_buf struct buf text = BUF_INIT(2000);
	unsigned i = 0;
	while (i < c->path_length && c->path[i] != workflow)
		i++;
	for (; i < c->path_length; i++)
		(void)buf_add_format(&text, "%s > ", c->path[i]->compiled->template_->id->name);
	compile_error(&c->errors, COMPILE_CYCLE_DETECTED, node_id, "a workflow contains itself: %s%s", buf_text(&text),
	              workflow->compiled->template_->id->name);
}

void sub_workflow_compile(struct compilation *c, const char *node_id, const Flyteidl__Core__Identifier *id)
{
	struct sub_workflow *workflow = sub_workflow_find(c, id);
	if (!workflow || workflow->state == SUB_WORKFLOW_DONE)
		return;
	if (workflow->state == SUB_WORKFLOW_COMPILING) {
		report_recursion(c, node_id, workflow);
		return;
	}
	if (c->path_length == SUB_WORKFLOW_DEPTH_MAXIMUM) {
		compile_error(&c->errors, COMPILE_WORKFLOW_BUILD_ERROR, node_id,
		              "sub-workflows are nested deeper than %d levels", SUB_WORKFLOW_DEPTH_MAXIMUM);
		return;
	}
	workflow->state = SUB_WORKFLOW_COMPILING;
	c->path[c->path_length++] = workflow;
	Flyteidl__Core__CompiledWorkflow *compiled = workflow_compile(c, workflow->compiled->template_);
	if (compiled)
		workflow->compiled->connections = compiled->connections;
	c->path_length--;
	workflow->state = SUB_WORKFLOW_DONE;
}

/* ---- one workflow ---- */

static int compare_node_builders(const void *a, const void *b)
{
	const struct node_builder *const *x = a, *const *y = b;
	return strcmp((*x)->node->id, (*y)->node->id);
}

static int compare_to_node_id(const void *id, const void *node_builder)
{
	const struct node_builder *const *nb = node_builder;
	return strcmp(id, (*nb)->node->id);
}

struct node_builder *workflow_find_node(const struct workflow_builder *w, const char *id)
{
	struct node_builder **found =
	        bsearch(id, w->nodes, w->node_count, sizeof(struct node_builder *), compare_to_node_id);
	return found ? *found : NULL;
}

static struct node_builder *sentinel(struct workflow_builder *w, const char *id)
{
	struct compilation *c = w->compilation;
	Flyteidl__Core__Node *node = proto_new(c->arena, flyteidl__core__node);
	node->id = arena_strdup(c->arena, id);
	struct node_builder *nb = node_builder_new(c, node, NULL);
	nb->interface_state = INTERFACE_READY;
	return nb;
}

static void validate_interface(struct compilation *c, Flyteidl__Core__WorkflowTemplate *template_,
                               struct workflow_builder *w)
{
	if (!template_->interface)
		template_->interface = proto_new(c->arena, flyteidl__core__typed_interface);
	Flyteidl__Core__TypedInterface *interface = template_->interface;
	if (!interface->inputs)
		interface->inputs = proto_new(c->arena, flyteidl__core__variable_map);
	if (!interface->outputs)
		interface->outputs = proto_new(c->arena, flyteidl__core__variable_map);
	w->start->outputs = w->start->visible_outputs = variables_of(c->arena, interface->inputs);
	w->end->inputs = variables_of(c->arena, interface->outputs);
	variables_validate(c, START_NODE_ID, &w->start->outputs);
	variables_validate(c, END_NODE_ID, &w->end->inputs);
}

/* The sentinels that an earlier compile step has left in a template are replaced, not doubled. */
static bool is_sentinel(const Flyteidl__Core__Node *node)
{
	return node->target_case == FLYTEIDL__CORE__NODE__TARGET__NOT_SET &&
	       (strcmp(node->id, START_NODE_ID) == 0 || strcmp(node->id, END_NODE_ID) == 0);
}

/* Upstream's order: start node, end node, then the nodes as they came; not all of them when the arena is exhausted. */
static void add_nodes(struct workflow_builder *w)
{
	struct compilation *c = w->compilation;
	Flyteidl__Core__WorkflowTemplate *template_ = w->template_;
	Flyteidl__Core__Node **nodes = arena_array(c->arena, Flyteidl__Core__Node *, template_->n_nodes + 2);
	w->nodes = arena_array(c->arena, struct node_builder *, template_->n_nodes + 2);
	w->in_order = arena_array(c->arena, struct node_builder *, template_->n_nodes + 2);
	size_t count = 0;
	nodes[count++] = w->start->node;
	nodes[count++] = w->end->node;
	w->end->node->n_inputs = template_->n_outputs;
	w->end->node->inputs = template_->outputs;
	w->nodes[0] = w->start;
	w->nodes[1] = w->end;
	for (size_t i = 0; i < template_->n_nodes && !arena_is_exhausted(c->arena); i++) {
		if (is_sentinel(template_->nodes[i]))
			continue;
		w->in_order[count] = w->nodes[count] = node_builder_new(c, template_->nodes[i], NULL);
		nodes[count++] = template_->nodes[i];
	}
	template_->nodes = nodes;
	template_->n_nodes = count;
	w->node_count = count;
	qsort(w->nodes, count, sizeof(struct node_builder *), compare_node_builders);
	for (size_t i = 1; i < count; i++)
		if (strcmp(w->nodes[i - 1]->node->id, w->nodes[i]->node->id) == 0)
			compile_error(&c->errors, COMPILE_DUPLICATE_ID, w->nodes[i]->node->id,
			              "two nodes have the same id");
}

/* Stops when the arena is exhausted, which the whole request ends with. */
static void validate_nodes(struct workflow_builder *w)
{
	const struct arena *arena = w->compilation->arena;
	struct node_builder *failure = NULL;
	if (w->template_->failure_node)
		failure = node_builder_new(w->compilation, w->template_->failure_node, NULL);
	for (size_t i = 2; i < w->template_->n_nodes && !arena_is_exhausted(arena); i++)
		node_interface_compute(w, w->in_order[i]);
	for (size_t i = 2; i < w->template_->n_nodes && !arena_is_exhausted(arena); i++)
		node_validate(w, w->in_order[i]);
	for (size_t i = 0; i < w->node_count && !arena_is_exhausted(arena); i++) {
		node_edges_add(w, w->nodes[i], EDGES_BOTH_WAYS);
		node_bindings_validate(w, w->nodes[i]);
	}
	if (!failure)
		return;
	node_interface_compute(w, failure);
	node_validate(w, failure);
	node_edges_add(w, failure, EDGES_UPSTREAM_ONLY);
	node_bindings_validate(w, failure);
}

Flyteidl__Core__CompiledWorkflow *workflow_compile(struct compilation *c, Flyteidl__Core__WorkflowTemplate *template_)
{
	size_t errors_before = c->errors.total;
	if (!template_->n_nodes) {
		compile_error(&c->errors, COMPILE_NO_NODES_FOUND, identifier_text(c->arena, template_->id),
		              "the workflow has no nodes");
		return NULL;
	}
	struct workflow_builder w = { .compilation = c, .template_ = template_ };
	w.start = sentinel(&w, START_NODE_ID);
	w.end = sentinel(&w, END_NODE_ID);
	validate_interface(c, template_, &w);
	add_nodes(&w);
	validate_nodes(&w);
	if (arena_is_exhausted(c->arena))
		return NULL;
	graph_tie_ends(&w);
	graph_validate(&w);
	if (c->errors.total != errors_before)
		return NULL;
	Flyteidl__Core__CompiledWorkflow *compiled = proto_new(c->arena, flyteidl__core__compiled_workflow);
	compiled->template_ = template_;
	compiled->connections = graph_connections(&w);
	return compiled;
}

/* ---- the whole request ---- */

static Flyteidl__Core__CompiledWorkflowClosure *make_closure(struct compilation *c,
                                                             Flyteidl__Core__CompiledWorkflow *primary)
{
	Flyteidl__Core__CompiledWorkflowClosure *closure =
	        proto_new(c->arena, flyteidl__core__compiled_workflow_closure);
	closure->primary = primary;
	closure->sub_workflows =
	        arena_array(c->arena, Flyteidl__Core__CompiledWorkflow *, c->request->sub_workflow_count);
	for (size_t i = 0; i < c->request->sub_workflow_count; i++)
		closure->sub_workflows[closure->n_sub_workflows++] = c->sub_workflows[i].compiled;
	closure->tasks = arena_array(c->arena, Flyteidl__Core__CompiledTask *, c->request->task_count);
	for (size_t i = 0; i < c->request->task_count; i++)
		if (identifier_index_find(&c->task_index, c->tasks[i].task->id) ==
		    (long)i) /* of equal ids, the first */
			closure->tasks[closure->n_tasks++] = c->request->tasks[i];
	return closure;
}

Flyteidl__Core__CompiledWorkflowClosure *
compiler_compile_workflow(struct arena *arena, const struct compiler_request *request, struct err *e)
{
	struct compilation c = {
		.arena = arena, .errors = { .arena = arena }, .request = request, .binding_steps = BINDING_STEPS_MAXIMUM
	};
	if (!request->primary) {
		compile_error(&c.errors, COMPILE_VALUE_REQUIRED, "root", "there is no workflow (wf)");
		compile_errors_to_err(&c.errors, e);
		return NULL;
	}
	Flyteidl__Core__WorkflowTemplate *template_ = copy_template(&c, request->primary, e);
	if (!template_ || index_sub_workflows(&c, e) < 0)
		return NULL;
	index_tasks(&c);
	Flyteidl__Core__CompiledWorkflow *primary = workflow_compile(&c, template_);
	if (arena_check(arena, e) < 0)
		return NULL;
	if (compile_errors_to_err(&c.errors, e) < 0 || !primary)
		return NULL;
	return make_closure(&c, primary);
}
