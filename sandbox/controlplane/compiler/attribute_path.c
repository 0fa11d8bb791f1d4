#include "controlplane/compiler/attribute_path.h"

#include "base/text.h"
#include "controlplane/compiler/msgpack.h"
#include "controlplane/compiler/types.h"
#include "proto/message.h"

#include <string.h>

#define FAILURE "BindingResolutionFailure"

typedef Flyteidl__Core__Literal literal;
typedef Flyteidl__Core__PromiseAttribute attribute;

struct path {
	struct arena *arena;
	attribute *const *items;
	size_t length; /* still to walk */
};

static const char *key_of(const attribute *step)
{
	return step->value_case == FLYTEIDL__CORE__PROMISE_ATTRIBUTE__VALUE_STRING_VALUE ? step->string_value : NULL;
}

/* -1 when the step is no index. */
static int64_t index_of(const attribute *step)
{
	return step->value_case == FLYTEIDL__CORE__PROMISE_ATTRIBUTE__VALUE_INT_VALUE && step->int_value >= 0
	               ? step->int_value
	               : -1;
}

static int no_such_step(const attribute *step, const char *what, size_t count, struct err *e)
{
	const char *key = key_of(step);
	if (key)
		return err_set(e, ERR_INVALID, FAILURE, "%s has no attribute '%s'", what, key);
	if (step->value_case != FLYTEIDL__CORE__PROMISE_ATTRIBUTE__VALUE_INT_VALUE)
		return err_set(e, ERR_INVALID, FAILURE, "the attribute path has an empty step");
	return err_set(e, ERR_INVALID, FAILURE, "%s of %zu elements has no element %d", what, count,
	               (int)step->int_value);
}

static literal *new_scalar(struct arena *arena, Flyteidl__Core__Scalar__ValueCase kind)
{
	literal *l = proto_new(arena, flyteidl__core__literal);
	l->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	l->scalar = proto_new(arena, flyteidl__core__scalar);
	l->scalar->value_case = kind;
	return l;
}

static literal *new_primitive(struct arena *arena, Flyteidl__Core__Primitive__ValueCase kind)
{
	literal *l = new_scalar(arena, FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE);
	l->scalar->primitive = proto_new(arena, flyteidl__core__primitive);
	l->scalar->primitive->value_case = kind;
	return l;
}

static literal *new_collection(struct arena *arena, size_t count)
{
	literal *l = proto_new(arena, flyteidl__core__literal);
	l->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	l->collection = proto_new(arena, flyteidl__core__literal_collection);
	l->collection->literals = arena_array(arena, literal *, count);
	return l;
}

/* ---- MessagePack ---- */

static literal *packed_literal(struct arena *arena, const struct msgpack_value *value)
{
	literal *l = new_scalar(arena, FLYTEIDL__CORE__SCALAR__VALUE_BINARY);
	l->scalar->binary = proto_new(arena, flyteidl__core__binary);
	l->scalar->binary->value.data = arena_copy(arena, value->bytes, value->length);
	l->scalar->binary->value.len = value->length;
	l->scalar->binary->tag = arena_strdup(arena, TYPES_MESSAGE_PACK_TAG);
	return l;
}

/* Each element stays MessagePack, primitives too: who maps over such a list gets values of one kind. */
static literal *packed_list(struct arena *arena, const struct msgpack_value *value, struct err *e)
{
	literal *l = new_collection(arena, value->size);
	const uint8_t *next = value->content;
	for (size_t i = 0; i < value->size; i++) {
		struct msgpack_value element;
		if (!msgpack_parse(next, (size_t)(value->bytes + value->length - next), &element)) {
			err_set(e, ERR_INVALID, FAILURE, "malformed MessagePack");
			return NULL;
		}
		next = element.bytes + element.length;
		l->collection->literals[l->collection->n_literals++] = packed_literal(arena, &element);
	}
	return l;
}

static literal *literal_of_packed(struct arena *arena, const struct msgpack_value *value, struct err *e)
{
	literal *l;
	switch (value->kind) {
	case MSGPACK_BOOLEAN:
		l = new_primitive(arena, FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN);
		l->scalar->primitive->boolean = value->boolean;
		return l;
	case MSGPACK_INTEGER:
		l = new_primitive(arena, FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER);
		l->scalar->primitive->integer = value->integer;
		return l;
	case MSGPACK_UNSIGNED:
		err_set(e, ERR_INVALID, FAILURE, "%llu does not fit an integer",
		        (unsigned long long)value->unsigned_integer);
		return NULL;
	case MSGPACK_FLOAT:
		l = new_primitive(arena, FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE);
		l->scalar->primitive->float_value = value->number;
		return l;
	case MSGPACK_STRING:
		l = new_primitive(arena, FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE);
		l->scalar->primitive->string_value = arena_strndup(arena, (const char *)value->content, value->size);
		return l;
	case MSGPACK_ARRAY:
		return packed_list(arena, value, e);
	default:
		return packed_literal(arena, value);
	}
}

static const literal *walk_packed(struct path *path, const Flyteidl__Core__Binary *binary, struct err *e)
{
	struct msgpack_value value;
	if (!msgpack_parse(binary->value.data, binary->value.len, &value) || value.length != binary->value.len) {
		err_set(e, ERR_INVALID, FAILURE, "malformed MessagePack of %zu bytes", binary->value.len);
		return NULL;
	}
	for (; path->length; path->length--, path->items++) {
		const attribute *step = path->items[0];
		const char *key = key_of(step);
		int64_t position = index_of(step);
		bool found = key ? msgpack_member(&value, key, &value)
		                 : position >= 0 && msgpack_element(&value, (size_t)position, &value);
		if (found)
			continue;
		no_such_step(step,
		             value.kind == MSGPACK_ARRAY ? "a list"
		             : value.kind == MSGPACK_MAP ? "an object"
		                                         : "a value",
		             value.kind == MSGPACK_ARRAY ? value.size : 0, e);
		return NULL;
	}
	return literal_of_packed(path->arena, &value, e);
}

/* ---- protobuf Struct ---- */

static literal *literal_of_value(struct arena *arena, const Google__Protobuf__Value *value)
{
	literal *l;
	switch (value ? value->kind_case : GOOGLE__PROTOBUF__VALUE__KIND__NOT_SET) {
	case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
		l = new_primitive(arena, FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE);
		l->scalar->primitive->float_value = value->number_value;
		return l;
	case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
		l = new_primitive(arena, FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE);
		l->scalar->primitive->string_value = value->string_value;
		return l;
	case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
		l = new_primitive(arena, FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN);
		l->scalar->primitive->boolean = value->bool_value;
		return l;
	case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
		l = new_scalar(arena, FLYTEIDL__CORE__SCALAR__VALUE_GENERIC);
		l->scalar->generic =
		        value->struct_value ? value->struct_value : proto_new(arena, google__protobuf__struct);
		return l;
	case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
		l = new_collection(arena, value->list_value ? value->list_value->n_values : 0);
		for (size_t i = 0; value->list_value && i < value->list_value->n_values; i++)
			l->collection->literals[l->collection->n_literals++] =
			        literal_of_value(arena, value->list_value->values[i]);
		return l;
	default:
		l = new_scalar(arena, FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE);
		l->scalar->none_type = proto_new(arena, flyteidl__core__void);
		return l;
	}
}

static const Google__Protobuf__Value *field_of(const Google__Protobuf__Struct *object, const char *key)
{
	for (size_t i = object ? object->n_fields : 0; i-- > 0;)
		if (text_equal(object->fields[i]->key, key))
			return object->fields[i]->value;
	return NULL;
}

static const literal *walk_struct(struct path *path, const Google__Protobuf__Struct *object, struct err *e)
{
	const Google__Protobuf__Value *value = field_of(object, key_of(path->items[0]));
	const Google__Protobuf__ListValue *list = NULL;
	const attribute *step = path->items[0];
	for (;;) {
		if (!value) {
			no_such_step(step, list ? "a list" : "an object", list ? list->n_values : 0, e);
			return NULL;
		}
		path->length--;
		path->items++;
		if (!path->length)
			return literal_of_value(path->arena, value);
		step = path->items[0];
		list = value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE ? value->list_value : NULL;
		object = value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE ? value->struct_value : NULL;
		int64_t position = index_of(step);
		if (list)
			value = position >= 0 && (size_t)position < list->n_values ? list->values[position] : NULL;
		else
			value = key_of(step) ? field_of(object, key_of(step)) : NULL;
	}
}

/* ---- literals ---- */

static const literal *map_entry(const literal *l, const char *key)
{
	for (size_t i = l->map && key ? l->map->n_literals : 0; i-- > 0;)
		if (strcmp(l->map->literals[i]->key, key) == 0)
			return l->map->literals[i]->value;
	return NULL;
}

/* One step into a list or a map; NULL with `e` set when it has no such element. */
static const literal *step_into(const literal *l, const attribute *step, struct err *e)
{
	const literal *next = NULL;
	size_t count = 0;
	if (l->value_case == FLYTEIDL__CORE__LITERAL__VALUE_MAP) {
		next = map_entry(l, key_of(step));
	} else {
		count = l->collection ? l->collection->n_literals : 0;
		int64_t position = index_of(step);
		if (position >= 0 && (size_t)position < count)
			next = l->collection->literals[position];
	}
	if (!next)
		no_such_step(step, l->value_case == FLYTEIDL__CORE__LITERAL__VALUE_MAP ? "a map" : "a list", count, e);
	return next;
}

static const literal *walk_scalar(struct path *path, const literal *l, struct err *e)
{
	const Flyteidl__Core__Scalar *scalar = l->scalar;
	if (scalar && scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_BINARY && scalar->binary &&
	    text_equal(scalar->binary->tag, TYPES_MESSAGE_PACK_TAG))
		return walk_packed(path, scalar->binary, e);
	if (!path->length)
		return l;
	if (scalar && scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_GENERIC)
		return walk_struct(path, scalar->generic, e);
	if (scalar && scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_BINARY && scalar->binary)
		err_set(e, ERR_INVALID, FAILURE, "a binary value of format '%s' has no attributes",
		        scalar->binary->tag);
	else
		no_such_step(path->items[0], "a scalar", 0, e);
	return NULL;
}

const literal *literal_loaded(const literal *l, const struct literal_loader *loader, struct err *e)
{
	if (!l || l->value_case != FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA)
		return l;
	if (!loader->load) {
		err_set(e, ERR_INVALID, FAILURE, "an offloaded value cannot be read here");
		return NULL;
	}
	return loader->load(loader->context, l->offloaded_metadata ? l->offloaded_metadata->uri : "", e);
}

static bool is_of_union(const literal *l)
{
	return l->value_case == FLYTEIDL__CORE__LITERAL__VALUE_SCALAR && l->scalar &&
	       l->scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_UNION && l->scalar->union_;
}

const literal *attribute_path_resolve(struct arena *arena, const struct literal_loader *loader, const literal *l,
                                      attribute *const *items, size_t length, struct err *e)
{
	struct path path = { .arena = arena, .items = items, .length = length };
	if (!length)
		return l;
	while (l) {
		if (is_of_union(l) && path.length) {
			l = l->scalar->union_->value;
			continue;
		}
		if (path.length) {
			l = literal_loaded(l, loader, e);
			if (!l)
				return NULL;
		}
		if (l->value_case == FLYTEIDL__CORE__LITERAL__VALUE_SCALAR)
			return walk_scalar(&path, l, e);
		if (!path.length)
			return l;
		if (l->value_case != FLYTEIDL__CORE__LITERAL__VALUE_MAP &&
		    l->value_case != FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION)
			break;
		l = step_into(l, path.items[0], e);
		if (!l)
			return NULL;
		path.items++;
		path.length--;
	}
	err_set(e, ERR_INVALID, FAILURE, "a value that is empty has no attributes");
	return NULL;
}
