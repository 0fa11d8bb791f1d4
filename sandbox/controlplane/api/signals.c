/*
 * SignalService: what users tell the gates of an execution. A signal exists from when the engine reaches its gate (or a
 * client has asked for it to be made), and only a value of its type is taken. Texts: flyteadmin at v1.16.8
 * (pkg/manager/impl/validation/signal_validator.go).
 */
#include "controlplane/api/api.h"

#include "base/text.h"
#include "controlplane/api/page.h"
#include "controlplane/compiler/types.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/signals.h"

#include "flyteidl/admin/signal.pb-c.h"

static int key_of(const Flyteidl__Core__SignalIdentifier *id, struct signal_key *ret_key, struct err *e)
{
	if (!id)
		return err_set(e, ERR_INVALID, NULL, "missing id");
	if (!id->execution_id)
		return err_set(e, ERR_INVALID, NULL, "missing execution_id");
	if (ids_require(id->signal_id, "signal_id", e) < 0 || ids_validate_execution(id->execution_id, e) < 0)
		return -1;
	*ret_key = (struct signal_key){ id->execution_id->project, id->execution_id->domain, id->execution_id->name,
		                        id->signal_id };
	return 0;
}

static Flyteidl__Admin__Signal *message_of(struct arena *arena, const struct signal_row *row, struct err *e)
{
	Flyteidl__Admin__Signal *signal = proto_new(arena, flyteidl__admin__signal);
	signal->id = proto_new(arena, flyteidl__core__signal_identifier);
	signal->id->signal_id = arena_strdup(arena, row->signal_id);
	signal->id->execution_id = ids_new_execution(arena, row->project, row->domain, row->execution_name);
	signal->type = proto_unpack(arena, flyteidl__core__literal_type, row->type.data, row->type.length, e);
	if (!signal->type)
		return NULL;
	if (!row->value.data)
		return signal;
	signal->value = proto_unpack(arena, flyteidl__core__literal, row->value.data, row->value.length, e);
	return signal->value ? signal : NULL;
}

static ProtobufCMessage *signal_get_or_create(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                              struct err *e)
{
	struct api *api = context;
	const Flyteidl__Admin__SignalGetOrCreateRequest *r = (const Flyteidl__Admin__SignalGetOrCreateRequest *)message;
	struct database_connection *c auto_connection = NULL;
	struct signal_key key;
	struct signal_row row;
	if (key_of(r->id, &key, e) < 0)
		return NULL;
	if (!r->type) {
		err_set(e, ERR_INVALID, NULL, "missing type");
		return NULL;
	}
	if (api_connect(api, call, &c, e) < 0 ||
	    signals_get_or_create(c, call->arena, &key, proto_pack(call->arena, &r->type->base), &row, e) < 0)
		return NULL;
	return (ProtobufCMessage *)message_of(call->arena, &row, e);
}

static int check_value(struct rpc_call *call, struct database_connection *c, const struct signal_key *key,
                       const Flyteidl__Core__Literal *value, struct err *e)
{
	struct signal_row row;
	if (signals_get(c, call->arena, key, &row, e) < 0) {
		if (e->kind != ERR_NOT_FOUND)
			return -1;
		e->kind = ERR_INVALID;
		return err_wrap(e, "failed to validate that signal [{{%s %s %s} %s}] exists, err", key->project,
		                key->domain, key->execution_name, key->signal_id);
	}
	const Flyteidl__Core__LiteralType *type =
	        proto_unpack(call->arena, flyteidl__core__literal_type, row.type.data, row.type.length, e);
	if (!type)
		return -1;
	if (types_accept_literal(type, value))
		return 0;
	const Flyteidl__Core__LiteralType *given = types_of_literal(call->arena, value);
	return err_set(e, ERR_INVALID, NULL, "requested signal value [%s] is not castable to existing signal type [%s]",
	               given ? types_describe_in(call->arena, given) : "nothing", types_describe_in(call->arena, type));
}

static ProtobufCMessage *signal_set(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                    struct err *e)
{
	struct api *api = context;
	const Flyteidl__Admin__SignalSetRequest *r = (const Flyteidl__Admin__SignalSetRequest *)message;
	struct database_connection *c auto_connection = NULL;
	struct signal_key key;
	if (key_of(r->id, &key, e) < 0)
		return NULL;
	if (!r->value) {
		err_set(e, ERR_INVALID, NULL, "missing value");
		return NULL;
	}
	if (api_connect(api, call, &c, e) < 0 || check_value(call, c, &key, r->value, e) < 0 ||
	    signals_set(c, call->arena, &key, proto_pack(call->arena, &r->value->base), e) < 0)
		return NULL;
	return (ProtobufCMessage *)proto_new(call->arena, flyteidl__admin__signal_set_response);
}

static ProtobufCMessage *signal_of_page(struct arena *arena, const void *rows, size_t index, struct err *e)
{
	return (ProtobufCMessage *)message_of(arena, &((const struct signal_rows *)rows)->rows[index], e);
}

static ProtobufCMessage *signal_list(void *context, struct rpc_call *call, const ProtobufCMessage *message,
                                     struct err *e)
{
	struct api *api = context;
	const Flyteidl__Admin__SignalListRequest *r = (const Flyteidl__Admin__SignalListRequest *)message;
	const Flyteidl__Core__WorkflowExecutionIdentifier *id = r->workflow_execution_id;
	struct database_connection *c auto_connection = NULL;
	struct list_query query auto_list_query = LIST_QUERY_INIT;
	struct list_request request = { .entity = LIST_SIGNAL,
		                        .rpc = "ListSignals",
		                        .limit = r->limit,
		                        .token = r->token,
		                        .filters = r->filters,
		                        .sort_by = r->sort_by };
	struct signal_rows rows;
	if (ids_validate_execution(id, e) < 0) {
		err_set(e, ERR_INVALID, NULL, "missing execution_id");
		return NULL;
	}
	if (list_init(&query, call->arena, &request, e) < 0 || api_connect(api, call, &c, e) < 0)
		return NULL;
	list_within(&query, id->project, id->domain, id->name);
	if (signals_list(c, &query, &rows, e) < 0)
		return NULL;
	return page_message(call->arena, &flyteidl__admin__signal_list__descriptor, &query, &rows, rows.count, signal_of_page, e);
}

#define SIGNAL_METHOD(name, input, output, function)                                                                   \
	{                                                                                                              \
		.path = "/flyteidl.service.SignalService/" name, .request = &flyteidl__admin__##input##__descriptor,   \
		.response = &flyteidl__admin__##output##__descriptor, .handler = function                              \
	}

struct api_methods api_signal_methods(void)
{
	static const struct rpc_method methods[] = {
		SIGNAL_METHOD("GetOrCreateSignal", signal_get_or_create_request, signal, signal_get_or_create),
		SIGNAL_METHOD("ListSignals", signal_list_request, signal_list, signal_list),
		SIGNAL_METHOD("SetSignal", signal_set_request, signal_set_response, signal_set),
	};
	return (struct api_methods){ .methods = methods, .count = ARRAY_LENGTH(methods) };
}
