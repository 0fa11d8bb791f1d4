#include "controlplane/store/kubeconfig.h"

#include "base/base64.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>

#define KUBECONFIG_MAXIMUM ((size_t)4 * 1024 * 1024)
#define PEM_MAXIMUM ((size_t)1024 * 1024)

void kubeconfig_release(struct kubeconfig *config)
{
	free(config->server);
	free(config->ca_pem);
	free(config->client_cert_pem);
	free(config->client_key_pem);
	free(config->token);
	free(config->token_file);
	*config = (struct kubeconfig){ 0 };
}

/* The value of `kind` ("cluster") in the entry called `name` of the list `list` ("clusters"). */
static const json_t *find_entry(const json_t *config, const char *list, const char *kind, const char *name)
{
	const json_t *entries = json_object_get(config, list);
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *entry = json_array_get(entries, i);
		if (text_equal(json_string_at(entry, "name", NULL), name))
			return json_object_get(entry, kind);
	}
	return NULL;
}

/* Paths in a kubeconfig are relative to its own directory. */
static char *resolve_path(const char *kubeconfig, const char *path)
{
	const char *slash = strrchr(kubeconfig, '/');
	if (path[0] == '/' || !slash)
		return xstrdup(path);
	auto_free char *directory = xstrndup(kubeconfig, (size_t)(slash - kubeconfig));
	return file_join(directory, path);
}

/* "<key>-data" in Base64, else the file that "<key>" names; *ret_pem stays NULL when neither is there. */
static int read_pem(const json_t *object, const char *key, const char *kubeconfig, char **ret_pem, struct err *e)
{
	auto_buf struct buf pem = BUF_INIT(PEM_MAXIMUM);
	auto_free char *data_key = xasprintf("%s-data", key);
	const char *data = json_string_value(json_object_get(object, data_key));
	const char *path = json_string_value(json_object_get(object, key));
	if (text_is_empty(data) && text_is_empty(path))
		return 0;
	if (!text_is_empty(data)) {
		if (base64_decode(data, strlen(data), &pem) < 0)
			return err_set(e, ERR_INVALID, "malformed-kubeconfig", "\"%s\" is not valid Base64", data_key);
	} else {
		auto_free char *absolute = resolve_path(kubeconfig, path);
		if (file_read(absolute, &pem, e) < 0)
			return err_wrap(e, "cannot read \"%s\"", key);
	}
	*ret_pem = buf_steal(&pem);
	return 0;
}

static int refuse(const json_t *object, const char *const *keys, size_t count, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_object_get(object, keys[i]);
		if (value && !json_is_null(value) && !json_is_false(value))
			return err_set(e, ERR_UNSUPPORTED, "unsupported-kubeconfig", "\"%s\" is not supported",
			               keys[i]);
	}
	return 0;
}

static int read_cluster(const json_t *cluster, const char *path, struct kubeconfig *config, struct err *e)
{
	static const char *const unsupported[] = { "insecure-skip-tls-verify", "tls-server-name", "proxy-url" };
	const char *server = json_string_at(cluster, "server", "");
	if (!text_starts_with(server, "https://") && !text_starts_with(server, "http://"))
		return err_set(e, ERR_INVALID, "malformed-kubeconfig", "the cluster has no \"server\" URL");
	size_t length = strlen(server);
	while (server[length - 1] == '/')
		length--;
	config->server = xstrndup(server, length);
	if (refuse(cluster, unsupported, ARRAY_LENGTH(unsupported), e) < 0)
		return -1;
	return read_pem(cluster, "certificate-authority", path, &config->ca_pem, e);
}

static int read_user(const json_t *user, const char *path, struct kubeconfig *config, struct err *e)
{
	static const char *const unsupported[] = { "exec", "auth-provider", "username", "as" };
	if (refuse(user, unsupported, ARRAY_LENGTH(unsupported), e) < 0 ||
	    read_pem(user, "client-certificate", path, &config->client_cert_pem, e) < 0 ||
	    read_pem(user, "client-key", path, &config->client_key_pem, e) < 0)
		return -1;
	const char *token_file = json_string_value(json_object_get(user, "tokenFile"));
	const char *token = json_string_value(json_object_get(user, "token"));
	if (!text_is_empty(token_file))
		config->token_file = resolve_path(path, token_file);
	else if (!text_is_empty(token))
		config->token = xstrdup(token);
	return 0;
}

static int read_current_context(const json_t *json, const char *path, struct kubeconfig *config, struct err *e)
{
	const char *name = json_string_at(json, "current-context", "");
	const json_t *context = find_entry(json, "contexts", "context", name);
	if (!context)
		return err_set(e, ERR_INVALID, "malformed-kubeconfig", "there is no current context \"%s\"", name);
	const char *cluster_name = json_string_at(context, "cluster", "");
	const json_t *cluster = find_entry(json, "clusters", "cluster", cluster_name);
	if (!cluster)
		return err_set(e, ERR_INVALID, "malformed-kubeconfig", "there is no cluster \"%s\"", cluster_name);
	const char *user_name = json_string_at(context, "user", "");
	const json_t *user = find_entry(json, "users", "user", user_name);
	if (!user && *user_name)
		return err_set(e, ERR_INVALID, "malformed-kubeconfig", "there is no user \"%s\"", user_name);
	return read_cluster(cluster, path, config, e) < 0 || read_user(user, path, config, e) < 0 ? -1 : 0;
}

int kubeconfig_read(const char *path, struct kubeconfig *ret_config, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(KUBECONFIG_MAXIMUM);
	struct kubeconfig config = { 0 };
	if (file_read(path, &text, e) < 0)
		return err_wrap(e, "cannot read the kubeconfig");
	auto_json json_t *json = yaml_parse(buf_text(&text), text.length, path, e);
	if (!json)
		return -1;
	if (read_current_context(json, path, &config, e) < 0) {
		kubeconfig_release(&config);
		return err_wrap(e, "kubeconfig \"%s\"", path);
	}
	*ret_config = config;
	return 0;
}

int kubeconfig_in_cluster(const char *directory, struct kubeconfig *ret_config, struct err *e)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	if (text_is_empty(host) || text_is_empty(port)) {
		err_set(e, ERR_NOT_FOUND, "not-in-cluster", "there is no kubeconfig, and no service account either");
		return err_hint(e, "name a kubeconfig, or run in a pod of the cluster");
	}
	auto_buf struct buf ca = BUF_INIT(PEM_MAXIMUM);
	auto_free char *ca_file = file_join(directory, "ca.crt");
	if (file_read(ca_file, &ca, e) < 0)
		return err_wrap(e, "cannot read the service account");
	*ret_config = (struct kubeconfig){
		.server = xasprintf(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port),
		.ca_pem = buf_steal(&ca),
		.token_file = file_join(directory, "token"),
	};
	return 0;
}
