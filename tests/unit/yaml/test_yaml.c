#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *yaml, const char *json)
{
	auto_err struct err e = ERR_INIT;
	auto_json json_t *value = yaml_parse(yaml, strlen(yaml), "file", &e);
	if (!value)
		fail_msg("%s", err_message(&e));
	auto_free char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	assert_string_equal(text, json);
	/* What is printed reads back as the same. */
	auto_buf struct buf printed = BUF_INIT(1 << 20);
	assert_int_equal(yaml_print(value, &printed, &e), 0);
	auto_json json_t *again = yaml_parse(buf_text(&printed), printed.length, "printed", &e);
	if (!json_equal(value, again))
		fail_msg("printed as: %s", buf_text(&printed));
}

static void test_values(void **state)
{
	(void)state;
	expect("", "null");
	expect("~", "null");
	expect("a: 1\nb: [x, 'y', \"z\\n\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\",\"z\\n\"]}");
	expect("[true, False, null, yes, on, ~, '', \"null\"]", "[true,false,null,\"yes\",\"on\",null,\"\",\"null\"]");
	expect("[0, -7, +7, 0x1F, 0o17, 0123, 1_000, 9223372036854775807]",
	       "[0,-7,7,31,15,\"0123\",\"1_000\",9223372036854775807]");
	expect("[1.5, -0.25, 1e3, .5, 1., 2026-01-01, 1.2.3, .inf, 1:30]",
	       "[1.5,-0.25,1000.0,0.5,1.0,\"2026-01-01\",\"1.2.3\",\".inf\",\"1:30\"]");
	expect("!!str 12", "\"12\"");
	expect("a: |\n  one\n  two\nb: >\n  x\n  y\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"x y\\n\"}");
	expect("1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}");
	expect("--- # comment\nk: v # more\n", "{\"k\":\"v\"}");
	expect("{\"json\": [1, {\"is\": \"yaml\"}]}", "{\"json\":[1,{\"is\":\"yaml\"}]}");
	expect("\xc3\xa4: \"\\u00fc\"", "{\"\xc3\xa4\":\"\xc3\xbc\"}");
}

static void test_aliases(void **state)
{
	(void)state;
	expect("a: &x {k: [1]}\nb: *x\n", "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]}}");
	expect("[&x 1, &x 2, *x]", "[1,2,2]");
	/* The copies are independent. */
	auto_json json_t *value = yaml_parse("[&x [], *x]", 11, "file", NULL);
	json_array_append_new(json_array_get(value, 0), json_integer(1));
	assert_int_equal(json_array_size(json_array_get(value, 1)), 0);
}

static void refuse(const char *yaml, size_t length, const char *message)
{
	auto_err struct err e = ERR_INIT;
	json_t *value = yaml_parse(yaml, length, "file", &e);
	assert_null(value);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_string_equal(err_id(&e), "malformed-yaml");
	if (strcmp(err_message(&e), message) != 0)
		fail_msg("\"%s\" is not \"%s\"", err_message(&e), message);
}

static void test_refusals(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "a: 1\nb: [\n", "line 3, column 1: did not find expected node content" },
		{ "a: 1\na: 2\n", "line 2, column 1: a key that is already there" },
		{ "? [x]\n: y\n", "line 1, column 3: a key that is not a scalar" },
		{ "a: 1\n--- \nb: 2\n", "line 2, column 1: a second document" },
		{ "x: &a 1\n<<: *a\n", "line 2, column 1: merge keys are not supported" },
		{ "a: *none\n", "line 1, column 4: an alias without anchor" },
		{ "&a [*a]\n", "line 1, column 5: an alias inside of its own anchor" },
		{ "a: \"\\0\"\n", "line 1, column 4: text with a NUL character" },
		{ "\"\\0\": b\n", "line 1, column 1: a key with a NUL character" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_free char *message = xasprintf("file is not valid YAML: %s", rows[i][1]);
		refuse(rows[i][0], strlen(rows[i][0]), message);
	}
	auto_err struct err e = ERR_INIT;
	assert_null(yaml_parse("a: \xff\n", 5, "file", &e));
}

/* Ten aliases of ten aliases of …: a few hundred bytes that would be ten thousand million nodes. */
static void test_alias_bomb(void **state)
{
	(void)state;
	auto_buf struct buf yaml = BUF_INIT(65536);
	buf_add_str(&yaml, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 10; i++) {
		buf_add_format(&yaml, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_add_format(&yaml, "%s*a%d", k ? "," : "", i - 1);
		buf_add_str(&yaml, "]\n");
	}
	auto_err struct err e = ERR_INIT;
	assert_null(yaml_parse(yaml.data, yaml.length, "bomb", &e));
	assert_non_null(strstr(err_message(&e), "too many nodes"));
}

static void test_depth(void **state)
{
	(void)state;
	char yaml[1000];
	memset(yaml, '[', sizeof(yaml));
	auto_err struct err e = ERR_INIT;
	assert_null(yaml_parse(yaml, sizeof(yaml), "deep", &e));
	assert_non_null(strstr(err_message(&e), "nested too deep"));
	auto_json json_t *value = json_array();
	for (int i = 0; i < YAML_DEPTH_MAXIMUM; i++)
		value = json_pack("[o]", value);
	auto_buf struct buf out = BUF_INIT(65536);
	assert_int_equal(yaml_print(value, &out, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
}

static void test_print(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	auto_json json_t *value =
	        json_pack("{s:s, s:[{s:s, s:{}}], s:s, s:s, s:i, s:f, s:[], s:s}", "kind", "Config", "users", "name",
	                  "a", "user", "yes", "no", "long", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t", "n", 7, "f", 2.0,
	                  "empty", "text", "one\ntwo\n");
	auto_buf struct buf out = BUF_INIT(65536);
	assert_int_equal(yaml_print(value, &out, &e), 0);
	assert_string_equal(buf_text(&out), "kind: Config\n"
	                                    "users:\n"
	                                    "- name: a\n"
	                                    "  user: {}\n"
	                                    "\"yes\": \"no\"\n"
	                                    "long: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t\n"
	                                    "\"n\": 7\n"
	                                    "f: 2.0\n"
	                                    "empty: []\n"
	                                    "text: |\n"
	                                    "  one\n"
	                                    "  two\n");
	auto_buf struct buf small = BUF_INIT(10);
	assert_int_equal(yaml_print(value, &small, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
}

static void test_places(void **state)
{
	(void)state;
	static const char text[] = "a: 1\nb:\n  c: [x,\n    y]\n  \"d\": {e: &n {f: 1}}\n\ng: *n\n";
	static const struct {
		const char *keys[4];
		size_t count, line;
	} cases[] = {
		{ { "a" }, 1, 1 },           { { "b" }, 1, 2 },           { { "b", "c" }, 2, 3 },
		{ { "b", "c", "1" }, 3, 4 }, { { "b", "d", "e" }, 3, 5 }, { { "g" }, 1, 7 },
		{ { "g", "f" }, 2, 7 }, /* an alias has no insides */
		{ { "b", "none" }, 2, 2 },   { { "none" }, 1, 1 },        { { NULL }, 0, 1 },
	};
	auto_yaml_places struct yaml_places places = YAML_PLACES_INIT;
	auto_err struct err e = ERR_INIT;
	auto_json json_t *value = yaml_parse_places(text, strlen(text), "file", &places, &e);
	assert_non_null(value);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_int_equal(yaml_line_of(&places, cases[i].keys, cases[i].count), cases[i].line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),     cmocka_unit_test(test_aliases), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_alias_bomb), cmocka_unit_test(test_depth),   cmocka_unit_test(test_print),
		cmocka_unit_test(test_places),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
