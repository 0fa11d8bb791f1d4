#include "fake_outside.h"

#include "base/text.h"

#include <pthread.h>
#include <string.h>

struct object {
	char *uri;
	char *bytes;
	size_t length;
	struct object *next;
};

struct fake_outside {
	struct outside table;
	pthread_mutex_t mutex;
	struct object *objects;
	json_t *pods;      /* by name */
	json_t *templates; /* namespace -> name -> PodTemplate */
	unsigned calls, created, deleted;
	unsigned fail_first, fail_count;
	enum err_kind refusal;
	const char *refusal_message;
	void (*hook)(void *context, unsigned call);
	void *hook_context;
};

/* Begins a call: the mutex is held afterwards, until end(). */
static int begin(struct fake_outside *fake, unsigned *ret_call, struct err *e)
{
	pthread_mutex_lock(&fake->mutex);
	*ret_call = fake->calls++;
	if (*ret_call >= fake->fail_first && *ret_call < fake->fail_first + fake->fail_count) {
		pthread_mutex_unlock(&fake->mutex);
		return err_set(e, ERR_UNAVAILABLE, NULL, "call %u fails as the test wants it", *ret_call);
	}
	return 0;
}

static int end(struct fake_outside *fake, unsigned call, int outcome)
{
	void (*hook)(void *, unsigned) = fake->hook;
	void *context = fake->hook_context;
	pthread_mutex_unlock(&fake->mutex);
	if (hook)
		hook(context, call);
	return outcome;
}

static struct object *find(struct fake_outside *fake, const char *uri)
{
	for (struct object *object = fake->objects; object; object = object->next) {
		if (text_equal(object->uri, uri))
			return object;
	}
	return NULL;
}

static void store(struct fake_outside *fake, const char *uri, struct proto_bytes bytes)
{
	struct object *object = find(fake, uri);
	if (!object) {
		object = xcalloc(1, sizeof(*object));
		object->uri = xstrdup(uri);
		object->next = fake->objects;
		fake->objects = object;
	}
	free(object->bytes);
	object->bytes = xmalloc(bytes.length + 1);
	if (bytes.length)
		memcpy(object->bytes, bytes.data, bytes.length);
	object->length = bytes.length;
}

static int fake_put(void *context, const char *uri, struct proto_bytes bytes, struct err *e)
{
	struct fake_outside *fake = context;
	unsigned call;
	if (begin(fake, &call, e) < 0)
		return -1;
	if (strstr(uri, "/../"))
		return end(fake, call,
		           err_set(e, ERR_INVALID, "invalid-uri", "\"%s\" is not the URI of an object", uri));
	store(fake, uri, bytes);
	return end(fake, call, 0);
}

static int fake_get(void *context, struct arena *arena, const char *uri, size_t maximum, struct proto_bytes *ret_bytes,
                    struct err *e)
{
	struct fake_outside *fake = context;
	unsigned call;
	int outcome = 0;
	if (begin(fake, &call, e) < 0)
		return -1;
	const struct object *object = find(fake, uri);
	if (!object)
		outcome = err_set(e, ERR_NOT_FOUND, NULL, "no object %s", uri);
	else if (object->length > maximum)
		outcome = err_set(e, ERR_EXHAUSTED, NULL, "object %s is larger than %zu bytes", uri, maximum);
	else
		*ret_bytes = (struct proto_bytes){ .data = arena_copy(arena, object->bytes, object->length),
			                           .length = object->length };
	return end(fake, call, outcome);
}

static int fake_head(void *context, const char *uri, struct err *e)
{
	struct fake_outside *fake = context;
	unsigned call;
	if (begin(fake, &call, e) < 0)
		return -1;
	return end(fake, call, find(fake, uri) ? 0 : err_set(e, ERR_NOT_FOUND, NULL, "no object %s", uri));
}

static int fake_create_pod(void *context, const char *namespace, const json_t *pod, json_t **ret_pod, struct err *e)
{
	struct fake_outside *fake = context;
	unsigned call;
	if (begin(fake, &call, e) < 0)
		return -1;
	if (fake->refusal != ERR_NONE)
		return end(fake, call, err_set(e, fake->refusal, NULL, "%s", fake->refusal_message));
	const char *name = json_string_at(pod, "metadata/name", "");
	if (!json_object_get(fake->pods, name)) {
		json_t *copy = json_deep_copy(pod);
		json_object_set_new(json_object_get(copy, "metadata"), "namespace", json_string(namespace));
		json_object_set_new(copy, "status", json_pack("{s:s}", "phase", "Pending"));
		json_object_set_new(fake->pods, name, copy);
		fake->created++;
	}
	*ret_pod = json_deep_copy(json_object_get(fake->pods, name));
	return end(fake, call, 0);
}

static int fake_get_pod(void *context, const char *namespace, const char *name, json_t **ret_pod, struct err *e)
{
	struct fake_outside *fake = context;
	unsigned call;
	(void)namespace;
	if (begin(fake, &call, e) < 0)
		return -1;
	const json_t *pod = json_object_get(fake->pods, name);
	if (!pod)
		return end(fake, call, err_set(e, ERR_NOT_FOUND, NULL, "no pod %s", name));
	*ret_pod = json_deep_copy(pod);
	return end(fake, call, 0);
}

static int fake_get_pod_template(void *context, const char *namespace, const char *name, json_t **ret_template,
                                 struct err *e)
{
	struct fake_outside *fake = context;
	unsigned call;
	if (begin(fake, &call, e) < 0)
		return -1;
	const json_t *template = json_object_get(json_object_get(fake->templates, namespace), name);
	if (!template)
		return end(fake, call, err_set(e, ERR_NOT_FOUND, NULL, "no template %s", name));
	*ret_template = json_deep_copy(template);
	return end(fake, call, 0);
}

static int fake_delete_pod(void *context, const char *namespace, const char *name, const char *resource_version,
                           struct err *e)
{
	struct fake_outside *fake = context;
	unsigned call;
	(void)namespace;
	if (begin(fake, &call, e) < 0)
		return -1;
	const char *version = json_string_at(json_object_get(fake->pods, name), "metadata/resourceVersion", "");
	if (*resource_version && !text_equal(version, resource_version))
		return end(fake, call, err_set(e, ERR_CONFLICT, NULL, "%s has changed", name));
	if (json_object_del(fake->pods, name) == 0)
		fake->deleted++;
	return end(fake, call, 0);
}

struct fake_outside *fake_outside_new(void)
{
	struct fake_outside *fake = xcalloc(1, sizeof(*fake));
	pthread_mutex_init(&fake->mutex, NULL);
	fake->pods = json_object();
	fake->templates = json_object();
	fake->table = (struct outside){ .context = fake,
		                        .put = fake_put,
		                        .get = fake_get,
		                        .head = fake_head,
		                        .create_pod = fake_create_pod,
		                        .get_pod = fake_get_pod,
		                        .get_pod_template = fake_get_pod_template,
		                        .delete_pod = fake_delete_pod };
	return fake;
}

struct fake_outside *fake_outside_free(struct fake_outside *fake)
{
	if (!fake)
		return NULL;
	for (struct object *object = fake->objects, *next; object; object = next) {
		next = object->next;
		free(object->uri);
		free(object->bytes);
		free(object);
	}
	json_decref(fake->pods);
	json_decref(fake->templates);
	pthread_mutex_destroy(&fake->mutex);
	free(fake);
	return NULL;
}

const struct outside *fake_outside_table(const struct fake_outside *fake)
{
	return &fake->table;
}

unsigned fake_outside_calls(struct fake_outside *fake)
{
	return fake->calls;
}

void fake_outside_hook(struct fake_outside *fake, void (*hook)(void *context, unsigned call), void *context)
{
	fake->hook = hook;
	fake->hook_context = context;
}

void fake_outside_fail(struct fake_outside *fake, unsigned first, unsigned count)
{
	fake->fail_first = first;
	fake->fail_count = count;
}

void fake_outside_refuse_pods(struct fake_outside *fake, enum err_kind kind, const char *message)
{
	fake->refusal = kind;
	fake->refusal_message = message;
}

void fake_outside_put(struct fake_outside *fake, const char *uri, struct proto_bytes bytes)
{
	pthread_mutex_lock(&fake->mutex);
	store(fake, uri, bytes);
	pthread_mutex_unlock(&fake->mutex);
}

struct proto_bytes fake_outside_object(struct fake_outside *fake, const char *uri)
{
	pthread_mutex_lock(&fake->mutex);
	const struct object *object = find(fake, uri);
	struct proto_bytes bytes = { 0 };
	if (object)
		bytes = (struct proto_bytes){ .data = (const uint8_t *)object->bytes, .length = object->length };
	pthread_mutex_unlock(&fake->mutex);
	return bytes;
}

unsigned fake_outside_pods_created(struct fake_outside *fake)
{
	return fake->created;
}

unsigned fake_outside_pods_deleted(struct fake_outside *fake)
{
	return fake->deleted;
}

json_t *fake_outside_pod(struct fake_outside *fake, const char *name)
{
	pthread_mutex_lock(&fake->mutex);
	json_t *pod = json_object_get(fake->pods, name);
	json_t *copy = pod ? json_deep_copy(pod) : NULL;
	pthread_mutex_unlock(&fake->mutex);
	return copy;
}

json_t *fake_outside_set_status(struct fake_outside *fake, const char *name, json_t *status)
{
	pthread_mutex_lock(&fake->mutex);
	json_t *pod = json_object_get(fake->pods, name);
	json_object_set_new(pod, "status", status);
	json_t *copy = json_deep_copy(pod);
	pthread_mutex_unlock(&fake->mutex);
	return copy;
}

json_t *fake_outside_begin_deletion(struct fake_outside *fake, const char *name)
{
	pthread_mutex_lock(&fake->mutex);
	json_t *pod = json_object_get(fake->pods, name);
	json_object_set_new(json_object_get(pod, "metadata"), "deletionTimestamp", json_string("2026-01-01T00:05:00Z"));
	json_t *copy = json_deep_copy(pod);
	pthread_mutex_unlock(&fake->mutex);
	return copy;
}

void fake_outside_remove_pod(struct fake_outside *fake, const char *name)
{
	pthread_mutex_lock(&fake->mutex);
	json_object_del(fake->pods, name);
	pthread_mutex_unlock(&fake->mutex);
}

void fake_outside_put_pod_template(struct fake_outside *fake, const char *namespace, const char *name, json_t *template)
{
	pthread_mutex_lock(&fake->mutex);
	if (!json_object_get(fake->templates, namespace))
		json_object_set_new(fake->templates, namespace, json_object());
	json_object_set_new(json_object_get(fake->templates, namespace), name, template);
	pthread_mutex_unlock(&fake->mutex);
}
