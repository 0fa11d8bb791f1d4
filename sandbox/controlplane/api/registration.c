#include "controlplane/api/registration.h"

#include "base/text.h"
#include "controlplane/api/page.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/list.h"
#include "controlplane/store/named_entities.h"
#include "proto/diff.h"

#include <string.h>

struct entity_key registration_key(const Flyteidl__Core__Identifier *id)
{
	return (struct entity_key){ id->project, id->domain, id->name, id->version };
}

struct proto_bytes registration_digest(struct arena *arena, ProtobufCMessage *content)
{
	uint8_t *digest = arena_alloc(arena, PROTO_DIGEST_SIZE);
	proto_digest(arena, content, digest);
	return (struct proto_bytes){ .data = digest, .length = PROTO_DIGEST_SIZE };
}

struct entity_description registration_description(struct arena *arena,
                                                   const Flyteidl__Admin__DescriptionEntity *description)
{
	struct entity_description kept = { .source_link = "" };
	if (!description)
		return kept;
	kept.given = true;
	if (description->long_description)
		kept.long_description = proto_pack(arena, &description->long_description->base);
	if (description->source_code)
		kept.source_link = description->source_code->link;
	return kept;
}

bool registration_same(struct proto_bytes a, struct proto_bytes b)
{
	return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

int registration_identical(const char *entity, struct err *e)
{
	return err_set(e, ERR_EXISTS, "identical-structure", "%s with identical structure already exists", entity);
}

int registration_different(struct arena *arena, const char *entity, const char *name, ProtobufCMessage *old_content,
                           ProtobufCMessage *new_content, struct err *e)
{
	return err_set(e, ERR_INVALID, "different-structure",
	               "%s %s with different structure already exists. (Please register a new version of the %s):\n%s",
	               name, entity, entity, proto_diff(arena, old_content, new_content));
}

int registration_list_init(struct list_query *query, struct rpc_call *call,
                           const Flyteidl__Admin__ResourceListRequest *request, struct list_request *list,
                           struct err *e)
{
	if (!request->id)
		return ids_require(NULL, "id", e);
	if (ids_require(request->id->project, "project", e) < 0 || ids_require(request->id->domain, "domain", e) < 0)
		return -1;
	list->limit = request->limit;
	list->token = request->token;
	list->filters = request->filters;
	list->sort_by = request->sort_by;
	if (list_init(query, call->arena, list, e) < 0)
		return -1;
	list_within(query, request->id->project, request->id->domain, request->id->name);
	return 0;
}

static ProtobufCMessage *id_of_page(struct arena *arena, const void *rows, size_t index, struct err *e)
{
	(void)e;
	const struct named_entity_row *row = &((const struct named_entity_rows *)rows)->rows[index];
	Flyteidl__Admin__NamedEntityIdentifier *id = proto_new(arena, flyteidl__admin__named_entity_identifier);
	id->project = arena_strdup(arena, row->project);
	id->domain = arena_strdup(arena, row->domain);
	id->name = arena_strdup(arena, row->name);
	return &id->base;
}

ProtobufCMessage *registration_list_ids(struct api *api, struct rpc_call *call,
                                        const Flyteidl__Admin__NamedEntityIdentifierListRequest *request,
                                        const char *rpc, Flyteidl__Core__ResourceType type, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	const struct list_request list = { .entity = LIST_NAMED_ENTITY,
		                           .rpc = rpc,
		                           .limit = request->limit,
		                           .token = request->token,
		                           .filters = request->filters,
		                           .sort_by = request->sort_by };
	if (ids_require(request->project, "project", e) < 0 || ids_require(request->domain, "domain", e) < 0 ||
	    list_init(&query, call->arena, &list, e) < 0)
		return NULL;
	list_where(&query, "nen.resource_type = ?", DB_INT(type));
	list_within(&query, request->project, request->domain, "");
	struct named_entity_rows rows;
	if (api_connect(api, call, &c, e) < 0 || named_entities_list(c, &query, &rows, e) < 0)
		return NULL;
	return page_message(call->arena, &flyteidl__admin__named_entity_identifier_list__descriptor, &query, &rows, rows.count,
	                    id_of_page, e);
}
