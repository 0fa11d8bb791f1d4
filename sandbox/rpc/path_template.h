/*
 * The path templates of google.api.http (https://google.aip.dev/127): "/api/v1/tasks/{id.project}/{id.domain}". A
 * variable matches one segment, `{name=**}` at the end matches the rest. Other patterns inside a variable, and ":verb"
 * suffixes, do not occur in Flyte and are refused, so that a template is never matched differently from what it says.
 */
#ifndef SANDBOX_RPC_PATH_TEMPLATE_H
#define SANDBOX_RPC_PATH_TEMPLATE_H

#include "base/err.h"

#include <stdbool.h>

#define PATH_SEGMENTS_MAXIMUM 32

struct path_segment {
	char *text; /* literal, or the variable's field path; owned */
	bool variable;
	bool rest; /* {name=**} */
};

struct path_template {
	struct path_segment segments[PATH_SEGMENTS_MAXIMUM];
	size_t count;
};

/* Percent-decoded values of the variables, in the order of the template. */
struct path_values {
	char *values[PATH_SEGMENTS_MAXIMUM];
	size_t count;
};

int path_template_parse(const char *text, struct path_template *ret_template, struct err *e);
void path_template_release(struct path_template *t);

/* True when `path` (as received, still encoded) matches. Release the values in that case. `ret_values` may be NULL. */
bool path_template_match(const struct path_template *t, const char *path, struct path_values *ret_values);
void path_values_release(struct path_values *values);

/* < 0 when `a` is the more specific one: literals before variables, from the left. */
int path_template_compare(const struct path_template *a, const struct path_template *b);

/*
 * Decodes %XX (and '+' as space when `plus`) in place of a copy; NULL when malformed or when it yields a NUL. Free with
 * free().
 */
char *path_percent_decode(const char *text, size_t length, bool plus);

#endif
