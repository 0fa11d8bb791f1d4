#include "init/probe.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_un local;
	struct sockaddr_in internet;
};

static socklen_t make_address(const struct service_config *service, union address *address)
{
	*address = (union address){ .any.sa_family = AF_UNSPEC };
	const char *text = service->ready_address;
	if (service->ready == READY_UNIX) {
		if (strlen(text) >= sizeof(address->local.sun_path))
			return 0;
		address->local.sun_family = AF_UNIX;
		memcpy(address->local.sun_path, text, strlen(text) + 1);
		return sizeof(address->local);
	}
	const char *colon = strrchr(text, ':');
	int64_t port;
	char host[64];
	if (!colon || (size_t)(colon - text) >= sizeof(host) || !text_to_int64(colon + 1, 1, 65535, &port))
		return 0;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	address->internet.sin_family = AF_INET;
	address->internet.sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &address->internet.sin_addr) == 1 ? sizeof(address->internet) : 0;
}

static enum probe_result finish(struct probe *probe, enum probe_result result)
{
	probe_cancel(probe);
	return result;
}

enum probe_result probe_begin(struct probe *probe, const struct service_config *service)
{
	union address address;
	socklen_t length = make_address(service, &address);
	if (!length)
		return PROBE_REFUSED;
	probe->sent = false;
	probe->fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe->fd < 0)
		return PROBE_REFUSED;
	if (connect(probe->fd, &address.any, length) == 0)
		return probe_continue(probe, service);
	return errno == EINPROGRESS ? PROBE_PENDING : finish(probe, PROBE_REFUSED);
}

static enum probe_result send_request(struct probe *probe, const struct service_config *service)
{
	char request[512];
	int length =
	        snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", service->ready_path);
	if (length < 0 || (size_t)length >= sizeof(request) ||
	    send(probe->fd, request, (size_t)length, MSG_NOSIGNAL) != length)
		return finish(probe, PROBE_REFUSED);
	probe->sent = true;
	return PROBE_PENDING;
}

enum probe_result probe_continue(struct probe *probe, const struct service_config *service)
{
	if (probe->sent) {
		/* "HTTP/1.1 200": the first bytes of an answer come in one piece. */
		char answer[16] = "";
		ssize_t got = recv(probe->fd, answer, sizeof(answer) - 1, 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return PROBE_PENDING;
		bool good = got >= 12 && memcmp(answer, "HTTP/1.", 7) == 0 && answer[9] == '2';
		return finish(probe, good ? PROBE_READY : PROBE_REFUSED);
	}
	int problem = 0;
	socklen_t size = sizeof(problem);
	if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0 || problem)
		return finish(probe, PROBE_REFUSED);
	return service->ready == READY_HTTP ? send_request(probe, service) : finish(probe, PROBE_READY);
}

void probe_cancel(struct probe *probe)
{
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
	probe->sent = false;
}

static bool is_assignment(const char *line, size_t length)
{
	size_t name = 0;
	while (name < length && (line[name] == '_' || (line[name] >= 'A' && line[name] <= 'Z') ||
	                         (name && line[name] >= '0' && line[name] <= '9')))
		name++;
	return name && name < length && line[name] == '=';
}

static bool starts_with(const char *line, size_t length, const char *prefix)
{
	size_t prefix_length = strlen(prefix);
	return length >= prefix_length && memcmp(line, prefix, prefix_length) == 0;
}

static void add_to_status(struct notification *notification, const char *separator, const char *text, size_t length)
{
	size_t used = strlen(notification->status);
	(void)snprintf(notification->status + used, sizeof(notification->status) - used, "%s%.*s", separator,
	               (int)length, text);
}

struct notification probe_parse_notification(const char *bytes, size_t length)
{
	struct notification notification = { .ready = false };
	bool in_status = false;
	const char *end = bytes + length;
	while (bytes < end) {
		const char *line_end = memchr(bytes, '\n', (size_t)(end - bytes));
		if (!line_end)
			line_end = end;
		size_t line_length = (size_t)(line_end - bytes);
		if (starts_with(bytes, line_length, "STATUS=")) {
			in_status = notification.has_status = true;
			notification.status[0] = '\0';
			add_to_status(&notification, "", bytes + 7, line_length - 7);
		} else if (is_assignment(bytes, line_length)) {
			in_status = false;
			notification.ready |= line_length == 7 && starts_with(bytes, line_length, "READY=1");
			notification.stopping |= line_length == 10 && starts_with(bytes, line_length, "STOPPING=1");
			notification.failing |= starts_with(bytes, line_length, "ERRNO=");
		} else if (in_status && line_length) {
			add_to_status(&notification, "\n", bytes, line_length);
		}
		bytes = line_end + 1;
	}
	return notification;
}
