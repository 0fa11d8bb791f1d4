/*
 * Types in words, for messages that people read: "list of integer", "map of string to blob (csv)", "integer or none". A
 * description is cut at DESCRIPTION_MAXIMUM, because a type comes from a client and may be as large as its request.
 */
#include "controlplane/compiler/types.h"

#define DESCRIPTION_MAXIMUM ((size_t)600)

typedef Flyteidl__Core__LiteralType literal_type;

static const char *const simple_names[] = {
	[FLYTEIDL__CORE__SIMPLE_TYPE__NONE] = "none",         [FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER] = "integer",
	[FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT] = "float",       [FLYTEIDL__CORE__SIMPLE_TYPE__STRING] = "string",
	[FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN] = "boolean",   [FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME] = "datetime",
	[FLYTEIDL__CORE__SIMPLE_TYPE__DURATION] = "duration", [FLYTEIDL__CORE__SIMPLE_TYPE__BINARY] = "binary",
	[FLYTEIDL__CORE__SIMPLE_TYPE__ERROR] = "error",       [FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT] = "struct",
};

/* Returns -1 once the text is full, so that a large type is not walked to its end for nothing. */
static int describe(const literal_type *type, struct buf *out);

static int describe_enum(const Flyteidl__Core__EnumType *type, struct buf *out)
{
	if (buf_add_str(out, "enum {") < 0)
		return -1;
	for (size_t i = 0; type && i < type->n_values; i++)
		if (buf_add_format(out, "%s%s", i ? ", " : "", type->values[i]) < 0)
			return -1;
	return buf_add_str(out, "}");
}

static int describe_union(const Flyteidl__Core__UnionType *type, struct buf *out)
{
	if (!type || !type->n_variants)
		return buf_add_str(out, "empty union");
	for (size_t i = 0; i < type->n_variants; i++)
		if ((i && buf_add_str(out, " or ") < 0) || describe(type->variants[i], out) < 0)
			return -1;
	return 0;
}

static int describe_blob(const Flyteidl__Core__BlobType *type, struct buf *out)
{
	bool directory = type && type->dimensionality == FLYTEIDL__CORE__BLOB_TYPE__BLOB_DIMENSIONALITY__MULTIPART;
	if (buf_add_str(out, directory ? "multipart blob" : "blob") < 0)
		return -1;
	return type && *type->format ? buf_add_format(out, " (%s)", type->format) : 0;
}

static int describe_schema(const Flyteidl__Core__SchemaType *type, struct buf *out)
{
	if (buf_add_str(out, "schema") < 0)
		return -1;
	for (size_t i = 0; type && i < type->n_columns; i++) {
		const ProtobufCEnumValue *kind = protobuf_c_enum_descriptor_get_value(
		        &flyteidl__core__schema_type__schema_column__schema_column_type__descriptor,
		        (int)type->columns[i]->type);
		if (buf_add_format(out, "%s%s: %s", i ? ", " : " (", type->columns[i]->name,
		                   kind ? kind->name : "unknown") < 0)
			return -1;
	}
	return type && type->n_columns ? buf_add_str(out, ")") : 0;
}

static int describe_dataset(const Flyteidl__Core__StructuredDatasetType *type, struct buf *out)
{
	if (buf_add_str(out, "structured dataset") < 0)
		return -1;
	if (type && *type->format && buf_add_format(out, " of format %s", type->format) < 0)
		return -1;
	for (size_t i = 0; type && i < type->n_columns; i++)
		if (buf_add_format(out, "%s%s: ", i ? ", " : " (", type->columns[i]->name) < 0 ||
		    describe(type->columns[i]->literal_type, out) < 0)
			return -1;
	return type && type->n_columns ? buf_add_str(out, ")") : 0;
}

/* A dataclass shows its fields, as Flyte's own messages do. */
static int describe_struct(const literal_type *type, struct buf *out)
{
	if (buf_add_str(out, "struct") < 0)
		return -1;
	const Flyteidl__Core__TypeStructure *structure = type->structure;
	for (size_t i = 0; structure && i < structure->n_dataclass_type; i++)
		if (buf_add_format(out, "%s%s: ", i ? ", " : " (", structure->dataclass_type[i]->key) < 0 ||
		    describe(structure->dataclass_type[i]->value, out) < 0)
			return -1;
	return structure && structure->n_dataclass_type ? buf_add_str(out, ")") : 0;
}

static int describe(const literal_type *type, struct buf *out)
{
	switch (type ? type->type_case : FLYTEIDL__CORE__LITERAL_TYPE__TYPE__NOT_SET) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE:
		if (type->simple == FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT)
			return describe_struct(type, out);
		return buf_add_str(out, (size_t)type->simple < ARRAY_LENGTH(simple_names) ? simple_names[type->simple]
		                                                                          : "unknown simple type");
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE:
		return buf_add_str(out, "list of ") < 0 ? -1 : describe(type->collection_type, out);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE:
		return buf_add_str(out, "map of string to ") < 0 ? -1 : describe(type->map_value_type, out);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB:
		return describe_blob(type->blob, out);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SCHEMA:
		return describe_schema(type->schema, out);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_STRUCTURED_DATASET_TYPE:
		return describe_dataset(type->structured_dataset_type, out);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE:
		return describe_enum(type->enum_type, out);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE:
		return describe_union(type->union_type, out);
	default:
		return buf_add_str(out, "unknown type");
	}
}

void types_describe(const literal_type *type, struct buf *out)
{
	auto_buf struct buf text = BUF_INIT(DESCRIPTION_MAXIMUM);
	int complete = describe(type, &text);
	(void)buf_add_str(out, buf_text(&text));
	if (complete < 0)
		(void)buf_add_str(out, "…");
}

const char *types_describe_in(struct arena *arena, const literal_type *type)
{
	auto_buf struct buf text = BUF_INIT(DESCRIPTION_MAXIMUM + 8);
	types_describe(type, &text);
	return arena_strdup(arena, buf_text(&text));
}
