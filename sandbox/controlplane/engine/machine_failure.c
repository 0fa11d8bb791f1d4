/*
 * A workflow's failure node: runs after everything else of the workflow has been ended and before the workflow counts
 * as failed. Its inputs are bound to the workflow's; one called "err" that takes an error gets what went wrong, in
 * place of what it is bound to (flytekit binds it to none).
 * However the failure node ends, the workflow fails with the error it failed with.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"

#define ERROR_INPUT "err"
/* The tag of the variant in flytekit's unions (flytekit FlyteError, a type transformer's name). */
#define ERROR_TAG "FlyteError"

static const Flyteidl__Core__VariableMap *declared_inputs(const struct machine_vertex *vertex)
{
	const Flyteidl__Core__TypedInterface *interface = NULL;
	if (vertex->task)
		interface = vertex->task->interface;
	else if (vertex->inner)
		interface = vertex->inner->workflow->template_->interface;
	return interface ? interface->inputs : NULL;
}

static const Flyteidl__Core__LiteralType *error_type(const struct machine_vertex *vertex)
{
	const Flyteidl__Core__VariableMap *inputs = declared_inputs(vertex);
	for (size_t i = 0; inputs && i < inputs->n_variables; i++) {
		if (text_equal(inputs->variables[i]->key, ERROR_INPUT) && inputs->variables[i]->value)
			return inputs->variables[i]->value->type;
	}
	return NULL;
}

static bool is_error(const Flyteidl__Core__LiteralType *type)
{
	return type && type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE &&
	       type->simple == FLYTEIDL__CORE__SIMPLE_TYPE__ERROR;
}

static Flyteidl__Core__Literal *error_literal(struct arena *arena, const struct machine_scope *scope)
{
	Flyteidl__Core__Error *error = proto_new(arena, flyteidl__core__error);
	error->message = arena_strdup(arena, scope->error->message);
	if (scope->failed)
		error->failed_node_id = arena_strdup(arena, scope->failed->row.node_id);
	Flyteidl__Core__Literal *literal = proto_new(arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = proto_new(arena, flyteidl__core__scalar);
	literal->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_ERROR;
	literal->scalar->error = error;
	return literal;
}

static Flyteidl__Core__Literal *in_union(struct arena *arena, Flyteidl__Core__Literal *value,
                                         const Flyteidl__Core__LiteralType *variant)
{
	Flyteidl__Core__Union *wrapped = proto_new(arena, flyteidl__core__union);
	Flyteidl__Core__LiteralType *type = proto_new(arena, flyteidl__core__literal_type);
	*type = *variant;
	if (!type->structure || text_is_empty(type->structure->tag)) {
		type->structure = proto_new(arena, flyteidl__core__type_structure);
		type->structure->tag = arena_strdup(arena, ERROR_TAG);
	}
	wrapped->value = value;
	wrapped->type = type;
	Flyteidl__Core__Literal *literal = proto_new(arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = proto_new(arena, flyteidl__core__scalar);
	literal->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_UNION;
	literal->scalar->union_ = wrapped;
	return literal;
}

/* NULL when the node has no input for an error. */
static Flyteidl__Core__Literal *make_error(struct arena *arena, const struct machine_scope *scope)
{
	const Flyteidl__Core__LiteralType *type = error_type(scope->on_failure->vertex);
	if (is_error(type))
		return error_literal(arena, scope);
	const Flyteidl__Core__UnionType *variants =
	        type && type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE ? type->union_type : NULL;
	for (size_t i = 0; variants && i < variants->n_variants; i++) {
		if (is_error(variants->variants[i]))
			return in_union(arena, error_literal(arena, scope), variants->variants[i]);
	}
	return NULL;
}

/* `inputs` may be shared: a map with the error in it is a new one. */
const Flyteidl__Core__LiteralMap *machine_failure_inputs(struct arena *arena, const struct machine_scope *scope,
                                                         const Flyteidl__Core__LiteralMap *inputs)
{
	Flyteidl__Core__Literal *error = make_error(arena, scope);
	if (!error)
		return inputs;
	Flyteidl__Core__LiteralMap *extended = proto_new(arena, flyteidl__core__literal_map);
	for (size_t i = 0; i < inputs->n_literals; i++) {
		if (!text_equal(inputs->literals[i]->key, ERROR_INPUT))
			proto_append(arena, extended->n_literals, extended->literals, inputs->literals[i]);
	}
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry = (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
	        arena, &flyteidl__core__literal_map__literals_entry__descriptor);
	entry->key = arena_strdup(arena, ERROR_INPUT);
	entry->value = error;
	proto_append(arena, extended->n_literals, extended->literals, entry);
	return extended;
}

/* Of what has not run there are no outputs to wait for. */
static const struct machine_node *missing_source(const struct machine_node *node)
{
	for (size_t i = 0; i < node->vertex->source_count; i++) {
		const struct machine_node *source = node->scope->nodes[node->vertex->sources[i]];
		if (source->row.phase != NODE(SUCCEEDED) && source->row.phase != NODE(RECOVERED))
			return source;
	}
	return NULL;
}

static void begin(struct machine *m, struct machine_node *node)
{
	const struct machine_node *missing = missing_source(node);
	if (missing) {
		const struct machine_failure failure = {
			.budget = POD_FAILURE_PERMANENT,
			.kind = ERROR_KIND(USER),
			.code = "BindingResolutionFailure",
			.message = arena_printf(
			        m->arena, "the failure node needs outputs of node \"%s\", which has not succeeded",
			        missing->vertex->id),
		};
		machine_fail_node(m, node, NODE(FAILED), &failure);
		return;
	}
	machine_queue_node(m, node);
}

bool machine_handle_failure(struct machine *m, struct machine_scope *scope)
{
	struct machine_node *node = scope->on_failure;
	if (!node || machine_node_is_finished(node))
		return true;
	if (node->row.phase == NODE(UNDEFINED))
		begin(m, node);
	if (machine_node_is_active(node))
		node->vertex->kind->advance(m, node);
	return machine_node_is_finished(node);
}
