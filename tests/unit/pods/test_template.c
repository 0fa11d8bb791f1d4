/* Numbers, durations and times as Go 1.25 itself printed them (fmt's %v, time.RFC3339Nano). */
#include "base/text.h"
#include "proto/go_format.h"
#include "controlplane/engine/template.h"

#include "base/clock.h"
#include "proto/message.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static void test_floats(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ 1.5, "1.5" },
		{ 0.1, "0.1" },
		{ 123456, "123456" },
		{ 1234567, "1.234567e+06" },
		{ 1e6, "1e+06" },
		{ 100000, "100000" },
		{ 999999, "999999" },
		{ 1e21, "1e+21" },
		{ 0.0001, "0.0001" },
		{ 0.00001, "1e-05" },
		{ -2.5, "-2.5" },
		{ 3.14159, "3.14159" },
		{ 1e100, "1e+100" },
		{ 5e-324, "5e-324" },
		{ DBL_MAX, "1.7976931348623157e+308" },
		{ 0.30000000000000004, "0.30000000000000004" },
		{ (double)INFINITY, "+Inf" },
		{ (double)-INFINITY, "-Inf" },
		{ (double)NAN, "NaN" },
	};
	auto_arena struct arena arena = ARENA_INIT(65536);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		assert_string_equal(go_format_float(&arena, rows[i].value), rows[i].text);
}

static void test_durations(void **state)
{
	(void)state;
	static const struct {
		int64_t seconds;
		int32_t nanoseconds;
		const char *text;
	} rows[] = {
		{ 0, 0, "0s" },
		{ 0, 1, "1ns" },
		{ 0, 1500, "1.5\xc2\xb5s" },
		{ 0, 1500000, "1.5ms" },
		{ 0, 999000000, "999ms" },
		{ 0, -1, "-1ns" },
		{ 1, 0, "1s" },
		{ 90, 0, "1m30s" },
		{ 3600, 0, "1h0m0s" },
		{ 3601, 500000000, "1h0m1.5s" },
		{ -5400, 0, "-1h30m0s" },
		{ 129600, 1, "36h0m0.000000001s" },
	};
	auto_arena struct arena arena = ARENA_INIT(65536);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		assert_string_equal(go_format_duration(&arena, rows[i].seconds, rows[i].nanoseconds), rows[i].text);
}

static void test_times(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(65536);
	assert_string_equal(go_format_time(&arena, 0, 0), "1970-01-01T00:00:00Z");
	assert_string_equal(go_format_time(&arena, 1700000000, 123000000), "2023-11-14T22:13:20.123Z");
	assert_string_equal(go_format_time(&arena, 1700000000, 1), "2023-11-14T22:13:20.000000001Z");
	assert_string_equal(go_format_time(&arena, -1, 500000000), "1969-12-31T23:59:59.5Z");
}

static Flyteidl__Core__Literal *scalar_literal(struct arena *arena, Flyteidl__Core__Scalar **ret_scalar)
{
	Flyteidl__Core__Literal *literal = proto_new(arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = *ret_scalar = proto_new(arena, flyteidl__core__scalar);
	return literal;
}

static Flyteidl__Core__Literal *primitive_literal(struct arena *arena, Flyteidl__Core__Primitive **ret_primitive)
{
	Flyteidl__Core__Scalar *scalar;
	Flyteidl__Core__Literal *literal = scalar_literal(arena, &scalar);
	scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
	scalar->primitive = *ret_primitive = proto_new(arena, flyteidl__core__primitive);
	return literal;
}

static Flyteidl__Core__Literal *integer_literal(struct arena *arena, int64_t value)
{
	Flyteidl__Core__Primitive *primitive;
	Flyteidl__Core__Literal *literal = primitive_literal(arena, &primitive);
	primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
	primitive->integer = value;
	return literal;
}

static Flyteidl__Core__Literal *text_literal(struct arena *arena, const char *value)
{
	Flyteidl__Core__Primitive *primitive;
	Flyteidl__Core__Literal *literal = primitive_literal(arena, &primitive);
	primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE;
	primitive->string_value = arena_strdup(arena, value);
	return literal;
}

static Flyteidl__Core__Literal *list_literal(struct arena *arena, Flyteidl__Core__Literal *a,
                                             Flyteidl__Core__Literal *b)
{
	Flyteidl__Core__Literal *literal = proto_new(arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	literal->collection = proto_new(arena, flyteidl__core__literal_collection);
	proto_append(arena, literal->collection->n_literals, literal->collection->literals, a);
	proto_append(arena, literal->collection->n_literals, literal->collection->literals, b);
	return literal;
}

static Flyteidl__Core__Literal *blob_literal(struct arena *arena, const char *uri)
{
	Flyteidl__Core__Scalar *scalar;
	Flyteidl__Core__Literal *literal = scalar_literal(arena, &scalar);
	scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_BLOB;
	scalar->blob = proto_new(arena, flyteidl__core__blob);
	scalar->blob->uri = arena_strdup(arena, uri);
	return literal;
}

static void add_input(struct arena *arena, Flyteidl__Core__LiteralMap *map, const char *name,
                      Flyteidl__Core__Literal *value)
{
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry =
	        (void *)proto_new_of(arena, &flyteidl__core__literal_map__literals_entry__descriptor);
	entry->key = arena_strdup(arena, name);
	entry->value = value;
	proto_append(arena, map->n_literals, map->literals, entry);
}

static struct template_values sample_values(struct arena *arena)
{
	Flyteidl__Core__LiteralMap *inputs = proto_new(arena, flyteidl__core__literal_map);
	Flyteidl__Core__Literal *map = proto_new(arena, flyteidl__core__literal);
	map->value_case = FLYTEIDL__CORE__LITERAL__VALUE_MAP;
	map->map = proto_new(arena, flyteidl__core__literal_map);
	add_input(arena, inputs, "n", integer_literal(arena, -7));
	add_input(arena, inputs, "s", text_literal(arena, "a {{.namespace}} b"));
	add_input(arena, inputs, "l", list_literal(arena, integer_literal(arena, 1), text_literal(arena, "x")));
	add_input(arena, inputs, "f", blob_literal(arena, "s3://bucket/file"));
	add_input(arena, inputs, "m", map);
	return (struct template_values){
		.input = "s3://b/n0/data/inputs.pb",
		.input_prefix = "s3://b/n0/data",
		.output_prefix = "s3://b/n0/data/0",
		.raw_output_data_prefix = "s3://b/{{ .Namespace }}/ab/x",
		.checkpoint_output_prefix = "s3://b/ab/x/_flytecheckpoints",
		.prev_checkpoint_prefix = "",
		.per_retry_unique_key = "x_n0_0",
		.task_template_path = "s3://b/n0/data/task.pb",
		.namespace = "flytesnacks-development",
		.inputs = inputs,
	};
}

static void test_render(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *expected;
	} rows[] = {
		{ "", "" },
		{ "plain { text } {{", "plain { text } {{" },
		{ "{{.input}}", "s3://b/n0/data/inputs.pb" },
		{ "{{$input}}", "s3://b/n0/data/inputs.pb" },
		{ "{{ .INPUT\t}}", "s3://b/n0/data/inputs.pb" },
		{ "a{{.inputPrefix}}b", "as3://b/n0/datab" },
		{ "{{.outputPrefix}}/{{.OutputPrefix}}", "s3://b/n0/data/0/s3://b/n0/data/0" },
		{ "{{.rawOutputDataPrefix}}", "s3://b/flytesnacks-development/ab/x" },
		{ "{{.checkpointOutputPrefix}}", "s3://b/ab/x/_flytecheckpoints" },
		{ "{{.prevCheckpointPrefix}}", "\"\"" },
		{ "{{.perRetryUniqueKey}}", "x_n0_0" },
		{ "{{.namespace}}", "flytesnacks-development" },
		{ "{{.taskTemplatePath}}", "s3://b/n0/data/task.pb" },
		{ "{{.unknown}} {{ . input }} {{input}} {{.input}", "{{.unknown}} {{ . input }} {{input}} {{.input}" },
		{ "{{{.input}}}", "{s3://b/n0/data/inputs.pb}" },
		{ "{{.inputs.n}}", "-7" },
		{ "{{.Inputs.l}}", "[1,x]" },
		{ "{{.inputs.f}}", "s3://bucket/file" },
		/* What an input holds is text, not a template. */
		{ "{{.inputs.s}}", "a {{.namespace}} b" },
	};
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	struct template_values values = sample_values(&arena);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_err struct err e = ERR_INIT;
		const char *rendered = template_render(&arena, rows[i].text, &values, NULL, &e);
		assert_non_null(rendered);
		assert_string_equal(rendered, rows[i].expected);
	}
}

static void test_render_errors(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	struct template_values values = sample_values(&arena);
	assert_null(template_render(&arena, "x {{.inputs.N}}", &values, NULL, &e));
	assert_int_equal(e.kind, ERR_INVALID);
	assert_non_null(strstr(err_message(&e), "requested input is not found [N]"));
	assert_null(template_render(&arena, "{{.inputs.m}}", &values, NULL, &e));
	assert_non_null(strstr(err_message(&e), "failed to bind a value to inputName [m]"));
	assert_string_equal(err_id(&e), "BadTaskSpecification");
}

static void test_missing_values(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	struct template_values values = { .input = "i" };
	bool used = false;
	assert_string_equal(template_render(&arena, "{{.input}} {{.inputs.x}} {{.outputPrefix}}", &values, &used, &e),
	                    "i {{.inputs.x}} {{.outputPrefix}}");
	assert_false(used);
	assert_non_null(template_render(&arena, "{{ $TASKTEMPLATEPATH }}", &values, &used, &e));
	assert_true(used);
}

/* Each of these could begin a name that ends at the end of the text. */
static void test_many_beginnings(void **state)
{
	(void)state;
	const size_t size = (size_t)3 << 20;
	auto_arena struct arena arena = ARENA_INIT((size_t)64 << 20);
	auto_err struct err e = ERR_INIT;
	char *text = arena_alloc(&arena, size + 1);
	for (size_t i = 0; i < size; i++)
		text[i] = "{{."[i % 3];
	struct template_values values = { .input = "i" };
	const int64_t began_ms = clock_monotonic_ms();
	assert_string_equal(template_render(&arena, text, &values, NULL, &e), text);
	assert_true(clock_monotonic_ms() - began_ms < 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floats),          cmocka_unit_test(test_durations),
		cmocka_unit_test(test_times),           cmocka_unit_test(test_render),
		cmocka_unit_test(test_render_errors),   cmocka_unit_test(test_missing_values),
		cmocka_unit_test(test_many_beginnings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
