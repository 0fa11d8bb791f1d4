/*
 * The variable that a promise names: "name" for an output, or "[3].name" for one element of an output that is a list
 * (array nodes). Used by the compile step for the type and at run time for the value.
 */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_PROMISE_H
#define SANDBOX_CONTROLPLANE_COMPILER_PROMISE_H

#include <stdbool.h>
#include <stddef.h>

struct promise_variable {
	const char *name; /* within the parsed text */
	bool has_index;
	size_t index;
};

/* False when the text is empty or has a bracket anywhere but in a leading "[digits].". */
bool promise_variable_parse(const char *text, struct promise_variable *ret_variable);

#endif
