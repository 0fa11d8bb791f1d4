#include "base/http_upgrade.h"

#include "base/clock.h"
#include "base/http_internal.h"
#include "base/platform.h"
#include "base/text.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAXIMUM ((size_t)64 * 1024)
#define REFUSAL_MAXIMUM ((size_t)1024 * 1024)
#define DEFAULT_TIMEOUT_MS INT64_C(30000)

struct http_upgrade {
	struct http_client *client; /* for its connection options */
	CURL *easy;                 /* NULL for a stream of our own, which `fd` is then */
	int fd;
	int cancel_fd;
	bool tls;
	struct buf early; /* bytes behind the answer's head */
};

struct http_upgrade *http_upgrade_free(struct http_upgrade *stream)
{
	if (!stream)
		return NULL;
	if (stream->easy)
		curl_easy_cleanup(stream->easy);
	else if (stream->fd >= 0)
		close(stream->fd);
	http_client_free(stream->client);
	buf_release(&stream->early);
	free(stream);
	return NULL;
}

int http_upgrade_fd(const struct http_upgrade *stream)
{
	return stream->fd;
}

static ssize_t fail(const char *what, const char *reason, struct err *e)
{
	return err_set(e, ERR_UNAVAILABLE, "connection-failed", "cannot %s: %s", what, reason);
}

static ssize_t translate(CURLcode code, size_t count, const char *what, struct err *e)
{
	if (code == CURLE_AGAIN)
		return HTTP_UPGRADE_AGAIN;
	return code == CURLE_OK ? (ssize_t)count : fail(what, curl_easy_strerror(code), e);
}

static ssize_t translate_errno(ssize_t count, const char *what, struct err *e)
{
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return HTTP_UPGRADE_AGAIN;
	return count >= 0 ? count : fail(what, strerror(errno), e);
}

ssize_t http_upgrade_read(struct http_upgrade *stream, void *room, size_t size, struct err *e)
{
	if (stream->early.length) {
		size_t given = stream->early.length < size ? stream->early.length : size;
		memcpy(room, stream->early.data, given);
		buf_consume(&stream->early, given);
		return (ssize_t)given;
	}
	static const char what[] = "read from the connection";
	if (!stream->easy)
		return translate_errno(recv(stream->fd, room, size, 0), what, e);
	size_t got = 0;
	CURLcode code = curl_easy_recv(stream->easy, room, size, &got);
	return translate(code, got, what, e);
}

ssize_t http_upgrade_write(struct http_upgrade *stream, const void *bytes, size_t length, struct err *e)
{
	static const char what[] = "write to the connection";
	if (!stream->easy)
		return translate_errno(send(stream->fd, bytes, length, PLATFORM_NO_SIGPIPE), what, e);
	size_t sent = 0;
	CURLcode code = curl_easy_send(stream->easy, bytes, length, &sent);
	return translate(code, sent, what, e);
}

/* TLS' own end of one direction. libcurl has no call for it, but gives the connection of the library below. */
static bool send_close_notify(CURL *easy)
{
	const struct curl_tlssessioninfo *session = NULL;
	int (*ssl_shutdown)(void *ssl);
	if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || !session || !session->internals ||
	    session->backend != CURLSSLBACKEND_OPENSSL)
		return false;
	*(void **)&ssl_shutdown = http_curl_tls_function("SSL_shutdown");
	return ssl_shutdown && ssl_shutdown(session->internals) >= 0;
}

bool http_upgrade_close_write(struct http_upgrade *stream)
{
	/* Without close_notify the peer finds the connection cut off. Docker's engine takes that for the end as well.
	 */
	return (stream->tls && send_close_notify(stream->easy)) || shutdown(stream->fd, SHUT_WR) == 0;
}

/* Waits until the connection is ready for `events`. */
static int wait_for(struct http_upgrade *stream, short events, int64_t deadline_ms, struct err *e)
{
	struct pollfd fds[] = { { .fd = stream->fd, .events = events }, { .fd = stream->cancel_fd, .events = POLLIN } };
	int ready = poll(fds, 2, clock_poll_timeout(deadline_ms));
	if (ready < 0 && errno != EINTR)
		return err_set_errno(e, errno, NULL, "cannot wait for the connection");
	if (fds[1].revents)
		return err_set(e, ERR_CANCELLED, "cancelled", "interrupted");
	if (ready == 0)
		return err_set(e, ERR_TIMEOUT, "timeout",
		               "the peer did not answer the request to upgrade the connection");
	return 0;
}

static int send_all(struct http_upgrade *stream, const char *bytes, size_t length, int64_t deadline_ms, struct err *e)
{
	while (length) {
		ssize_t sent = http_upgrade_write(stream, bytes, length, e);
		if (sent == -1 || (sent == HTTP_UPGRADE_AGAIN && wait_for(stream, POLLOUT, deadline_ms, e) < 0))
			return -1;
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
	}
	return 0;
}

/* The request's text. The path is the URL's part behind host and port; the host need not be right for an engine on a
 * socket. */
static char *request_text(const struct http_upgrade_request *request)
{
	const char *host;
	size_t host_length;
	const char *target = http_url_target(request->url, &host, &host_length);
	return xasprintf("%s %s HTTP/1.1\r\nHost: %.*s\r\nConnection: Upgrade\r\nUpgrade: %s\r\nContent-Type: "
	                 "application/json\r\n"
	                 "Content-Length: %zu\r\n\r\n%s",
	                 request->method, target, (int)host_length, host, request->protocol, strlen(request->body),
	                 request->body);
}

/* Reads until the head is whole; it goes to the response, what follows to `early`. */
static int read_head(struct http_upgrade *stream, struct http_response *response, int64_t deadline_ms, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(HEAD_MAXIMUM);
	for (;;) {
		char *room = buf_reserve(&bytes, 4096);
		if (!room)
			return err_set(e, ERR_EXHAUSTED, "response-too-large",
			               "the answer's head is larger than %zu bytes", HEAD_MAXIMUM);
		ssize_t got = http_upgrade_read(stream, room, 4096, e);
		if (got == -1 || (got == HTTP_UPGRADE_AGAIN && wait_for(stream, POLLIN, deadline_ms, e) < 0))
			return -1;
		if (got == 0)
			return err_set(e, ERR_UNAVAILABLE, "connection-failed",
			               "the peer closed the connection without an answer");
		if (got < 0)
			continue;
		buf_commit(&bytes, (size_t)got);
		const char *end = memmem(bytes.data, bytes.length, "\r\n\r\n", 4);
		if (!end)
			continue;
		size_t head = (size_t)(end - bytes.data) + 4;
		buf_add(&response->headers, bytes.data, head);
		buf_add(&stream->early, bytes.data + head, bytes.length - head);
		return 0;
	}
}

/* The body of a refusal, to its announced length or the connection's end. */
static int read_refusal(struct http_upgrade *stream, struct http_response *response, int64_t deadline_ms, struct err *e)
{
	char text[32];
	uint64_t length = REFUSAL_MAXIMUM;
	if (http_response_header(response, "Content-Length", text, sizeof(text)))
		(void)text_to_uint64(text, REFUSAL_MAXIMUM, &length);
	while (response->body.length < length) {
		char chunk[4096];
		ssize_t got = http_upgrade_read(stream, chunk, sizeof(chunk), e);
		if (got == 0)
			return 0;
		if (got == -1 || (got == HTTP_UPGRADE_AGAIN && wait_for(stream, POLLIN, deadline_ms, e) < 0))
			return -1;
		if (got > 0 && buf_add(&response->body, chunk, (size_t)got) < 0)
			return err_set(e, ERR_EXHAUSTED, "response-too-large", "the answer is too large");
	}
	return 0;
}

static int connect_by_curl(struct http_upgrade *stream, const char *url, struct err *e)
{
	char detail[CURL_ERROR_SIZE] = "";
	curl_socket_t fd = CURL_SOCKET_BAD;
	stream->easy = curl_easy_init();
	if (!stream->easy)
		memory_exhausted();
	http_curl_apply(stream->client, stream->easy);
	curl_easy_setopt(stream->easy, CURLOPT_URL, url);
	curl_easy_setopt(stream->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(stream->easy, CURLOPT_ERRORBUFFER, detail);
	CURLcode code = curl_easy_perform(stream->easy);
	curl_easy_setopt(stream->easy, CURLOPT_ERRORBUFFER, NULL);
	if (code == CURLE_OK)
		code = curl_easy_getinfo(stream->easy, CURLINFO_ACTIVESOCKET, &fd);
	stream->fd = (int)fd;
	if (code != CURLE_OK)
		return err_set(e, ERR_UNAVAILABLE, "connect-failed", "cannot connect to %s: %s", url,
		               detail[0] ? detail : curl_easy_strerror(code));
	return 0;
}

static int connect_stream(struct http_upgrade *stream, const char *url, struct err *e)
{
	if (!http_is_stream(stream->client))
		return connect_by_curl(stream, url, e);
	stream->fd = http_stream_connect(stream->client, e);
	return stream->fd < 0 ? -1 : 0;
}

static int negotiate(struct http_upgrade *stream, const struct http_upgrade_request *request,
                     struct http_response *response, struct err *e)
{
	int64_t deadline = clock_monotonic_ms() + (request->timeout_ms ? request->timeout_ms : DEFAULT_TIMEOUT_MS);
	auto_free char *text = request_text(request);
	if (send_all(stream, text, strlen(text), deadline, e) < 0 || read_head(stream, response, deadline, e) < 0)
		return -1;
	const char *status = strchr(buf_text(&response->headers), ' ');
	response->status = status ? strtol(status, NULL, 10) : 0;
	if (response->status == 101 || response->status == 200)
		return 0;
	return read_refusal(stream, response, deadline, e);
}

int http_upgrade_open(const struct http_client_options *options, const struct http_upgrade_request *request,
                      struct http_upgrade **ret_stream, struct http_response *ret_response, struct err *e)
{
	http_response_release(ret_response);
	buf_init(&ret_response->headers, HEAD_MAXIMUM);
	buf_init(&ret_response->body, REFUSAL_MAXIMUM);
	*ret_stream = NULL;
	struct http_upgrade *stream = xcalloc(1, sizeof(*stream));
	buf_init(&stream->early, HEAD_MAXIMUM);
	stream->client = http_client_new(options);
	stream->fd = -1;
	stream->cancel_fd = options->cancel_fd;
	stream->tls = text_starts_with(request->url, "https://");
	int outcome = connect_stream(stream, request->url, e);
	if (outcome == 0)
		outcome = negotiate(stream, request, ret_response, e);
	if (outcome < 0 || (ret_response->status != 101 && ret_response->status != 200)) {
		http_upgrade_free(stream);
		return outcome;
	}
	*ret_stream = stream;
	return 0;
}
