/* Secrets of a build: what `--secret` takes, and the certificates that are always there. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "cli/verbs/build_secrets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int collect(const char *first, const char *second, struct build_secrets *secrets, struct err *e)
{
	const char *items[] = { first, second };
	const struct option_list given = { .items = items, .count = second ? 2 : first ? 1 : 0 };
	return build_secrets_collect(&given, secrets, e);
}

static void test_given(void **state)
{
	(void)state;
	auto_build_secrets struct build_secrets secrets = { .count = 0 };
	assert_int_equal(collect("id=token,src=secret-file", "type=file,id=secret-file", &secrets, NULL), 0);
	assert_int_equal(secrets.count, 3);
	assert_string_equal(secrets.items[0].id, "token");
	assert_string_equal(secrets.items[0].path, "secret-file");
	assert_string_equal(secrets.items[1].id, "secret-file");
	assert_string_equal(secrets.items[1].path, "secret-file");
	assert_string_equal(secrets.items[2].id, "ca-certificates");
	assert_string_equal(secrets.items[2].path, "bundle");
}

static void test_own_certificates(void **state)
{
	(void)state;
	auto_build_secrets struct build_secrets secrets = { .count = 0 };
	assert_int_equal(collect("id=ca-certificates,source=secret-file", NULL, &secrets, NULL), 0);
	assert_int_equal(secrets.count, 1);
	assert_string_equal(secrets.items[0].path, "secret-file");
}

static void test_a_bundle_too_large_is_left_out(void **state)
{
	(void)state;
	auto_build_secrets struct build_secrets secrets = { .count = 0 };
	assert_int_equal(truncate("bundle", BUILD_SECRET_SIZE_MAXIMUM + 1), 0);
	assert_int_equal(collect(NULL, NULL, &secrets, NULL), 0);
	assert_int_equal(truncate("bundle", 5), 0);
	assert_int_equal(secrets.count, 0);
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *first, *second, *message;
	} cases[] = {
		{ "", NULL, "is no secret" },
		{ "token", NULL, "is no secret" },
		{ "id", NULL, "is no secret" },
		{ "id=", NULL, "is no secret" },
		{ "id=a/b,src=secret-file", NULL, "is no secret" },
		{ "id=..,src=secret-file", NULL, "is no secret" },
		{ "id=a,id=b,src=secret-file", NULL, "is no secret" },
		{ "id=a,src=", NULL, "is no secret" },
		{ "id=a,env=HOME", NULL, "is no secret" },
		{ "id=a,src=no-such-file", NULL, "cannot be read" },
		{ "id=a,src=.", NULL, "cannot be read" },
		{ "id=a,src=secret-file", "id=a,src=bundle", "given twice" },
		{ "id=a,src=large", NULL, "more than 512000 bytes" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_build_secrets struct build_secrets secrets = { .count = 0 };
		auto_err struct err e = ERR_INIT;
		assert_int_equal(collect(cases[i].first, cases[i].second, &secrets, &e), -1);
		assert_string_equal(err_id(&e), "bad-secret");
		if (!strstr(err_message(&e), cases[i].message))
			fail_msg("case %zu: '%s' does not contain '%s'", i, err_message(&e), cases[i].message);
	}
}

static int set_up(void **state)
{
	(void)state;
	static char directory[] = "/tmp/sandbox-test-XXXXXX";
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	setenv("SSL_CERT_FILE", "bundle", 1);
	assert_int_equal(file_write_atomic("bundle", "certs", 5, 0644, NULL), 0);
	assert_int_equal(file_write_atomic("secret-file", "x", 1, 0600, NULL), 0);
	assert_int_equal(file_write_atomic("large", "x", 1, 0600, NULL), 0);
	return truncate("large", BUILD_SECRET_SIZE_MAXIMUM + 1);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink("bundle") | unlink("secret-file") | unlink("large");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_given),
		cmocka_unit_test(test_own_certificates),
		cmocka_unit_test(test_a_bundle_too_large_is_left_out),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
