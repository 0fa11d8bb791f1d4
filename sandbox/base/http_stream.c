/*
 * HTTP/1.1 over a stream that we made: a Unix socket, or what the caller's `dial` gives (SSH). One poll loop sends the
 * request and reads the answer at the same time, because an engine may refuse an upload before it has taken it all.
 *
 * Why not libcurl, which could: on Debian it brings 40 shared libraries, 9 ms and 8 MB into every process, which is more than
 * `sandbox status` may take altogether (docs/decisions/0019-start-up.md).
 */
#include "base/clock.h"
#include "base/http1_reader.h"
#include "base/http_internal.h"
#include "base/platform.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK ((size_t)32 * 1024)

void http_stream_new(struct http_client *client)
{
	cancel_init(&client->cancel);
	client->connection = -1;
}

void http_stream_free(struct http_client *client)
{
	if (client->connection >= 0)
		close(client->connection);
	cancel_release(&client->cancel);
}

void http_stream_cancel(struct http_client *client)
{
	cancel_request(&client->cancel);
}

/* A listener with a full queue makes connect() wait: for as long as the send timeout says. */
static int connect_unix(const struct http_client *client, struct err *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(client->unix_socket);
	if (length >= sizeof(address.sun_path))
		return http_connect_error(client->unix_socket, ENAMETOOLONG, e);
	memcpy(address.sun_path, client->unix_socket, length);
	auto_fd int fd = platform_socket(AF_UNIX, SOCK_STREAM);
	if (fd < 0)
		return err_set_errno(e, errno, NULL, "cannot make a socket");
	struct timeval limit = { .tv_sec = (time_t)(client->connect_timeout_ms / 1000),
		                 .tv_usec = (suseconds_t)(client->connect_timeout_ms % 1000 * 1000) };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return http_connect_error(client->unix_socket, errno == EAGAIN ? ETIMEDOUT : errno, e);
	if (platform_set_nonblocking(fd) < 0)
		return err_set_errno(e, errno, NULL, "cannot change a socket");
	return steal_fd(&fd);
}

int http_stream_connect(const struct http_client *client, struct err *e)
{
	return client->dial ? client->dial(client->dial_context, e) : connect_unix(client, e);
}

/* What one attempt needs beside the exchange. */
struct attempt {
	struct http_exchange *exchange;
	int fd;
	struct http1_reader reader;
	struct buf out; /* to be sent: the head first, then pieces of the body */
	size_t sent;
	bool body_ended;
	bool sending_failed; /* the peer takes no more; its answer may be there all the same */
	int64_t deadline_ms;
};

static int take_head(void *context, long status, struct err *e)
{
	struct attempt *attempt = context;
	struct http_exchange *exchange = attempt->exchange;
	char content_type[256];
	bool has_type = http1_header(&exchange->response->headers, "Content-Type", content_type, sizeof(content_type));
	exchange->response->status = status;
	(void)e; /* the callback's own error stands in the exchange */
	return http_exchange_head(exchange, has_type ? content_type : NULL);
}

static int take_data(void *context, const char *bytes, size_t length, struct err *e)
{
	struct attempt *attempt = context;
	(void)e;
	return http_exchange_data(attempt->exchange, bytes, length);
}

static void put_head(const struct http_exchange *exchange, struct buf *out)
{
	const struct http_request *request = exchange->request;
	const char *host;
	size_t host_length;
	const char *target = http_url_target(request->url, &host, &host_length);
	buf_add_format(out, "%s %s HTTP/1.1\r\nHost: %.*s\r\n", request->method, target, (int)host_length, host);
	for (size_t i = 0; i < request->header_count; i++)
		buf_add_format(out, "%s: %s\r\n", request->headers[i].name, request->headers[i].value);
	if (exchange->client->bearer_token)
		buf_add_format(out, "Authorization: Bearer %s\r\n", exchange->client->bearer_token);
	bool expects_body = text_equal(request->method, "POST") || text_equal(request->method, "PUT");
	if (request->read_body)
		buf_add_str(out, "Transfer-Encoding: chunked\r\n");
	else if (request->body || expects_body)
		buf_add_format(out, "Content-Length: %zu\r\n", request->body ? request->body_length : 0);
	buf_add_str(out, "\r\n");
}

/* The next piece of a streamed body, framed as a chunk. */
static int refill(struct attempt *attempt, struct err *e)
{
	const struct http_request *request = attempt->exchange->request;
	char room[CHUNK];
	ssize_t got = request->read_body(request->context, room, sizeof(room), e);
	if (got < 0)
		return -1;
	buf_clear(&attempt->out);
	attempt->sent = 0;
	attempt->body_ended = got == 0;
	if (buf_add_format(&attempt->out, "%zx\r\n", (size_t)got) < 0 ||
	    buf_add(&attempt->out, room, (size_t)got) < 0 || buf_add_str(&attempt->out, "\r\n") < 0)
		return err_set(e, ERR_INTERNAL, NULL, "a piece of the request is too large");
	return 0;
}

static bool has_more_to_send(const struct attempt *attempt)
{
	return !attempt->sending_failed && (attempt->sent < attempt->out.length || !attempt->body_ended);
}

static int send_some(struct attempt *attempt, struct err *e)
{
	if (attempt->sent == attempt->out.length && refill(attempt, e) < 0)
		return -1;
	ssize_t sent = send(attempt->fd, attempt->out.data + attempt->sent, attempt->out.length - attempt->sent,
	                    PLATFORM_NO_SIGPIPE);
	if (sent > 0) {
		attempt->sent += (size_t)sent;
		attempt->exchange->last_byte_ms = clock_monotonic_ms();
	} else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		attempt->sending_failed = true;
	}
	return 0;
}

/* 1 when the connection has ended. */
static int receive_some(struct attempt *attempt, struct err *e)
{
	char room[CHUNK];
	ssize_t got = recv(attempt->fd, room, sizeof(room), 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got < 0 && errno != ECONNRESET)
		return err_set(e, ERR_UNAVAILABLE, "connection-failed", "%s: %s", attempt->exchange->request->url,
		               strerror(errno));
	if (got <= 0)
		return http1_reader_end(&attempt->reader, e) < 0 ? -1 : 1;
	attempt->exchange->last_byte_ms = clock_monotonic_ms();
	ssize_t taken = http1_reader_feed(&attempt->reader, room, (size_t)got, e);
	if (taken < 0)
		return -1;
	/* A refusal ends the upload; and bytes behind the answer are nobody's. */
	if (attempt->reader.status >= 400 && attempt->reader.state != HTTP1_HEAD && has_more_to_send(attempt))
		attempt->sending_failed = true;
	if (taken < got)
		attempt->reader.keep_alive = false;
	return 0;
}

static int check_time(const struct attempt *attempt, struct err *e)
{
	const struct http_request *request = attempt->exchange->request;
	int64_t now = clock_monotonic_ms();
	if (attempt->deadline_ms != CLOCK_NEVER && now >= attempt->deadline_ms)
		return err_set(e, ERR_TIMEOUT, "timeout", "%s %s: no complete answer within %lld ms", request->method,
		               request->url,
		               (long long)(request->timeout_ms ? request->timeout_ms : HTTP_DEFAULT_TIMEOUT_MS));
	if (request->idle_timeout_ms && now - attempt->exchange->last_byte_ms > request->idle_timeout_ms)
		return err_set(e, ERR_TIMEOUT, "idle-timeout", "nothing was received for %lld ms",
		               (long long)request->idle_timeout_ms);
	return 0;
}

static int64_t next_deadline(const struct attempt *attempt)
{
	const struct http_exchange *exchange = attempt->exchange;
	int64_t idle = exchange->request->idle_timeout_ms ? exchange->last_byte_ms + exchange->request->idle_timeout_ms + 1
	                                                  : CLOCK_NEVER;
	if (idle == CLOCK_NEVER || (attempt->deadline_ms != CLOCK_NEVER && attempt->deadline_ms < idle))
		return attempt->deadline_ms;
	return idle;
}

static int drive(struct attempt *attempt, struct err *e)
{
	struct http_client *client = attempt->exchange->client;
	while (attempt->reader.state != HTTP1_DONE) {
		struct pollfd fds[] = {
			{ .fd = attempt->fd, .events = (short)(POLLIN | (has_more_to_send(attempt) ? POLLOUT : 0)) },
			{ .fd = client->cancel_fd, .events = POLLIN },
			{ .fd = cancel_fd(&client->cancel), .events = POLLIN },
		};
		if (check_time(attempt, e) < 0)
			return -1;
		int ready = poll(fds, ARRAY_LENGTH(fds), clock_poll_timeout(next_deadline(attempt)));
		if (ready < 0 && errno != EINTR)
			return err_set_errno(e, errno, NULL, "cannot wait for the connection");
		if (ready <= 0)
			continue;
		if (fds[1].revents || fds[2].revents)
			return http_cancelled(e);
		if (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) {
			int ended = receive_some(attempt, e);
			if (ended)
				return ended < 0 ? -1 : 0;
		}
		if (fds[0].revents & POLLOUT && has_more_to_send(attempt) && send_some(attempt, e) < 0)
			return -1;
	}
	return 0;
}

/* A kept connection that the peer has closed, or on which it has said something unasked, is of no use. */
static bool is_fresh(int fd)
{
	struct pollfd look = { .fd = fd, .events = POLLIN };
	return poll(&look, 1, 0) == 0;
}

static int try_once(struct attempt *attempt, struct err *e)
{
	struct http_exchange *exchange = attempt->exchange;
	const struct http_request *request = exchange->request;
	attempt->reader = (struct http1_reader){ .headers = &exchange->response->headers,
		                                 .without_body = text_equal(request->method, "HEAD"),
		                                 .on_head = take_head,
		                                 .on_data = take_data,
		                                 .context = attempt };
	attempt->sent = 0;
	attempt->body_ended = !request->read_body;
	attempt->sending_failed = false;
	put_head(exchange, &attempt->out);
	if (request->body && !request->read_body)
		buf_add(&attempt->out, request->body, request->body_length);
	return drive(attempt, e);
}

static int perform(struct attempt *attempt, struct err *e)
{
	struct http_client *client = attempt->exchange->client;
	int kept = client->connection;
	client->connection = -1;
	if (kept >= 0 && is_fresh(kept)) {
		attempt->fd = kept;
		auto_err struct err problem = ERR_INIT;
		if (try_once(attempt, &problem) == 0)
			return 0;
		/* The peer may close a kept connection just when it is used again: nothing has been done then. */
		bool lost = text_equal(problem.id, "connection-failed") && !attempt->reader.begun &&
		            !attempt->exchange->request->read_body;
		if (!lost)
			return err_move(e, &problem);
		close(attempt->fd);
		attempt->fd = -1;
		buf_clear(&attempt->out);
	} else if (kept >= 0) {
		close(kept);
	}
	attempt->fd = http_stream_connect(client, e);
	return attempt->fd < 0 ? -1 : try_once(attempt, e);
}

int http_stream_perform(struct http_exchange *exchange, struct err *e)
{
	const struct http_request *request = exchange->request;
	int64_t limit = request->timeout_ms ? request->timeout_ms : HTTP_DEFAULT_TIMEOUT_MS;
	struct attempt attempt = { .exchange = exchange,
		                   .fd = -1,
		                   .deadline_ms = request->timeout_ms == HTTP_NO_TIMEOUT ? CLOCK_NEVER
		                                                                         : clock_monotonic_ms() + limit };
	buf_init(&attempt.out, SIZE_MAX / 2);
	int outcome = perform(&attempt, e);
	if (outcome < 0)
		http_exchange_failed(exchange, e);
	bool keep = outcome == 0 && attempt.reader.keep_alive && !has_more_to_send(&attempt) && !attempt.sending_failed;
	if (keep)
		exchange->client->connection = attempt.fd;
	else if (attempt.fd >= 0)
		close(attempt.fd);
	buf_release(&attempt.out);
	return outcome;
}
