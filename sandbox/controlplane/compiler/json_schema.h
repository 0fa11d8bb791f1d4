/*
 * JSON schemas of dataclasses and Pydantic models: flytekit puts them in the metadata of STRUCT types, and Flyte lets a
 * value of one class flow into another when the schemas are the same, or when the source has at least what the target
 * asks for.
 */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_JSON_SCHEMA_H
#define SANDBOX_CONTROLPLANE_COMPILER_JSON_SCHEMA_H

#include "google/protobuf/struct.pb-c.h"

#include <stdbool.h>

/*
 * Whether a value that satisfies `source` may be given where `target` is expected: every property that the target has
 * must be in the source with a fitting type, and what the target requires the source must require (flytepropeller
 * validators/typing.go at v1.16.8, and the schema comparison that it uses). References within a schema ("#/$defs/X")
 * are followed, also recursive ones; a reference that leads nowhere fits nothing. The work is bounded; schemas beyond
 * the bound do not fit.
 */
bool json_schema_accepts(const Google__Protobuf__Struct *target, const Google__Protobuf__Struct *source);

#endif
