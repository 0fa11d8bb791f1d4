/* Reading attempts of tasks. Their lists carry error messages whole: the console shows the trace from there. */
#include "controlplane/api/executions.h"

#include "base/text.h"
#include "controlplane/api/execution_messages.h"
#include "controlplane/api/literals.h"
#include "controlplane/engine/names.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/array_elements.h"

#include <inttypes.h>

int task_execution_key_of(const Flyteidl__Core__TaskExecutionIdentifier *id, struct task_execution_key *ret_key,
                          struct err *e)
{
	if (!id)
		return err_set(e, ERR_INVALID, NULL, "missing id");
	if (!id->node_execution_id)
		return err_set(e, ERR_INVALID, NULL, "missing node_execution_id");
	if (node_execution_key_of(id->node_execution_id, &ret_key->node, e) < 0)
		return -1;
	if (!id->task_id)
		return err_set(e, ERR_INVALID, NULL, "missing task_id");
	Flyteidl__Core__Identifier task_id = *id->task_id;
	if (task_id.resource_type == FLYTEIDL__CORE__RESOURCE_TYPE__UNSPECIFIED) /* REST paths carry none */
		task_id.resource_type = FLYTEIDL__CORE__RESOURCE_TYPE__TASK;
	if (ids_validate(&task_id, FLYTEIDL__CORE__RESOURCE_TYPE__TASK, e) < 0)
		return -1;
	ret_key->task_project = id->task_id->project;
	ret_key->task_domain = id->task_id->domain;
	ret_key->task_name = id->task_id->name;
	ret_key->task_version = id->task_id->version;
	ret_key->retry_attempt = id->retry_attempt;
	return 0;
}

/* ---- Map tasks ---- */

/* An element that has not begun is shown under the name that its first pod will have. */
static Flyteidl__Event__ExternalResourceInfo *element_to_come(struct arena *arena, const struct task_execution_row *row,
                                                              uint32_t index)
{
	Flyteidl__Event__ExternalResourceInfo *info = proto_new(arena, flyteidl__event__external_resource_info);
	const char *element = names_node_execution(arena, row->node.node_id, row->retry_attempt,
	                                           arena_printf(arena, "n%" PRIu32, index));
	info->external_id = names_pod(arena, row->node.execution_name, element, 0);
	info->index = index;
	return info;
}

static Flyteidl__Event__ExternalResourceInfo *element_info(struct arena *arena, const struct task_execution_row *row,
                                                           const struct array_element_row *element)
{
	Flyteidl__Event__ExternalResourceInfo *info = proto_new(arena, flyteidl__event__external_resource_info);
	const ProtobufCEnumValue *phase = protobuf_c_enum_descriptor_get_value_by_name(
	        &flyteidl__core__task_execution__phase__descriptor, element->task_phase);
	info->external_id = arena_strdup(arena, element->pod_name);
	info->index = element->index;
	info->retry_attempt = element->attempt;
	info->phase = phase ? (Flyteidl__Core__TaskExecution__Phase)phase->value : 0;
	info->cache_status = (Flyteidl__Core__CatalogCacheStatus)element->cache_status;
	info->n_logs = element->log_count;
	info->logs = element->logs;
	if (!text_is_empty(element->child_name)) {
		info->target_metadata_case =
		        FLYTEIDL__EVENT__EXTERNAL_RESOURCE_INFO__TARGET_METADATA_WORKFLOW_NODE_METADATA;
		info->workflow_node_metadata = proto_new(arena, flyteidl__event__workflow_node_metadata);
		info->workflow_node_metadata->execution_id =
		        ids_new_execution(arena, row->node.project, row->node.domain, element->child_name);
	}
	return info;
}

/* Clients see the elements of a map task, and all their attempts, as external resources of its one execution: in the
 * order of their indices, then attempts (reference §2.10). */
static int add_elements(struct database_connection *c, struct arena *arena, const struct task_execution_row *row,
                        Flyteidl__Admin__TaskExecutionClosure *closure, struct err *e)
{
	struct array_element_rows elements;
	if (array_elements_list(c, arena, row->id, &elements, e) < 0)
		return -1;
	if (!closure->metadata)
		closure->metadata = proto_new(arena, flyteidl__event__task_execution_metadata);
	Flyteidl__Event__TaskExecutionMetadata *metadata = closure->metadata;
	metadata->external_resources =
	        arena_array(arena, Flyteidl__Event__ExternalResourceInfo *, elements.count + row->array_size);
	metadata->n_external_resources = 0;
	size_t next = 0;
	for (uint32_t i = 0; i < row->array_size; i++) {
		if (next == elements.count || elements.rows[next].index != i)
			metadata->external_resources[metadata->n_external_resources++] = element_to_come(arena, row, i);
		for (; next < elements.count && elements.rows[next].index == i; next++) {
			Flyteidl__Event__ExternalResourceInfo *info = element_info(arena, row, &elements.rows[next]);
			if (text_is_empty(info->external_id)) /* it waits for its first pod, or runs an execution */
				info->external_id = element_to_come(arena, row, i)->external_id;
			metadata->external_resources[metadata->n_external_resources++] = info;
		}
	}
	return 0;
}

static Flyteidl__Admin__TaskExecution *message_of_row(struct database_connection *c, struct arena *arena,
                                                      const struct task_execution_row *row, struct err *e)
{
	Flyteidl__Admin__TaskExecution *message = task_execution_message(arena, row, e);
	if (message && row->is_array && add_elements(c, arena, row, message->closure, e) < 0)
		return NULL;
	return message;
}

/* ---- Handlers ---- */

EXECUTION_HANDLER(task_execution_get)
{
	struct api *api = context;
	const Flyteidl__Admin__TaskExecutionGetRequest *r = (const Flyteidl__Admin__TaskExecutionGetRequest *)message;
	struct database_connection *c auto_connection = NULL;
	struct task_execution_key key;
	struct task_execution_row row;
	if (task_execution_key_of(r->id, &key, e) < 0 || api_connect(api, call, &c, e) < 0 ||
	    task_executions_get(c, call->arena, &key, &row, e) < 0)
		return NULL;
	return (ProtobufCMessage *)message_of_row(c, call->arena, &row, e);
}

EXECUTION_HANDLER(task_execution_list)
{
	struct api *api = context;
	const Flyteidl__Admin__TaskExecutionListRequest *r = (const Flyteidl__Admin__TaskExecutionListRequest *)message;
	struct node_execution_key key;
	if (node_execution_key_of(r->node_execution_id, &key, e) < 0)
		return NULL;
	struct list_request request = { .entity = LIST_TASK_EXECUTION,
		                        .rpc = "ListTaskExecutions",
		                        .limit = r->limit,
		                        .token = r->token,
		                        .filters = r->filters,
		                        .sort_by = r->sort_by };
	struct list_query query auto_list_query = LIST_QUERY_INIT;
	struct database_connection *c auto_connection = NULL;
	if (list_init(&query, call->arena, &request, e) < 0)
		return NULL;
	list_within(&query, key.project, key.domain, key.execution_name);
	list_where(&query, "ne.node_id = ?", DB_TEXT(key.node_id));
	struct task_execution_rows rows;
	if (api_connect(api, call, &c, e) < 0 || task_executions_list(c, &query, &rows, e) < 0)
		return NULL;

	Flyteidl__Admin__TaskExecutionList *response = proto_new(call->arena, flyteidl__admin__task_execution_list);
	response->token = arena_strdup(call->arena, query.next_token);
	response->task_executions = arena_array(call->arena, Flyteidl__Admin__TaskExecution *, rows.count);
	response->n_task_executions = rows.count;
	for (size_t i = 0; i < rows.count; i++) {
		response->task_executions[i] = message_of_row(c, call->arena, &rows.rows[i], e);
		if (!response->task_executions[i])
			return NULL;
	}
	return &response->base;
}

/* flyte://v1/<project>/<domain>/<execution>/<node>/<attempt>/{i,o}. */
static Flyteidl__Admin__FlyteURLs *flyte_urls(struct arena *arena, const struct task_execution_key *key)
{
	Flyteidl__Admin__FlyteURLs *urls = proto_new(arena, flyteidl__admin__flyte_urls);
	const char *base = arena_printf(arena, "flyte://v1/%s/%s/%s/%s/%u", key->node.project, key->node.domain,
	                                key->node.execution_name, key->node.node_id, key->retry_attempt);
	urls->inputs = arena_printf(arena, "%s/i", base);
	urls->outputs = arena_printf(arena, "%s/o", base);
	return urls;
}

static int load_data(struct api *api, struct rpc_call *call, const struct task_execution_key *key,
                     struct task_execution_data *ret_data, struct err *e)
{
	struct database_connection *c auto_connection = NULL;
	if (api_connect(api, call, &c, e) < 0)
		return -1;
	return task_executions_get_data(c, call->arena, key, ret_data, e);
}

EXECUTION_HANDLER(task_execution_get_data)
{
	struct api *api = context;
	const Flyteidl__Admin__TaskExecutionGetDataRequest *r =
	        (const Flyteidl__Admin__TaskExecutionGetDataRequest *)message;
	struct task_execution_key key;
	struct task_execution_data data;
	if (task_execution_key_of(r->id, &key, e) < 0 || load_data(api, call, &key, &data, e) < 0)
		return NULL;
	Flyteidl__Admin__TaskExecutionGetDataResponse *response =
	        proto_new(call->arena, flyteidl__admin__task_execution_get_data_response);
	if (literals_answer(api, call, &data.inputs, &response->full_inputs, &response->inputs, e) < 0 ||
	    literals_answer(api, call, &data.outputs, &response->full_outputs, &response->outputs, e) < 0)
		return NULL;
	response->flyte_urls = flyte_urls(call->arena, &key);
	return &response->base;
}
