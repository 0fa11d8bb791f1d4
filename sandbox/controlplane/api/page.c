#include "controlplane/api/page.h"

#include "proto/field.h"

#include <string.h>

static const ProtobufCFieldDescriptor *repeated_field(const ProtobufCMessageDescriptor *type)
{
	for (unsigned i = 0; i < type->n_fields; i++)
		if (type->fields[i].label == PROTOBUF_C_LABEL_REPEATED)
			return &type->fields[i];
	abort(); /* no list */
}

ProtobufCMessage *page_message(struct arena *arena, const ProtobufCMessageDescriptor *type, const struct list_query *query,
                               const void *rows, size_t count, page_element *element, struct err *e)
{
	ProtobufCMessage *page = proto_new_of(arena, type);
	const ProtobufCFieldDescriptor *list = repeated_field(type), *token = proto_field_find(type, "token", strlen("token"));
	ProtobufCMessage **elements = arena_array(arena, ProtobufCMessage *, count);
	for (size_t i = 0; i < count; i++)
		if (!(elements[i] = element(arena, rows, i, e)))
			return NULL;
	*(ProtobufCMessage ***)proto_field_member(page, list) = elements;
	*(size_t *)((char *)page + list->quantifier_offset) = count;
	*(char **)proto_field_prepare(page, token) = arena_strdup(arena, query->next_token);
	return page;
}
