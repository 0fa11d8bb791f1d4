/* Ports without an engine: endpoints, Docker's forms, and who holds a port of this machine. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/platform.h"
#include "base/text.h"
#include "cli/instance/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_holder(void **state)
{
	(void)state;
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(name);
	auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
	/* Bound is not yet listening. */
	auto_free char *nobody = platform_port_process(ntohs(name.sin_port));
	assert_null(nobody);
	assert_int_equal(listen(fd, 1), 0);
	auto_free char *holder = platform_port_process(ntohs(name.sin_port));
	auto_free char *expected = xasprintf("process 'test_ports' (pid %d)", (int)getpid());
	assert_string_equal(holder, expected);
}

static void test_endpoints(void **state)
{
	(void)state;
	static const struct ports ports = { .host_port = { 30080, 6443, 30001, 0 },
		                            .address = "127.0.0.1",
		                            .host = "localhost" };
	auto_free char *http = ports_endpoint(&ports, PORT_HTTP);
	auto_free char *kubernetes = ports_endpoint_of_container_port(&ports, 6443);
	auto_free char *postgres = ports_endpoint_of_container_port(&ports, 5432);
	auto_free char *s3 = ports_endpoint(&ports, PORT_S3);
	auto_free char *other = ports_endpoint_of_container_port(&ports, 9999);
	assert_string_equal(http, "http://localhost:30080");
	assert_string_equal(kubernetes, "https://127.0.0.1:6443");
	assert_string_equal(postgres, "localhost:30001");
	assert_string_equal(s3, "");
	assert_string_equal(other, "");
}

static void test_docker_forms(void **state)
{
	(void)state;
	static const struct ports ports = { .host_port = { 8080, 6443, 30001, 30002 },
		                            .address = "0.0.0.0",
		                            .host = "localhost" };
	struct docker_endpoint engine = { .unix_socket = NULL };
	char base[] = "http://engine.example:2375";
	engine.base_url = base;
	json_t *bindings = ports_bindings(&ports);
	auto_json json_t *container = json_pack("{s:{s:o}}", "HostConfig", "PortBindings", bindings);
	struct ports read;
	ports_of_container(&engine, container, &read);
	assert_memory_equal(read.host_port, ports.host_port, sizeof(read.host_port));
	assert_string_equal(read.address, "0.0.0.0");
	assert_string_equal(read.host, "engine.example");
	auto_json json_t *nothing = json_object();
	ports_of_container(&engine, nothing, &read);
	assert_int_equal(read.host_port[PORT_HTTP], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_holder), cmocka_unit_test(test_endpoints),
		                            cmocka_unit_test(test_docker_forms) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
