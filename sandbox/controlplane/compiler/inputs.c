#include "controlplane/compiler/inputs.h"

#include "controlplane/compiler/types.h"
#include "proto/message.h"

#include <string.h>

#define INVALID_INPUT "invalid-input"

/* Map entries sorted by key; of a key that occurs twice the last entry counts, as in every protobuf map. */
struct entry {
	const char *key;
	size_t order;
	Flyteidl__Core__Literal *literal;
	const Flyteidl__Core__Parameter *parameter;
};
struct entries {
	size_t count;
	struct entry *items;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->key, y->key);
	return order ? order : (x->order < y->order) - (x->order > y->order); /* later ones first */
}

static void sort_entries(struct entries *entries)
{
	if (entries->count < 2)
		return;
	qsort(entries->items, entries->count, sizeof(*entries->items), compare_entries);
	size_t kept = 1;
	for (size_t i = 1; i < entries->count; i++)
		if (strcmp(entries->items[kept - 1].key, entries->items[i].key) != 0)
			entries->items[kept++] = entries->items[i];
	entries->count = kept;
}

static int compare_to_key(const void *key, const void *entry)
{
	return strcmp(key, ((const struct entry *)entry)->key);
}

static const struct entry *find(const struct entries *entries, const char *key)
{
	if (!entries->count)
		return NULL;
	return bsearch(key, entries->items, entries->count, sizeof(*entries->items), compare_to_key);
}

static struct entries entries_of_literals(struct arena *arena, const Flyteidl__Core__LiteralMap *map)
{
	struct entries entries = { 0 };
	entries.items = arena_array(arena, struct entry, map ? map->n_literals : 0);
	for (size_t i = 0; map && i < map->n_literals; i++)
		entries.items[entries.count++] =
		        (struct entry){ .key = map->literals[i]->key, .order = i, .literal = map->literals[i]->value };
	sort_entries(&entries);
	return entries;
}

static struct entries entries_of_parameters(struct arena *arena, const Flyteidl__Core__ParameterMap *map)
{
	struct entries entries = { 0 };
	entries.items = arena_array(arena, struct entry, map ? map->n_parameters : 0);
	for (size_t i = 0; map && i < map->n_parameters; i++)
		entries.items[entries.count++] = (struct entry){ .key = map->parameters[i]->key,
			                                         .order = i,
			                                         .parameter = map->parameters[i]->value };
	sort_entries(&entries);
	return entries;
}

static void add(struct arena *arena, Flyteidl__Core__LiteralMap *map, const char *key, Flyteidl__Core__Literal *literal)
{
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry = (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
	        arena, &flyteidl__core__literal_map__literals_entry__descriptor);
	entry->key = arena_strdup(arena, key);
	entry->value = literal ? literal : proto_new(arena, flyteidl__core__literal);
	proto_append(arena, map->n_literals, map->literals, entry);
}

/* A type is known when it says what it is down to the innermost element. */
static bool is_known(const Flyteidl__Core__LiteralType *type)
{
	while (type && (type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE ||
	                type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE))
		type = type->collection_type;
	return type;
}

static int check_type(struct arena *arena, const char *name, const Flyteidl__Core__Parameter *parameter,
                      const Flyteidl__Core__Literal *literal, struct err *e)
{
	const Flyteidl__Core__LiteralType *given = types_of_literal(arena, literal);
	const Flyteidl__Core__LiteralType *expected = parameter && parameter->var ? parameter->var->type : NULL;
	if (!is_known(given))
		return err_set(e, ERR_INVALID, INVALID_INPUT,
		               "Failed to validate literal type for [%s] with err: the value does not say its type",
		               name);
	if (types_accept_literal(expected, literal))
		return 0;
	bool content = types_castable(given, expected);
	return err_set(e, ERR_INVALID, INVALID_INPUT, "invalid %s input wrong type. Expected %s, but got %s%s", name,
	               types_describe_in(arena, expected), types_describe_in(arena, given),
	               content ? " with a value that is not allowed" : "");
}

static int add_expected(struct arena *arena, const struct entries *expected, const struct entries *given,
                        Flyteidl__Core__LiteralMap *map, struct err *e)
{
	for (size_t i = 0; i < expected->count; i++) {
		const char *name = expected->items[i].key;
		const Flyteidl__Core__Parameter *parameter = expected->items[i].parameter;
		const struct entry *value = find(given, name);
		if (value) {
			if (check_type(arena, name, parameter, value->literal, e) < 0)
				return -1;
			add(arena, map, name, value->literal);
			continue;
		}
		Flyteidl__Core__Parameter__BehaviorCase behavior =
		        parameter ? parameter->behavior_case : FLYTEIDL__CORE__PARAMETER__BEHAVIOR__NOT_SET;
		if (behavior == FLYTEIDL__CORE__PARAMETER__BEHAVIOR_REQUIRED && parameter->required)
			return err_set(e, ERR_INVALID, INVALID_INPUT, "expected_inputs %s missing", name);
		if (behavior == FLYTEIDL__CORE__PARAMETER__BEHAVIOR_DEFAULT && parameter->default_)
			add(arena, map, name, parameter->default_);
	}
	return 0;
}

Flyteidl__Core__LiteralMap *inputs_merge(struct arena *arena, const Flyteidl__Core__ParameterMap *expected,
                                         const Flyteidl__Core__LiteralMap *fixed,
                                         const Flyteidl__Core__LiteralMap *given, struct err *e)
{
	struct entries expected_entries = entries_of_parameters(arena, expected);
	struct entries given_entries = entries_of_literals(arena, given);
	struct entries fixed_entries = entries_of_literals(arena, fixed);
	Flyteidl__Core__LiteralMap *map = proto_new(arena, flyteidl__core__literal_map);
	for (size_t i = 0; i < given_entries.count; i++) {
		const char *name = given_entries.items[i].key;
		if (find(&expected_entries, name))
			continue;
		if (find(&fixed_entries, name))
			err_set(e, ERR_INVALID, INVALID_INPUT, "fixed_inputs %s cannot be overridden", name);
		else
			err_set(e, ERR_INVALID, INVALID_INPUT, "invalid input %s", name);
		return NULL;
	}
	if (add_expected(arena, &expected_entries, &given_entries, map, e) < 0)
		return NULL;
	for (size_t i = 0; i < fixed_entries.count; i++) {
		if (find(&expected_entries, fixed_entries.items[i].key)) {
			err_set(e, ERR_INVALID, INVALID_INPUT, "fixed_inputs %s cannot be overridden",
			        fixed_entries.items[i].key);
			return NULL;
		}
		add(arena, map, fixed_entries.items[i].key, fixed_entries.items[i].literal);
	}
	return map;
}
