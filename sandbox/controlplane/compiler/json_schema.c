/*
 * A comparison of two schemas keyword by keyword, over the protobuf Struct that holds them. Keywords whose meaning
 * cannot be compared structurally (additionalProperties, not, dependencies, patternProperties, exclusive bounds) are
 * left out of account, as Flyte does. Recursive classes refer to themselves; a pair of schemas that is already being
 * compared further up counts as fitting, which is what it means for two recursive types to be alike.
 */
#include "controlplane/compiler/json_schema.h"

#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stddef.h>

typedef Google__Protobuf__Value json;
typedef Google__Protobuf__Struct object;

#define STEPS_MAXIMUM 500000u
#define REFERENCES_MAXIMUM 32
#define DEPTH_MAXIMUM 64

/* A schema is an object, or `true`/`false`, which are NULL here: they say nothing that is compared. */
struct comparison {
	const object *target_root, *source_root;
	unsigned steps; /* left */
	unsigned depth;
	struct pair {
		const object *target, *source;
	} stack[DEPTH_MAXIMUM];
};

static bool fits(struct comparison *c, const object *target, const object *source);

static bool spend(struct comparison *c)
{
	if (!c->steps)
		return false;
	c->steps--;
	return true;
}

static const json *member_of(struct comparison *c, const object *in, const char *key)
{
	for (size_t i = in ? in->n_fields : 0; i-- > 0 && spend(c);)
		if (text_equal(in->fields[i]->key, key))
			return in->fields[i]->value;
	return NULL;
}

static const object *object_in(const json *value)
{
	return value && value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE ? value->struct_value : NULL;
}

static const Google__Protobuf__ListValue *list_in(const json *value)
{
	return value && value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE ? value->list_value : NULL;
}

static const char *string_in(const json *value)
{
	return value && value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE ? value->string_value : NULL;
}

static bool number_in(const json *value, double *ret_number)
{
	if (!value || value->kind_case != GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE)
		return false;
	*ret_number = value->number_value;
	return true;
}

/* ---- equality of JSON values ---- */

static bool equal(struct comparison *c, const json *a, const json *b);

static bool objects_equal(struct comparison *c, const object *a, const object *b)
{
	size_t count = a ? a->n_fields : 0;
	if (count != (b ? b->n_fields : 0))
		return false;
	for (size_t i = 0; i < count; i++) {
		const json *other = member_of(c, b, a->fields[i]->key);
		if (!other || !equal(c, a->fields[i]->value, other))
			return false;
	}
	return true;
}

static bool lists_equal(struct comparison *c, const Google__Protobuf__ListValue *a,
                        const Google__Protobuf__ListValue *b)
{
	size_t count = a ? a->n_values : 0;
	if (count != (b ? b->n_values : 0))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!equal(c, a->values[i], b->values[i]))
			return false;
	return true;
}

static bool numbers_equal(double a, double b)
{
	return !(a < b) && !(a > b);
}

static bool equal(struct comparison *c, const json *a, const json *b)
{
	if (!spend(c) || !a || !b || a->kind_case != b->kind_case)
		return false;
	switch (a->kind_case) {
	case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
		return numbers_equal(a->number_value, b->number_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
		return text_equal(a->string_value, b->string_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
		return a->bool_value == b->bool_value;
	case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
		return objects_equal(c, a->struct_value, b->struct_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
		return lists_equal(c, a->list_value, b->list_value);
	default:
		return true; /* null */
	}
}

/* ---- references ---- */

/* "#/a/b" walked from the root; NULL where it leads nowhere or out of the document. */
static const object *follow(struct comparison *c, const object *root, const char *reference)
{
	if (*reference++ != '#')
		return NULL;
	const object *here = root;
	while (here && *reference == '/') {
		char key[256];
		size_t length = 0;
		for (reference++; *reference && *reference != '/' && length < sizeof(key) - 1; reference++) {
			char byte = *reference;
			if (byte == '~' && (reference[1] == '0' || reference[1] == '1'))
				byte = *++reference == '0' ? '~' : '/';
			key[length++] = byte;
		}
		key[length] = '\0';
		here = *reference && *reference != '/' ? NULL : object_in(member_of(c, here, key));
	}
	return here && !*reference ? here : NULL;
}

/* The schema that this one stands for; false when a reference is broken or goes in circles. */
static bool resolve(struct comparison *c, const object *root, const object **schema)
{
	for (int i = 0; i < REFERENCES_MAXIMUM && *schema; i++) {
		const char *reference = string_in(member_of(c, *schema, "$ref"));
		if (!reference)
			return true;
		*schema = follow(c, root, reference);
		if (!*schema)
			return false;
	}
	return !*schema;
}

/* ---- keywords ---- */

/* Whether "type", a name or a list of names, has this one. */
static bool has_type(struct comparison *c, const object *schema, const char *name)
{
	const json *type = member_of(c, schema, "type");
	if (string_in(type))
		return text_equal(string_in(type), name);
	const Google__Protobuf__ListValue *list = list_in(type);
	for (size_t i = 0; list && i < list->n_values && spend(c); i++)
		if (string_in(list->values[i]) && text_equal(string_in(list->values[i]), name))
			return true;
	return false;
}

static const char *const json_types[] = { "array", "boolean", "integer", "null", "number", "object", "string" };

static bool has_any_type(struct comparison *c, const object *schema)
{
	for (size_t i = 0; i < ARRAY_LENGTH(json_types); i++)
		if (has_type(c, schema, json_types[i]))
			return true;
	return false;
}

/* The same types on both sides; a target that names none takes objects. */
static bool types_fit(struct comparison *c, const object *target, const object *source, bool target_is_typed)
{
	for (size_t i = 0; i < ARRAY_LENGTH(json_types); i++) {
		bool in_target = has_type(c, target, json_types[i]), in_source = has_type(c, source, json_types[i]);
		if (!target_is_typed && text_equal(json_types[i], "object"))
			continue;
		if (in_target != in_source)
			return false;
	}
	return true;
}

/* A lower bound of the target must be there in the source, at least as high; an upper bound at least as low. */
static bool bound_fits(struct comparison *c, const object *target, const object *source, const char *keyword,
                       bool lower)
{
	double asked, given;
	if (!number_in(member_of(c, target, keyword), &asked))
		return true;
	if (!number_in(member_of(c, source, keyword), &given))
		return false;
	return lower ? given >= asked : given <= asked;
}

static bool same_string(struct comparison *c, const object *target, const object *source, const char *keyword)
{
	return text_equal(string_in(member_of(c, target, keyword)), string_in(member_of(c, source, keyword)));
}

static bool list_has(struct comparison *c, const Google__Protobuf__ListValue *list, const json *value)
{
	for (size_t i = 0; list && i < list->n_values; i++)
		if (equal(c, list->values[i], value))
			return true;
	return false;
}

/* Every element of `part` is in `whole`. */
static bool list_covers(struct comparison *c, const Google__Protobuf__ListValue *whole,
                        const Google__Protobuf__ListValue *part)
{
	for (size_t i = 0; part && i < part->n_values; i++)
		if (!list_has(c, whole, part->values[i]))
			return false;
	return true;
}

static bool strings_fit(struct comparison *c, const object *target, const object *source)
{
	const Google__Protobuf__ListValue *allowed = list_in(member_of(c, target, "enum"));
	if (allowed && !list_covers(c, allowed, list_in(member_of(c, source, "enum"))))
		return false;
	if (string_in(member_of(c, target, "pattern")) && !same_string(c, target, source, "pattern"))
		return false;
	return same_string(c, target, source, "format") && bound_fits(c, target, source, "maxLength", false) &&
	       bound_fits(c, target, source, "minLength", true);
}

static bool numbers_fit(struct comparison *c, const object *target, const object *source)
{
	double asked, given;
	if (number_in(member_of(c, target, "multipleOf"), &asked)) {
		if (!number_in(member_of(c, source, "multipleOf"), &given) || !(asked > 0) ||
		    !numbers_equal(fmod(given, asked), 0))
			return false;
	}
	return bound_fits(c, target, source, "maximum", false) && bound_fits(c, target, source, "minimum", true);
}

/* "items" is one schema for all elements, or a list with one for each. */
static bool items_fit(struct comparison *c, const json *target, const json *source)
{
	if (!target)
		return true;
	if (!source)
		return false;
	const Google__Protobuf__ListValue *target_list = list_in(target), *source_list = list_in(source);
	if (!target_list && !source_list)
		return fits(c, object_in(target), object_in(source));
	if (!target_list || !source_list || target_list->n_values != source_list->n_values)
		return false;
	for (size_t i = 0; i < target_list->n_values; i++)
		if (!fits(c, object_in(target_list->values[i]), object_in(source_list->values[i])))
			return false;
	return true;
}

static bool is_true(const json *value)
{
	return value && value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE && value->bool_value;
}

static bool arrays_fit(struct comparison *c, const object *target, const object *source)
{
	return bound_fits(c, target, source, "minItems", true) && bound_fits(c, target, source, "maxItems", false) &&
	       items_fit(c, member_of(c, target, "items"), member_of(c, source, "items")) &&
	       (!is_true(member_of(c, target, "uniqueItems")) || is_true(member_of(c, source, "uniqueItems")));
}

/* if, then, else: on both sides or on none. */
static bool conditional_fits(struct comparison *c, const object *target, const object *source, const char *keyword)
{
	const json *asked = member_of(c, target, keyword), *given = member_of(c, source, keyword);
	if (!asked && !given)
		return true;
	return asked && given && fits(c, object_in(asked), object_in(given));
}

static bool objects_fit(struct comparison *c, const object *target, const object *source)
{
	if (!list_covers(c, list_in(member_of(c, source, "required")), list_in(member_of(c, target, "required"))))
		return false;
	if (!bound_fits(c, target, source, "minProperties", true) ||
	    !bound_fits(c, target, source, "maxProperties", false))
		return false;
	if (!conditional_fits(c, target, source, "if") || !conditional_fits(c, target, source, "then") ||
	    !conditional_fits(c, target, source, "else"))
		return false;
	const object *asked = object_in(member_of(c, target, "properties"));
	const object *given = object_in(member_of(c, source, "properties"));
	for (size_t i = 0; asked && i < asked->n_fields; i++) {
		const json *property = member_of(c, given, asked->fields[i]->key);
		if (!property || !fits(c, object_in(asked->fields[i]->value), object_in(property)))
			return false;
	}
	return true;
}

/* allOf, anyOf, oneOf: what the source lists must each have a counterpart in the target, and both must have the keyword
 * or none. */
static bool alternatives_fit(struct comparison *c, const object *target, const object *source, const char *keyword)
{
	const Google__Protobuf__ListValue *asked = list_in(member_of(c, target, keyword));
	const Google__Protobuf__ListValue *given = list_in(member_of(c, source, keyword));
	size_t asked_count = asked ? asked->n_values : 0, given_count = given ? given->n_values : 0;
	if (!asked_count || !given_count)
		return asked_count == given_count;
	for (size_t i = 0; i < given_count; i++) {
		bool match = false;
		for (size_t j = 0; !match && j < asked_count; j++)
			match = fits(c, object_in(asked->values[j]), object_in(given->values[i]));
		if (!match)
			return false;
	}
	return true;
}

static bool keywords_fit(struct comparison *c, const object *target, const object *source)
{
	bool typed = has_any_type(c, target);
	if (!types_fit(c, target, source, typed))
		return false;
	if (has_type(c, target, "string") && !strings_fit(c, target, source))
		return false;
	if (has_type(c, target, "number") && !numbers_fit(c, target, source))
		return false;
	if (has_type(c, target, "array") && !arrays_fit(c, target, source))
		return false;
	if ((!typed || has_type(c, target, "object")) && !objects_fit(c, target, source))
		return false;
	const json *constant = member_of(c, target, "const");
	if (constant && !equal(c, constant, member_of(c, source, "const")))
		return false;
	return alternatives_fit(c, target, source, "allOf") && alternatives_fit(c, target, source, "anyOf") &&
	       alternatives_fit(c, target, source, "oneOf");
}

static bool fits(struct comparison *c, const object *target, const object *source)
{
	if (!spend(c) || !resolve(c, c->target_root, &target) || !resolve(c, c->source_root, &source))
		return false;
	for (unsigned i = 0; i < c->depth; i++)
		if (c->stack[i].target == target && c->stack[i].source == source)
			return true;
	if (c->depth == DEPTH_MAXIMUM)
		return false;
	c->stack[c->depth++] = (struct pair){ .target = target, .source = source };
	bool result = keywords_fit(c, target, source);
	c->depth--;
	return result && c->steps;
}

bool json_schema_accepts(const object *target, const object *source)
{
	struct comparison c = { .target_root = target, .source_root = source, .steps = STEPS_MAXIMUM };
	if (objects_equal(&c, target, source) && c.steps)
		return true;
	c.steps = STEPS_MAXIMUM;
	return fits(&c, target, source);
}
