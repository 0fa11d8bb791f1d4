/* Reading, archiving and terminating executions, and the table of all execution methods. */
#include "controlplane/api/executions.h"

#include "controlplane/api/execution_messages.h"
#include "controlplane/api/literals.h"
#include "controlplane/api/page.h"
#include "controlplane/launch/ids.h"

#include "flyteidl/admin/event.pb-c.h"

static EXECUTION_HANDLER(execution_get)
{
	struct api *api = context;
	const Flyteidl__Core__WorkflowExecutionIdentifier *id =
	        ((const Flyteidl__Admin__WorkflowExecutionGetRequest *)message)->id;
	struct database_connection *c auto_connection = NULL;
	struct execution_row row;
	if (ids_validate_execution(id, e) < 0 || api_connect(api, call, &c, e) < 0 ||
	    executions_get(c, call->arena, id->project, id->domain, id->name, &row, e) < 0)
		return NULL;
	return (ProtobufCMessage *)execution_message(call->arena, &row, MESSAGE_WHOLE, e);
}

/* Names are optional in this list: with one, it is the execution of that name. Archived executions show only when state
 * is asked for. */
static void select_executions(struct list_query *query, const struct list_request *request,
                              const Flyteidl__Admin__NamedEntityIdentifier *id)
{
	list_within(query, id->project, id->domain, id->name);
	if (!list_filters_on(request, "state"))
		list_where(query, "e.state = 0", DB_NULL);
}

static ProtobufCMessage *execution_of_page(struct arena *arena, const void *rows, size_t index, struct err *e)
{
	return (ProtobufCMessage *)execution_message(arena, &((const struct execution_rows *)rows)->rows[index], MESSAGE_IN_LIST, e);
}

static EXECUTION_HANDLER(execution_list)
{
	struct api *api = context;
	const Flyteidl__Admin__ResourceListRequest *r = (const Flyteidl__Admin__ResourceListRequest *)message;
	if (!r->id) {
		err_set(e, ERR_INVALID, NULL, "missing id");
		return NULL;
	}
	if (ids_require(r->id->project, "project", e) < 0 || ids_require(r->id->domain, "domain", e) < 0)
		return NULL;

	struct list_request request = { .entity = LIST_EXECUTION,
		                        .rpc = "ListExecutions",
		                        .limit = r->limit,
		                        .token = r->token,
		                        .filters = r->filters,
		                        .sort_by = r->sort_by,
		                        /* that of insertion, by an index that begins with the project */
		                        .default_order = "e.created_at" };
	struct list_query query auto_list_query = LIST_QUERY_INIT;
	struct database_connection *c auto_connection = NULL;
	if (list_init(&query, call->arena, &request, e) < 0)
		return NULL;
	select_executions(&query, &request, r->id);
	struct execution_rows rows;
	if (api_connect(api, call, &c, e) < 0 || executions_list(c, &query, &rows, e) < 0)
		return NULL;
	return page_message(call->arena, &flyteidl__admin__execution_list__descriptor, &query, &rows, rows.count, execution_of_page,
	                    e);
}

static EXECUTION_HANDLER(execution_update)
{
	struct api *api = context;
	const Flyteidl__Admin__ExecutionUpdateRequest *r = (const Flyteidl__Admin__ExecutionUpdateRequest *)message;
	if (ids_validate_execution(r->id, e) < 0)
		return NULL;
	if (!protobuf_c_enum_descriptor_get_value(&flyteidl__admin__execution_state__descriptor, (int)r->state)) {
		err_set(e, ERR_INVALID, NULL, "invalid value for state");
		return NULL;
	}
	struct database_connection *c auto_connection = NULL;
	if (api_connect(api, call, &c, e) < 0 ||
	    executions_set_state(c, call->arena, r->id->project, r->id->domain, r->id->name, (int)r->state, "", e) < 0)
		return NULL;
	return (ProtobufCMessage *)proto_new(call->arena, flyteidl__admin__execution_update_response);
}

const ProtobufCMessage *execution_already_terminal(struct arena *arena, const char *phase)
{
	Flyteidl__Admin__EventFailureReason *reason = proto_new(arena, flyteidl__admin__event_failure_reason);
	reason->reason_case = FLYTEIDL__ADMIN__EVENT_FAILURE_REASON__REASON_ALREADY_IN_TERMINAL_STATE;
	reason->already_in_terminal_state = proto_new(arena, flyteidl__admin__event_error_already_in_terminal_state);
	reason->already_in_terminal_state->current_phase = arena_strdup(arena, phase);
	return &reason->base;
}

static EXECUTION_HANDLER(execution_terminate)
{
	struct api *api = context;
	const Flyteidl__Admin__ExecutionTerminateRequest *r =
	        (const Flyteidl__Admin__ExecutionTerminateRequest *)message;
	struct database_connection *c auto_connection = NULL;
	const char *phase;
	if (ids_validate_execution(r->id, e) < 0 || api_connect(api, call, &c, e) < 0 ||
	    executions_begin_abort(c, call->arena, r->id->project, r->id->domain, r->id->name, r->cause, "", &phase,
	                           e) < 0)
		return NULL;
	if (execution_phase_is_terminal(phase)) {
		err_set(e, ERR_PRECONDITION, NULL, "Cannot abort an already terminated workflow execution");
		call->error_detail = execution_already_terminal(call->arena, phase);
		return NULL;
	}
	return (ProtobufCMessage *)proto_new(call->arena, flyteidl__admin__execution_terminate_response);
}

static int load_data(struct api *api, struct rpc_call *call, const Flyteidl__Core__WorkflowExecutionIdentifier *id,
                     struct execution_data *ret_data, struct err *e)
{
	struct database_connection *c auto_connection = NULL;
	if (api_connect(api, call, &c, e) < 0)
		return -1;
	return executions_get_data(c, call->arena, id->project, id->domain, id->name, ret_data, e);
}

static EXECUTION_HANDLER(execution_get_data)
{
	struct api *api = context;
	const Flyteidl__Core__WorkflowExecutionIdentifier *id =
	        ((const Flyteidl__Admin__WorkflowExecutionGetDataRequest *)message)->id;
	struct execution_data data;
	if (ids_validate_execution(id, e) < 0 || load_data(api, call, id, &data, e) < 0)
		return NULL;
	Flyteidl__Admin__WorkflowExecutionGetDataResponse *response =
	        proto_new(call->arena, flyteidl__admin__workflow_execution_get_data_response);
	if (literals_answer(api, call, &data.inputs, &response->full_inputs, &response->inputs, e) < 0 ||
	    literals_answer(api, call, &data.outputs, &response->full_outputs, &response->outputs, e) < 0)
		return NULL;
	return &response->base;
}

#define METHOD(rpc, request_prefix, response_prefix, function)                                                         \
	{                                                                                                              \
		"/flyteidl.service.AdminService/" rpc, &flyteidl__admin__##request_prefix##__descriptor,               \
		        &flyteidl__admin__##response_prefix##__descriptor, function                                    \
	}

struct api_methods api_execution_methods(void)
{
	static const struct rpc_method methods[] = {
		METHOD("CreateExecution", execution_create_request, execution_create_response, execution_create),
		METHOD("RelaunchExecution", execution_relaunch_request, execution_create_response, execution_relaunch),
		METHOD("RecoverExecution", execution_recover_request, execution_create_response, execution_recover),
		METHOD("GetExecution", workflow_execution_get_request, execution, execution_get),
		METHOD("UpdateExecution", execution_update_request, execution_update_response, execution_update),
		METHOD("GetExecutionData", workflow_execution_get_data_request, workflow_execution_get_data_response,
		       execution_get_data),
		METHOD("ListExecutions", resource_list_request, execution_list, execution_list),
		METHOD("TerminateExecution", execution_terminate_request, execution_terminate_response,
		       execution_terminate),
		METHOD("GetExecutionMetrics", workflow_execution_get_metrics_request,
		       workflow_execution_get_metrics_response, execution_get_metrics),
		METHOD("GetNodeExecution", node_execution_get_request, node_execution, node_execution_get),
		METHOD("GetDynamicNodeWorkflow", get_dynamic_node_workflow_request, dynamic_node_workflow_response,
		       node_execution_get_dynamic_workflow),
		METHOD("ListNodeExecutions", node_execution_list_request, node_execution_list, node_execution_list),
		METHOD("ListNodeExecutionsForTask", node_execution_for_task_list_request, node_execution_list,
		       node_execution_list_for_task),
		METHOD("GetNodeExecutionData", node_execution_get_data_request, node_execution_get_data_response,
		       node_execution_get_data),
		METHOD("GetTaskExecution", task_execution_get_request, task_execution, task_execution_get),
		METHOD("ListTaskExecutions", task_execution_list_request, task_execution_list, task_execution_list),
		METHOD("GetTaskExecutionData", task_execution_get_data_request, task_execution_get_data_response,
		       task_execution_get_data),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
