/*
 * YAML as JSON. A document is read into jansson values by the core schema of YAML 1.2 (§10.3): plain null, booleans,
 * integers and floats get their types, everything else — quoted, "yes", "0123", dates — stays text. What could make a
 * small file large or strange is refused rather than interpreted: more than YAML_NODES_MAXIMUM nodes once aliases are
 * expanded, aliases to something that is still open, nesting deeper than YAML_DEPTH_MAXIMUM, keys that are not scalars
 * or come twice, merge keys ("<<"), NUL characters, a second document. Library sandbox::yaml (libyaml).
 */
#ifndef SANDBOX_BASE_YAML_H
#define SANDBOX_BASE_YAML_H

#include "base/json.h"

#define YAML_INPUT_MAXIMUM ((size_t)8 * 1024 * 1024)
#define YAML_NODES_MAXIMUM ((size_t)100000)
#define YAML_DEPTH_MAXIMUM 64

/*
 * Returns a new reference; NULL with ERR_INVALID ("malformed-yaml") whose message names `subject`, line and column. An
 * empty document is JSON null. No two places of the result share a value, so it may be changed freely.
 */
json_t *yaml_parse(const char *bytes, size_t length, const char *subject, struct err *e);

/* Where in the text the members of mappings and the elements of sequences stand, for messages about their values. */
struct yaml_place {
	char *key;     /* of the member; an element's index in decimal */
	size_t parent; /* index + 1 of the place that it is a part of; 0: the document */
	size_t line;   /* from 1 */
};
struct yaml_places {
	struct yaml_place *list;
	size_t count;
};
/* clang-format off */
#define YAML_PLACES_INIT { .list = NULL }
/* clang-format on */
#define auto_yaml_places __attribute__((cleanup(yaml_places_release)))
void yaml_places_release(struct yaml_places *places);
/* As yaml_parse; the places are added to `places`, which stays good without the value. */
json_t *yaml_parse_places(const char *bytes, size_t length, const char *subject, struct yaml_places *places,
                          struct err *e);
/* The line of what is reached by these keys, or of as far as they lead (an alias has no insides); 1 at least. */
size_t yaml_line_of(const struct yaml_places *places, const char *const *keys, size_t count);

/*
 * Appends `value` in block style, keys in the object's own order; text that any YAML version could take for something
 * else is quoted. yaml_parse of the result equals `value`. ERR_EXHAUSTED when the buffer's maximum is too small;
 * ERR_INVALID when nested too deep.
 */
int yaml_print(const json_t *value, struct buf *out, struct err *e);

#endif
