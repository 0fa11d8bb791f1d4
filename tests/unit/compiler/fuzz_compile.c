/*
 * Arbitrary bytes as the specification of CreateWorkflow. What parses is compiled: once alone, and once with every task
 * and launch plan that it refers to made up. A closure that comes out must compile again to the same bytes.
 */
#include "base/text.h"
#include "controlplane/compiler/bindings.h"
#include "controlplane/compiler/branch.h"
#include "controlplane/compiler/compiler.h"
#include "controlplane/compiler/inputs.h"
#include "controlplane/compiler/types.h"
#include "proto/message.h"

#include "flyteidl/admin/workflow.pb-c.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every task has the workflow's own interface, so that some bindings fit. */
static Flyteidl__Core__CompiledTask **make_tasks(struct arena *a, const struct compiler_references *references,
                                                 Flyteidl__Core__TypedInterface *interface)
{
	Flyteidl__Core__CompiledTask **tasks = arena_array(a, Flyteidl__Core__CompiledTask *, references->task_count);
	for (size_t i = 0; i < references->task_count; i++) {
		tasks[i] = proto_new(a, flyteidl__core__compiled_task);
		tasks[i]->template_ = proto_new(a, flyteidl__core__task_template);
		tasks[i]->template_->id = (Flyteidl__Core__Identifier *)(uintptr_t)references->tasks[i];
		tasks[i]->template_->interface = interface;
	}
	return tasks;
}

static struct compiler_launch_plan *make_launch_plans(struct arena *a, const struct compiler_references *references,
                                                      const Flyteidl__Core__TypedInterface *interface)
{
	struct compiler_launch_plan *plans = arena_array(a, struct compiler_launch_plan, references->launch_plan_count);
	for (size_t i = 0; i < references->launch_plan_count; i++) {
		plans[i].id = references->launch_plans[i];
		plans[i].outputs = interface ? interface->outputs : NULL;
	}
	return plans;
}

static const Flyteidl__Core__Literal *no_output(void *context, const char *node_id, const char *variable, struct err *e)
{
	(void)node_id;
	(void)variable;
	(void)e;
	return context;
}

/* The other pure functions see the same hostile messages. */
static void use_parts(struct arena *a, const Flyteidl__Core__CompiledWorkflow *w)
{
	Flyteidl__Core__Literal *nothing = proto_new(a, flyteidl__core__literal);
	const struct bindings_source source = { .output = no_output, .context = nothing };
	for (size_t i = 0; i < w->template_->n_nodes; i++) {
		const Flyteidl__Core__Node *node = w->template_->nodes[i];
		Flyteidl__Core__LiteralMap *inputs = NULL;
		(void)bindings_resolve(a, node->inputs, node->n_inputs, &source, &inputs, NULL);
		if (node->target_case == FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE && node->branch_node)
			(void)branch_decide(node->branch_node, inputs, NULL);
		(void)inputs_merge(a, NULL, inputs, NULL, NULL);
		for (size_t k = 0; inputs && k < inputs->n_literals; k++)
			(void)types_describe_in(a, types_of_literal(a, inputs->literals[k]->value));
	}
}

static void must_compile_again(struct arena *a, struct compiler_request *request,
                               const Flyteidl__Core__CompiledWorkflow *w)
{
	request->primary = w->template_;
	const Flyteidl__Core__CompiledWorkflowClosure *again = compiler_compile_workflow(a, request, NULL);
	if (!again)
		abort();
	struct proto_bytes one = proto_pack(a, &w->connections->base),
	                   two = proto_pack(a, &again->primary->connections->base);
	if (one.length != two.length || memcmp(one.data, two.data, one.length) != 0)
		abort();
}

/* Nodes within branches get their parent's id in front each time, so only workflows without branches compile to
 * themselves. */
static bool has_branch(const Flyteidl__Core__WorkflowTemplate *w)
{
	for (size_t i = 0; i < w->n_nodes; i++)
		if (w->nodes[i]->target_case == FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE ||
		    w->nodes[i]->target_case == FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE)
			return true;
	return w->failure_node != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)512 << 20);
	auto_err struct err e = ERR_INIT;
	if (size > 65536)
		return 0;
	Flyteidl__Admin__WorkflowSpec *spec = proto_unpack(&arena, flyteidl__admin__workflow_spec, data, size, &e);
	if (!spec)
		return 0;
	struct compiler_references references =
	        compiler_references(&arena, spec->template_, spec->sub_workflows, spec->n_sub_workflows);
	struct compiler_request request = { .primary = spec->template_,
		                            .sub_workflows = spec->sub_workflows,
		                            .sub_workflow_count = spec->n_sub_workflows };
	if (!compiler_compile_workflow(&arena, &request, &e) && e.kind == ERR_NONE)
		abort();
	if (!spec->template_)
		return 0;
	request.tasks = make_tasks(&arena, &references, spec->template_->interface);
	request.task_count = references.task_count;
	request.launch_plans = make_launch_plans(&arena, &references, spec->template_->interface);
	request.launch_plan_count = references.launch_plan_count;
	const Flyteidl__Core__CompiledWorkflowClosure *closure = compiler_compile_workflow(&arena, &request, &e);
	if (!closure)
		return 0;
	proto_pack(&arena, &closure->base);
	use_parts(&arena, closure->primary);
	if (!has_branch(closure->primary->template_))
		must_compile_again(&arena, &request, closure->primary);
	return 0;
}
