#include "base/http.h"

#include "base/clock.h"
#include "base/http1_reader.h"
#include "base/http_internal.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

#define DEFAULT_RESPONSE_MAXIMUM ((size_t)16 * 1024 * 1024)
#define HEADERS_MAXIMUM ((size_t)256 * 1024)
#define DEFAULT_CONNECT_TIMEOUT_MS INT64_C(5000)

bool http_is_stream(const struct http_client *client)
{
	return (client->unix_socket || client->dial) && !client->http2;
}

struct http_client *http_client_new(const struct http_client_options *options)
{
	struct http_client *client = xcalloc(1, sizeof(*client));
	client->unix_socket = xstrdup(options->unix_socket);
	client->ca_file = xstrdup(options->ca_file);
	client->client_cert = xstrdup(options->client_cert);
	client->client_key = xstrdup(options->client_key);
	client->ca_pem = xstrdup(options->ca_pem);
	client->client_cert_pem = xstrdup(options->client_cert_pem);
	client->client_key_pem = xstrdup(options->client_key_pem);
	client->bearer_token = xstrdup(options->bearer_token);
	client->dial = options->dial;
	client->dial_context = options->dial_context;
	client->cancel_fd = options->cancel_fd;
	client->http2 = options->http2;
	client->connect_timeout_ms =
	        options->connect_timeout_ms ? options->connect_timeout_ms : DEFAULT_CONNECT_TIMEOUT_MS;
	if (http_is_stream(client))
		http_stream_new(client);
	else
		http_curl_new(client);
	return client;
}

struct http_client *http_client_free(struct http_client *client)
{
	if (!client)
		return NULL;
	if (http_is_stream(client))
		http_stream_free(client);
	else
		http_curl_free(client);
	free(client->unix_socket);
	free(client->ca_file);
	free(client->client_cert);
	free(client->client_key);
	free(client->ca_pem);
	free(client->client_cert_pem);
	free(client->client_key_pem);
	free(client->bearer_token);
	free(client);
	return NULL;
}

void http_client_cancel(struct http_client *client)
{
	atomic_store(&client->cancelled, true);
	if (http_is_stream(client))
		http_stream_cancel(client);
	else
		http_curl_cancel(client);
}

int http_cancelled(struct err *e)
{
	return err_set(e, ERR_CANCELLED, "cancelled", "interrupted");
}

int http_connect_error(const char *where, int errno_value, struct err *e)
{
	if (errno_value == EACCES || errno_value == EPERM)
		return err_set(e, ERR_PERMISSION, "connect-permission", "cannot connect to %s: permission denied", where);
	return err_set(e, ERR_UNAVAILABLE, "connect-failed", "cannot connect to %s: %s", where, strerror(errno_value));
}

int http_exchange_head(struct http_exchange *exchange, const char *content_type)
{
	if (exchange->head_delivered)
		return 0;
	exchange->head_delivered = true;
	exchange->response->content_type = xstrdup(content_type);
	const struct http_request *request = exchange->request;
	return request->on_head ? request->on_head(request->context, exchange->response, &exchange->callback_error) : 0;
}

int http_exchange_data(struct http_exchange *exchange, const char *bytes, size_t length)
{
	const struct http_request *request = exchange->request;
	if (request->on_data && exchange->response->status < 400)
		return request->on_data(request->context, bytes, length, &exchange->callback_error);
	if (buf_add(&exchange->response->body, bytes, length) == 0)
		return 0;
	exchange->body_too_large = true;
	return -1;
}

bool http_exchange_failed(struct http_exchange *exchange, struct err *e)
{
	if (exchange->callback_error.kind != ERR_NONE)
		err_move(e, &exchange->callback_error);
	else if (exchange->body_too_large)
		err_set(e, ERR_EXHAUSTED, "response-too-large", "the response of %s is larger than %zu bytes",
		        exchange->request->url, exchange->response->body.maximum);
	else
		return false;
	return true;
}

int http_perform(struct http_client *client, const struct http_request *request, struct http_response *ret_response,
                 struct err *e)
{
	if (atomic_load(&client->cancelled))
		return http_cancelled(e);
	struct http_exchange exchange = { .client = client,
		                          .request = request,
		                          .response = ret_response,
		                          .callback_error = ERR_INIT,
		                          .last_byte_ms = clock_monotonic_ms() };
	http_response_release(ret_response);
	buf_init(&ret_response->body, request->response_maximum ? request->response_maximum : DEFAULT_RESPONSE_MAXIMUM);
	buf_init(&ret_response->headers, HEADERS_MAXIMUM);
	int outcome = http_is_stream(client) ? http_stream_perform(&exchange, e) : http_curl_perform(&exchange, e);
	err_release(&exchange.callback_error);
	return outcome;
}

const char *http_url_target(const char *url, const char **ret_host, size_t *ret_host_length)
{
	const char *host = strstr(url, "://");
	host = host ? host + 3 : url;
	size_t length = strcspn(host, "/");
	*ret_host = host;
	*ret_host_length = length;
	return host[length] ? host + length : "/";
}

void http_response_release(struct http_response *response)
{
	buf_release(&response->body);
	buf_release(&response->headers);
	free(response->content_type);
	*response = (struct http_response)HTTP_RESPONSE_INIT;
}

bool http_response_header(const struct http_response *response, const char *name, char *room, size_t size)
{
	return http1_header(&response->headers, name, room, size);
}

char *http_percent_encode(const char *text, const char *keep)
{
	static const char hex[] = "0123456789ABCDEF";
	char *encoded = xmalloc(strlen(text) * 3 + 1);
	char *out = encoded;
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		                  c == '-' || c == '.' || c == '_' || c == '~';
		if (unreserved || strchr(keep, c)) {
			*out++ = (char)c;
		} else {
			*out++ = '%';
			*out++ = hex[c >> 4];
			*out++ = hex[c & 15];
		}
	}
	*out = '\0';
	return encoded;
}
