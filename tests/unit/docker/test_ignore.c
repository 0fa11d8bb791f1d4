/* .dockerignore: the cases were run through Docker's own matcher (github.com/moby/patternmatcher v0.6.1), too. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "docker/ignore.h"

#include <string.h>

static bool matches(const char *text, const char *path)
{
	auto_ignore struct ignore ignore = IGNORE_INIT;
	auto_err struct err e = ERR_INIT;
	assert_int_equal(ignore_parse(text, strlen(text), &ignore, &e), 0);
	return ignore_matches(&ignore, path);
}

static void test_patterns(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *path;
		bool matched;
	} cases[] = {
		{ "", "a", false },
		{ "a", "a", true },
		{ "a", "b", false },
		{ "a", "ab", false },
		{ "a", "a/b/c", true }, /* below a matched directory */
		{ "a", "b/a", false },  /* anchored at the root */
		{ "/a", "a", true },
		{ "./a", "a", true },
		{ "a/", "a", true },
		{ "a//b", "a/b", true },
		{ "x/../a", "a", true },
		{ "  a  ", "a", true },
		{ "#a", "#a", false },
		{ " #a", "#a", true }, /* only a '#' in the first column begins a comment */
		{ "\\#a", "#a", true },
		{ "*", "a", true },
		{ "*", "a/b", true },
		{ "*.txt", "a.txt", true },
		{ "*.txt", "d/a.txt", false },
		{ "*/a.txt", "d/a.txt", true },
		{ "*/a.txt", "d/e/a.txt", false },
		{ "?", "a", true },
		{ "?", "ab", false },
		{ "?.c", "\xc3\xa4.c", true }, /* one character, two bytes */
		{ "a?b", "a/b", false },
		{ "**", "a/b", true },
		{ "**/a", "a", true },
		{ "**/a", "x/y/a", true },
		{ "**/a", "x/ya", false },
		{ "**a", "x/ya", true }, /* a leading ** with plain text is a suffix */
		{ "**/*.pyc", "a.pyc", true },
		{ "**/*.pyc", "x/y/a.pyc", true },
		{ "x/**", "x/y/z", true },
		{ "x/**", "x", false },
		{ "x/**/z", "x/z", true },
		{ "x/**/z", "x/y/y/z", true },
		{ "x/**/z", "xz", false },
		{ "a**b", "ab", true },
		{ "a**b", "ax/b", true },
		{ "a**b", "axb", false },
		{ "a**", "abc/d", true },
		{ "[ab].c", "a.c", true },
		{ "[ab].c", "c.c", false },
		{ "[a-c].c", "b.c", true },
		{ "[^a-c].c", "b.c", false },
		{ "[^a-c].c", "d.c", true },
		{ "[a\\-c]", "-", true },
		{ "[a\\-c]", "b", false },
		{ "[\\]]", "]", true },
		{ "a\\*", "a*", true },
		{ "a\\*", "ab", false },
		{ "a.b", "axb", false },
		{ "(a|b)+", "(a|b)+", true },
		{ "*\n!a", "a", false },
		{ "*\n!a", "b", true },
		{ "*\n!a", "a/b", false },
		{ "!a\n*", "a", true }, /* the last one wins */
		{ "d\n!d/keep", "d/keep", false },
		{ "d\n!d/keep", "d/other", true },
		{ "*\n!**/*.py", "x/y.py", false },
		{ "*\n!**/*.py", "x/y.c", true },
		{ "*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true },
		{ "*.md\n!README*.md\nREADME-secret.md", "README-x.md", false },
		{ "! a\na/b\n", "a/b", true },
		{ "a\r\nb\r\n", "a", true },
		{ "\xef\xbb\xbf"
		  "a",
		  "a", true },
		{ ".", "a", false },
		{ "..", "a", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (matches(cases[i].text, cases[i].path) != cases[i].matched)
			fail_msg("pattern '%s' and path '%s': expected %d", cases[i].text, cases[i].path,
			         cases[i].matched);
	}
}

static void test_errors(void **state)
{
	(void)state;
	static const char *const texts[] = { "!", "a\n!\n", "[", "[]", "[^]", "[a", "[-a]", "[a-]", "a\\", "a\n[\n" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ignore ignore = IGNORE_INIT;
		auto_err struct err e = ERR_INIT;
		if (ignore_parse(texts[i], strlen(texts[i]), &ignore, &e) == 0)
			fail_msg("'%s' was accepted", texts[i]);
		assert_string_equal(err_id(&e), "dockerignore");
		assert_null(ignore.patterns);
	}
	struct ignore ignore = IGNORE_INIT;
	auto_err struct err e = ERR_INIT;
	assert_int_equal(ignore_parse("ok\nx[", 5, &ignore, &e), -1);
	assert_non_null(strstr(err_message(&e), "line 2"));
	assert_int_equal(ignore_parse("a\0b", 3, &ignore, &e), -1);
}

/* Patterns that make backtracking matchers run for ever. */
static void test_cost(void **state)
{
	(void)state;
	char pattern[402];
	char path[1001];
	memset(path, 'a', 1000);
	path[1000] = '\0';
	for (size_t i = 0; i < 400; i += 2)
		memcpy(pattern + i, "*a", 2);
	memcpy(pattern + 400, "b", 2);
	assert_false(matches(pattern, path));
	pattern[400] = '\0';
	assert_true(matches(pattern, path));
}

static void test_walk_agrees(void **state)
{
	(void)state;
	static const char text[] = "*\n!a\na/b\n!**/c";
	static const char *const paths[] = { "a", "a/b", "a/b/c", "a/x", "d", "d/c" };
	auto_ignore struct ignore ignore = IGNORE_INIT;
	assert_int_equal(ignore_parse(text, strlen(text), &ignore, NULL), 0);
	assert_true(ignore.has_exceptions);
	for (size_t i = 0; i < 6; i++) {
		bool own[2][8] = { { false } };
		bool result = false;
		size_t depth = 0;
		for (const char *end = paths[i]; end; depth++) {
			end = strchr(end, '/');
			size_t length = end ? (size_t)(end - paths[i]) : strlen(paths[i]);
			char part[16] = "";
			memcpy(part, paths[i], length);
			result = ignore_matches_entry(&ignore, part, depth ? own[(depth + 1) % 2] : NULL,
			                              own[depth % 2]);
			end = end ? end + 1 : NULL;
		}
		assert_int_equal(result, ignore_matches(&ignore, paths[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_patterns), cmocka_unit_test(test_errors),
		                            cmocka_unit_test(test_cost), cmocka_unit_test(test_walk_agrees) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
