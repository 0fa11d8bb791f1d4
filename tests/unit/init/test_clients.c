/* Who may ask PID 1 what: the status port's token, and that its clients are few and have little time. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "init/clients.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOKEN "0123456789abcdef0123456789abcdef"

static int parse(const char *line, struct control_request *request)
{
	return control_parse(line, strlen(line), request, NULL);
}

static void the_port_tells_status_to_who_has_the_token(void **state)
{
	(void)state;
	static const struct {
		const char *line, *error;
	} cases[] = {
		{ "{\"command\":\"status\",\"token\":\"" TOKEN "\"}", "" },
		{ "{\"command\":\"status\"}", "bad-token" },
		{ "{\"command\":\"status\",\"token\":\"\"}", "bad-token" },
		{ "{\"command\":\"status\",\"token\":\"0123456789abcdef\"}", "bad-token" },
		{ "{\"command\":\"status\",\"token\":\"" TOKEN "0\"}", "bad-token" },
		{ "{\"command\":\"status\",\"token\":\"" TOKEN TOKEN TOKEN "\"}", "bad-token" },
		{ "{\"command\":\"status\",\"token\":7}", "bad-token" },
		{ "{\"command\":\"status\",\"follow\":true,\"token\":\"" TOKEN "\"}", "status-only" },
		{ "{\"command\":\"stop\",\"service\":\"postgres\",\"token\":\"" TOKEN "\"}", "status-only" },
		{ "{\"command\":\"stop\",\"service\":\"postgres\"}", "bad-token" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct control_request request;
		auto_err struct err e = ERR_INIT;
		assert_int_equal(parse(cases[i].line, &request), 0);
		int outcome = control_admit(&request, TOKEN, &e);
		assert_int_equal(outcome, *cases[i].error ? -1 : 0);
		assert_string_equal(outcome < 0 ? err_id(&e) : "", cases[i].error);
	}
	/* A container without a token admits nobody. */
	struct control_request request;
	assert_int_equal(parse("{\"command\":\"status\",\"token\":\"\"}", &request), 0);
	assert_int_equal(control_admit(&request, "", NULL), -1);
}

struct port {
	struct clients clients;
	int listen_fd;
	struct sockaddr_in address;
};

static void port_open(struct port *port)
{
	socklen_t length = sizeof(port->address);
	*port = (struct port){ .listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
		               .address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
	assert_int_equal(bind(port->listen_fd, (struct sockaddr *)&port->address, sizeof(port->address)), 0);
	assert_int_equal(listen(port->listen_fd, 64), 0);
	assert_int_equal(getsockname(port->listen_fd, (struct sockaddr *)&port->address, &length), 0);
	clients_init(&port->clients, epoll_create1(EPOLL_CLOEXEC), 0);
}

static void port_close(struct port *port)
{
	clients_expire(&port->clients, CLOCK_NEVER);
	close(port->clients.epoll_fd);
	close(port->listen_fd);
}

static int join(struct port *port, bool of_port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&port->address, sizeof(port->address)), 0);
	clients_accept(&port->clients, port->listen_fd, of_port);
	return fd;
}

/* Whether the other side has closed; what is closed says so at once on a loopback. */
static bool is_closed(int fd)
{
	char byte;
	struct pollfd event = { .fd = fd, .events = POLLIN };
	return poll(&event, 1, 0) == 1 && recv(fd, &byte, 1, MSG_PEEK) <= 0;
}

static void clients_of_the_port_are_few(void **state)
{
	(void)state;
	struct port port;
	int fds[CLIENTS_OF_PORT_MAXIMUM + 2];
	port_open(&port);
	for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
		fds[i] = join(&port, i <= CLIENTS_OF_PORT_MAXIMUM);
	for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
		assert_int_equal(is_closed(fds[i]), i == CLIENTS_OF_PORT_MAXIMUM);
	/* Their time is over; the socket's client stays. */
	int64_t deadline = clients_deadline(&port.clients);
	assert_true(deadline > clock_monotonic_ms() && deadline <= clock_monotonic_ms() + CLIENTS_OF_PORT_MS);
	clients_expire(&port.clients, deadline - 1);
	assert_false(is_closed(fds[0]));
	clients_expire(&port.clients, deadline + CLIENTS_OF_PORT_MS);
	assert_int_equal(clients_deadline(&port.clients), CLOCK_NEVER);
	for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) {
		assert_int_equal(is_closed(fds[i]), i <= CLIENTS_OF_PORT_MAXIMUM);
		close(fds[i]);
	}
	for (unsigned i = 0; i < CLIENTS_MAXIMUM; i++)
		if (port.clients.slots[i].fd >= 0)
			assert_false(port.clients.slots[i].of_port);
	port_close(&port);
}

/* An answer that the peer takes slowly is sent to its end, and the connection is closed behind it. */
static void long_answers_end(void **state)
{
	(void)state;
	struct port port;
	port_open(&port);
	int small = 4096;
	setsockopt(port.listen_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	int fd = join(&port, true);
	char line[1001];
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 2] = '\n';
	line[sizeof(line) - 1] = '\0';
	size_t count = 200;
	for (size_t i = 0; i < count; i++)
		clients_send(&port.clients, 0, xstrdup(line), i + 1 == count);
	clients_send(&port.clients, 0, xstrdup("after the end\n"), false);
	size_t total = 0;
	for (ssize_t got = 1; got > 0;) {
		char chunk[1024];
		struct pollfd event = { .fd = fd, .events = POLLIN };
		/* What the loop does when the connection takes more. */
		assert_int_equal(clients_read(&port.clients, 0, NULL), 0);
		assert_int_equal(poll(&event, 1, 10000), 1);
		got = recv(fd, chunk, sizeof(chunk), 0);
		assert_true(got >= 0);
		total += (size_t)got;
	}
	assert_int_equal(total, count * (sizeof(line) - 1));
	close(fd);
	port_close(&port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_port_tells_status_to_who_has_the_token),
		cmocka_unit_test(clients_of_the_port_are_few),
		cmocka_unit_test(long_answers_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
