/*
 * The bridge to compiler/bindings: where a promise finds its value. A promise names a node of its own workflow, or no
 * node at all, which means the workflow's inputs; both are outputs of a vertex here.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"
#include "controlplane/compiler/bindings.h"

static const struct machine_node *find_source(const struct machine_scope *scope, const char *node_id)
{
	if (text_is_empty(node_id))
		return scope->nodes[scope->graph->start];
	for (size_t i = 0; i < scope->graph->count; i++) {
		if (text_equal(scope->graph->vertices[i].id, node_id))
			return scope->nodes[i];
	}
	return NULL;
}

static const Flyteidl__Core__Literal *output(void *context, const char *node_id, const char *variable, struct err *e)
{
	const struct machine_node *source = find_source(context, node_id);
	if (!source || !source->outputs_known) {
		err_set(e, ERR_INVALID, "BindingResolutionFailure", "the outputs of node \"%s\" are not known",
		        node_id);
		return NULL;
	}
	const char *name = bindings_output_variable(source->vertex->node, variable);
	for (size_t i = 0; source->outputs && i < source->outputs->n_literals; i++) {
		if (text_equal(source->outputs->literals[i]->key, name))
			return source->outputs->literals[i]->value;
	}
	return NULL;
}

Flyteidl__Core__LiteralMap *machine_resolve_bindings(struct machine *m, struct machine_scope *scope,
                                                     Flyteidl__Core__Binding *const *bindings, size_t count,
                                                     struct err *e)
{
	const struct bindings_source source = { .output = output, .context = scope };
	Flyteidl__Core__LiteralMap *literals;
	return bindings_resolve(m->arena, bindings, count, &source, &literals, e) < 0 ? NULL : literals;
}
