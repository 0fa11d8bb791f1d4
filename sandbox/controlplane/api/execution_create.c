/*
 * New executions, from scratch (CreateExecution) or after an earlier one (RelaunchExecution, RecoverExecution). The
 * launching itself is launch/launch.c's; what is special here is that a user asks for it, who may also run a task
 * alone.
 */
#include "controlplane/api/executions.h"

#include "controlplane/api/literals.h"
#include "controlplane/launch/execution_validate.h"
#include "controlplane/launch/ids.h"
#include "controlplane/launch/launch.h"

/* A task is run by a workflow of its own, which is made the first time. */
static int load_task_target(struct api *api, struct rpc_call *call, struct database_connection *c,
                            const Flyteidl__Admin__ExecutionSpec *spec, struct launch_target *ret_target, struct err *e)
{
	Flyteidl__Admin__LaunchPlanSpec *template = proto_new(call->arena, flyteidl__admin__launch_plan_spec);
	template->auth_role = spec->auth_role;
	template->security_context = spec->security_context;
	struct api_generated generated;
	if (api_workflow_for_task(api, call, c, spec->launch_plan, template, &generated, e) < 0)
		return -1;
	*ret_target = (struct launch_target){
		.workflow_id = generated.workflow.id,
		.task_id = generated.task.id,
		.fixed_inputs = generated.launch_plan.message->spec->fixed_inputs,
		.expected_inputs = generated.launch_plan.message->closure->expected_inputs,
	};
	return 0;
}

static int prepare(struct api *api, struct rpc_call *call, const struct launch_request *request,
                   struct launch_target *ret_task, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	if (api_connect(api, call, &c, e) < 0 ||
	    api_check_project_and_domain(api, call, c, request->project, request->domain, e) < 0)
		return -1;
	if (request->spec->launch_plan->resource_type != FLYTEIDL__CORE__RESOURCE_TYPE__TASK)
		return 0;
	return load_task_target(api, call, c, request->spec, ret_task, e);
}

static ProtobufCMessage *launch(struct api *api, struct rpc_call *call, struct launch_request *request, struct err *e)
{
	const struct launch_context context = {
		.database = api->database,
		.objects = api->objects,
		.bucket = api->config->bucket,
		.settings = api->settings,
		.parallel = api->parallel,
	};
	struct launch_target task = { 0 };
	struct launch_result result;
	if (prepare(api, call, request, &task, e) < 0)
		return NULL;
	if (task.workflow_id)
		request->target = &task;
	if (launch_execution(&context, call->arena, api_connect_deadline(call), request, &result, e) < 0)
		return NULL;
	Flyteidl__Admin__ExecutionCreateResponse *response =
	        proto_new(call->arena, flyteidl__admin__execution_create_response);
	response->id = ids_new_execution(call->arena, request->project, request->domain, result.name);
	return &response->base;
}

EXECUTION_HANDLER(execution_create)
{
	const Flyteidl__Admin__ExecutionCreateRequest *r = (const Flyteidl__Admin__ExecutionCreateRequest *)message;
	struct launch_request request = {
		.project = r->project, .domain = r->domain, .name = r->name, .spec = r->spec, .inputs = r->inputs
	};
	/* Clients older than flyteidl 0.15 put the inputs there. */
	if (r->spec && r->spec->inputs && (!r->inputs || r->inputs->n_literals == 0))
		request.inputs = r->spec->inputs;
	if (execution_validate(r->project, r->domain, r->name, r->spec, request.inputs, e) < 0)
		return NULL;
	return launch(context, call, &request, e);
}

/* What an earlier execution was created with, all of it valid: its spec, in which the caller may change fields and
 * metadata, and its inputs as the user gave them. */
static int load_earlier(struct api *api, struct rpc_call *call, const Flyteidl__Core__WorkflowExecutionIdentifier *id,
                        const char *new_name, struct launch_request *ret_request,
                        Flyteidl__Admin__ExecutionSpec **ret_spec, struct err *e)
{
	struct execution_row row;
	struct execution_data data;
	auto_connection struct database_connection *c = NULL;
	if (ids_validate_execution(id, e) < 0 || execution_validate_name(new_name, e) < 0 ||
	    api_connect(api, call, &c, e) < 0 ||
	    executions_get(c, call->arena, id->project, id->domain, id->name, &row, e) < 0 ||
	    executions_get_data(c, call->arena, id->project, id->domain, id->name, &data, e) < 0)
		return -1;
	database_return(steal_ptr(c));

	Flyteidl__Core__LiteralMap *inputs;
	Flyteidl__Admin__ExecutionSpec *spec =
	        proto_unpack(call->arena, flyteidl__admin__execution_spec, row.spec.data, row.spec.length, e);
	if (!spec || literals_load(api, call, &data.user_inputs, &inputs, e) < 0)
		return -1;
	if (!spec->metadata)
		spec->metadata = proto_new(call->arena, flyteidl__admin__execution_metadata);
	spec->metadata->reference_execution = ids_new_execution(call->arena, row.project, row.domain, row.name);
	*ret_spec = spec;
	*ret_request = (struct launch_request){
		.project = row.project,
		.domain = row.domain,
		.name = new_name,
		.spec = spec,
		.inputs = inputs,
		.source_execution_id = row.id,
	};
	return 0;
}

EXECUTION_HANDLER(execution_relaunch)
{
	const Flyteidl__Admin__ExecutionRelaunchRequest *r = (const Flyteidl__Admin__ExecutionRelaunchRequest *)message;
	struct launch_request request;
	Flyteidl__Admin__ExecutionSpec *spec;
	if (load_earlier(context, call, r->id, r->name, &request, &spec, e) < 0)
		return NULL;
	spec->metadata->mode = FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__RELAUNCH;
	spec->overwrite_cache = r->overwrite_cache;
	return launch(context, call, &request, e);
}

/* The engine copies what succeeded in the reference execution, as far as it can; what it cannot, runs again. */
EXECUTION_HANDLER(execution_recover)
{
	const Flyteidl__Admin__ExecutionRecoverRequest *r = (const Flyteidl__Admin__ExecutionRecoverRequest *)message;
	struct launch_request request;
	Flyteidl__Admin__ExecutionSpec *spec;
	if (load_earlier(context, call, r->id, r->name, &request, &spec, e) < 0)
		return NULL;
	spec->metadata->mode = FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__RECOVERED;
	if (r->metadata)
		spec->metadata->parent_node_execution = r->metadata->parent_node_execution;
	return launch(context, call, &request, e);
}
