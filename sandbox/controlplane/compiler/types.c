/*
 * Who may feed whom. The rule is looked up by the kind of the downstream type: containers compare element by element,
 * blobs by format, datasets by columns, unions by variant; whatever remains (simple types, enums) must be the same.
 * Structs are the same when their JSON schemas, which flytekit puts in the metadata, say so. An upstream union of one
 * variant counts as that variant, but only at the places where Flyte unwraps it: at the top and within unions, not
 * within a list or a map.
 */
#include "controlplane/compiler/types.h"

#include "base/text.h"
#include "controlplane/compiler/json_schema.h"

#include <strings.h>

/* Comparisons of two types that one question may cost. Real types need fewer than a hundred. */
#define STEPS_MAXIMUM 200000u

typedef Flyteidl__Core__LiteralType literal_type;

static bool castable(const literal_type *upstream, const literal_type *downstream, unsigned *steps);
static bool casts_from(const literal_type *downstream, const literal_type *upstream, unsigned *steps);

static bool has_kind(const literal_type *type, Flyteidl__Core__LiteralType__TypeCase kind)
{
	return type && type->type_case == kind;
}

bool types_is_simple(const literal_type *type, Flyteidl__Core__SimpleType simple)
{
	return has_kind(type, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE) && type->simple == simple;
}

static bool is_none(const literal_type *type)
{
	return types_is_simple(type, FLYTEIDL__CORE__SIMPLE_TYPE__NONE);
}

/* Oneof members may be absent although their case is set; these give NULL for that, and for every other case. */
static const literal_type *collection_of(const literal_type *type)
{
	return has_kind(type, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE) ? type->collection_type : NULL;
}

static const literal_type *map_value_of(const literal_type *type)
{
	return has_kind(type, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE) ? type->map_value_type : NULL;
}

static const Flyteidl__Core__BlobType *blob_of(const literal_type *type)
{
	return has_kind(type, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB) ? type->blob : NULL;
}

static const Flyteidl__Core__SchemaType *schema_of(const literal_type *type)
{
	return has_kind(type, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SCHEMA) ? type->schema : NULL;
}

static const Flyteidl__Core__StructuredDatasetType *dataset_of(const literal_type *type)
{
	return has_kind(type, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_STRUCTURED_DATASET_TYPE)
	               ? type->structured_dataset_type
	               : NULL;
}

static const Flyteidl__Core__UnionType *union_of(const literal_type *type)
{
	return has_kind(type, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE) ? type->union_type : NULL;
}

static const Flyteidl__Core__EnumType *enum_of(const literal_type *type)
{
	return has_kind(type, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE) ? type->enum_type : NULL;
}

static const char *tag_of(const literal_type *type)
{
	return type && type->structure ? type->structure->tag : "";
}

bool types_is_optional(const literal_type *type)
{
	const Flyteidl__Core__UnionType *u = union_of(type);
	for (size_t i = 0; u && i < u->n_variants; i++)
		if (is_none(u->variants[i]))
			return true;
	return false;
}

static bool enums_equal(const Flyteidl__Core__EnumType *a, const Flyteidl__Core__EnumType *b)
{
	if (!a || !b || a->n_values != b->n_values)
		return a == b;
	for (size_t i = 0; i < a->n_values; i++)
		if (!text_equal(a->values[i], b->values[i]))
			return false;
	return true;
}

/* Simple types and enums, and types that nobody knows. */
static bool same_type(const literal_type *downstream, const literal_type *upstream)
{
	bool up_enum = has_kind(upstream, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE);
	bool down_enum = has_kind(downstream, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE);
	if (up_enum && types_is_simple(downstream, FLYTEIDL__CORE__SIMPLE_TYPE__STRING))
		return true;
	if (down_enum && types_is_simple(upstream, FLYTEIDL__CORE__SIMPLE_TYPE__STRING))
		return true;
	if (*tag_of(upstream) && !text_equal(tag_of(upstream), tag_of(downstream)))
		return false;
	if (types_is_simple(upstream, FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT) &&
	    types_is_simple(downstream, FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT))
		return !upstream->metadata || !downstream->metadata ||
		       json_schema_accepts(downstream->metadata, upstream->metadata);
	if (up_enum && down_enum)
		return enums_equal(enum_of(upstream), enum_of(downstream));
	Flyteidl__Core__LiteralType__TypeCase up_case =
	        upstream ? upstream->type_case : FLYTEIDL__CORE__LITERAL_TYPE__TYPE__NOT_SET;
	Flyteidl__Core__LiteralType__TypeCase down_case =
	        downstream ? downstream->type_case : FLYTEIDL__CORE__LITERAL_TYPE__TYPE__NOT_SET;
	if (up_case != down_case)
		return false;
	return up_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE || upstream->simple == downstream->simple;
}

static bool blob_casts_from(const Flyteidl__Core__BlobType *downstream, const Flyteidl__Core__BlobType *upstream)
{
	if (!upstream)
		return false;
	const char *from = upstream->format, *to = downstream ? downstream->format : "";
	return !*from || !*to || text_equal(from, to);
}

/* ---- datasets: the downstream columns must be among the upstream ones, with fitting types; no columns fit anything
 * ---- */

/* A schema column's type as the simple type of a structured dataset's column; -1 for a value that nobody knows. */
static int simple_of_column(Flyteidl__Core__SchemaType__SchemaColumn__SchemaColumnType type)
{
	switch (type) {
	case FLYTEIDL__CORE__SCHEMA_TYPE__SCHEMA_COLUMN__SCHEMA_COLUMN_TYPE__INTEGER:
		return FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER;
	case FLYTEIDL__CORE__SCHEMA_TYPE__SCHEMA_COLUMN__SCHEMA_COLUMN_TYPE__FLOAT:
		return FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT;
	case FLYTEIDL__CORE__SCHEMA_TYPE__SCHEMA_COLUMN__SCHEMA_COLUMN_TYPE__STRING:
		return FLYTEIDL__CORE__SIMPLE_TYPE__STRING;
	case FLYTEIDL__CORE__SCHEMA_TYPE__SCHEMA_COLUMN__SCHEMA_COLUMN_TYPE__BOOLEAN:
		return FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN;
	case FLYTEIDL__CORE__SCHEMA_TYPE__SCHEMA_COLUMN__SCHEMA_COLUMN_TYPE__DATETIME:
		return FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME;
	case FLYTEIDL__CORE__SCHEMA_TYPE__SCHEMA_COLUMN__SCHEMA_COLUMN_TYPE__DURATION:
		return FLYTEIDL__CORE__SIMPLE_TYPE__DURATION;
	default:
		return -1;
	}
}

static const Flyteidl__Core__SchemaType__SchemaColumn *schema_column(const Flyteidl__Core__SchemaType *schema,
                                                                     const char *name, unsigned *steps)
{
	for (size_t i = schema->n_columns; i-- > 0 && *steps;) {
		--*steps;
		if (text_equal(schema->columns[i]->name, name))
			return schema->columns[i];
	}
	return NULL;
}

static const Flyteidl__Core__StructuredDatasetType__DatasetColumn *
dataset_column(const Flyteidl__Core__StructuredDatasetType *dataset, const char *name, unsigned *steps)
{
	for (size_t i = dataset->n_columns; i-- > 0 && *steps;) {
		--*steps;
		if (text_equal(dataset->columns[i]->name, name))
			return dataset->columns[i];
	}
	return NULL;
}

static bool schema_from_schema(const Flyteidl__Core__SchemaType *down, const Flyteidl__Core__SchemaType *up,
                               unsigned *steps)
{
	for (size_t i = 0; up->n_columns && i < down->n_columns; i++) {
		const Flyteidl__Core__SchemaType__SchemaColumn *column =
		        schema_column(up, down->columns[i]->name, steps);
		if (!column || column->type != down->columns[i]->type)
			return false;
	}
	return true;
}

static bool schema_from_dataset(const Flyteidl__Core__SchemaType *down, const Flyteidl__Core__StructuredDatasetType *up,
                                unsigned *steps)
{
	for (size_t i = 0; up->n_columns && i < down->n_columns; i++) {
		const Flyteidl__Core__StructuredDatasetType__DatasetColumn *column =
		        dataset_column(up, down->columns[i]->name, steps);
		int simple = simple_of_column(down->columns[i]->type);
		if (!column || simple < 0 || !types_is_simple(column->literal_type, (Flyteidl__Core__SimpleType)simple))
			return false;
	}
	return true;
}

static bool dataset_from_schema(const Flyteidl__Core__StructuredDatasetType *down, const Flyteidl__Core__SchemaType *up,
                                unsigned *steps)
{
	for (size_t i = 0; up->n_columns && i < down->n_columns; i++) {
		const Flyteidl__Core__SchemaType__SchemaColumn *column =
		        schema_column(up, down->columns[i]->name, steps);
		int simple = column ? simple_of_column(column->type) : -1;
		if (simple < 0 || !types_is_simple(down->columns[i]->literal_type, (Flyteidl__Core__SimpleType)simple))
			return false;
	}
	return true;
}

static bool dataset_from_dataset(const Flyteidl__Core__StructuredDatasetType *down,
                                 const Flyteidl__Core__StructuredDatasetType *up, unsigned *steps)
{
	if (*up->format && *down->format && strcasecmp(up->format, down->format) != 0)
		return false;
	for (size_t i = 0; up->n_columns && i < down->n_columns; i++) {
		const Flyteidl__Core__StructuredDatasetType__DatasetColumn *column =
		        dataset_column(up, down->columns[i]->name, steps);
		if (!column || !casts_from(down->columns[i]->literal_type, column->literal_type, steps))
			return false;
	}
	return true;
}

/* A schema is always stored as parquet. */
static bool may_be_parquet(const Flyteidl__Core__StructuredDatasetType *dataset)
{
	return !dataset || !*dataset->format || strcasecmp(dataset->format, "parquet") == 0;
}

static bool is_dataset(const literal_type *type)
{
	return has_kind(type, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SCHEMA) ||
	       has_kind(type, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_STRUCTURED_DATASET_TYPE);
}

static bool schema_casts_from(const Flyteidl__Core__SchemaType *down, const literal_type *upstream, unsigned *steps)
{
	if (!is_dataset(upstream) || !may_be_parquet(dataset_of(upstream)))
		return false;
	if (!down || (!schema_of(upstream) && !dataset_of(upstream)))
		return true;
	return schema_of(upstream) ? schema_from_schema(down, schema_of(upstream), steps)
	                           : schema_from_dataset(down, dataset_of(upstream), steps);
}

static bool dataset_casts_from(const Flyteidl__Core__StructuredDatasetType *down, const literal_type *upstream,
                               unsigned *steps)
{
	if (is_none(upstream))
		return true; /* structured datasets are nullable */
	if (!is_dataset(upstream))
		return false;
	if (has_kind(upstream, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SCHEMA) && !may_be_parquet(down))
		return false;
	if (!down || (!schema_of(upstream) && !dataset_of(upstream)))
		return true;
	return schema_of(upstream) ? dataset_from_schema(down, schema_of(upstream), steps)
	                           : dataset_from_dataset(down, dataset_of(upstream), steps);
}

/* ---- unions ---- */

static bool union_casts_from(const Flyteidl__Core__UnionType *down, const literal_type *upstream, unsigned *steps)
{
	const Flyteidl__Core__UnionType *up = union_of(upstream);
	if (up) {
		for (size_t i = 0; i < up->n_variants; i++) {
			bool found = false;
			for (size_t j = 0; !found && j < down->n_variants; j++)
				found = castable(up->variants[i], down->variants[j], steps);
			if (!found)
				return false;
		}
		return true;
	}
	/* Exactly one variant: with two, nobody could tell which one the value is. */
	unsigned matches = 0;
	for (size_t j = 0; matches < 2 && j < down->n_variants; j++)
		matches += castable(upstream, down->variants[j], steps);
	return matches == 1;
}

/* An empty container, whose element type is NONE, fits every container of its kind. */
static bool element_casts_from(const literal_type *downstream, const literal_type *upstream, unsigned *steps)
{
	return upstream && (is_none(upstream) || casts_from(downstream, upstream, steps));
}

static bool casts_from(const literal_type *downstream, const literal_type *upstream, unsigned *steps)
{
	if (!*steps)
		return false;
	--*steps;
	switch (downstream ? downstream->type_case : FLYTEIDL__CORE__LITERAL_TYPE__TYPE__NOT_SET) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE:
		return element_casts_from(downstream->collection_type, collection_of(upstream), steps);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE:
		return element_casts_from(downstream->map_value_type, map_value_of(upstream), steps);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB:
		return blob_casts_from(downstream->blob, blob_of(upstream));
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SCHEMA:
		return schema_casts_from(downstream->schema, upstream, steps);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_STRUCTURED_DATASET_TYPE:
		return dataset_casts_from(downstream->structured_dataset_type, upstream, steps);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE:
		return downstream->union_type && union_casts_from(downstream->union_type, upstream, steps);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE:
		if (downstream->simple == FLYTEIDL__CORE__SIMPLE_TYPE__NONE)
			return is_none(upstream);
		return same_type(downstream, upstream);
	default:
		return same_type(downstream, upstream);
	}
}

static bool castable(const literal_type *upstream, const literal_type *downstream, unsigned *steps)
{
	const Flyteidl__Core__UnionType *up = union_of(upstream);
	if (up && up->n_variants == 1 && casts_from(downstream, up->variants[0], steps))
		return true;
	return casts_from(downstream, upstream, steps);
}

bool types_castable(const literal_type *upstream, const literal_type *downstream)
{
	unsigned steps = STEPS_MAXIMUM;
	return castable(upstream, downstream, &steps);
}
