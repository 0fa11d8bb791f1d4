/*
 * Lookups by name in what the compile step has to search again and again: the variables of an interface, and tasks,
 * launch plans and sub-workflows by their identifiers. An index is a sorted array in the arena; keys and values are
 * borrowed.
 */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_INTERFACES_H
#define SANDBOX_CONTROLPLANE_COMPILER_INTERFACES_H

#include "base/arena.h"

#include "flyteidl/core/identifier.pb-c.h"
#include "flyteidl/core/interface.pb-c.h"

#include <stdbool.h>

struct variable {
	const char *name;
	const Flyteidl__Core__LiteralType *type; /* NULL when the interface does not say */
};

/* Sorted by name, names unique. */
struct variables {
	size_t count;
	struct variable *items;
};

/* Of a name that occurs twice the last one counts, as in every protobuf map. */
struct variables variables_of(struct arena *arena, const Flyteidl__Core__VariableMap *map);
/* Sorts what was appended by hand, in place, and drops all but the last of each name. */
void variables_sort(struct variables *variables);
const struct variable *variables_find(const struct variables *variables, const char *name);

/* Orders by project, domain, name, version and organisation; not by resource type, because each index holds one kind of
 * thing. */
int identifier_compare(const Flyteidl__Core__Identifier *a, const Flyteidl__Core__Identifier *b);
/* "project:domain:name:version", or "(no id)" for NULL. */
const char *identifier_text(struct arena *arena, const Flyteidl__Core__Identifier *id);

struct identifier_index {
	size_t count;
	struct identified {
		const Flyteidl__Core__Identifier *id;
		size_t position; /* what the caller gave with it: an index into an array of its own */
	} * items;
};

void identifier_index_add(struct arena *arena, struct identifier_index *index, const Flyteidl__Core__Identifier *id,
                          size_t position);
/* To be called once after the last add. Returns the first duplicate's id (the first added of each stays), or NULL. */
const Flyteidl__Core__Identifier *identifier_index_sort(struct identifier_index *index);
/* The position, or -1. */
long identifier_index_find(const struct identifier_index *index, const Flyteidl__Core__Identifier *id);

#endif
