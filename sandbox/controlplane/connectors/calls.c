#include "controlplane/connectors/calls.h"

#include "base/host.h"
#include "grpc/client.h"

#define ASYNC_SERVICE "flyteidl.service.AsyncAgentService/"
#define SYNC_SERVICE "flyteidl.service.SyncAgentService/"
#define METADATA_SERVICE "flyteidl.service.AgentMetadataService/"

#define NEVER_CANCELLED (-1)

static int open_client(const struct connector_place *place, int cancel_fd, struct grpc_client **ret_client,
                       struct err *e)
{
	auto_free char *target = host_reachable(place->at.target);
	const struct http_client_options options = { .cancel_fd = cancel_fd, .ca_file = place->at.ca_file };
	return grpc_client_open(target, &options, ret_client, e);
}

static ProtobufCMessage *unary(struct arena *arena, const struct connector_place *place, int cancel_fd,
                               const char *service, const char *method, const ProtobufCMessage *message,
                               const ProtobufCMessageDescriptor *response, struct err *e)
{
	struct grpc_client *client;
	if (open_client(place, cancel_fd, &client, e) < 0)
		return NULL;
	ProtobufCMessage *answer =
	        grpc_client_unary(client, arena, arena_printf(arena, "%s%s", service, method), message, response,
	                          settings_connector_timeout_ms(&place->at, method), e);
	grpc_client_free(client);
	return answer;
}

int calls_list(struct arena *arena, const struct connector_place *place, int cancel_fd,
               const Flyteidl__Admin__ListAgentsResponse **ret_agents, struct err *e)
{
	const Flyteidl__Admin__ListAgentsRequest *request = proto_new(arena, flyteidl__admin__list_agents_request);
	ProtobufCMessage *answer = unary(arena, place, cancel_fd, METADATA_SERVICE, "ListAgents", &request->base,
	                                 &flyteidl__admin__list_agents_response__descriptor, e);
	*ret_agents = (const Flyteidl__Admin__ListAgentsResponse *)answer;
	return answer ? 0 : -1;
}

static Flyteidl__Admin__TaskCategory *category_of(struct arena *arena, const struct connector_work *work)
{
	Flyteidl__Admin__TaskCategory *category = proto_new(arena, flyteidl__admin__task_category);
	category->name = arena_strdup(arena, work->task_type);
	category->version = work->task_version;
	return category;
}

static const Flyteidl__Admin__CreateTaskRequest *stored_request(struct arena *arena, const struct connector_work *work,
                                                                struct err *e)
{
	const Flyteidl__Admin__CreateTaskRequest *request = proto_unpack(
	        arena, flyteidl__admin__create_task_request, work->request.data, work->request.length, e);
	if (!request)
		err_wrap(e, "the stored request of task \"%s\"", work->name);
	return request;
}

int calls_create(struct arena *arena, const struct connector_place *place, const struct connector_work *work,
                 struct proto_bytes *ret_meta, struct err *e)
{
	const Flyteidl__Admin__CreateTaskRequest *request = stored_request(arena, work, e);
	if (!request)
		return -1;
	const Flyteidl__Admin__CreateTaskResponse *answer = (const Flyteidl__Admin__CreateTaskResponse *)unary(
	        arena, place, NEVER_CANCELLED, ASYNC_SERVICE, "CreateTask", &request->base,
	        &flyteidl__admin__create_task_response__descriptor, e);
	if (!answer)
		return -1;
	*ret_meta =
	        (struct proto_bytes){ .data = answer->resource_meta.data, .length = answer->resource_meta.len };
	return 0;
}

/* The result is in the header of the answer; upstream reads no further either. */
static int take_result(void *context, ProtobufCMessage *message, struct err *e)
{
	const Flyteidl__Admin__ExecuteTaskSyncResponse *response =
	        (const Flyteidl__Admin__ExecuteTaskSyncResponse *)message;
	const Flyteidl__Admin__Resource **resource = context;
	(void)e;
	if (!*resource && response->res_case == FLYTEIDL__ADMIN__EXECUTE_TASK_SYNC_RESPONSE__RES_HEADER)
		*resource = response->header->resource;
	return 0;
}

int calls_execute(struct arena *arena, const struct connector_place *place, const struct connector_work *work,
                  const Flyteidl__Admin__Resource **ret_resource, struct err *e)
{
	const Flyteidl__Admin__CreateTaskRequest *request = stored_request(arena, work, e);
	if (!request)
		return -1;
	Flyteidl__Admin__CreateRequestHeader *header = proto_new(arena, flyteidl__admin__create_request_header);
	header->template_ = request->template_;
	header->output_prefix = request->output_prefix;
	header->task_execution_metadata = request->task_execution_metadata;
	Flyteidl__Admin__ExecuteTaskSyncRequest *first = proto_new(arena, flyteidl__admin__execute_task_sync_request);
	first->part_case = FLYTEIDL__ADMIN__EXECUTE_TASK_SYNC_REQUEST__PART_HEADER;
	first->header = header;
	Flyteidl__Admin__ExecuteTaskSyncRequest *second = proto_new(arena, flyteidl__admin__execute_task_sync_request);
	second->part_case = FLYTEIDL__ADMIN__EXECUTE_TASK_SYNC_REQUEST__PART_INPUTS;
	second->inputs = request->inputs ? request->inputs : proto_new(arena, flyteidl__core__literal_map);
	const ProtobufCMessage *const messages[] = { &first->base, &second->base };
	const Flyteidl__Admin__Resource *resource = NULL;
	const struct grpc_request call = {
		.method = SYNC_SERVICE "ExecuteTaskSync",
		.messages = messages,
		.message_count = ARRAY_LENGTH(messages),
		.timeout_ms = settings_connector_timeout_ms(&place->at, "ExecuteTaskSync"),
		.response = &flyteidl__admin__execute_task_sync_response__descriptor,
		.on_response = take_result,
		.context = &resource,
	};
	struct grpc_client *client;
	if (open_client(place, NEVER_CANCELLED, &client, e) < 0)
		return -1;
	const int outcome = grpc_client_call(client, arena, &call, e);
	grpc_client_free(client);
	if (outcome < 0)
		return -1;
	if (!resource)
		return err_set(e, ERR_INTERNAL, "connector-answer",
		               "expected header in the response, but got none");
	*ret_resource = resource;
	return 0;
}

int calls_get(struct arena *arena, const struct connector_place *place, int cancel_fd,
              const struct connector_work *work, const Flyteidl__Admin__Resource **ret_resource, struct err *e)
{
	Flyteidl__Admin__GetTaskRequest *request = proto_new(arena, flyteidl__admin__get_task_request);
	request->task_type = arena_strdup(arena, work->task_type);
	request->task_category = category_of(arena, work);
	request->resource_meta.data = arena_copy(arena, work->meta.data, work->meta.length);
	request->resource_meta.len = work->meta.length;
	request->output_prefix = arena_strdup(arena, work->output_prefix);
	const Flyteidl__Admin__GetTaskResponse *answer = (const Flyteidl__Admin__GetTaskResponse *)unary(
	        arena, place, cancel_fd, ASYNC_SERVICE, "GetTask", &request->base,
	        &flyteidl__admin__get_task_response__descriptor, e);
	if (!answer)
		return -1;
	*ret_resource = answer->resource ? answer->resource : proto_new(arena, flyteidl__admin__resource);
	return 0;
}

int calls_delete(struct arena *arena, const struct connector_place *place, const struct connector_work *work,
                 struct err *e)
{
	Flyteidl__Admin__DeleteTaskRequest *request = proto_new(arena, flyteidl__admin__delete_task_request);
	request->task_type = arena_strdup(arena, work->task_type);
	request->task_category = category_of(arena, work);
	request->resource_meta.data = arena_copy(arena, work->meta.data, work->meta.length);
	request->resource_meta.len = work->meta.length;
	return unary(arena, place, NEVER_CANCELLED, ASYNC_SERVICE, "DeleteTask", &request->base,
	             &flyteidl__admin__delete_task_response__descriptor, e)
	               ? 0
	               : -1;
}
