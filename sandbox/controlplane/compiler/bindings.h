/*
 * From bindings to values: what the engine does to get a node's inputs, and the workflow's outputs (the end node's
 * inputs). Pure; where a node's outputs come from is the caller's business.
 */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_BINDINGS_H
#define SANDBOX_CONTROLPLANE_COMPILER_BINDINGS_H

#include "base/arena.h"
#include "base/err.h"
#include "controlplane/compiler/attribute_path.h"

#include "flyteidl/core/literals.pb-c.h"
#include "flyteidl/core/workflow.pb-c.h"

struct bindings_source {
	/*
	 * The value of a node's output under the name that promises use (bindings_output_variable translates aliases).
	 * NULL with `e` set when reading failed — bindings_resolve keeps its kind and id — or NULL with `e` untouched
	 * when the node has no such output.
	 */
	const Flyteidl__Core__Literal *(*output)(void *context, const char *node_id, const char *variable,
	                                         struct err *e);
	void *context;
	struct literal_loader loader; /* for offloaded outputs of which a part is taken */
};

/*
 * Resolves every binding into `ret_map`, in the bindings' order; literals are shared with the bindings and the source's
 * outputs. A value whose binding names the variant of a union that it is meant for is wrapped into that union. -1 with
 * ERR_INVALID, id "BindingResolutionFailure" (a system error in Flyte), or the source's error; the message names the
 * input.
 */
int bindings_resolve(struct arena *arena, Flyteidl__Core__Binding *const *bindings, size_t count,
                     const struct bindings_source *source, Flyteidl__Core__LiteralMap **ret_map, struct err *e);

/* The name in the node's outputs for the name that promises use: undoes output aliases. Borrowed. */
const char *bindings_output_variable(const Flyteidl__Core__Node *node, const char *variable);

#endif
