/* Which engine is chosen: option, variables, contexts, sockets. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "docker/endpoint.h"

#include <string.h>
#include <unistd.h>

static char directory[64];

static int set_up(void **state)
{
	(void)state;
	static const char *const variables[] = { "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY",
		                                 "DOCKER_CERT_PATH" };
	(void)snprintf(directory, sizeof(directory), "/tmp/test-endpoint-XXXXXX");
	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < 4; i++)
		unsetenv(variables[i]);
	setenv("DOCKER_CONFIG", directory, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	static const char *const names[] = { "config.json",
		                             "ca.pem",
		                             "cert.pem",
		                             "key.pem",
		                             "contexts/meta/abc/meta.json",
		                             "contexts/tls/abc/docker/ca.pem" };
	static const char *const folders[] = { "contexts/tls/abc/docker",
		                               "contexts/tls/abc",
		                               "contexts/tls",
		                               "contexts/meta/abc",
		                               "contexts/meta",
		                               "contexts",
		                               "" };
	for (size_t i = 0; i < 6; i++) {
		auto_free char *path = file_join(directory, names[i]);
		unlink(path);
	}
	for (size_t i = 0; i < 7; i++) {
		auto_free char *path = file_join(directory, folders[i]);
		rmdir(path);
	}
	return 0;
}

static void put(const char *name, const char *text)
{
	auto_free char *path = file_join(directory, name);
	auto_free char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	assert_int_equal(file_make_directories(folder, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
}

static void expect(const char *host, const char *socket, const char *url)
{
	auto_docker_endpoint struct docker_endpoint endpoint = DOCKER_ENDPOINT_INIT;
	auto_err struct err e = ERR_INIT;
	if (docker_endpoint_discover(host, &endpoint, &e) < 0)
		fail_msg("%s", err_message(&e));
	assert_string_equal(endpoint.base_url, url);
	if (socket)
		assert_string_equal(endpoint.unix_socket, socket);
	else
		assert_null(endpoint.unix_socket);
	assert_int_equal(docker_endpoint_is_local(&endpoint), socket != NULL);
}

static void expect_error(const char *host, const char *id)
{
	auto_docker_endpoint struct docker_endpoint endpoint = DOCKER_ENDPOINT_INIT;
	auto_err struct err e = ERR_INIT;
	assert_int_equal(docker_endpoint_discover(host, &endpoint, &e), -1);
	assert_string_equal(err_id(&e), id);
	assert_null(endpoint.base_url);
}

static void test_addresses(void **state)
{
	(void)state;
	expect("unix:///a/b.sock", "/a/b.sock", "http://localhost");
	expect("tcp://host:1234", NULL, "http://host:1234");
	expect("tcp://host", NULL, "http://host:2375");
	expect("tcp://host:1234/base/", NULL, "http://host:1234/base");
	expect("tcp://[::1]", NULL, "http://[::1]:2375");
	expect("tcp://[::1]:99", NULL, "http://[::1]:99");
	expect("https://host", NULL, "https://host:2376");
	expect_error("unix://relative", "docker-host");
	expect_error("tcp://", "docker-host");
	expect("ssh://user@host", NULL, "http://localhost");
	expect_error("ssh://", "docker-host");
	expect_error("ssh://user:password@host", "docker-host");
	expect_error("npipe:////./pipe/docker", "docker-transport");
	expect_error("/var/run/docker.sock", "docker-transport");
	auto_free char *path = xcalloc(200, 1);
	memset(path, 'x', 199);
	auto_free char *address = xasprintf("unix:///%s", path);
	expect_error(address, "docker-host");
}

static void test_precedence(void **state)
{
	(void)state;
	put("contexts/meta/abc/meta.json",
	    "{\"Name\":\"lab\",\"Endpoints\":{\"docker\":{\"Host\":\"unix:///lab.sock\"}}}");
	put("config.json", "{\"currentContext\":\"lab\"}");
	expect(NULL, "/lab.sock", "http://localhost");
	setenv("DOCKER_CONTEXT", "nowhere", 1);
	expect_error(NULL, "docker-context");
	setenv("DOCKER_HOST", "unix:///host.sock", 1);
	expect(NULL, "/host.sock", "http://localhost");
	expect("unix:///option.sock", "/option.sock", "http://localhost");
	unsetenv("DOCKER_HOST");
	setenv("DOCKER_CONTEXT", "lab", 1);
	put("config.json", "not json");
	expect(NULL, "/lab.sock", "http://localhost");
}

static void test_tls(void **state)
{
	(void)state;
	auto_docker_endpoint struct docker_endpoint endpoint = DOCKER_ENDPOINT_INIT;
	put("ca.pem", "ca");
	put("cert.pem", "cert");
	setenv("DOCKER_TLS_VERIFY", "1", 1);
	setenv("DOCKER_HOST", "tcp://host", 1);
	assert_int_equal(docker_endpoint_discover(NULL, &endpoint, NULL), 0);
	assert_string_equal(endpoint.base_url, "https://host:2376");
	assert_non_null(strstr(endpoint.ca_file, "/ca.pem"));
	assert_non_null(strstr(endpoint.cert_file, "/cert.pem"));
	assert_null(endpoint.key_file);
}

static void test_context_tls(void **state)
{
	(void)state;
	static const char skip[] =
	        "{\"Name\":\"lab\",\"Endpoints\":{\"docker\":{\"Host\":\"tcp://lab:2376\",\"SkipTLSVerify\":%s}}}";
	auto_free char *verified = xasprintf("%.*sfalse}}}", (int)(strstr(skip, "%s") - skip), skip);
	auto_free char *unverified = xasprintf("%.*strue}}}", (int)(strstr(skip, "%s") - skip), skip);
	put("contexts/meta/abc/meta.json", verified);
	put("contexts/tls/abc/docker/ca.pem", "ca");
	setenv("DOCKER_CONTEXT", "lab", 1);
	expect(NULL, NULL, "https://lab:2376");
	put("contexts/meta/abc/meta.json", unverified);
	expect_error(NULL, "docker-transport");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_precedence, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_context_tls, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
