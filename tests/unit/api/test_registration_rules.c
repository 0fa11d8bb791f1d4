/* What registration decides without a database: labels, networks, flyte:// URLs. As tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "controlplane/api/api.h"
#include "controlplane/api/flyte_url.h"
#include "base/kubernetes_names.h"
#include "controlplane/launch/ids.h"

#include <string.h>

static void test_names(void **state)
{
	(void)state;
	static const char long_name[] = "a123456789b123456789c123456789d123456789e123456789f123456789123";
	assert_true(kubernetes_is_dns_label("a"));
	assert_true(kubernetes_is_dns_label("0-a"));
	assert_true(kubernetes_is_dns_label(long_name));
	static const char *const bad_labels[] = {
		"", "-a", "a-", "A", "a.b", "a_b", "a123456789b123456789c123456789d123456789e123456789f1234567891234"
	};
	for (size_t i = 0; i < ARRAY_LENGTH(bad_labels); i++)
		assert_false(kubernetes_is_dns_label(bad_labels[i]));
	static const char *const keys[] = { "a", "A.b_c-d", "example.com/a", "a-b.c/X" };
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
		assert_true(kubernetes_is_label_key(keys[i]));
	static const char *const bad_keys[] = {
		"", "/a", "a/", "a/b/c", "-a", "a-", "A.com/a", "a..b/c", "a-.b/c", "é"
	};
	for (size_t i = 0; i < ARRAY_LENGTH(bad_keys); i++)
		assert_false(kubernetes_is_label_key(bad_keys[i]));
	assert_true(kubernetes_is_label_value(""));
	assert_true(kubernetes_is_label_value("1.0_A"));
	assert_false(kubernetes_is_label_value("a b"));
	assert_false(kubernetes_is_label_value("."));
}

static void test_identifier_text(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)1024 * 1024);
	const Flyteidl__Core__Identifier *id =
	        ids_new(&arena, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, "p", "d", "a\"b\\c\n", "v");
	assert_string_equal(
	        ids_text(&arena, id),
	        "resource_type:WORKFLOW project:\"p\" domain:\"d\" name:\"a\\\"b\\\\c\\x0a\" version:\"v\"");
	id = ids_new(&arena, FLYTEIDL__CORE__RESOURCE_TYPE__UNSPECIFIED, "", "", "", "");
	assert_string_equal(ids_text(&arena, id), "");
}

static void test_new_versions(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(65536);
	static const char *const good[] = { "1", "v1.2-rc_3", "_a-B0", "~x" };
	static const char *const bad[] = { "v 1", "a/b", "a+b", "a%20b", "[1]", "\xc3\xa9", "a=" };
	const Flyteidl__Core__ResourceType type = FLYTEIDL__CORE__RESOURCE_TYPE__TASK;
	for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
		assert_int_equal(ids_validate_new(ids_new(&arena, type, "p", "d", "n", good[i]), type, NULL), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		auto_err struct err e = ERR_INIT;
		assert_int_equal(ids_validate_new(ids_new(&arena, type, "p", "d", "n", bad[i]), type, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_non_null(strstr(err_message(&e), bad[i]));
		/* What has been stored may be read. */
		assert_int_equal(ids_validate(ids_new(&arena, type, "p", "d", "n", bad[i]), type, NULL), 0);
	}
	auto_err struct err e = ERR_INIT;
	assert_int_equal(ids_validate_new(ids_new(&arena, type, "p", "d", "n", ""), type, &e), -1);
	assert_string_equal(err_message(&e), "missing version");
}

static void test_networks(void **state)
{
	(void)state;
	static const struct {
		const char *networks, *address;
		bool inside;
	} cases[] = {
		{ "10.42.0.0/16", "10.42.255.1", true },
		{ "10.42.0.0/16", "10.43.0.1", false },
		{ "10.42.0.0/16", "::ffff:10.42.0.9", true },
		{ "10.42.0.0/15", "10.43.0.1", true },
		{ "192.168.0.0/24,10.0.0.0/8", "10.1.2.3", true },
		{ "0.0.0.0/0", "1.2.3.4", true },
		{ "0.0.0.0/0", "fd00::1", false },
		{ "fd00::/8", "fd12::1", true },
		{ "fd00::/8", "10.0.0.1", false },
		{ "10.42.0.0/33", "10.42.0.1", false },
		{ "10.42.0.0", "10.42.0.0", false },
		{ "nonsense/8", "10.0.0.1", false },
		{ "", "10.0.0.1", false },
		{ NULL, "10.0.0.1", false },
		{ "10.0.0.0/8", "unix", false },
		{ "10.0.0.0/8", "", false },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_int_equal(api_networks_have(cases[i].networks, cases[i].address), cases[i].inside);
}

static void test_flyte_urls(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *node_id; /* NULL: refused */
		int64_t attempt;
		char kind;
		const char *literal;
	} cases[] = {
		{ "flyte://v1/p/d/e/n0/i", "n0", -1, 'i', "" },
		{ "flyte://v1/p/d/e/n0-0-n1/d", "n0-0-n1", -1, 'd', "" },
		{ "flyte://v1/p/d/e/n0/3/o", "n0", 3, 'o', "" },
		{ "flyte://v1/p/d/e/n0/o/o0", "n0", -1, 'o', "o0" },
		{ "flyte://v1/p/d/e/n0/0/i/x_y", "n0", 0, 'i', "x_y" },
		{ "flyte://v1/p/d/e/n0/d/x", NULL, 0, 0, NULL },
		{ "flyte://v1/p/d/e/n0/x", NULL, 0, 0, NULL },
		{ "flyte://v1/p/d/e/n0/0", NULL, 0, 0, NULL },
		{ "flyte://v1/p/d/e/i", NULL, 0, 0, NULL },
		{ "flyte://v1/p/d/e/n0/i/", NULL, 0, 0, NULL },
		{ "flyte://v1/p/d/e/n0/i/a/b", NULL, 0, 0, NULL },
		{ "flyte://v1/p/d/e/n0/0/i/a/b", NULL, 0, 0, NULL },
		{ "flyte://v1/p//e/n0/i", NULL, 0, 0, NULL },
		{ "flyte://v1/p/d/e/n.0/i", NULL, 0, 0, NULL },
		{ "flyte://v2/p/d/e/n0/i", NULL, 0, 0, NULL },
		{ "", NULL, 0, 0, NULL },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		auto_arena struct arena arena = ARENA_INIT((size_t)1024 * 1024);
		struct flyte_url url;
		bool fine = flyte_url_parse(&arena, cases[i].text, &url);
		if (fine != (cases[i].node_id != NULL))
			fail_msg("%s", cases[i].text);
		if (!fine)
			continue;
		assert_string_equal(url.project, "p");
		assert_string_equal(url.domain, "d");
		assert_string_equal(url.execution, "e");
		assert_string_equal(url.node_id, cases[i].node_id);
		assert_int_equal(url.attempt, cases[i].attempt);
		assert_int_equal(url.kind, cases[i].kind);
		assert_string_equal(url.literal, cases[i].literal);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),        cmocka_unit_test(test_identifier_text),
		cmocka_unit_test(test_new_versions), cmocka_unit_test(test_networks),
		cmocka_unit_test(test_flyte_urls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
