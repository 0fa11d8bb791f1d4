#include "controlplane/engine/array.h"

#include "base/text.h"
#include "proto/message.h"

#include <math.h>

/* ---- What is asked for ---- */

struct array_spec array_spec_of_node(const Flyteidl__Core__ArrayNode *node)
{
	struct array_spec spec = {
		.minimum_ratio = 1,
		.bound_count = node->n_bound_inputs,
		.bound = node->bound_inputs,
		.own_inputs = node->data_mode == FLYTEIDL__CORE__ARRAY_NODE__DATA_MODE__INDIVIDUAL_INPUT_FILES,
		.runs_all = node->run_all_sub_nodes,
	};
	if (node->parallelism_option_case == FLYTEIDL__CORE__ARRAY_NODE__PARALLELISM_OPTION_PARALLELISM)
		spec.parallelism = node->parallelism;
	if (node->success_criteria_case == FLYTEIDL__CORE__ARRAY_NODE__SUCCESS_CRITERIA_MIN_SUCCESSES) {
		spec.has_minimum = true;
		spec.minimum_successes = node->min_successes;
	} else if (node->success_criteria_case == FLYTEIDL__CORE__ARRAY_NODE__SUCCESS_CRITERIA_MIN_SUCCESS_RATIO) {
		spec.minimum_ratio = (double)node->min_success_ratio;
	}
	return spec;
}

/* Integers of 64 bits are text in the JSON of protobuf. Negative and wild values count as 0. */
static uint32_t whole_number(const Google__Protobuf__Value *value)
{
	int64_t number = 0;
	if (value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE)
		return text_to_int64(value->string_value, 0, UINT32_MAX, &number) ? (uint32_t)number : 0;
	if (value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE && value->number_value >= 0 &&
	    value->number_value <= UINT32_MAX)
		return (uint32_t)value->number_value;
	return 0;
}

struct array_spec array_spec_of_legacy_task(const Flyteidl__Core__TaskTemplate *task)
{
	struct array_spec spec = { .minimum_ratio = 1, .legacy = true };
	for (size_t i = 0; task->custom && i < task->custom->n_fields; i++) {
		const char *key = task->custom->fields[i]->key;
		const Google__Protobuf__Value *value = task->custom->fields[i]->value;
		if (!value)
			continue;
		if (text_equal(key, "parallelism")) {
			spec.parallelism = whole_number(value);
		} else if (text_equal(key, "minSuccessRatio") &&
		           value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE) {
			spec.minimum_ratio = value->number_value;
		} else if (text_equal(key, "minSuccesses")) {
			spec.has_minimum = true;
			spec.minimum_successes = whole_number(value);
		}
	}
	return spec;
}

size_t array_minimum_successes(const struct array_spec *spec, size_t size)
{
	if (spec->has_minimum)
		return spec->minimum_successes;
	/* The ratio was a float on its way here: 0.7 of 10 is 7, not the 8 that 0.699999988 or 0.70000005 come to. */
	const double exact = spec->minimum_ratio * (double)size, near = round(exact);
	const double minimum = fabs(exact - near) < 1e-4 ? near : ceil(exact);
	return minimum > 0 ? (size_t)fmin(minimum, (double)UINT32_MAX) : 0;
}

/* ---- Inputs ---- */

static Flyteidl__Core__LiteralMap__LiteralsEntry *new_entry(struct arena *arena, char *key,
                                                            Flyteidl__Core__Literal *value)
{
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry = (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
	        arena, &flyteidl__core__literal_map__literals_entry__descriptor);
	entry->key = key;
	entry->value = value;
	return entry;
}

static bool is_bound(const struct array_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->bound_count; i++) {
		if (text_equal(spec->bound[i], name))
			return true;
	}
	return false;
}

/* NULL unless it is a list. */
static const Flyteidl__Core__LiteralCollection *list_of(const Flyteidl__Core__Literal *literal)
{
	return literal && literal->value_case == FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION ? literal->collection : NULL;
}

int array_size(const struct array_spec *spec, const Flyteidl__Core__LiteralMap *inputs, size_t *ret_size, struct err *e)
{
	const Flyteidl__Core__LiteralCollection *first = NULL;
	size_t bound = 0;
	for (size_t i = 0; i < inputs->n_literals; i++) {
		if (is_bound(spec, inputs->literals[i]->key)) {
			bound++;
			continue;
		}
		const Flyteidl__Core__Literal *literal = inputs->literals[i]->value;
		const Flyteidl__Core__LiteralCollection *list = list_of(literal);
		if (list && first && list->n_literals != first->n_literals)
			return err_set(e, ERR_INVALID, NULL,
			               "input arrays have different lengths: expecting '%zu' found '%zu'",
			               first->n_literals, list->n_literals);
		if (list && !first)
			first = list;
	}
	if (!first && bound != inputs->n_literals)
		return err_set(e, ERR_INVALID, NULL, "no input array provided");
	*ret_size = first ? first->n_literals : 1; /* everything is bound: one element */
	return 0;
}

Flyteidl__Core__LiteralMap *array_element_inputs(struct arena *arena, const struct array_spec *spec,
                                                 const Flyteidl__Core__LiteralMap *inputs, size_t index)
{
	Flyteidl__Core__LiteralMap *element = proto_new(arena, flyteidl__core__literal_map);
	element->n_literals = inputs->n_literals;
	element->literals = arena_array(arena, Flyteidl__Core__LiteralMap__LiteralsEntry *, inputs->n_literals);
	for (size_t i = 0; i < inputs->n_literals; i++) {
		const Flyteidl__Core__LiteralCollection *list = list_of(inputs->literals[i]->value);
		element->literals[i] = inputs->literals[i];
		if (!list || is_bound(spec, inputs->literals[i]->key))
			continue;
		element->literals[i] = new_entry(arena, inputs->literals[i]->key, list->literals[index]);
	}
	return element;
}

/* ---- Outputs ---- */

static Flyteidl__Core__Literal *none(struct arena *arena)
{
	Flyteidl__Core__Literal *literal = proto_new(arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = proto_new(arena, flyteidl__core__scalar);
	literal->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE;
	literal->scalar->none_type = proto_new(arena, flyteidl__core__void);
	return literal;
}

static Flyteidl__Core__Literal *find_literal(const Flyteidl__Core__LiteralMap *map, const char *name)
{
	for (size_t i = 0; map && i < map->n_literals; i++) {
		if (text_equal(map->literals[i]->key, name))
			return map->literals[i]->value;
	}
	return NULL;
}

static void add_list(struct arena *arena, Flyteidl__Core__LiteralMap *collected, char *name)
{
	Flyteidl__Core__Literal *value = proto_new(arena, flyteidl__core__literal);
	value->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	value->collection = proto_new(arena, flyteidl__core__literal_collection);
	proto_append(arena, collected->n_literals, collected->literals, new_entry(arena, name, value));
}

Flyteidl__Core__LiteralMap *array_collect_outputs(struct arena *arena, const Flyteidl__Core__VariableMap *declared,
                                                  const Flyteidl__Core__LiteralMap *const *outputs, size_t size)
{
	Flyteidl__Core__LiteralMap *collected = proto_new(arena, flyteidl__core__literal_map);
	Flyteidl__Core__Literal *absent = none(arena);
	for (size_t i = 0; i < declared->n_variables; i++)
		add_list(arena, collected, declared->variables[i]->key);
	for (size_t i = 0; i < size; i++) {
		for (size_t k = 0; outputs[i] && k < outputs[i]->n_literals; k++) {
			if (!find_literal(collected, outputs[i]->literals[k]->key))
				add_list(arena, collected, outputs[i]->literals[k]->key);
		}
	}
	for (size_t k = 0; k < collected->n_literals; k++) {
		Flyteidl__Core__LiteralCollection *list = collected->literals[k]->value->collection;
		list->literals = arena_array(arena, Flyteidl__Core__Literal *, size);
		for (; list->n_literals < size; list->n_literals++) {
			Flyteidl__Core__Literal *literal =
			        find_literal(outputs[list->n_literals], collected->literals[k]->key);
			list->literals[list->n_literals] = literal ? literal : absent;
		}
	}
	return collected;
}
