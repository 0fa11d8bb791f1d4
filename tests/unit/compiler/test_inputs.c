/* The inputs of an execution: merging and every refusal, with Flyte's texts. */
#include "controlplane/compiler/inputs.h"
#include "controlplane/compiler/types.h"
#include "proto/message.h"
#include "templates.h"

#include <string.h>

#include "cmocka_all.h"

struct row {
	const char *parameters;   /* required */
	const char *with_default; /* name of one that has the default 7 */
	const char *given;        /* "name:value" …, value a number or text */
	const char *fixed;
	const char *result; /* "name=value" in order, or NULL */
	const char *error;
};

static Flyteidl__Core__LiteralMap *literals_from(struct arena *a, const char *text)
{
	Flyteidl__Core__LiteralMap *map = proto_new(a, flyteidl__core__literal_map);
	while (*text) {
		size_t name = strcspn(text, ":"), value = strcspn(text + name + 1, " ");
		char *string = arena_strndup(a, text + name + 1, value);
		bool number = strspn(string, "0123456789") == value;
		literals_add(a, map, arena_strndup(a, text, name),
		             number ? literal_int(a, strtol(string, NULL, 10)) : literal_string(a, string));
		text += name + 1 + value;
		text += strspn(text, " ");
	}
	return map;
}

static const char *text_of(struct arena *a, const Flyteidl__Core__LiteralMap *map)
{
	const char *text = "";
	for (size_t i = 0; i < map->n_literals; i++) {
		const Flyteidl__Core__Primitive *p = map->literals[i]->value->scalar->primitive;
		const char *value = p->value_case == FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER
		                            ? arena_printf(a, "%lld", (long long)p->integer)
		                            : p->string_value;
		text = arena_printf(a, "%s%s%s=%s", text, i ? " " : "", map->literals[i]->key, value);
	}
	return text;
}

static const struct row rows[] = {
	{ "", NULL, "", "", "", NULL },
	{ "a=int b=str", NULL, "b:x a:1", "", "a=1 b=x", NULL },
	{ "a=int b=int", "b", "a:1", "", "a=1 b=7", NULL },
	{ "a=int b=int", "b", "a:1 b:2", "", "a=1 b=2", NULL },
	{ "a=int", NULL, "a:1", "f:9", "a=1 f=9", NULL },
	{ "a=int", NULL, "a:1 a:2", "", "a=2", NULL }, /* the last entry of a map counts */
	{ "c=enum:red,blue", NULL, "c:red", "", "c=red", NULL },
	{ "a=int|none", NULL, "a:1", "", "a=1", NULL },
	{ "a=int", NULL, "a:1 z:1", "", NULL, "invalid input z" },
	{ "", NULL, "z:1", "", NULL, "invalid input z" },
	{ "a=int b=str", NULL, "a:1", "", NULL, "expected_inputs b missing" },
	{ "a=int", NULL, "a:x", "", NULL, "invalid a input wrong type. Expected integer, but got string" },
	{ "a=[int]|none", NULL, "a:x", "", NULL,
	  "invalid a input wrong type. Expected list of integer or none, but got string" },
	{ "c=enum:red,blue", NULL, "c:green", "", NULL,
	  "invalid c input wrong type. Expected enum {red, blue}, but got string with a value that is not allowed" },
	{ "a=int", NULL, "a:1 f:2", "f:9", NULL, "fixed_inputs f cannot be overridden" },
	{ "a=int f=int", NULL, "a:1 f:2", "f:9", NULL, "fixed_inputs f cannot be overridden" },
};

static void test_merge(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_arena struct arena arena = ARENA_INIT(1 << 20);
		Flyteidl__Core__ParameterMap *expected = parameters_from(&arena, rows[i].parameters);
		for (size_t k = 0; rows[i].with_default && k < expected->n_parameters; k++)
			if (strcmp(expected->parameters[k]->key, rows[i].with_default) == 0) {
				expected->parameters[k]->value->behavior_case =
				        FLYTEIDL__CORE__PARAMETER__BEHAVIOR_DEFAULT;
				expected->parameters[k]->value->default_ = literal_int(&arena, 7);
			}
		auto_err struct err e = ERR_INIT;
		const Flyteidl__Core__LiteralMap *merged =
		        inputs_merge(&arena, expected, literals_from(&arena, rows[i].fixed),
		                     literals_from(&arena, rows[i].given), &e);
		if (rows[i].result) {
			if (!merged)
				fail_msg("row %zu: %s", i, err_message(&e));
			assert_string_equal(text_of(&arena, merged), rows[i].result);
		} else {
			assert_null(merged);
			assert_int_equal(e.kind, ERR_INVALID);
			assert_string_equal(err_id(&e), "invalid-input");
			assert_string_equal(err_message(&e), rows[i].error);
		}
	}
}

static void test_elements_of_different_types(void **state)
{
	(void)state;
	auto_arena struct arena a = ARENA_INIT((size_t)1024 * 1024);
	Flyteidl__Core__LiteralType *lists = type_of(&a, "[{int}]"), *maps = type_of(&a, "{[int]}");
	Flyteidl__Core__Literal *one = literal_map(&a, 1, "a", literal_int(&a, 1)), *none = literal_map(&a, 0);
	Flyteidl__Core__Literal *text = literal_map(&a, 1, "b", literal_string(&a, "x"));
	assert_true(
	        types_accept_literal(lists, literal_list(&a, 2, one, none))); /* an empty map is one of integers too */
	assert_true(types_accept_literal(lists, literal_list(&a, 2, none, one)));
	assert_false(types_accept_literal(lists, literal_list(&a, 3, one, none, text)));
	assert_false(types_accept_literal(lists, one));
	Flyteidl__Core__Literal *list = literal_list(&a, 1, literal_int(&a, 1)), *empty = literal_list(&a, 0);
	assert_true(types_accept_literal(maps, literal_map(&a, 2, "a", list, "b", empty)));
	assert_false(types_accept_literal(maps, literal_map(&a, 2, "a", list, "b", literal_int(&a, 1))));
}

static void test_absent_maps(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	const Flyteidl__Core__LiteralMap *merged = inputs_merge(&arena, NULL, NULL, NULL, &e);
	assert_non_null(merged);
	assert_int_equal(merged->n_literals, 0);
}

static void test_offloaded(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	literal *l = proto_new(&arena, flyteidl__core__literal);
	l->value_case = FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA;
	l->offloaded_metadata = proto_new(&arena, flyteidl__core__literal_offloaded_metadata);
	Flyteidl__Core__LiteralMap *given = proto_new(&arena, flyteidl__core__literal_map);
	literals_add(&arena, given, "a", l);
	auto_err struct err e = ERR_INIT;
	assert_null(inputs_merge(&arena, parameters_from(&arena, "a=[int]"), NULL, given, &e));
	assert_non_null(strstr(err_message(&e), "Failed to validate literal type for [a]"));
	l->offloaded_metadata->inferred_type = type_of(&arena, "[int]");
	assert_non_null(inputs_merge(&arena, parameters_from(&arena, "a=[int]"), NULL, given, &e));
	assert_null(inputs_merge(&arena, parameters_from(&arena, "a=[str]"), NULL, given, &e));
}

/* Neither required nor with a default (an artifact query, say): nothing is put in. */
static void test_no_default(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	Flyteidl__Core__ParameterMap *expected = parameters_from(&arena, "a=int b=int");
	expected->parameters[0]->value->required = false;
	expected->parameters[1]->value->behavior_case = FLYTEIDL__CORE__PARAMETER__BEHAVIOR__NOT_SET;
	auto_err struct err e = ERR_INIT;
	const Flyteidl__Core__LiteralMap *merged = inputs_merge(&arena, expected, NULL, NULL, &e);
	assert_non_null(merged);
	assert_int_equal(merged->n_literals, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),       cmocka_unit_test(test_elements_of_different_types),
		cmocka_unit_test(test_absent_maps), cmocka_unit_test(test_offloaded),
		cmocka_unit_test(test_no_default),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
