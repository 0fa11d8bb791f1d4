/* Flyte's type rules: what may be assigned to what, and which type a literal has. Pure. */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_TYPES_H
#define SANDBOX_CONTROLPLANE_COMPILER_TYPES_H

#include "base/arena.h"
#include "base/buf.h"

#include "flyteidl/core/literals.pb-c.h"
#include "flyteidl/core/types.pb-c.h"

#include <stdbool.h>

/* Whether a value of type `upstream` may flow into `downstream` (flytepropeller validators/typing.go at v1.16.8). */
bool types_castable(const Flyteidl__Core__LiteralType *upstream, const Flyteidl__Core__LiteralType *downstream);
/* The literal's type, in the arena; heterogeneous collections give a union. */
Flyteidl__Core__LiteralType *types_of_literal(struct arena *arena, const Flyteidl__Core__Literal *literal);
/* Whether the literal may be given for `type`: by inferred type, and for scalars by their own content (enum value, union tag …). */
bool types_accept_literal(const Flyteidl__Core__LiteralType *type, const Flyteidl__Core__Literal *literal);
/* Appends e.g. "integer", "list of string" for messages. */
void types_describe(const Flyteidl__Core__LiteralType *type, struct buf *out);

#endif
