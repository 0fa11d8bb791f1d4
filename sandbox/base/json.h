/*
 * Glue over jansson: cleanup, bounded parsing with an error that names the place, and lookups by path that never crash on a
 * missing or wrongly typed value. Values returned by lookups are borrowed.
 */
#ifndef SANDBOX_BASE_JSON_H
#define SANDBOX_BASE_JSON_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

void cleanup_json(json_t **value);
#define auto_json __attribute__((cleanup(cleanup_json)))

/* Returns a new reference, NULL with `e` set when malformed. `subject` names the source in the message. */
json_t *json_parse(const char *bytes, size_t length, const char *subject, struct err *e);
/* Compact text; free with free(). */
char *json_to_text(const json_t *value);

/* `path` is object keys joined by '/': json_lookup(pod, "status/containerStatuses"). NULL when any step is missing. */
json_t *json_lookup(const json_t *value, const char *path);
/* The string there, else `fallback`. */
const char *json_string_at(const json_t *value, const char *path, const char *fallback);
json_int_t json_integer_at(const json_t *value, const char *path, json_int_t fallback);
bool json_boolean_at(const json_t *value, const char *path, bool fallback);

#endif
