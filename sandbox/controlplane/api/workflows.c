/* AdminService's methods on workflows: the compile step with what it refers to, then Postgres and the object store
 * together. */
#include "controlplane/api/api.h"

#include "base/clock.h"
#include "controlplane/api/page.h"
#include "controlplane/api/registration.h"
#include "controlplane/compiler/compiler.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/launch_plans.h"
#include "controlplane/store/workflows.h"

#include "flyteidl/admin/workflow.pb-c.h"

/* What a workflow refers to may be missing or not fit: that is the registrant's mistake and has this form whatever it
 * was. */
static int compile_failure(struct arena *arena, const Flyteidl__Core__Identifier *id, struct err *e)
{
	if (e->kind == ERR_NOT_FOUND || e->kind == ERR_INVALID)
		e->kind = ERR_INVALID;
	return err_set(e, e->kind, "compile-failed", "failed to compile workflow for [%s] with err: %s",
	               ids_text(arena, id), err_message(e));
}

static int load_tasks(struct rpc_call *call, struct database_connection *c,
                      const struct compiler_references *references, struct compiler_request *request, struct err *e)
{
	Flyteidl__Core__CompiledTask **tasks =
	        arena_array(call->arena, Flyteidl__Core__CompiledTask *, references->task_count);
	for (size_t i = 0; i < references->task_count; i++) {
		struct api_task task;
		Flyteidl__Core__Identifier *id = arena_copy(call->arena, references->tasks[i], sizeof(*id));
		id->resource_type = FLYTEIDL__CORE__RESOURCE_TYPE__TASK;
		if (api_load_task(call, c, id, &task, e) < 0)
			return -1;
		tasks[i] = task.compiled;
	}
	request->tasks = tasks;
	request->task_count = references->task_count;
	return 0;
}

static int load_launch_plans(struct rpc_call *call, struct database_connection *c,
                             const struct compiler_references *references, struct compiler_request *request,
                             struct err *e)
{
	struct compiler_launch_plan *launch_plans =
	        arena_array(call->arena, struct compiler_launch_plan, references->launch_plan_count);
	for (size_t i = 0; i < references->launch_plan_count; i++) {
		struct api_launch_plan found;
		Flyteidl__Core__Identifier *id = arena_copy(call->arena, references->launch_plans[i], sizeof(*id));
		id->resource_type = FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN;
		if (api_load_launch_plan(call, c, id, &found, e) < 0)
			return -1;
		launch_plans[i] = (struct compiler_launch_plan){
			.id = references->launch_plans[i],
			.expected_inputs = found.message->closure->expected_inputs,
			.fixed_inputs = found.message->spec->fixed_inputs,
			.outputs = found.message->closure->expected_outputs,
		};
	}
	request->launch_plans = launch_plans;
	request->launch_plan_count = references->launch_plan_count;
	return 0;
}

static Flyteidl__Core__CompiledWorkflowClosure *compile(struct rpc_call *call, struct database_connection *c,
                                                        const Flyteidl__Core__WorkflowTemplate *primary,
                                                        const Flyteidl__Admin__WorkflowSpec *spec, struct err *e)
{
	const struct compiler_references references =
	        compiler_references(call->arena, primary, spec->sub_workflows, spec->n_sub_workflows);
	struct compiler_request request = { .primary = primary,
		                            .sub_workflows = spec->sub_workflows,
		                            .sub_workflow_count = spec->n_sub_workflows };
	Flyteidl__Core__CompiledWorkflowClosure *closure = NULL;
	if (load_tasks(call, c, &references, &request, e) == 0 &&
	    load_launch_plans(call, c, &references, &request, e) == 0)
		closure = compiler_compile_workflow(call->arena, &request, e);
	if (!closure)
		compile_failure(call->arena, primary->id, e);
	return closure;
}

/* Sets the detail that flytectl reads. */
static void set_detail(struct rpc_call *call, const Flyteidl__Core__Identifier *id, bool identical)
{
	Flyteidl__Admin__CreateWorkflowFailureReason *reason =
	        proto_new(call->arena, flyteidl__admin__create_workflow_failure_reason);
	Flyteidl__Core__Identifier *copy = arena_copy(call->arena, id, sizeof(*id));
	if (identical) {
		reason->reason_case =
		        FLYTEIDL__ADMIN__CREATE_WORKFLOW_FAILURE_REASON__REASON_EXISTS_IDENTICAL_STRUCTURE;
		reason->exists_identical_structure =
		        proto_new(call->arena, flyteidl__admin__workflow_error_exists_identical_structure);
		reason->exists_identical_structure->id = copy;
	} else {
		reason->reason_case =
		        FLYTEIDL__ADMIN__CREATE_WORKFLOW_FAILURE_REASON__REASON_EXISTS_DIFFERENT_STRUCTURE;
		reason->exists_different_structure =
		        proto_new(call->arena, flyteidl__admin__workflow_error_exists_different_structure);
		reason->exists_different_structure->id = copy;
	}
	call->error_detail = &reason->base;
}

/* The id is taken. 0 by an identical workflow, else -1. */
static int compare_with_stored(struct rpc_call *call, struct database_connection *c,
                               const Flyteidl__Core__Identifier *id, const struct workflow_row *workflow,
                               Flyteidl__Core__CompiledWorkflowClosure *closure, struct err *e)
{
	struct workflow_row stored;
	int found = workflows_get(c, call->arena, &workflow->key, &stored, e);
	if (found < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_CONFLICT, NULL, "workflow %s was deleted while it was registered",
		               workflow->key.name);
	if (registration_same(stored.digest, workflow->digest))
		return 0;
	Flyteidl__Core__CompiledWorkflowClosure *old = proto_unpack(
	        call->arena, flyteidl__core__compiled_workflow_closure, stored.closure.data, stored.closure.length, e);
	if (!old)
		return err_wrap(e, "stored workflow \"%s\"", workflow->key.name);
	set_detail(call, id, false);
	return registration_different(call->arena, "workflow", workflow->key.name, &old->base, &closure->base, e);
}

/* The object is written while the row is not committed yet: whoever sees the row finds the object, and a loser of a
 * race writes none. */
static int store(struct api *api, struct rpc_call *call, struct database_connection *c,
                 const struct workflow_row *workflow, Flyteidl__Core__CompiledWorkflowClosure *closure,
                 int entity_state, struct err *e)
{
	if (database_begin(c, e) < 0)
		return -1;
	int stored = workflows_insert(c, call->arena, workflow, entity_state, e);
	if (stored < 0)
		return -1;
	if (stored == 0)
		return database_rollback(c, e);
	Flyteidl__Admin__WorkflowClosure *object = proto_new(call->arena, flyteidl__admin__workflow_closure);
	object->compiled_workflow = closure;
	object->created_at = api_timestamp(call->arena, clock_wall_ns());
	struct proto_bytes bytes = proto_pack(call->arena, &object->base);
	if (objects_put(api->objects, workflow->closure_uri, bytes.data, bytes.length, "application/octet-stream", e) <
	    0)
		return err_wrap(e, "failed to write marshaled workflow to storage %s", workflow->closure_uri);
	return database_commit(c, e) < 0 ? -1 : 1;
}

static int check_node_count(struct api *api, struct arena *arena, const Flyteidl__Core__Identifier *id,
                            const Flyteidl__Core__WorkflowTemplate *primary, struct err *e)
{
	/* As registered, so without start and end node. */
	auto_settings const struct settings *settings = settings_current(api->settings);
	const int64_t maximum = settings->workflow_node_maximum;
	if (maximum && primary->n_nodes > (uint64_t)maximum)
		return err_set(e, ERR_INVALID, "too-many-nodes",
		               "number of nodes in workflow [%s] exceeds limit (%zu > %lld)", ids_text(arena, id),
		               primary->n_nodes, (long long)maximum);
	return 0;
}

int registration_create_workflow(struct api *api, struct rpc_call *call, struct database_connection *c,
                                 const Flyteidl__Core__Identifier *id, const Flyteidl__Admin__WorkflowSpec *spec,
                                 int entity_state, struct err *e)
{
	Flyteidl__Core__WorkflowTemplate *primary = arena_copy(call->arena, spec->template_, sizeof(*primary));
	primary->id = arena_copy(call->arena, id, sizeof(*id));
	Flyteidl__Core__CompiledWorkflowClosure *closure = compile(call, c, primary, spec, e);
	if (!closure || check_node_count(api, call->arena, id, primary, e) < 0)
		return -1;
	struct workflow_row workflow = {
		.key = registration_key(id),
		.short_description = spec->description ? spec->description->short_description : "",
		.description = registration_description(call->arena, spec->description),
		.typed_interface = primary->interface ? proto_pack(call->arena, &primary->interface->base)
		                                      : (struct proto_bytes){ .data = NULL },
		.digest = registration_digest(call->arena, &closure->base),
		.closure_uri = api_object_uri(api, call->arena, "metadata/admin/%s/%s/%s/%s", id->project, id->domain,
		                              id->name, id->version),
	};
	workflow.closure = proto_pack(call->arena, &closure->base);
	if (primary->metadata && primary->metadata->quality_of_service)
		workflow.quality_of_service = proto_pack(call->arena, &primary->metadata->quality_of_service->base);
	int stored = store(api, call, c, &workflow, closure, entity_state, e);
	return stored == 0 ? compare_with_stored(call, c, id, &workflow, closure, e) : stored;
}

static ProtobufCMessage *create_workflow(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                         struct err *e)
{
	struct api *api = context;
	const Flyteidl__Admin__WorkflowCreateRequest *request = (const Flyteidl__Admin__WorkflowCreateRequest *)message;
	auto_connection struct database_connection *c = NULL;
	if (ids_validate_new(request->id, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, e) < 0 ||
	    api_connect(api, call, &c, e) < 0 ||
	    api_check_project_and_domain(api, call, c, request->id->project, request->id->domain, e) < 0)
		return NULL;
	if (!request->spec || !request->spec->template_) {
		ids_require(NULL, "spec", e);
		return NULL;
	}
	int stored = registration_create_workflow(api, call, c, request->id, request->spec,
	                                          FLYTEIDL__ADMIN__NAMED_ENTITY_STATE__NAMED_ENTITY_ACTIVE, e);
	if (stored < 0)
		return NULL;
	if (stored == 0) {
		set_detail(call, request->id, true);
		registration_identical("workflow", e);
		return NULL;
	}
	return &proto_new(call->arena, flyteidl__admin__workflow_create_response)->base;
}

static int fill(struct rpc_call *call, const struct workflow_row *row, struct api_workflow *ret_workflow, struct err *e)
{
	struct arena *arena = call->arena;
	Flyteidl__Core__CompiledWorkflowClosure *closure = proto_unpack(
	        arena, flyteidl__core__compiled_workflow_closure, row->closure.data, row->closure.length, e);
	if (!closure)
		return err_wrap(e, "stored workflow \"%s\"", row->key.name);
	*ret_workflow = (struct api_workflow){
		.id = row->id,
		.identifier = ids_new(arena, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, row->key.project, row->key.domain,
		                      row->key.name, row->key.version),
		.closure = closure,
	};
	return 0;
}

static int get_row(struct rpc_call *call, struct database_connection *c, const Flyteidl__Core__Identifier *id,
                   struct workflow_row *ret_row, struct err *e)
{
	struct entity_key key = registration_key(id);
	int found = workflows_get(c, call->arena, &key, ret_row, e);
	if (found == 0)
		return ids_not_found(call->arena, id, e);
	return found < 0 ? -1 : 0;
}

int api_load_workflow(struct rpc_call *call, struct database_connection *c, const Flyteidl__Core__Identifier *id,
                      struct api_workflow *ret_workflow, struct err *e)
{
	struct workflow_row row;
	if (get_row(call, c, id, &row, e) < 0)
		return -1;
	return fill(call, &row, ret_workflow, e);
}

int api_load_workflow_by_id(struct rpc_call *call, struct database_connection *c, int64_t id,
                            struct api_workflow *ret_workflow, struct err *e)
{
	struct workflow_row row;
	int found = workflows_get_by_id(c, call->arena, id, &row, e);
	if (found == 0)
		return err_set(e, ERR_NOT_FOUND, "missing-entity", "missing entity of type WORKFLOW");
	return found < 0 ? -1 : fill(call, &row, ret_workflow, e);
}

/* With `closure` NULL the message carries the interface only, as lists do. */
static Flyteidl__Admin__Workflow *workflow_message(struct arena *arena, const struct workflow_row *row,
                                                   Flyteidl__Core__CompiledWorkflowClosure *closure, struct err *e)
{
	Flyteidl__Admin__Workflow *workflow = proto_new(arena, flyteidl__admin__workflow);
	workflow->id = ids_new(arena, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, row->key.project, row->key.domain,
	                       row->key.name, row->key.version);
	workflow->short_description = arena_strdup(arena, row->short_description);
	workflow->closure = proto_new(arena, flyteidl__admin__workflow_closure);
	workflow->closure->created_at = api_timestamp(arena, row->created_at);
	workflow->closure->compiled_workflow = closure;
	if (closure)
		return workflow;
	Flyteidl__Core__TypedInterface *interface = proto_unpack(
	        arena, flyteidl__core__typed_interface, row->typed_interface.data, row->typed_interface.length, e);
	if (!interface)
		return NULL;
	closure = proto_new(arena, flyteidl__core__compiled_workflow_closure);
	closure->primary = proto_new(arena, flyteidl__core__compiled_workflow);
	closure->primary->template_ = proto_new(arena, flyteidl__core__workflow_template);
	closure->primary->template_->interface = interface;
	workflow->closure->compiled_workflow = closure;
	return workflow;
}

static ProtobufCMessage *get_workflow(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                      struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	const Flyteidl__Core__Identifier *id =
	        ids_of_request(call->arena, ((const Flyteidl__Admin__ObjectGetRequest *)message)->id,
	                       FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, e);
	struct workflow_row row;
	struct api_workflow workflow;
	if (!id || api_connect(context, call, &c, e) < 0 || get_row(call, c, id, &row, e) < 0 ||
	    fill(call, &row, &workflow, e) < 0)
		return NULL;
	return (ProtobufCMessage *)workflow_message(call->arena, &row, workflow.closure, e);
}

static ProtobufCMessage *workflow_of_page(struct arena *arena, const void *rows, size_t index, struct err *e)
{
	return (ProtobufCMessage *)workflow_message(arena, &((const struct workflow_rows *)rows)->rows[index], NULL, e);
}

static ProtobufCMessage *list_workflows(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                        struct err *e)
{
	const Flyteidl__Admin__ResourceListRequest *request = (const Flyteidl__Admin__ResourceListRequest *)message;
	auto_connection struct database_connection *c = NULL;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	struct list_request list = { .entity = LIST_WORKFLOW, .rpc = "ListWorkflows" };
	if (registration_list_init(&query, call, request, &list, e) < 0)
		return NULL;
	struct workflow_rows rows;
	if (api_connect(context, call, &c, e) < 0 || workflows_list(c, &query, &rows, e) < 0)
		return NULL;
	return page_message(call->arena, &flyteidl__admin__workflow_list__descriptor, &query, &rows, rows.count, workflow_of_page,
	                    e);
}

static ProtobufCMessage *list_workflow_ids(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                           struct err *e)
{
	return registration_list_ids(context, call, (const Flyteidl__Admin__NamedEntityIdentifierListRequest *)message,
	                             "ListWorkflowIdentifiers", FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, e);
}

struct api_methods api_workflow_methods(void)
{
	static const struct rpc_method methods[] = {
		ADMIN_METHOD("CreateWorkflow", workflow_create_request, workflow_create_response, create_workflow),
		ADMIN_METHOD("GetWorkflow", object_get_request, workflow, get_workflow),
		ADMIN_METHOD("ListWorkflows", resource_list_request, workflow_list, list_workflows),
		ADMIN_METHOD("ListWorkflowIds", named_entity_identifier_list_request, named_entity_identifier_list,
		             list_workflow_ids),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
