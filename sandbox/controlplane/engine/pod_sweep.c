#include "controlplane/engine/pod_sweep.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "controlplane/engine/pod_cache.h"
#include "controlplane/store/progress.h"

#include <pthread.h>
#include <stdatomic.h>

/* Kubernetes' own garbage collector of pods begins at fewer. */
#define CANDIDATES_MAXIMUM ((size_t)20000)
#define ARENA_MAXIMUM ((size_t)64 << 20)
#define BORROW_MS INT64_C(10000)
#define NS_PER_HOUR (INT64_C(3600) * 1000000000)

struct candidate {
	int64_t execution_id;
	char *namespace, *name, *version;
};

struct pod_sweep {
	struct database *database;
	const struct outside *outside;
	struct settings_holder *settings;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct candidate *candidates;
	size_t count;
	bool listed; /* the thread has something to do */
	atomic_bool stopping;
	bool started;
	pthread_t thread;
};

METRIC_COUNTER(pods_swept, "sandbox_engine_pods_swept_total", "Pods deleted because their execution is long over.");

static void free_candidates(struct candidate *candidates, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(candidates[i].namespace);
		free(candidates[i].name);
		free(candidates[i].version);
	}
	free(candidates);
}

/* 0: for ever. */
static int64_t ttl_ns(const struct pod_sweep *sweep)
{
	auto_settings const struct settings *settings = settings_current(sweep->settings);
	return settings->pod_ttl_hours * NS_PER_HOUR;
}

/* When the pod has ended, as its containers say it; its creation when they do not. */
static int64_t ended_at(const json_t *pod)
{
	const json_t *statuses = json_lookup(pod, "status/containerStatuses");
	int64_t last_ns = 0, at_ns;
	for (size_t i = 0; i < json_array_size(statuses); i++) {
		const char *text = json_string_at(json_array_get(statuses, i), "state/terminated/finishedAt", "");
		if (clock_parse_rfc3339(text, &at_ns) && at_ns > last_ns)
			last_ns = at_ns;
	}
	if (!last_ns && clock_parse_rfc3339(json_string_at(pod, "metadata/creationTimestamp", ""), &at_ns))
		last_ns = at_ns;
	return last_ns;
}

void pod_sweep_see(struct pod_sweep *sweep, const json_t *pod, int64_t now_ns)
{
	const char *phase = json_string_at(pod, "status/phase", "");
	const int64_t ttl = ttl_ns(sweep);
	if (!ttl || (!text_equal(phase, "Succeeded") && !text_equal(phase, "Failed")) ||
	    json_lookup(pod, "metadata/deletionTimestamp") || ended_at(pod) > now_ns - ttl)
		return;
	pthread_mutex_lock(&sweep->mutex);
	if (sweep->count < CANDIDATES_MAXIMUM) {
		sweep->candidates = xreallocarray(sweep->candidates, sweep->count + 1, sizeof(*sweep->candidates));
		sweep->candidates[sweep->count++] = (struct candidate){
			.execution_id = pod_execution(pod),
			.namespace = xstrdup(json_string_at(pod, "metadata/namespace", "")),
			.name = xstrdup(json_string_at(pod, "metadata/name", "")),
			.version = xstrdup(json_string_at(pod, "metadata/resourceVersion", "")),
		};
	}
	pthread_mutex_unlock(&sweep->mutex);
}

/* Which of the executions are of interest to nobody. */
static int find_over(struct pod_sweep *sweep, struct arena *arena, const struct candidate *candidates, size_t count,
                     int64_t before_ns, struct progress_ids *ret_over, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	struct progress_ids seen = { .ids = arena_array(arena, int64_t, count) };
	for (size_t i = 0; i < count; i++) {
		if (!seen.count || seen.ids[seen.count - 1] != candidates[i].execution_id)
			seen.ids[seen.count++] = candidates[i].execution_id;
	}
	if (database_borrow(sweep->database, clock_monotonic_ms() + BORROW_MS, &c, e) < 0)
		return -1;
	return progress_over(c, arena, &seen, before_ns, ret_over, e);
}

static int compare_ids(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	return x->execution_id < y->execution_id ? -1 : x->execution_id > y->execution_id;
}

static bool delete_pod(struct pod_sweep *sweep, const struct candidate *pod)
{
	auto_err struct err e = ERR_INIT;
	if (sweep->outside->delete_pod(sweep->outside->context, pod->namespace, pod->name, pod->version, &e) == 0) {
		metric_add(&pods_swept, 1);
		return true;
	}
	if (e.kind != ERR_CONFLICT)
		log_err(LOG_WARN, "a pod that is long over cannot be deleted yet", &e, "pod", pod->name);
	return false;
}

int pod_sweep_run(struct pod_sweep *sweep, int64_t now_ns, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	struct progress_ids over = { 0 };
	const int64_t ttl = ttl_ns(sweep);
	int deleted = 0, outcome = 0;
	pthread_mutex_lock(&sweep->mutex);
	struct candidate *candidates = sweep->candidates;
	const size_t count = sweep->count;
	sweep->candidates = NULL;
	sweep->count = 0;
	pthread_mutex_unlock(&sweep->mutex);
	if (count > 1)
		qsort(candidates, count, sizeof(*candidates), compare_candidates);
	if (count > 0 && ttl)
		outcome = find_over(sweep, &arena, candidates, count, now_ns - ttl, &over, e);
	for (size_t i = 0; i < count && outcome == 0 && over.count > 0 && !atomic_load(&sweep->stopping); i++) {
		if (bsearch(&candidates[i].execution_id, over.ids, over.count, sizeof(*over.ids), compare_ids))
			deleted += delete_pod(sweep, &candidates[i]);
	}
	free_candidates(candidates, count);
	return outcome < 0 ? -1 : deleted;
}

/* ---- The thread ---- */

static bool wait_for_list(struct pod_sweep *sweep)
{
	pthread_mutex_lock(&sweep->mutex);
	while (!sweep->listed && !atomic_load(&sweep->stopping))
		pthread_cond_wait(&sweep->changed, &sweep->mutex);
	sweep->listed = false;
	pthread_mutex_unlock(&sweep->mutex);
	return !atomic_load(&sweep->stopping);
}

static void *sweep_main(void *context)
{
	struct pod_sweep *sweep = context;
	while (wait_for_list(sweep)) {
		auto_err struct err e = ERR_INIT;
		if (pod_sweep_run(sweep, clock_wall_ns(), &e) < 0)
			log_err(LOG_WARN, "cannot look for pods that are long over", &e, NULL, NULL);
	}
	return NULL;
}

void pod_sweep_listed(struct pod_sweep *sweep)
{
	pthread_mutex_lock(&sweep->mutex);
	sweep->listed = true;
	pthread_cond_signal(&sweep->changed);
	pthread_mutex_unlock(&sweep->mutex);
}

struct pod_sweep *pod_sweep_new(struct database *database, const struct outside *outside,
                                struct settings_holder *settings)
{
	struct pod_sweep *sweep = xcalloc(1, sizeof(*sweep));
	sweep->database = database;
	sweep->outside = outside;
	sweep->settings = settings;
	pthread_mutex_init(&sweep->mutex, NULL);
	pthread_cond_init(&sweep->changed, NULL);
	return sweep;
}

int pod_sweep_start(struct pod_sweep *sweep, struct err *e)
{
	const int failure = pthread_create(&sweep->thread, NULL, sweep_main, sweep);
	if (failure)
		return err_set_errno(e, failure, NULL, "cannot start the thread that deletes old pods");
	sweep->started = true;
	return 0;
}

struct pod_sweep *pod_sweep_free(struct pod_sweep *sweep)
{
	if (!sweep)
		return NULL;
	pthread_mutex_lock(&sweep->mutex);
	atomic_store(&sweep->stopping, true);
	pthread_cond_signal(&sweep->changed);
	pthread_mutex_unlock(&sweep->mutex);
	if (sweep->started)
		pthread_join(sweep->thread, NULL);
	free_candidates(sweep->candidates, sweep->count);
	pthread_cond_destroy(&sweep->changed);
	pthread_mutex_destroy(&sweep->mutex);
	free(sweep);
	return NULL;
}
