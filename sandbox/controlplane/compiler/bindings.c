#include "controlplane/compiler/bindings.h"

#include "base/text.h"
#include "controlplane/compiler/promise.h"
#include "proto/message.h"

#include <stdint.h>

#define FAILURE "BindingResolutionFailure"

typedef Flyteidl__Core__Literal literal;
typedef Flyteidl__Core__BindingData binding_data;

struct resolution {
	struct arena *arena;
	const struct bindings_source *source;
};

static const literal *resolve(const struct resolution *r, const binding_data *binding, struct err *e);

/* Messages are shared and never changed; the generated types have no const. */
static literal *shared(const literal *l)
{
	return (literal *)(uintptr_t)l;
}

static const literal *resolve_promise(const struct resolution *r, const Flyteidl__Core__OutputReference *promise,
                                      struct err *e)
{
	struct promise_variable variable;
	if (!promise || !promise_variable_parse(promise->var, &variable)) {
		err_set(e, ERR_INVALID, FAILURE, "'%s' is not the name of an output", promise ? promise->var : "");
		return NULL;
	}
	const char *node_id = *promise->node_id ? promise->node_id : "start-node";
	auto_err struct err cause = ERR_INIT;
	const literal *value = r->source->output(r->source->context, node_id, variable.name, &cause);
	if (!value && cause.kind != ERR_NONE) {
		err_move(e, &cause);
		return NULL;
	}
	if (!value) {
		err_set(e, ERR_INVALID, FAILURE, "node '%s' has no output '%s'", node_id, variable.name);
		return NULL;
	}
	if (variable.has_index) {
		value = literal_loaded(value, &r->source->loader, e);
		if (!value)
			return NULL;
		const Flyteidl__Core__LiteralCollection *list =
		        value->value_case == FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION ? value->collection : NULL;
		if (!list || variable.index >= list->n_literals) {
			err_set(e, ERR_INVALID, FAILURE, "output '%s' of node '%s' has no element %zu", variable.name,
			        node_id, variable.index);
			return NULL;
		}
		value = list->literals[variable.index];
	}
	value = attribute_path_resolve(r->arena, &r->source->loader, value, promise->attr_path, promise->n_attr_path, e);
	if (!value)
		err_wrap(e, "output '%s' of node '%s'", promise->var, node_id);
	return value;
}

static const literal *resolve_collection(const struct resolution *r,
                                         const Flyteidl__Core__BindingDataCollection *bindings, struct err *e)
{
	size_t count = bindings ? bindings->n_bindings : 0;
	literal *l = proto_new(r->arena, flyteidl__core__literal);
	l->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	l->collection = proto_new(r->arena, flyteidl__core__literal_collection);
	l->collection->literals = arena_array(r->arena, literal *, count);
	for (size_t i = 0; i < count; i++) {
		const literal *element = resolve(r, bindings->bindings[i], e);
		if (!element) {
			err_wrap(e, "element %zu", i);
			return NULL;
		}
		l->collection->literals[l->collection->n_literals++] = shared(element);
	}
	return l;
}

static const literal *resolve_map(const struct resolution *r, const Flyteidl__Core__BindingDataMap *bindings,
                                  struct err *e)
{
	size_t count = bindings ? bindings->n_bindings : 0;
	literal *l = proto_new(r->arena, flyteidl__core__literal);
	l->value_case = FLYTEIDL__CORE__LITERAL__VALUE_MAP;
	l->map = proto_new(r->arena, flyteidl__core__literal_map);
	l->map->literals = arena_array(r->arena, Flyteidl__Core__LiteralMap__LiteralsEntry *, count);
	for (size_t i = 0; i < count; i++) {
		const literal *value = resolve(r, bindings->bindings[i]->value, e);
		if (!value) {
			err_wrap(e, "entry '%s'", bindings->bindings[i]->key);
			return NULL;
		}
		Flyteidl__Core__LiteralMap__LiteralsEntry *entry =
		        (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
		                r->arena, &flyteidl__core__literal_map__literals_entry__descriptor);
		entry->key = bindings->bindings[i]->key;
		entry->value = shared(value);
		l->map->literals[l->map->n_literals++] = entry;
	}
	return l;
}

static const literal *literal_of_kind(const struct resolution *r, const binding_data *binding, struct err *e)
{
	literal *l;
	switch (binding ? binding->value_case : FLYTEIDL__CORE__BINDING_DATA__VALUE__NOT_SET) {
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_SCALAR:
		l = proto_new(r->arena, flyteidl__core__literal);
		l->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
		l->scalar = binding->scalar;
		return l;
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_OFFLOADED_METADATA:
		l = proto_new(r->arena, flyteidl__core__literal);
		l->value_case = FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA;
		l->offloaded_metadata = binding->offloaded_metadata;
		return l;
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE:
		return resolve_promise(r, binding->promise, e);
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION:
		return resolve_collection(r, binding->collection, e);
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_MAP:
		return resolve_map(r, binding->map, e);
	default:
		err_set(e, ERR_INVALID, FAILURE, "it is bound to nothing");
		return NULL;
	}
}

static bool is_union(const literal *l)
{
	return l->value_case == FLYTEIDL__CORE__LITERAL__VALUE_SCALAR && l->scalar &&
	       l->scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_UNION;
}

static const literal *wrap_in_union(const struct resolution *r, const literal *value,
                                    Flyteidl__Core__LiteralType *variant)
{
	literal *l = proto_new(r->arena, flyteidl__core__literal);
	l->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	l->scalar = proto_new(r->arena, flyteidl__core__scalar);
	l->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_UNION;
	l->scalar->union_ = proto_new(r->arena, flyteidl__core__union);
	l->scalar->union_->value = shared(value);
	l->scalar->union_->type = variant;
	return l;
}

static const literal *resolve(const struct resolution *r, const binding_data *binding, struct err *e)
{
	const literal *value = literal_of_kind(r, binding, e);
	if (!value || !binding->union_ || !binding->union_->targettype || is_union(value))
		return value;
	/* A whole union as target does not say which variant: left to who reads the value, as everywhere in Flyte. */
	if (binding->union_->targettype->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE)
		return value;
	return wrap_in_union(r, value, binding->union_->targettype);
}

int bindings_resolve(struct arena *arena, Flyteidl__Core__Binding *const *bindings, size_t count,
                     const struct bindings_source *source, Flyteidl__Core__LiteralMap **ret_map, struct err *e)
{
	const struct resolution r = { .arena = arena, .source = source };
	Flyteidl__Core__LiteralMap *map = proto_new(arena, flyteidl__core__literal_map);
	map->literals = arena_array(arena, Flyteidl__Core__LiteralMap__LiteralsEntry *, count);
	for (size_t i = 0; i < count; i++) {
		auto_err struct err cause = ERR_INIT;
		const literal *value = resolve(&r, bindings[i]->binding, &cause);
		if (!value) {
			err_move(e, &cause);
			return err_wrap(e, "cannot resolve input '%s'", bindings[i]->var);
		}
		Flyteidl__Core__LiteralMap__LiteralsEntry *entry =
		        (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
		                arena, &flyteidl__core__literal_map__literals_entry__descriptor);
		entry->key = bindings[i]->var;
		entry->value = shared(value);
		map->literals[map->n_literals++] = entry;
	}
	*ret_map = map;
	return 0;
}

const char *bindings_output_variable(const Flyteidl__Core__Node *node, const char *variable)
{
	for (size_t i = 0; i < node->n_output_aliases; i++)
		if (text_equal(node->output_aliases[i]->alias, variable))
			return node->output_aliases[i]->var;
	return variable;
}
