#include "controlplane/store/kubernetes.h"

#include "base/buf.h"
#include "base/client_pool.h"
#include "base/file.h"
#include "base/text.h"
#include "controlplane/store/kubeconfig.h"
#include "controlplane/store/kubernetes_internal.h"

#include <string.h>

#define RESPONSE_MAXIMUM ((size_t)64 * 1024 * 1024)
#define TOKEN_MAXIMUM ((size_t)64 * 1024)
#define TIMEOUT_MS INT64_C(30000)

struct kubernetes {
	struct kubeconfig config;
	struct client_pool *clients;
};

int kubernetes_open(const char *kubeconfig, struct kubernetes **ret_kubernetes, struct err *e)
{
	struct kubeconfig config = { 0 };
	int outcome = kubeconfig ? kubeconfig_read(kubeconfig, &config, e)
	                         : kubeconfig_in_cluster(KUBECONFIG_SERVICE_ACCOUNT, &config, e);
	if (outcome < 0)
		return -1;
	struct kubernetes *k = xcalloc(1, sizeof(*k));
	k->config = config;
	k->clients = client_pool_new(&(struct http_client_options){
	        .ca_pem = config.ca_pem,
	        .client_cert_pem = config.client_cert_pem,
	        .client_key_pem = config.client_key_pem,
	        .cancel_fd = -1,
	});
	*ret_kubernetes = k;
	return 0;
}

struct kubernetes *kubernetes_free(struct kubernetes *k)
{
	if (!k)
		return NULL;
	client_pool_free(k->clients);
	kubeconfig_release(&k->config);
	free(k);
	return NULL;
}

char *kubernetes_url(const struct kubernetes *k, const char *path_and_query)
{
	return xasprintf("%s%s", k->config.server, path_and_query);
}

struct http_client *kubernetes_make_client(const struct kubernetes *k)
{
	return client_pool_make(k->clients);
}

int kubernetes_authorization(const struct kubernetes *k, char **ret_value, struct err *e)
{
	auto_buf struct buf token = BUF_INIT(TOKEN_MAXIMUM);
	*ret_value = NULL;
	if (k->config.token_file) {
		auto_err struct err why = ERR_INIT;
		/* Not the file's kind of error: "not found" would be taken for the API server's word about an object.
		 */
		if (file_read(k->config.token_file, &token, &why) < 0)
			return err_set(e, ERR_UNAVAILABLE, "kubernetes-token", "cannot read the Kubernetes token: %s",
			               err_message(&why));
		buf_truncate(&token, strcspn(buf_text(&token), "\r\n"));
		*ret_value = xasprintf("Bearer %s", buf_text(&token));
	} else if (k->config.token) {
		*ret_value = xasprintf("Bearer %s", k->config.token);
	}
	return 0;
}

/* Kubernetes answers errors with a Status object: reason is the machine's word, message the reader's. */
int kubernetes_translate(const struct http_response *response, struct err *e)
{
	auto_json json_t *status = json_parse(buf_text(&response->body), response->body.length, "the answer", NULL);
	const char *reason = json_string_at(status, "reason", "");
	const char *given = json_string_at(status, "message", "");
	auto_free char *message =
	        *given ? xstrdup(given) : xasprintf("the Kubernetes API answered with status %ld", response->status);
	switch (response->status) {
	case 400:
	case 422:
		return err_set(e, ERR_INVALID, "kubernetes-invalid", "%s", message);
	case 401:
		return err_set(e, ERR_UNAUTHENTICATED, "kubernetes-unauthorized", "%s", message);
	case 403:
		/* The quota admission plugin forbids with this phrase; its Status has no reason of its own. */
		if (strstr(message, "exceeded quota"))
			return err_set(e, ERR_EXHAUSTED, "quota-exceeded", "%s", message);
		return err_set(e, ERR_PERMISSION, "kubernetes-forbidden", "%s", message);
	case 404:
		return err_set(e, ERR_NOT_FOUND, "kubernetes-not-found", "%s", message);
	case 409:
		if (text_equal(reason, "AlreadyExists"))
			return err_set(e, ERR_EXISTS, "kubernetes-exists", "%s", message);
		return err_set(e, ERR_CONFLICT, "kubernetes-conflict", "%s", message);
	case 410:
		return err_set(e, ERR_PRECONDITION, "kubernetes-gone", "%s", message);
	default:
		if (response->status == 429 || response->status >= 500)
			return err_set(e, ERR_UNAVAILABLE, "kubernetes-unavailable", "%s", message);
		return err_set(e, ERR_INTERNAL, "kubernetes-answer", "%s", message);
	}
}

static int exchange(struct kubernetes *k, const char *method, const char *path, const char *content_type,
                    const json_t *object, json_t **ret_object, struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_free char *url = kubernetes_url(k, path);
	auto_free char *body = object ? json_to_text(object) : NULL;
	auto_free char *authorization = NULL;
	if (kubernetes_authorization(k, &authorization, e) < 0)
		return -1;
	struct http_header headers[3] = { { "Accept", "application/json" } };
	size_t header_count = 1;
	if (body)
		headers[header_count++] = (struct http_header){ "Content-Type", content_type };
	if (authorization)
		headers[header_count++] = (struct http_header){ "Authorization", authorization };
	struct http_request request = {
		.method = method,
		.url = url,
		.headers = headers,
		.header_count = header_count,
		.body = body,
		.body_length = body ? strlen(body) : 0,
		.response_maximum = RESPONSE_MAXIMUM,
		.timeout_ms = TIMEOUT_MS,
	};
	if (client_pool_perform(k->clients, &request, &response, e) < 0)
		return -1;
	if (response.status < 200 || response.status >= 300)
		return kubernetes_translate(&response, e);
	if (!ret_object)
		return 0;
	auto_err struct err why = ERR_INIT;
	*ret_object =
	        json_parse(buf_text(&response.body), response.body.length, "the answer of the Kubernetes API", &why);
	/* ERR_INVALID would mean that the server refuses our object. */
	return *ret_object ? 0 : err_set(e, ERR_INTERNAL, "kubernetes-answer", "%s", err_message(&why));
}

int kubernetes_create(struct kubernetes *k, const char *path, const json_t *object, json_t **ret_created, struct err *e)
{
	return exchange(k, "POST", path, "application/json", object, ret_created, e);
}

int kubernetes_get(struct kubernetes *k, const char *path, json_t **ret_object, struct err *e)
{
	return exchange(k, "GET", path, NULL, NULL, ret_object, e);
}

int kubernetes_apply(struct kubernetes *k, const char *path, const json_t *object, struct err *e)
{
	auto_free char *full = xasprintf("%s?fieldManager=flyte&force=true", path);
	/* The media type says YAML; JSON is YAML. */
	return exchange(k, "PATCH", full, "application/apply-patch+yaml", object, NULL, e);
}

int kubernetes_delete(struct kubernetes *k, const char *path, int64_t grace_seconds, struct err *e)
{
	auto_free char *full = grace_seconds < 0
	                               ? xstrdup(path)
	                               : xasprintf("%s?gracePeriodSeconds=%lld", path, (long long)grace_seconds);
	return exchange(k, "DELETE", full, NULL, NULL, NULL, e);
}

int kubernetes_delete_version(struct kubernetes *k, const char *path, int64_t grace_seconds,
                              const char *resource_version, struct err *e)
{
	if (!*resource_version)
		return kubernetes_delete(k, path, grace_seconds, e);
	/* A body takes the place of the query (meta/v1 DeleteOptions). */
	auto_json json_t *options = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
	                                      "preconditions", "resourceVersion", resource_version);
	if (grace_seconds >= 0)
		json_object_set_new(options, "gracePeriodSeconds", json_integer(grace_seconds));
	return exchange(k, "DELETE", path, "application/json", options, NULL, e);
}
