/* Expected values were computed by an independent implementation (Python: FNV-1a by its definition, base64.b32encode,
 * translated). */
#include "controlplane/engine/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_hash(void **state)
{
	(void)state;
	assert_int_equal(names_hash(""), 2166136261);
	assert_int_equal(names_hash("hello"), 1335831723);
}

static void test_join_fits(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(65536);
	assert_string_equal(names_join(&arena, 7, (const char *[]){ "n0", "0", "n1" }, 3), "n0-0-n1");
	assert_string_equal(names_join(&arena, 20, (const char *[]){ "", "", "n1" }, 3), "n1");
	assert_string_equal(names_join(&arena, 20, (const char *[]){ "n1", "", "" }, 3), "n1--");
}

static void test_join_hashes(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(65536);
	assert_string_equal(names_join(&arena, 4, (const char *[]){ "hello" }, 1), "fj5pszky");
	assert_string_equal(names_join_wide(&arena, 4, (const char *[]){ "hello" }, 1), "fuqynqruavk5qw");
	assert_string_equal(names_join(&arena, 5, (const char *[]){ "hello" }, 1), "hello");
}

static void test_node_execution(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(65536);
	assert_string_equal(names_node_execution(&arena, NULL, 0, "n0"), "n0");
	assert_string_equal(names_node_execution(&arena, NULL, 7, "a_node_id_longer_than_twenty"), "f21p33fy");
	assert_string_equal(names_node_execution(&arena, "n0", 0, "n1"), "n0-0-n1");
	assert_string_equal(names_node_execution(&arena, "n0", 0, "a-rather-long-child-node"), "ffwggc2a");
}

static void test_pod(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(65536);
	assert_string_equal(names_pod(&arena, "a1b2c3d4e5f6g7h8i9j0", "n0", 0), "a1b2c3d4e5f6g7h8i9j0-n0-0");
	assert_string_equal(names_pod(&arena, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "some-node-id", 3),
	                    "fq1pwrgy");
	/* What Kubernetes would refuse becomes a label, with the hash of the original behind it. */
	assert_string_equal(names_generated(&arena, "exec", "Foo_Bar", 0), "exec-Foo_Bar-0");
	assert_string_equal(names_pod(&arena, "exec", "Foo_Bar", 0), "exec-foo-bar-0-tt6wuqq");
	assert_string_equal(names_pod(&arena, "exec", "foo-bar_", 0), "exec-foo-bar-0-xhr5b5y");
}

static void test_child_execution(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(65536);
	assert_string_equal(names_child_execution(&arena, "abc", "n0", 0), "abc-n0-0");
	assert_string_equal(names_child_execution(&arena, "a1b2c3d4e5f6g7h8i9j0", "n0", 0), "falspyf26ih3wg");
}

static void check_shard(const char *unique_id, const char *expected)
{
	char shard[3];
	names_shard(unique_id, shard);
	assert_string_equal(shard, expected);
}

static void test_shard(void **state)
{
	(void)state;
	check_shard("a1b2c3d4e5f6g7h8i9j0-n0-0", "gl");
	check_shard("exec-n1-0", "vt");
	check_shard("", "pz");
}

static void test_per_retry_unique_key(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(65536);
	assert_string_equal(names_per_retry_unique_key(&arena, "exec-n0-0"), "exec_n0_0");
	assert_string_equal(names_per_retry_unique_key(&arena, "12ab-c"), "aab_c");
	assert_string_equal(names_per_retry_unique_key(&arena, "a--.b"), "a_b");
	assert_string_equal(names_per_retry_unique_key(&arena, "_x_-_y"), "_x___y");
	assert_string_equal(names_per_retry_unique_key(&arena, "123"), "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),        cmocka_unit_test(test_join_fits),
		cmocka_unit_test(test_join_hashes), cmocka_unit_test(test_node_execution),
		cmocka_unit_test(test_pod),         cmocka_unit_test(test_child_execution),
		cmocka_unit_test(test_shard),       cmocka_unit_test(test_per_retry_unique_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
