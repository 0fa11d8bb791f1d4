#include "init/clients.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENT_BACKLOG_MAXIMUM ((size_t)256 * 1024)

void clients_init(struct clients *clients, int epoll_fd, uint64_t tag)
{
	*clients = (struct clients){ .epoll_fd = epoll_fd, .tag = tag };
	for (unsigned i = 0; i < CLIENTS_MAXIMUM; i++)
		clients->slots[i].fd = -1;
}

static void watch(const struct clients *clients, const struct client *client, uint32_t events, int operation)
{
	struct epoll_event event = { .events = events, .data.u64 = clients->tag + (uint64_t)(client - clients->slots) };
	epoll_ctl(clients->epoll_fd, operation, client->fd, &event);
}

static void close_client(struct client *client)
{
	close(client->fd);
	buf_release(&client->input);
	buf_release(&client->output);
	*client = (struct client){ .fd = -1 };
}

static void flush(const struct clients *clients, struct client *client)
{
	while (client->output.length) {
		ssize_t sent =
		        send(client->fd, client->output.data, client->output.length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN) {
			watch(clients, client, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
			return;
		}
		if (sent < 0) {
			close_client(client);
			return;
		}
		buf_consume(&client->output, (size_t)sent);
	}
	if (client->answered)
		close_client(client);
	else
		watch(clients, client, EPOLLIN, EPOLL_CTL_MOD);
}

static unsigned count_of_port(const struct clients *clients)
{
	unsigned count = 0;
	for (unsigned i = 0; i < CLIENTS_MAXIMUM; i++)
		count += clients->slots[i].fd >= 0 && clients->slots[i].of_port;
	return count;
}

void clients_accept(struct clients *clients, int listen_fd, bool of_port)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	bool full = of_port && count_of_port(clients) >= CLIENTS_OF_PORT_MAXIMUM;
	for (unsigned i = 0; i < CLIENTS_MAXIMUM && !full; i++) {
		struct client *client = &clients->slots[i];
		if (client->fd >= 0)
			continue;
		*client = (struct client){ .fd = fd,
			                   .of_port = of_port,
			                   .deadline_ms = of_port ? clock_monotonic_ms() + CLIENTS_OF_PORT_MS : CLOCK_NEVER,
			                   .input = BUF_INIT(CONTROL_LINE_MAXIMUM),
			                   .output = BUF_INIT(CLIENT_BACKLOG_MAXIMUM) };
		watch(clients, client, EPOLLIN, EPOLL_CTL_ADD);
		return;
	}
	close(fd);
}

void clients_expire(struct clients *clients, int64_t now_ms)
{
	for (unsigned i = 0; i < CLIENTS_MAXIMUM; i++) {
		struct client *client = &clients->slots[i];
		if (client->fd >= 0 && client->deadline_ms <= now_ms)
			close_client(client);
	}
}

int64_t clients_deadline(const struct clients *clients)
{
	int64_t next = CLOCK_NEVER;
	for (unsigned i = 0; i < CLIENTS_MAXIMUM; i++) {
		const struct client *client = &clients->slots[i];
		if (client->fd >= 0 && client->deadline_ms < next)
			next = client->deadline_ms;
	}
	return next;
}

int clients_read(struct clients *clients, unsigned slot, struct err *e)
{
	struct client *client = &clients->slots[slot];
	if (client->fd < 0)
		return 0;
	char chunk[1024];
	ssize_t got = recv(client->fd, chunk, sizeof(chunk), 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		flush(clients, client);
		return 0;
	}
	if (got <= 0 || (!client->asked && buf_add(&client->input, chunk, (size_t)got) < 0)) {
		close_client(client);
		return 0;
	}
	if (client->asked)
		return 0;
	const char *end = memchr(client->input.data, '\n', client->input.length);
	if (!end)
		return 0;
	if (control_parse(client->input.data, (size_t)(end - client->input.data), &client->request, e) < 0)
		return -1;
	client->asked = true;
	return 1;
}

void clients_send(struct clients *clients, unsigned slot, char *line, bool last)
{
	struct client *client = &clients->slots[slot];
	auto_free char *owned = line;
	if (client->fd < 0 || client->answered)
		return;
	client->answered = last;
	if (buf_add_str(&client->output, owned) < 0)
		close_client(client);
	else
		flush(clients, client);
}

void clients_refuse(struct clients *clients, unsigned slot, const struct err *e)
{
	clients->slots[slot].asked = false;
	clients_send(clients, slot, control_error_line(e), true);
}

void clients_publish(struct clients *clients, const struct service *service, int64_t now_ms)
{
	for (unsigned i = 0; i < CLIENTS_MAXIMUM; i++) {
		const struct client *client = &clients->slots[i];
		bool interested = client->request.follow || text_equal(client->request.service, service->config->name);
		if (client->fd >= 0 && client->asked && interested)
			clients_send(clients, i, control_service_line(service, now_ms), false);
	}
}
