/* HTTP over TCP and TLS, and HTTP/2: libcurl's. */
#include "base/clock.h"
#include "base/http_internal.h"
#include "base/text.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_setup(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

void http_curl_new(struct http_client *client)
{
	pthread_once(&curl_once, curl_setup);
	client->multi = curl_multi_init();
	client->easy = curl_easy_init();
	if (!client->multi || !client->easy)
		memory_exhausted();
}

void http_curl_free(struct http_client *client)
{
	curl_easy_cleanup(client->easy);
	curl_multi_cleanup(client->multi);
}

void http_curl_cancel(struct http_client *client)
{
	curl_multi_wakeup(client->multi);
}

static size_t receive_header(char *bytes, size_t size, size_t count, void *context)
{
	struct http_exchange *exchange = context;
	size_t length = size * count;
	exchange->last_byte_ms = clock_monotonic_ms();
	/* A new status line starts the head of a new response (100 Continue comes before the real one). */
	if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0)
		buf_clear(&exchange->response->headers);
	return buf_add(&exchange->response->headers, bytes, length) < 0 ? 0 : length;
}

static int deliver_head(struct http_exchange *exchange)
{
	char *content_type = NULL;
	curl_easy_getinfo(exchange->client->easy, CURLINFO_RESPONSE_CODE, &exchange->response->status);
	curl_easy_getinfo(exchange->client->easy, CURLINFO_CONTENT_TYPE, &content_type);
	return http_exchange_head(exchange, content_type);
}

static size_t receive_body(char *bytes, size_t size, size_t count, void *context)
{
	struct http_exchange *exchange = context;
	size_t length = size * count;
	exchange->last_byte_ms = clock_monotonic_ms();
	if (deliver_head(exchange) < 0 || http_exchange_data(exchange, bytes, length) < 0)
		return 0;
	return length;
}

static size_t send_body(char *room, size_t size, size_t count, void *context)
{
	struct http_exchange *exchange = context;
	exchange->last_byte_ms = clock_monotonic_ms();
	ssize_t got =
	        exchange->request->read_body(exchange->request->context, room, size * count, &exchange->callback_error);
	return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
	/* curl's own syntax: "Name;" sends a header without value. */
	auto_free char *line = *value ? xasprintf("%s: %s", name, value) : xasprintf("%s;", name);
	struct curl_slist *longer = curl_slist_append(list, line);
	if (!longer)
		memory_exhausted();
	return longer;
}

static struct curl_slist *build_headers(const struct http_client *client, const struct http_request *request)
{
	struct curl_slist *list = NULL;
	for (size_t i = 0; i < request->header_count; i++)
		list = add_header(list, request->headers[i].name, request->headers[i].value);
	if (client->bearer_token) {
		auto_free char *value = xasprintf("Bearer %s", client->bearer_token);
		list = add_header(list, "Authorization", value);
	}
	if (request->read_body)
		list = add_header(list, "Transfer-Encoding", "chunked");
	/* Waiting for 100 Continue costs a round trip and gives nothing on a local peer. */
	struct curl_slist *longer = curl_slist_append(list, "Expect:");
	if (!longer)
		memory_exhausted();
	return longer;
}

static void set_pem(CURL *easy, CURLoption blob_option, CURLoption file_option, char *pem, const char *file)
{
	struct curl_blob blob = { .data = pem, .len = pem ? strlen(pem) : 0, .flags = CURL_BLOB_NOCOPY };
	if (pem)
		curl_easy_setopt(easy, blob_option, &blob);
	else if (file)
		curl_easy_setopt(easy, file_option, file);
}

/* Programs that are linked to libcurl; lazy_curl.c has the other. */
__attribute__((weak)) void *http_curl_tls_function(const char *name)
{
	return dlsym(RTLD_DEFAULT, name);
}

void http_curl_apply(const struct http_client *client, void *curl_easy)
{
	CURL *easy = curl_easy;
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
	                 client->http2 ? (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : (long)CURL_HTTP_VERSION_1_1);
	/* curl before 8.1 fails with the second request on such a connection. */
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, client->http2 ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)client->connect_timeout_ms);
	if (client->unix_socket)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->unix_socket);
	/* A given CA is the only one trusted: the system's directory would otherwise stay in force beside it. */
	if (client->ca_pem || client->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	set_pem(easy, CURLOPT_CAINFO_BLOB, CURLOPT_CAINFO, client->ca_pem, client->ca_file);
	set_pem(easy, CURLOPT_SSLCERT_BLOB, CURLOPT_SSLCERT, client->client_cert_pem, client->client_cert);
	set_pem(easy, CURLOPT_SSLKEY_BLOB, CURLOPT_SSLKEY, client->client_key_pem, client->client_key);
}

static void set_up_request(struct http_exchange *exchange, struct curl_slist *headers)
{
	const struct http_request *request = exchange->request;
	CURL *easy = exchange->client->easy;
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, receive_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	if (text_equal(request->method, "HEAD"))
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (request->read_body) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, send_body);
		curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
	} else if (request->body || text_equal(request->method, "POST") || text_equal(request->method, "PUT")) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	if (request->timeout_ms != HTTP_NO_TIMEOUT)
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
		                 (long)(request->timeout_ms ? request->timeout_ms : HTTP_DEFAULT_TIMEOUT_MS));
}

/* Runs the exchange to its end; the result is curl's, or -1 with `e` set when we ended it ourselves. */
static int drive(struct http_exchange *exchange, CURLcode *ret_result, struct err *e)
{
	struct http_client *client = exchange->client;
	int64_t idle_limit = exchange->request->idle_timeout_ms;
	for (;;) {
		int running = 0;
		CURLMcode code = curl_multi_perform(client->multi, &running);
		if (code != CURLM_OK)
			return err_set(e, ERR_INTERNAL, NULL, "curl: %s", curl_multi_strerror(code));
		if (!running)
			break;
		if (atomic_load(&client->cancelled))
			return http_cancelled(e);
		if (idle_limit && clock_monotonic_ms() - exchange->last_byte_ms > idle_limit)
			return err_set(e, ERR_TIMEOUT, "idle-timeout", "nothing was received for %lld ms",
			               (long long)idle_limit);
		struct curl_waitfd extra = { .fd = client->cancel_fd, .events = CURL_WAIT_POLLIN };
		code = curl_multi_poll(client->multi, &extra, client->cancel_fd >= 0 ? 1 : 0, 1000, NULL);
		if (code != CURLM_OK)
			return err_set(e, ERR_INTERNAL, NULL, "curl: %s", curl_multi_strerror(code));
		if (extra.revents & CURL_WAIT_POLLIN)
			return http_cancelled(e);
	}
	int left = 0;
	const CURLMsg *message = curl_multi_info_read(client->multi, &left);
	*ret_result = message ? message->data.result : CURLE_RECV_ERROR;
	return 0;
}

static int translate(struct http_exchange *exchange, CURLcode result, const char *detail, struct err *e)
{
	const struct http_request *request = exchange->request;
	const char *reason = detail[0] ? detail : curl_easy_strerror(result);
	if (http_exchange_failed(exchange, e))
		return -1;
	long os_errno = 0;
	curl_easy_getinfo(exchange->client->easy, CURLINFO_OS_ERRNO, &os_errno);
	switch (result) {
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(e, ERR_TIMEOUT, "timeout", "%s %s: %s", request->method, request->url, reason);
	case CURLE_COULDNT_CONNECT:
		if (os_errno)
			return http_connect_error(request->url, (int)os_errno, e);
		return err_set(e, ERR_UNAVAILABLE, "connect-failed", "cannot connect to %s: %s", request->url, reason);
	case CURLE_SSL_CONNECT_ERROR: /* of what OpenSSL says, not all is of help */
		return err_set(
		        e, ERR_UNAVAILABLE, "connection-failed",
		        "%s %s: no TLS with the server, its certificate cannot be checked or the two speak nothing in "
		        "common: %s",
		        request->method, request->url, reason);
	default:
		return err_set(e, ERR_UNAVAILABLE, "connection-failed", "%s %s: %s", request->method, request->url,
		               reason);
	}
}

int http_curl_perform(struct http_exchange *exchange, struct err *e)
{
	struct http_client *client = exchange->client;
	char detail[CURL_ERROR_SIZE] = "";
	curl_easy_reset(client->easy);
	http_curl_apply(client, client->easy);
	struct curl_slist *headers = build_headers(client, exchange->request);
	set_up_request(exchange, headers);
	curl_easy_setopt(client->easy, CURLOPT_ERRORBUFFER, detail);
	CURLcode result = CURLE_OK;
	curl_multi_add_handle(client->multi, client->easy);
	int outcome = drive(exchange, &result, e);
	if (outcome == 0 && result != CURLE_OK)
		outcome = translate(exchange, result, detail, e);
	else if (outcome == 0 && deliver_head(exchange) < 0)
		outcome = err_move(e, &exchange->callback_error);
	curl_multi_remove_handle(client->multi, client->easy);
	curl_easy_setopt(client->easy, CURLOPT_ERRORBUFFER, NULL);
	curl_slist_free_all(headers);
	return outcome;
}
