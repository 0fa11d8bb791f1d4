#include "script_server.h"

#include "base/buf.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 32
#define REQUESTS 64
#define REQUEST_MAXIMUM ((size_t)16 * 1024 * 1024)

struct connection {
	int fd;
	struct buf received;
};

struct script_server {
	const struct script_answer *answers;
	size_t answer_count;
	unsigned seed;
	int listener;
	int stop;
	char url[64];
	pthread_t thread;
	pthread_mutex_t mutex;
	char *requests[REQUESTS];
	size_t request_count;
	struct connection connections[CONNECTIONS];
	size_t connection_count;
};

static size_t random_below(struct script_server *server, size_t limit)
{
	server->seed = server->seed * 1103515245U + 12345U;
	return (server->seed >> 16) % limit;
}

static void send_bytes(struct script_server *server, int fd, const char *bytes, size_t length)
{
	while (length) {
		size_t part = 1 + random_below(server, length < 40 ? length : 40);
		ssize_t sent = send(fd, bytes, part, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		bytes += sent;
		length -= (size_t)sent;
	}
}

static void send_chunked(struct script_server *server, int fd, const struct script_answer *answer)
{
	const char *body = answer->body ? answer->body : "";
	size_t left = strlen(body);
	while (left) {
		char head[32];
		size_t part = 1 + random_below(server, left < 60 ? left : 60);
		int head_length = snprintf(head, sizeof(head), "%zx\r\n", part);
		send_bytes(server, fd, head, (size_t)head_length);
		send_bytes(server, fd, body, part);
		send_bytes(server, fd, "\r\n", 2);
		body += part;
		left -= part;
	}
	if (!answer->cut && !answer->hold)
		send_bytes(server, fd, "0\r\n\r\n", 5);
}

/* True when the connection stays open. */
static bool answer_request(struct script_server *server, int fd, size_t index)
{
	static const struct script_answer nothing = { 0 };
	const struct script_answer *answer = index < server->answer_count ? &server->answers[index] : &nothing;
	if (!answer->status)
		return false;
	const char *body = answer->body ? answer->body : "";
	auto_buf struct buf head = BUF_INIT(65536);
	buf_add_format(&head, "HTTP/1.1 %d Scripted\r\n%s", answer->status, answer->headers ? answer->headers : "");
	if (answer->chunked)
		buf_add_str(&head, "Transfer-Encoding: chunked\r\n\r\n");
	else
		buf_add_format(&head, "Content-Length: %zu\r\n\r\n", strlen(body));
	send_bytes(server, fd, head.data, head.length);
	if (answer->chunked)
		send_chunked(server, fd, answer);
	else
		send_bytes(server, fd, body, strlen(body));
	return !answer->cut;
}

/* The length of a whole request at the start of the bytes, or 0. */
static size_t request_length(const struct buf *received)
{
	const char *end = strstr(buf_text(received), "\r\n\r\n");
	if (!end)
		return 0;
	size_t length = (size_t)(end + 4 - received->data);
	const char *content_length = strcasestr(received->data, "\r\nContent-Length:");
	if (content_length && content_length < end)
		length += strtoul(content_length + 17, NULL, 10);
	return received->length >= length ? length : 0;
}

static bool serve(struct script_server *server, struct connection *connection)
{
	char room[4096];
	ssize_t got = recv(connection->fd, room, sizeof(room), 0);
	if (got <= 0 || buf_add(&connection->received, room, (size_t)got) < 0)
		return false;
	for (size_t length; (length = request_length(&connection->received));) {
		pthread_mutex_lock(&server->mutex);
		size_t index = server->request_count;
		if (index < REQUESTS)
			server->requests[server->request_count++] = xstrndup(connection->received.data, length);
		pthread_mutex_unlock(&server->mutex);
		buf_consume(&connection->received, length);
		if (!answer_request(server, connection->fd, index))
			return false;
	}
	return true;
}

static void drop(struct script_server *server, size_t index)
{
	close(server->connections[index].fd);
	buf_release(&server->connections[index].received);
	server->connections[index] = server->connections[--server->connection_count];
}

static void accept_one(struct script_server *server)
{
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (server->connection_count == CONNECTIONS) {
		close(fd);
		return;
	}
	struct connection *connection = &server->connections[server->connection_count++];
	*connection = (struct connection){ .fd = fd, .received = BUF_INIT(REQUEST_MAXIMUM) };
}

static void *run(void *context)
{
	struct script_server *server = context;
	for (;;) {
		struct pollfd polled[CONNECTIONS + 2] = {
			{ .fd = server->stop, .events = POLLIN },
			{ .fd = server->listener, .events = POLLIN },
		};
		size_t count = server->connection_count;
		for (size_t i = 0; i < count; i++)
			polled[i + 2] = (struct pollfd){ .fd = server->connections[i].fd, .events = POLLIN };
		if (poll(polled, count + 2, -1) < 0 || polled[0].revents)
			break;
		for (size_t i = count; i > 0; i--) {
			if (polled[i + 1].revents && !serve(server, &server->connections[i - 1]))
				drop(server, i - 1);
		}
		if (polled[1].revents)
			accept_one(server);
	}
	while (server->connection_count)
		drop(server, 0);
	return NULL;
}

struct script_server *script_server_start(const struct script_answer *answers, size_t count, unsigned seed)
{
	struct script_server *server = xcalloc(1, sizeof(*server));
	server->answers = answers;
	server->answer_count = count;
	server->seed = seed;
	pthread_mutex_init(&server->mutex, NULL);
	server->stop = eventfd(0, EFD_CLOEXEC);
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	if (bind(server->listener, (struct sockaddr *)&address, length) < 0 || listen(server->listener, 16) < 0 ||
	    getsockname(server->listener, (struct sockaddr *)&address, &length) < 0 ||
	    pthread_create(&server->thread, NULL, run, server) != 0)
		abort();
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
	return server;
}

struct script_server *script_server_stop(struct script_server *server)
{
	if (!server)
		return NULL;
	eventfd_write(server->stop, 1);
	pthread_join(server->thread, NULL);
	close(server->listener);
	close(server->stop);
	for (size_t i = 0; i < server->request_count; i++)
		free(server->requests[i]);
	pthread_mutex_destroy(&server->mutex);
	free(server);
	return NULL;
}

const char *script_server_url(const struct script_server *server)
{
	return server->url;
}

size_t script_server_count(struct script_server *server)
{
	pthread_mutex_lock(&server->mutex);
	size_t count = server->request_count;
	pthread_mutex_unlock(&server->mutex);
	return count;
}

const char *script_server_request(struct script_server *server, size_t index)
{
	pthread_mutex_lock(&server->mutex);
	const char *request = index < server->request_count ? server->requests[index] : "";
	pthread_mutex_unlock(&server->mutex);
	return request;
}
