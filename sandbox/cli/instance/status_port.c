#include "cli/instance/status_port.h"

#include "base/clock.h"
#include "base/platform.h"
#include "base/text.h"
#include "docker/ndjson.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* As sandbox/init/control.h has them. */
#define PORT_KEY "9095/tcp"
#define TOKEN_PREFIX "SANDBOX_STATUS_TOKEN="
#define TIMEOUT_MS INT64_C(1000)
#define ANSWER_MAXIMUM ((size_t)1024 * 1024)
#define ID "status-port"

void status_port_publish(json_t *bindings, json_t *exposed)
{
	json_object_set_new(bindings, PORT_KEY, json_pack("[{s:s, s:s}]", "HostIp", "127.0.0.1", "HostPort", ""));
	json_object_set_new(exposed, PORT_KEY, json_object());
}

int status_port_make_token(char ret_token[STATUS_TOKEN_SIZE], struct err *e)
{
	unsigned char bytes[(STATUS_TOKEN_SIZE - 1) / 2];
	if (getentropy(bytes, sizeof(bytes)) < 0)
		return err_set_errno(e, errno, NULL, "no random numbers");
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(ret_token + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

void status_port_give_token(json_t *environment, const char *token)
{
	auto_free char *pair = xasprintf(TOKEN_PREFIX "%s", token);
	json_array_insert_new(environment, 0, json_string(pair));
}

void status_port_of_container(const json_t *container, struct status_port *ret_port)
{
	*ret_port = (struct status_port){ .port = 0 };
	const json_t *ports = json_lookup(container, "NetworkSettings/Ports");
	const json_t *binding = json_array_get(json_object_get(ports, PORT_KEY), 0);
	int64_t port = 0;
	if (binding && text_to_int64(json_string_at(binding, "HostPort", ""), 1, 65535, &port))
		ret_port->port = (int)port;
	size_t i;
	json_t *entry;
	json_array_foreach(json_lookup(container, "Config/Env"), i, entry)
	{
		const char *pair = json_string_value(entry);
		if (pair && !ret_port->token && text_starts_with(pair, TOKEN_PREFIX))
			ret_port->token = xstrdup(pair + strlen(TOKEN_PREFIX));
	}
}

void status_port_release(struct status_port *port)
{
	free(port->token);
	*port = (struct status_port){ .port = 0 };
}

/* ---- asking ---- */

struct exchange {
	int fd;
	int cancel_fd;
	int64_t deadline_ms;
};

static int wait_for(const struct exchange *exchange, short events, struct err *e)
{
	struct pollfd fds[] = { { .fd = exchange->fd, .events = events },
		                { .fd = exchange->cancel_fd, .events = POLLIN } };
	int count;
	do
		count = poll(fds, ARRAY_LENGTH(fds), clock_poll_timeout(exchange->deadline_ms));
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return err_set_errno(e, errno, ID, "cannot wait for the status port");
	if (fds[1].revents)
		return err_set(e, ERR_CANCELLED, "cancelled", "interrupted");
	if (count == 0)
		return err_set(e, ERR_TIMEOUT, ID, "nothing came within %lld ms", (long long)TIMEOUT_MS);
	return 0;
}

static int reach(const struct exchange *exchange, int port, struct err *e)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
		                             .sin_port = htons((uint16_t)port),
		                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (platform_set_nonblocking(exchange->fd) < 0)
		return err_set_errno(e, errno, ID, "cannot change a socket");
	if (connect(exchange->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	int problem = errno;
	socklen_t length = sizeof(problem);
	if (problem == EINPROGRESS) {
		if (wait_for(exchange, POLLOUT, e) < 0)
			return -1;
		getsockopt(exchange->fd, SOL_SOCKET, SO_ERROR, &problem, &length);
	}
	return problem ? err_set_errno(e, problem, ID, "nothing listens on port %d", port) : 0;
}

/* One line, which fits into any socket's buffer. */
static int send_question(const struct exchange *exchange, const char *token, struct err *e)
{
	auto_json json_t *question = json_pack("{s:s, s:s}", "command", "status", "token", token);
	auto_free char *text = json_to_text(question);
	auto_free char *line = xasprintf("%s\n", text);
	size_t length = strlen(line);
	if (send(exchange->fd, line, length, PLATFORM_NO_SIGPIPE) != (ssize_t)length)
		return err_set(e, ERR_UNAVAILABLE, ID, "the status port takes no question");
	return 0;
}

static int take_answer(const struct exchange *exchange, struct ndjson *lines, struct err *e)
{
	size_t total = 0;
	for (;;) {
		char chunk[8192];
		ssize_t got = recv(exchange->fd, chunk, sizeof(chunk), 0);
		if (got > 0 && (total += (size_t)got) > ANSWER_MAXIMUM)
			return err_set(e, ERR_EXHAUSTED, ID, "the answer is too long");
		if (got > 0 && ndjson_feed(lines, chunk, (size_t)got, e) < 0)
			return -1;
		if (got == 0)
			return ndjson_end(lines, e);
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return err_set_errno(e, errno, ID, "the status port's connection broke");
		if (got < 0 && wait_for(exchange, POLLIN, e) < 0)
			return -1;
	}
}

static int take_line(void *context, const json_t *line, struct err *e)
{
	size_t index;
	return services_take(context, line, &index, e) < 0 ? -1 : 0;
}

int status_port_ask(const struct status_port *port, int cancel_fd, struct services *ret_services, struct err *e)
{
	auto_fd int fd = platform_socket(AF_INET, SOCK_STREAM);
	if (fd < 0)
		return err_set_errno(e, errno, ID, "cannot make a socket");
	const struct exchange exchange = { fd, cancel_fd, clock_monotonic_ms() + TIMEOUT_MS };
	auto_services struct services services = SERVICES_INIT;
	auto_ndjson struct ndjson lines = NDJSON_INIT("the sandbox's status", take_line, &services);
	if (reach(&exchange, port->port, e) < 0 || send_question(&exchange, port->token, e) < 0 ||
	    take_answer(&exchange, &lines, e) < 0)
		return -1;
	/* Somebody else's program may listen there by now. */
	if (!services.complete || !services.count)
		return err_set(e, ERR_UNAVAILABLE, ID, "the status port's answer has no end");
	*ret_services = services;
	services = (struct services)SERVICES_INIT;
	return 0;
}
