/*
 * Values of Flyte as the files that a ContainerTask reads and writes: one file a variable, its text as Go prints and
 * parses it, because that is what upstream's copilot (flytecopilot/data at v1.16.8) and therefore the users' scripts
 * do. Pure; results in the arena.
 */
#ifndef SANDBOX_COPILOT_VALUE_H
#define SANDBOX_COPILOT_VALUE_H

#include "base/buf.h"
#include "proto/message.h"

#include "flyteidl/core/literals.pb-c.h"
#include "flyteidl/core/types.pb-c.h"

/* The bytes of the file of a scalar that is neither blob nor schema nor dataset. ERR_UNSUPPORTED for other kinds. */
int value_print(struct arena *arena, const Flyteidl__Core__Scalar *scalar, struct proto_bytes *ret_bytes,
                struct err *e);
/* Appends the scalar as JSON, for inputs.json. */
int value_print_json(const Flyteidl__Core__Scalar *scalar, struct buf *out, struct err *e);

/* A file's text, without the blanks and newlines around it, as a literal of that type; ERR_INVALID when it is none. */
Flyteidl__Core__Literal *value_parse(struct arena *arena, Flyteidl__Core__SimpleType type, const char *text,
                                     struct err *e);

#endif
