#include "double_http.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAXIMUM ((size_t)256 << 20)

struct connection {
	int fd;
	void (*handle)(const struct double_request *request);
};

void double_check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "double: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool send_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		const ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		bytes += sent;
		length -= (size_t)sent;
	}
	return true;
}

void double_answer(const struct double_request *request, int status, const char *content_type, const void *body,
                   size_t length)
{
	auto_buf struct buf out = BUF_INIT(REQUEST_MAXIMUM);
	buf_add_format(&out,
	               "HTTP/1.1 %d Double\r\nContent-Type: %s\r\nContent-Length: %zu\r\nETag: \"double\"\r\n\r\n",
	               status, content_type, length);
	if (!text_equal(request->method, "HEAD"))
		buf_add(&out, body, length);
	(void)send_all(request->fd, out.data, out.length);
}

void double_begin_stream(const struct double_request *request, const char *content_type)
{
	auto_buf struct buf out = BUF_INIT(4096);
	buf_add_format(&out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n", content_type);
	(void)send_all(request->fd, out.data, out.length);
}

bool double_stream(const struct double_request *request, const char *bytes, size_t length)
{
	char head[32];
	const int head_length = snprintf(head, sizeof(head), "%zx\r\n", length);
	return send_all(request->fd, head, (size_t)head_length) && send_all(request->fd, bytes, length) &&
	       send_all(request->fd, "\r\n", 2);
}

static bool receive(int fd, struct buf *in)
{
	char *room = buf_reserve(in, 65536);
	const ssize_t count = room ? recv(fd, room, 65536, 0) : 0;
	if (count <= 0)
		return false;
	buf_commit(in, (size_t)count);
	return true;
}

static const char *header(const char *head, const char *name)
{
	const size_t length = strlen(name);
	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, name, length) == 0)
			return line + 2 + length;
	}
	return NULL;
}

static bool serve_one(const struct connection *connection, struct buf *in)
{
	const char *end;
	while (!(end = in->length ? strstr(in->data, "\r\n\r\n") : NULL)) {
		if (!receive(connection->fd, in))
			return false;
	}
	const size_t head_length = (size_t)(end - in->data) + 4;
	auto_free char *head = xstrndup(in->data, head_length);
	const char *length_text = header(head, "content-length:");
	const size_t length = length_text ? strtoul(length_text, NULL, 10) : 0;
	if (header(head, "expect:"))
		(void)send_all(connection->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	while (in->length < head_length + length) {
		if (!receive(connection->fd, in))
			return false;
	}
	char *path = strchr(head, ' ');
	double_check(path, "a request without a path");
	*path++ = '\0';
	path[strcspn(path, " ")] = '\0';
	char *query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	connection->handle(&(struct double_request){ .fd = connection->fd,
	                                             .method = head,
	                                             .path = path,
	                                             .query = query ? query : "",
	                                             .body = in->data + head_length,
	                                             .length = length });
	buf_consume(in, head_length + length);
	return true;
}

static void *connection_main(void *context)
{
	struct connection *connection = context;
	auto_buf struct buf in = BUF_INIT(REQUEST_MAXIMUM);
	while (serve_one(connection, &in))
		;
	close(connection->fd);
	free(connection);
	return NULL;
}

void double_serve(uint16_t port, void (*handle)(const struct double_request *request))
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
		                             .sin_port = htons(port),
		                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int yes = 1;
	const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	double_check(listener >= 0, "socket");
	double_check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0, "SO_REUSEADDR");
	double_check(bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0, "bind");
	double_check(listen(listener, 128) == 0, "listen");
	for (;;) {
		const int fd = accept(listener, NULL, NULL);
		pthread_t thread;
		if (fd < 0)
			continue;
		double_check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) == 0, "TCP_NODELAY");
		struct connection *connection = xcalloc(1, sizeof(*connection));
		*connection = (struct connection){ .fd = fd, .handle = handle };
		double_check(pthread_create(&thread, NULL, connection_main, connection) == 0, "pthread_create");
		pthread_detach(thread);
	}
}
