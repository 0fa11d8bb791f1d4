#include "rpc/gateway.h"

#include "base/text.h"
#include "proto/json.h"
#include "rpc/descriptors.h"
#include "rpc/gzip.h"
#include "rpc/invoke.h"
#include "rpc/router.h"

#include <google/api/http.pb-c.h>
#include <string.h>
#include <strings.h>

/* google.api.http, an extension of MethodOptions (google/api/annotations.proto). */
#define HTTP_EXTENSION 72295728
#define DESCRIPTOR_ARENA_MAXIMUM ((size_t)64 * 1024 * 1024)
#define JSON_EXPANSION 4

struct gateway_route {
	const char *http_method; /* static */
	struct path_template template;
	char *body; /* "", "*" or a field */
	struct rpc_route target;
	char *target_path; /* owned; target.path points here */
};

struct gateway {
	struct gateway_route *routes; /* the more specific ones first */
	size_t count;
};

struct gateway_match {
	const struct gateway_route *route;
	struct path_values values;
};

struct gateway *gateway_free(struct gateway *gateway)
{
	if (!gateway)
		return NULL;
	for (size_t i = 0; i < gateway->count; i++) {
		path_template_release(&gateway->routes[i].template);
		free(gateway->routes[i].body);
		free(gateway->routes[i].target_path);
	}
	free(gateway->routes);
	free(gateway);
	return NULL;
}

struct builder {
	struct gateway *gateway;
	const struct rpc_router *router;
	const struct rpc_service *services;
	size_t service_count;
};

static int add_rule(struct builder *b, const char *target_path, const Google__Api__HttpRule *rule, struct err *e)
{
	const char *http_method, *pattern;
	switch (rule->pattern_case) {
	case GOOGLE__API__HTTP_RULE__PATTERN_GET:
		http_method = "GET", pattern = rule->get;
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_PUT:
		http_method = "PUT", pattern = rule->put;
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_POST:
		http_method = "POST", pattern = rule->post;
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_DELETE:
		http_method = "DELETE", pattern = rule->delete_;
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_PATCH:
		http_method = "PATCH", pattern = rule->patch;
		break;
	default:
		return 0;
	}
	struct gateway_route route = { .http_method = http_method };
	if (path_template_parse(pattern, &route.template, e) < 0)
		return err_wrap(e, "%s", target_path);
	route.body = xstrdup(rule->body);
	route.target_path = xstrdup(target_path);
	const struct rpc_route *found = rpc_router_find(b->router, target_path);
	route.target = found ? *found : (struct rpc_route){ 0 };
	route.target.path = route.target_path;
	struct gateway *g = b->gateway;
	g->routes = xreallocarray(g->routes, g->count + 1, sizeof(*g->routes));
	size_t at = g->count++;
	for (; at > 0 && path_template_compare(&route.template, &g->routes[at - 1].template) < 0; at--)
		g->routes[at] = g->routes[at - 1];
	g->routes[at] = route;
	return 0;
}

/* protobuf-c keeps an unknown length-delimited field with its length varint in front. */
static struct proto_bytes unknown_field_payload(const ProtobufCMessageUnknownField *field)
{
	size_t skip = 0;
	while (skip < field->len && field->data[skip] & 0x80)
		skip++;
	skip++;
	return skip <= field->len ? (struct proto_bytes){ .data = field->data + skip, .length = field->len - skip }
	                          : (struct proto_bytes){ 0 };
}

static int add_method(struct builder *b, struct arena *arena, const char *service,
                      const Google__Protobuf__MethodDescriptorProto *method, struct err *e)
{
	const Google__Protobuf__MethodOptions *options = method->options;
	if (!options || method->client_streaming || method->server_streaming)
		return 0;
	const char *target = arena_printf(arena, "/%s/%s", service, method->name);
	for (unsigned i = 0; i < options->base.n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *field = &options->base.unknown_fields[i];
		if (field->tag != HTTP_EXTENSION)
			continue;
		struct proto_bytes bytes = unknown_field_payload(field);
		const Google__Api__HttpRule *rule =
		        proto_unpack(arena, google__api__http_rule, bytes.data, bytes.length, e);
		if (!rule || add_rule(b, target, rule, e) < 0)
			return -1;
		for (size_t k = 0; k < rule->n_additional_bindings; k++)
			if (add_rule(b, target, rule->additional_bindings[k], e) < 0)
				return -1;
	}
	return 0;
}

static int visit_file(void *context, struct proto_bytes bytes, struct err *e)
{
	struct builder *b = context;
	auto_arena struct arena arena = ARENA_INIT(DESCRIPTOR_ARENA_MAXIMUM);
	const Google__Protobuf__FileDescriptorProto *file = descriptors_unpack(&arena, bytes, e);
	if (!file)
		return -1;
	for (size_t i = 0; i < file->n_service; i++) {
		const char *name = arena_printf(&arena, "%s.%s", file->package, file->service[i]->name);
		bool ours = false;
		for (size_t k = 0; k < b->service_count; k++)
			ours = ours || text_equal(b->services[k].name, name);
		for (size_t k = 0; ours && k < file->service[i]->n_method; k++)
			if (add_method(b, &arena, name, file->service[i]->method[k], e) < 0)
				return -1;
	}
	return 0;
}

struct gateway *gateway_new(const struct rpc_router *router, const struct rpc_service *services, size_t service_count,
                            struct err *e)
{
	struct gateway *gateway = xcalloc(1, sizeof(*gateway));
	struct builder b = {
		.gateway = gateway, .router = router, .services = services, .service_count = service_count
	};
	if (descriptors_each(visit_file, &b, e) < 0)
		return gateway_free(gateway);
	return gateway;
}

struct gateway_match *gateway_find(const struct gateway *gateway, const char *http_method, const char *path,
                                   bool *ret_path_known)
{
	*ret_path_known = false;
	for (size_t i = 0; i < gateway->count; i++) {
		const struct gateway_route *route = &gateway->routes[i];
		struct path_values values;
		if (!path_template_match(&route->template, path, &values))
			continue;
		*ret_path_known = true;
		if (!text_equal(route->http_method, http_method)) {
			path_values_release(&values);
			continue;
		}
		struct gateway_match *match = xcalloc(1, sizeof(*match));
		match->route = route;
		match->values = values;
		return match;
	}
	return NULL;
}

const struct rpc_route *gateway_match_route(const struct gateway_match *match)
{
	return &match->route->target;
}

struct gateway_match *gateway_match_free(struct gateway_match *match)
{
	if (match)
		path_values_release(&match->values);
	free(match);
	return NULL;
}

static const char *const binary_types[] = { "application/octet-stream", "application/x-protobuf",
	                                    "application/protobuf" };

/* The binary content type that the header names, or NULL. */
static const char *binary_type(const char *header)
{
	for (size_t i = 0; header && i < ARRAY_LENGTH(binary_types); i++)
		if (strcasestr(header, binary_types[i]))
			return binary_types[i];
	return NULL;
}

/* What Accept names, else as the request came. */
const char *gateway_binary_type(const struct rpc_head *head)
{
	const char *accepted = binary_type(head->accept);
	bool json = head->accept && strcasestr(head->accept, "json");
	return accepted || json ? accepted : binary_type(head->content_type);
}

static int read_body_as(struct rpc_exchange *x, struct arena *arena, ProtobufCMessage **message, const char *bytes,
                        size_t length, struct err *e)
{
	if (!length)
		return 0;
	if (!binary_type(x->head.content_type))
		return proto_json_merge(arena, *message, bytes, length, PROTO_JSON_IGNORE_UNKNOWN, e);
	ProtobufCMessage *parsed = proto_unpack_strict_of(arena, (*message)->descriptor, bytes, length, e);
	if (parsed)
		*message = parsed;
	return parsed ? 0 : -1;
}

static int read_body(struct rpc_exchange *x, struct arena *arena, ProtobufCMessage **message, struct err *e)
{
	const char *encoding = x->head.content_encoding;
	if (text_is_empty(encoding) || strcasecmp(encoding, "identity") == 0)
		return read_body_as(x, arena, message, x->body.data, x->body.length, e);
	if (strcasecmp(encoding, "gzip") != 0)
		return err_set(e, ERR_INVALID, "unsupported-encoding", "unsupported content-encoding \"%s\"", encoding);
	auto_buf struct buf plain = BUF_INIT(x->router->limits.message_maximum);
	if (gzip_expand((const uint8_t *)buf_text(&x->body), x->body.length, &plain, e) < 0)
		return -1;
	return read_body_as(x, arena, message, plain.data, plain.length, e);
}

static bool is_path_variable(const struct path_template *template, const char *name)
{
	for (size_t i = 0; i < template->count; i++)
		if (template->segments[i].variable && text_equal(template->segments[i].text, name))
			return true;
	return false;
}

static bool is_in_body(const struct gateway_route *route, const char *name)
{
	size_t length = strlen(route->body);
	return length && strncmp(name, route->body, length) == 0 && (!name[length] || name[length] == '.');
}

/*
 * Parameters that name no field are ignored, as grpc-gateway does; those bound by the path or the body too. (Besides, a
 * list that came out of a binary body has no room for more: proto/message.h.)
 */
static int read_query(const struct gateway_match *match, struct arena *arena, ProtobufCMessage *message,
                      const char *query, struct err *e)
{
	for (const char *cursor = query; cursor && *cursor;) {
		size_t length = strcspn(cursor, "&");
		const char *equals = memchr(cursor, '=', length);
		size_t name_length = equals ? (size_t)(equals - cursor) : length;
		auto_free char *name = path_percent_decode(cursor, name_length, true);
		auto_free char *value =
		        equals ? path_percent_decode(equals + 1, length - name_length - 1, true) : xstrdup("");
		if (!name || !value)
			return err_set(e, ERR_INVALID, "malformed-query", "malformed query parameter \"%.*s\"",
			               (int)length, cursor);
		cursor += length + (cursor[length] == '&');
		if (!*name || is_path_variable(&match->route->template, name) || is_in_body(match->route, name))
			continue;
		auto_err struct err why = ERR_INIT;
		if (proto_set_from_text(arena, message, name, value, &why) < 0 && why.kind != ERR_NOT_FOUND) {
			err_move(e, &why);
			return err_wrap(e, "query parameter \"%s\"", name);
		}
	}
	return 0;
}

static int read_path(const struct gateway_match *match, struct arena *arena, ProtobufCMessage *message, struct err *e)
{
	size_t value = 0;
	for (size_t i = 0; i < match->route->template.count; i++) {
		const struct path_segment *segment = &match->route->template.segments[i];
		if (!segment->variable)
			continue;
		if (proto_set_from_text(arena, message, segment->text, match->values.values[value++], e) < 0)
			return err_wrap(e, "path parameter \"%s\"", segment->text);
	}
	return 0;
}

static ProtobufCMessage *read_request(struct rpc_exchange *x, struct arena *arena, struct err *e)
{
	const struct gateway_match *match = x->match;
	const char *body = match->route->body;
	ProtobufCMessage *message = proto_new_of(arena, x->method->request);
	if (text_equal(body, "*")) {
		if (read_body(x, arena, &message, e) < 0)
			return NULL;
	} else {
		if (*body) {
			ProtobufCMessage *part = proto_submessage(arena, message, body, e), *parsed = part;
			if (!part || read_body(x, arena, &parsed, e) < 0)
				return NULL;
			if (parsed != part)
				memcpy(part, parsed, part->descriptor->sizeof_message);
		}
		if (read_query(match, arena, message, x->head.query, e) < 0)
			return NULL;
	}
	return read_path(match, arena, message, e) < 0 ? NULL : message;
}

static int write_response(struct rpc_exchange *x, const ProtobufCMessage *message, struct err *e)
{
	struct rpc_response *response = &x->response;
	const char *binary = gateway_binary_type(&x->head);
	size_t maximum = x->router->limits.message_maximum;
	response->http_status = 200;
	response->content_type = binary ? binary : "application/json";
	buf_init(&response->body, binary ? maximum : maximum * JSON_EXPANSION);
	if (!binary) {
		if (proto_json_print(message, 0, &response->body, e) < 0)
			return -1;
		rpc_response_compress(x, response, GZIP_FAST);
		return 0;
	}
	if (proto_pack_to_buf(message, &response->body) < 0)
		return err_set(e, ERR_EXHAUSTED, "message-too-large",
		               "the response is larger than the maximum (%zu bytes)", maximum);
	return 0;
}

void gateway_execute(struct rpc_exchange *x)
{
	auto_arena struct arena arena = ARENA_INIT(rpc_invoke_parse_maximum(x));
	auto_err struct err e = ERR_INIT;
	const ProtobufCMessage *detail = NULL, *response = NULL;
	const ProtobufCMessage *request = read_request(x, &arena, &e);
	rpc_exchange_release_body(x);
	arena.maximum = x->router->limits.arena_maximum;
	if (request)
		response = rpc_invoke_handler(x, &arena, request, &detail, &e);
	if (!response || write_response(x, response, &e) < 0)
		rpc_response_set_err(&x->response, false, (enum grpc_code)x->code, &e, detail);
}
