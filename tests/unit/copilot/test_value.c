/* Text of values as Go's strconv and time print and parse it. */
#include "base/text.h"
#include "copilot/value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TYPE(name) FLYTEIDL__CORE__SIMPLE_TYPE__##name

static struct arena arena = ARENA_INIT((size_t)64 << 20);

static const char *print(const Flyteidl__Core__Scalar *scalar)
{
	auto_err struct err e = ERR_INIT;
	struct proto_bytes bytes;
	if (value_print(&arena, scalar, &bytes, &e) < 0)
		fail_msg("%s", err_message(&e));
	return arena_strndup(&arena, (const char *)bytes.data, bytes.length);
}

static const char *print_json(const Flyteidl__Core__Scalar *scalar)
{
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf out = BUF_INIT(65536);
	if (value_print_json(scalar, &out, &e) < 0)
		fail_msg("%s", err_message(&e));
	return arena_strdup(&arena, buf_text(&out));
}

static void test_parsed_and_printed(void **state)
{
	(void)state;
	static const struct {
		Flyteidl__Core__SimpleType type;
		const char *text, *file, *json;
	} rows[] = {
		{ TYPE(INTEGER), " 42\n", "42", "42" },
		{ TYPE(INTEGER), "-9223372036854775808", "-9223372036854775808", "-9223372036854775808" },
		{ TYPE(INTEGER), "+7", "7", "7" },
		{ TYPE(FLOAT), "0.1", "0.1", "0.1" },
		{ TYPE(FLOAT), "-2.5e-7", "-0.00000025", "-0.00000025" },
		{ TYPE(FLOAT), "1e21", "1000000000000000000000", "1000000000000000000000" },
		{ TYPE(FLOAT), "123456.789", "123456.789", "123456.789" },
		{ TYPE(FLOAT), "100", "100", "100" },
		{ TYPE(FLOAT), "0", "0", "0" },
		{ TYPE(FLOAT), "-0", "-0", "-0" },
		{ TYPE(FLOAT), "5e-324", NULL, NULL },
		{ TYPE(FLOAT), "NaN", "NaN", "null" },
		{ TYPE(FLOAT), "-Inf", "-Inf", "null" },
		{ TYPE(STRING), "\t a b \n", "a b", "\"a b\"" },
		{ TYPE(STRING), "say \"\xc3\xa4\"\\", "say \"\xc3\xa4\"\\", "\"say \\\"\xc3\xa4\\\"\\\\\"" },
		{ TYPE(STRING), "", "", "\"\"" },
		{ TYPE(BOOLEAN), "T", "true", "true" },
		{ TYPE(BOOLEAN), "False", "false", "false" },
		{ TYPE(DATETIME), "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", "\"2026-01-02T03:04:05Z\"" },
		{ TYPE(DATETIME), "2026-01-02T03:04:05.25+02:00", "2026-01-02T01:04:05.25Z",
		  "\"2026-01-02T01:04:05.25Z\"" },
		{ TYPE(DATETIME), "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z", "\"1969-12-31T23:59:59.5Z\"" },
		{ TYPE(DURATION), "1h0m0s", "1h0m0s", "\"1h0m0s\"" },
		{ TYPE(DURATION), "90m", "1h30m0s", "\"1h30m0s\"" },
		{ TYPE(DURATION), "-1.5h", "-1h30m0s", "\"-1h30m0s\"" },
		{ TYPE(DURATION), "1.000000001s", "1.000000001s", "\"1.000000001s\"" },
		{ TYPE(DURATION), "2\xc2\xb5s3ns", "2.003\xc2\xb5s", "\"2.003\xc2\xb5s\"" },
		{ TYPE(DURATION), ".5s", "500ms", "\"500ms\"" },
		{ TYPE(DURATION), "0", "0s", "\"0s\"" },
		{ TYPE(STRUCT), "{\"b\": [1, null], \"a\": \"x\"}", NULL, NULL },
		{ TYPE(BINARY), "abc", "abc", "\"YWJj\"" },
		{ TYPE(ERROR), "broken", "broken", "\"broken\"" },
		{ TYPE(NONE), "", "null", "null" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_err struct err e = ERR_INIT;
		const Flyteidl__Core__Literal *literal = value_parse(&arena, rows[i].type, rows[i].text, &e);
		if (!literal)
			fail_msg("row %zu: %s", i, err_message(&e));
		if (rows[i].file)
			assert_string_equal(print(literal->scalar), rows[i].file);
		if (rows[i].json)
			assert_string_equal(print_json(literal->scalar), rows[i].json);
	}
}

/* The smallest number has 324 places; all of them are printed, and read back. */
static void test_small_and_large_floats(void **state)
{
	(void)state;
	static const double values[] = { 5e-324,  2.2250738585072014e-308, 1.7976931348623157e308, 0.1 + 0.2,
		                         1.0 / 3, 9007199254740993.0 };
	for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
		Flyteidl__Core__Scalar *scalar = proto_new(&arena, flyteidl__core__scalar);
		scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
		scalar->primitive = proto_new(&arena, flyteidl__core__primitive);
		scalar->primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE;
		scalar->primitive->float_value = values[i];
		const char *text = print(scalar);
		assert_null(strpbrk(text, "eE"));
		const double again = strtod(text, NULL);
		assert_memory_equal(&again, &values[i], sizeof(again));
	}
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		Flyteidl__Core__SimpleType type;
		const char *text;
	} rows[] = {
		{ TYPE(INTEGER), "" },    { TYPE(INTEGER), "1.5" },          { TYPE(INTEGER), "9223372036854775808" },
		{ TYPE(INTEGER), "+-1" }, { TYPE(INTEGER), "12 34" },        { TYPE(FLOAT), "" },
		{ TYPE(FLOAT), "1,5" },   { TYPE(FLOAT), "1e999" },          { TYPE(FLOAT), "nan(123)" },
		{ TYPE(BOOLEAN), "yes" }, { TYPE(DATETIME), "2026-01-02" },  { TYPE(DATETIME), "yesterday" },
		{ TYPE(DURATION), "" },   { TYPE(DURATION), "5" },           { TYPE(DURATION), "-" },
		{ TYPE(DURATION), "h" },  { TYPE(DURATION), ".s" },          { TYPE(DURATION), "1h-2m" },
		{ TYPE(DURATION), "1d" }, { TYPE(DURATION), "9999999999h" }, { TYPE(STRUCT), "[1]" },
		{ TYPE(STRUCT), "" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_err struct err e = ERR_INIT;
		if (value_parse(&arena, rows[i].type, rows[i].text, &e))
			fail_msg("row %zu, \"%s\", was accepted", i, rows[i].text);
		assert_int_equal(e.kind, ERR_INVALID);
	}
}

static int release(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parsed_and_printed),
		cmocka_unit_test(test_small_and_large_floats),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, release);
}
