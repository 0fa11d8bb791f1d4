#include "flyte/literal.h"

#include "base/duration.h"
#include "base/text.h"
#include "controlplane/compiler/types.h"
#include "flyte/pack.h"
#include "proto/go_format.h"
#include "proto/json.h"
#include "proto/scalar.h"

#include <math.h>
#include <string.h>

#define DEPTH_MAXIMUM 32
#define STRUCT_TEXT_MAXIMUM ((size_t)8 * 1024 * 1024)
#define SHOWN_MAXIMUM 80
#define NS_PER_SECOND INT64_C(1000000000)

/* A type is named in generated code by its case, a value by its case: short names keep the functions readable. */
#define TYPE(name) FLYTEIDL__CORE__LITERAL_TYPE__TYPE_##name
#define SCALAR(name) FLYTEIDL__CORE__SCALAR__VALUE_##name
#define SIMPLE(name) FLYTEIDL__CORE__SIMPLE_TYPE__##name

static Flyteidl__Core__Literal *scalar_literal(struct arena *arena, Flyteidl__Core__Scalar **ret_scalar)
{
	Flyteidl__Core__Literal *literal = proto_new(arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = proto_new(arena, flyteidl__core__scalar);
	*ret_scalar = literal->scalar;
	return literal;
}

static Flyteidl__Core__Literal *primitive_literal(struct arena *arena, Flyteidl__Core__Primitive **ret_primitive)
{
	Flyteidl__Core__Scalar *scalar;
	Flyteidl__Core__Literal *literal = scalar_literal(arena, &scalar);
	scalar->value_case = SCALAR(PRIMITIVE);
	scalar->primitive = proto_new(arena, flyteidl__core__primitive);
	*ret_primitive = scalar->primitive;
	return literal;
}

/* ---- From JSON ---- */

/* The value as it would be shown, cut; for messages. */
static const char *shown(struct arena *arena, const json_t *value)
{
	auto_free char *text = json_to_text(value);
	return arena_strndup(arena, text, strnlen(text, SHOWN_MAXIMUM));
}

static Flyteidl__Core__Literal *no_value(struct arena *arena, const Flyteidl__Core__LiteralType *type,
                                         const json_t *value, struct err *e)
{
	err_set(e, ERR_INVALID, "bad-input", "expected %s, found %s", types_describe_in(arena, type),
	        shown(arena, value));
	return NULL;
}

static bool integer_of(const json_t *value, int64_t *ret_integer)
{
	if (json_is_integer(value)) {
		*ret_integer = json_integer_value(value);
		return true;
	}
	if (json_is_real(value)) {
		const double number = json_real_value(value);
		*ret_integer = fabs(number) < 9.2e18 ? (int64_t)number : 0;
		return fabs(number) < 9.2e18 && trunc(number) == number;
	}
	return json_is_string(value) && text_to_int64(json_string_value(value), INT64_MIN, INT64_MAX, ret_integer);
}

static bool float_of(const json_t *value, double *ret_number)
{
	if (json_is_number(value)) {
		*ret_number = json_number_value(value);
		return true;
	}
	const char *text = json_is_string(value) ? json_string_value(value) : "";
	char *end;
	*ret_number = strtod(text, &end);
	return *text && !*end && !strpbrk(text, " \t\n");
}

/* strconv.ParseBool */
static bool boolean_of(const json_t *value, bool *ret_boolean)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };
	if (json_is_boolean(value)) {
		*ret_boolean = json_is_true(value);
		return true;
	}
	for (size_t i = 0; json_is_string(value) && i < ARRAY_LENGTH(yes); i++) {
		*ret_boolean = text_equal(json_string_value(value), yes[i]);
		if (*ret_boolean || text_equal(json_string_value(value), no[i]))
			return true;
	}
	return false;
}

/* Scalars as text; NULL for what is none. */
static const char *text_of(struct arena *arena, const json_t *value)
{
	if (json_is_string(value))
		return arena_strndup(arena, json_string_value(value), json_string_length(value));
	if (json_is_null(value))
		return "";
	if (json_is_object(value) || json_is_array(value))
		return NULL;
	return shown(arena, value);
}

static bool set_datetime(struct arena *arena, Flyteidl__Core__Primitive *primitive, const char *text)
{
	primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME;
	primitive->datetime = proto_new(arena, google__protobuf__timestamp);
	return proto_timestamp_from_text(text, &primitive->datetime->seconds, &primitive->datetime->nanos, NULL) == 0;
}

static bool set_duration(struct arena *arena, Flyteidl__Core__Primitive *primitive, const char *text)
{
	int64_t ns;
	if (!duration_parse_go(text, &ns))
		return false;
	primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION;
	primitive->duration = proto_new(arena, google__protobuf__duration);
	primitive->duration->seconds = ns / NS_PER_SECOND;
	primitive->duration->nanos = (int32_t)(ns % NS_PER_SECOND);
	return true;
}

/* How a value is written of whose type this is not plain. */
static const char *form_of(Flyteidl__Core__SimpleType type)
{
	return type == SIMPLE(DATETIME) ? "2026-01-31T09:30:00Z" : type == SIMPLE(DURATION) ? "300ms, -1.5h or 2h45m" : NULL;
}

static Flyteidl__Core__Literal *primitive_of(struct arena *arena, Flyteidl__Core__LiteralType *type,
                                             const json_t *value, struct err *e)
{
	Flyteidl__Core__Primitive *primitive;
	Flyteidl__Core__Literal *literal = primitive_literal(arena, &primitive);
	const char *text = text_of(arena, value);
	bool boolean = false;
	bool fits = false;
	switch (type->simple) {
	case SIMPLE(INTEGER):
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
		fits = integer_of(value, &primitive->integer);
		break;
	case SIMPLE(FLOAT):
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE;
		fits = float_of(value, &primitive->float_value);
		break;
	case SIMPLE(BOOLEAN):
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN;
		fits = boolean_of(value, &boolean);
		primitive->boolean = boolean;
		break;
	case SIMPLE(STRING):
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE;
		primitive->string_value = text ? (char *)(uintptr_t)text : NULL;
		fits = text != NULL;
		break;
	case SIMPLE(DATETIME):
		fits = json_is_string(value) && set_datetime(arena, primitive, text);
		break;
	default:
		fits = json_is_string(value) && set_duration(arena, primitive, text);
		break;
	}
	if (fits)
		return literal;
	no_value(arena, type, value, e);
	if (form_of(type->simple))
		err_hint(e, "it is written like %s", form_of(type->simple));
	return NULL;
}

static bool wants_old_structs(void)
{
	const char *wish = getenv("FLYTE_USE_OLD_DC_FORMAT");
	return wish && (text_equal(wish, "1") || text_equal(wish, "t") || text_equal(wish, "true") ||
	                text_equal(wish, "True") || text_equal(wish, "TRUE"));
}

/* Text is JSON and becomes a Struct, as flytectl has it; everything else MessagePack, as flytekit has it. */
static Flyteidl__Core__Literal *struct_of(struct arena *arena, const json_t *value, struct err *e)
{
	Flyteidl__Core__Scalar *scalar;
	Flyteidl__Core__Literal *literal = scalar_literal(arena, &scalar);
	if (json_is_string(value) || wants_old_structs()) {
		auto_free char *text = json_is_string(value) ? xstrdup(json_string_value(value)) : json_to_text(value);
		scalar->value_case = SCALAR(GENERIC);
		scalar->generic = proto_json_parse(arena, google__protobuf__struct, text, strlen(text), 0, e);
		return scalar->generic ? literal : NULL;
	}
	auto_buf struct buf bytes = BUF_INIT(STRUCT_TEXT_MAXIMUM);
	if (pack_json(value, &bytes, e) < 0)
		return NULL;
	scalar->value_case = SCALAR(BINARY);
	scalar->binary = proto_new(arena, flyteidl__core__binary);
	scalar->binary->tag = arena_strdup(arena, TYPES_MESSAGE_PACK_TAG);
	scalar->binary->value.data = arena_copy(arena, buf_text(&bytes), bytes.length);
	scalar->binary->value.len = bytes.length;
	return literal;
}

static Flyteidl__Core__Literal *simple_of(struct arena *arena, Flyteidl__Core__LiteralType *type, const json_t *value,
                                          struct err *e)
{
	Flyteidl__Core__Scalar *scalar;
	Flyteidl__Core__Literal *literal;
	const char *text = text_of(arena, value);
	switch (type->simple) {
	case SIMPLE(STRUCT):
		return struct_of(arena, value, e);
	case SIMPLE(NONE):
		if (!json_is_null(value))
			return no_value(arena, type, value, e);
		literal = scalar_literal(arena, &scalar);
		scalar->value_case = SCALAR(NONE_TYPE);
		scalar->none_type = proto_new(arena, flyteidl__core__void);
		return literal;
	case SIMPLE(ERROR):
		literal = scalar_literal(arena, &scalar);
		scalar->value_case = SCALAR(ERROR);
		scalar->error = proto_new(arena, flyteidl__core__error);
		scalar->error->message = (char *)(uintptr_t)(text ? text : "");
		return literal;
	case SIMPLE(BINARY):
		if (!text)
			return struct_of(arena, value, e);
		literal = scalar_literal(arena, &scalar);
		scalar->value_case = SCALAR(BINARY);
		scalar->binary = proto_new(arena, flyteidl__core__binary);
		scalar->binary->tag = arena_strdup(arena, TYPES_MESSAGE_PACK_TAG);
		scalar->binary->value.data = arena_copy(arena, text, strlen(text));
		scalar->binary->value.len = strlen(text);
		return literal;
	default:
		return primitive_of(arena, type, value, e);
	}
}

/* Blobs, schemas and data sets are given by their URI. */
static Flyteidl__Core__Literal *offloaded_of(struct arena *arena, Flyteidl__Core__LiteralType *type,
                                             const json_t *value, struct err *e)
{
	Flyteidl__Core__Scalar *scalar;
	Flyteidl__Core__Literal *literal = scalar_literal(arena, &scalar);
	if (!json_is_string(value))
		return no_value(arena, type, value, e);
	char *uri = arena_strdup(arena, json_string_value(value));
	if (type->type_case == TYPE(BLOB)) {
		scalar->value_case = SCALAR(BLOB);
		scalar->blob = proto_new(arena, flyteidl__core__blob);
		scalar->blob->uri = uri;
		scalar->blob->metadata = proto_new(arena, flyteidl__core__blob_metadata);
		scalar->blob->metadata->type = type->blob;
	} else if (type->type_case == TYPE(SCHEMA)) {
		scalar->value_case = SCALAR(SCHEMA);
		scalar->schema = proto_new(arena, flyteidl__core__schema);
		scalar->schema->uri = uri;
		scalar->schema->type = type->schema;
	} else {
		scalar->value_case = SCALAR(STRUCTURED_DATASET);
		scalar->structured_dataset = proto_new(arena, flyteidl__core__structured_dataset);
		scalar->structured_dataset->uri = uri;
		scalar->structured_dataset->metadata = proto_new(arena, flyteidl__core__structured_dataset_metadata);
		scalar->structured_dataset->metadata->structured_dataset_type = type->structured_dataset_type;
	}
	return literal;
}

static Flyteidl__Core__Literal *enum_of(struct arena *arena, Flyteidl__Core__LiteralType *type, const json_t *value,
                                        struct err *e)
{
	const Flyteidl__Core__EnumType *choices = type->enum_type;
	Flyteidl__Core__Primitive *primitive;
	Flyteidl__Core__Literal *literal = primitive_literal(arena, &primitive);
	primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE;
	for (size_t i = 0; i < choices->n_values; i++) {
		if (json_is_null(value) || text_equal(json_string_value(value), choices->values[i])) {
			primitive->string_value = choices->values[i];
			return literal;
		}
	}
	auto_buf struct buf list = BUF_INIT(1024);
	for (size_t i = 0; i < choices->n_values; i++)
		(void)buf_add_format(&list, "%s%s", i ? " " : "", choices->values[i]);
	err_set(e, ERR_INVALID, "bad-input", "incorrect enum value [%s], supported values [%s]", shown(arena, value),
	        buf_text(&list));
	return NULL;
}

static Flyteidl__Core__Literal *from_json(struct arena *arena, Flyteidl__Core__LiteralType *type, const json_t *value,
                                          size_t depth, struct err *e);

/* Whether the value's own form is the variant's, so that nothing needs to be converted. */
static bool has_form_of(const json_t *value, const Flyteidl__Core__LiteralType *type)
{
	switch (type->type_case) {
	case TYPE(SIMPLE):
		switch (type->simple) {
		case SIMPLE(NONE):
			return json_is_null(value);
		case SIMPLE(INTEGER):
			return json_is_integer(value);
		case SIMPLE(FLOAT):
			return json_is_real(value);
		case SIMPLE(BOOLEAN):
			return json_is_boolean(value);
		case SIMPLE(STRUCT):
			return json_is_object(value);
		case SIMPLE(STRING):
			return json_is_string(value);
		default:
			return false;
		}
	case TYPE(COLLECTION_TYPE):
		return json_is_array(value);
	case TYPE(MAP_VALUE_TYPE):
		return json_is_object(value);
	default:
		return false;
	}
}

static Flyteidl__Core__Literal *union_of(struct arena *arena, Flyteidl__Core__LiteralType *type, const json_t *value,
                                         size_t depth, struct err *e)
{
	const Flyteidl__Core__UnionType *variants = type->union_type;
	for (int exact = 1; exact >= 0; exact--) {
		for (size_t i = 0; i < variants->n_variants; i++) {
			Flyteidl__Core__LiteralType *variant = variants->variants[i];
			if (exact && !has_form_of(value, variant))
				continue;
			Flyteidl__Core__Literal *inner = from_json(arena, variant, value, depth + 1, NULL);
			if (!inner)
				continue;
			Flyteidl__Core__Scalar *scalar;
			Flyteidl__Core__Literal *literal = scalar_literal(arena, &scalar);
			scalar->value_case = SCALAR(UNION);
			scalar->union_ = proto_new(arena, flyteidl__core__union);
			scalar->union_->value = inner;
			scalar->union_->type = variant;
			return literal;
		}
	}
	return no_value(arena, type, value, e);
}

static Flyteidl__Core__Literal *list_of(struct arena *arena, Flyteidl__Core__LiteralType *type, const json_t *value,
                                        size_t depth, struct err *e)
{
	if (!json_is_array(value))
		return no_value(arena, type, value, e);
	Flyteidl__Core__Literal *literal = proto_new(arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	literal->collection = proto_new(arena, flyteidl__core__literal_collection);
	literal->collection->literals = arena_array(arena, Flyteidl__Core__Literal *, json_array_size(value));
	size_t i;
	json_t *element;
	json_array_foreach(value, i, element)
	{
		Flyteidl__Core__Literal *inner = from_json(arena, type->collection_type, element, depth + 1, e);
		if (!inner || arena_check(arena, e) < 0) {
			err_wrap(e, "element %zu", i);
			return NULL;
		}
		literal->collection->literals[literal->collection->n_literals++] = inner;
	}
	return literal;
}

static Flyteidl__Core__Literal *map_of(struct arena *arena, Flyteidl__Core__LiteralType *type, const json_t *value,
                                       size_t depth, struct err *e)
{
	if (!json_is_object(value))
		return no_value(arena, type, value, e);
	Flyteidl__Core__Literal *literal = proto_new(arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_MAP;
	literal->map = proto_new(arena, flyteidl__core__literal_map);
	literal->map->literals =
	        arena_array(arena, Flyteidl__Core__LiteralMap__LiteralsEntry *, json_object_size(value));
	const char *key;
	json_t *member;
	json_object_foreach((json_t *)(uintptr_t)value, key, member)
	{
		Flyteidl__Core__LiteralMap__LiteralsEntry *entry =
		        (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
		                arena, &flyteidl__core__literal_map__literals_entry__descriptor);
		entry->key = arena_strdup(arena, key);
		entry->value = from_json(arena, type->map_value_type, member, depth + 1, e);
		if (!entry->value || arena_check(arena, e) < 0) {
			err_wrap(e, "key '%.*s'", SHOWN_MAXIMUM, key);
			return NULL;
		}
		literal->map->literals[literal->map->n_literals++] = entry;
	}
	return literal;
}

static Flyteidl__Core__Literal *from_json(struct arena *arena, Flyteidl__Core__LiteralType *type, const json_t *value,
                                          size_t depth, struct err *e)
{
	if (depth > DEPTH_MAXIMUM) {
		err_set(e, ERR_INVALID, "bad-input", "nested deeper than %d", DEPTH_MAXIMUM);
		return NULL;
	}
	switch (type ? type->type_case : TYPE(_NOT_SET)) {
	case TYPE(SIMPLE):
		return simple_of(arena, type, value, e);
	case TYPE(BLOB):
	case TYPE(SCHEMA):
	case TYPE(STRUCTURED_DATASET_TYPE):
		return offloaded_of(arena, type, value, e);
	case TYPE(ENUM_TYPE):
		return enum_of(arena, type, value, e);
	case TYPE(UNION_TYPE):
		return union_of(arena, type, value, depth, e);
	case TYPE(COLLECTION_TYPE):
		return list_of(arena, type, value, depth, e);
	case TYPE(MAP_VALUE_TYPE):
		return map_of(arena, type, value, depth, e);
	default:
		err_set(e, ERR_UNSUPPORTED, "bad-input", "values of type %s cannot be given in a file",
		        types_describe_in(arena, type));
		return NULL;
	}
}

Flyteidl__Core__Literal *literal_from_json(struct arena *arena, Flyteidl__Core__LiteralType *type, const json_t *value,
                                           struct err *e)
{
	return from_json(arena, type, value, 0, e);
}

/* ---- Defaults ---- */

static json_t *default_of(const Flyteidl__Core__LiteralType *type, int64_t now_seconds, size_t depth)
{
	char text[PROTO_NUMBER_SIZE];
	if (!type || depth > DEPTH_MAXIMUM)
		return NULL;
	switch (type->type_case) {
	case TYPE(SIMPLE):
		switch (type->simple) {
		case SIMPLE(INTEGER):
			return json_integer(0);
		case SIMPLE(FLOAT):
			return json_real(0);
		case SIMPLE(STRING):
		case SIMPLE(BINARY):
			return json_string("");
		case SIMPLE(BOOLEAN):
			return json_false();
		case SIMPLE(DATETIME):
			return proto_timestamp_to_text(now_seconds, 0, text) < 0 ? NULL : json_string(text);
		case SIMPLE(DURATION):
			return json_string("1s");
		case SIMPLE(STRUCT):
			return json_object();
		case SIMPLE(ERROR):
			return json_string("Default Error message");
		default:
			return json_null();
		}
	case TYPE(BLOB):
	case TYPE(SCHEMA):
	case TYPE(STRUCTURED_DATASET_TYPE):
		return json_string("/tmp/somepath");
	case TYPE(ENUM_TYPE):
		return type->enum_type->n_values ? json_string(type->enum_type->values[0]) : NULL;
	case TYPE(COLLECTION_TYPE): {
		json_t *element = default_of(type->collection_type, now_seconds, depth + 1);
		return element ? json_pack("[o]", element) : NULL;
	}
	case TYPE(MAP_VALUE_TYPE): {
		json_t *member = default_of(type->map_value_type, now_seconds, depth + 1);
		return member ? json_pack("{s:o}", "itemKey", member) : NULL;
	}
	case TYPE(UNION_TYPE):
		return type->union_type->n_variants ? default_of(type->union_type->variants[0], now_seconds, depth + 1)
		                                    : NULL;
	default:
		return NULL;
	}
}

Flyteidl__Core__Literal *literal_default(struct arena *arena, Flyteidl__Core__LiteralType *type, int64_t now_seconds,
                                         struct err *e)
{
	auto_json json_t *value = default_of(type, now_seconds, 0);
	if (value)
		return from_json(arena, type, value, 0, e);
	err_set(e, ERR_UNSUPPORTED, "bad-input", "there is no default for the type %s", types_describe_in(arena, type));
	return NULL;
}

/* ---- To JSON ---- */

static json_t *struct_to_json(const Google__Protobuf__Struct *generic, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(STRUCT_TEXT_MAXIMUM);
	if (proto_json_print(&generic->base, 0, &text, e) < 0)
		return NULL;
	return json_parse(buf_text(&text), text.length, "a struct", e);
}

static json_t *primitive_to_json(struct arena *arena, const Flyteidl__Core__Primitive *primitive)
{
	switch (primitive->value_case) {
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER:
		return json_integer(primitive->integer);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE:
		return isfinite(primitive->float_value) ? json_real(primitive->float_value)
		                                        : json_string(go_format_float(arena, primitive->float_value));
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE:
		return json_string(primitive->string_value);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN:
		return json_boolean(primitive->boolean);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME:
		return json_string(go_format_time(arena, primitive->datetime->seconds, primitive->datetime->nanos));
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION:
		return json_string(go_format_duration(arena, primitive->duration->seconds, primitive->duration->nanos));
	default:
		return NULL;
	}
}

static json_t *to_json(struct arena *arena, const Flyteidl__Core__Literal *literal, size_t depth, struct err *e);

static json_t *scalar_to_json(struct arena *arena, const Flyteidl__Core__Scalar *scalar, size_t depth, struct err *e)
{
	switch (scalar->value_case) {
	case SCALAR(PRIMITIVE):
		return primitive_to_json(arena, scalar->primitive);
	case SCALAR(BINARY):
		if (text_equal(scalar->binary->tag, TYPES_MESSAGE_PACK_TAG) && scalar->binary->value.len)
			return pack_to_json(scalar->binary->value.data, scalar->binary->value.len, e);
		return json_string("");
	case SCALAR(BLOB):
		return json_string(scalar->blob->uri);
	case SCALAR(SCHEMA):
		return json_string(scalar->schema->uri);
	case SCALAR(STRUCTURED_DATASET):
		return json_string(scalar->structured_dataset->uri);
	case SCALAR(GENERIC):
		return struct_to_json(scalar->generic, e);
	case SCALAR(UNION):
		return scalar->union_->value ? to_json(arena, scalar->union_->value, depth + 1, e) : NULL;
	case SCALAR(NONE_TYPE):
		return json_null();
	case SCALAR(ERROR):
		return json_string(scalar->error->message);
	default:
		return NULL;
	}
}

static json_t *list_to_json(struct arena *arena, const Flyteidl__Core__LiteralCollection *list, size_t depth,
                            struct err *e)
{
	auto_json json_t *array = json_array();
	for (size_t i = 0; i < list->n_literals; i++) {
		json_t *element = to_json(arena, list->literals[i], depth + 1, e);
		if (!element)
			return NULL;
		json_array_append_new(array, element);
	}
	return json_incref(array);
}

static json_t *map_to_json(struct arena *arena, const Flyteidl__Core__LiteralMap *map, size_t depth, struct err *e)
{
	auto_json json_t *object = json_object();
	for (size_t i = 0; i < map->n_literals; i++) {
		json_t *member =
		        map->literals[i]->value ? to_json(arena, map->literals[i]->value, depth + 1, e) : json_null();
		if (!member)
			return NULL;
		json_object_set_new(object, map->literals[i]->key, member);
	}
	return json_incref(object);
}

static json_t *to_json(struct arena *arena, const Flyteidl__Core__Literal *literal, size_t depth, struct err *e)
{
	json_t *value = NULL;
	err_set(e, ERR_UNSUPPORTED, "bad-value", "unsupported literal type");
	if (depth > DEPTH_MAXIMUM)
		return NULL;
	if (literal->value_case == FLYTEIDL__CORE__LITERAL__VALUE_SCALAR)
		value = scalar_to_json(arena, literal->scalar, depth, e);
	else if (literal->value_case == FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION)
		value = list_to_json(arena, literal->collection, depth, e);
	else if (literal->value_case == FLYTEIDL__CORE__LITERAL__VALUE_MAP)
		value = map_to_json(arena, literal->map, depth, e);
	else if (literal->value_case == FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA)
		value = json_string(literal->offloaded_metadata->uri);
	if (value && e)
		err_release(e);
	return value;
}

json_t *literal_to_json(struct arena *arena, const Flyteidl__Core__Literal *literal, struct err *e)
{
	return to_json(arena, literal, 0, e);
}
