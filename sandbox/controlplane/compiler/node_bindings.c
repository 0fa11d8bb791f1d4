/*
 * What is bound to a node's inputs: constants, promises of other nodes' outputs, and lists and maps of both. Edges come
 * from the promises, whether or not their types fit, so that one wrong type does not look like a hole in the graph.
 */
#include "controlplane/compiler/builder.h"

#include "controlplane/compiler/promise.h"
#include "controlplane/compiler/types.h"
#include "proto/message.h"

#include <string.h>

typedef Flyteidl__Core__LiteralType literal_type;
typedef Flyteidl__Core__BindingData binding_data;

/* ---- edges ---- */

static void add_edge(struct workflow_builder *w, const struct node_builder *nb, const char *provider,
                     enum edge_direction direction)
{
	struct arena *arena = w->compilation->arena;
	edges_add(arena, &w->upstream, nb->node->id, provider);
	if (direction == EDGES_BOTH_WAYS) {
		edges_add(arena, &w->downstream, provider, nb->node->id);
		return;
	}
	const struct node_builder *outermost = nb;
	while (outermost->parent)
		outermost = outermost->parent;
	if (outermost != nb)
		edges_add(arena, &w->nested, provider, outermost->node->id);
}

/* A promise without a node is one of the workflow's inputs. */
static void complete_promise(struct workflow_builder *w, Flyteidl__Core__OutputReference *promise)
{
	if (!*promise->node_id)
		promise->node_id = arena_strdup(w->compilation->arena, START_NODE_ID);
}

static void add_edges_of(struct workflow_builder *w, const struct node_builder *nb, binding_data *binding,
                         enum edge_direction direction)
{
	switch (binding ? binding->value_case : FLYTEIDL__CORE__BINDING_DATA__VALUE__NOT_SET) {
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE:
		if (!binding->promise)
			break;
		complete_promise(w, binding->promise);
		if (workflow_find_node(w, binding->promise->node_id))
			add_edge(w, nb, binding->promise->node_id, direction);
		break;
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION:
		for (size_t i = 0; binding->collection && i < binding->collection->n_bindings; i++)
			add_edges_of(w, nb, binding->collection->bindings[i], direction);
		break;
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_MAP:
		for (size_t i = 0; binding->map && i < binding->map->n_bindings; i++)
			add_edges_of(w, nb, binding->map->bindings[i]->value, direction);
		break;
	default:
		break;
	}
}

void node_edges_add(struct workflow_builder *w, struct node_builder *nb, enum edge_direction direction)
{
	const Flyteidl__Core__Node *node = nb->node;
	/* Nodes that wait for others without taking a value say so; within a branch Flyte does not look at it. */
	for (size_t i = 0; direction == EDGES_BOTH_WAYS && i < node->n_upstream_node_ids; i++) {
		const char *id = *node->upstream_node_ids[i] ? node->upstream_node_ids[i] : START_NODE_ID;
		if (workflow_find_node(w, id))
			add_edge(w, nb, id, direction);
		else
			compile_error(&w->compilation->errors, COMPILE_NODE_REFERENCE_NOT_FOUND, node->id,
			              "there is no node '%s' to wait for", id);
	}
	for (size_t i = 0; i < node->n_inputs; i++)
		add_edges_of(w, nb, node->inputs[i]->binding, direction);
}

/* ---- promises ---- */

/* One step of an attribute path. Where the type does not say what is inside (an untyped struct), the type stays. */
static const literal_type *step_into(struct workflow_builder *w, const struct node_builder *nb,
                                     const literal_type *type, const Flyteidl__Core__OutputReference *promise,
                                     const Flyteidl__Core__PromiseAttribute *attribute)
{
	if (type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE)
		return type->collection_type;
	if (type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE)
		return type->map_value_type;
	if (!type->structure || !type->structure->n_dataclass_type)
		return type;
	const char *field = attribute->value_case == FLYTEIDL__CORE__PROMISE_ATTRIBUTE__VALUE_STRING_VALUE &&
	                                    attribute->string_value
	                            ? attribute->string_value
	                            : "";
	for (size_t i = type->structure->n_dataclass_type; i-- > 0;)
		if (strcmp(type->structure->dataclass_type[i]->key, field) == 0)
			return type->structure->dataclass_type[i]->value;
	compile_error(&w->compilation->errors, COMPILE_FIELD_NOT_FOUND, nb->node->id,
	              "output '%s' of node '%s' has no field '%s': it is %s", promise->var, promise->node_id, field,
	              compile_error_type(&w->compilation->errors, type));
	return NULL;
}

/*
 * The type of what a promise will give. NULL when that cannot be said: then the reason has been reported, here or at
 * the node that it refers to.
 */
static const literal_type *promise_type(struct workflow_builder *w, const struct node_builder *nb,
                                        const Flyteidl__Core__OutputReference *promise)
{
	struct compilation *c = w->compilation;
	const char *provider_id = *promise->node_id ? promise->node_id : START_NODE_ID;
	struct node_builder *provider = workflow_find_node(w, provider_id);
	if (!provider) {
		compile_error(&c->errors, COMPILE_NODE_REFERENCE_NOT_FOUND, nb->node->id,
		              "there is no node '%s' to take '%s' from", provider_id, promise->var);
		return NULL;
	}
	struct promise_variable name;
	if (!promise_variable_parse(promise->var, &name)) {
		compile_error(&c->errors, COMPILE_SYNTAX_ERROR, nb->node->id, "'%s' is not the name of an output",
		              promise->var);
		return NULL;
	}
	if (!node_interface_compute(w, provider))
		return NULL;
	const struct variable *variable = variables_find(&provider->visible_outputs, name.name);
	if (!variable) {
		compile_error(&c->errors, COMPILE_VARIABLE_NAME_NOT_FOUND, nb->node->id, "node '%s' has no %s '%s'",
		              provider_id, provider == w->start ? "workflow input" : "output", name.name);
		return NULL;
	}
	const literal_type *type = variable->type;
	if (name.has_index && type) {
		if (type->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE) {
			compile_error(&c->errors, COMPILE_MISMATCHING_TYPES, nb->node->id,
			              "output '%s' of node '%s' is no list but %s", name.name, provider_id,
			              compile_error_type(&c->errors, type));
			return NULL;
		}
		type = type->collection_type;
	}
	for (size_t i = 0; type && i < promise->n_attr_path; i++)
		type = step_into(w, nb, type, promise, promise->attr_path[i]);
	return type;
}

/* ---- does a binding fit ---- */

struct target {
	struct workflow_builder *w;
	const struct node_builder *nb;
	const char *variable;
};

static bool fits(const struct target *t, const binding_data *binding, const literal_type *expected);

static struct compile_errors *errors_of(const struct target *t)
{
	return &t->w->compilation->errors;
}

static const char *describe(const struct target *t, const literal_type *type)
{
	return compile_error_type(errors_of(t), type);
}

static bool not_bound(const struct target *t)
{
	return compile_error(errors_of(t), COMPILE_PARAMETER_NOT_BOUND, t->nb->node->id,
	                     "input '%s' is bound to nothing", t->variable);
}

static const char *binding_kind(const binding_data *binding)
{
	switch (binding->value_case) {
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION:
		return "a list";
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_MAP:
		return "a map";
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_OFFLOADED_METADATA:
		return "an offloaded value";
	default:
		return "a binding of unknown kind";
	}
}

/* A list or a map does not say which variant it is meant for: exactly one must take it. */
static bool fits_union(const struct target *t, const binding_data *binding, const literal_type *expected)
{
	struct compile_errors *errors = errors_of(t);
	const Flyteidl__Core__UnionType *type = expected->union_type;
	const literal_type *match = NULL;
	for (size_t i = 0; type && i < type->n_variants; i++) {
		size_t total = errors->total;
		errors->muted++;
		bool this_fits = fits(t, binding, type->variants[i]) && errors->total == total;
		errors->muted--;
		if (!t->w->compilation->binding_steps)
			return false; /* reported, and it has to stay so */
		errors->total = total;
		if (!this_fits)
			continue;
		if (match)
			return compile_error(errors, COMPILE_AMBIGUOUS_BINDING_UNION_VALUE, t->nb->node->id,
			                     "input '%s' takes %s; %s is bound to it, which could be %s as well as %s",
			                     t->variable, describe(t, expected), binding_kind(binding),
			                     describe(t, match), describe(t, type->variants[i]));
		match = type->variants[i];
	}
	if (match)
		return true;
	return compile_error(errors, COMPILE_INCOMPATIBLE_BINDING_UNION_VALUE, t->nb->node->id,
	                     "input '%s' takes %s; %s is bound to it, which is none of these", t->variable,
	                     describe(t, expected), binding_kind(binding));
}

static bool fits_promise(const struct target *t, const Flyteidl__Core__OutputReference *promise,
                         const literal_type *expected)
{
	if (!promise)
		return not_bound(t);
	size_t total = errors_of(t)->total;
	const literal_type *type = promise_type(t->w, t->nb, promise);
	if (!type)
		return errors_of(t)->total == total; /* reported elsewhere: nothing is known to be wrong here */
	if (types_castable(type, expected))
		return true;
	const char *provider = *promise->node_id ? promise->node_id : START_NODE_ID;
	return compile_error(errors_of(t), COMPILE_MISMATCHING_TYPES, t->nb->node->id,
	                     "input '%s' is %s, but %s '%s' of node '%s' is %s", t->variable, describe(t, expected),
	                     promise->n_attr_path ? "what is taken from output" : "output", promise->var, provider,
	                     describe(t, type));
}

static bool fits_enum(const struct target *t, const Flyteidl__Core__Scalar *scalar, const literal_type *expected)
{
	const Flyteidl__Core__EnumType *type = expected->enum_type;
	const Flyteidl__Core__Primitive *primitive =
	        scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE ? scalar->primitive : NULL;
	const char *value = primitive && primitive->value_case == FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE
	                            ? primitive->string_value
	                            : NULL;
	for (size_t i = 0; value && type && i < type->n_values; i++)
		if (strcmp(type->values[i], value) == 0)
			return true;
	return compile_error(errors_of(t), COMPILE_ILLEGAL_ENUM_VALUE, t->nb->node->id,
	                     "input '%s' is %s, but '%s' is bound to it", t->variable, describe(t, expected),
	                     value ? value : "");
}

static bool fits_scalar(const struct target *t, const Flyteidl__Core__Scalar *scalar, const literal_type *expected)
{
	if (!scalar)
		return not_bound(t);
	const literal_type *type = types_of_scalar(t->w->compilation->arena, scalar);
	if (!type)
		return compile_error(errors_of(t), COMPILE_UNRECOGNIZED_VALUE, t->nb->node->id,
		                     "the constant bound to input '%s' has no known type", t->variable);
	if (!types_castable(type, expected))
		return compile_error(errors_of(t), COMPILE_MISMATCHING_TYPES, t->nb->node->id,
		                     "input '%s' is %s, but a constant of type %s is bound to it", t->variable,
		                     describe(t, expected), describe(t, type));
	bool is_enum = expected && expected->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE;
	return !is_enum || fits_enum(t, scalar, expected);
}

static bool mismatching(const struct target *t, const binding_data *binding, const literal_type *expected)
{
	return compile_error(errors_of(t), COMPILE_MISMATCHING_BINDINGS, t->nb->node->id,
	                     "input '%s' is %s, but %s is bound to it", t->variable, describe(t, expected),
	                     binding_kind(binding));
}

static bool fits_collection(const struct target *t, const binding_data *binding, const literal_type *expected)
{
	if (!binding->collection)
		return not_bound(t);
	if (!expected || expected->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE)
		return mismatching(t, binding, expected);
	bool all = true;
	for (size_t i = 0; i < binding->collection->n_bindings; i++)
		all &= fits(t, binding->collection->bindings[i], expected->collection_type);
	return all;
}

static bool fits_map(const struct target *t, const binding_data *binding, const literal_type *expected)
{
	if (!binding->map)
		return not_bound(t);
	if (!expected || expected->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE)
		return mismatching(t, binding, expected);
	bool all = true;
	for (size_t i = 0; i < binding->map->n_bindings; i++)
		all &= fits(t, binding->map->bindings[i]->value, expected->map_value_type);
	return all;
}

/* False when an error was reported, or the arena is exhausted, which the whole request ends with. */
static bool fits(const struct target *t, const binding_data *binding, const literal_type *expected)
{
	if (!t->w->compilation->binding_steps || arena_is_exhausted(t->w->compilation->arena))
		return false;
	if (!--t->w->compilation->binding_steps) {
		unsigned muted = errors_of(t)->muted;
		errors_of(t)->muted = 0;
		compile_error(errors_of(t), COMPILE_WORKFLOW_BUILD_ERROR, t->nb->node->id,
		              "the types of what is bound to input '%s' are too complex to check", t->variable);
		errors_of(t)->muted = muted;
		return false;
	}
	Flyteidl__Core__BindingData__ValueCase kind =
	        binding ? binding->value_case : FLYTEIDL__CORE__BINDING_DATA__VALUE__NOT_SET;
	if (kind == FLYTEIDL__CORE__BINDING_DATA__VALUE_SCALAR)
		return fits_scalar(t, binding->scalar, expected);
	if (kind == FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE)
		return fits_promise(t, binding->promise, expected);
	if (kind == FLYTEIDL__CORE__BINDING_DATA__VALUE__NOT_SET)
		return not_bound(t);
	if (expected && expected->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE)
		return fits_union(t, binding, expected);
	if (kind == FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION)
		return fits_collection(t, binding, expected);
	if (kind == FLYTEIDL__CORE__BINDING_DATA__VALUE_MAP)
		return fits_map(t, binding, expected);
	return mismatching(t, binding, expected);
}

/* ---- a node's bindings as a whole ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct variable *)a)->name, ((const struct variable *)b)->name);
}

/* The bindings' names as a sorted set; reports those that are bound twice. */
static struct variables bound_names(struct workflow_builder *w, const Flyteidl__Core__Node *node)
{
	struct variables names = { .items = arena_array(w->compilation->arena, struct variable, node->n_inputs) };
	for (size_t i = 0; i < node->n_inputs; i++)
		names.items[names.count++].name = node->inputs[i]->var;
	if (names.count)
		qsort(names.items, names.count, sizeof(*names.items), compare_names);
	size_t kept = 0;
	for (size_t i = 0; i < names.count; i++) {
		if (!kept || strcmp(names.items[kept - 1].name, names.items[i].name) != 0)
			names.items[kept++] = names.items[i];
		else
			compile_error(&w->compilation->errors, COMPILE_PARAMETER_BOUND_MORE_THAN_ONCE, node->id,
			              "input '%s' is bound more than once", names.items[i].name);
	}
	names.count = kept;
	return names;
}

static void validate_binding(struct workflow_builder *w, const struct node_builder *nb,
                             const Flyteidl__Core__Binding *binding)
{
	struct compile_errors *errors = &w->compilation->errors;
	const struct variable *input = variables_find(&nb->inputs, binding->var);
	if (!input)
		compile_error(errors, COMPILE_VARIABLE_NAME_NOT_FOUND, nb->node->id, "the %s '%s'",
		              nb == w->end ? "workflow has no output" : "node has no input", binding->var);
	else if (!binding->binding)
		compile_error(errors, COMPILE_VALUE_REQUIRED, nb->node->id, "input '%s' has an empty binding (Binding)",
		              binding->var);
	else
		fits(&(struct target){ .w = w, .nb = nb, .variable = binding->var }, binding->binding, input->type);
}

void node_bindings_validate(struct workflow_builder *w, const struct node_builder *nb)
{
	if (nb->interface_state != INTERFACE_READY)
		return; /* reported */
	const struct variables names = bound_names(w, nb->node);
	for (size_t i = 0; i < nb->node->n_inputs; i++)
		validate_binding(w, nb, nb->node->inputs[i]);
	for (size_t i = 0; i < nb->inputs.count; i++) {
		const struct variable *input = &nb->inputs.items[i];
		if (!variables_find(&names, input->name) && !types_is_optional(input->type))
			compile_error(&w->compilation->errors, COMPILE_PARAMETER_NOT_BOUND, nb->node->id,
			              "%s '%s' is not bound", nb == w->end ? "workflow output" : "input", input->name);
	}
}

/* ---- interfaces that follow from bindings ---- */

static const literal_type *container_type(struct workflow_builder *w, Flyteidl__Core__LiteralType__TypeCase kind,
                                          const literal_type *element)
{
	struct arena *arena = w->compilation->arena;
	literal_type *type = proto_new(arena, flyteidl__core__literal_type);
	type->type_case = kind;
	type->collection_type = proto_new(arena, flyteidl__core__literal_type);
	*type->collection_type = element ? *element : *types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__NONE);
	return type;
}

static const literal_type *binding_type(struct workflow_builder *w, const struct node_builder *nb,
                                        const binding_data *binding)
{
	const literal_type *element = NULL;
	switch (binding->value_case) {
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_SCALAR:
		return types_of_scalar(w->compilation->arena, binding->scalar);
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE:
		return binding->promise ? promise_type(w, nb, binding->promise) : NULL;
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION:
		if (binding->collection && binding->collection->n_bindings)
			element = binding_type(w, nb, binding->collection->bindings[0]);
		return container_type(w, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE, element);
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_MAP:
		if (binding->map && binding->map->n_bindings && binding->map->bindings[0]->value)
			element = binding_type(w, nb, binding->map->bindings[0]->value);
		return container_type(w, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE, element);
	default:
		return NULL;
	}
}

bool node_bindings_infer(struct workflow_builder *w, struct node_builder *nb, struct variables *ret_variables)
{
	struct compile_errors *errors = &w->compilation->errors;
	size_t total = errors->total;
	const Flyteidl__Core__Node *node = nb->node;
	struct variables variables = { .items = arena_array(w->compilation->arena, struct variable, node->n_inputs) };
	bool complete = true;
	bound_names(w, node);
	for (size_t i = 0; i < node->n_inputs; i++) {
		const Flyteidl__Core__Binding *binding = node->inputs[i];
		struct variable variable = { .name = binding->var };
		if (!binding->binding) {
			compile_error(errors, COMPILE_VALUE_REQUIRED, node->id,
			              "input '%s' has an empty binding (Binding)", binding->var);
			continue;
		}
		size_t before = errors->total;
		variable.type = binding_type(w, nb, binding->binding);
		if (!variable.type) {
			complete = false;
			if (errors->total == before &&
			    binding->binding->value_case != FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE)
				compile_error(errors, COMPILE_UNRECOGNIZED_VALUE, node->id,
				              "what is bound to input '%s' has no known type", binding->var);
		}
		variables.items[variables.count++] = variable;
	}
	variables_sort(&variables);
	*ret_variables = variables;
	return complete && errors->total == total;
}
