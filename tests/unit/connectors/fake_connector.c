#include "fake_connector.h"

#include "base/clock.h"
#include "base/text.h"
#include "proto/message.h"

#include "flyteidl/admin/agent.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PATIENCE_MS INT64_C(30000)

#define HANDLER(name)                                                                                                  \
	static ProtobufCMessage *name(void *context, struct rpc_call *call, const ProtobufCMessage *message,           \
	                              struct err *e)

HANDLER(list_agents)
{
	struct fake_connector *fake = context;
	(void)message;
	(void)e;
	Flyteidl__Admin__ListAgentsResponse *response = proto_new(call->arena, flyteidl__admin__list_agents_response);
	Flyteidl__Admin__Agent *agent = proto_new(call->arena, flyteidl__admin__agent);
	Flyteidl__Admin__TaskCategory *category = proto_new(call->arena, flyteidl__admin__task_category);
	category->name = arena_strdup(call->arena, "work");
	proto_append(call->arena, agent->n_supported_task_categories, agent->supported_task_categories, category);
	proto_append(call->arena, response->n_agents, response->agents, agent);
	FAKE_CONNECTOR_LOCKED(fake, fake->listed++);
	return &response->base;
}

HANDLER(create_task)
{
	struct fake_connector *fake = context;
	const Flyteidl__Admin__CreateTaskRequest *request = (const Flyteidl__Admin__CreateTaskRequest *)message;
	pthread_mutex_lock(&fake->lock);
	const unsigned number = ++fake->created;
	(void)snprintf(fake->last_prefix, sizeof(fake->last_prefix), "%s", request->output_prefix);
	while (fake->hold_creation) {
		fake->entered = true;
		pthread_cond_broadcast(&fake->changed);
		pthread_cond_wait(&fake->changed, &fake->lock);
	}
	const enum err_kind fails = fake->creation_fails;
	pthread_mutex_unlock(&fake->lock);
	if (fails != ERR_NONE) {
		err_set(e, fails, NULL, "no such warehouse");
		return NULL;
	}
	Flyteidl__Admin__CreateTaskResponse *response = proto_new(call->arena, flyteidl__admin__create_task_response);
	char *meta = arena_printf(call->arena, "job-%u", number);
	response->resource_meta.data = (uint8_t *)meta;
	response->resource_meta.len = strlen(meta);
	return &response->base;
}

static void keep_meta(struct fake_connector *fake, const ProtobufCBinaryData *meta)
{
	(void)snprintf(fake->last_meta, sizeof(fake->last_meta), "%.*s", (int)meta->len, (const char *)meta->data);
}

HANDLER(get_task)
{
	struct fake_connector *fake = context;
	const Flyteidl__Admin__GetTaskRequest *request = (const Flyteidl__Admin__GetTaskRequest *)message;
	Flyteidl__Admin__GetTaskResponse *response = proto_new(call->arena, flyteidl__admin__get_task_response);
	response->resource = proto_new(call->arena, flyteidl__admin__resource);
	pthread_mutex_lock(&fake->lock);
	fake->asked++;
	keep_meta(fake, &request->resource_meta);
	while (fake->hold_question) {
		fake->entered = true;
		pthread_cond_broadcast(&fake->changed);
		pthread_cond_wait(&fake->changed, &fake->lock);
	}
	response->resource->phase = fake->phase;
	const enum err_kind fails = fake->question_fails;
	pthread_mutex_unlock(&fake->lock);
	if (fails == ERR_NONE && text_equal(request->task_category->name, request->task_type))
		return &response->base;
	err_set(e, fails, NULL, "no answer today");
	return NULL;
}

HANDLER(delete_task)
{
	struct fake_connector *fake = context;
	const Flyteidl__Admin__DeleteTaskRequest *request = (const Flyteidl__Admin__DeleteTaskRequest *)message;
	pthread_mutex_lock(&fake->lock);
	fake->deleted++;
	keep_meta(fake, &request->resource_meta);
	const enum err_kind fails = fake->deletion_fails;
	pthread_mutex_unlock(&fake->lock);
	if (fails == ERR_NONE)
		return proto_new_of(call->arena, &flyteidl__admin__delete_task_response__descriptor);
	err_set(e, fails, NULL, "not today");
	return NULL;
}

#define METHOD(service, name, prefix, function)                                                                        \
	{                                                                                                              \
		.path = "/flyteidl.service." service "/" name, .request = &prefix##_request__descriptor,               \
		.response = &prefix##_response__descriptor, .handler = function                                        \
	}

static const struct rpc_method of_metadata[] = {
	METHOD("AgentMetadataService", "ListAgents", flyteidl__admin__list_agents, list_agents),
};
static const struct rpc_method of_tasks[] = {
	METHOD("AsyncAgentService", "CreateTask", flyteidl__admin__create_task, create_task),
	METHOD("AsyncAgentService", "GetTask", flyteidl__admin__get_task, get_task),
	METHOD("AsyncAgentService", "DeleteTask", flyteidl__admin__delete_task, delete_task),
};

void fake_connector_start(struct fake_connector *fake, uint16_t port)
{
	auto_err struct err e = ERR_INIT;
	if (!fake->server && !fake->port) {
		pthread_mutex_init(&fake->lock, NULL);
		pthread_cond_init(&fake->changed, NULL);
	}
	fake->services[0] = (struct rpc_service){ .name = "flyteidl.service.AgentMetadataService",
		                                  .methods = of_metadata,
		                                  .method_count = ARRAY_LENGTH(of_metadata),
		                                  .context = fake };
	fake->services[1] = (struct rpc_service){ .name = "flyteidl.service.AsyncAgentService",
		                                  .methods = of_tasks,
		                                  .method_count = ARRAY_LENGTH(of_tasks),
		                                  .context = fake };
	const struct rpc_server_options options = { .address = "127.0.0.1",
		                                    .port = port,
		                                    .workers = 4,
		                                    .services = fake->services,
		                                    .service_count = ARRAY_LENGTH(fake->services) };
	if (rpc_server_start(&options, &fake->server, &e) < 0)
		fail_msg("%s", err_message(&e));
	fake->port = rpc_server_port(fake->server);
}

void fake_connector_stop(struct fake_connector *fake)
{
	auto_err struct err e = ERR_INIT;
	if (fake->server && rpc_server_stop(fake->server, clock_monotonic_ms() + PATIENCE_MS, &e) < 0)
		fail_msg("%s", err_message(&e));
	fake->server = NULL;
}

bool fake_connector_wait_entered(struct fake_connector *fake)
{
	struct timespec deadline;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 10;
	int status = 0;
	pthread_mutex_lock(&fake->lock);
	while (!fake->entered && status == 0)
		status = pthread_cond_timedwait(&fake->changed, &fake->lock, &deadline);
	const bool entered = fake->entered;
	pthread_mutex_unlock(&fake->lock);
	return entered;
}
