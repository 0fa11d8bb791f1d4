#include "fake_service.h"

#include "base/clock.h"
#include "proto/json.h"

#include <flyteidl/service/admin.pb-c.h>
#include <poll.h>
#include <string.h>

#define HANDLER(name)                                                                                                  \
	static ProtobufCMessage *name(void *context, struct rpc_call *call, const ProtobufCMessage *message,           \
	                              struct err *e)

HANDLER(get_task)
{
	(void)context;
	(void)e;
	const Flyteidl__Admin__ObjectGetRequest *request = (const Flyteidl__Admin__ObjectGetRequest *)message;
	Flyteidl__Admin__Task *task = proto_new(call->arena, flyteidl__admin__task);
	task->id = request->id;
	task->short_description = arena_printf(call->arena, "%s|%s", call->authority, call->peer_address);
	return &task->base;
}

HANDLER(create_task)
{
	(void)context;
	(void)message;
	(void)e;
	return proto_new_of(call->arena, &flyteidl__admin__task_create_response__descriptor);
}

HANDLER(get_version)
{
	(void)message;
	(void)e;
	struct fake_service *fake = context;
	pthread_mutex_lock(&fake->lock);
	fake->waiting++;
	fake->entered++;
	pthread_cond_broadcast(&fake->changed);
	while (!fake->open)
		pthread_cond_wait(&fake->changed, &fake->lock);
	fake->waiting--;
	pthread_mutex_unlock(&fake->lock);
	return proto_new_of(call->arena, &flyteidl__admin__get_version_response__descriptor);
}

HANDLER(get_project)
{
	(void)context;
	const Flyteidl__Admin__ProjectGetRequest *request = (const Flyteidl__Admin__ProjectGetRequest *)message;
	Flyteidl__Admin__InactiveProject *detail = proto_new(call->arena, flyteidl__admin__inactive_project);
	detail->id = request->id;
	call->error_detail = &detail->base;
	char *text = arena_alloc(call->arena, 40001);
	for (size_t i = 0; i < 20000; i++)
		memcpy(text + 2 * i, i % 2 ? "\xc3\xa9" : "\n%", 2);
	err_set(e, ERR_NOT_FOUND, NULL, "%s", text);
	return NULL;
}

HANDLER(create_execution)
{
	(void)context;
	(void)e;
	const Flyteidl__Admin__ExecutionCreateRequest *request =
	        (const Flyteidl__Admin__ExecutionCreateRequest *)message;
	Flyteidl__Admin__ExecutionCreateResponse *response =
	        proto_new(call->arena, flyteidl__admin__execution_create_response);
	response->id = proto_new(call->arena, flyteidl__core__workflow_execution_identifier);
	response->id->project = request->project;
	response->id->domain = request->domain;
	response->id->name = request->name;
	return &response->base;
}

HANDLER(list_executions)
{
	(void)context;
	auto_buf struct buf text = BUF_INIT((size_t)1024 * 1024);
	if (proto_json_print(message, PROTO_JSON_OMIT_DEFAULTS, &text, e) < 0)
		return NULL;
	Flyteidl__Admin__ExecutionList *list = proto_new(call->arena, flyteidl__admin__execution_list);
	list->token = arena_strdup(call->arena, buf_text(&text));
	return &list->base;
}

HANDLER(get_workflow)
{
	(void)context;
	(void)call;
	(void)message;
	(void)e;
	return NULL;
}

/* Ten seconds are more than any test waits. */
HANDLER(get_execution)
{
	(void)message;
	struct fake_service *fake = context;
	struct pollfd p = { .fd = cancel_fd(call->cancel), .events = POLLIN };
	pthread_mutex_lock(&fake->lock);
	bool wait = !fake->open;
	fake->waiting += wait;
	pthread_cond_broadcast(&fake->changed);
	pthread_mutex_unlock(&fake->lock);
	bool cancelled = wait && poll(&p, 1, 10000) == 1 && cancel_is_requested(call->cancel);
	pthread_mutex_lock(&fake->lock);
	fake->waiting -= wait;
	fake->cancelled += cancelled;
	pthread_cond_broadcast(&fake->changed);
	pthread_mutex_unlock(&fake->lock);
	err_set(e, cancelled ? ERR_CANCELLED : ERR_INTERNAL, NULL, cancelled ? "cancelled" : "nobody cancelled");
	return NULL;
}

#define METHOD(name, request_type, response_type, function)                                                            \
	{                                                                                                              \
		.path = "/flyteidl.service.AdminService/" name, .request = &request_type##__descriptor,                \
		.response = &response_type##__descriptor, .handler = function                                          \
	}

static const struct rpc_method methods[] = {
	METHOD("GetTask", flyteidl__admin__object_get_request, flyteidl__admin__task, get_task),
	METHOD("CreateTask", flyteidl__admin__task_create_request, flyteidl__admin__task_create_response, create_task),
	METHOD("GetVersion", flyteidl__admin__get_version_request, flyteidl__admin__get_version_response, get_version),
	METHOD("GetProject", flyteidl__admin__project_get_request, flyteidl__admin__project, get_project),
	METHOD("CreateExecution", flyteidl__admin__execution_create_request, flyteidl__admin__execution_create_response,
	       create_execution),
	METHOD("ListExecutions", flyteidl__admin__resource_list_request, flyteidl__admin__execution_list,
	       list_executions),
	METHOD("GetExecution", flyteidl__admin__workflow_execution_get_request, flyteidl__admin__execution, get_execution),
	METHOD("GetWorkflow", flyteidl__admin__object_get_request, flyteidl__admin__workflow, get_workflow),
};

struct rpc_service fake_service(struct fake_service *fake)
{
	return (struct rpc_service){
		.name = "flyteidl.service.AdminService",
		.methods = methods,
		.method_count = ARRAY_LENGTH(methods),
		.context = fake,
	};
}

static bool wait_for(struct fake_service *fake, const unsigned *number, unsigned count)
{
	struct timespec deadline;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 10;
	int status = 0;
	pthread_mutex_lock(&fake->lock);
	while (*number != count && status == 0)
		status = pthread_cond_timedwait(&fake->changed, &fake->lock, &deadline);
	bool there = *number == count;
	pthread_mutex_unlock(&fake->lock);
	return there;
}

bool fake_service_wait(struct fake_service *fake, unsigned count)
{
	return wait_for(fake, &fake->waiting, count);
}

bool fake_service_wait_cancelled(struct fake_service *fake, unsigned count)
{
	return wait_for(fake, &fake->cancelled, count);
}

void fake_service_open(struct fake_service *fake, bool open)
{
	pthread_mutex_lock(&fake->lock);
	fake->open = open;
	pthread_cond_broadcast(&fake->changed);
	pthread_mutex_unlock(&fake->lock);
}
