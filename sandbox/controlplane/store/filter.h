/*
 * The filter grammar of Flyte's List RPCs as text in, terms out; what a field means is the business of store/list. Pure.
 *
 *	filters  = term *( "+" term )
 *	term     = function "(" field "," [ " " ] value ")"
 *	value    = any text; for functions that take a list, items separated by ";"
 *
 * A '+' separates terms only where it follows a ')' and a function name with '(' follows it, so that values may contain '+'.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_FILTER_H
#define SANDBOX_CONTROLPLANE_STORE_FILTER_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum filter_function {
	FILTER_CONTAINS,
	FILTER_NOT_LIKE,
	FILTER_GT,
	FILTER_GTE,
	FILTER_LT,
	FILTER_LTE,
	FILTER_EQ,
	FILTER_NE,
	FILTER_VALUE_IN,
	FILTER_VALUE_NOT_IN,
	FILTER_FUNCTION_COUNT
};

/* Strings in the arena. */
struct filter_term {
	enum filter_function function;
	const char *field; /* with its entity prefix, if any */
	const char **values;
	size_t value_count; /* 1, or more for value_in and value_not_in */
};

#define FILTER_TEXT_MAXIMUM ((size_t)64 * 1024)
#define FILTER_TERM_MAXIMUM ((size_t)64)
#define FILTER_VALUE_MAXIMUM ((size_t)1024)

/* ERR_INVALID "invalid value for filters" and its more precise relatives. `text` "" gives no term. */
int filter_parse(struct arena *arena, const char *text, struct filter_term **ret_terms, size_t *ret_count,
                 struct err *e);

/* RFC 3339; also a date alone, and a time without offset, which is UTC. Nanoseconds since the Unix epoch. */
bool filter_parse_time(const char *text, int64_t *ret_wall_ns);

#endif
