/* Between http.c and the two ways in which it speaks HTTP: http_curl.c, over libcurl, and http_stream.c, over connections that
 * are made without it. */
#ifndef SANDBOX_BASE_HTTP_INTERNAL_H
#define SANDBOX_BASE_HTTP_INTERNAL_H

#include "base/cancel.h"
#include "base/http.h"

#include <stdatomic.h>

#define HTTP_DEFAULT_TIMEOUT_MS INT64_C(30000)

struct http_client {
	char *unix_socket;
	char *ca_file;
	char *client_cert;
	char *client_key;
	char *ca_pem;
	char *client_cert_pem;
	char *client_key_pem;
	char *bearer_token;
	int (*dial)(void *context, struct err *e);
	void *dial_context;
	int cancel_fd;
	int64_t connect_timeout_ms;
	bool http2;
	atomic_bool cancelled;
	/* of http_curl.c */
	void *multi;
	void *easy;
	/* of http_stream.c */
	struct cancel cancel;
	int connection; /* kept open between exchanges, or -1 */
};

/* One exchange under way. */
struct http_exchange {
	struct http_client *client;
	const struct http_request *request;
	struct http_response *response;
	struct err callback_error;
	bool head_delivered;
	bool body_too_large;
	int64_t last_byte_ms;
};

/* Whether the client's connections are streams of our own: a Unix socket, or what `dial` gives. */
bool http_is_stream(const struct http_client *client);

/* The status is in the response. -1 with callback_error set ends the exchange. */
int http_exchange_head(struct http_exchange *exchange, const char *content_type);
/* Head, then data: to the callback or into the response's body; -1 as above, or body_too_large is set. */
int http_exchange_data(struct http_exchange *exchange, const char *bytes, size_t length);
/* The error of an exchange that the two above ended; false when they did not. */
bool http_exchange_failed(struct http_exchange *exchange, struct err *e);
int http_cancelled(struct err *e);
/* "connect-permission" for EACCES and EPERM, else "connect-failed". */
int http_connect_error(const char *where, int errno_value, struct err *e);

void http_curl_new(struct http_client *client);
void http_curl_free(struct http_client *client);
void http_curl_cancel(struct http_client *client);
int http_curl_perform(struct http_exchange *exchange, struct err *e);
/* Sets the connection's options on a CURL handle. */
void http_curl_apply(const struct http_client *client, void *curl_easy);
/* A function of the very TLS library that libcurl uses, NULL if there is none of that name. */
void *http_curl_tls_function(const char *name);

void http_stream_new(struct http_client *client);
void http_stream_free(struct http_client *client);
void http_stream_cancel(struct http_client *client);
int http_stream_perform(struct http_exchange *exchange, struct err *e);
/* A new connection, non-blocking; -1 with `e`. */
int http_stream_connect(const struct http_client *client, struct err *e);

/* The part of a URL behind host and port, "/" when there is none; its host goes to `ret_host` (borrowed, with length). */
const char *http_url_target(const char *url, const char **ret_host, size_t *ret_host_length);

#endif
