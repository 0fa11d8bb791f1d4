#include "proto/canonical.h"

#include "proto/diff.h"
#include "proto/json.h"

#include <flyteidl/admin/execution.pb-c.h>
#include <flyteidl/core/literals.pb-c.h>
#include <flyteidl/core/tasks.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena = ARENA_INIT((size_t)64 * 1024 * 1024);

static int release(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static ProtobufCMessage *task(const char *text)
{
	auto_err struct err e = ERR_INIT;
	Flyteidl__Core__TaskTemplate *t =
	        proto_json_parse(&arena, flyteidl__core__task_template, text, strlen(text), 0, &e);
	if (!t)
		fail_msg("%s: %s", text, err_message(&e));
	return &t->base;
}

static bool same_digest(const char *a, const char *b)
{
	uint8_t left[PROTO_DIGEST_SIZE], right[PROTO_DIGEST_SIZE];
	proto_digest(&arena, task(a), left);
	proto_digest(&arena, task(b), right);
	return memcmp(left, right, sizeof(left)) == 0;
}

static void the_order_of_maps_does_not_count(void **state)
{
	(void)state;
	assert_true(same_digest("{\"config\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}}",
	                        "{\"config\":{\"c\":\"3\",\"a\":\"1\",\"b\":\"2\"}}"));
	/* In maps of messages inside of messages, too. */
	assert_true(same_digest("{\"custom\":{\"x\":{\"p\":1,\"q\":[{\"r\":1,\"s\":2}]},\"y\":2}}",
	                        "{\"custom\":{\"y\":2,\"x\":{\"q\":[{\"s\":2,\"r\":1}],\"p\":1}}}"));
	assert_true(same_digest("{\"config\":{\"a\":\"0\",\"b\":\"2\",\"a\":\"1\"}}",
	                        "{\"config\":{\"a\":\"1\",\"b\":\"2\"}}"));
}

static void everything_else_counts(void **state)
{
	(void)state;
	assert_false(same_digest("{\"config\":{\"a\":\"1\"}}", "{\"config\":{\"a\":\"2\"}}"));
	assert_false(same_digest("{\"config\":{\"a\":\"1\"}}", "{\"config\":{\"b\":\"1\"}}"));
	assert_false(
	        same_digest("{\"container\":{\"args\":[\"a\",\"b\"]}}", "{\"container\":{\"args\":[\"b\",\"a\"]}}"));
	assert_false(same_digest("{}", "{\"container\":{}}"));
}

static void the_digest_is_sha256_of_the_bytes(void **state)
{
	(void)state;
	/* Of no bytes at all: the well-known value, so that digests stored in Postgres stay valid. */
	static const uint8_t empty[] = { 0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
		                         0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
		                         0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55 };
	uint8_t digest[PROTO_DIGEST_SIZE];
	proto_digest(&arena, task("{}"), digest);
	assert_memory_equal(digest, empty, sizeof(empty));
}

static void maps_are_sorted_by_key_in_place(void **state)
{
	(void)state;
	ProtobufCMessage *message = task("{\"config\":{\"b\":\"\",\"a\":\"\",\"ab\":\"\"}}");
	const Flyteidl__Core__TaskTemplate *t = (const Flyteidl__Core__TaskTemplate *)message;
	proto_canonicalize(message);
	assert_string_equal(t->config[0]->key, "a");
	assert_string_equal(t->config[1]->key, "ab");
	assert_string_equal(t->config[2]->key, "b");
}

static void assert_diff(const char *old, const char *new, const char *wanted)
{
	assert_string_equal(proto_diff(&arena, task(old), task(new)), wanted);
}

static void differences_are_listed_by_path(void **state)
{
	(void)state;
	assert_diff("{\"type\":\"t\",\"config\":{\"a\":\"1\",\"b\":\"2\"}}",
	            "{\"config\":{\"b\":\"2\",\"a\":\"1\"},\"type\":\"t\"}", "");
	assert_diff("{\"container\":{\"image\":\"a:1\"}}", "{\"container\":{\"image\":\"a:2\"}}",
	            "/container/image:\n\t- \"a:1\"\n\t+ \"a:2\"\n");
	assert_diff("{\"container\":{\"args\":[\"x\",\"y\"]}}", "{\"container\":{\"args\":[\"x\",\"z\",\"w\"]}}",
	            "/container/args/1:\n\t- \"y\"\n\t+ \"z\"\n/container/args/2:\n\t+ \"w\"\n");
	assert_diff("{\"config\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"config\":{\"b\":\"3\",\"c\":\"4\"}}",
	            "/config/a:\n\t- \"1\"\n/config/b:\n\t- \"2\"\n\t+ \"3\"\n/config/c:\n\t+ \"4\"\n");
	assert_diff("{\"metadata\":{\"retries\":{\"retries\":1}}}", "{\"metadata\":{\"retries\":{\"retries\":2}}}",
	            "/metadata/retries/retries:\n\t- 1\n\t+ 2\n");
	/* A oneof's other member, and a message that one side has not. */
	assert_diff("{\"container\":{\"image\":\"i\"}}", "{\"sql\":{\"statement\":\"s\"}}",
	            "/container:\n\t- {\"image\":\"i\"}\n/sql:\n\t+ {\"statement\":\"s\"}\n");
	assert_diff("{\"id\":{\"resourceType\":\"TASK\"}}", "{\"id\":{\"resourceType\":\"WORKFLOW\"}}",
	            "/id/resourceType:\n\t- TASK\n\t+ WORKFLOW\n");
}

static void a_long_diff_is_cut(void **state)
{
	(void)state;
	auto_buf struct buf old = BUF_INIT((size_t)1024 * 1024);
	auto_buf struct buf new = BUF_INIT((size_t)1024 * 1024);
	(void)buf_add_str(&old, "{\"container\":{\"args\":[\"\"");
	(void)buf_add_str(&new, "{\"container\":{\"args\":[\"\"");
	for (int i = 0; i < 5000; i++) {
		(void)buf_add_format(&old, ",\"old%d\"", i);
		(void)buf_add_format(&new, ",\"new%d\"", i);
	}
	(void)buf_add_str(&old, "]}}");
	(void)buf_add_str(&new, "]}}");
	const char *text = proto_diff(&arena, task(buf_text(&old)), task(buf_text(&new)));
	assert_true(strlen(text) <= PROTO_DIFF_MAXIMUM);
	assert_true(strlen(text) > PROTO_DIFF_MAXIMUM / 2);
	static const char mark[] = "\n… (truncated)\n";
	assert_string_equal(text + strlen(text) - strlen(mark), mark);
}

static void a_long_value_is_cut(void **state)
{
	(void)state;
	char *value = arena_alloc(&arena, 100001);
	memset(value, 'v', 100000);
	char *old = arena_printf(&arena, "{\"container\":{\"image\":\"%s\"}}", value);
	const char *text = proto_diff(&arena, task(old), task("{\"container\":{\"image\":\"i\"}}"));
	assert_true(strlen(text) < 2048);
	assert_non_null(strstr(text, "vvv…\n\t+ \"i\"\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_order_of_maps_does_not_count, release),
		cmocka_unit_test_teardown(everything_else_counts, release),
		cmocka_unit_test_teardown(the_digest_is_sha256_of_the_bytes, release),
		cmocka_unit_test_teardown(maps_are_sorted_by_key_in_place, release),
		cmocka_unit_test_teardown(differences_are_listed_by_path, release),
		cmocka_unit_test_teardown(a_long_diff_is_cut, release),
		cmocka_unit_test_teardown(a_long_value_is_cut, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
