/* The part of a literal that a promise's attribute path names: promise.a["b"][0]. */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_ATTRIBUTE_PATH_H
#define SANDBOX_CONTROLPLANE_COMPILER_ATTRIBUTE_PATH_H

#include "base/arena.h"
#include "base/err.h"

#include "flyteidl/core/literals.pb-c.h"
#include "flyteidl/core/types.pb-c.h"

/*
 * Walks lists, maps, and then what a scalar holds: MessagePack (Binary scalars tagged "msgpack") or a protobuf Struct.
 * Of MessagePack a string, number or boolean comes out as a primitive, a list as a collection of MessagePack values,
 * anything else as MessagePack; of a Struct a list comes out as a collection, an object as a Struct, null as none
 * (flytepropeller controller/nodes/attr_path_resolver.go at v1.16.8). Parts are shared with the literal where they are
 * literals themselves. NULL with ERR_INVALID ("BindingResolutionFailure") when the path leads nowhere. An empty path
 * gives the literal itself.
 */
const Flyteidl__Core__Literal *attribute_path_resolve(struct arena *arena, const Flyteidl__Core__Literal *literal,
                                                      Flyteidl__Core__PromiseAttribute *const *path, size_t length,
                                                      struct err *e);

#endif
