/*
 * The one HTTP client: over libcurl, or, on a Unix socket and on streams that the caller makes (`dial`), by itself
 * (http_stream.c), because loading libcurl costs more than a short command may take. A client belongs to one thread, keeps its connections open between calls and
 * performs one exchange at a time; who needs several at once has a client per thread. There are no hidden defaults: no
 * proxy, no redirects, no unbounded wait — every call has a deadline or is a stream that can be cancelled.
 *
 * Bodies: a response of status < 400 goes to `on_data` piece by piece when that is set; every other body is collected
 * in `response->body`, up to `response_maximum`.
 */
#ifndef SANDBOX_BASE_HTTP_H
#define SANDBOX_BASE_HTTP_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct http_client;

struct http_client_options {
	const char *unix_socket; /* path, or NULL for TCP */
	const char *ca_file;     /* PEM; NULL: the system's bundle */
	const char *client_cert; /* PEM file, or NULL */
	const char *client_key;  /* PEM file, or NULL */
	const char *ca_pem;      /* the same three as PEM text, or NULL; text wins over a file */
	const char *client_cert_pem;
	const char *client_key_pem;
	const char *bearer_token; /* sent as Authorization: Bearer, or NULL */
	/* Makes a connection's stream: a descriptor that poll() and send() take, or -1 with `e`. NULL: unix_socket or TCP. */
	int (*dial)(void *context, struct err *e);
	void *dial_context;
	int cancel_fd; /* when readable, any exchange under way ends with ERR_CANCELLED; -1: none. Not read from. */
	int64_t connect_timeout_ms; /* 0: 5 s */
	bool http2;                 /* speak HTTP/2: at once without TLS (prior knowledge), by ALPN with it, on a new
	                               connection for each exchange; else HTTP/1.1 */
};

struct http_header {
	const char *name;
	const char *value;
};

struct http_response {
	long status;
	struct buf body;
	char *content_type; /* owned, may be NULL */
	struct buf headers; /* raw "Name: value\r\n" lines of the final response, trailers behind; see
	                       http_response_header */
};

struct http_request {
	const char *method; /* "GET" … */
	const char *url;
	const struct http_header *headers;
	size_t header_count;
	const void *body; /* with body_length; or read_body for a stream of unknown length (sent chunked) */
	size_t body_length;
	/* Returns bytes put in `room`, 0 at the end, -1 with `e` set to give up. */
	ssize_t (*read_body)(void *context, void *room, size_t size, struct err *e);
	/* Called once the response's status and headers are known and before any data; may be NULL. -1 with `e` set
	 * ends the exchange. */
	int (*on_head)(void *context, const struct http_response *head, struct err *e);
	/* -1 with `e` set ends the exchange with that error. */
	int (*on_data)(void *context, const char *bytes, size_t length, struct err *e);
	void *context;           /* for the three above */
	size_t response_maximum; /* 0: 16 MiB */
	int64_t timeout_ms;      /* for the whole exchange; 0: 30 s; HTTP_NO_TIMEOUT for a stream */
	int64_t idle_timeout_ms; /* ends the exchange with ERR_TIMEOUT when no byte came for that long; 0: none.
	                            Resolution 1 s with libcurl. */
};

#define HTTP_NO_TIMEOUT INT64_C(-1)

/* Options are copied. Never fails. */
struct http_client *http_client_new(const struct http_client_options *options);
struct http_client *http_client_free(struct http_client *client);
/* From any thread: ends the exchange under way, and every later one, with ERR_CANCELLED. */
void http_client_cancel(struct http_client *client);

/*
 * Performs the exchange. 0 whenever a whole response was received, whatever its status; -1 for everything that kept it
 * from being received: ERR_UNAVAILABLE (cannot connect, connection lost), ERR_PERMISSION (socket), ERR_TIMEOUT,
 * ERR_CANCELLED, ERR_EXHAUSTED (body too large), or the error of a callback. Release the response in either case.
 */
int http_perform(struct http_client *client, const struct http_request *request, struct http_response *ret_response,
                 struct err *e);
void http_response_release(struct http_response *response);
#define auto_http_response __attribute__((cleanup(http_response_release)))
#define HTTP_RESPONSE_INIT                                                                                             \
	{                                                                                                              \
		.status = 0                                                                                            \
	}
/* Case-insensitive; the first one's value copied into `room`, or false. */
bool http_response_header(const struct http_response *response, const char *name, char *room, size_t size);

/* Percent-encodes everything but unreserved characters (RFC 3986) and those in `keep`. Free with free(). */
char *http_percent_encode(const char *text, const char *keep);

#endif
