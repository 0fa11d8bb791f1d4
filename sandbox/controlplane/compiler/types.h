/* Flyte's type rules: what may be assigned to what, and which type a literal has. Pure. */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_TYPES_H
#define SANDBOX_CONTROLPLANE_COMPILER_TYPES_H

#include "base/arena.h"
#include "base/buf.h"

#include "flyteidl/core/literals.pb-c.h"
#include "flyteidl/core/types.pb-c.h"

#include <stdbool.h>

/*
 * Whether a value of type `upstream` may flow into `downstream` (flytepropeller validators/typing.go at v1.16.8). NULL
 * is a type that nobody knows: it fits only another one. Unions within unions can make the question exponential; the
 * work is bounded, and a pair of types beyond that bound does not fit.
 */
bool types_castable(const Flyteidl__Core__LiteralType *upstream, const Flyteidl__Core__LiteralType *downstream);
/* The literal's type; heterogeneous collections give a union of sorted variants. In the arena, shared with the literal
 * or static: not to be changed. NULL when the literal has no value, or is offloaded without an inferred type. */
Flyteidl__Core__LiteralType *types_of_literal(struct arena *arena, const Flyteidl__Core__Literal *literal);
Flyteidl__Core__LiteralType *types_of_scalar(struct arena *arena, const Flyteidl__Core__Scalar *scalar);
Flyteidl__Core__LiteralType *types_of_primitive(const Flyteidl__Core__Primitive *primitive);
/* Whether the literal may be given for `type`: by inferred type, and for scalars by their own content (enum value,
 * union tag …). */
bool types_accept_literal(const Flyteidl__Core__LiteralType *type, const Flyteidl__Core__Literal *literal);
/* Appends e.g. "integer", "list of string" for messages. Stops with "…" where the type is very large. */
void types_describe(const Flyteidl__Core__LiteralType *type, struct buf *out);
/* The same as a string in the arena. */
const char *types_describe_in(struct arena *arena, const Flyteidl__Core__LiteralType *type);

/* The static type of a simple value. Not to be changed. */
Flyteidl__Core__LiteralType *types_simple(Flyteidl__Core__SimpleType simple);
bool types_is_simple(const Flyteidl__Core__LiteralType *type, Flyteidl__Core__SimpleType simple);
/* True for a union one of whose variants is NONE: an input of that type need not be bound. */
bool types_is_optional(const Flyteidl__Core__LiteralType *type);
/* The tag by which Binary scalars say that they hold MessagePack. */
#define TYPES_MESSAGE_PACK_TAG "msgpack"

#endif
