/* The part of a literal that a promise's attribute path names: promise.a["b"][0]. */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_ATTRIBUTE_PATH_H
#define SANDBOX_CONTROLPLANE_COMPILER_ATTRIBUTE_PATH_H

#include "base/arena.h"
#include "base/err.h"

#include "flyteidl/core/literals.pb-c.h"
#include "flyteidl/core/types.pb-c.h"

/*
 * Literals that are kept outside of the map they are in (offloaded). `load` gives what is at the URI; NULL with `e` set
 * when that cannot be read, or not yet.
 */
struct literal_loader {
	const Flyteidl__Core__Literal *(*load)(void *context, const char *uri, struct err *e);
	void *context;
};
/* The literal itself, or what it stands for if it is offloaded. A loader without `load` knows of none: ERR_INVALID. */
const Flyteidl__Core__Literal *literal_loaded(const Flyteidl__Core__Literal *literal,
                                              const struct literal_loader *loader, struct err *e);

/*
 * Walks lists, maps, and then what a scalar holds: MessagePack (Binary scalars tagged "msgpack") or a protobuf Struct.
 * Of MessagePack a string, number or boolean comes out as a primitive, a list as a collection of MessagePack values,
 * anything else as MessagePack; of a Struct a list comes out as a collection, an object as a Struct, null as none
 * (flytepropeller controller/nodes/attr_path_resolver.go at v1.16.8). Parts are shared with the literal where they are
 * literals themselves. What is offloaded on the way is loaded. NULL with ERR_INVALID ("BindingResolutionFailure") when
 * the path leads nowhere, or with the loader's error. An empty path gives the literal itself.
 */
const Flyteidl__Core__Literal *attribute_path_resolve(struct arena *arena, const struct literal_loader *loader,
                                                      const Flyteidl__Core__Literal *literal,
                                                      Flyteidl__Core__PromiseAttribute *const *path, size_t length,
                                                      struct err *e);

#endif
