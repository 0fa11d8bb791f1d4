/* Lines of JSON: cut anywhere, with a limit. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "docker/ndjson.h"

#include <string.h>

struct seen {
	json_int_t values[16];
	size_t count;
};

static int note(void *context, const json_t *value, struct err *e)
{
	struct seen *seen = context;
	json_int_t number = json_integer_at(value, "n", -1);
	if (number == 99)
		return err_set(e, ERR_INVALID, "ninety-nine", "no");
	seen->values[seen->count++] = number;
	return 0;
}

static void test_every_cut(void **state)
{
	(void)state;
	static const char text[] = "{\"n\":1}\n\r\n{\"n\":2}\r\n  \n{\"n\":3}";
	for (size_t chunk = 1; chunk < sizeof(text); chunk++) {
		struct seen seen = { .count = 0 };
		auto_ndjson struct ndjson lines = NDJSON_INIT("text", note, &seen);
		auto_err struct err e = ERR_INIT;
		for (size_t at = 0; at < strlen(text); at += chunk) {
			size_t left = strlen(text) - at;
			assert_int_equal(ndjson_feed(&lines, text + at, left < chunk ? left : chunk, &e), 0);
		}
		assert_int_equal(seen.count, 2);
		assert_int_equal(ndjson_end(&lines, &e), 0);
		assert_int_equal(seen.count, 3);
		assert_int_equal(seen.values[0] + 10 * seen.values[1] + 100 * seen.values[2], 321);
	}
}

static int feed(const char *text, size_t length, struct err *e)
{
	struct seen seen = { .count = 0 };
	auto_ndjson struct ndjson lines = NDJSON_INIT("text", note, &seen);
	return ndjson_feed(&lines, text, length, e);
}

static void test_failures(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	assert_int_equal(feed("{\"n\":1\n", 7, &e), -1);
	assert_string_equal(err_id(&e), "malformed-json");
	assert_int_equal(feed("{\"n\":99}\n", 9, &e), -1);
	assert_string_equal(err_id(&e), "ninety-nine");
	auto_free char *long_line = xcalloc(NDJSON_LINE_MAXIMUM + 2, 1);
	memset(long_line, ' ', NDJSON_LINE_MAXIMUM + 1);
	assert_int_equal(feed(long_line, NDJSON_LINE_MAXIMUM, &e), 0);
	assert_int_equal(feed(long_line, NDJSON_LINE_MAXIMUM + 1, &e), -1);
	assert_string_equal(err_id(&e), "line-too-long");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_cut), cmocka_unit_test(test_failures) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
