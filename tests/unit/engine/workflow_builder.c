#include "workflow_builder.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* proto_new for the generated messages of map entries and other nested types, which have no unpack function. */
#define NESTED_NEW(arena, type, prefix) ((type *)proto_new_of((arena), &prefix##__descriptor))

static Flyteidl__Core__Variable *integer_variable(struct arena *arena)
{
	Flyteidl__Core__Variable *variable = proto_new(arena, flyteidl__core__variable);
	variable->type = proto_new(arena, flyteidl__core__literal_type);
	variable->type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	variable->type->simple = FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER;
	return variable;
}

static void declare(struct arena *arena, Flyteidl__Core__VariableMap *variables, const char *name)
{
	Flyteidl__Core__VariableMap__VariablesEntry *entry = NESTED_NEW(
	        arena, Flyteidl__Core__VariableMap__VariablesEntry, flyteidl__core__variable_map__variables_entry);
	entry->key = arena_strdup(arena, name);
	entry->value = integer_variable(arena);
	proto_append(arena, variables->n_variables, variables->variables, entry);
}

static Flyteidl__Core__Binding *promise(struct arena *arena, const char *variable, const char *node, const char *output)
{
	Flyteidl__Core__Binding *binding = proto_new(arena, flyteidl__core__binding);
	binding->var = arena_strdup(arena, variable);
	binding->binding = proto_new(arena, flyteidl__core__binding_data);
	binding->binding->value_case = FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE;
	binding->binding->promise = proto_new(arena, flyteidl__core__output_reference);
	binding->binding->promise->node_id = arena_strdup(arena, node);
	binding->binding->promise->var = arena_strdup(arena, output);
	return binding;
}

static Flyteidl__Core__TypedInterface *interface(struct arena *arena)
{
	Flyteidl__Core__TypedInterface *interface = proto_new(arena, flyteidl__core__typed_interface);
	interface->inputs = proto_new(arena, flyteidl__core__variable_map);
	interface->outputs = proto_new(arena, flyteidl__core__variable_map);
	return interface;
}

static Flyteidl__Core__Identifier *identifier(struct arena *arena, const char *name)
{
	Flyteidl__Core__Identifier *id = proto_new(arena, flyteidl__core__identifier);
	id->project = arena_strdup(arena, "flytesnacks");
	id->domain = arena_strdup(arena, "development");
	id->name = arena_strdup(arena, name);
	id->version = arena_strdup(arena, "v1");
	return id;
}

static Flyteidl__Core__Node *add_node(struct workflow_builder *b, const char *id)
{
	Flyteidl__Core__Node *node = proto_new(b->arena, flyteidl__core__node);
	node->id = arena_strdup(b->arena, id);
	proto_append(b->arena, b->template->n_nodes, b->template->nodes, node);
	return node;
}

static void begin(struct workflow_builder *b, const char *name)
{
	b->workflow->connections = proto_new(b->arena, flyteidl__core__connection_set);
	b->template = b->workflow->template_ = proto_new(b->arena, flyteidl__core__workflow_template);
	b->template->id = identifier(b->arena, name);
	b->template->metadata = proto_new(b->arena, flyteidl__core__workflow_metadata);
	b->template->interface = interface(b->arena);
	declare(b->arena, b->template->interface->inputs, "x");
	add_node(b, "start-node");
}

struct workflow_builder workflow_builder(struct arena *arena)
{
	struct workflow_builder b = { .arena = arena,
		                      .closure = proto_new(arena, flyteidl__core__compiled_workflow_closure) };
	b.workflow = b.closure->primary = proto_new(arena, flyteidl__core__compiled_workflow);
	begin(&b, "wf");
	return b;
}

struct workflow_builder workflow_sub_builder(struct workflow_builder *parent)
{
	struct workflow_builder b = { .arena = parent->arena,
		                      .closure = parent->closure,
		                      .workflow = proto_new(parent->arena, flyteidl__core__compiled_workflow) };
	begin(&b, arena_printf(b.arena, "wf%zu", b.closure->n_sub_workflows));
	proto_append(b.arena, b.closure->n_sub_workflows, b.closure->sub_workflows, b.workflow);
	return b;
}

static void connect(struct workflow_builder *b, const char *to, const char *const *from, size_t count)
{
	Flyteidl__Core__ConnectionSet__UpstreamEntry *entry = NESTED_NEW(
	        b->arena, Flyteidl__Core__ConnectionSet__UpstreamEntry, flyteidl__core__connection_set__upstream_entry);
	entry->key = arena_strdup(b->arena, to);
	entry->value =
	        NESTED_NEW(b->arena, Flyteidl__Core__ConnectionSet__IdList, flyteidl__core__connection_set__id_list);
	for (size_t i = 0; i < count; i++)
		proto_append(b->arena, entry->value->n_ids, entry->value->ids, arena_strdup(b->arena, from[i]));
	Flyteidl__Core__ConnectionSet *connections = b->workflow->connections;
	proto_append(b->arena, connections->n_upstream, connections->upstream, entry);
}

static const Flyteidl__Core__WorkflowTemplate *sub_template(const struct workflow_builder *b,
                                                            const Flyteidl__Core__Node *node)
{
	for (size_t i = 0; i < b->closure->n_sub_workflows; i++) {
		if (b->closure->sub_workflows[i]->template_->id == node->workflow_node->sub_workflow_ref)
			return b->closure->sub_workflows[i]->template_;
	}
	fail_msg("no sub-workflow");
	return NULL;
}

/* The name of a node's one interesting output. */
static const char *output_of(const struct workflow_builder *b, const char *id)
{
	for (size_t i = 0; i < b->template->n_nodes; i++) {
		const Flyteidl__Core__Node *node = b->template->nodes[i];
		if (text_equal(node->id, id) && node->target_case == FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE &&
		    node->inputs[0]->binding->value_case == FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION)
			return "[0].o0";
		if (!text_equal(node->id, id) || node->target_case != FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE ||
		    node->workflow_node->reference_case != FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_SUB_WORKFLOW_REF)
			continue;
		const Flyteidl__Core__WorkflowTemplate *sub = sub_template(b, node);
		return sub->n_outputs ? sub->outputs[sub->n_outputs - 1]->var : "none";
	}
	return "o0";
}

static const char *next_id(struct workflow_builder *b)
{
	return arena_printf(b->arena, "n%zu", b->node_count++);
}

static void follow(struct workflow_builder *b, const Flyteidl__Core__Node *node, const size_t *upstream, size_t count)
{
	const char *from[64] = { "start-node" };
	assert_true(count <= ARRAY_LENGTH(from));
	for (size_t i = 0; i < count; i++)
		from[i] = arena_printf(b->arena, "n%zu", upstream[i]);
	connect(b, node->id, from, count ? count : 1);
}

static void bind(struct workflow_builder *b, Flyteidl__Core__Node *node, const char *input, const char *from)
{
	const bool of_workflow = text_is_empty(from);
	if (of_workflow && b->has_constant) {
		Flyteidl__Core__Binding *binding = promise(b->arena, input, "", "");
		binding->binding->value_case = FLYTEIDL__CORE__BINDING_DATA__VALUE_SCALAR;
		binding->binding->scalar = workflow_integer(b->arena, "", b->constant)->literals[0]->value->scalar;
		proto_append(b->arena, node->n_inputs, node->inputs, binding);
		return;
	}
	proto_append(b->arena, node->n_inputs, node->inputs,
	             promise(b->arena, input, from, of_workflow ? "x" : output_of(b, from)));
}

static Flyteidl__Core__TaskTemplate *add_task(struct workflow_builder *b, uint32_t retries)
{
	Flyteidl__Core__TaskTemplate *task = proto_new(b->arena, flyteidl__core__task_template);
	task->id = identifier(b->arena, arena_printf(b->arena, "t%zu", b->closure->n_tasks));
	task->type = arena_strdup(b->arena, "python-task");
	task->metadata = proto_new(b->arena, flyteidl__core__task_metadata);
	task->metadata->retries = proto_new(b->arena, flyteidl__core__retry_strategy);
	task->metadata->retries->retries = retries;
	task->interface = interface(b->arena);
	declare(b->arena, task->interface->outputs, "o0");
	task->target_case = FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER;
	task->container = proto_new(b->arena, flyteidl__core__container);
	task->container->image = arena_strdup(b->arena, "image");
	Flyteidl__Core__CompiledTask *compiled = proto_new(b->arena, flyteidl__core__compiled_task);
	compiled->template_ = task;
	proto_append(b->arena, b->closure->n_tasks, b->closure->tasks, compiled);
	return task;
}

Flyteidl__Core__Node *workflow_add_task(struct workflow_builder *b, uint32_t retries, const size_t *upstream,
                                        size_t upstream_count)
{
	Flyteidl__Core__TaskTemplate *task = add_task(b, retries);
	Flyteidl__Core__Node *node = add_node(b, next_id(b));
	node->metadata = proto_new(b->arena, flyteidl__core__node_metadata);
	node->metadata->name = task->id->name;
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_TASK_NODE;
	node->task_node = proto_new(b->arena, flyteidl__core__task_node);
	node->task_node->reference_case = FLYTEIDL__CORE__TASK_NODE__REFERENCE_REFERENCE_ID;
	node->task_node->reference_id = task->id;
	if (upstream_count == 0) {
		declare(b->arena, task->interface->inputs, "i0");
		bind(b, node, "i0", "");
	}
	for (size_t i = 0; i < upstream_count; i++) {
		const char *input = arena_printf(b->arena, "i%zu", upstream[i]);
		declare(b->arena, task->interface->inputs, input);
		bind(b, node, input, arena_printf(b->arena, "n%zu", upstream[i]));
	}
	follow(b, node, upstream, upstream_count);
	return node;
}

Flyteidl__Core__Node *workflow_add_sub(struct workflow_builder *b, const struct workflow_builder *sub,
                                       const size_t *upstream, size_t upstream_count)
{
	Flyteidl__Core__Node *node = add_node(b, next_id(b));
	node->metadata = proto_new(b->arena, flyteidl__core__node_metadata);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE;
	node->workflow_node = proto_new(b->arena, flyteidl__core__workflow_node);
	node->workflow_node->reference_case = FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_SUB_WORKFLOW_REF;
	node->workflow_node->sub_workflow_ref = sub->template->id;
	bind(b, node, "x", upstream_count ? arena_printf(b->arena, "n%zu", upstream[0]) : "");
	follow(b, node, upstream, upstream_count);
	return node;
}

static Flyteidl__Core__Node *add_gate(struct workflow_builder *b, const size_t *upstream, size_t upstream_count)
{
	Flyteidl__Core__Node *node = add_node(b, next_id(b));
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_GATE_NODE;
	node->metadata = proto_new(b->arena, flyteidl__core__node_metadata);
	node->gate_node = proto_new(b->arena, flyteidl__core__gate_node);
	follow(b, node, upstream, upstream_count);
	return node;
}

Flyteidl__Core__Node *workflow_add_approval(struct workflow_builder *b, const size_t *upstream, size_t upstream_count)
{
	Flyteidl__Core__Node *node = add_gate(b, upstream, upstream_count);
	node->gate_node->condition_case = FLYTEIDL__CORE__GATE_NODE__CONDITION_APPROVE;
	node->gate_node->approve = proto_new(b->arena, flyteidl__core__approve_condition);
	node->gate_node->approve->signal_id = arena_printf(b->arena, "s%s", node->id + 1);
	bind(b, node, "o0", upstream_count ? arena_printf(b->arena, "n%zu", upstream[0]) : "");
	return node;
}

Flyteidl__Core__Node *workflow_add_signal(struct workflow_builder *b, const size_t *upstream, size_t upstream_count)
{
	Flyteidl__Core__Node *node = add_gate(b, upstream, upstream_count);
	node->gate_node->condition_case = FLYTEIDL__CORE__GATE_NODE__CONDITION_SIGNAL;
	node->gate_node->signal = proto_new(b->arena, flyteidl__core__signal_condition);
	node->gate_node->signal->signal_id = arena_printf(b->arena, "s%s", node->id + 1);
	node->gate_node->signal->type = integer_variable(b->arena)->type;
	node->gate_node->signal->output_variable_name = arena_strdup(b->arena, "o0");
	return node;
}

Flyteidl__Core__Node *workflow_add_sleep(struct workflow_builder *b, int64_t seconds, const size_t *upstream,
                                         size_t upstream_count)
{
	Flyteidl__Core__Node *node = add_gate(b, upstream, upstream_count);
	node->gate_node->condition_case = FLYTEIDL__CORE__GATE_NODE__CONDITION_SLEEP;
	node->gate_node->sleep = proto_new(b->arena, flyteidl__core__sleep_condition);
	node->gate_node->sleep->duration = proto_new(b->arena, google__protobuf__duration);
	node->gate_node->sleep->duration->seconds = seconds;
	return node;
}

static Flyteidl__Core__Node *task_node(struct workflow_builder *b, uint32_t retries, const char *id)
{
	Flyteidl__Core__TaskTemplate *task = add_task(b, retries);
	Flyteidl__Core__Node *node = proto_new(b->arena, flyteidl__core__node);
	node->id = arena_strdup(b->arena, id);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_TASK_NODE;
	node->task_node = proto_new(b->arena, flyteidl__core__task_node);
	node->task_node->reference_case = FLYTEIDL__CORE__TASK_NODE__REFERENCE_REFERENCE_ID;
	node->task_node->reference_id = task->id;
	return node;
}

static Flyteidl__Core__BooleanExpression *at_most(struct workflow_builder *b, const char *variable, int64_t limit)
{
	Flyteidl__Core__ComparisonExpression *comparison = proto_new(b->arena, flyteidl__core__comparison_expression);
	comparison->operator_ = FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__LTE;
	comparison->left_value = proto_new(b->arena, flyteidl__core__operand);
	comparison->left_value->val_case = FLYTEIDL__CORE__OPERAND__VAL_VAR;
	comparison->left_value->var = arena_strdup(b->arena, variable);
	comparison->right_value = proto_new(b->arena, flyteidl__core__operand);
	comparison->right_value->val_case = FLYTEIDL__CORE__OPERAND__VAL_SCALAR;
	comparison->right_value->scalar = workflow_integer(b->arena, "c", limit)->literals[0]->value->scalar;
	Flyteidl__Core__BooleanExpression *expression = proto_new(b->arena, flyteidl__core__boolean_expression);
	expression->expr_case = FLYTEIDL__CORE__BOOLEAN_EXPRESSION__EXPR_COMPARISON;
	expression->comparison = comparison;
	return expression;
}

Flyteidl__Core__Node *workflow_add_branch(struct workflow_builder *b, int64_t limit, const char *otherwise,
                                          uint32_t retries, const size_t *upstream, size_t upstream_count)
{
	const char *source = upstream_count ? arena_printf(b->arena, "n%zu", upstream[0]) : "";
	Flyteidl__Core__Node *node = add_node(b, next_id(b));
	Flyteidl__Core__IfElseBlock *block = proto_new(b->arena, flyteidl__core__if_else_block);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE;
	node->branch_node = proto_new(b->arena, flyteidl__core__branch_node);
	node->branch_node->if_else = block;
	block->case_ = proto_new(b->arena, flyteidl__core__if_block);
	block->case_->condition = at_most(b, "c", limit);
	block->case_->then_node = task_node(b, retries, arena_printf(b->arena, "%s-then", node->id));
	bind(b, node, "c", source);
	bind(b, block->case_->then_node, "i0", source);
	if (!otherwise) {
		block->default_case = FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT_ELSE_NODE;
		block->else_node = task_node(b, retries, arena_printf(b->arena, "%s-else", node->id));
		bind(b, block->else_node, "i0", source);
		bind(b, block->else_node, "i1", source);
	} else if (*otherwise) {
		block->default_case = FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT_ERROR;
		block->error = proto_new(b->arena, flyteidl__core__error);
		block->error->message = arena_strdup(b->arena, otherwise);
	}
	follow(b, node, upstream, upstream_count);
	return node;
}

Flyteidl__Core__Node *workflow_add_failure_task(struct workflow_builder *b)
{
	Flyteidl__Core__Node *node = task_node(b, 0, "efn");
	Flyteidl__Core__TaskTemplate *task = workflow_task(b, b->closure->n_tasks - 1);
	task->interface->outputs = proto_new(b->arena, flyteidl__core__variable_map);
	declare(b->arena, task->interface->inputs, "x");
	declare(b->arena, task->interface->inputs, "err");
	Flyteidl__Core__LiteralType *error = proto_new(b->arena, flyteidl__core__literal_type);
	error->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	error->simple = FLYTEIDL__CORE__SIMPLE_TYPE__ERROR;
	Flyteidl__Core__LiteralType *none = proto_new(b->arena, flyteidl__core__literal_type);
	none->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	none->simple = FLYTEIDL__CORE__SIMPLE_TYPE__NONE;
	Flyteidl__Core__LiteralType *type = task->interface->inputs->variables[1]->value->type;
	type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE;
	type->union_type = proto_new(b->arena, flyteidl__core__union_type);
	proto_append(b->arena, type->union_type->n_variants, type->union_type->variants, error);
	proto_append(b->arena, type->union_type->n_variants, type->union_type->variants, none);
	bind(b, node, "x", "");
	bind(b, node, "err", ""); /* to anything, as flytekit does */
	b->template->failure_node = node;
	return node;
}

static Flyteidl__Core__Node *launch_plan_node(struct workflow_builder *b)
{
	Flyteidl__Core__Node *node = proto_new(b->arena, flyteidl__core__node);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE;
	node->workflow_node = proto_new(b->arena, flyteidl__core__workflow_node);
	node->workflow_node->reference_case = FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_LAUNCHPLAN_REF;
	node->workflow_node->launchplan_ref = identifier(b->arena, "lp");
	return node;
}

static Flyteidl__Core__Node *array_of(struct workflow_builder *b, Flyteidl__Core__Node *inner)
{
	Flyteidl__Core__Node *node = add_node(b, next_id(b));
	node->metadata = proto_new(b->arena, flyteidl__core__node_metadata);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE;
	node->array_node = proto_new(b->arena, flyteidl__core__array_node);
	node->array_node->node = inner;
	return node;
}

static Flyteidl__Core__Node *array_of_tasks(struct workflow_builder *b, uint32_t retries)
{
	Flyteidl__Core__Node *inner = task_node(b, retries, "inner");
	inner->metadata = proto_new(b->arena, flyteidl__core__node_metadata);
	declare(b->arena, workflow_task(b, b->closure->n_tasks - 1)->interface->inputs, "i0");
	return array_of(b, inner);
}

/* The outputs of the nodes with these numbers, or three times the workflow's input. */
static void bind_list(struct workflow_builder *b, Flyteidl__Core__Node *node, const char *input, const size_t *upstream,
                      size_t upstream_count)
{
	Flyteidl__Core__Node *elements = proto_new(b->arena, flyteidl__core__node);
	for (size_t i = 0; i < upstream_count; i++)
		bind(b, elements, "", arena_printf(b->arena, "n%zu", upstream[i]));
	for (size_t i = 0; i < 3 && upstream_count == 0; i++)
		bind(b, elements, "", "");
	Flyteidl__Core__BindingData *data = proto_new(b->arena, flyteidl__core__binding_data);
	data->value_case = FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION;
	data->collection = proto_new(b->arena, flyteidl__core__binding_data_collection);
	for (size_t i = 0; i < elements->n_inputs; i++)
		proto_append(b->arena, data->collection->n_bindings, data->collection->bindings,
		             elements->inputs[i]->binding);
	Flyteidl__Core__Binding *binding = proto_new(b->arena, flyteidl__core__binding);
	binding->var = arena_strdup(b->arena, input);
	binding->binding = data;
	proto_append(b->arena, node->n_inputs, node->inputs, binding);
	follow(b, node, upstream, upstream_count);
}

Flyteidl__Core__Node *workflow_add_array(struct workflow_builder *b, uint32_t retries)
{
	Flyteidl__Core__Node *node = array_of_tasks(b, retries);
	bind(b, node, "i0", "");
	follow(b, node, NULL, 0);
	return node;
}

Flyteidl__Core__Node *workflow_add_child_array(struct workflow_builder *b)
{
	Flyteidl__Core__Node *node = array_of(b, launch_plan_node(b));
	bind(b, node, "x", "");
	follow(b, node, NULL, 0);
	return node;
}

Flyteidl__Core__Node *workflow_add_task_array(struct workflow_builder *b, uint32_t retries, const size_t *upstream,
                                              size_t upstream_count)
{
	Flyteidl__Core__Node *node = array_of_tasks(b, retries);
	bind_list(b, node, "i0", upstream, upstream_count);
	return node;
}

Flyteidl__Core__Node *workflow_add_launch_plan_array(struct workflow_builder *b, const size_t *upstream,
                                                     size_t upstream_count)
{
	Flyteidl__Core__Node *node = array_of(b, launch_plan_node(b));
	bind_list(b, node, "x", upstream, upstream_count);
	return node;
}

Flyteidl__Core__Node *workflow_add_launch_plan(struct workflow_builder *b, const size_t *upstream,
                                               size_t upstream_count)
{
	Flyteidl__Core__Node *node = launch_plan_node(b);
	node->id = arena_strdup(b->arena, next_id(b));
	proto_append(b->arena, b->template->n_nodes, b->template->nodes, node);
	bind(b, node, "x", upstream_count ? arena_printf(b->arena, "n%zu", upstream[0]) : "");
	follow(b, node, upstream, upstream_count);
	return node;
}

Flyteidl__Core__TaskTemplate *workflow_task(const struct workflow_builder *b, size_t number)
{
	return b->closure->tasks[number]->template_;
}

static bool is_followed(const struct workflow_builder *b, const char *id)
{
	const Flyteidl__Core__ConnectionSet *connections = b->workflow->connections;
	for (size_t i = 0; i < connections->n_upstream; i++) {
		for (size_t k = 0; k < connections->upstream[i]->value->n_ids; k++) {
			if (text_equal(connections->upstream[i]->value->ids[k], id))
				return true;
		}
	}
	return false;
}

static bool is_sleep(const Flyteidl__Core__Node *node)
{
	return node->target_case == FLYTEIDL__CORE__NODE__TARGET_GATE_NODE &&
	       node->gate_node->condition_case == FLYTEIDL__CORE__GATE_NODE__CONDITION_SLEEP;
}

Flyteidl__Core__CompiledWorkflowClosure *workflow_finish(struct workflow_builder *b)
{
	const char **leaves = arena_array(b->arena, const char *, b->template->n_nodes);
	size_t count = 0;
	for (size_t i = 1; i < b->template->n_nodes; i++) {
		const char *id = b->template->nodes[i]->id;
		if (is_followed(b, id))
			continue;
		const char *output = arena_printf(b->arena, "o%s", id + 1);
		leaves[count++] = id;
		if (is_sleep(b->template->nodes[i]))
			continue;
		declare(b->arena, b->template->interface->outputs, output);
		proto_append(b->arena, b->template->n_outputs, b->template->outputs,
		             promise(b->arena, output, id, output_of(b, id)));
	}
	Flyteidl__Core__Node *end = add_node(b, "end-node");
	end->n_inputs = b->template->n_outputs;
	end->inputs = b->template->outputs;
	connect(b, "end-node", leaves, count);
	return b->closure;
}

Flyteidl__Core__CompiledWorkflowClosure *workflow_dynamic(struct arena *arena, int64_t constant, size_t length,
                                                          uint32_t retries)
{
	struct workflow_builder b = workflow_builder(arena);
	b.has_constant = true;
	b.constant = constant;
	for (size_t i = 0; i < length; i++)
		workflow_add_task(&b, retries, (size_t[]){ i - 1 }, i > 0);
	workflow_finish(&b);
	b.template->interface->inputs->n_variables = 0;
	b.template->interface->outputs->variables[0]->key = arena_strdup(arena, "o0");
	b.template->outputs[0]->var = arena_strdup(arena, "o0");
	return b.closure;
}

Flyteidl__Core__Literal *workflow_boolean(struct arena *arena, bool value)
{
	Flyteidl__Core__Literal *literal = workflow_integer(arena, "", 0)->literals[0]->value;
	literal->scalar->primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN;
	literal->scalar->primitive->boolean = value;
	return literal;
}

static Flyteidl__Core__Literal *integer_literal(struct arena *arena, int64_t value)
{
	Flyteidl__Core__Primitive *primitive = proto_new(arena, flyteidl__core__primitive);
	primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
	primitive->integer = value;
	Flyteidl__Core__Literal *literal = proto_new(arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = proto_new(arena, flyteidl__core__scalar);
	literal->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
	literal->scalar->primitive = primitive;
	return literal;
}

static Flyteidl__Core__LiteralMap *map_of(struct arena *arena, const char *name, Flyteidl__Core__Literal *literal)
{
	Flyteidl__Core__LiteralMap *literals = proto_new(arena, flyteidl__core__literal_map);
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry = NESTED_NEW(arena, Flyteidl__Core__LiteralMap__LiteralsEntry,
	                                                              flyteidl__core__literal_map__literals_entry);
	entry->key = arena_strdup(arena, name);
	entry->value = literal;
	proto_append(arena, literals->n_literals, literals->literals, entry);
	return literals;
}

Flyteidl__Core__LiteralMap *workflow_integer(struct arena *arena, const char *name, int64_t value)
{
	return map_of(arena, name, integer_literal(arena, value));
}

Flyteidl__Core__LiteralMap *workflow_list(struct arena *arena, const char *name, const int64_t *values, size_t count)
{
	Flyteidl__Core__Literal *literal = proto_new(arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	literal->collection = proto_new(arena, flyteidl__core__literal_collection);
	for (size_t i = 0; i < count; i++)
		proto_append(arena, literal->collection->n_literals, literal->collection->literals,
		             integer_literal(arena, values[i]));
	return map_of(arena, name, literal);
}

int64_t workflow_integer_of(const Flyteidl__Core__LiteralMap *literals, const char *name)
{
	assert_non_null(literals);
	for (size_t i = 0; i < literals->n_literals; i++) {
		if (text_equal(literals->literals[i]->key, name))
			return literals->literals[i]->value->scalar->primitive->integer;
	}
	fail_msg("there is no literal \"%s\"", name);
	return 0;
}

struct progress_definition workflow_execution(struct arena *arena,
                                              const Flyteidl__Core__CompiledWorkflowClosure *closure)
{
	return (struct progress_definition){
		.id = 1,
		.project = "flytesnacks",
		.domain = "development",
		.name = "e1",
		.workflow_project = "flytesnacks",
		.workflow_domain = "development",
		.workflow_name = "wf",
		.workflow_version = "v1",
		.launch_plan_name = "wf",
		.spec = proto_new(arena, flyteidl__admin__execution_spec),
		.closure = closure,
		.inputs = workflow_integer(arena, "x", 1),
		.inputs_uri = "s3://bucket/inputs",
	};
}
