/*
 * AdminService's methods on matchable attributes. The nine of them are three operations at three levels; a level only
 * decides which names a request has to carry and how its project is looked up.
 *
 * Better than upstream (v1.16.8): quality of service can be set like the other types, plugin overrides can be set for a
 * whole project, and deleting a project's attributes leaves those of its domains and workflows alone.
 */
#include "controlplane/api/matchable_attributes.h"

#include "base/text.h"
#include "controlplane/api/api.h"
#include "controlplane/launch/execution_config.h"
#include "controlplane/launch/ids.h"
#include "controlplane/api/registration.h"
#include "controlplane/store/matchable_attributes.h"
#include "controlplane/store/projects.h"

#include "flyteidl/admin/project_attributes.pb-c.h"
#include "flyteidl/admin/project_domain_attributes.pb-c.h"
#include "flyteidl/admin/workflow_attributes.pb-c.h"

#define ATTRIBUTES_MAXIMUM ((size_t)1024 * 1024)

enum level { LEVEL_PROJECT, LEVEL_DOMAIN, LEVEL_WORKFLOW };

static int check_project(struct rpc_call *call, struct database_connection *c, const char *project, bool for_update,
                         struct err *e)
{
	struct project_row row;
	int found = projects_get(c, call->arena, project, &row, e);
	if (found < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_INVALID, "unknown-project",
		               "failed to validate that project [%s] %s, err: [project [%s] not found]", project,
		               for_update ? "is registered" : "exists", project);
	if (for_update && row.state != FLYTEIDL__ADMIN__PROJECT__PROJECT_STATE__ACTIVE)
		return err_set(e, ERR_INVALID, "inactive-project", "project [%s] is not active", project);
	return 0;
}

static int check_place(struct api *api, struct rpc_call *call, struct database_connection *c, enum level level,
                       const struct matchable_scope *scope, bool for_update, struct err *e)
{
	if (level == LEVEL_PROJECT)
		return check_project(call, c, scope->project, for_update, e);
	if (api_check_project_and_domain(api, call, c, scope->project, scope->domain, e) < 0)
		return -1;
	return level == LEVEL_WORKFLOW ? ids_require(scope->workflow, "name", e) : 0;
}

static const char *place_text(struct arena *arena, enum level level, const struct matchable_scope *scope)
{
	if (level == LEVEL_PROJECT)
		return scope->project;
	return level == LEVEL_DOMAIN
	               ? arena_printf(arena, "%s-%s", scope->project, scope->domain)
	               : arena_printf(arena, "%s-%s-%s", scope->project, scope->domain, scope->workflow);
}

static const char *type_text(struct arena *arena, Flyteidl__Admin__MatchableResource type)
{
	const ProtobufCEnumValue *value =
	        protobuf_c_enum_descriptor_get_value(&flyteidl__admin__matchable_resource__descriptor, (int)type);
	return value ? value->name : arena_printf(arena, "%d", (int)type);
}

/* ---- Update ---- */

static int put_plugins(struct rpc_call *call, struct database_connection *c, const struct matchable_scope *scope,
                       const Flyteidl__Admin__MatchingAttributes *update, struct err *e)
{
	const int64_t type = FLYTEIDL__ADMIN__MATCHABLE_RESOURCE__PLUGIN_OVERRIDE;
	struct proto_bytes stored;
	if (database_begin(c, e) < 0 || matchable_lock(c, call->arena, type, scope, &stored, e) < 0)
		return -1;
	const Flyteidl__Admin__MatchingAttributes *existing = proto_unpack(
	        call->arena, flyteidl__admin__matching_attributes, stored.data, stored.length, e);
	if (!existing)
		return err_wrap(e, "stored plugin overrides");
	const Flyteidl__Admin__MatchingAttributes *merged =
	        matchable_attributes_merge_plugins(call->arena, existing, update);
	if (matchable_put(c, type, scope, proto_pack(call->arena, &merged->base), e) < 0)
		return -1;
	return database_commit(c, e);
}

static int update(struct api *api, struct rpc_call *call, enum level level, const struct matchable_scope *scope,
                  const Flyteidl__Admin__MatchingAttributes *attributes, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	Flyteidl__Admin__MatchableResource type;
	if (api_connect(api, call, &c, e) < 0 || check_place(api, call, c, level, scope, true, e) < 0 ||
	    matchable_attributes_validate(attributes, place_text(call->arena, level, scope), e) < 0)
		return -1;
	if (!matchable_attributes_type(attributes, &type))
		return err_set(e, ERR_INTERNAL, NULL, "attributes without a type are valid");
	if (protobuf_c_message_get_packed_size(&attributes->base) > ATTRIBUTES_MAXIMUM)
		return err_set(e, ERR_INVALID, "attributes-too-large",
		               "matching_attributes are larger than the maximum (%zu bytes)", ATTRIBUTES_MAXIMUM);
	if (type == FLYTEIDL__ADMIN__MATCHABLE_RESOURCE__PLUGIN_OVERRIDE)
		return put_plugins(call, c, scope, attributes, e);
	return matchable_put(c, (int64_t)type, scope, proto_pack(call->arena, &attributes->base), e);
}

#define UPDATE_HANDLER(function, level, prefix, request_type, ...)                                                     \
	static ProtobufCMessage *function(void *context, struct rpc_call *call, const ProtobufCMessage *message,       \
	                                  struct err *e)                                                               \
	{                                                                                                              \
		const __typeof__(((const request_type *)message)->attributes) attributes =                             \
		        ((const request_type *)message)->attributes;                                                   \
		if (!attributes) {                                                                                     \
			ids_require(NULL, "attributes", e);                                                            \
			return NULL;                                                                                   \
		}                                                                                                      \
		const struct matchable_scope scope = { .project = attributes->project, __VA_ARGS__ };                  \
		if (update(context, call, level, &scope, attributes->matching_attributes, e) < 0)                      \
			return NULL;                                                                                   \
		return &proto_new(call->arena, prefix##_update_response)->base;                                        \
	}

UPDATE_HANDLER(update_project_attributes, LEVEL_PROJECT, flyteidl__admin__project_attributes,
               Flyteidl__Admin__ProjectAttributesUpdateRequest)
UPDATE_HANDLER(update_project_domain_attributes, LEVEL_DOMAIN, flyteidl__admin__project_domain_attributes,
               Flyteidl__Admin__ProjectDomainAttributesUpdateRequest, .domain = attributes->domain)
UPDATE_HANDLER(update_workflow_attributes, LEVEL_WORKFLOW, flyteidl__admin__workflow_attributes,
               Flyteidl__Admin__WorkflowAttributesUpdateRequest, .domain = attributes->domain,
               .workflow = attributes->workflow)

/* ---- Get ---- */

static Flyteidl__Admin__MatchingAttributes *read_attributes(struct rpc_call *call, const struct matchable_row *row,
                                                            struct err *e)
{
	Flyteidl__Admin__MatchingAttributes *attributes =
	        proto_unpack(call->arena, flyteidl__admin__matching_attributes, row->attributes.data,
	                     row->attributes.length, e);
	if (!attributes)
		err_wrap(e, "stored attributes of project %s", row->scope.project);
	return attributes;
}

/* Of the project alone; of the others whatever is the most specific that applies there, and where it was found. */
static int find(struct api *api, struct rpc_call *call, enum level level, const struct matchable_scope *scope,
                Flyteidl__Admin__MatchableResource type, struct matchable_row *ret_row, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	if (api_connect(api, call, &c, e) < 0 || check_place(api, call, c, level, scope, false, e) < 0)
		return -1;
	return level == LEVEL_PROJECT ? matchable_get(c, call->arena, (int64_t)type, scope, ret_row, e)
	                              : matchable_find(c, call->arena, (int64_t)type, scope, ret_row, e);
}

static int not_found(struct rpc_call *call, const struct matchable_scope *scope,
                     Flyteidl__Admin__MatchableResource type, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "no-attributes",
	               "Resource [{Project:%s Domain:%s Workflow:%s LaunchPlan: ResourceType:%s}] not found",
	               scope->project, scope->domain ? scope->domain : "", scope->workflow ? scope->workflow : "",
	               type_text(call->arena, type));
}

/* What the console shows as a project's execution settings: what was set, completed by what the platform does. */
static Flyteidl__Admin__MatchingAttributes *effective_execution_config(struct api *api, struct rpc_call *call,
                                                                       const Flyteidl__Admin__MatchingAttributes *set)
{
	auto_settings const struct settings *settings = settings_current(api->settings);
	const Flyteidl__Admin__WorkflowExecutionConfig *platform = execution_config_of_platform(call->arena, settings);
	Flyteidl__Admin__MatchingAttributes *attributes =
	        proto_new(call->arena, flyteidl__admin__matching_attributes);
	attributes->target_case = FLYTEIDL__ADMIN__MATCHING_ATTRIBUTES__TARGET_WORKFLOW_EXECUTION_CONFIG;
	attributes->workflow_execution_config =
	        execution_config_effective(call->arena, set ? set->workflow_execution_config : NULL, platform);
	return attributes;
}

static ProtobufCMessage *get_project_attributes(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                                struct err *e)
{
	const Flyteidl__Admin__ProjectAttributesGetRequest *request =
	        (const Flyteidl__Admin__ProjectAttributesGetRequest *)message;
	const struct matchable_scope scope = { .project = request->project };
	bool is_config = request->resource_type == FLYTEIDL__ADMIN__MATCHABLE_RESOURCE__WORKFLOW_EXECUTION_CONFIG;
	Flyteidl__Admin__MatchingAttributes *attributes = NULL;
	struct matchable_row row;
	int found = find(context, call, LEVEL_PROJECT, &scope, request->resource_type, &row, e);
	if (found == 0 && !is_config)
		found = not_found(call, &scope, request->resource_type, e);
	if (found < 0 || (found && !(attributes = read_attributes(call, &row, e))))
		return NULL;
	Flyteidl__Admin__ProjectAttributesGetResponse *response =
	        proto_new(call->arena, flyteidl__admin__project_attributes_get_response);
	response->attributes = proto_new(call->arena, flyteidl__admin__project_attributes);
	response->attributes->project = arena_strdup(call->arena, request->project);
	response->attributes->matching_attributes =
	        is_config ? effective_execution_config(context, call, attributes) : attributes;
	return &response->base;
}

static ProtobufCMessage *get_project_domain_attributes(void *context, struct rpc_call *call,
                                                       const ProtobufCMessage *message, struct err *e)
{
	const Flyteidl__Admin__ProjectDomainAttributesGetRequest *request =
	        (const Flyteidl__Admin__ProjectDomainAttributesGetRequest *)message;
	const struct matchable_scope scope = { .project = request->project, .domain = request->domain };
	struct matchable_row row;
	int found = find(context, call, LEVEL_DOMAIN, &scope, request->resource_type, &row, e);
	if (found == 0)
		not_found(call, &scope, request->resource_type, e);
	if (found <= 0)
		return NULL;
	Flyteidl__Admin__ProjectDomainAttributesGetResponse *response =
	        proto_new(call->arena, flyteidl__admin__project_domain_attributes_get_response);
	response->attributes = proto_new(call->arena, flyteidl__admin__project_domain_attributes);
	response->attributes->project = arena_strdup(call->arena, row.scope.project);
	response->attributes->domain = arena_strdup(call->arena, row.scope.domain);
	response->attributes->matching_attributes = read_attributes(call, &row, e);
	return response->attributes->matching_attributes ? &response->base : NULL;
}

static ProtobufCMessage *get_workflow_attributes(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                                 struct err *e)
{
	const Flyteidl__Admin__WorkflowAttributesGetRequest *request =
	        (const Flyteidl__Admin__WorkflowAttributesGetRequest *)message;
	const struct matchable_scope scope = { .project = request->project,
		                               .domain = request->domain,
		                               .workflow = request->workflow };
	struct matchable_row row;
	int found = find(context, call, LEVEL_WORKFLOW, &scope, request->resource_type, &row, e);
	if (found == 0)
		not_found(call, &scope, request->resource_type, e);
	if (found <= 0)
		return NULL;
	Flyteidl__Admin__WorkflowAttributesGetResponse *response =
	        proto_new(call->arena, flyteidl__admin__workflow_attributes_get_response);
	response->attributes = proto_new(call->arena, flyteidl__admin__workflow_attributes);
	response->attributes->project = arena_strdup(call->arena, row.scope.project);
	response->attributes->domain = arena_strdup(call->arena, row.scope.domain);
	response->attributes->workflow = arena_strdup(call->arena, row.scope.workflow);
	response->attributes->matching_attributes = read_attributes(call, &row, e);
	return response->attributes->matching_attributes ? &response->base : NULL;
}

static ProtobufCMessage *list_matchable_attributes(void *context, struct rpc_call *call,
                                                   const ProtobufCMessage *message, struct err *e)
{
	const Flyteidl__Admin__MatchableResource type =
	        ((const Flyteidl__Admin__ListMatchableAttributesRequest *)message)->resource_type;
	auto_connection struct database_connection *c = NULL;
	struct matchable_rows rows;
	if (!protobuf_c_enum_descriptor_get_value(&flyteidl__admin__matchable_resource__descriptor, (int)type)) {
		err_set(e, ERR_INVALID, "invalid-resource-type", "invalid value for resource_type");
		return NULL;
	}
	if (api_connect(context, call, &c, e) < 0 || matchable_list(c, call->arena, (int64_t)type, &rows, e) < 0)
		return NULL;
	Flyteidl__Admin__ListMatchableAttributesResponse *response =
	        proto_new(call->arena, flyteidl__admin__list_matchable_attributes_response);
	response->configurations =
	        arena_array(call->arena, Flyteidl__Admin__MatchableAttributesConfiguration *, rows.count);
	response->n_configurations = rows.count;
	for (size_t i = 0; i < rows.count; i++) {
		const struct matchable_row *row = &rows.rows[i];
		Flyteidl__Admin__MatchableAttributesConfiguration *one =
		        proto_new(call->arena, flyteidl__admin__matchable_attributes_configuration);
		one->project = arena_strdup(call->arena, row->scope.project);
		one->domain = arena_strdup(call->arena, row->scope.domain);
		one->workflow = arena_strdup(call->arena, row->scope.workflow);
		one->launch_plan = arena_strdup(call->arena, row->scope.launch_plan);
		if (!(one->attributes = read_attributes(call, row, e)))
			return NULL;
		response->configurations[i] = one;
	}
	return &response->base;
}

/* ---- Delete ---- */

/* What is not there is deleted already. */
static int delete(struct api *api, struct rpc_call *call, enum level level, const struct matchable_scope *scope,
                  Flyteidl__Admin__MatchableResource type, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	if (api_connect(api, call, &c, e) < 0 || check_place(api, call, c, level, scope, true, e) < 0)
		return -1;
	return matchable_delete(c, (int64_t)type, scope, e) < 0 ? -1 : 0;
}

#define DELETE_HANDLER(function, level, prefix, request_type, ...)                                                     \
	static ProtobufCMessage *function(void *context, struct rpc_call *call, const ProtobufCMessage *message,       \
	                                  struct err *e)                                                               \
	{                                                                                                              \
		const request_type *request = (const request_type *)message;                                           \
		const struct matchable_scope scope = { .project = request->project, __VA_ARGS__ };                     \
		if (delete (context, call, level, &scope, request->resource_type, e) < 0)                              \
			return NULL;                                                                                   \
		return &proto_new(call->arena, prefix##_delete_response)->base;                                        \
	}

DELETE_HANDLER(delete_project_attributes, LEVEL_PROJECT, flyteidl__admin__project_attributes,
               Flyteidl__Admin__ProjectAttributesDeleteRequest)
DELETE_HANDLER(delete_project_domain_attributes, LEVEL_DOMAIN, flyteidl__admin__project_domain_attributes,
               Flyteidl__Admin__ProjectDomainAttributesDeleteRequest, .domain = request->domain)
DELETE_HANDLER(delete_workflow_attributes, LEVEL_WORKFLOW, flyteidl__admin__workflow_attributes,
               Flyteidl__Admin__WorkflowAttributesDeleteRequest, .domain = request->domain,
               .workflow = request->workflow)

#define ATTRIBUTE_METHODS(level, prefix, suffix)                                                                       \
	ADMIN_METHOD("Update" level, prefix##_update_request, prefix##_update_response, update_##suffix),              \
	        ADMIN_METHOD("Get" level, prefix##_get_request, prefix##_get_response, get_##suffix),                  \
	        ADMIN_METHOD("Delete" level, prefix##_delete_request, prefix##_delete_response, delete_##suffix)

struct api_methods api_matchable_attributes_methods(void)
{
	static const struct rpc_method methods[] = {
		ATTRIBUTE_METHODS("ProjectAttributes", project_attributes, project_attributes),
		ATTRIBUTE_METHODS("ProjectDomainAttributes", project_domain_attributes, project_domain_attributes),
		ATTRIBUTE_METHODS("WorkflowAttributes", workflow_attributes, workflow_attributes),
		ADMIN_METHOD("ListMatchableAttributes", list_matchable_attributes_request,
		             list_matchable_attributes_response, list_matchable_attributes),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
