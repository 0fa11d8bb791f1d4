/* AdminService's methods on named entities: description and state of all versions of a task, workflow or launch plan.
 */
#include "controlplane/api/api.h"

#include "base/text.h"
#include "controlplane/api/page.h"
#include "controlplane/api/registration.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/named_entities.h"

static Flyteidl__Admin__NamedEntity *entity_message(struct arena *arena, const struct named_entity_row *row)
{
	Flyteidl__Admin__NamedEntity *entity = proto_new(arena, flyteidl__admin__named_entity);
	entity->resource_type = (Flyteidl__Core__ResourceType)row->resource_type;
	entity->id = proto_new(arena, flyteidl__admin__named_entity_identifier);
	entity->id->project = arena_strdup(arena, row->project);
	entity->id->domain = arena_strdup(arena, row->domain);
	entity->id->name = arena_strdup(arena, row->name);
	entity->metadata = proto_new(arena, flyteidl__admin__named_entity_metadata);
	entity->metadata->description = arena_strdup(arena, row->description);
	entity->metadata->state = (Flyteidl__Admin__NamedEntityState)row->state;
	return entity;
}

static int missing(struct rpc_call *call, Flyteidl__Core__ResourceType type,
                   const Flyteidl__Admin__NamedEntityIdentifier *id, struct err *e)
{
	return ids_not_found(call->arena, ids_new(call->arena, type, id->project, id->domain, id->name, ""), e);
}

static ProtobufCMessage *get_named_entity(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                          struct err *e)
{
	const Flyteidl__Admin__NamedEntityGetRequest *request = (const Flyteidl__Admin__NamedEntityGetRequest *)message;
	auto_connection struct database_connection *c = NULL;
	if (ids_validate_resource_type(request->resource_type, e) < 0 ||
	    ids_validate_named_entity(request->id, e) < 0 || api_connect(context, call, &c, e) < 0)
		return NULL;
	struct named_entity_row key = { .resource_type = request->resource_type,
		                        .project = request->id->project,
		                        .domain = request->id->domain,
		                        .name = request->id->name },
	                        row;
	int found = named_entities_get(c, call->arena, &key, &row, e);
	if (found == 0)
		missing(call, request->resource_type, request->id, e);
	return found > 0 ? &entity_message(call->arena, &row)->base : NULL;
}

static ProtobufCMessage *update_named_entity(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                             struct err *e)
{
	const Flyteidl__Admin__NamedEntityUpdateRequest *request =
	        (const Flyteidl__Admin__NamedEntityUpdateRequest *)message;
	auto_connection struct database_connection *c = NULL;
	if (ids_validate_resource_type(request->resource_type, e) < 0 || ids_validate_named_entity(request->id, e) < 0)
		return NULL;
	if (!request->metadata) {
		ids_require(NULL, "metadata", e);
		return NULL;
	}
	if (request->metadata->state > FLYTEIDL__ADMIN__NAMED_ENTITY_STATE__SYSTEM_GENERATED) {
		err_set(e, ERR_INVALID, "invalid-state", "invalid value for state");
		return NULL;
	}
	if (request->metadata->state != FLYTEIDL__ADMIN__NAMED_ENTITY_STATE__NAMED_ENTITY_ACTIVE &&
	    request->resource_type > FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN) {
		err_set(e, ERR_INVALID, "invalid-resource-type", "Resource [DATASET] cannot have its state updated");
		return NULL;
	}
	struct named_entity_row row = { .resource_type = request->resource_type,
		                        .project = request->id->project,
		                        .domain = request->id->domain,
		                        .name = request->id->name,
		                        .description = request->metadata->description,
		                        .state = request->metadata->state };
	if (api_connect(context, call, &c, e) < 0)
		return NULL;
	int done = named_entities_update(c, &row, e);
	if (done == 0)
		missing(call, request->resource_type, request->id, e);
	return done > 0 ? &proto_new(call->arena, flyteidl__admin__named_entity_update_response)->base : NULL;
}

static ProtobufCMessage *entity_of_page(struct arena *arena, const void *rows, size_t index, struct err *e)
{
	(void)e;
	return &entity_message(arena, &((const struct named_entity_rows *)rows)->rows[index])->base;
}

static ProtobufCMessage *list_named_entities(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                             struct err *e)
{
	const Flyteidl__Admin__NamedEntityListRequest *request =
	        (const Flyteidl__Admin__NamedEntityListRequest *)message;
	auto_connection struct database_connection *c = NULL;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	/* Generated entities are hidden from whoever does not filter by himself. */
	const char *filters = text_is_empty(request->filters) ? "not_like(name,.flytegen%)" : request->filters;
	const struct list_request list = { .entity = LIST_NAMED_ENTITY,
		                           .rpc = "ListNamedEntities",
		                           .limit = request->limit,
		                           .token = request->token,
		                           .filters = filters,
		                           .sort_by = request->sort_by };
	if (ids_require(request->project, "project", e) < 0 || ids_require(request->domain, "domain", e) < 0 ||
	    ids_validate_resource_type(request->resource_type, e) < 0 || list_init(&query, call->arena, &list, e) < 0)
		return NULL;
	list_where(&query, "nen.resource_type = ?", DB_INT(request->resource_type));
	list_within(&query, request->project, request->domain, "");
	struct named_entity_rows rows;
	if (api_connect(context, call, &c, e) < 0 || named_entities_list(c, &query, &rows, e) < 0)
		return NULL;
	return page_message(call->arena, &flyteidl__admin__named_entity_list__descriptor, &query, &rows, rows.count, entity_of_page,
	                    e);
}

struct api_methods api_named_entity_methods(void)
{
	static const struct rpc_method methods[] = {
		ADMIN_METHOD("GetNamedEntity", named_entity_get_request, named_entity, get_named_entity),
		ADMIN_METHOD("ListNamedEntities", named_entity_list_request, named_entity_list, list_named_entities),
		ADMIN_METHOD("UpdateNamedEntity", named_entity_update_request, named_entity_update_response,
		             update_named_entity),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
