#include "controlplane/compiler/interfaces.h"

#include "proto/message.h"

#include <string.h>

/* qsort is not stable: the order of adding is the second key. */
struct ordered_variable {
	struct variable variable;
	size_t order;
};

static int compare_ordered(const void *a, const void *b)
{
	const struct ordered_variable *x = a, *y = b;
	int order = strcmp(x->variable.name, y->variable.name);
	return order ? order : (x->order > y->order) - (x->order < y->order);
}

void variables_sort(struct variables *variables)
{
	if (variables->count < 2)
		return;
	auto_free struct ordered_variable *ordered = xcalloc(variables->count, sizeof(*ordered));
	for (size_t i = 0; i < variables->count; i++)
		ordered[i] = (struct ordered_variable){ .variable = variables->items[i], .order = i };
	qsort(ordered, variables->count, sizeof(*ordered), compare_ordered);
	size_t kept = 0;
	for (size_t i = 0; i < variables->count; i++) {
		if (kept && strcmp(variables->items[kept - 1].name, ordered[i].variable.name) == 0)
			kept--;
		variables->items[kept++] = ordered[i].variable;
	}
	variables->count = kept;
}

struct variables variables_of(struct arena *arena, const Flyteidl__Core__VariableMap *map)
{
	struct variables variables = { 0 };
	if (!map || !map->n_variables)
		return variables;
	variables.count = map->n_variables;
	variables.items = arena_array(arena, struct variable, map->n_variables);
	for (size_t i = 0; i < map->n_variables; i++) {
		const Flyteidl__Core__VariableMap__VariablesEntry *entry = map->variables[i];
		variables.items[i].name = entry->key;
		variables.items[i].type = entry->value ? entry->value->type : NULL;
	}
	variables_sort(&variables);
	return variables;
}

static int compare_to_name(const void *name, const void *variable)
{
	return strcmp(name, ((const struct variable *)variable)->name);
}

const struct variable *variables_find(const struct variables *variables, const char *name)
{
	if (!variables->count)
		return NULL;
	return bsearch(name, variables->items, variables->count, sizeof(*variables->items), compare_to_name);
}

int identifier_compare(const Flyteidl__Core__Identifier *a, const Flyteidl__Core__Identifier *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	int order = strcmp(a->project, b->project);
	if (!order)
		order = strcmp(a->domain, b->domain);
	if (!order)
		order = strcmp(a->name, b->name);
	if (!order)
		order = strcmp(a->version, b->version);
	return order ? order : strcmp(a->org, b->org);
}

const char *identifier_text(struct arena *arena, const Flyteidl__Core__Identifier *id)
{
	if (!id)
		return "(no id)";
	return arena_printf(arena, "%.100s:%.100s:%.300s:%.300s", id->project, id->domain, id->name, id->version);
}

void identifier_index_add(struct arena *arena, struct identifier_index *index, const Flyteidl__Core__Identifier *id,
                          size_t position)
{
	struct identified entry = { .id = id, .position = position };
	proto_append(arena, index->count, index->items, entry);
}

static int compare_identified(const void *a, const void *b)
{
	const struct identified *x = a, *y = b;
	int order = identifier_compare(x->id, y->id);
	return order ? order : (x->position > y->position) - (x->position < y->position);
}

const Flyteidl__Core__Identifier *identifier_index_sort(struct identifier_index *index)
{
	const Flyteidl__Core__Identifier *duplicate = NULL;
	if (index->count < 2)
		return duplicate;
	qsort(index->items, index->count, sizeof(*index->items), compare_identified);
	size_t kept = 1;
	for (size_t i = 1; i < index->count; i++) {
		if (identifier_compare(index->items[kept - 1].id, index->items[i].id) != 0)
			index->items[kept++] = index->items[i];
		else if (!duplicate)
			duplicate = index->items[i].id;
	}
	index->count = kept;
	return duplicate;
}

static int compare_to_identifier(const void *id, const void *identified)
{
	return identifier_compare(id, ((const struct identified *)identified)->id);
}

long identifier_index_find(const struct identifier_index *index, const Flyteidl__Core__Identifier *id)
{
	const struct identified *found =
	        index->count ? bsearch(id, index->items, index->count, sizeof(*index->items), compare_to_identifier)
	                     : NULL;
	return found ? (long)found->position : -1;
}
