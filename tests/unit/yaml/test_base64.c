#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648 §10. */
static const char *const vectors[][2] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(vectors); i++) {
		auto_free char *text = base64_encode(vectors[i][0], strlen(vectors[i][0]));
		assert_string_equal(text, vectors[i][1]);
		auto_buf struct buf bytes = BUF_INIT(100);
		assert_int_equal(base64_decode(text, strlen(text), &bytes), 0);
		assert_string_equal(buf_text(&bytes), vectors[i][0]);
		/* Without padding too. */
		buf_clear(&bytes);
		assert_int_equal(base64_decode(text, strcspn(text, "="), &bytes), 0);
		assert_string_equal(buf_text(&bytes), vectors[i][0]);
	}
}

static void test_alphabets(void **state)
{
	(void)state;
	static const char *const texts[] = { "+/+/", "-_-_", "+/\r\n+/\n" };
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		auto_buf struct buf bytes = BUF_INIT(100);
		assert_int_equal(base64_decode(texts[i], strlen(texts[i]), &bytes), 0);
		assert_int_equal(bytes.length, 3);
		assert_memory_equal(bytes.data, "\xfb\xff\xbf", 3);
	}
}

static void test_malformed(void **state)
{
	(void)state;
	static const char *const texts[] = { "Z",    "Zg=",      "Zg===", "Zh==", "Zm9=", "=",
		                             "====", "Zg==Zg==", "Zm 9v", "*",    "Zm9v=" };
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		auto_buf struct buf bytes = BUF_INIT(100);
		if (base64_decode(texts[i], strlen(texts[i]), &bytes) != -1)
			fail_msg("\"%s\" was taken", texts[i]);
	}
}

static void test_maximum(void **state)
{
	(void)state;
	auto_buf struct buf bytes = BUF_INIT(5);
	assert_int_equal(base64_decode("Zm9vYmFy", 8, &bytes), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_alphabets),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_maximum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
