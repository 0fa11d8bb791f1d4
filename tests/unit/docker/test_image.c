/* Image names and registry credentials. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/image_reference.h"
#include "base/json.h"
#include "docker/image.h"
#include "docker/registry.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_names(void **state)
{
	(void)state;
	assert_false(image_reference_names_registry("flyte-sandbox:0.1.0"));
	assert_false(image_reference_names_registry("acme/flyte-sandbox"));
	assert_true(image_reference_names_registry("ghcr.io/acme/x"));
	assert_true(image_reference_names_registry("localhost/x"));
	assert_true(image_reference_names_registry("host:5000/x"));
	auto_free char *hub = docker_registry_of("acme/x:1");
	auto_free char *github = docker_registry_of("ghcr.io/acme/x");
	auto_free char *explicit_hub = docker_registry_of("docker.io/acme/x");
	assert_string_equal(hub, "https://index.docker.io/v1/");
	assert_string_equal(explicit_hub, hub);
	assert_string_equal(github, "ghcr.io");
}

static json_t *credentials(const char *reference, struct err *e)
{
	auto_free char *encoded = docker_registry_credentials(reference, e);
	if (!encoded)
		return NULL;
	assert_null(strpbrk(encoded, "+/"));
	auto_buf struct buf text = BUF_INIT(4096);
	assert_int_equal(base64_decode(encoded, strlen(encoded), &text), 0);
	return json_parse(buf_text(&text), text.length, "credentials", NULL);
}

static void put(const char *directory, const char *name, const char *text, mode_t mode)
{
	auto_free char *path = file_join(directory, name);
	assert_int_equal(file_write_atomic(path, text, strlen(text), mode, NULL), 0);
}

static void test_credentials(void **state)
{
	(void)state;
	char directory[] = "/tmp/test-image-XXXXXX";
	assert_non_null(mkdtemp(directory));
	setenv("DOCKER_CONFIG", directory, 1);
	auto_free char *path = xasprintf("%s:%s", directory, getenv("PATH"));
	setenv("PATH", path, 1);
	auto_json json_t *none = credentials("ghcr.io/x", NULL);
	assert_int_equal(json_object_size(none), 0);

	put(directory, "config.json",
	    "{\"auths\":{\"ghcr.io\":{\"auth\":\"dXNlcjpwYTpzcw==\"},\"bad\":{\"auth\":\"%%\"}},"
	    "\"credHelpers\":{\"h.io\":\"fake\",\"t.io\":\"token\",\"n.io\":\"none\",\"f.io\":\"fail\",\"x.io\":"
	    "\"absent\"}}",
	    0600);
	put(directory, "docker-credential-fake",
	    "#!/bin/sh\nread r\necho \"{\\\"Username\\\":\\\"u-$r\\\",\\\"Secret\\\":\\\"s\\\"}\"\n", 0755);
	put(directory, "docker-credential-token", "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"t\"}'\n",
	    0755);
	put(directory, "docker-credential-none", "#!/bin/sh\necho 'credentials not found in native keychain'\nexit 1\n",
	    0755);
	put(directory, "docker-credential-fail", "#!/bin/sh\necho boom\nexit 1\n", 0755);

	auto_json json_t *basic = credentials("ghcr.io/x", NULL);
	assert_string_equal(json_string_at(basic, "username", ""), "user");
	assert_string_equal(json_string_at(basic, "password", ""), "pa:ss");
	auto_json json_t *helper = credentials("h.io/x", NULL);
	assert_string_equal(json_string_at(helper, "username", ""), "u-h.io");
	auto_json json_t *token = credentials("t.io/x", NULL);
	assert_string_equal(json_string_at(token, "identitytoken", ""), "t");
	auto_json json_t *unknown = credentials("n.io/x", NULL);
	assert_int_equal(json_object_size(unknown), 0);
	auto_err struct err e = ERR_INIT;
	assert_null(credentials("f.io/x", &e));
	assert_non_null(strstr(err_message(&e), "boom"));
	assert_null(credentials("x.io/x", &e));
	assert_string_equal(err_id(&e), "credential-helper");

	static const char *const names[] = { "config.json", "docker-credential-fake", "docker-credential-token",
		                             "docker-credential-none", "docker-credential-fail" };
	for (size_t i = 0; i < 5; i++) {
		auto_free char *file = file_join(directory, names[i]);
		unlink(file);
	}
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_credentials) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
