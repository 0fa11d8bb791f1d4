#include "docker/client.h"

#include "base/text.h"

#include <string.h>

#define READ_TIMEOUT_MS INT64_C(60000)
/* Work of the engine takes as long as its machine needs: a container's start alone was seen to take minutes. */
#define WORK_TIMEOUT_MS INT64_C(600000)
/* Through SSH it includes the other machine's starting a command. */
#define PING_TIMEOUT_MS INT64_C(30000)
#define VERSION_TEXT_SIZE 32

struct docker_client {
	const struct docker_endpoint *endpoint;
	struct http_client *http;
	int cancel_fd;
	unsigned api_minor;
	bool podman;
	bool fixed_version; /* DOCKER_API_VERSION: no negotiation, as with the docker command */
	bool renegotiated;
};

void docker_client_http_options(const struct docker_client *client, struct http_client_options *ret_options)
{
	const struct docker_endpoint *endpoint = client->endpoint;
	*ret_options = (struct http_client_options){ .unix_socket = endpoint->unix_socket,
		                                     .dial = endpoint->tunnel ? docker_tunnel_dial : NULL,
		                                     .dial_context = endpoint->tunnel,
		                                     .ca_file = endpoint->ca_file,
		                                     .client_cert = endpoint->cert_file,
		                                     .client_key = endpoint->key_file,
		                                     .cancel_fd = client->cancel_fd };
}

static struct docker_client *client_new(const struct docker_endpoint *endpoint, int cancel_fd)
{
	struct docker_client *client = xcalloc(1, sizeof(*client));
	client->endpoint = endpoint;
	client->cancel_fd = cancel_fd;
	struct http_client_options options;
	docker_client_http_options(client, &options);
	client->http = http_client_new(&options);
	return client;
}

struct docker_client *docker_client_clone(const struct docker_client *client, int cancel_fd)
{
	struct docker_client *clone = client_new(client->endpoint, cancel_fd);
	clone->api_minor = client->api_minor;
	clone->podman = client->podman;
	clone->fixed_version = client->fixed_version;
	return clone;
}

struct docker_client *docker_client_free(struct docker_client *client)
{
	if (client)
		http_client_free(client->http);
	free(client);
	return NULL;
}

void cleanup_docker_client(struct docker_client **client)
{
	docker_client_free(*client);
}

void docker_client_cancel(struct docker_client *client)
{
	http_client_cancel(client->http);
}

const struct docker_endpoint *docker_client_endpoint(const struct docker_client *client)
{
	return client->endpoint;
}

unsigned docker_client_api_minor(const struct docker_client *client)
{
	return client->api_minor;
}

bool docker_client_is_podman(const struct docker_client *client)
{
	return client->podman;
}

char *docker_client_versioned(const struct docker_client *client, const char *path)
{
	return xasprintf("/v1.%u%s", client->api_minor, path);
}

static bool parse_version(const char *text, unsigned *ret_minor)
{
	uint64_t minor;
	if (!text_starts_with(text, "1.") || !text_to_uint64(text + 2, 1000, &minor))
		return false;
	*ret_minor = (unsigned)minor;
	return true;
}

/* A stream through SSH that ended at once: the command over there says why. */
static int explain_tunnel(const struct docker_client *client, struct err *e)
{
	auto_free char *problem = docker_tunnel_problem(client->endpoint->tunnel);
	if (!*problem)
		return err_wrap(e, "the connection to the Docker engine at %s broke", client->endpoint->address);
	err_set(e, ERR_UNAVAILABLE, "ssh-command", "`docker system dial-stdio` at %s says: %s",
	        client->endpoint->address, problem);
	return err_hint(
	        e,
	        "Docker's command has to be there, in the PATH of commands that ssh runs, and its engine has to run");
}

/* TLS that fails has a reason in words; what to do about it they do not say. */
static int explain_break(const struct docker_endpoint *endpoint, struct err *e)
{
	err_wrap(e, "the connection to the Docker engine at %s broke", endpoint->address);
	if (text_starts_with(endpoint->base_url, "https://"))
		return err_hint(e, "its certificate has to be for this address and valid, and signed by ca.pem of "
		                   "DOCKER_CERT_PATH (or of the context); "
		                   "an engine that asks for ours has to know cert.pem there");
	if (!endpoint->unix_socket)
		return err_hint(e, "for an engine with TLS set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH");
	return -1;
}

/* What a failed connection means to somebody who wants an engine. Errors of callbacks pass unchanged. */
static int explain_connection(const struct docker_client *client, struct err *e)
{
	const struct docker_endpoint *endpoint = client->endpoint;
	bool refused = e && text_equal(e->id, "connect-failed");
	bool forbidden = e && text_equal(e->id, "connect-permission");
	if (e && text_equal(e->id, "connection-failed") && endpoint->tunnel)
		return explain_tunnel(client, e);
	if (e && text_equal(e->id, "connection-failed"))
		return explain_break(endpoint, e);
	if (!refused && !forbidden)
		return -1;
	auto_err struct err cause = ERR_INIT;
	err_move(&cause, e);
	if (forbidden) {
		err_set(e, ERR_PERMISSION, "docker-permission",
		        "no permission to use the Docker engine at %s (chosen by %s)", endpoint->address,
		        endpoint->source);
		return err_hint(e, "sudo usermod -aG docker \"$USER\", then log in again (or run `newgrp docker`)");
	}
	err_set(e, ERR_UNAVAILABLE, "docker-not-running", "no Docker engine answers at %s (chosen by %s): %s",
	        endpoint->address, endpoint->source, err_message(&cause));
	if (!docker_endpoint_is_local(endpoint))
		return err_hint(e, "check the address, and that the engine listens there");
	if (text_ends_with(endpoint->unix_socket, "podman.sock"))
		return err_hint(e, "systemctl --user start podman.socket");
	return err_hint(
	        e, "start it: `sudo systemctl start docker` (or `sudo service docker start`), or open Docker Desktop");
}

int docker_error_from_answer(long status, const char *body, size_t length, struct err *e)
{
	auto_json json_t *answer = length ? json_parse(body, length, "answer", NULL) : NULL;
	const char *message = json_string_at(answer, "message", NULL);
	if (!message)
		message = json_string_at(answer, "error", NULL);
	auto_free char *plain = message ? NULL : xstrndup(length ? body : "", length < 400 ? length : 400);
	enum err_kind kind = status == 404                    ? ERR_NOT_FOUND
	                     : status == 409                  ? ERR_CONFLICT
	                     : status == 400                  ? ERR_INVALID
	                     : status == 401 || status == 403 ? ERR_PERMISSION
	                     : status == 501                  ? ERR_UNSUPPORTED
	                     : status == 503                  ? ERR_UNAVAILABLE
	                                                      : ERR_INTERNAL;
	if (message && strstr(message, "no space left on device")) {
		err_set(e, ERR_EXHAUSTED, "disk-space", "the Docker engine says: %s", message);
		return err_hint(e, "free some: `docker system df` shows what Docker uses");
	}
	if (message || *plain)
		return err_set(e, kind, "docker-error", "the Docker engine says: %s", message ? message : plain);
	return err_set(e, kind, "docker-error", "the Docker engine answered with status %ld and no message", status);
}

static int perform(struct docker_client *client, const struct docker_request *request, const char *path,
                   struct http_response *ret_response, struct err *e)
{
	auto_free char *url = xasprintf("%s%s", client->endpoint->base_url, path);
	auto_free char *body = request->body ? json_to_text(request->body) : NULL;
	struct http_header headers[8] = { { "Content-Type",
		                            request->read_body ? "application/x-tar" : "application/json" } };
	size_t count = body || request->read_body ? 1 : 0;
	for (size_t i = 0; i < request->header_count && count < ARRAY_LENGTH(headers); i++)
		headers[count++] = request->headers[i];
	struct http_request exchange = { .method = request->method,
		                         .url = url,
		                         .headers = headers,
		                         .header_count = count,
		                         .body = body,
		                         .body_length = body ? strlen(body) : 0,
		                         .read_body = request->read_body,
		                         .on_data = request->on_data,
		                         .context = request->context,
		                         .response_maximum = request->response_maximum,
		                         .timeout_ms = request->timeout_ms,
		                         .idle_timeout_ms = request->idle_timeout_ms };
	if (!exchange.timeout_ms)
		exchange.timeout_ms = text_equal(request->method, "GET") ? READ_TIMEOUT_MS : WORK_TIMEOUT_MS;
	return http_perform(client->http, &exchange, ret_response, e);
}

static int version_error(const struct docker_client *client, const char *offered, struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "docker-version",
	        "the engine at %s speaks API %s; this launcher needs one between 1.%d and 1.%d",
	        client->endpoint->address, offered, DOCKER_API_MINIMUM, DOCKER_API_MAXIMUM);
	return err_hint(e, "update Docker (19.03 or newer is needed), or this launcher if the engine is the newer one");
}

/* From an engine's newest and oldest version, what we shall speak. */
static int settle(struct docker_client *client, const char *newest, const char *oldest, struct err *e)
{
	unsigned newest_minor = 0;
	unsigned oldest_minor = 0;
	if (!parse_version(newest, &newest_minor) || newest_minor < DOCKER_API_MINIMUM)
		return version_error(client, newest, e);
	if (oldest && parse_version(oldest, &oldest_minor) && oldest_minor > DOCKER_API_MAXIMUM) {
		auto_free char *range = xasprintf("%s to %s", oldest, newest);
		return version_error(client, range, e);
	}
	client->api_minor = newest_minor < DOCKER_API_MAXIMUM ? newest_minor : DOCKER_API_MAXIMUM;
	return 0;
}

/* Proxies and other programs answer, too, and in words that are not the engine's. */
static int no_engine(const struct docker_client *client, const struct http_response *response, struct err *e)
{
	const char *body = buf_text(&response->body);
	err_set(e, ERR_UNAVAILABLE, "docker-not-running",
	        "what answers at %s (chosen by %s) is no Docker engine: status %ld, '%.*s'", client->endpoint->address,
	        client->endpoint->source, response->status, (int)strcspn(body, "\r\n"), body);
	return err_hint(e, "check the address; another program listens there, or a proxy is in between");
}

static int settle_by_version(struct docker_client *client, struct err *e)
{
	static const struct docker_request request = { .method = "GET", .timeout_ms = PING_TIMEOUT_MS };
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	if (perform(client, &request, "/version", &response, e) < 0)
		return explain_connection(client, e);
	auto_json json_t *version = json_parse(buf_text(&response.body), response.body.length, "version", NULL);
	const char *newest = json_string_at(version, "ApiVersion", NULL);
	if (response.status >= 400 || !newest)
		return no_engine(client, &response, e);
	return settle(client, newest, json_string_at(version, "MinAPIVersion", NULL), e);
}

static int explain_silence(const struct docker_client *client, struct err *e)
{
	explain_connection(client, e);
	if (!e || !text_equal(e->id, "timeout"))
		return -1;
	err_wrap(e, "the Docker engine at %s is silent", client->endpoint->address);
	return err_hint(
	        e, "it hangs, or its machine is overloaded; `sudo systemctl restart docker` helps in the first case");
}

static int negotiate(struct docker_client *client, struct err *e)
{
	static const struct docker_request request = { .method = "GET", .timeout_ms = PING_TIMEOUT_MS };
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	if (perform(client, &request, "/_ping", &response, e) < 0)
		return explain_silence(client, e);
	char version[VERSION_TEXT_SIZE];
	client->podman = http_response_header(&response, "Libpod-API-Version", version, sizeof(version));
	bool known = http_response_header(&response, "Api-Version", version, sizeof(version));
	/* A ping may fail inside (status 500) and still carry the version. Without it something else answers, perhaps a
	 * proxy. */
	if (response.status >= 400 && !known)
		return no_engine(client, &response, e);
	return known ? settle(client, version, NULL, e) : settle_by_version(client, e);
}

/* As the docker command takes it, an optional "v" included. */
static int fix_version(struct docker_client *client, const char *fixed, struct err *e)
{
	unsigned engine = client->api_minor;
	client->fixed_version = true;
	if (!parse_version(fixed + (*fixed == 'v'), &client->api_minor) || client->api_minor < DOCKER_API_MINIMUM ||
	    client->api_minor > DOCKER_API_MAXIMUM)
		err_set(e, ERR_INVALID, "docker-version", "DOCKER_API_VERSION '%s' is not one of 1.%d to 1.%d", fixed,
		        DOCKER_API_MINIMUM, DOCKER_API_MAXIMUM);
	else if (client->api_minor > engine)
		err_set(e, ERR_UNSUPPORTED, "docker-version",
		        "DOCKER_API_VERSION '%s' is newer than the 1.%u of the engine at %s", fixed, engine,
		        client->endpoint->address);
	else
		return 0;
	return err_hint(e, "unset DOCKER_API_VERSION: the version is negotiated");
}

struct docker_client *docker_client_connect(const struct docker_endpoint *endpoint, int cancel_fd, struct err *e)
{
	if (endpoint->tunnel)
		docker_tunnel_set_cancel_fd(endpoint->tunnel, cancel_fd);
	auto_docker_client struct docker_client *client = client_new(endpoint, cancel_fd);
	const char *fixed = getenv("DOCKER_API_VERSION");
	if (negotiate(client, e) < 0 || (!text_is_empty(fixed) && fix_version(client, fixed, e) < 0))
		return NULL;
	return steal_ptr(client);
}

static bool is_version_refusal(const struct http_response *response)
{
	const char *body = buf_text(&response->body);
	return response->status == 400 && strstr(body, "client version") &&
	       (strstr(body, "too old") || strstr(body, "too new"));
}

/* An engine may have dropped the version that somebody wants. */
static int refused_fixed_version(const struct http_response *response, struct err *e)
{
	docker_error_from_answer(response->status, buf_text(&response->body), response->body.length, e);
	if (e) {
		e->kind = ERR_UNSUPPORTED;
		e->id = "docker-version";
	}
	return err_hint(e, "unset DOCKER_API_VERSION: the version is negotiated");
}

int docker_call(struct docker_client *client, const struct docker_request *request, struct http_response *ret_response,
                struct err *e)
{
	for (;;) {
		auto_free char *path = docker_client_versioned(client, request->path);
		if (perform(client, request, path, ret_response, e) < 0)
			return explain_connection(client, e);
		if (ret_response->status < 400)
			return 0;
		if (is_version_refusal(ret_response) && client->fixed_version)
			return refused_fixed_version(ret_response, e);
		if (!is_version_refusal(ret_response) || client->renegotiated || request->read_body)
			return docker_error_from_answer(ret_response->status, buf_text(&ret_response->body),
			                                ret_response->body.length, e);
		client->renegotiated = true;
		if (settle_by_version(client, e) < 0)
			return -1;
	}
}

json_t *docker_call_json(struct docker_client *client, const struct docker_request *request, struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	if (docker_call(client, request, &response, e) < 0)
		return NULL;
	auto_json json_t *answer =
	        json_parse(buf_text(&response.body), response.body.length, "the Docker engine's answer", e);
	if (answer && !json_is_object(answer) && !json_is_array(answer)) {
		err_set(e, ERR_INVALID, "malformed-json", "the Docker engine's answer is neither an object nor a list");
		return NULL;
	}
	return json_incref(answer);
}

json_t *docker_get(struct docker_client *client, struct err *e, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	auto_free char *path = xvasprintf(format, arguments);
	va_end(arguments);
	return docker_call_json(client, &(struct docker_request){ .method = "GET", .path = path }, e);
}

int docker_do(struct docker_client *client, const char *method, struct err *e, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	auto_free char *path = xvasprintf(format, arguments);
	va_end(arguments);
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	if (docker_call(client, &(struct docker_request){ .method = method, .path = path }, &response, e) < 0)
		return -1;
	return (int)response.status;
}

char *docker_encode(const char *text)
{
	return http_percent_encode(text, "");
}
