#include "rpc/path_template.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Matches and compares the values joined by '|'; NULL: no match. */
static void assert_match(const char *template, const char *path, const char *wanted)
{
	struct path_template t;
	struct path_values values;
	auto_err struct err e = ERR_INIT;
	assert_int_equal(path_template_parse(template, &t, &e), 0);
	bool matches = path_template_match(&t, path, &values);
	path_template_release(&t);
	if (!matches) {
		assert_null(wanted);
		return;
	}
	char joined[256] = "";
	size_t length = 0;
	for (size_t i = 0; i < values.count; i++)
		length += (size_t)snprintf(joined + length, sizeof(joined) - length, "%s%s", i ? "|" : "",
		                           values.values[i]);
	path_values_release(&values);
	assert_non_null(wanted);
	assert_string_equal(joined, wanted);
}

static void variables_match_one_segment(void **state)
{
	(void)state;
	assert_match("/api/v1/tasks/{id.project}/{id.domain}", "/api/v1/tasks/p/d", "p|d");
	assert_match("/api/v1/tasks/{id.project}/{id.domain}", "/api/v1/tasks/p", NULL);
	assert_match("/api/v1/tasks/{id.project}/{id.domain}", "/api/v1/tasks/p/", NULL);
	assert_match("/api/v1/tasks/{id.project}/{id.domain}", "/api/v1/tasks/p/d/", NULL);
	assert_match("/api/v1/tasks/{id.project}/{id.domain}", "/api/v1/tasks/p/d/x", NULL);
	assert_match("/api/v1/tasks/{id.project}/{id.domain}", "/api/v1/task/p/d", NULL);
	assert_match("/a/{x}/tail", "/a/b/tail", "b");
	assert_match("/a/{x}/tail", "/a/b/tai", NULL);
	assert_match("/a/{x=*}", "/a/b", "b");
	assert_match("/a", "/a", "");
	assert_match("/a", "", NULL);
}

static void values_are_decoded_after_splitting(void **state)
{
	(void)state;
	assert_match("/a/{x}/{y}", "/a/b%2Fc/d%20e+f", "b/c|d e+f");
	assert_match("/a/{x}", "/a/%C3%A9", "é");
	assert_match("/a/{x}", "/a/%", NULL);
	assert_match("/a/{x}", "/a/%4", NULL);
	assert_match("/a/{x}", "/a/%zz", NULL);
	assert_match("/a/{x}", "/a/b%00c", NULL);
	assert_match("/a b/{x}", "/a%20b/c", "c");
}

static void rest_takes_everything(void **state)
{
	(void)state;
	assert_match("/a/{x=**}", "/a/b/c/d", "b/c/d");
	assert_match("/a/{x=**}", "/a/", "");
	assert_match("/a/{x=**}", "/a", NULL);
}

static void malformed_templates_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "",        "a",        "/",         "//a",   "/{",      "/{}",   "/{x",
		                           "/{x=}",   "/{x=a/*}", "/{x=***}",  "/{1x}", "/{x..y}", "/{x.}", "/{.x}",
		                           "/a:verb", "/*",       "/{x=**}/a", "/a{x}", "/{x}b" };
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct path_template t;
		auto_err struct err e = ERR_INIT;
		if (path_template_parse(bad[i], &t, &e) == 0)
			fail_msg("\"%s\" was accepted", bad[i]);
		assert_int_equal(e.kind, ERR_INVALID);
	}
	char many[400] = "";
	for (size_t i = 0; i <= PATH_SEGMENTS_MAXIMUM; i++)
		memcpy(many + 2 * i, "/a", 3);
	struct path_template t;
	assert_int_equal(path_template_parse(many, &t, NULL), -1);
}

static void literals_come_before_variables(void **state)
{
	(void)state;
	struct path_template a, b, c;
	assert_int_equal(path_template_parse("/x/relaunch", &a, NULL), 0);
	assert_int_equal(path_template_parse("/x/{id}", &b, NULL), 0);
	assert_int_equal(path_template_parse("/x/{id=**}", &c, NULL), 0);
	assert_true(path_template_compare(&a, &b) < 0);
	assert_true(path_template_compare(&b, &a) > 0);
	assert_true(path_template_compare(&b, &c) < 0);
	path_template_release(&a);
	path_template_release(&b);
	path_template_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_match_one_segment),    cmocka_unit_test(values_are_decoded_after_splitting),
		cmocka_unit_test(rest_takes_everything),          cmocka_unit_test(malformed_templates_are_refused),
		cmocka_unit_test(literals_come_before_variables),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
