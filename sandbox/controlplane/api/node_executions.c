/* Reading node executions. The start and end nodes of a workflow are rows like any other: clients expect them and skip
 * them by name. */
#include "controlplane/api/executions.h"

#include "base/text.h"
#include "controlplane/api/execution_messages.h"
#include "controlplane/api/literals.h"
#include "controlplane/api/page.h"
#include "controlplane/launch/ids.h"

#define DYNAMIC_WORKFLOW_MAXIMUM ((size_t)20 * 1024 * 1024)

int node_execution_key_of(const Flyteidl__Core__NodeExecutionIdentifier *id, struct node_execution_key *ret_key,
                          struct err *e)
{
	if (!id)
		return err_set(e, ERR_INVALID, NULL, "missing id");
	if (!id->execution_id)
		return err_set(e, ERR_INVALID, NULL, "missing execution_id");
	if (ids_require(id->node_id, "node_id", e) < 0 || ids_validate_execution(id->execution_id, e) < 0)
		return -1;
	*ret_key = (struct node_execution_key){ id->execution_id->project, id->execution_id->domain,
		                                id->execution_id->name, id->node_id };
	return 0;
}

const char *node_execution_text(struct arena *arena, const struct node_execution_key *key)
{
	return arena_printf(arena, "node_id:\"%s\" execution_id:{project:\"%s\" domain:\"%s\" name:\"%s\"}",
	                    key->node_id, key->project, key->domain, key->execution_name);
}

EXECUTION_HANDLER(node_execution_get)
{
	struct api *api = context;
	const Flyteidl__Admin__NodeExecutionGetRequest *r = (const Flyteidl__Admin__NodeExecutionGetRequest *)message;
	struct database_connection *c auto_connection = NULL;
	struct node_execution_key key;
	struct node_execution_row row;
	if (node_execution_key_of(r->id, &key, e) < 0 || api_connect(api, call, &c, e) < 0 ||
	    node_executions_get(c, call->arena, &key, &row, e) < 0)
		return NULL;
	return (ProtobufCMessage *)node_execution_message(call->arena, &row, MESSAGE_WHOLE, e);
}

static ProtobufCMessage *node_execution_of_page(struct arena *arena, const void *rows, size_t index, struct err *e)
{
	return (ProtobufCMessage *)node_execution_message(arena, &((const struct node_execution_rows *)rows)->rows[index], MESSAGE_IN_LIST, e);
}

static ProtobufCMessage *answer_list(struct rpc_call *call, struct database_connection *c, struct list_query *query,
                                     struct err *e)
{
	struct node_execution_rows rows;
	if (node_executions_list(c, query, &rows, e) < 0)
		return NULL;
	return page_message(call->arena, &flyteidl__admin__node_execution_list__descriptor, query, &rows, rows.count, node_execution_of_page,
	                    e);
}

static void select_execution(struct list_query *query, const Flyteidl__Core__WorkflowExecutionIdentifier *id)
{
	list_within(query, id->project, id->domain, id->name);
}

/* Without a parent, the nodes that have none. A parent is looked up first: its children are then found by index, and
 * one that does not exist is NOT_FOUND instead of childless. */
EXECUTION_HANDLER(node_execution_list)
{
	struct api *api = context;
	const Flyteidl__Admin__NodeExecutionListRequest *r = (const Flyteidl__Admin__NodeExecutionListRequest *)message;
	if (ids_validate_execution(r->workflow_execution_id, e) < 0) {
		err_set(e, ERR_INVALID, NULL, "missing execution_id");
		return NULL;
	}
	struct list_request request = { .entity = LIST_NODE_EXECUTION,
		                        .rpc = "ListNodeExecutions",
		                        .limit = r->limit,
		                        .token = r->token,
		                        .filters = r->filters,
		                        .sort_by = r->sort_by };
	struct list_query query auto_list_query = LIST_QUERY_INIT;
	struct database_connection *c auto_connection = NULL;
	if (list_init(&query, call->arena, &request, e) < 0 || api_connect(api, call, &c, e) < 0)
		return NULL;
	const Flyteidl__Core__WorkflowExecutionIdentifier *id = r->workflow_execution_id;
	select_execution(&query, id);
	if (text_is_empty(r->unique_parent_id)) {
		list_where(&query, "ne.parent_id is null", DB_NULL);
	} else {
		struct node_execution_key key = { id->project, id->domain, id->name, r->unique_parent_id };
		struct node_execution_row parent;
		if (node_executions_get(c, call->arena, &key, &parent, e) < 0)
			return NULL;
		list_where(&query, "ne.parent_id = ?", DB_INT(parent.id));
	}
	return answer_list(call, c, &query, e);
}

/* The nodes that came out of one attempt of a task, that is, of a dynamic node: its children whose retry group is that
 * attempt. */
EXECUTION_HANDLER(node_execution_list_for_task)
{
	struct api *api = context;
	const Flyteidl__Admin__NodeExecutionForTaskListRequest *r =
	        (const Flyteidl__Admin__NodeExecutionForTaskListRequest *)message;
	struct task_execution_key key;
	if (task_execution_key_of(r->task_execution_id, &key, e) < 0)
		return NULL;
	struct list_request request = { .entity = LIST_NODE_EXECUTION,
		                        .rpc = "ListNodeExecutionsForTask",
		                        .limit = r->limit,
		                        .token = r->token,
		                        .filters = r->filters,
		                        .sort_by = r->sort_by };
	struct list_query query auto_list_query = LIST_QUERY_INIT;
	struct database_connection *c auto_connection = NULL;
	struct task_execution_row task;
	if (list_init(&query, call->arena, &request, e) < 0 || api_connect(api, call, &c, e) < 0 ||
	    task_executions_get(c, call->arena, &key, &task, e) < 0)
		return NULL;
	list_where(&query, "ne.parent_id = ?", DB_INT(task.node_execution_id));
	list_where(&query, "ne.retry_group = ?", DB_TEXT(arena_printf(call->arena, "%u", key.retry_attempt)));
	return answer_list(call, c, &query, e);
}

/* flyte://v1/<project>/<domain>/<execution>/<node>/{i,o,d}: what DataProxyService.GetData resolves. */
static Flyteidl__Admin__FlyteURLs *flyte_urls(struct arena *arena, const struct node_execution_key *key, bool deck)
{
	Flyteidl__Admin__FlyteURLs *urls = proto_new(arena, flyteidl__admin__flyte_urls);
	const char *base = arena_printf(arena, "flyte://v1/%s/%s/%s/%s", key->project, key->domain, key->execution_name,
	                                key->node_id);
	urls->inputs = arena_printf(arena, "%s/i", base);
	urls->outputs = arena_printf(arena, "%s/o", base);
	if (deck)
		urls->deck = arena_printf(arena, "%s/d", base);
	return urls;
}

static Flyteidl__Core__CompiledWorkflowClosure *load_dynamic_workflow(struct api *api, struct rpc_call *call,
                                                                      const char *uri, struct err *e)
{
	struct proto_bytes bytes;
	if (objects_get(api->objects, call->arena, uri, DYNAMIC_WORKFLOW_MAXIMUM, &bytes, e) < 0) {
		objects_failed(e);
		return NULL;
	}
	Flyteidl__Core__CompiledWorkflowClosure *closure =
	        proto_unpack(call->arena, flyteidl__core__compiled_workflow_closure, bytes.data, bytes.length, e);
	if (closure && closure->primary && closure->primary->template_)
		return closure;
	err_set(e, ERR_INTERNAL, "damaged-object", "the dynamic workflow \"%s\" is damaged", uri);
	return NULL;
}

static int load_data(struct api *api, struct rpc_call *call, const struct node_execution_key *key,
                     struct node_execution_data *ret_data, struct err *e)
{
	struct database_connection *c auto_connection = NULL;
	if (api_connect(api, call, &c, e) < 0)
		return -1;
	return node_executions_get_data(c, call->arena, key, ret_data, e);
}

EXECUTION_HANDLER(node_execution_get_data)
{
	struct api *api = context;
	const Flyteidl__Admin__NodeExecutionGetDataRequest *r =
	        (const Flyteidl__Admin__NodeExecutionGetDataRequest *)message;
	struct node_execution_key key;
	struct node_execution_data data;
	if (node_execution_key_of(r->id, &key, e) < 0 || load_data(api, call, &key, &data, e) < 0)
		return NULL;
	Flyteidl__Admin__NodeExecutionGetDataResponse *response =
	        proto_new(call->arena, flyteidl__admin__node_execution_get_data_response);
	if (literals_answer(api, call, &data.inputs, &response->full_inputs, &response->inputs, e) < 0 ||
	    literals_answer(api, call, &data.outputs, &response->full_outputs, &response->outputs, e) < 0)
		return NULL;
	response->flyte_urls = flyte_urls(call->arena, &key, !text_is_empty(data.deck_uri));
	if (!text_is_empty(data.dynamic_workflow_uri)) {
		response->dynamic_workflow = proto_new(call->arena, flyteidl__admin__dynamic_workflow_node_metadata);
		Flyteidl__Core__CompiledWorkflowClosure *closure =
		        load_dynamic_workflow(api, call, data.dynamic_workflow_uri, e);
		if (!closure)
			return NULL;
		response->dynamic_workflow->id = closure->primary->template_->id;
		response->dynamic_workflow->compiled_workflow = closure;
	}
	return &response->base;
}

EXECUTION_HANDLER(node_execution_get_dynamic_workflow)
{
	struct api *api = context;
	const Flyteidl__Admin__GetDynamicNodeWorkflowRequest *r =
	        (const Flyteidl__Admin__GetDynamicNodeWorkflowRequest *)message;
	struct node_execution_key key;
	struct node_execution_data data;
	if (node_execution_key_of(r->id, &key, e) < 0 || load_data(api, call, &key, &data, e) < 0)
		return NULL;
	if (text_is_empty(data.dynamic_workflow_uri)) {
		err_set(e, ERR_NOT_FOUND, NULL, "node does not contain dynamic workflow");
		return NULL;
	}
	Flyteidl__Admin__DynamicNodeWorkflowResponse *response =
	        proto_new(call->arena, flyteidl__admin__dynamic_node_workflow_response);
	response->compiled_workflow = load_dynamic_workflow(api, call, data.dynamic_workflow_uri, e);
	return response->compiled_workflow ? &response->base : NULL;
}
