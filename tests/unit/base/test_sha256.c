/* FIPS 180-4's examples (CAVP "SHA_Example" and the million a's), in pieces of every size around a block. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sha256.h"

#include <string.h>

static void expect(const char *text, size_t times, size_t piece, const char *sum)
{
	struct sha256 hash;
	char hex[SHA256_HEX_SIZE];
	sha256_init(&hash);
	for (size_t i = 0; i < times; i++) {
		for (size_t at = 0; at < strlen(text); at += piece) {
			size_t left = strlen(text) - at;
			sha256_add(&hash, text + at, left < piece ? left : piece);
		}
	}
	sha256_hex(&hash, hex);
	assert_string_equal(hex, sum);
}

static void test_examples(void **state)
{
	(void)state;
	expect("", 1, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (size_t piece = 1; piece < 70; piece++) {
		expect("abc", 1, piece, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
		expect("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1, piece,
		       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	}
	expect("aaaaaaaaaa", 100000, 7, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_examples) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
