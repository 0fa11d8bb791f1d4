/*
 * The bridge to compiler/bindings: where a promise finds its value. A promise names a node of its own workflow, or no
 * node at all, which means the workflow's inputs; both are outputs of a vertex here. Values that are kept outside of
 * the map they belong to (offloaded literals) pass through as they are; only when a part of one is needed it is read,
 * and then known for the rest of the round.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"
#include "controlplane/compiler/bindings.h"

struct resolution {
	struct machine *m;
	struct machine_node *node; /* for which it is done */
	struct machine_scope *scope;
};

/* ---- Offloaded literals ---- */

/* NULL with `e` untouched while it is wanted. */
static const Flyteidl__Core__Literal *find_offloaded(struct machine *m, struct machine_node *node, const char *uri,
                                                     struct err *e)
{
	for (size_t i = 0; i < m->offloaded_count; i++) {
		if (text_equal(m->offloaded[i].uri, uri))
			return m->offloaded[i].literal;
	}
	if (!text_equal(node->offloaded_uri, uri) && node->want == WANT_OFFLOADED)
		node->want = WANT_NOTHING; /* that was another one */
	node->offloaded_uri = uri;
	if (!machine_ask(m, node, WANT_OFFLOADED))
		return NULL;
	if (node->failure.budget != POD_FAILURE_NONE) {
		err_set(e, ERR_INVALID, "BindingResolutionFailure", "%s", node->failure.message);
		return NULL;
	}
	const struct machine_offloaded found = { .uri = uri, .literal = node->offloaded };
	proto_append(m->arena, m->offloaded_count, m->offloaded, found);
	return node->offloaded;
}

static const Flyteidl__Core__Literal *load(void *context, const char *uri, struct err *e)
{
	const struct resolution *r = context;
	const Flyteidl__Core__Literal *literal = find_offloaded(r->m, r->node, uri, e);
	if (!literal && r->node->want == WANT_OFFLOADED)
		err_set(e, ERR_UNAVAILABLE, NULL, "it is being read");
	return literal;
}

const Flyteidl__Core__LiteralMap *machine_load_offloaded(struct machine *m, struct machine_node *node,
                                                         const Flyteidl__Core__LiteralMap *literals, struct err *e)
{
	struct resolution r = { .m = m, .node = node };
	const struct literal_loader loader = { .load = load, .context = &r };
	Flyteidl__Core__LiteralMap *loaded = NULL;
	for (size_t i = 0; i < literals->n_literals; i++) {
		const Flyteidl__Core__Literal *literal = literal_loaded(literals->literals[i]->value, &loader, e);
		if (!literal)
			return NULL;
		if (literal == literals->literals[i]->value)
			continue;
		if (!loaded) {
			loaded = arena_copy(m->arena, literals, sizeof(*literals));
			loaded->literals = proto_copy_array(m->arena, literals->literals, literals->n_literals);
		}
		loaded->literals[i] = arena_copy(m->arena, literals->literals[i], sizeof(*literals->literals[i]));
		loaded->literals[i]->value = (Flyteidl__Core__Literal *)(uintptr_t)literal; /* shared, not changed */
	}
	return loaded ? loaded : literals;
}

/* ---- Promises ---- */

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
	const struct resolution *r = context;
	const struct machine_node *source = find_source(r->scope, node_id);
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

Flyteidl__Core__LiteralMap *machine_resolve_bindings(struct machine *m, struct machine_node *node,
                                                     Flyteidl__Core__Binding *const *bindings, size_t count,
                                                     struct err *e)
{
	struct resolution r = { .m = m, .node = node, .scope = node->scope->sources };
	const struct bindings_source source = { .output = output,
		                                .context = &r,
		                                .loader = { .load = load, .context = &r } };
	Flyteidl__Core__LiteralMap *literals;
	return bindings_resolve(m->arena, bindings, count, &source, &literals, e) < 0 ? NULL : literals;
}
