#include "controlplane/engine/outside.h"

#include "base/http.h"
#include "base/text.h"

#include <pthread.h>

/* What a task gets to put its things in order when its execution is aborted. */
#define DELETE_GRACE_SECONDS 10

struct namespaces {
	char *name;
	struct namespaces *next;
};

struct real {
	struct outside table;
	struct objects *objects;
	struct kubernetes *kubernetes;
	pthread_mutex_t mutex;
	struct namespaces *known; /* namespaces that exist, as far as we know: one per project and domain in use */
};

static int real_put(void *context, const char *uri, struct proto_bytes bytes, struct err *e)
{
	struct real *real = context;
	return objects_put(real->objects, uri, bytes.data, bytes.length, "application/octet-stream", e);
}

static int real_get(void *context, struct arena *arena, const char *uri, size_t maximum, struct proto_bytes *ret_bytes,
                    struct err *e)
{
	struct real *real = context;
	return objects_get(real->objects, arena, uri, maximum, ret_bytes, e);
}

static int real_head(void *context, const char *uri, struct err *e)
{
	struct real *real = context;
	auto_arena struct arena arena = ARENA_INIT((size_t)1 << 16);
	struct objects_info info;
	return objects_head(real->objects, &arena, uri, &info, e);
}

/* ---- Namespaces ---- */

static bool is_known(struct real *real, const char *namespace)
{
	bool known = false;
	pthread_mutex_lock(&real->mutex);
	for (const struct namespaces *at = real->known; at && !known; at = at->next)
		known = text_equal(at->name, namespace);
	pthread_mutex_unlock(&real->mutex);
	return known;
}

static void set_known(struct real *real, const char *namespace)
{
	struct namespaces *entry = xcalloc(1, sizeof(*entry));
	entry->name = xstrdup(namespace);
	pthread_mutex_lock(&real->mutex);
	entry->next = real->known;
	real->known = entry;
	pthread_mutex_unlock(&real->mutex);
}

static void set_unknown(struct real *real, const char *namespace)
{
	pthread_mutex_lock(&real->mutex);
	for (struct namespaces **at = &real->known; *at;) {
		struct namespaces *entry = *at;
		if (!text_equal(entry->name, namespace)) {
			at = &entry->next;
			continue;
		}
		*at = entry->next;
		free(entry->name);
		free(entry);
	}
	pthread_mutex_unlock(&real->mutex);
}

static int create_unless_exists(struct real *real, const char *path, const json_t *object, struct err *e)
{
	auto_err struct err failure = ERR_INIT;
	if (kubernetes_create(real->kubernetes, path, object, NULL, &failure) < 0 && failure.kind != ERR_EXISTS)
		return err_move(e, &failure);
	return 0;
}

/* Pods are refused until their service account exists. Kubernetes makes the default one a moment after the namespace;
 * we do not wait. */
static int ensure_namespace(struct real *real, const char *namespace, struct err *e)
{
	if (is_known(real, namespace))
		return 0;
	auto_json json_t *object = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "Namespace", "metadata",
	                                     "name", namespace);
	if (create_unless_exists(real, "/api/v1/namespaces", object, e) < 0)
		return err_wrap(e, "cannot create the namespace \"%s\"", namespace);
	auto_json json_t *account = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "ServiceAccount",
	                                      "metadata", "name", "default");
	auto_free char *path = xasprintf("/api/v1/namespaces/%s/serviceaccounts", namespace);
	if (create_unless_exists(real, path, account, e) < 0)
		return err_wrap(e, "cannot create the default service account in the namespace \"%s\"", namespace);
	set_known(real, namespace);
	return 0;
}

/* ---- Pods ---- */

static char *pod_path(const char *namespace, const char *name)
{
	return xasprintf("/api/v1/namespaces/%s/pods%s%s", namespace, name ? "/" : "", name ? name : "");
}

static int real_get_pod(void *context, const char *namespace, const char *name, json_t **ret_pod, struct err *e)
{
	struct real *real = context;
	auto_free char *path = pod_path(namespace, name);
	return kubernetes_get(real->kubernetes, path, ret_pod, e);
}

static int real_create_pod(void *context, const char *namespace, const json_t *pod, json_t **ret_pod, struct err *e)
{
	struct real *real = context;
	auto_err struct err failure = ERR_INIT;
	auto_free char *path = pod_path(namespace, NULL);
	if (ensure_namespace(real, namespace, e) < 0)
		return -1;
	if (kubernetes_create(real->kubernetes, path, pod, ret_pod, &failure) == 0)
		return 0;
	if (failure.kind == ERR_EXISTS)
		return real_get_pod(context, namespace, json_string_at(pod, "metadata/name", ""), ret_pod, e);
	if (failure.kind == ERR_NOT_FOUND) {
		/* Somebody has deleted the namespace. The caller tries again. */
		set_unknown(real, namespace);
		failure.kind = ERR_UNAVAILABLE;
	}
	return err_move(e, &failure);
}

static int real_delete_pod(void *context, const char *namespace, const char *name, const char *resource_version,
                           struct err *e)
{
	struct real *real = context;
	auto_err struct err failure = ERR_INIT;
	auto_free char *path = pod_path(namespace, name);
	if (kubernetes_delete_version(real->kubernetes, path, DELETE_GRACE_SECONDS, resource_version, &failure) < 0 &&
	    failure.kind != ERR_NOT_FOUND)
		return err_move(e, &failure);
	return 0;
}

static int real_get_pod_template(void *context, const char *namespace, const char *name, json_t **ret_template,
                                 struct err *e)
{
	struct real *real = context;
	auto_free char *encoded = http_percent_encode(name, "");
	auto_free char *path = xasprintf("/api/v1/namespaces/%s/podtemplates/%s", namespace, encoded);
	return kubernetes_get(real->kubernetes, path, ret_template, e);
}

struct outside *outside_new(struct objects *objects, struct kubernetes *kubernetes)
{
	struct real *real = xcalloc(1, sizeof(*real));
	pthread_mutex_init(&real->mutex, NULL);
	real->objects = objects;
	real->kubernetes = kubernetes;
	real->table = (struct outside){ .context = real,
		                        .put = real_put,
		                        .get = real_get,
		                        .head = real_head,
		                        .create_pod = real_create_pod,
		                        .get_pod = real_get_pod,
		                        .get_pod_template = real_get_pod_template,
		                        .delete_pod = real_delete_pod };
	return &real->table;
}

struct outside *outside_free(struct outside *outside)
{
	if (!outside)
		return NULL;
	struct real *real = outside->context;
	while (real->known) {
		struct namespaces *next = real->known->next;
		free(real->known->name);
		free(real->known);
		real->known = next;
	}
	pthread_mutex_destroy(&real->mutex);
	free(real);
	return NULL;
}
