/* AdminService's methods on launch plans. */
#include "controlplane/api/api.h"

#include "base/text.h"
#include "controlplane/api/launch_plan_validate.h"
#include "controlplane/api/page.h"
#include "controlplane/api/registration.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/launch_plans.h"
#include "controlplane/store/workflows.h"

static Flyteidl__Admin__LaunchPlan *launch_plan_message(struct arena *arena, const struct launch_plan_row *row,
                                                        struct err *e)
{
	Flyteidl__Admin__LaunchPlan *launch_plan = proto_new(arena, flyteidl__admin__launch_plan);
	Flyteidl__Admin__LaunchPlanClosure *closure = proto_new(arena, flyteidl__admin__launch_plan_closure);
	launch_plan->id = ids_new(arena, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, row->key.project, row->key.domain,
	                          row->key.name, row->key.version);
	launch_plan->closure = closure;
	launch_plan->spec = proto_unpack(arena, flyteidl__admin__launch_plan_spec, row->spec.data, row->spec.length, e);
	closure->expected_inputs = proto_unpack(arena, flyteidl__core__parameter_map, row->expected_inputs.data,
	                                        row->expected_inputs.length, e);
	closure->expected_outputs = proto_unpack(arena, flyteidl__core__variable_map, row->expected_outputs.data,
	                                         row->expected_outputs.length, e);
	closure->state = (Flyteidl__Admin__LaunchPlanState)row->state;
	closure->created_at = api_timestamp(arena, row->created_at);
	closure->updated_at = api_timestamp(arena, row->updated_at);
	if (launch_plan->spec && closure->expected_inputs && closure->expected_outputs)
		return launch_plan;
	err_wrap(e, "stored launch plan \"%s\"", row->key.name);
	return NULL;
}

/* The id is taken. 0 by an identical launch plan, else -1. */
static int compare_with_stored(struct rpc_call *call, struct database_connection *c,
                               const struct launch_plan_row *launch_plan, Flyteidl__Admin__LaunchPlanSpec *spec,
                               struct err *e)
{
	struct launch_plan_row stored;
	int found = launch_plans_get(c, call->arena, &launch_plan->key, &stored, e);
	if (found < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_CONFLICT, NULL, "launch plan %s was deleted while it was registered",
		               launch_plan->key.name);
	if (registration_same(stored.digest, launch_plan->digest))
		return 0;
	Flyteidl__Admin__LaunchPlan *old = launch_plan_message(call->arena, &stored, e);
	if (!old)
		return -1;
	return registration_different(call->arena, "launch plan", launch_plan->key.name, &old->spec->base, &spec->base,
	                              e);
}

int registration_create_launch_plan(struct rpc_call *call, struct database_connection *c,
                                    const Flyteidl__Core__Identifier *id, const Flyteidl__Admin__LaunchPlanSpec *spec,
                                    const struct workflow_row *workflow, int entity_state, struct err *e)
{
	struct arena *arena = call->arena;
	Flyteidl__Core__TypedInterface *interface =
	        proto_unpack(arena, flyteidl__core__typed_interface, workflow->typed_interface.data,
	                     workflow->typed_interface.length, e);
	if (!interface)
		return err_wrap(e, "interface of stored workflow \"%s\"", workflow->key.name);
	Flyteidl__Core__ParameterMap *expected = launch_plan_validate(arena, spec, interface, e);
	if (!expected)
		return -1;
	Flyteidl__Admin__LaunchPlan *launch_plan = proto_new(arena, flyteidl__admin__launch_plan);
	launch_plan->id = arena_copy(arena, id, sizeof(*id));
	launch_plan->spec = arena_copy(arena, spec, sizeof(*spec));
	/* As upstream: what is still open shows up among the stored spec's default inputs, as required. */
	launch_plan->spec->default_inputs = expected;
	launch_plan->closure = proto_new(arena, flyteidl__admin__launch_plan_closure);
	launch_plan->closure->expected_inputs = expected;
	launch_plan->closure->expected_outputs =
	        interface->outputs ? interface->outputs : proto_new(arena, flyteidl__core__variable_map);
	struct launch_plan_row row = {
		.key = registration_key(id),
		.workflow_id = workflow->id,
		.digest = registration_digest(arena, &launch_plan->base),
		.schedule_type = launch_plan_schedule_type(spec),
	};
	row.spec = proto_pack(arena, &launch_plan->spec->base);
	row.expected_inputs = proto_pack(arena, &expected->base);
	row.expected_outputs = proto_pack(arena, &launch_plan->closure->expected_outputs->base);
	int stored = launch_plans_insert(c, arena, &row, entity_state, e);
	return stored == 0 ? compare_with_stored(call, c, &row, launch_plan->spec, e) : stored;
}

static int load_workflow_row(struct rpc_call *call, struct database_connection *c, const Flyteidl__Core__Identifier *id,
                             struct workflow_row *ret_workflow, struct err *e)
{
	struct entity_key key = registration_key(id);
	int found = workflows_get(c, call->arena, &key, ret_workflow, e);
	if (found == 0)
		return ids_not_found(call->arena, id, e);
	return found < 0 ? -1 : 0;
}

static ProtobufCMessage *create_launch_plan(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                            struct err *e)
{
	struct api *api = context;
	const Flyteidl__Admin__LaunchPlanCreateRequest *request =
	        (const Flyteidl__Admin__LaunchPlanCreateRequest *)message;
	auto_connection struct database_connection *c = NULL;
	const Flyteidl__Core__Identifier *workflow_id = request->spec ? request->spec->workflow_id : NULL;
	struct workflow_row workflow;
	if (ids_validate(workflow_id, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, e) < 0 ||
	    api_connect(api, call, &c, e) < 0 || load_workflow_row(call, c, workflow_id, &workflow, e) < 0 ||
	    ids_validate_new(request->id, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, e) < 0 ||
	    api_check_project_and_domain(api, call, c, request->id->project, request->id->domain, e) < 0)
		return NULL;
	int stored = registration_create_launch_plan(call, c, request->id, request->spec, &workflow,
	                                             FLYTEIDL__ADMIN__NAMED_ENTITY_STATE__NAMED_ENTITY_ACTIVE, e);
	if (stored == 0)
		registration_identical("launch plan", e);
	return stored == 1 ? &proto_new(call->arena, flyteidl__admin__launch_plan_create_response)->base : NULL;
}

int api_load_launch_plan(struct rpc_call *call, struct database_connection *c, const Flyteidl__Core__Identifier *id,
                         struct api_launch_plan *ret_launch_plan, struct err *e)
{
	struct launch_plan_row row;
	struct entity_key key = registration_key(id);
	int found = launch_plans_get(c, call->arena, &key, &row, e);
	if (found == 0)
		return ids_not_found(call->arena, id, e);
	Flyteidl__Admin__LaunchPlan *launch_plan = found > 0 ? launch_plan_message(call->arena, &row, e) : NULL;
	if (!launch_plan)
		return -1;
	*ret_launch_plan =
	        (struct api_launch_plan){ .id = row.id, .workflow_id = row.workflow_id, .message = launch_plan };
	return 0;
}

static ProtobufCMessage *get_launch_plan(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                         struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	const Flyteidl__Core__Identifier *id =
	        ids_of_request(call->arena, ((const Flyteidl__Admin__ObjectGetRequest *)message)->id,
	                       FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, e);
	struct api_launch_plan found;
	if (!id || api_connect(context, call, &c, e) < 0 || api_load_launch_plan(call, c, id, &found, e) < 0)
		return NULL;
	return &found.message->base;
}

static ProtobufCMessage *get_active_launch_plan(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                                struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	const Flyteidl__Admin__NamedEntityIdentifier *id =
	        ((const Flyteidl__Admin__ActiveLaunchPlanRequest *)message)->id;
	if (ids_validate_named_entity(id, e) < 0 || api_connect(context, call, &c, e) < 0)
		return NULL;
	struct entity_key key = { id->project, id->domain, id->name, "" };
	struct launch_plan_row row;
	int found = launch_plans_get_active(c, call->arena, &key, &row, e);
	if (found == 0)
		err_set(e, ERR_NOT_FOUND, "no-active-launch-plan", "No active launch plan could be found: %s:%s:%s",
		        id->project, id->domain, id->name);
	return found > 0 ? (ProtobufCMessage *)launch_plan_message(call->arena, &row, e) : NULL;
}

static ProtobufCMessage *launch_plan_of_page(struct arena *arena, const void *rows, size_t index, struct err *e)
{
	return (ProtobufCMessage *)launch_plan_message(arena, &((const struct launch_plan_rows *)rows)->rows[index], e);
}

static ProtobufCMessage *answer_list(void *context, struct rpc_call *call, struct list_query *query, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	struct launch_plan_rows rows;
	if (api_connect(context, call, &c, e) < 0 || launch_plans_list(c, query, &rows, e) < 0)
		return NULL;
	return page_message(call->arena, &flyteidl__admin__launch_plan_list__descriptor, query, &rows, rows.count, launch_plan_of_page,
	                    e);
}

static ProtobufCMessage *list_launch_plans(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                           struct err *e)
{
	const Flyteidl__Admin__ResourceListRequest *request = (const Flyteidl__Admin__ResourceListRequest *)message;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	struct list_request list = { .entity = LIST_LAUNCH_PLAN, .rpc = "ListLaunchPlans" };
	if (registration_list_init(&query, call, request, &list, e) < 0)
		return NULL;
	return answer_list(context, call, &query, e);
}

static ProtobufCMessage *list_active_launch_plans(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                                  struct err *e)
{
	const Flyteidl__Admin__ActiveLaunchPlanListRequest *request =
	        (const Flyteidl__Admin__ActiveLaunchPlanListRequest *)message;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	const struct list_request list = { .entity = LIST_LAUNCH_PLAN,
		                           .rpc = "ListActiveLaunchPlans",
		                           .limit = request->limit,
		                           .token = request->token,
		                           .sort_by = request->sort_by };
	if (ids_require(request->project, "project", e) < 0 || ids_require(request->domain, "domain", e) < 0 ||
	    list_init(&query, call->arena, &list, e) < 0)
		return NULL;
	list_within(&query, request->project, request->domain, "");
	list_where(&query, "l.state = 1", DB_NULL);
	return answer_list(context, call, &query, e);
}

static ProtobufCMessage *list_launch_plan_ids(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                              struct err *e)
{
	return registration_list_ids(context, call, (const Flyteidl__Admin__NamedEntityIdentifierListRequest *)message,
	                             "ListLaunchPlanIds", FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, e);
}

static ProtobufCMessage *update_launch_plan(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                            struct err *e)
{
	const Flyteidl__Admin__LaunchPlanUpdateRequest *request =
	        (const Flyteidl__Admin__LaunchPlanUpdateRequest *)message;
	auto_connection struct database_connection *c = NULL;
	const Flyteidl__Core__Identifier *id =
	        ids_of_request(call->arena, request->id, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, e);
	if (!id)
		return NULL;
	if (request->state > FLYTEIDL__ADMIN__LAUNCH_PLAN_STATE__ACTIVE) {
		err_set(e, ERR_INVALID, "invalid-state",
		        "Unrecognized launch plan state %d for update for launch plan [%s]", (int)request->state,
		        ids_text(call->arena, id));
		return NULL;
	}
	struct entity_key key = registration_key(id);
	bool active = request->state == FLYTEIDL__ADMIN__LAUNCH_PLAN_STATE__ACTIVE;
	if (api_connect(context, call, &c, e) < 0)
		return NULL;
	int done = launch_plans_set_state(c, call->arena, &key, active, e);
	if (done == 0)
		ids_not_found(call->arena, id, e);
	return done == 1 ? &proto_new(call->arena, flyteidl__admin__launch_plan_update_response)->base : NULL;
}

struct api_methods api_launch_plan_methods(void)
{
	static const struct rpc_method methods[] = {
		ADMIN_METHOD("CreateLaunchPlan", launch_plan_create_request, launch_plan_create_response,
		             create_launch_plan),
		ADMIN_METHOD("GetLaunchPlan", object_get_request, launch_plan, get_launch_plan),
		ADMIN_METHOD("GetActiveLaunchPlan", active_launch_plan_request, launch_plan, get_active_launch_plan),
		ADMIN_METHOD("ListLaunchPlans", resource_list_request, launch_plan_list, list_launch_plans),
		ADMIN_METHOD("ListActiveLaunchPlans", active_launch_plan_list_request, launch_plan_list,
		             list_active_launch_plans),
		ADMIN_METHOD("ListLaunchPlanIds", named_entity_identifier_list_request, named_entity_identifier_list,
		             list_launch_plan_ids),
		ADMIN_METHOD("UpdateLaunchPlan", launch_plan_update_request, launch_plan_update_response,
		             update_launch_plan),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
