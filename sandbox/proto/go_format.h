/*
 * Values as Go prints them, because that is what users see where a command refers to {{.inputs.x}} (flyteplugins'
 * template package formats with fmt's %v, RFC 3339 and Go durations). Pure; results in the
 * arena.
 */
#ifndef SANDBOX_PROTO_GO_FORMAT_H
#define SANDBOX_PROTO_GO_FORMAT_H

#include "base/arena.h"
#include "base/err.h"

#include "flyteidl/core/literals.pb-c.h"

/* %v of a float64: the shortest digits that read back; exponent form below 1e-4 and from 1e+06 on. */
char *go_format_float(struct arena *arena, double value);
/* time.Duration's String(): "1h0m0s", "1.5s", "0s". */
char *go_format_duration(struct arena *arena, int64_t seconds, int32_t nanoseconds);
/* RFC 3339 in UTC with as many fraction digits as needed. */
char *go_format_time(struct arena *arena, int64_t seconds, int32_t nanoseconds);
/* What users read and write as text; NULL when it has no value. Floats as go_format_float gives them, or without an
 * exponent, as strconv's 'f' with the shortest digits. */
enum go_float { GO_FLOAT_SHORTEST, GO_FLOAT_PLAIN };
char *go_format_primitive(struct arena *arena, const Flyteidl__Core__Primitive *primitive, enum go_float floats);
/* A literal inside of a command; NULL with ERR_INVALID where it has no textual form. Lists are "[a,b]", blobs and
 * datasets their URI. */
char *go_format_literal(struct arena *arena, const Flyteidl__Core__Literal *literal, struct err *e);

#endif
