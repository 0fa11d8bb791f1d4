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
#define ENDED_MAXIMUM ((size_t)20000)
#define BUCKETS 1024
#define ARENA_MAXIMUM ((size_t)64 << 20)
#define BORROW_MS INT64_C(10000)
#define NS_PER_HOUR (INT64_C(3600) * 1000000000)
/* So many more than the maximum before the next look: one question to the database for several pods. */
#define SLACK_MINIMUM ((size_t)8)
#define SLACK_DIVISOR 10

struct ended_pod {
	int64_t execution_id;
	int64_t ended_ns;
	unsigned list; /* by the number of complete lists before the watch has last told of it */
	char *namespace, *name, *version;
	struct ended_pod *next;
};

struct pod_sweep {
	struct database *database;
	const struct outside *outside;
	struct settings_holder *settings;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct ended_pod *buckets[BUCKETS];
	size_t count;
	size_t look_at; /* how many it takes until the thread looks; 0: until the next list */
	unsigned list;
	bool due; /* the thread has something to do */
	atomic_bool stopping;
	bool started;
	pthread_t thread;
};

METRIC_COUNTER(pods_swept, "sandbox_engine_pods_swept_total",
               "Pods deleted because their execution is over, and long ago or many others have ended since.");

static void free_pod(struct ended_pod *pod)
{
	free(pod->namespace);
	free(pod->name);
	free(pod->version);
	free(pod);
}

/* 0: for ever. */
static int64_t ttl_ns(const struct settings *settings)
{
	return settings->pod_ttl_hours * NS_PER_HOUR;
}

/* ---- The pods that have ended ---- */

static struct ended_pod **find(struct pod_sweep *sweep, const char *namespace, const char *name)
{
	struct ended_pod **at = &sweep->buckets[(text_hash(namespace) * 31 + text_hash(name)) % BUCKETS];
	while (*at && !(text_equal((*at)->name, name) && text_equal((*at)->namespace, namespace)))
		at = &(*at)->next;
	return at;
}

static void take_out(struct pod_sweep *sweep, struct ended_pod **at)
{
	struct ended_pod *pod = *at;
	*at = pod->next;
	free_pod(pod);
	sweep->count--;
}

/* What was not in this complete list, nor heard of since the one before, has gone unseen. */
static void forget_unlisted(struct pod_sweep *sweep)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct ended_pod **at = &sweep->buckets[i];
		while (*at) {
			if ((*at)->list != sweep->list)
				take_out(sweep, at);
			else
				at = &(*at)->next;
		}
	}
	sweep->list++;
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

static void wake(struct pod_sweep *sweep)
{
	sweep->due = true;
	pthread_cond_signal(&sweep->changed);
}

static void keep(struct pod_sweep *sweep, struct ended_pod **at, const json_t *pod, const char *namespace,
                 const char *name)
{
	if (!*at && sweep->count >= ENDED_MAXIMUM)
		return;
	if (!*at) {
		*at = xcalloc(1, sizeof(**at));
		(*at)->namespace = xstrdup(namespace);
		(*at)->name = xstrdup(name);
		sweep->count++;
	}
	free((*at)->version);
	(*at)->version = xstrdup(json_string_at(pod, "metadata/resourceVersion", ""));
	(*at)->execution_id = pod_execution(pod);
	(*at)->ended_ns = ended_at(pod);
	(*at)->list = sweep->list;
	if (sweep->look_at && sweep->count >= sweep->look_at)
		wake(sweep);
}

void pod_sweep_see(struct pod_sweep *sweep, const json_t *pod, bool deleted)
{
	const char *phase = json_string_at(pod, "status/phase", "");
	const char *namespace = json_string_at(pod, "metadata/namespace", "");
	const char *name = json_string_at(pod, "metadata/name", "");
	const bool ended = (text_equal(phase, "Succeeded") || text_equal(phase, "Failed")) && !deleted &&
	                   !json_lookup(pod, "metadata/deletionTimestamp");
	pthread_mutex_lock(&sweep->mutex);
	struct ended_pod **at = find(sweep, namespace, name);
	if (ended)
		keep(sweep, at, pod, namespace, name);
	else if (*at)
		take_out(sweep, at); /* or made anew under its name */
	pthread_mutex_unlock(&sweep->mutex);
}

/* ---- Which go ---- */

static int compare_ages(const void *a, const void *b)
{
	const struct ended_pod *x = a, *y = b;
	return (x->ended_ns > y->ended_ns) - (x->ended_ns < y->ended_ns);
}

static int compare_ids(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* All that have ended, the oldest first. */
static struct ended_pod *copy_all(struct pod_sweep *sweep, struct arena *arena, size_t *ret_count)
{
	size_t count = 0;
	pthread_mutex_lock(&sweep->mutex);
	struct ended_pod *all = arena_array(arena, struct ended_pod, sweep->count);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct ended_pod *pod = sweep->buckets[i]; pod; pod = pod->next) {
			all[count] = *pod;
			all[count].namespace = arena_strdup(arena, pod->namespace);
			all[count].name = arena_strdup(arena, pod->name);
			all[count++].version = arena_strdup(arena, pod->version);
		}
	}
	pthread_mutex_unlock(&sweep->mutex);
	if (count > 1)
		qsort(all, count, sizeof(*all), compare_ages);
	*ret_count = count;
	return all;
}

/* Which of the executions of the first `count` pods ended at that time or earlier, or are not there any more. */
static int find_over(struct pod_sweep *sweep, struct arena *arena, const struct ended_pod *pods, size_t count,
                     int64_t before_ns, struct progress_ids *ret_over, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	struct progress_ids asked = { .ids = arena_array(arena, int64_t, count) };
	if (count == 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		asked.ids[i] = pods[i].execution_id;
	qsort(asked.ids, count, sizeof(*asked.ids), compare_ids);
	for (size_t i = 0; i < count; i++) {
		if (!asked.count || asked.ids[asked.count - 1] != asked.ids[i])
			asked.ids[asked.count++] = asked.ids[i];
	}
	if (database_borrow(sweep->database, clock_monotonic_ms() + BORROW_MS, &c, e) < 0)
		return -1;
	return progress_over(c, arena, &asked, before_ns, ret_over, e);
}

static bool delete_pod(struct pod_sweep *sweep, const struct ended_pod *pod)
{
	auto_err struct err e = ERR_INIT;
	if (sweep->outside->delete_pod(sweep->outside->context, pod->namespace, pod->name, pod->version, &e) == 0) {
		metric_add(&pods_swept, 1);
		return true;
	}
	if (e.kind != ERR_CONFLICT)
		log_err(LOG_WARN, "a pod that is over cannot be deleted yet", &e, "pod", pod->name);
	return false;
}

/*
 * Of `count` pods those whose execution is over, the oldest first, at most so many; they lose their names. One that is
 * gone or has changed counts: another replica may have been faster, and the watch not have told of it yet. Returns how
 * many have been deleted, or -1 when the database failed.
 */
static int delete_over(struct pod_sweep *sweep, struct arena *arena, struct ended_pod *pods, size_t count,
                       size_t maximum, int64_t before_ns, struct err *e)
{
	struct progress_ids over = { 0 };
	size_t tried = 0;
	int deleted = 0;
	if (find_over(sweep, arena, pods, count, before_ns, &over, e) < 0)
		return -1;
	for (size_t i = 0; i < count && over.count > 0 && tried < maximum && !atomic_load(&sweep->stopping); i++) {
		if (!pods[i].name ||
		    !bsearch(&pods[i].execution_id, over.ids, over.count, sizeof(*over.ids), compare_ids))
			continue;
		deleted += delete_pod(sweep, &pods[i]);
		pods[i].name = NULL;
		tried++;
	}
	return deleted;
}

/* So many more than may stay, and the thread looks again. */
static size_t next_look(const struct settings *settings, size_t left)
{
	const size_t maximum = (size_t)settings->ended_pods_maximum;
	return maximum ? (left > maximum ? left : maximum) + maximum / SLACK_DIVISOR + SLACK_MINIMUM : 0;
}

int pod_sweep_run(struct pod_sweep *sweep, int64_t now_ns, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	auto_settings const struct settings *settings = settings_current(sweep->settings);
	const int64_t ttl = ttl_ns(settings);
	const size_t maximum = (size_t)settings->ended_pods_maximum;
	size_t count = 0, old = 0;
	int too_many = 0;
	struct ended_pod *pods = copy_all(sweep, &arena, &count);
	while (ttl && old < count && pods[old].ended_ns <= now_ns - ttl)
		old++;
	const int too_old = delete_over(sweep, &arena, pods, old, SIZE_MAX, now_ns - ttl, e);
	if (too_old < 0)
		return -1;
	if (maximum && count - (size_t)too_old > maximum)
		too_many = delete_over(sweep, &arena, pods, count, count - (size_t)too_old - maximum, now_ns, e);
	if (too_many < 0)
		return -1;
	pthread_mutex_lock(&sweep->mutex);
	sweep->look_at = next_look(settings, count - (size_t)too_old - (size_t)too_many);
	pthread_mutex_unlock(&sweep->mutex);
	return too_old + too_many;
}

/* ---- The thread ---- */

static bool wait_until_due(struct pod_sweep *sweep)
{
	pthread_mutex_lock(&sweep->mutex);
	while (!sweep->due && !atomic_load(&sweep->stopping))
		pthread_cond_wait(&sweep->changed, &sweep->mutex);
	sweep->due = false;
	pthread_mutex_unlock(&sweep->mutex);
	return !atomic_load(&sweep->stopping);
}

static void *sweep_main(void *context)
{
	struct pod_sweep *sweep = context;
	while (wait_until_due(sweep)) {
		auto_err struct err e = ERR_INIT;
		if (pod_sweep_run(sweep, clock_wall_ns(), &e) < 0)
			log_err(LOG_WARN, "cannot look for pods that are over", &e, NULL, NULL);
	}
	return NULL;
}

void pod_sweep_listed(struct pod_sweep *sweep)
{
	pthread_mutex_lock(&sweep->mutex);
	forget_unlisted(sweep);
	wake(sweep);
	pthread_mutex_unlock(&sweep->mutex);
}

struct pod_sweep *pod_sweep_new(struct database *database, const struct outside *outside,
                                struct settings_holder *settings)
{
	auto_settings const struct settings *current = settings_current(settings);
	struct pod_sweep *sweep = xcalloc(1, sizeof(*sweep));
	sweep->database = database;
	sweep->outside = outside;
	sweep->settings = settings;
	sweep->look_at = next_look(current, 0);
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
	for (size_t i = 0; i < BUCKETS; i++) {
		while (sweep->buckets[i])
			take_out(sweep, &sweep->buckets[i]);
	}
	pthread_cond_destroy(&sweep->changed);
	pthread_mutex_destroy(&sweep->mutex);
	free(sweep);
	return NULL;
}
