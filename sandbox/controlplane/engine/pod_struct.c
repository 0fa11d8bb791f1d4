#include "controlplane/engine/pod_internal.h"

#include <math.h>

#define DEPTH_MAXIMUM 100

static json_t *value_to_json(const Google__Protobuf__Value *value, unsigned depth);

static json_t *struct_to_json(const Google__Protobuf__Struct *message, unsigned depth)
{
	auto_json json_t *object = json_object();
	for (size_t i = 0; i < message->n_fields; i++) {
		const Google__Protobuf__Struct__FieldsEntry *entry = message->fields[i];
		json_t *value = entry->value ? value_to_json(entry->value, depth + 1) : json_null();
		if (!value || json_object_set_new(object, entry->key, value) < 0)
			return NULL;
	}
	return steal_ptr(object);
}

static json_t *list_to_json(const Google__Protobuf__ListValue *list, unsigned depth)
{
	auto_json json_t *array = json_array();
	for (size_t i = 0; i < list->n_values; i++) {
		json_t *value = value_to_json(list->values[i], depth + 1);
		if (!value || json_array_append_new(array, value) < 0)
			return NULL;
	}
	return steal_ptr(array);
}

/* Struct knows only doubles; Kubernetes wants ports and ids as integers. */
static json_t *number_to_json(double number)
{
	bool whole = isfinite(number) && fabs(number) < 9e15 && fabs(number - trunc(number)) <= 0;
	return whole ? json_integer((json_int_t)number) : json_real(number);
}

static json_t *value_to_json(const Google__Protobuf__Value *value, unsigned depth)
{
	if (depth > DEPTH_MAXIMUM)
		return NULL;
	switch (value->kind_case) {
	case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
		return number_to_json(value->number_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
		return json_string(value->string_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
		return json_boolean(value->bool_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
		return struct_to_json(value->struct_value, depth);
	case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
		return list_to_json(value->list_value, depth);
	default:
		return json_null();
	}
}

json_t *pod_struct_to_json(const Google__Protobuf__Struct *message)
{
	return struct_to_json(message, 0);
}
