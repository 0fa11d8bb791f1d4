/*
 * A connection that is taken over: one HTTP/1.1 request with "Connection: Upgrade", and then bytes both ways. libcurl
 * makes the connection (socket, TLS); the request and the head of the answer are handled here, because curl gives no
 * duplex stream after a request.
 */
#ifndef SANDBOX_BASE_HTTP_UPGRADE_H
#define SANDBOX_BASE_HTTP_UPGRADE_H

#include "base/http.h"

struct http_upgrade;

struct http_upgrade_request {
	const char *method;
	const char *url;      /* as for http_request */
	const char *protocol; /* of the Upgrade header, e.g. "tcp" */
	const char *body;     /* JSON text */
	int64_t timeout_ms;   /* until the answer's head is there */
};

/*
 * 0 when the peer switched protocols (101, or 200 from peers that just begin to stream): `ret_stream` is open.
 * Otherwise a response of another status is in `ret_response` with its body, and `ret_stream` is NULL. -1 with `e` as
 * http_perform.
 */
int http_upgrade_open(const struct http_client_options *options, const struct http_upgrade_request *request,
                      struct http_upgrade **ret_stream, struct http_response *ret_response, struct err *e);
struct http_upgrade *http_upgrade_free(struct http_upgrade *stream);

/* For poll(): readable or writable when read or write may go on. Data that came with the head is there at once: read
 * before polling. */
int http_upgrade_fd(const struct http_upgrade *stream);
/* Bytes read, 0 at the end of the stream, HTTP_UPGRADE_AGAIN when nothing is there now, -1 with `e`. */
ssize_t http_upgrade_read(struct http_upgrade *stream, void *room, size_t size, struct err *e);
/* Bytes written (maybe fewer), HTTP_UPGRADE_AGAIN, or -1 with `e`. */
ssize_t http_upgrade_write(struct http_upgrade *stream, const void *bytes, size_t length, struct err *e);
#define HTTP_UPGRADE_AGAIN ((ssize_t)-2)
/* No more bytes will be written: the peer reads the end, and may go on writing. */
bool http_upgrade_close_write(struct http_upgrade *stream);

#endif
