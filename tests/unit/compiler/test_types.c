/* The type rules as tables: who may feed whom, which type a literal has, which values a type takes, how a type reads.
 */
#include "controlplane/compiler/types.h"
#include "proto/message.h"
#include "templates.h"

#include "cmocka_all.h"

static const struct {
	const char *upstream, *downstream;
	bool fits;
} casts[] = {
	/* simple types only fit themselves */
	{ "int", "int", true },
	{ "int", "float", false },
	{ "float", "int", false },
	{ "none", "int", false },
	{ "int", "none", false },
	{ "none", "none", true },
	{ "bool", "bool", true },
	{ "datetime", "duration", false },
	{ "struct", "struct", true },
	{ "struct", "binary", false },
	{ "error", "error", true },
	{ "?", "?", true },
	{ "?", "int", false },
	{ "int", "?", false },
	/* enums are strings */
	{ "enum:a,b", "str", true },
	{ "str", "enum:a,b", true },
	{ "enum:a,b", "enum:a,b", true },
	{ "enum:a,b", "enum:a", false },
	{ "enum:a,b", "enum:b,a", false },
	{ "enum:a", "int", false },
	{ "int", "enum:a", false },
	{ "[enum:a]", "[str]", true },
	/* containers */
	{ "[int]", "[int]", true },
	{ "[int]", "[float]", false },
	{ "[none]", "[int]", true },
	{ "[none]", "[[str]]", true },
	{ "[[int]]", "[int]", false },
	{ "[int]", "[[int]]", false },
	{ "[int]", "int", false },
	{ "int", "[int]", false },
	{ "none", "[int]", false },
	{ "[int]", "{int}", false },
	{ "{int}", "{int}", true },
	{ "{int}", "{float}", false },
	{ "{none}", "{float}", true },
	{ "{int}", "{{int}}", false },
	{ "{int}", "int", false },
	{ "[{enum:x}]", "[{str}]", true },
	/* blobs: by format, where both say one */
	{ "blob", "blob", true },
	{ "blob:csv", "blob", true },
	{ "blob", "blob:csv", true },
	{ "blob:csv", "blob:csv", true },
	{ "blob:csv", "blob:jpg", false },
	{ "none", "blob", false },
	{ "str", "blob", false },
	/* schemas */
	{ "schema", "schema", true },
	{ "schema", "schema:a=int", true },
	{ "schema:a=int", "schema", true },
	{ "schema:a=int,b=float", "schema:a=int", true },
	{ "schema:a=int", "schema:a=int,b=float", false },
	{ "schema:a=int", "schema:a=float", false },
	{ "schema:a=float", "schema:a=int", false },
	{ "none", "schema", false },
	{ "str", "schema", false },
	/* structured datasets */
	{ "dataset", "dataset", true },
	{ "dataset", "dataset:a=int,b=[int]", true },
	{ "dataset:a=int,b=[int]", "dataset", true },
	{ "dataset:a=int,b=[int],c={str}", "dataset:a=int,b=[int]", true },
	{ "dataset:a=int,b=[int]", "dataset:a=int,b=[int],c={str}", false },
	{ "dataset:a=int", "dataset:a=float", false },
	{ "dataset:a=[none]", "dataset:a=[int]", true },
	{ "dataset/parquet", "dataset", true },
	{ "dataset", "dataset/parquet", true },
	{ "dataset/parquet", "dataset/PARQUET", true },
	{ "dataset/csv", "dataset/parquet", false },
	{ "none", "dataset", true },
	{ "int", "dataset", false },
	/* between schema and structured dataset: parquet, simple columns */
	{ "schema:a=int", "dataset:a=int", true },
	{ "schema:a=int", "dataset:a=float", false },
	{ "schema:a=int", "dataset:a=[int]", false },
	{ "schema:a=int", "dataset/parquet", true },
	{ "schema:a=int", "dataset/csv", false },
	{ "schema:a=int,b=duration", "dataset:b=duration", true },
	{ "schema:a=int", "dataset:b=int", false },
	{ "dataset:a=int,b=float", "schema:a=int", true },
	{ "dataset:a=int", "schema:a=int,b=float", false },
	{ "dataset:a=[int]", "schema:a=int", false },
	{ "dataset/parquet:a=int", "schema:a=int", true },
	{ "dataset/csv:a=int", "schema:a=int", false },
	{ "dataset/csv", "schema", false },
	/* unions: exactly one variant for a plain type, a home for every variant of a union */
	{ "str", "int|str", true },
	{ "none", "int|none", true },
	{ "float", "int|str", false },
	{ "str", "str|str", false },
	{ "str", "str#a|str#b", false },
	{ "str", "enum:a|str", false },
	{ "str#a", "str#a|str#b", true },
	{ "str#a", "str#b|int", false },
	{ "str#a", "str", false },
	{ "int|str", "str|int", true },
	{ "int|str", "str|int|bool", true },
	{ "int|str", "str|bool", false },
	{ "str#a|int", "str#b|int", false },
	{ "int|str", "int", false },
	{ "<int>", "int", true },
	{ "<int>", "str", false },
	{ "<int>", "int|none", true },
	{ "<str#a>", "str#a|int", true },
	{ "[<int>|<none>]", "[int|none]", true },
	{ "[<int>]", "[int]", false },
	{ "[int]", "[int|none]", true },
	{ "[int|none]", "[int]", false },
	{ "none", "<none>", true },
	{ "[int]", "[int]|[str]", true },
	{ "[none]", "[int]|[str]", false },
};

static void test_casts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(casts); i++) {
		auto_arena struct arena arena = ARENA_INIT(1 << 20);
		bool fits = types_castable(type_of(&arena, casts[i].upstream), type_of(&arena, casts[i].downstream));
		if (fits != casts[i].fits)
			fail_msg("%s into %s: got %d", casts[i].upstream, casts[i].downstream, fits);
	}
	assert_true(types_castable(NULL, NULL));
	assert_false(types_castable(NULL, types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__STRING)));
	assert_false(types_castable(types_simple(FLYTEIDL__CORE__SIMPLE_TYPE__STRING), NULL));
}

/* Annotations and metadata make no difference, structs apart. */
static void test_metadata_is_ignored(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	literal_type *plain = type_of(&arena, "int"), *annotated = type_of(&arena, "int");
	annotated->annotation = proto_new(&arena, flyteidl__core__type_annotation);
	annotated->metadata = proto_new(&arena, google__protobuf__struct);
	assert_true(types_castable(plain, annotated));
	assert_true(types_castable(annotated, plain));
}

/* list of (list of (… | …) | list of (… | …)): two choices at each of 20 levels, on both sides. */
static literal_type *bushy(struct arena *arena, int depth, const char *leaf)
{
	if (!depth)
		return type_of(arena, leaf);
	literal_type *type = type_of(arena, "[int]|[int]");
	type->union_type->variants[0]->collection_type = bushy(arena, depth - 1, leaf);
	type->union_type->variants[1]->collection_type = bushy(arena, depth - 1, leaf);
	return type;
}

static void test_work_is_bounded(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(256 << 20);
	assert_false(types_castable(bushy(&arena, 14, "int"), bushy(&arena, 14, "str")));
	assert_true(types_castable(bushy(&arena, 2, "int"), bushy(&arena, 2, "int")));
}

static void check_type(struct arena *arena, const literal *value, const char *expected)
{
	const literal_type *type = types_of_literal(arena, value), *wanted = type_of(arena, expected);
	assert_non_null(type);
	struct proto_bytes got = proto_pack(arena, &type->base), want = proto_pack(arena, &wanted->base);
	if (got.length != want.length || memcmp(got.data, want.data, got.length) != 0)
		fail_msg("got %s, not %s", types_describe_in(arena, type), expected);
}

static void test_types_of_literals(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	struct arena *a = &arena;
	check_type(a, literal_int(a, 1), "int");
	check_type(a, literal_float(a, 1), "float");
	check_type(a, literal_string(a, "x"), "str");
	check_type(a, literal_bool(a, true), "bool");
	check_type(a, literal_none(a), "none");
	check_type(a, literal_union(a, literal_int(a, 1), "int#int"), "<int#int>");
	check_type(a, literal_packed(a, "\x80", 1), "struct");
	literal *raw = literal_packed(a, "\x80", 1);
	raw->scalar->binary->tag = arena_strdup(a, "other");
	check_type(a, raw, "binary");
	check_type(a, literal_list(a, 0), "[none]");
	check_type(a, literal_map(a, 0), "{none}");
	check_type(a, literal_list(a, 3, literal_int(a, 1), literal_int(a, 2), literal_int(a, 3)), "[int]");
	check_type(a, literal_map(a, 2, "k", literal_string(a, "x"), "l", literal_string(a, "y")), "{str}");
	/* an empty list among others says nothing */
	check_type(a, literal_list(a, 2, literal_list(a, 0), literal_list(a, 1, literal_int(a, 1))), "[[int]]");
	check_type(a, literal_list(a, 2, literal_list(a, 0), literal_list(a, 0)), "[[none]]");
	/* a nested list of unions merges */
	check_type(a,
	           literal_list(a, 2, literal_list(a, 2, literal_int(a, 1), literal_string(a, "x")),
	                        literal_list(a, 1, literal_bool(a, true))),
	           "[[[bool]|int|str]]");
}

static void test_mixed_containers_are_unions(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	struct arena *a = &arena;
	literal *one = literal_list(a, 3, literal_string(a, "x"), literal_int(a, 1), literal_string(a, "y"));
	literal *other = literal_list(a, 3, literal_int(a, 7), literal_string(a, "z"), literal_int(a, 8));
	check_type(a, one, "[int|str]");
	check_type(a, other, "[int|str]"); /* the order of the elements does not matter */
	check_type(a, literal_map(a, 2, "a", literal_none(a), "b", literal_int(a, 1)), "{none|int}");
	assert_true(types_castable(types_of_literal(a, one), type_of(a, "[str|int|none]")));
	assert_false(types_castable(types_of_literal(a, one), type_of(a, "[str]")));
}

static void test_unknown_literals(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	literal *empty = proto_new(&arena, flyteidl__core__literal);
	assert_null(types_of_literal(&arena, empty));
	assert_null(types_of_literal(&arena, NULL));
	empty->value_case = FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA;
	empty->offloaded_metadata = proto_new(&arena, flyteidl__core__literal_offloaded_metadata);
	assert_null(types_of_literal(&arena, empty));
	empty->offloaded_metadata->inferred_type = type_of(&arena, "[int]");
	check_type(&arena, empty, "[int]");
}

static void check_accepts(struct arena *a, const char *type, const literal *value, bool expected)
{
	if (types_accept_literal(type_of(a, type), value) != expected)
		fail_msg("%s: got %d", type, !expected);
}

static void test_accepted_literals(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	struct arena *a = &arena;
	check_accepts(a, "int", literal_int(a, 1), true);
	check_accepts(a, "int", literal_string(a, "1"), false);
	check_accepts(a, "enum:red,blue", literal_string(a, "red"), true);
	check_accepts(a, "enum:red,blue", literal_string(a, "green"), false);
	check_accepts(a, "[enum:red]", literal_list(a, 2, literal_string(a, "red"), literal_string(a, "red")), true);
	check_accepts(a, "[enum:red]", literal_list(a, 2, literal_string(a, "red"), literal_string(a, "x")), false);
	check_accepts(a, "{enum:red}", literal_map(a, 1, "k", literal_string(a, "x")), false);
	check_accepts(a, "enum:red|none", literal_string(a, "x"), false);
	check_accepts(a, "enum:red|none", literal_string(a, "red"), true);
	check_accepts(a, "enum:red|none", literal_none(a), true);
	check_accepts(a, "int|none", literal_union(a, literal_int(a, 1), "int"), true);
	check_accepts(a, "int|none", literal_union(a, literal_string(a, "1"), "str"), false);
	check_accepts(a, "enum:red|none", literal_union(a, literal_string(a, "x"), "enum:red"), false);
	check_accepts(a, "[int]", literal_list(a, 0), true);
}

static void test_descriptions(void **state)
{
	(void)state;
	static const struct {
		const char *type, *text;
	} rows[] = {
		{ "int", "integer" },
		{ "[str]", "list of string" },
		{ "{[float]}", "map of string to list of float" },
		{ "int|none", "integer or none" },
		{ "blob:csv", "blob (csv)" },
		{ "blob", "blob" },
		{ "enum:a,b", "enum {a, b}" },
		{ "schema:a=int", "schema (a: INTEGER)" },
		{ "dataset/parquet:a=[int],b=str",
		  "structured dataset of format parquet (a: list of integer, b: string)" },
		{ "dataclass(a=int,b=[str])", "struct (a: integer, b: list of string)" },
		{ "?", "unknown type" },
	};
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		assert_string_equal(types_describe_in(&arena, type_of(&arena, rows[i].type)), rows[i].text);
	assert_string_equal(types_describe_in(&arena, NULL), "unknown type");
	const char *cut = types_describe_in(&arena, bushy(&arena, 8, "int"));
	assert_true(strlen(cut) < 700);
	assert_non_null(strstr(cut, "…"));
}

static void test_optional(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	assert_true(types_is_optional(type_of(&arena, "int|none")));
	assert_false(types_is_optional(type_of(&arena, "int|[none]")));
	assert_false(types_is_optional(type_of(&arena, "none")));
	assert_false(types_is_optional(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_casts),
		cmocka_unit_test(test_metadata_is_ignored),
		cmocka_unit_test(test_work_is_bounded),
		cmocka_unit_test(test_types_of_literals),
		cmocka_unit_test(test_mixed_containers_are_unions),
		cmocka_unit_test(test_unknown_literals),
		cmocka_unit_test(test_accepted_literals),
		cmocka_unit_test(test_descriptions),
		cmocka_unit_test(test_optional),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
