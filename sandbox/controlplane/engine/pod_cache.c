/*
 * A hash table of executions, each with a hash table of its pods: a map of thousands of tasks has as many pods, and
 * every event and every round looks some of them up by name. What is asked of all pods — which of them run — is
 * answered from a list of those alone, so that a round costs as much as there is under way, not as much as there ever
 * was.
 */
#include "controlplane/engine/pod_cache.h"

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/engine/names.h"
#include "proto/message.h"

#include <pthread.h>

#define BUCKETS 1024
#define POD_BUCKETS_FIRST 8

struct cached_pod {
	char *name;
	json_t *pod; /* NULL once it is settled */
	uint64_t version;
	int64_t heard_ms;
	bool deleted;
	bool doubtful; /* to be asked for: it may have gone unseen */
	bool settled;
	struct cached_pod *next_in_bucket;
	/* The list of those that run. */
	bool runs;
	struct cached_pod *previous_running, *next_running;
};

struct cached_execution {
	int64_t id;
	size_t count, bucket_count;
	struct cached_pod **pods; /* bucket_count lists */
	struct cached_pod *running;
	struct cached_execution *next;
};

struct pod_cache {
	pthread_mutex_t mutex;
	bool synced;
	uint64_t version;
	struct cached_execution *buckets[BUCKETS];
};

struct pod_cache *pod_cache_new(void)
{
	struct pod_cache *cache = xcalloc(1, sizeof(*cache));
	pthread_mutex_init(&cache->mutex, NULL);
	return cache;
}

static void free_execution(struct cached_execution *execution)
{
	for (size_t i = 0; i < execution->bucket_count; i++) {
		for (struct cached_pod *pod = execution->pods[i], *next; pod; pod = next) {
			next = pod->next_in_bucket;
			json_decref(pod->pod);
			free(pod->name);
			free(pod);
		}
	}
	free(execution->pods);
	free(execution);
}

struct pod_cache *pod_cache_free(struct pod_cache *cache)
{
	if (!cache)
		return NULL;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct cached_execution *execution = cache->buckets[i], *next; execution; execution = next) {
			next = execution->next;
			free_execution(execution);
		}
	}
	pthread_mutex_destroy(&cache->mutex);
	free(cache);
	return NULL;
}

int64_t pod_execution(const json_t *pod)
{
	const json_t *labels = json_lookup(pod, "metadata/labels");
	const json_t *label = json_object_get(labels, POD_CACHE_LABEL);
	int64_t id = 0;
	if (!json_is_string(label) || !text_to_int64(json_string_value(label), 1, INT64_MAX, &id))
		return 0;
	return id;
}

/* ---- What is kept of a pod ---- */

static json_t *pick(const json_t *from, const char *const *keys, size_t count)
{
	json_t *to = json_object();
	for (size_t i = 0; i < count; i++) {
		json_t *value = json_object_get(from, keys[i]);
		if (value)
			json_object_set(to, keys[i], value);
	}
	return to;
}

static json_t *pick_containers(const json_t *containers)
{
	static const char *const keys[] = { "name", "restartPolicy" };
	json_t *picked = json_array();
	for (size_t i = 0; i < json_array_size(containers); i++)
		json_array_append_new(picked, pick(json_array_get(containers, i), keys, ARRAY_LENGTH(keys)));
	return picked;
}

static json_t *prune(const json_t *pod)
{
	static const char *const metadata[] = { "name",        "namespace",         "labels",           "resourceVersion",
		                                "annotations", "creationTimestamp", "deletionTimestamp" };
	const json_t *spec = json_object_get(pod, "spec");
	json_t *pruned = json_object();
	json_t *pruned_spec = json_object();
	json_object_set_new(pruned_spec, "containers", pick_containers(json_object_get(spec, "containers")));
	json_object_set_new(pruned_spec, "initContainers", pick_containers(json_object_get(spec, "initContainers")));
	json_object_set_new(pruned, "metadata",
	                    pick(json_object_get(pod, "metadata"), metadata, ARRAY_LENGTH(metadata)));
	json_object_set_new(pruned, "spec", pruned_spec);
	json_t *status = json_object_get(pod, "status");
	if (status)
		json_object_set(pruned, "status", status);
	return pruned;
}

static bool has_final_phase(const json_t *pod)
{
	const char *phase = json_string_at(pod, "status/phase", "");
	return text_equal(phase, "Succeeded") || text_equal(phase, "Failed");
}

/* Nothing of it runs or will run: its phase says so or, a second earlier, all its containers have ended. (Sidecars that
 * are init containers may still: the kubelet ends them by itself.) */
static bool has_ended(const json_t *pod)
{
	if (has_final_phase(pod))
		return true;
	const json_t *statuses = json_lookup(pod, "status/containerStatuses");
	const size_t count = json_array_size(json_lookup(pod, "spec/containers"));
	if (count == 0 || json_array_size(statuses) < count)
		return false;
	for (size_t i = 0; i < json_array_size(statuses); i++) {
		if (!json_lookup(json_array_get(statuses, i), "state/terminated"))
			return false;
	}
	return true;
}

static bool is_being_deleted(const json_t *pod)
{
	return json_lookup(pod, "metadata/deletionTimestamp") != NULL;
}

/* ---- The table ---- */

static struct cached_execution **find_execution(struct pod_cache *cache, int64_t id)
{
	struct cached_execution **at = &cache->buckets[(uint64_t)id % BUCKETS];
	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static struct cached_execution *open_execution(struct pod_cache *cache, int64_t id)
{
	struct cached_execution **at = find_execution(cache, id);
	if (!*at) {
		*at = xcalloc(1, sizeof(**at));
		(*at)->id = id;
	}
	return *at;
}

static struct cached_pod *find_pod(const struct cached_execution *execution, const char *name)
{
	if (!execution || !execution->bucket_count)
		return NULL;
	struct cached_pod *pod = execution->pods[names_hash(name) % execution->bucket_count];
	while (pod && !text_equal(pod->name, name))
		pod = pod->next_in_bucket;
	return pod;
}

static void grow(struct cached_execution *execution)
{
	const size_t count = execution->bucket_count ? execution->bucket_count * 2 : POD_BUCKETS_FIRST;
	struct cached_pod **pods = xcalloc(count, sizeof(struct cached_pod *));
	for (size_t i = 0; i < execution->bucket_count; i++) {
		for (struct cached_pod *pod = execution->pods[i], *next; pod; pod = next) {
			struct cached_pod **bucket = &pods[names_hash(pod->name) % count];
			next = pod->next_in_bucket;
			pod->next_in_bucket = *bucket;
			*bucket = pod;
		}
	}
	free(execution->pods);
	execution->pods = pods;
	execution->bucket_count = count;
}

static struct cached_pod *add_pod(struct cached_execution *execution, const char *name)
{
	if (execution->count == execution->bucket_count)
		grow(execution);
	struct cached_pod **bucket = &execution->pods[names_hash(name) % execution->bucket_count];
	struct cached_pod *pod = xcalloc(1, sizeof(*pod));
	pod->name = xstrdup(name);
	pod->next_in_bucket = *bucket;
	*bucket = pod;
	execution->count++;
	return pod;
}

static void set_runs(struct cached_execution *execution, struct cached_pod *pod, bool runs)
{
	if (pod->runs == runs)
		return;
	pod->runs = runs;
	if (runs) {
		pod->previous_running = NULL;
		pod->next_running = execution->running;
		if (execution->running)
			execution->running->previous_running = pod;
		execution->running = pod;
		return;
	}
	if (pod->previous_running)
		pod->previous_running->next_running = pod->next_running;
	else
		execution->running = pod->next_running;
	if (pod->next_running)
		pod->next_running->previous_running = pod->previous_running;
}

static void store(struct pod_cache *cache, struct cached_execution *execution, const json_t *pod, bool deleted)
{
	const char *name = json_string_at(pod, "metadata/name", "");
	struct cached_pod *cached = find_pod(execution, name);
	if (!cached)
		cached = add_pod(execution, name);
	json_decref(cached->pod);
	cached->pod = prune(pod);
	cached->version = ++cache->version;
	cached->heard_ms = clock_monotonic_ms();
	cached->deleted = deleted;
	cached->doubtful = cached->settled = false;
	set_runs(execution, cached, !deleted && !has_ended(cached->pod) && !is_being_deleted(cached->pod));
}

void pod_cache_open(struct pod_cache *cache, int64_t execution_id)
{
	pthread_mutex_lock(&cache->mutex);
	open_execution(cache, execution_id);
	pthread_mutex_unlock(&cache->mutex);
}

void pod_cache_drop(struct pod_cache *cache, int64_t execution_id)
{
	pthread_mutex_lock(&cache->mutex);
	struct cached_execution **at = find_execution(cache, execution_id);
	struct cached_execution *execution = *at;
	if (execution)
		*at = execution->next;
	pthread_mutex_unlock(&cache->mutex);
	if (execution)
		free_execution(execution);
}

int64_t pod_cache_update(struct pod_cache *cache, const json_t *pod, bool deleted)
{
	const int64_t id = pod_execution(pod);
	if (!id)
		return 0;
	const bool ended = deleted || has_ended(pod), runs = !ended && !is_being_deleted(pod);
	pthread_mutex_lock(&cache->mutex);
	struct cached_execution *execution = *find_execution(cache, id);
	if (!execution && runs)
		execution = open_execution(cache, id);
	const struct cached_pod *known = find_pod(execution, json_string_at(pod, "metadata/name", ""));
	const bool settled = known && known->settled && ended;
	if (execution && !settled)
		store(cache, execution, pod, deleted);
	pthread_mutex_unlock(&cache->mutex);
	return execution && !settled ? id : 0;
}

void pod_cache_synced(struct pod_cache *cache)
{
	pthread_mutex_lock(&cache->mutex);
	const bool again = cache->synced;
	cache->synced = true;
	for (size_t i = 0; again && i < BUCKETS; i++) {
		for (struct cached_execution *execution = cache->buckets[i]; execution; execution = execution->next) {
			for (size_t k = 0; k < execution->bucket_count; k++) {
				for (struct cached_pod *pod = execution->pods[k]; pod; pod = pod->next_in_bucket)
					pod->doubtful = !pod->deleted && !pod->settled && !has_final_phase(pod->pod);
			}
		}
	}
	pthread_mutex_unlock(&cache->mutex);
}

void pod_cache_add(struct pod_cache *cache, int64_t execution_id, const json_t *pod)
{
	pthread_mutex_lock(&cache->mutex);
	struct cached_execution *execution = open_execution(cache, execution_id);
	const struct cached_pod *known = find_pod(execution, json_string_at(pod, "metadata/name", ""));
	if (!known || known->doubtful)
		store(cache, execution, pod, false);
	pthread_mutex_unlock(&cache->mutex);
}

void pod_cache_remove(struct pod_cache *cache, int64_t execution_id, const char *name)
{
	pthread_mutex_lock(&cache->mutex);
	struct cached_execution *execution = *find_execution(cache, execution_id);
	struct cached_pod *pod = find_pod(execution, name);
	if (pod) {
		pod->deleted = true;
		pod->doubtful = false;
		pod->version = ++cache->version;
		pod->heard_ms = clock_monotonic_ms();
		set_runs(execution, pod, false);
	}
	pthread_mutex_unlock(&cache->mutex);
}

void pod_cache_settle(struct pod_cache *cache, int64_t execution_id, const char *name)
{
	pthread_mutex_lock(&cache->mutex);
	struct cached_pod *pod = find_pod(*find_execution(cache, execution_id), name);
	if (pod && !pod->settled && (pod->deleted || has_ended(pod->pod))) {
		json_decref(pod->pod);
		pod->pod = NULL;
		pod->settled = true;
		pod->doubtful = false;
	}
	pthread_mutex_unlock(&cache->mutex);
}

enum pod_knowledge pod_cache_find(struct pod_cache *cache, int64_t execution_id, const char *name,
                                  uint64_t *ret_version, json_t **ret_pod)
{
	enum pod_knowledge knowledge;
	*ret_pod = NULL;
	*ret_version = 0;
	pthread_mutex_lock(&cache->mutex);
	const struct cached_pod *pod = find_pod(*find_execution(cache, execution_id), name);
	if (pod && !pod->doubtful && !pod->settled) {
		*ret_pod = json_incref(pod->pod);
		*ret_version = pod->version;
		knowledge = pod->deleted ? POD_DELETED : POD_KNOWN;
	} else {
		knowledge = cache->synced ? POD_ASK : POD_UNKNOWN;
	}
	pthread_mutex_unlock(&cache->mutex);
	return knowledge;
}

int64_t pod_cache_heard_ms(struct pod_cache *cache, int64_t execution_id, const char *name)
{
	pthread_mutex_lock(&cache->mutex);
	const struct cached_pod *pod = find_pod(*find_execution(cache, execution_id), name);
	const int64_t heard_ms = pod ? pod->heard_ms : 0;
	pthread_mutex_unlock(&cache->mutex);
	return heard_ms;
}

size_t pod_cache_running(struct pod_cache *cache, int64_t execution_id, struct arena *arena,
                         struct pod_reference **ret_pods)
{
	struct pod_reference *pods = NULL;
	size_t count = 0;
	pthread_mutex_lock(&cache->mutex);
	const struct cached_execution *execution = *find_execution(cache, execution_id);
	for (const struct cached_pod *pod = execution ? execution->running : NULL; pod; pod = pod->next_running) {
		const json_t *metadata = json_object_get(pod->pod, "metadata");
		const struct pod_reference reference = {
			.namespace = arena_strdup(arena, json_string_at(metadata, "namespace", "")),
			.name = arena_strdup(arena, pod->name),
			.resource_version = arena_strdup(arena, json_string_at(metadata, "resourceVersion", "")),
		};
		proto_append(arena, count, pods, reference);
	}
	pthread_mutex_unlock(&cache->mutex);
	*ret_pods = pods;
	return count;
}
