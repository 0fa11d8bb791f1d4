/* AdminService's methods on description entities: what people wrote about one version of a task or workflow. */
#include "controlplane/api/api.h"

#include "controlplane/api/page.h"
#include "controlplane/launch/ids.h"
#include "controlplane/api/registration.h"
#include "controlplane/store/descriptions.h"

/* Parts that were not given are empty messages, not missing ones, as upstream answers. */
static Flyteidl__Admin__DescriptionEntity *description_message(struct arena *arena, const struct description_row *row,
                                                               struct err *e)
{
	Flyteidl__Admin__DescriptionEntity *entity = proto_new(arena, flyteidl__admin__description_entity);
	entity->id = ids_new(arena, (Flyteidl__Core__ResourceType)row->resource_type, row->key.project, row->key.domain,
	                     row->key.name, row->key.version);
	entity->short_description = arena_strdup(arena, row->short_description);
	entity->source_code = proto_new(arena, flyteidl__admin__source_code);
	entity->source_code->link = arena_strdup(arena, row->source_link);
	entity->long_description = proto_unpack(arena, flyteidl__admin__description, row->long_description.data,
	                                        row->long_description.length, e);
	if (!entity->long_description) {
		err_wrap(e, "stored description of \"%s\"", row->key.name);
		return NULL;
	}
	return entity;
}

static ProtobufCMessage *get_description(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                         struct err *e)
{
	const Flyteidl__Core__Identifier *id = ((const Flyteidl__Admin__ObjectGetRequest *)message)->id;
	auto_connection struct database_connection *c = NULL;
	struct description_row row;
	if (!id) {
		ids_require(NULL, "id", e);
		return NULL;
	}
	if (ids_validate_resource_type(id->resource_type, e) < 0 || ids_validate(id, id->resource_type, e) < 0 ||
	    api_connect(context, call, &c, e) < 0)
		return NULL;
	const struct entity_key key = registration_key(id);
	int found = descriptions_get(c, call->arena, id->resource_type, &key, &row, e);
	if (found == 0)
		ids_not_found(call->arena, id, e);
	return found > 0 ? (ProtobufCMessage *)description_message(call->arena, &row, e) : NULL;
}

static ProtobufCMessage *description_of_page(struct arena *arena, const void *rows, size_t index, struct err *e)
{
	return (ProtobufCMessage *)description_message(arena, &((const struct description_rows *)rows)->rows[index], e);
}

static ProtobufCMessage *list_descriptions(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                           struct err *e)
{
	const Flyteidl__Admin__DescriptionEntityListRequest *r =
	        (const Flyteidl__Admin__DescriptionEntityListRequest *)message;
	auto_connection struct database_connection *c = NULL;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	const struct list_request list = { .entity = LIST_DESCRIPTION,
		                           .rpc = "ListDescriptionEntities",
		                           .limit = r->limit,
		                           .token = r->token,
		                           .filters = r->filters,
		                           .sort_by = r->sort_by };
	struct description_rows rows;
	if (ids_validate_named_entity(r->id, e) < 0 || ids_validate_resource_type(r->resource_type, e) < 0 ||
	    list_init(&query, call->arena, &list, e) < 0)
		return NULL;
	list_where(&query, "de.resource_type = ?", DB_INT(r->resource_type));
	list_within(&query, r->id->project, r->id->domain, r->id->name);
	if (api_connect(context, call, &c, e) < 0 || descriptions_list(c, &query, &rows, e) < 0)
		return NULL;
	return page_message(call->arena, &flyteidl__admin__description_entity_list__descriptor, &query, &rows, rows.count, description_of_page,
	                    e);
}

struct api_methods api_description_methods(void)
{
	static const struct rpc_method methods[] = {
		ADMIN_METHOD("GetDescriptionEntity", object_get_request, description_entity, get_description),
		ADMIN_METHOD("ListDescriptionEntities", description_entity_list_request, description_entity_list,
		             list_descriptions),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
