/* What an array node asks for, and the literals that go in and come out. */
#include "controlplane/engine/array.h"

#include "base/text.h"
#include "proto/message.h"
#include "workflow_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ARENA ARENA_INIT((size_t)16 << 20)

/* "a=2 b=3 c" is a list of two, a list of three and an integer. */
static Flyteidl__Core__LiteralMap *inputs(struct arena *arena, const char *text)
{
	static const int64_t values[] = { 10, 11, 12, 13 };
	Flyteidl__Core__LiteralMap *map = proto_new(arena, flyteidl__core__literal_map);
	for (const char *at = text; *at;) {
		const char *name = arena_strndup(arena, at, 1);
		Flyteidl__Core__LiteralMap *one = at[1] == '='
		                                          ? workflow_list(arena, name, values, (size_t)(at[2] - '0'))
		                                          : workflow_integer(arena, name, 7);
		proto_append(arena, map->n_literals, map->literals, one->literals[0]);
		at += at[1] == '=' ? 3 : 1;
		at += *at == ' ';
	}
	return map;
}

static void test_sizes(void **state)
{
	(void)state;
	static const struct {
		const char *inputs, *bound;
		size_t size;
		const char *error;
	} cases[] = {
		{ "a=3", NULL, 3, NULL },
		{ "a=0", NULL, 0, NULL },
		{ "a=2 b=2", NULL, 2, NULL },
		{ "a=2 c", NULL, 2, NULL }, /* what is not a list is given to all */
		{ "a=2 b=3", "b", 2, NULL },
		{ "b=3 a=2", "b", 2, NULL },
		{ "b=3", "b", 1, NULL }, /* everything is bound */
		{ "", NULL, 1, NULL },
		{ "a=2 b=3", NULL, 0, "input arrays have different lengths: expecting '2' found '3'" },
		{ "c", NULL, 0, "no input array provided" },
		{ "c b=2", "b", 0, "no input array provided" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		auto_arena struct arena arena = ARENA;
		auto_err struct err e = ERR_INIT;
		char *bound[] = { (char *)(uintptr_t)cases[i].bound };
		const struct array_spec spec = { .bound = bound, .bound_count = cases[i].bound ? 1 : 0 };
		size_t size;
		const int outcome = array_size(&spec, inputs(&arena, cases[i].inputs), &size, &e);
		if (cases[i].error) {
			assert_int_equal(outcome, -1);
			assert_string_equal(err_message(&e), cases[i].error);
		} else {
			assert_int_equal(outcome, 0);
			assert_int_equal(size, cases[i].size);
		}
	}
}

static void test_minimum_successes(void **state)
{
	(void)state;
	static const struct {
		bool has_minimum;
		uint32_t minimum;
		float ratio;
		size_t size, expected;
	} cases[] = {
		{ false, 0, 1.0f, 5, 5 },
		{ false, 0, 0.5f, 5, 3 },
		{ false, 0, 0.5f, 4, 2 },
		{ false, 0, 0.7f, 10, 7 },
		{ false, 0, 0.8f, 10, 8 },
		{ false, 0, 0.1f, 3, 1 },
		{ false, 0, 0.0f, 10, 0 },
		{ false, 0, 1.0f, 0, 0 },
		{ true, 2, 0, 10, 2 },
		{ true, 0, 0, 10, 0 },
		{ true, 12, 0, 10, 12 },
		{ false, 0, -1.0f, 10, 0 },
		{ false, 0, 0.999f, 5000, 4995 },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const struct array_spec spec = { .has_minimum = cases[i].has_minimum,
			                         .minimum_successes = cases[i].minimum,
			                         .minimum_ratio = (double)cases[i].ratio };
		assert_int_equal(array_minimum_successes(&spec, cases[i].size), cases[i].expected);
	}
}

static void test_specs(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA;
	Flyteidl__Core__ArrayNode *node = proto_new(&arena, flyteidl__core__array_node);
	struct array_spec spec = array_spec_of_node(node);
	assert_int_equal(spec.parallelism, 0);
	assert_int_equal(array_minimum_successes(&spec, 9), 9);
	assert_false(spec.own_inputs || spec.runs_all || spec.legacy);
	node->parallelism_option_case = FLYTEIDL__CORE__ARRAY_NODE__PARALLELISM_OPTION_PARALLELISM;
	node->parallelism = 4;
	node->success_criteria_case = FLYTEIDL__CORE__ARRAY_NODE__SUCCESS_CRITERIA_MIN_SUCCESSES;
	node->min_successes = 3;
	node->data_mode = FLYTEIDL__CORE__ARRAY_NODE__DATA_MODE__INDIVIDUAL_INPUT_FILES;
	node->run_all_sub_nodes = true;
	spec = array_spec_of_node(node);
	assert_int_equal(spec.parallelism, 4);
	assert_int_equal(array_minimum_successes(&spec, 9), 3);
	assert_true(spec.own_inputs && spec.runs_all);
}

static void add_field(struct arena *arena, Google__Protobuf__Struct *to, const char *key, double number,
                      const char *text)
{
	Google__Protobuf__Struct__FieldsEntry *entry = (Google__Protobuf__Struct__FieldsEntry *)proto_new_of(
	        arena, &google__protobuf__struct__fields_entry__descriptor);
	entry->key = arena_strdup(arena, key);
	entry->value = proto_new(arena, google__protobuf__value);
	entry->value->kind_case =
	        text ? GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE : GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
	if (text)
		entry->value->string_value = arena_strdup(arena, text);
	else
		entry->value->number_value = number;
	proto_append(arena, to->n_fields, to->fields, entry);
}

static void test_legacy_specs(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA;
	Flyteidl__Core__TaskTemplate *task = proto_new(&arena, flyteidl__core__task_template);
	struct array_spec spec = array_spec_of_legacy_task(task);
	assert_true(spec.legacy);
	assert_int_equal(array_minimum_successes(&spec, 4), 4);
	task->custom = proto_new(&arena, google__protobuf__struct);
	add_field(&arena, task->custom, "parallelism", 0, "3"); /* 64 bits: text in JSON */
	add_field(&arena, task->custom, "minSuccessRatio", 0.5, NULL);
	spec = array_spec_of_legacy_task(task);
	assert_int_equal(spec.parallelism, 3);
	assert_int_equal(array_minimum_successes(&spec, 4), 2);
	add_field(&arena, task->custom, "parallelism", -5, NULL);
	add_field(&arena, task->custom, "minSuccesses", 1, NULL);
	spec = array_spec_of_legacy_task(task);
	assert_int_equal(spec.parallelism, 0);
	assert_int_equal(array_minimum_successes(&spec, 4), 1);
}

static void test_inputs_of_an_element(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA;
	char *bound[] = { (char[]){ "b" } };
	const struct array_spec spec = { .bound = bound, .bound_count = 1 };
	const Flyteidl__Core__LiteralMap *all = inputs(&arena, "a=3 b=2 c");
	const Flyteidl__Core__LiteralMap *one = array_element_inputs(&arena, &spec, all, 2);
	assert_int_equal(one->n_literals, 3);
	assert_int_equal(workflow_integer_of(one, "a"), 12);
	assert_int_equal(one->literals[1]->value->value_case, FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION);
	assert_int_equal(workflow_integer_of(one, "c"), 7);
	assert_int_equal(all->literals[0]->value->value_case,
	                 FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION); /* as it was */
}

static void test_outputs(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA;
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_array(&b, 0);
	const Flyteidl__Core__VariableMap *declared = workflow_task(&b, 0)->interface->outputs;
	const Flyteidl__Core__LiteralMap *outputs[] = { workflow_integer(&arena, "o0", 5), NULL,
		                                        workflow_integer(&arena, "other", 6) };
	const Flyteidl__Core__LiteralMap *all = array_collect_outputs(&arena, declared, outputs, 3);
	assert_int_equal(all->n_literals, 2); /* launch plans put out what their closure does not say */
	assert_string_equal(all->literals[0]->key, "o0");
	assert_string_equal(all->literals[1]->key, "other");
	assert_int_equal(all->literals[1]->value->collection->literals[2]->scalar->primitive->integer, 6);
	const Flyteidl__Core__LiteralCollection *list = all->literals[0]->value->collection;
	assert_int_equal(list->n_literals, 3);
	assert_int_equal(list->literals[0]->scalar->primitive->integer, 5);
	for (size_t i = 1; i < 3; i++)
		assert_int_equal(list->literals[i]->scalar->value_case, FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE);
	all = array_collect_outputs(&arena, declared, outputs, 0);
	assert_int_equal(all->literals[0]->value->collection->n_literals, 0);
}

static void test_summaries(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA;
	struct array_error errors[] = { { 5, "b" }, { 0, "a" }, { 2, "a" }, { 1, "a" }, { 9, "b" }, { 4, "a" } };
	assert_string_equal(array_errors_summary(&arena, errors, ARRAY_LENGTH(errors), 1000),
	                    "[0-2][4]: a\n[5][9]: b\n");
	assert_string_equal(array_errors_summary(&arena, errors, 0, 1000), "");
	struct array_error many[200];
	for (uint32_t i = 0; i < ARRAY_LENGTH(many); i++)
		many[i] = (struct array_error){ i, arena_printf(&arena, "message %03u", i) };
	const char *text = array_errors_summary(&arena, many, ARRAY_LENGTH(many), 500);
	assert_true(strlen(text) <= 500);
	assert_true(text_starts_with(text, "[0]: message 000\n[1]: message 001\n"));
	assert_true(text_ends_with(text, "... and many more."));
	/* One long message is cut between characters. */
	char *umlauts = arena_alloc(&arena, 2001);
	for (size_t i = 0; i < 2000; i += 2)
		memcpy(umlauts + i, "\xc3\xa4", 2);
	struct array_error one[] = { { 3, umlauts } };
	for (size_t maximum = 500; maximum < 504; maximum++) {
		text = array_errors_summary(&arena, one, 1, maximum);
		assert_true(strlen(text) <= maximum && strlen(text) > maximum - 10);
		assert_int_equal((strlen(text) - strlen("[3]: ")) % 2, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_minimum_successes),
		cmocka_unit_test(test_specs),
		cmocka_unit_test(test_legacy_specs),
		cmocka_unit_test(test_inputs_of_an_element),
		cmocka_unit_test(test_outputs),
		cmocka_unit_test(test_summaries),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
