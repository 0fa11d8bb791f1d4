/*
 * Running one task alone. Executions run workflows, so a workflow of one node around the task, and a launch plan for it, are made the
 * first time: both are called `.flytegen.<task>`, have the task's version, and are hidden from lists of names (named-entity state
 * SYSTEM_GENERATED). Who asks at the same time finds the other's.
 */
#include "controlplane/api/api.h"

#include "controlplane/api/registration.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/workflows.h"

#include <ctype.h>
#include <string.h>

#define NAME_PREFIX ".flytegen."
#define NODE_ID_MAXIMUM 63
#define DEFAULT_RETRIES 3
#define HIDDEN FLYTEIDL__ADMIN__NAMED_ENTITY_STATE__SYSTEM_GENERATED

/* Letters, digits and '-' of the last 63 bytes of the name. */
static char *node_id_of(struct arena *arena, const char *task_name)
{
	size_t length = strlen(task_name);
	const char *p = length >= NODE_ID_MAXIMUM ? task_name + length - NODE_ID_MAXIMUM : task_name;
	char *id = arena_alloc(arena, NODE_ID_MAXIMUM + 1);
	for (char *out = id; *p; p++) {
		if (isalnum((unsigned char)*p) || *p == '-')
			*out++ = *p;
	}
	/* A name without any of these still needs a node. */
	if (!*id)
		memcpy(id, "task", sizeof("task"));
	return id;
}

/* Binds every variable to the variable of the same name of `node_id`; "" is the workflow's inputs. */
static void bind_all(struct arena *arena, const Flyteidl__Core__VariableMap *variables, char *node_id,
                     size_t *ret_count, Flyteidl__Core__Binding ***ret_bindings)
{
	size_t count = variables ? variables->n_variables : 0;
	Flyteidl__Core__Binding **bindings = arena_array(arena, Flyteidl__Core__Binding *, count);
	for (size_t i = 0; i < count; i++) {
		Flyteidl__Core__Binding *binding = bindings[i] = proto_new(arena, flyteidl__core__binding);
		binding->var = variables->variables[i]->key;
		binding->binding = proto_new(arena, flyteidl__core__binding_data);
		binding->binding->value_case = FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE;
		binding->binding->promise = proto_new(arena, flyteidl__core__output_reference);
		binding->binding->promise->node_id = node_id;
		binding->binding->promise->var = binding->var;
	}
	*ret_count = count;
	*ret_bindings = bindings;
}

static Flyteidl__Core__Node *task_node(struct arena *arena, Flyteidl__Core__Identifier *task_id,
                                       const Flyteidl__Core__TaskTemplate *task)
{
	Flyteidl__Core__Node *node = proto_new(arena, flyteidl__core__node);
	node->id = node_id_of(arena, task_id->name);
	node->metadata = proto_new(arena, flyteidl__core__node_metadata);
	node->metadata->name = node->id;
	node->metadata->retries = task->metadata ? task->metadata->retries : NULL;
	if (!node->metadata->retries) {
		node->metadata->retries = proto_new(arena, flyteidl__core__retry_strategy);
		node->metadata->retries->retries = DEFAULT_RETRIES;
	}
	bind_all(arena, task->interface ? task->interface->inputs : NULL, arena_strdup(arena, ""), &node->n_inputs,
	         &node->inputs);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_TASK_NODE;
	node->task_node = proto_new(arena, flyteidl__core__task_node);
	node->task_node->reference_case = FLYTEIDL__CORE__TASK_NODE__REFERENCE_REFERENCE_ID;
	node->task_node->reference_id = task_id;
	return node;
}

static Flyteidl__Admin__WorkflowSpec *workflow_around(struct arena *arena, const Flyteidl__Core__Identifier *id,
                                                      Flyteidl__Core__TaskTemplate *task)
{
	Flyteidl__Core__WorkflowTemplate *workflow = proto_new(arena, flyteidl__core__workflow_template);
	workflow->id = arena_copy(arena, id, sizeof(*id));
	workflow->interface = task->interface ? task->interface : proto_new(arena, flyteidl__core__typed_interface);
	Flyteidl__Core__Node *node = task_node(arena, task->id, task);
	proto_append(arena, workflow->n_nodes, workflow->nodes, node);
	bind_all(arena, workflow->interface->outputs, node->id, &workflow->n_outputs, &workflow->outputs);
	Flyteidl__Admin__WorkflowSpec *spec = proto_new(arena, flyteidl__admin__workflow_spec);
	spec->template_ = workflow;
	return spec;
}

static int find_or_create_workflow(struct api *api, struct rpc_call *call, struct database_connection *c,
                                   const Flyteidl__Core__Identifier *id, Flyteidl__Core__TaskTemplate *task,
                                   struct workflow_row *ret_workflow, struct err *e)
{
	struct entity_key key = registration_key(id);
	int found = workflows_get(c, call->arena, &key, ret_workflow, e);
	if (found != 0)
		return found < 0 ? -1 : 0;
	if (registration_create_workflow(api, call, c, id, workflow_around(call->arena, id, task), HIDDEN, e) < 0)
		return -1;
	found = workflows_get(c, call->arena, &key, ret_workflow, e);
	if (found == 0)
		return ids_not_found(call->arena, id, e);
	return found < 0 ? -1 : 0;
}

static int find_or_create_launch_plan(struct rpc_call *call, struct database_connection *c,
                                      const Flyteidl__Core__Identifier *id, const struct workflow_row *workflow,
                                      const Flyteidl__Core__Identifier *workflow_id,
                                      const Flyteidl__Admin__LaunchPlanSpec *template,
                                      struct api_launch_plan *ret_launch_plan, struct err *e)
{
	auto_err struct err missing = ERR_INIT;
	if (api_load_launch_plan(call, c, id, ret_launch_plan, &missing) == 0)
		return 0;
	if (missing.kind != ERR_NOT_FOUND)
		return err_move(e, &missing);
	struct arena *arena = call->arena;
	Flyteidl__Admin__LaunchPlanSpec *spec = proto_new(arena, flyteidl__admin__launch_plan_spec);
	spec->workflow_id = arena_copy(arena, workflow_id, sizeof(*workflow_id));
	spec->entity_metadata = proto_new(arena, flyteidl__admin__launch_plan_metadata);
	spec->default_inputs = proto_new(arena, flyteidl__core__parameter_map);
	spec->fixed_inputs = proto_new(arena, flyteidl__core__literal_map);
	spec->labels = proto_new(arena, flyteidl__admin__labels);
	spec->annotations = proto_new(arena, flyteidl__admin__annotations);
	spec->auth_role = template ? template->auth_role : NULL;
	spec->security_context = template ? template->security_context : NULL;
	/* Somebody else's may differ in the role: then that one is used, as if it had been found. */
	auto_err struct err refused = ERR_INIT;
	if (registration_create_launch_plan(call, c, id, spec, workflow, HIDDEN, &refused) < 0 &&
	    api_load_launch_plan(call, c, id, ret_launch_plan, NULL) < 0)
		return err_move(e, &refused);
	return api_load_launch_plan(call, c, id, ret_launch_plan, e);
}

int api_workflow_for_task(struct api *api, struct rpc_call *call, struct database_connection *c,
                          const Flyteidl__Core__Identifier *task_id,
                          const Flyteidl__Admin__LaunchPlanSpec *launch_plan_template,
                          struct api_generated *ret_generated, struct err *e)
{
	struct arena *arena = call->arena;
	if (api_load_task(call, c, task_id, &ret_generated->task, e) < 0)
		return -1;
	char *name = arena_printf(arena, NAME_PREFIX "%s", task_id->name);
	Flyteidl__Core__Identifier *workflow_id = ids_new(arena, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW,
	                                                  task_id->project, task_id->domain, name, task_id->version);
	Flyteidl__Core__Identifier *launch_plan_id = ids_new(arena, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN,
	                                                     task_id->project, task_id->domain, name, task_id->version);
	struct workflow_row workflow;
	if (find_or_create_workflow(api, call, c, workflow_id, ret_generated->task.compiled->template_, &workflow, e) <
	            0 ||
	    find_or_create_launch_plan(call, c, launch_plan_id, &workflow, workflow_id, launch_plan_template,
	                               &ret_generated->launch_plan, e) < 0)
		return -1;
	return api_load_workflow_by_id(call, c, workflow.id, &ret_generated->workflow, e);
}
