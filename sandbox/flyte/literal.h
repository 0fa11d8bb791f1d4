/*
 * Flyte values and plain ones (JSON, as YAML is read by base/yaml.h): what people write into an execution file becomes
 * literals by the types of the interface, and literals become what people read. Rules: flyteidl/clients/go/coreutils
 * (literals.go, extract_literal.go) at v1.16.8, as flytectl uses them. Pure.
 *
 * Where flytectl loses something, this does not: text keeps its spaces, integers of a struct stay integers, and a union
 * takes the variant that the value has the form of before one that it could be converted to ("5" is text for
 * `int | str`, null is nothing for `Optional[str]`).
 */
#ifndef SANDBOX_FLYTE_LITERAL_H
#define SANDBOX_FLYTE_LITERAL_H

#include "base/arena.h"
#include "base/json.h"

#include "flyteidl/core/literals.pb-c.h"
#include "flyteidl/core/types.pb-c.h"

/* In the arena, sharing `type`. NULL with ERR_INVALID ("bad-input") that says what was expected. */
Flyteidl__Core__Literal *literal_from_json(struct arena *arena, Flyteidl__Core__LiteralType *type, const json_t *value,
                                           struct err *e);
/* What stands in a generated execution file where nothing has a default: 0, "", false, {} …; the first variant of a
 * union, one element in a list. NULL with ERR_UNSUPPORTED for a type that has none. `now_seconds` is for datetimes. */
Flyteidl__Core__Literal *literal_default(struct arena *arena, Flyteidl__Core__LiteralType *type, int64_t now_seconds,
                                         struct err *e);
/* A new reference; NULL with ERR_UNSUPPORTED for what has no plain form. Offloaded literals give their URI. */
json_t *literal_to_json(struct arena *arena, const Flyteidl__Core__Literal *literal, struct err *e);

#endif
