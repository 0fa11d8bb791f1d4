/* Names: instances, images, exit codes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/image_reference.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/instance_names.h"

#include <stdlib.h>
#include <string.h>

static void test_instances(void **state)
{
	(void)state;
	static const struct {
		const char *given, *name, *configuration, *kubeconfig;
	} cases[] = {
		{ NULL, "flyte-sandbox", "/h/.flyte/config-sandbox.yaml", "/h/.flyte/sandbox/kubeconfig" },
		{ "flyte-sandbox", "flyte-sandbox", "/h/.flyte/config-sandbox.yaml", "/h/.flyte/sandbox/kubeconfig" },
		{ "ci1", "flyte-sandbox-ci1", "/h/.flyte/config-sandbox-ci1.yaml", "/h/.flyte/sandbox-ci1/kubeconfig" },
		{ "flyte-sandbox-ci1", "flyte-sandbox-ci1", "/h/.flyte/config-sandbox-ci1.yaml",
		  "/h/.flyte/sandbox-ci1/kubeconfig" },
	};
	setenv("HOME", "/h", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct instance_names instance = INSTANCE_NAMES_INIT;
		assert_int_equal(instance_names_of(cases[i].given, &instance, NULL), 0);
		assert_string_equal(instance.name, cases[i].name);
		assert_string_equal(instance.configuration, cases[i].configuration);
		assert_string_equal(instance.kubeconfig, cases[i].kubeconfig);
		assert_int_equal(instance.is_default, i < 2);
		instance_names_release(&instance);
	}
	static const char *const bad[] = {
		"-x", ".x", "a/b", "a b", "\xc3\xa4", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct instance_names instance = INSTANCE_NAMES_INIT;
		auto_err struct err e = ERR_INIT;
		assert_int_equal(instance_names_of(bad[i], &instance, &e), -1);
		assert_string_equal(err_id(&e), "bad-name");
	}
}

static void test_references(void **state)
{
	(void)state;
	static const char *const good[][2] = {
		{ "app", "docker.io/library/app:latest" },
		{ "app:1.0_x-Y", "docker.io/library/app:1.0_x-Y" },
		{ "acme/app", "docker.io/acme/app:latest" },
		{ "localhost:30000/app:v1", "localhost:30000/app:v1" },
		{ "ghcr.io/acme/team/app__x", "ghcr.io/acme/team/app__x:latest" },
	};
	static const char *const bad[] = { "",     "App",  "a b",  "app:",          "app:-x", "/app",
		                           "app/", "a//b", "a..b", "app@sha256:00", "-a",     "a:b:c" };
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		auto_free char *reference = NULL;
		assert_int_equal(image_reference_normalise(good[i][0], &reference, NULL), 0);
		assert_string_equal(reference, good[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *reference = NULL;
		auto_err struct err e = ERR_INIT;
		if (image_reference_normalise(bad[i], &reference, &e) == 0)
			fail_msg("'%s' was accepted as '%s'", bad[i], reference);
		assert_string_equal(err_id(&e), "bad-image-name");
	}
}

static void test_exit_codes(void **state)
{
	(void)state;
	for (int kind = ERR_INTERNAL; kind < ERR_KIND_COUNT; kind++) {
		const struct err e = { .kind = (enum err_kind)kind };
		int code = exit_code_of(&e, 0);
		bool documented = false;
		for (const struct exit_code_row *row = exit_code_table; row->meaning; row++)
			documented = documented || row->code == code;
		assert_true(code > 0 && documented);
	}
	const struct err cancelled = { .kind = ERR_CANCELLED };
	assert_int_equal(exit_code_of(&cancelled, 2), 130);
	assert_int_equal(exit_code_of(&cancelled, 15), 143);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_instances), cmocka_unit_test(test_references),
		                            cmocka_unit_test(test_exit_codes) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
