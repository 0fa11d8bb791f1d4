/* AdminService's methods on tasks. */
#include "controlplane/api/api.h"

#include "base/clock.h"
#include "controlplane/api/page.h"
#include "controlplane/api/registration.h"
#include "controlplane/api/task_resources.h"
#include "controlplane/compiler/compiler.h"
#include "controlplane/launch/attributes.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/tasks.h"

#include "flyteidl/admin/task.pb-c.h"

static int validate_template(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                             const struct resource_policy *policy, struct err *e)
{
	if (ids_require(task->type, "type", e) < 0)
		return -1;
	if (!task->metadata)
		return ids_require(NULL, "metadata", e);
	if (task->metadata->runtime && ids_require(task->metadata->runtime->version, "runtime version", e) < 0)
		return -1;
	if (!task->interface)
		return ids_require(NULL, "typed interface", e);
	return task_resources_validate(arena, task, policy, e);
}

static Flyteidl__Admin__TaskClosure *read_closure(struct arena *arena, const struct task_row *row, struct err *e)
{
	Flyteidl__Admin__TaskClosure *closure =
	        proto_unpack(arena, flyteidl__admin__task_closure, row->closure.data, row->closure.length, e);
	if (!closure) {
		err_wrap(e, "stored task \"%s\"", row->key.name);
		return NULL;
	}
	closure->created_at = api_timestamp(arena, row->created_at);
	return closure;
}

/* The id is taken: by the same task, or by another? */
static int compare_with_stored(struct rpc_call *call, struct database_connection *c, const struct task_row *task,
                               Flyteidl__Core__CompiledTask *compiled, struct err *e)
{
	struct task_row stored;
	int found = tasks_get(c, call->arena, &task->key, &stored, e);
	if (found < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_CONFLICT, NULL, "task %s was deleted while it was registered", task->key.name);
	if (registration_same(stored.digest, task->digest))
		return registration_identical("task", e);
	Flyteidl__Admin__TaskClosure *closure = read_closure(call->arena, &stored, e);
	if (!closure)
		return -1;
	if (!closure->compiled_task)
		return err_set(e, ERR_INTERNAL, NULL, "stored task \"%s\" has no compiled task", task->key.name);
	return registration_different(call->arena, "task", task->key.name, &closure->compiled_task->base,
	                              &compiled->base, e);
}

static int store_task(struct rpc_call *call, struct database_connection *c, const Flyteidl__Core__Identifier *id,
                      const Flyteidl__Admin__TaskSpec *spec, Flyteidl__Core__CompiledTask *compiled, struct err *e)
{
	Flyteidl__Admin__TaskClosure *closure = proto_new(call->arena, flyteidl__admin__task_closure);
	closure->compiled_task = compiled;
	closure->created_at = api_timestamp(call->arena, clock_wall_ns());
	struct task_row task = {
		.key = registration_key(id),
		.type = spec->template_->type,
		.short_description = spec->description ? spec->description->short_description : "",
		.description = registration_description(call->arena, spec->description),
		.digest = registration_digest(call->arena, &compiled->base),
		.closure = proto_pack(call->arena, &closure->base),
	};
	int stored = tasks_insert(c, call->arena, &task, e);
	if (stored == 0)
		return compare_with_stored(call, c, &task, compiled, e);
	return stored < 0 ? -1 : 0;
}

static ProtobufCMessage *create_task(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                     struct err *e)
{
	struct api *api = context;
	const Flyteidl__Admin__TaskCreateRequest *request = (const Flyteidl__Admin__TaskCreateRequest *)message;
	auto_connection struct database_connection *c = NULL;
	if (ids_validate_new(request->id, FLYTEIDL__CORE__RESOURCE_TYPE__TASK, e) < 0 ||
	    api_connect(api, call, &c, e) < 0 ||
	    api_check_project_and_domain(api, call, c, request->id->project, request->id->domain, e) < 0)
		return NULL;
	if (!request->spec || !request->spec->template_) {
		ids_require(NULL, "spec", e);
		return NULL;
	}
	Flyteidl__Core__TaskTemplate *task = arena_copy(call->arena, request->spec->template_, sizeof(*task));
	task->id = request->id;
	auto_settings const struct settings *settings = settings_current(api->settings);
	const struct matchable_scope scope = { .project = request->id->project, .domain = request->id->domain };
	struct launch_attributes attributes;
	if (launch_attributes_load(c, call->arena, &scope, &attributes, e) < 0)
		return NULL;
	const struct resource_policy policy = launch_resource_policy(settings, attributes.task_resources);
	if (validate_template(call->arena, task, &policy, e) < 0)
		return NULL;
	Flyteidl__Core__CompiledTask *compiled = compiler_compile_task(call->arena, task, e);
	if (!compiled || store_task(call, c, request->id, request->spec, compiled, e) < 0)
		return NULL;
	return &proto_new(call->arena, flyteidl__admin__task_create_response)->base;
}

static Flyteidl__Admin__Task *task_message(struct arena *arena, const struct task_row *row, struct err *e)
{
	Flyteidl__Admin__Task *task = proto_new(arena, flyteidl__admin__task);
	task->id = ids_new(arena, FLYTEIDL__CORE__RESOURCE_TYPE__TASK, row->key.project, row->key.domain, row->key.name,
	                   row->key.version);
	task->short_description = arena_strdup(arena, row->short_description);
	task->closure = read_closure(arena, row, e);
	return task->closure ? task : NULL;
}

static int get_row(struct rpc_call *call, struct database_connection *c, const Flyteidl__Core__Identifier *id,
                   struct task_row *ret_row, struct err *e)
{
	struct entity_key key = registration_key(id);
	int found = tasks_get(c, call->arena, &key, ret_row, e);
	if (found == 0)
		return ids_not_found(call->arena, id, e);
	return found < 0 ? -1 : 0;
}

int api_load_task(struct rpc_call *call, struct database_connection *c, const Flyteidl__Core__Identifier *id,
                  struct api_task *ret_task, struct err *e)
{
	struct task_row row;
	if (get_row(call, c, id, &row, e) < 0)
		return -1;
	Flyteidl__Admin__TaskClosure *closure = read_closure(call->arena, &row, e);
	if (!closure)
		return -1;
	if (!closure->compiled_task || !closure->compiled_task->template_)
		return err_set(e, ERR_INTERNAL, NULL, "stored task \"%s\" has no template", row.key.name);
	*ret_task = (struct api_task){ .id = row.id, .compiled = closure->compiled_task };
	return 0;
}

static ProtobufCMessage *get_task(void *context, struct rpc_call *call, const ProtobufCMessage *message, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	const Flyteidl__Core__Identifier *id =
	        ids_of_request(call->arena, ((const Flyteidl__Admin__ObjectGetRequest *)message)->id,
	                       FLYTEIDL__CORE__RESOURCE_TYPE__TASK, e);
	struct task_row row;
	if (!id || api_connect(context, call, &c, e) < 0 || get_row(call, c, id, &row, e) < 0)
		return NULL;
	return (ProtobufCMessage *)task_message(call->arena, &row, e);
}

static ProtobufCMessage *task_of_page(struct arena *arena, const void *rows, size_t index, struct err *e)
{
	return (ProtobufCMessage *)task_message(arena, &((const struct task_rows *)rows)->rows[index], e);
}

static ProtobufCMessage *list_tasks(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                    struct err *e)
{
	const Flyteidl__Admin__ResourceListRequest *request = (const Flyteidl__Admin__ResourceListRequest *)message;
	auto_connection struct database_connection *c = NULL;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	struct list_request list = { .entity = LIST_TASK, .rpc = "ListTasks" };
	if (registration_list_init(&query, call, request, &list, e) < 0)
		return NULL;
	struct task_rows rows;
	if (api_connect(context, call, &c, e) < 0 || tasks_list(c, &query, &rows, e) < 0)
		return NULL;
	return page_message(call->arena, &flyteidl__admin__task_list__descriptor, &query, &rows, rows.count, task_of_page,
	                    e);
}

static ProtobufCMessage *list_task_ids(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                       struct err *e)
{
	return registration_list_ids(context, call, (const Flyteidl__Admin__NamedEntityIdentifierListRequest *)message,
	                             "ListUniqueTaskIdentifiers", FLYTEIDL__CORE__RESOURCE_TYPE__TASK, e);
}

struct api_methods api_task_methods(void)
{
	static const struct rpc_method methods[] = {
		ADMIN_METHOD("CreateTask", task_create_request, task_create_response, create_task),
		ADMIN_METHOD("GetTask", object_get_request, task, get_task),
		ADMIN_METHOD("ListTasks", resource_list_request, task_list, list_tasks),
		ADMIN_METHOD("ListTaskIds", named_entity_identifier_list_request, named_entity_identifier_list,
		             list_task_ids),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
