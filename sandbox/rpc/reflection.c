#include "rpc/reflection.h"

#include "base/text.h"
#include "rpc/descriptors.h"
#include "rpc/grpc.h"

#include <grpc_reflection/v1alpha/reflection.pb-c.h>
#include <string.h>

#define ARENA_MAXIMUM ((size_t)64 * 1024 * 1024)
#define V1 "grpc.reflection.v1"
#define V1ALPHA "grpc.reflection.v1alpha"
#define V1_FILE "grpc/reflection/v1/reflection.proto"

typedef Grpc__Reflection__V1alpha__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1alpha__ServerReflectionResponse Response;

struct symbol {
	const char *name; /* in the arena: full name of a message, enum, service, method, or of a file */
	struct proto_bytes file;
};

struct reflection {
	const struct rpc_service *services;
	size_t service_count;
	struct arena arena;     /* of the index */
	struct symbol *symbols; /* sorted by name */
	size_t count;
	size_t capacity;
	bool built;
};

struct reflection *reflection_new(const struct rpc_service *services, size_t service_count)
{
	struct reflection *r = xcalloc(1, sizeof(*r));
	r->services = services;
	r->service_count = service_count;
	r->arena = (struct arena)ARENA_INIT(ARENA_MAXIMUM);
	return r;
}

struct reflection *reflection_free(struct reflection *r)
{
	if (!r)
		return NULL;
	free(r->symbols);
	arena_release(&r->arena);
	free(r);
	return NULL;
}

bool reflection_is_path(const char *path)
{
	return text_equal(path, "/" V1 ".ServerReflection/ServerReflectionInfo") ||
	       text_equal(path, "/" V1ALPHA ".ServerReflection/ServerReflectionInfo");
}

static void add_symbol(struct reflection *r, const char *scope, const char *name, struct proto_bytes file)
{
	if (r->count == r->capacity) {
		r->capacity = r->capacity ? r->capacity * 2 : 1024;
		r->symbols = xreallocarray(r->symbols, r->capacity, sizeof(*r->symbols));
	}
	const char *full =
	        text_is_empty(scope) ? arena_strdup(&r->arena, name) : arena_printf(&r->arena, "%s.%s", scope, name);
	r->symbols[r->count++] = (struct symbol){ .name = full, .file = file };
}

static void add_message(struct reflection *r, const char *scope, const Google__Protobuf__DescriptorProto *message,
                        struct proto_bytes file)
{
	add_symbol(r, scope, message->name, file);
	const char *name = r->symbols[r->count - 1].name;
	for (size_t i = 0; i < message->n_field; i++)
		add_symbol(r, name, message->field[i]->name, file);
	for (size_t i = 0; i < message->n_enum_type; i++)
		add_symbol(r, name, message->enum_type[i]->name, file);
	for (size_t i = 0; i < message->n_nested_type; i++)
		add_message(r, name, message->nested_type[i], file);
}

static void add_file(struct reflection *r, const Google__Protobuf__FileDescriptorProto *file, struct proto_bytes bytes)
{
	const char *scope = file->package ? file->package : "";
	add_symbol(r, "", file->name, bytes);
	for (size_t i = 0; i < file->n_message_type; i++)
		add_message(r, scope, file->message_type[i], bytes);
	for (size_t i = 0; i < file->n_enum_type; i++)
		add_symbol(r, scope, file->enum_type[i]->name, bytes);
	for (size_t i = 0; i < file->n_service; i++) {
		add_symbol(r, scope, file->service[i]->name, bytes);
		const char *service = r->symbols[r->count - 1].name;
		for (size_t k = 0; k < file->service[i]->n_method; k++)
			add_symbol(r, service, file->service[i]->method[k]->name, bytes);
	}
}

/* ".grpc.reflection.v1alpha.X" -> ".grpc.reflection.v1.X"; anything else stays. */
static char *to_v1(struct arena *arena, char *type)
{
	static const char prefix[] = "." V1ALPHA ".";
	return type && text_starts_with(type, prefix) ? arena_printf(arena, "." V1 ".%s", type + sizeof(prefix) - 1)
	                                              : type;
}

/* The package ships only v1alpha's file; v1 is the same under another name. */
static void add_v1(struct reflection *r, Google__Protobuf__FileDescriptorProto *file)
{
	file->name = arena_strdup(&r->arena, V1_FILE);
	file->package = arena_strdup(&r->arena, V1);
	file->options = NULL;
	for (size_t i = 0; i < file->n_message_type; i++)
		for (size_t k = 0; k < file->message_type[i]->n_field; k++) {
			Google__Protobuf__FieldDescriptorProto *field = file->message_type[i]->field[k];
			field->type_name = to_v1(&r->arena, field->type_name);
		}
	for (size_t i = 0; i < file->n_service; i++)
		for (size_t k = 0; k < file->service[i]->n_method; k++) {
			Google__Protobuf__MethodDescriptorProto *method = file->service[i]->method[k];
			method->input_type = to_v1(&r->arena, method->input_type);
			method->output_type = to_v1(&r->arena, method->output_type);
		}
	add_file(r, file, proto_pack(&r->arena, &file->base));
}

static int index_file(void *context, struct proto_bytes bytes, struct err *e)
{
	struct reflection *r = context;
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	Google__Protobuf__FileDescriptorProto *file = descriptors_unpack(&arena, bytes, e);
	if (!file)
		return -1;
	add_file(r, file, bytes);
	if (text_equal(file->package, V1ALPHA))
		add_v1(r, file);
	return 0;
}

static int compare_symbols(const void *a, const void *b)
{
	return strcmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

static int build(struct reflection *r, struct err *e)
{
	if (r->built)
		return 0;
	if (descriptors_each(index_file, r, e) < 0)
		return -1;
	qsort(r->symbols, r->count, sizeof(*r->symbols), compare_symbols);
	r->built = true;
	return 0;
}

static void answer_error(struct arena *arena, Response *response, enum grpc_code code, const char *message)
{
	response->message_response_case =
	        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
	response->error_response = proto_new(arena, grpc__reflection__v1alpha__error_response);
	response->error_response->error_code = (int32_t)code;
	response->error_response->error_message = arena_strdup(arena, message);
}

static void answer_file(struct reflection *r, struct arena *arena, Response *response, const char *name)
{
	const struct symbol key = { .name = name };
	const struct symbol *found = bsearch(&key, r->symbols, r->count, sizeof(*r->symbols), compare_symbols);
	if (!found) {
		answer_error(arena, response, GRPC_NOT_FOUND, arena_printf(arena, "not found: \"%s\"", name));
		return;
	}
	response->message_response_case =
	        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
	response->file_descriptor_response = proto_new(arena, grpc__reflection__v1alpha__file_descriptor_response);
	response->file_descriptor_response->n_file_descriptor_proto = 1;
	response->file_descriptor_response->file_descriptor_proto = arena_new(arena, ProtobufCBinaryData);
	response->file_descriptor_response->file_descriptor_proto[0] = (ProtobufCBinaryData){
		.data = arena_copy(arena, found->file.data, found->file.length),
		.len = found->file.length,
	};
}

static void answer_services(const struct reflection *r, struct arena *arena, Response *response)
{
	static const char *const own[] = { "grpc.health.v1.Health", V1 ".ServerReflection",
		                           V1ALPHA ".ServerReflection" };
	size_t count = r->service_count + ARRAY_LENGTH(own);
	response->message_response_case =
	        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	response->list_services_response = proto_new(arena, grpc__reflection__v1alpha__list_service_response);
	response->list_services_response->n_service = count;
	response->list_services_response->service =
	        arena_array(arena, Grpc__Reflection__V1alpha__ServiceResponse *, count);
	for (size_t i = 0; i < count; i++) {
		Grpc__Reflection__V1alpha__ServiceResponse *service =
		        proto_new(arena, grpc__reflection__v1alpha__service_response);
		service->name =
		        arena_strdup(arena, i < r->service_count ? r->services[i].name : own[i - r->service_count]);
		response->list_services_response->service[i] = service;
	}
}

static void answer_request(struct reflection *r, struct arena *arena, const Request *request, Response *response)
{
	switch (request->message_request_case) {
	case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
		answer_file(r, arena, response, request->file_by_filename);
		break;
	case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		answer_file(r, arena, response, request->file_containing_symbol);
		break;
	case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		answer_services(r, arena, response);
		break;
	case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
	case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
		answer_error(arena, response, GRPC_NOT_FOUND, "extensions are not indexed");
		break;
	default:
		answer_error(arena, response, GRPC_INVALID_ARGUMENT, "empty reflection request");
		break;
	}
}

int reflection_answer(struct reflection *r, const void *bytes, size_t length, struct buf *out, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	Request *request = proto_unpack(&arena, grpc__reflection__v1alpha__server_reflection_request, bytes, length, e);
	if (!request || build(r, e) < 0)
		return -1;
	Response *response = proto_new(&arena, grpc__reflection__v1alpha__server_reflection_response);
	response->valid_host = request->host;
	response->original_request = request;
	answer_request(r, &arena, request, response);
	struct proto_bytes packed = proto_pack(&arena, &response->base);
	uint8_t header[GRPC_FRAME_HEADER_SIZE];
	grpc_frame_write_header(header, packed.length);
	if (buf_add(out, header, sizeof(header)) < 0 || buf_add(out, packed.data, packed.length) < 0)
		return err_set(e, ERR_EXHAUSTED, NULL, "the reflection answer is too large");
	return 0;
}
