/*
 * Which type a literal has. Simple types are static messages, so that a list of a million integers allocates nothing; a
 * container whose elements differ gets a union of its distinct element types, sorted, so that the same content always
 * gives the same type.
 */
#include "controlplane/compiler/types.h"

#include "base/text.h"
#include "proto/message.h"

#include <stdint.h>
#include <string.h>

typedef Flyteidl__Core__LiteralType literal_type;

#define SIMPLE(name)                                                                                                   \
	[FLYTEIDL__CORE__SIMPLE_TYPE__##                                                                               \
	        name] = { .base = PROTOBUF_C_MESSAGE_INIT(&flyteidl__core__literal_type__descriptor),                  \
		          .type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE,                                      \
		          .simple = FLYTEIDL__CORE__SIMPLE_TYPE__##name }
static literal_type simple_types[] = {
	SIMPLE(NONE),     SIMPLE(INTEGER),  SIMPLE(FLOAT),  SIMPLE(STRING), SIMPLE(BOOLEAN),
	SIMPLE(DATETIME), SIMPLE(DURATION), SIMPLE(BINARY), SIMPLE(ERROR),  SIMPLE(STRUCT),
};

literal_type *types_simple(Flyteidl__Core__SimpleType simple)
{
	return &simple_types[(size_t)simple < ARRAY_LENGTH(simple_types) ? (size_t)simple : 0];
}

literal_type *types_of_primitive(const Flyteidl__Core__Primitive *primitive)
{
	switch (primitive ? primitive->value_case : FLYTEIDL__CORE__PRIMITIVE__VALUE__NOT_SET) {
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER:
		return types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE:
		return types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE:
		return types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__STRING);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN:
		return types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME:
		return types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION:
		return types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__DURATION);
	default:
		return types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__NONE);
	}
}

static literal_type *new_type(struct arena *arena, Flyteidl__Core__LiteralType__TypeCase kind)
{
	literal_type *type = proto_new(arena, flyteidl__core__literal_type);
	type->type_case = kind;
	return type;
}

static literal_type *type_of_blob(struct arena *arena, const Flyteidl__Core__Blob *blob)
{
	if (!blob || !blob->metadata)
		return NULL;
	literal_type *type = new_type(arena, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB);
	type->blob = blob->metadata->type ? blob->metadata->type : proto_new(arena, flyteidl__core__blob_type);
	return type;
}

static literal_type *type_of_dataset(struct arena *arena, const Flyteidl__Core__StructuredDataset *dataset)
{
	literal_type *type = new_type(arena, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_STRUCTURED_DATASET_TYPE);
	if (dataset && dataset->metadata && dataset->metadata->structured_dataset_type)
		type->structured_dataset_type = dataset->metadata->structured_dataset_type;
	else
		type->structured_dataset_type = proto_new(arena, flyteidl__core__structured_dataset_type);
	return type;
}

/* A union of the one variant that the value says it is. */
static literal_type *type_of_union(struct arena *arena, const Flyteidl__Core__Union *value)
{
	literal_type *type = new_type(arena, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE);
	type->union_type = proto_new(arena, flyteidl__core__union_type);
	type->union_type->n_variants = 1;
	type->union_type->variants = arena_array(arena, literal_type *, 1);
	type->union_type->variants[0] =
	        value && value->type ? value->type : new_type(arena, FLYTEIDL__CORE__LITERAL_TYPE__TYPE__NOT_SET);
	return type;
}

literal_type *types_of_scalar(struct arena *arena, const Flyteidl__Core__Scalar *scalar)
{
	literal_type *type;
	switch (scalar ? scalar->value_case : FLYTEIDL__CORE__SCALAR__VALUE__NOT_SET) {
	case FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE:
		return types_of_primitive(scalar->primitive);
	case FLYTEIDL__CORE__SCALAR__VALUE_BLOB:
		return type_of_blob(arena, scalar->blob);
	case FLYTEIDL__CORE__SCALAR__VALUE_BINARY:
		if (scalar->binary && text_equal(scalar->binary->tag, TYPES_MESSAGE_PACK_TAG))
			return types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT);
		return types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__BINARY);
	case FLYTEIDL__CORE__SCALAR__VALUE_SCHEMA:
		type = new_type(arena, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SCHEMA);
		type->schema = scalar->schema && scalar->schema->type ? scalar->schema->type
		                                                      : proto_new(arena, flyteidl__core__schema_type);
		return type;
	case FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE:
		return types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__NONE);
	case FLYTEIDL__CORE__SCALAR__VALUE_ERROR:
		return types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__ERROR);
	case FLYTEIDL__CORE__SCALAR__VALUE_GENERIC:
		return types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT);
	case FLYTEIDL__CORE__SCALAR__VALUE_STRUCTURED_DATASET:
		return type_of_dataset(arena, scalar->structured_dataset);
	case FLYTEIDL__CORE__SCALAR__VALUE_UNION:
		return type_of_union(arena, scalar->union_);
	default:
		return NULL;
	}
}

/* ---- containers ---- */

/* The distinct types of a container's elements, each with its encoding, by which they are told apart and sorted. */
struct element_types {
	size_t count;
	struct element_type {
		struct proto_bytes encoded;
		literal_type *type;
	} * items;
	literal_type *empty; /* type of an empty list within: counts only when there is no other */
};

static int compare_element_types(const void *a, const void *b)
{
	const struct element_type *x = a, *y = b;
	size_t shorter = x->encoded.length < y->encoded.length ? x->encoded.length : y->encoded.length;
	int order = shorter ? memcmp(x->encoded.data, y->encoded.data, shorter) : 0;
	if (order)
		return order;
	return (x->encoded.length > y->encoded.length) - (x->encoded.length < y->encoded.length);
}

static void add_element(struct arena *arena, struct element_types *types, const Flyteidl__Core__Literal *literal)
{
	literal_type *type = types_of_literal(arena, literal);
	if (literal && literal->value_case == FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION &&
	    (!literal->collection || !literal->collection->n_literals)) {
		types->empty = type;
		return;
	}
	if (!type)
		type = new_type(arena, FLYTEIDL__CORE__LITERAL_TYPE__TYPE__NOT_SET);
	/* Mostly all elements are alike: comparing with the last one keeps the array short. */
	if (types->count && types->items[types->count - 1].type == type)
		return;
	struct element_type element = { .encoded = proto_pack(arena, &type->base), .type = type };
	if (types->count && compare_element_types(&types->items[types->count - 1], &element) == 0)
		return;
	proto_append(arena, types->count, types->items, element);
}

static void sort_and_deduplicate(struct element_types *types)
{
	if (types->count < 2)
		return;
	qsort(types->items, types->count, sizeof(*types->items), compare_element_types);
	size_t kept = 1;
	for (size_t i = 1; i < types->count; i++)
		if (compare_element_types(&types->items[kept - 1], &types->items[i]) != 0)
			types->items[kept++] = types->items[i];
	types->count = kept;
}

static const Flyteidl__Core__UnionType *list_of_union(const literal_type *type)
{
	if (type->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE || !type->collection_type ||
	    type->collection_type->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE)
		return NULL;
	return type->collection_type->union_type;
}

/* Lists whose elements are unions already merge into one list of the union of all variants. */
static literal_type *union_of_elements(struct arena *arena, const struct element_types *types)
{
	literal_type *type = new_type(arena, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE);
	Flyteidl__Core__UnionType *variants = type->union_type = proto_new(arena, flyteidl__core__union_type);
	bool nested = false;
	for (size_t i = 0; i < types->count; i++) {
		const Flyteidl__Core__UnionType *inner = list_of_union(types->items[i].type);
		if (!inner)
			proto_append(arena, variants->n_variants, variants->variants, types->items[i].type);
		for (size_t j = 0; inner && j < inner->n_variants; j++)
			proto_append(arena, variants->n_variants, variants->variants, inner->variants[j]);
		nested |= inner != NULL;
	}
	if (!nested)
		return type;
	literal_type *list = new_type(arena, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE);
	list->collection_type = type;
	return list;
}

static literal_type *type_of_elements(struct arena *arena, struct element_types *types)
{
	sort_and_deduplicate(types);
	if (!types->count)
		return types->empty ? types->empty : types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__NONE);
	return types->count == 1 ? types->items[0].type : union_of_elements(arena, types);
}

literal_type *types_of_literal(struct arena *arena, const Flyteidl__Core__Literal *literal)
{
	struct element_types elements = { 0 };
	literal_type *type;
	switch (literal ? literal->value_case : FLYTEIDL__CORE__LITERAL__VALUE__NOT_SET) {
	case FLYTEIDL__CORE__LITERAL__VALUE_SCALAR:
		return types_of_scalar(arena, literal->scalar);
	case FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION:
		for (size_t i = 0; literal->collection && i < literal->collection->n_literals; i++)
			add_element(arena, &elements, literal->collection->literals[i]);
		type = new_type(arena, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE);
		type->collection_type = type_of_elements(arena, &elements);
		return type;
	case FLYTEIDL__CORE__LITERAL__VALUE_MAP:
		for (size_t i = 0; literal->map && i < literal->map->n_literals; i++)
			add_element(arena, &elements, literal->map->literals[i]->value);
		type = new_type(arena, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE);
		type->map_value_type = type_of_elements(arena, &elements);
		return type;
	case FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA:
		return literal->offloaded_metadata ? literal->offloaded_metadata->inferred_type : NULL;
	default:
		return NULL;
	}
}

/* ---- does this value fit ---- */

static bool enum_allows(const Flyteidl__Core__EnumType *type, const Flyteidl__Core__Literal *literal)
{
	if (!type || !literal || literal->value_case != FLYTEIDL__CORE__LITERAL__VALUE_SCALAR || !literal->scalar ||
	    literal->scalar->value_case != FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE || !literal->scalar->primitive ||
	    literal->scalar->primitive->value_case != FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE)
		return true;
	for (size_t i = 0; i < type->n_values; i++)
		if (text_equal(type->values[i], literal->scalar->primitive->string_value))
			return true;
	return false;
}

/* What a union scalar holds, else the literal itself. */
static const Flyteidl__Core__Literal *without_union(const Flyteidl__Core__Literal *literal)
{
	while (literal && literal->value_case == FLYTEIDL__CORE__LITERAL__VALUE_SCALAR && literal->scalar &&
	       literal->scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_UNION && literal->scalar->union_)
		literal = literal->scalar->union_->value;
	return literal;
}

static bool content_fits(struct arena *arena, const literal_type *type, const Flyteidl__Core__Literal *literal);

/* Wrong only when every variant that takes the value's type refuses its content. */
static bool content_fits_union(struct arena *arena, const Flyteidl__Core__UnionType *type,
                               const Flyteidl__Core__Literal *literal)
{
	literal_type *given = types_of_literal(arena, literal);
	bool candidate = false;
	for (size_t i = 0; type && i < type->n_variants; i++) {
		if (!types_castable(given, type->variants[i]))
			continue;
		if (content_fits(arena, type->variants[i], literal))
			return true;
		candidate = true;
	}
	return !candidate;
}

/* For a literal whose type is known to fit. */
static bool content_fits(struct arena *arena, const literal_type *type, const Flyteidl__Core__Literal *literal)
{
	literal = without_union(literal);
	if (!type || !literal)
		return true;
	switch (type->type_case) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE:
		return enum_allows(type->enum_type, literal);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE:
		return content_fits_union(arena, type->union_type, literal);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE:
		if (literal->value_case != FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION || !literal->collection)
			return true;
		for (size_t i = 0; i < literal->collection->n_literals; i++)
			if (!content_fits(arena, type->collection_type, literal->collection->literals[i]))
				return false;
		return true;
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE:
		if (literal->value_case != FLYTEIDL__CORE__LITERAL__VALUE_MAP || !literal->map)
			return true;
		for (size_t i = 0; i < literal->map->n_literals; i++)
			if (!content_fits(arena, type->map_value_type, literal->map->literals[i]->value))
				return false;
		return true;
	default:
		return true;
	}
}

static bool accepts(struct arena *arena, const literal_type *type, const Flyteidl__Core__Literal *literal);

static bool accepts_each(struct arena *arena, const literal_type *type, Flyteidl__Core__Literal **literals,
                         size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!accepts(arena, type, literals[i]))
			return false;
	return count > 0;
}

/*
 * The types of elements that differ make a union, which fits no single element type, although each value may: [{"a":
 * 1}, {}] for a list of maps of integers. Therefore where the inferred type does not fit, the elements are asked one by
 * one.
 */
static bool accepts(struct arena *arena, const literal_type *type, const Flyteidl__Core__Literal *literal)
{
	if (types_castable(types_of_literal(arena, literal), type))
		return content_fits(arena, type, literal);
	if (!type || !literal)
		return false;
	if (type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE &&
	    literal->value_case == FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION && literal->collection)
		return accepts_each(arena, type->collection_type, literal->collection->literals,
		                    literal->collection->n_literals);
	if (type->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE ||
	    literal->value_case != FLYTEIDL__CORE__LITERAL__VALUE_MAP || !literal->map)
		return false;
	for (size_t i = 0; i < literal->map->n_literals; i++)
		if (!accepts(arena, type->map_value_type, literal->map->literals[i]->value))
			return false;
	return literal->map->n_literals > 0;
}

bool types_accept_literal(const literal_type *type, const Flyteidl__Core__Literal *literal)
{
	/* The inferred types take less memory than the literal does already. */
	auto_arena struct arena arena = ARENA_INIT(SIZE_MAX / 2);
	return accepts(&arena, type, literal);
}
