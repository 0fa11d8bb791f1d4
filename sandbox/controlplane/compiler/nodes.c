/*
 * What a node takes and gives, by kind: a task's or a workflow's interface, the part of a launch plan's that is not
 * filled already, what all cases of a branch give, what a gate waits for, the interface of the node within an array
 * node. Then what must hold for a node by itself.
 */
#include "controlplane/compiler/builder.h"

#include "base/buf.h"
#include "controlplane/compiler/types.h"
#include "proto/message.h"

#include <string.h>

/* ---- builders ---- */

static void add_child(struct compilation *c, struct node_builder *nb, Flyteidl__Core__Node *child, bool in_branch)
{
	if (!child || arena_is_exhausted(c->arena)) /* the whole request ends with that */
		return;
	if (in_branch)
		child->id = arena_printf(c->arena, "%s-%s", nb->node->id, child->id);
	struct node_builder *builder = node_builder_new(c, child, nb);
	proto_append(c->arena, nb->child_count, nb->children, builder);
}

static Flyteidl__Core__IfElseBlock *if_else_of(const Flyteidl__Core__Node *node)
{
	if (node->target_case != FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE || !node->branch_node)
		return NULL;
	return node->branch_node->if_else;
}

static Flyteidl__Core__ArrayNode *array_of(const Flyteidl__Core__Node *node)
{
	return node->target_case == FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE ? node->array_node : NULL;
}

struct node_builder *node_builder_new(struct compilation *c, Flyteidl__Core__Node *node, struct node_builder *parent)
{
	struct node_builder *nb = arena_new(c->arena, struct node_builder);
	nb->node = node;
	nb->parent = parent;
	const Flyteidl__Core__IfElseBlock *block = if_else_of(node);
	if (block) {
		if (block->case_)
			add_child(c, nb, block->case_->then_node, true);
		for (size_t i = 0; i < block->n_other; i++)
			add_child(c, nb, block->other[i]->then_node, true);
		if (block->default_case == FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT_ELSE_NODE)
			add_child(c, nb, block->else_node, true);
	}
	if (array_of(node))
		add_child(c, nb, array_of(node)->node, false);
	return nb;
}

/* ---- interfaces ---- */

static bool value_required(struct workflow_builder *w, const struct node_builder *nb, const char *field)
{
	return compile_error(&w->compilation->errors, COMPILE_VALUE_REQUIRED, nb->node->id, "%s is missing", field);
}

bool variables_validate(struct compilation *c, const char *node_id, const struct variables *variables)
{
	bool valid = true;
	for (size_t i = 0; i < variables->count; i++) {
		const struct variable *variable = &variables->items[i];
		if (!*variable->name)
			valid = compile_error(&c->errors, COMPILE_VALUE_REQUIRED, node_id,
			                      "a variable has no name (paramName)");
		if (!variable->type)
			valid = compile_error(&c->errors, COMPILE_VALUE_REQUIRED, node_id,
			                      "variable '%s' has no type (param.Type)", variable->name);
	}
	return valid;
}

static bool task_interface(struct workflow_builder *w, struct node_builder *nb)
{
	struct compilation *c = w->compilation;
	const Flyteidl__Core__TaskNode *node = nb->node->task_node;
	if (!node || node->reference_case != FLYTEIDL__CORE__TASK_NODE__REFERENCE_REFERENCE_ID || !node->reference_id)
		return value_required(w, nb, "TaskNode.ReferenceId");
	long position = identifier_index_find(&c->task_index, node->reference_id);
	if (position < 0)
		return compile_error(&c->errors, COMPILE_TASK_REFERENCE_NOT_FOUND, nb->node->id,
		                     "task [%s] is not registered", identifier_text(c->arena, node->reference_id));
	struct task_interface *task = &c->tasks[position];
	const Flyteidl__Core__TypedInterface *interface = task->task->interface;
	if (!task->indexed && interface) {
		task->inputs = variables_of(c->arena, interface->inputs);
		task->outputs = variables_of(c->arena, interface->outputs);
	}
	task->indexed = true;
	nb->inputs = task->inputs;
	nb->outputs = task->outputs;
	return true;
}

static void add_bound_names(struct arena *arena, struct variables *names, const Flyteidl__Core__Node *node)
{
	for (size_t i = 0; i < node->n_inputs; i++) {
		struct variable name = { .name = node->inputs[i]->var };
		proto_append(arena, names->count, names->items, name);
	}
}

/* A parameter with a default is an input only of nodes that bind it; fixed inputs are not among the parameters. */
static void launch_plan_inputs(struct workflow_builder *w, struct node_builder *nb,
                               const Flyteidl__Core__ParameterMap *expected)
{
	struct arena *arena = w->compilation->arena;
	struct variables bound = { 0 };
	add_bound_names(arena, &bound, nb->node);
	if (nb->parent && array_of(nb->parent->node))
		add_bound_names(arena, &bound, nb->parent->node);
	variables_sort(&bound);
	for (size_t i = 0; expected && i < expected->n_parameters; i++) {
		const char *name = expected->parameters[i]->key;
		const Flyteidl__Core__Parameter *parameter = expected->parameters[i]->value;
		bool required = parameter && parameter->behavior_case == FLYTEIDL__CORE__PARAMETER__BEHAVIOR_REQUIRED &&
		                parameter->required;
		if (!required && !variables_find(&bound, name))
			continue;
		struct variable variable = { .name = name,
			                     .type = parameter && parameter->var ? parameter->var->type : NULL };
		proto_append(arena, nb->inputs.count, nb->inputs.items, variable);
	}
	variables_sort(&nb->inputs);
}

static bool launch_plan_interface(struct workflow_builder *w, struct node_builder *nb,
                                  const Flyteidl__Core__Identifier *id)
{
	struct compilation *c = w->compilation;
	long position = identifier_index_find(&c->launch_plan_index, id);
	if (position < 0)
		return compile_error(&c->errors, COMPILE_WORKFLOW_REFERENCE_NOT_FOUND, nb->node->id,
		                     "launch plan [%s] is not registered", identifier_text(c->arena, id));
	const struct compiler_launch_plan *launch_plan = &c->request->launch_plans[position];
	launch_plan_inputs(w, nb, launch_plan->expected_inputs);
	nb->outputs = variables_of(c->arena, launch_plan->outputs);
	return true;
}

static bool sub_workflow_interface(struct workflow_builder *w, struct node_builder *nb,
                                   const Flyteidl__Core__Identifier *id)
{
	struct compilation *c = w->compilation;
	const struct sub_workflow *workflow = sub_workflow_find(c, id);
	if (!workflow)
		return compile_error(&c->errors, COMPILE_WORKFLOW_REFERENCE_NOT_FOUND, nb->node->id,
		                     "sub-workflow [%s] is not part of the request", identifier_text(c->arena, id));
	const Flyteidl__Core__TypedInterface *interface = workflow->compiled->template_->interface;
	if (!interface)
		return value_required(w, nb, "WorkflowNode.Template.Interface");
	nb->inputs = variables_of(c->arena, interface->inputs);
	nb->outputs = variables_of(c->arena, interface->outputs);
	return true;
}

static bool workflow_interface(struct workflow_builder *w, struct node_builder *nb)
{
	const Flyteidl__Core__WorkflowNode *node = nb->node->workflow_node;
	if (node && node->reference_case == FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_LAUNCHPLAN_REF &&
	    node->launchplan_ref)
		return launch_plan_interface(w, nb, node->launchplan_ref);
	if (node && node->reference_case == FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_SUB_WORKFLOW_REF &&
	    node->sub_workflow_ref)
		return sub_workflow_interface(w, nb, node->sub_workflow_ref);
	return compile_error(&w->compilation->errors, COMPILE_WORKFLOW_REFERENCE_NOT_FOUND, nb->node->id,
	                     "the workflow node refers to no launch plan and no sub-workflow");
}

/* Keeps of the branch's outputs those that this case has too. Their types must agree. */
static bool intersect_outputs(struct workflow_builder *w, struct node_builder *branch, const struct node_builder *kase)
{
	bool agree = true;
	size_t kept = 0;
	for (size_t i = 0; i < branch->outputs.count; i++) {
		const struct variable *output = &branch->outputs.items[i];
		const struct variable *other = variables_find(&kase->outputs, output->name);
		if (!other)
			continue;
		if (!types_castable(output->type, other->type) || !types_castable(other->type, output->type)) {
			struct compile_errors *errors = &w->compilation->errors;
			agree = compile_error(errors, COMPILE_MISMATCHING_TYPES, kase->node->id,
			                      "output '%s' is %s here, but %s in the first case of the branch",
			                      output->name, compile_error_type(errors, other->type),
			                      compile_error_type(errors, output->type));
		}
		branch->outputs.items[kept++] = *output;
	}
	branch->outputs.count = kept;
	return agree;
}

static bool branch_interface(struct workflow_builder *w, struct node_builder *nb)
{
	const Flyteidl__Core__IfElseBlock *block = if_else_of(nb->node);
	if (!block)
		return value_required(w, nb, "Branch.IfElse");
	if (!block->case_)
		return value_required(w, nb, "Branch.IfElse.Case");
	if (!block->case_->then_node)
		return value_required(w, nb, "Branch.IfElse.Case.ThenNode");
	bool valid = true;
	for (size_t i = 0; i < block->n_other; i++)
		if (!block->other[i]->then_node)
			valid = value_required(w, nb, "IfElse.Case.ThenNode");
	for (size_t i = 0; i < nb->child_count; i++)
		valid &= node_interface_compute(w, nb->children[i]);
	valid &= node_bindings_infer(w, nb, &nb->inputs);
	if (!valid)
		return false;
	/* A copy: the first case keeps all its outputs. */
	const struct variables *first = &nb->children[0]->outputs;
	nb->outputs.count = first->count;
	nb->outputs.items = arena_array(w->compilation->arena, struct variable, first->count);
	if (first->count)
		memcpy(nb->outputs.items, first->items, first->count * sizeof(*first->items));
	for (size_t i = 1; i < nb->child_count; i++)
		valid &= intersect_outputs(w, nb, nb->children[i]);
	return valid;
}

static bool gate_interface(struct workflow_builder *w, struct node_builder *nb)
{
	struct arena *arena = w->compilation->arena;
	const Flyteidl__Core__GateNode *gate = nb->node->gate_node;
	switch (gate ? gate->condition_case : FLYTEIDL__CORE__GATE_NODE__CONDITION__NOT_SET) {
	case FLYTEIDL__CORE__GATE_NODE__CONDITION_APPROVE:
		if (!node_bindings_infer(w, nb, &nb->inputs)) /* approving passes the inputs on */
			return false;
		nb->outputs = nb->inputs;
		return true;
	case FLYTEIDL__CORE__GATE_NODE__CONDITION_SIGNAL:
		if (!gate->signal || !gate->signal->type)
			return value_required(w, nb, "GateNode.Signal.Type");
		if (!*gate->signal->output_variable_name)
			return value_required(w, nb, "GateNode.Signal.OutputVariableName");
		nb->outputs.items = arena_array(arena, struct variable, 1);
		nb->outputs.items[0].name = gate->signal->output_variable_name;
		nb->outputs.items[0].type = gate->signal->type;
		nb->outputs.count = 1;
		return true;
	case FLYTEIDL__CORE__GATE_NODE__CONDITION_SLEEP:
		return true;
	default:
		return compile_error(&w->compilation->errors, COMPILE_NO_CONDITION_FOUND, nb->node->id,
		                     "the gate node has no condition: neither approve, nor signal, nor sleep");
	}
}

/* Each variable as a list of it, apart from those in `except`, which is sorted by name. */
static struct variables lists_of(struct arena *arena, const struct variables *variables, const struct variables *except)
{
	struct variables lists = { .count = variables->count,
		                   .items = arena_array(arena, struct variable, variables->count) };
	for (size_t i = 0; i < variables->count; i++) {
		lists.items[i] = variables->items[i];
		if (!variables->items[i].type || variables_find(except, variables->items[i].name))
			continue;
		Flyteidl__Core__LiteralType *list = proto_new(arena, flyteidl__core__literal_type);
		list->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE;
		list->collection_type = proto_new(arena, flyteidl__core__literal_type);
		*list->collection_type = *variables->items[i].type;
		lists.items[i].type = list;
	}
	return lists;
}

/*
 * flytekit registers mapped tasks with an interface that has lists already; the node within an array of anything else
 * keeps its own interface (is_original_sub_node_interface), and the array takes and gives lists of it, apart from its
 * bound inputs.
 */
static bool array_interface(struct workflow_builder *w, struct node_builder *nb)
{
	struct arena *arena = w->compilation->arena;
	if (!nb->child_count)
		return value_required(w, nb, "ArrayNode.Node");
	const struct node_builder *child = nb->children[0];
	if (!node_interface_compute(w, nb->children[0]))
		return false;
	const Flyteidl__Core__ArrayNode *array = array_of(nb->node);
	nb->inputs = child->inputs;
	nb->outputs = child->outputs;
	if (!array->is_original_sub_node_interface || !array->is_original_sub_node_interface->value)
		return true;
	struct variables bound = { .items = arena_array(arena, struct variable, array->n_bound_inputs) };
	for (size_t i = 0; i < array->n_bound_inputs; i++)
		bound.items[bound.count++].name = array->bound_inputs[i];
	variables_sort(&bound);
	nb->inputs = lists_of(arena, &child->inputs, &bound);
	nb->outputs = lists_of(arena, &child->outputs, &(struct variables){ 0 });
	return true;
}

static bool compute_by_kind(struct workflow_builder *w, struct node_builder *nb)
{
	switch (nb->node->target_case) {
	case FLYTEIDL__CORE__NODE__TARGET_TASK_NODE:
		return task_interface(w, nb);
	case FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE:
		return workflow_interface(w, nb);
	case FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE:
		return branch_interface(w, nb);
	case FLYTEIDL__CORE__NODE__TARGET_GATE_NODE:
		return gate_interface(w, nb);
	case FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE:
		return array_interface(w, nb);
	default:
		return value_required(w, nb, "Target");
	}
}

/* ---- aliases ---- */

static int compare_aliases(const void *a, const void *b)
{
	const Flyteidl__Core__Alias *const *x = a, *const *y = b;
	int order = strcmp((*x)->var, (*y)->var);
	return order ? order : strcmp((*x)->alias, (*y)->alias);
}

/* The position of an output in nb->outputs, or -1. */
static long output_position(const struct node_builder *nb, const char *name)
{
	const struct variable *output = variables_find(&nb->outputs, name);
	return output ? output - nb->outputs.items : -1;
}

/* Renames the visible outputs, which are in the order of nb->outputs here. */
static bool rename_outputs(struct workflow_builder *w, struct node_builder *nb)
{
	struct compile_errors *errors = &w->compilation->errors;
	const Flyteidl__Core__Node *node = nb->node;
	size_t before = errors->total, count = node->n_output_aliases;
	const Flyteidl__Core__Alias **aliases =
	        arena_array(w->compilation->arena, const Flyteidl__Core__Alias *, count);
	for (size_t i = 0; i < count; i++)
		aliases[i] = node->output_aliases[i];
	qsort(aliases, count, sizeof(*aliases), compare_aliases);
	for (size_t i = 0; i < count; i++) {
		long position = output_position(nb, aliases[i]->var);
		if (i && strcmp(aliases[i - 1]->var, aliases[i]->var) == 0)
			compile_error(errors, COMPILE_DUPLICATE_ALIAS, node->id,
			              "output '%s' has the aliases '%s' and '%s'", aliases[i]->var,
			              aliases[i - 1]->alias, aliases[i]->alias);
		else if (position < 0)
			compile_error(errors, COMPILE_PARAMETER_NOT_BOUND, node->id,
			              "alias '%s' stands for output '%s', which the node does not have",
			              aliases[i]->alias, aliases[i]->var);
		else
			nb->visible_outputs.items[position].name = aliases[i]->alias;
	}
	return errors->total == before;
}

static bool apply_aliases(struct workflow_builder *w, struct node_builder *nb)
{
	nb->visible_outputs = nb->outputs;
	if (!nb->node->n_output_aliases)
		return true;
	nb->visible_outputs.items =
	        arena_copy(w->compilation->arena, nb->outputs.items, nb->outputs.count * sizeof(*nb->outputs.items));
	if (!rename_outputs(w, nb))
		return false;
	variables_sort(&nb->visible_outputs);
	if (nb->visible_outputs.count == nb->outputs.count)
		return true;
	return compile_error(&w->compilation->errors, COMPILE_VALUE_COLLISION, nb->node->id,
	                     "with their aliases two outputs of the node have the same name");
}

/* ---- */

static bool report_interface_cycle(struct workflow_builder *w, const struct node_builder *nb)
{
	auto_buf struct buf path = BUF_INIT(1500);
	unsigned i = 0;
	while (w->computing[i] != nb)
		i++;
	for (; i < w->computing_count; i++)
		(void)buf_add_format(&path, "%s > ", w->computing[i]->node->id);
	return compile_error(&w->compilation->errors, COMPILE_CYCLE_DETECTED, START_NODE_ID,
	                     "nodes wait for one another: %s%s", buf_text(&path), nb->node->id);
}

bool node_interface_compute(struct workflow_builder *w, struct node_builder *nb)
{
	if (nb->interface_state == INTERFACE_READY || nb->interface_state == INTERFACE_FAILED)
		return nb->interface_state == INTERFACE_READY;
	if (arena_is_exhausted(w->compilation->arena))
		return false;
	if (nb->interface_state == INTERFACE_COMPUTING)
		return report_interface_cycle(w, nb);
	if (w->computing_count == INTERFACE_DEPTH_MAXIMUM)
		return compile_error(&w->compilation->errors, COMPILE_WORKFLOW_BUILD_ERROR, nb->node->id,
		                     "more than %d nodes derive their interface from one another",
		                     INTERFACE_DEPTH_MAXIMUM);
	nb->interface_state = INTERFACE_COMPUTING;
	w->computing[w->computing_count++] = nb;
	bool valid = compute_by_kind(w, nb);
	w->computing_count--;
	if (valid) {
		valid = variables_validate(w->compilation, nb->node->id, &nb->inputs);
		valid &= variables_validate(w->compilation, nb->node->id, &nb->outputs);
	}
	valid = valid && apply_aliases(w, nb);
	nb->interface_state = valid ? INTERFACE_READY : INTERFACE_FAILED;
	return valid;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void compile_referenced_workflow(struct workflow_builder *w, const struct node_builder *nb)
{
	const Flyteidl__Core__Node *node = nb->node;
	if (node->target_case == FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE && node->workflow_node &&
	    node->workflow_node->reference_case == FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_SUB_WORKFLOW_REF &&
	    node->workflow_node->sub_workflow_ref)
		sub_workflow_compile(w->compilation, node->id, node->workflow_node->sub_workflow_ref);
}

void node_validate(struct workflow_builder *w, struct node_builder *nb)
{
	Flyteidl__Core__Node *node = nb->node;
	bool in_array = nb->parent && array_of(nb->parent->node);
	if (!*node->id && !in_array)
		compile_error(&w->compilation->errors, COMPILE_VALUE_REQUIRED, "<node>", "a node has no id");
	/* Sorted, so that the same workflow compiles to the same closure however its client orders them. */
	if (node->n_upstream_node_ids > 1)
		qsort(node->upstream_node_ids, node->n_upstream_node_ids, sizeof(char *), compare_strings);
	compile_referenced_workflow(w, nb);
	if (node->target_case == FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE)
		conditions_validate(w, nb);
	for (size_t i = 0; i < nb->child_count && !arena_is_exhausted(w->compilation->arena); i++) {
		node_validate(w, nb->children[i]);
		if (if_else_of(node)) {
			node_edges_add(w, nb->children[i], EDGES_UPSTREAM_ONLY);
			node_bindings_validate(w, nb->children[i]);
		}
	}
}
