#include "base/http.h"

#include "base/clock.h"
#include "base/http_upgrade.h"
#include "base/text.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_RESPONSE_MAXIMUM ((size_t)16 * 1024 * 1024)
#define HEADERS_MAXIMUM ((size_t)256 * 1024)
#define DEFAULT_TIMEOUT_MS INT64_C(30000)
#define DEFAULT_CONNECT_TIMEOUT_MS INT64_C(5000)

struct http_client {
	CURLM *multi;
	CURL *easy;
	atomic_bool cancelled;
	char *unix_socket;
	char *ca_file;
	char *client_cert;
	char *client_key;
	char *ca_pem;
	char *client_cert_pem;
	char *client_key_pem;
	char *bearer_token;
	int cancel_fd;
	int64_t connect_timeout_ms;
	bool http2;
};

/* One exchange under way; what curl's callbacks see. */
struct exchange {
	const struct http_request *request;
	struct http_response *response;
	CURL *easy;
	struct err callback_error;
	bool head_delivered;
	bool body_too_large;
	int64_t last_byte_ms;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_setup(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http_client *http_client_new(const struct http_client_options *options)
{
	pthread_once(&curl_once, curl_setup);
	struct http_client *client = xcalloc(1, sizeof(*client));
	client->multi = curl_multi_init();
	client->easy = curl_easy_init();
	if (!client->multi || !client->easy)
		abort();
	client->unix_socket = xstrdup(options->unix_socket);
	client->ca_file = xstrdup(options->ca_file);
	client->client_cert = xstrdup(options->client_cert);
	client->client_key = xstrdup(options->client_key);
	client->ca_pem = xstrdup(options->ca_pem);
	client->client_cert_pem = xstrdup(options->client_cert_pem);
	client->client_key_pem = xstrdup(options->client_key_pem);
	client->bearer_token = xstrdup(options->bearer_token);
	client->cancel_fd = options->cancel_fd;
	client->http2 = options->http2;
	client->connect_timeout_ms =
	        options->connect_timeout_ms ? options->connect_timeout_ms : DEFAULT_CONNECT_TIMEOUT_MS;
	return client;
}

struct http_client *http_client_free(struct http_client *client)
{
	if (!client)
		return NULL;
	curl_easy_cleanup(client->easy);
	curl_multi_cleanup(client->multi);
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
	curl_multi_wakeup(client->multi);
}

static size_t receive_header(char *bytes, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	size_t length = size * count;
	exchange->last_byte_ms = clock_monotonic_ms();
	/* A new status line starts the head of a new response (100 Continue comes before the real one). */
	if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0)
		buf_clear(&exchange->response->headers);
	return buf_add(&exchange->response->headers, bytes, length) < 0 ? 0 : length;
}

static int deliver_head(struct exchange *exchange)
{
	if (exchange->head_delivered)
		return 0;
	exchange->head_delivered = true;
	struct http_response *response = exchange->response;
	curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &response->status);
	char *content_type = NULL;
	curl_easy_getinfo(exchange->easy, CURLINFO_CONTENT_TYPE, &content_type);
	response->content_type = xstrdup(content_type);
	const struct http_request *request = exchange->request;
	return request->on_head ? request->on_head(request->context, response, &exchange->callback_error) : 0;
}

static size_t receive_body(char *bytes, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	const struct http_request *request = exchange->request;
	size_t length = size * count;
	exchange->last_byte_ms = clock_monotonic_ms();
	if (deliver_head(exchange) < 0)
		return 0;
	if (request->on_data && exchange->response->status < 400)
		return request->on_data(request->context, bytes, length, &exchange->callback_error) < 0 ? 0 : length;
	if (buf_add(&exchange->response->body, bytes, length) < 0) {
		exchange->body_too_large = true;
		return 0;
	}
	return length;
}

static size_t send_body(char *room, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
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
		abort();
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
		abort();
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

void http_client_apply(const struct http_client *client, void *curl_easy)
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

static void set_up_request(struct exchange *exchange, struct curl_slist *headers)
{
	const struct http_request *request = exchange->request;
	CURL *easy = exchange->easy;
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
		                 (long)(request->timeout_ms ? request->timeout_ms : DEFAULT_TIMEOUT_MS));
}

static int cancelled(struct err *e)
{
	return err_set(e, ERR_CANCELLED, "cancelled", "interrupted");
}

/* Runs the exchange to its end; the result is curl's, or -1 with `e` set when we ended it ourselves. */
static int drive(struct http_client *client, struct exchange *exchange, CURLcode *ret_result, struct err *e)
{
	int64_t idle_limit = exchange->request->idle_timeout_ms;
	exchange->last_byte_ms = clock_monotonic_ms();
	for (;;) {
		int running = 0;
		CURLMcode code = curl_multi_perform(client->multi, &running);
		if (code != CURLM_OK)
			return err_set(e, ERR_INTERNAL, NULL, "curl: %s", curl_multi_strerror(code));
		if (!running)
			break;
		if (atomic_load(&client->cancelled))
			return cancelled(e);
		if (idle_limit && clock_monotonic_ms() - exchange->last_byte_ms > idle_limit)
			return err_set(e, ERR_TIMEOUT, "idle-timeout", "nothing was received for %lld ms",
			               (long long)idle_limit);
		struct curl_waitfd extra = { .fd = client->cancel_fd, .events = CURL_WAIT_POLLIN };
		code = curl_multi_poll(client->multi, &extra, client->cancel_fd >= 0 ? 1 : 0, 1000, NULL);
		if (code != CURLM_OK)
			return err_set(e, ERR_INTERNAL, NULL, "curl: %s", curl_multi_strerror(code));
		if (extra.revents & CURL_WAIT_POLLIN)
			return cancelled(e);
	}
	int left = 0;
	const CURLMsg *message = curl_multi_info_read(client->multi, &left);
	*ret_result = message ? message->data.result : CURLE_RECV_ERROR;
	return 0;
}

static int translate(const struct http_client *client, struct exchange *exchange, CURLcode result, const char *detail,
                     struct err *e)
{
	const struct http_request *request = exchange->request;
	const char *reason = detail[0] ? detail : curl_easy_strerror(result);
	const char *where = client->unix_socket ? client->unix_socket : request->url;
	if (exchange->callback_error.kind != ERR_NONE)
		return err_move(e, &exchange->callback_error);
	if (exchange->body_too_large)
		return err_set(e, ERR_EXHAUSTED, "response-too-large", "the response of %s is larger than %zu bytes",
		               request->url, exchange->response->body.maximum);
	long os_errno = 0;
	curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &os_errno);
	switch (result) {
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(e, ERR_TIMEOUT, "timeout", "%s %s: %s", request->method, request->url, reason);
	case CURLE_COULDNT_CONNECT:
		if (os_errno == EACCES || os_errno == EPERM)
			return err_set(e, ERR_PERMISSION, "connect-permission",
			               "cannot connect to %s: permission denied", where);
		return err_set(e, ERR_UNAVAILABLE, "connect-failed", "cannot connect to %s: %s", where,
		               os_errno ? strerror((int)os_errno) : reason);
	default:
		return err_set(e, ERR_UNAVAILABLE, "connection-failed", "%s %s: %s", request->method, request->url,
		               reason);
	}
}

int http_perform(struct http_client *client, const struct http_request *request, struct http_response *ret_response,
                 struct err *e)
{
	if (atomic_load(&client->cancelled))
		return cancelled(e);
	struct exchange exchange = {
		.request = request, .response = ret_response, .easy = client->easy, .callback_error = ERR_INIT
	};
	http_response_release(ret_response);
	buf_init(&ret_response->body, request->response_maximum ? request->response_maximum : DEFAULT_RESPONSE_MAXIMUM);
	buf_init(&ret_response->headers, HEADERS_MAXIMUM);
	char detail[CURL_ERROR_SIZE] = "";
	curl_easy_reset(client->easy);
	http_client_apply(client, client->easy);
	struct curl_slist *headers = build_headers(client, request);
	set_up_request(&exchange, headers);
	curl_easy_setopt(client->easy, CURLOPT_ERRORBUFFER, detail);
	CURLcode result = CURLE_OK;
	curl_multi_add_handle(client->multi, client->easy);
	int outcome = drive(client, &exchange, &result, e);
	if (outcome == 0 && result != CURLE_OK)
		outcome = translate(client, &exchange, result, detail, e);
	else if (outcome == 0 && deliver_head(&exchange) < 0)
		outcome = err_move(e, &exchange.callback_error);
	curl_multi_remove_handle(client->multi, client->easy);
	curl_easy_setopt(client->easy, CURLOPT_ERRORBUFFER, NULL);
	curl_slist_free_all(headers);
	err_release(&exchange.callback_error);
	return outcome;
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
	size_t name_length = strlen(name);
	for (const char *line = buf_text(&response->headers); *line;) {
		size_t length = strcspn(line, "\r\n");
		if (length > name_length && line[name_length] == ':' && strncasecmp(line, name, name_length) == 0) {
			const char *value = line + name_length + 1;
			value += strspn(value, " \t");
			size_t value_length = (size_t)(line + length - value);
			if (value_length >= size)
				return false;
			memcpy(room, value, value_length);
			room[value_length] = '\0';
			return true;
		}
		line += length;
		line += strspn(line, "\r\n");
	}
	return false;
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
