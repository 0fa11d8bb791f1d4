#include "controlplane/engine/dynamic.h"

#include "base/text.h"
#include "controlplane/compiler/compiler.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/launch_plans.h"
#include "controlplane/store/tasks.h"

#include "flyteidl/admin/launch_plan.pb-c.h"
#include "flyteidl/admin/task.pb-c.h"
#include "flyteidl/core/workflow.pb-c.h"

static struct entity_key key_of(const Flyteidl__Core__Identifier *id)
{
	return (struct entity_key){ id->project, id->domain, id->name, id->version };
}

static bool same_id(const Flyteidl__Core__Identifier *a, const Flyteidl__Core__Identifier *b)
{
	return a && b && text_equal(a->project, b->project) && text_equal(a->domain, b->domain) &&
	       text_equal(a->name, b->name) && text_equal(a->version, b->version);
}

/* ---- Tasks ---- */

/* Upstream hands the configuration of the dynamic task's container down. */
static void inherit_configuration(struct arena *arena, Flyteidl__Core__TaskTemplate *task,
                                  const Flyteidl__Core__TaskTemplate *parent)
{
	if (task->target_case != FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER ||
	    parent->target_case != FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER || parent->container->n_config == 0)
		return;
	Flyteidl__Core__Container *container = task->container;
	container->config = proto_copy_array(arena, container->config, container->n_config);
	for (size_t i = 0; i < parent->container->n_config; i++)
		proto_append(arena, container->n_config, container->config, parent->container->config[i]);
}

static Flyteidl__Core__CompiledTask *find_given(Flyteidl__Core__CompiledTask *const *tasks, size_t count,
                                                const Flyteidl__Core__Identifier *id)
{
	for (size_t i = 0; i < count; i++) {
		if (same_id(tasks[i]->template_->id, id))
			return tasks[i];
	}
	return NULL;
}

static Flyteidl__Core__CompiledTask *load_task(struct database_connection *c, struct arena *arena,
                                               const Flyteidl__Core__Identifier *id, struct err *e)
{
	const struct entity_key key = key_of(id);
	struct task_row row;
	const int found = tasks_get(c, arena, &key, &row, e);
	if (found == 0)
		ids_not_found(arena, id, e);
	if (found <= 0)
		return NULL;
	const Flyteidl__Admin__TaskClosure *closure =
	        proto_unpack(arena, flyteidl__admin__task_closure, row.closure.data, row.closure.length, e);
	if (closure && closure->compiled_task)
		return closure->compiled_task;
	err_set(e, ERR_INTERNAL, NULL, "the stored task \"%s\" is damaged", id->name);
	return NULL;
}

static int find_tasks(struct database_connection *c, struct arena *arena, const struct dynamic_request *request,
                      const struct compiler_references *references, struct compiler_request *ret_request, struct err *e)
{
	const Flyteidl__Core__DynamicJobSpec *job = request->job;
	Flyteidl__Core__CompiledTask **tasks =
	        arena_array(arena, Flyteidl__Core__CompiledTask *, job->n_tasks + references->task_count);
	size_t count = 0;
	for (size_t i = 0; i < job->n_tasks; i++) {
		inherit_configuration(arena, job->tasks[i], request->task);
		tasks[count] = compiler_compile_task(arena, job->tasks[i], e);
		if (!tasks[count])
			return -1;
		count++;
	}
	const size_t given = count;
	for (size_t i = 0; i < references->task_count; i++) {
		if (find_given(tasks, given, references->tasks[i]))
			continue;
		tasks[count] = load_task(c, arena, references->tasks[i], e);
		if (!tasks[count])
			return -1;
		count++;
	}
	ret_request->tasks = tasks;
	ret_request->task_count = count;
	return 0;
}

/* ---- Launch plans ---- */

static int load_launch_plan(struct database_connection *c, struct arena *arena, const Flyteidl__Core__Identifier *id,
                            struct compiler_launch_plan *ret_launch_plan, struct err *e)
{
	const struct entity_key key = key_of(id);
	struct launch_plan_row row;
	const int found = launch_plans_get(c, arena, &key, &row, e);
	if (found == 0)
		return ids_not_found(arena, id, e);
	if (found < 0)
		return -1;
	const Flyteidl__Admin__LaunchPlanSpec *spec =
	        proto_unpack(arena, flyteidl__admin__launch_plan_spec, row.spec.data, row.spec.length, e);
	*ret_launch_plan = (struct compiler_launch_plan){
		.id = id,
		.expected_inputs = proto_unpack(arena, flyteidl__core__parameter_map, row.expected_inputs.data,
		                                row.expected_inputs.length, e),
		.fixed_inputs = spec ? spec->fixed_inputs : NULL,
		.outputs = proto_unpack(arena, flyteidl__core__variable_map, row.expected_outputs.data,
		                        row.expected_outputs.length, e),
	};
	if (spec && ret_launch_plan->expected_inputs && ret_launch_plan->outputs)
		return 0;
	return err_set(e, ERR_INTERNAL, NULL, "the stored launch plan \"%s\" is damaged", id->name);
}

static int find_launch_plans(struct database_connection *c, struct arena *arena,
                             const struct compiler_references *references, struct compiler_request *ret_request,
                             struct err *e)
{
	struct compiler_launch_plan *launch_plans =
	        arena_array(arena, struct compiler_launch_plan, references->launch_plan_count);
	for (size_t i = 0; i < references->launch_plan_count; i++) {
		if (load_launch_plan(c, arena, references->launch_plans[i], &launch_plans[i], e) < 0)
			return -1;
	}
	ret_request->launch_plans = launch_plans;
	ret_request->launch_plan_count = references->launch_plan_count;
	return 0;
}

/* ---- The workflow ---- */

static Flyteidl__Core__WorkflowTemplate *make_template(struct arena *arena, const struct dynamic_request *request)
{
	const Flyteidl__Core__TypedInterface *interface = request->task->interface;
	Flyteidl__Core__WorkflowTemplate *template = proto_new(arena, flyteidl__core__workflow_template);
	template->id = ids_new(arena, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, request->project, request->domain,
	                       arena_printf(arena, "dynamic_%s", request->node_id), request->version);
	template->interface = proto_new(arena, flyteidl__core__typed_interface);
	template->interface->inputs = proto_new(arena, flyteidl__core__variable_map);
	template->interface->outputs =
	        interface && interface->outputs ? interface->outputs : proto_new(arena, flyteidl__core__variable_map);
	template->nodes = request->job->nodes;
	template->n_nodes = request->job->n_nodes;
	template->outputs = request->job->outputs;
	template->n_outputs = request->job->n_outputs;
	return template;
}

Flyteidl__Core__CompiledWorkflowClosure *dynamic_compile(struct database_connection *c, struct arena *arena,
                                                         const struct dynamic_request *request, struct err *e)
{
	Flyteidl__Core__DynamicJobSpec *job = request->job;
	if (job->n_nodes > DYNAMIC_NODES_MAXIMUM) {
		err_set(e, ERR_INVALID, NULL,
		        "the task has made %zu nodes, and at most %d are possible: use a map task", job->n_nodes,
		        DYNAMIC_NODES_MAXIMUM);
		return NULL;
	}
	const Flyteidl__Core__WorkflowTemplate *template = make_template(arena, request);
	const struct compiler_references references =
	        compiler_references(arena, template, job->subworkflows, job->n_subworkflows);
	struct compiler_request compiled = { .primary = template,
		                             .sub_workflows = job->subworkflows,
		                             .sub_workflow_count = job->n_subworkflows };
	if (find_tasks(c, arena, request, &references, &compiled, e) < 0 ||
	    find_launch_plans(c, arena, &references, &compiled, e) < 0)
		return NULL;
	return compiler_compile_workflow(arena, &compiled, e);
}
