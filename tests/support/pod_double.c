/*
 * A Kubernetes API server without a kubelet, and an object store, for measuring the engine and nothing else:
 *
 *	pod_double PORT [--run-ms N] [--outputs FILE]
 *
 * Pods that are created are reported as pending, running, terminated (exit code 0) and Succeeded through the watch, as
 *the real API server does, N ms after their creation (default 0; -1: they run for ever). With --outputs, each leaves
 *the bytes of FILE as outputs.pb below the --output-prefix of its arguments, as flytekit would. The object store
 *answers paths that are not Kubernetes'. Everything is in memory.
 *
 * GET /stats tells what there was, and for every pod that followed another one's end in the same execution how long
 *that took, in microseconds from the moment the watch had the event; "repeated" counts pods that were created under the name of
 *an earlier one, be it there or not. POST /stats forgets it, POST /stats?latencies only the times; POST /run?N sets --run-ms
 *for pods created from now on and ends those that run for ever.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "double_http.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS (1u << 16)
#define API_PODS "/api/v1/pods"

/* ---- Tables by name ---- */

struct entry {
	char *name;
	void *value;
	size_t length; /* of an object's bytes */
	struct entry *next;
};

struct table {
	struct entry *buckets[BUCKETS];
	size_t count;
};

static struct entry **table_find(struct table *table, const char *name)
{
	uint32_t hash = 2166136261u;
	for (const char *at = name; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	struct entry **at = &table->buckets[hash % BUCKETS];
	while (*at && !text_equal((*at)->name, name))
		at = &(*at)->next;
	return at;
}

static struct entry *table_add(struct table *table, const char *name)
{
	struct entry **at = table_find(table, name);
	if (!*at) {
		*at = xcalloc(1, sizeof(**at));
		(*at)->name = xstrdup(name);
		table->count++;
	}
	return *at;
}

static void table_remove(struct table *table, const char *name)
{
	struct entry **at = table_find(table, name), *entry = *at;
	if (!entry)
		return;
	*at = entry->next;
	free(entry->name);
	free(entry);
	table->count--;
}

/* ---- The world ---- */

struct event {
	char *line; /* NULL once it is old */
	size_t length;
};

struct ends { /* of one execution: when its pods ended, and how many of the ends were followed by a new pod */
	size_t count, followed;
	int64_t *at_us;
};

struct due {
	char *path;
	int64_t at_ms;
	struct due *next;
};

#define EVENTS_KEPT 200000

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct table pods;    /* by path; values are json_t */
	struct table objects; /* by path; values are bytes */
	struct table executions;
	struct table names;   /* of all pods that there ever were */
	struct event *events; /* event i has resource version i + 1 */
	size_t event_count;
	struct due *due_first, *due_last;
	int64_t run_ms;
	char *outputs;
	size_t outputs_length;
	/* Statistics. */
	size_t created, repeated, ended, deleted, requests, latency_count;
	int64_t *latencies_us, first_created_us, last_ended_us;
} world = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void *grown(void *array, size_t count, size_t size)
{
	return (count & (count - 1)) == 0 ? xreallocarray(array, count ? count * 2 : 1, size) : array;
}

static struct ends *ends_of(const json_t *pod)
{
	const json_t *labels = json_lookup(pod, "metadata/labels");
	const char *execution = json_string_value(json_object_get(labels, "flyte.org/execution-row"));
	struct entry *entry = table_add(&world.executions, execution ? execution : "");
	if (!entry->value)
		entry->value = xcalloc(1, sizeof(struct ends));
	return entry->value;
}

/* With the mutex held, as all below. */
static void publish(const char *type, json_t *pod)
{
	char version[24];
	(void)snprintf(version, sizeof(version), "%zu", world.event_count + 1);
	json_object_set_new(json_object_get(pod, "metadata"), "resourceVersion", json_string(version));
	auto_json json_t *event = json_pack("{s:s, s:O}", "type", type, "object", pod);
	auto_free char *text = json_to_text(event);
	world.events = grown(world.events, world.event_count, sizeof(*world.events));
	struct event *added = &world.events[world.event_count++];
	added->line = xasprintf("%s\n", text);
	added->length = strlen(added->line);
	if (world.event_count > EVENTS_KEPT) {
		struct event *old = &world.events[world.event_count - 1 - EVENTS_KEPT];
		free(old->line);
		old->line = NULL;
	}
	pthread_cond_broadcast(&world.changed);
}

/* ---- The kubelet that there is none of ---- */

static json_t *status(const json_t *pod, const char *phase, json_t *state)
{
	const json_t *container = json_array_get(json_lookup(pod, "spec/containers"), 0);
	return json_pack("{s:s, s:[{s:s, s:o}]}", "phase", phase, "containerStatuses", "name",
	                 json_string_at(container, "name", ""), "state", state);
}

static json_t *terminated(void)
{
	return json_pack("{s:{s:i, s:s, s:s, s:s}}", "terminated", "exitCode", 0, "reason", "Completed", "startedAt",
	                 "2026-01-01T00:00:00Z", "finishedAt", "2026-01-01T00:00:01Z");
}

static void set_status(json_t *pod, json_t *to)
{
	json_object_set_new(pod, "status", to);
	publish("MODIFIED", pod);
}

static void leave_outputs(const json_t *pod)
{
	const json_t *arguments = json_object_get(json_array_get(json_lookup(pod, "spec/containers"), 0), "args");
	for (size_t i = 0; world.outputs && i + 1 < json_array_size(arguments); i++) {
		const char *uri = json_string_value(json_array_get(arguments, i + 1));
		if (!text_equal(json_string_value(json_array_get(arguments, i)), "--output-prefix") ||
		    !text_starts_with(uri, "s3://"))
			continue;
		auto_free char *path = xasprintf("/%s/outputs.pb", uri + strlen("s3://"));
		struct entry *entry = table_add(&world.objects, path);
		free(entry->value);
		entry->value = xmalloc(world.outputs_length + 1);
		memcpy(entry->value, world.outputs, world.outputs_length);
		entry->length = world.outputs_length;
	}
}

static void end_pod(json_t *pod)
{
	leave_outputs(pod);
	set_status(pod, status(pod, "Running", terminated()));
	struct ends *ends = ends_of(pod);
	ends->at_us = grown(ends->at_us, ends->count, sizeof(*ends->at_us));
	world.last_ended_us = ends->at_us[ends->count++] = clock_monotonic_us();
	world.ended++;
	set_status(pod, status(pod, "Succeeded", terminated()));
}

static void *kubelet_main(void *context)
{
	(void)context;
	pthread_mutex_lock(&world.mutex);
	for (;;) {
		struct due *due = world.due_first;
		if (!due) {
			pthread_cond_wait(&world.changed, &world.mutex);
			continue;
		}
		const int64_t wait_ms = due->at_ms - clock_monotonic_ms();
		if (wait_ms > 0) {
			const struct timespec pause = { .tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000 };
			pthread_mutex_unlock(&world.mutex);
			nanosleep(&pause, NULL);
			pthread_mutex_lock(&world.mutex);
			continue;
		}
		world.due_first = due->next;
		if (!world.due_first)
			world.due_last = NULL;
		const struct entry *entry = *table_find(&world.pods, due->path);
		if (entry)
			end_pod(entry->value);
		free(due->path);
		free(due);
	}
	return NULL;
}

static void end_later(const char *path)
{
	struct due *due = xcalloc(1, sizeof(*due));
	*due = (struct due){ .path = xstrdup(path), .at_ms = clock_monotonic_ms() + world.run_ms };
	if (world.due_last)
		world.due_last->next = due;
	else
		world.due_first = due;
	world.due_last = due;
}

/* ---- Kubernetes ---- */

static void answer_json(const struct double_request *request, int code, const json_t *value)
{
	auto_free char *text = json_to_text(value);
	double_answer(request, code, "application/json", text, strlen(text));
}

static void answer_failure(const struct double_request *request, int code, const char *reason)
{
	auto_json json_t *value =
	        json_pack("{s:s, s:s, s:s, s:i}", "kind", "Status", "reason", reason, "message", reason, "code", code);
	answer_json(request, code, value);
}

static void note_creation(const json_t *pod)
{
	struct ends *ends = ends_of(pod);
	const int64_t now_us = clock_monotonic_us();
	if (world.created++ == 0)
		world.first_created_us = now_us;
	if (ends->followed == ends->count)
		return;
	world.latencies_us = grown(world.latencies_us, world.latency_count, sizeof(*world.latencies_us));
	world.latencies_us[world.latency_count++] = now_us - ends->at_us[ends->followed++];
}

static void create_pod(const struct double_request *request, json_t *pod)
{
	auto_free char *path = xasprintf("%s/%s", request->path, json_string_at(pod, "metadata/name", ""));
	struct entry *entry = *table_find(&world.pods, path);
	if (entry) {
		answer_failure(request, 409, "AlreadyExists");
		return;
	}
	entry = table_add(&world.pods, path);
	entry->value = json_incref(pod);
	const size_t names = world.names.count;
	(void)table_add(&world.names, path);
	if (world.names.count == names)
		world.repeated++;
	note_creation(pod);
	json_object_set_new(json_object_get(pod, "metadata"), "creationTimestamp", json_string("2026-01-01T00:00:00Z"));
	json_object_set_new(pod, "status", json_pack("{s:s}", "phase", "Pending"));
	publish("ADDED", pod);
	answer_json(request, 201, pod);
	set_status(pod, status(pod, "Running", json_pack("{s:{s:s}}", "running", "startedAt", "2026-01-01T00:00:00Z")));
	if (world.run_ms >= 0)
		end_later(path);
}

static void watch(const struct double_request *request)
{
	const char *version = strstr(request->query, "resourceVersion=");
	size_t next = version ? strtoul(version + strlen("resourceVersion="), NULL, 10) : 0;
	double_begin_stream(request, "application/json");
	pthread_mutex_lock(&world.mutex);
	for (bool open = true; open;) {
		while (next >= world.event_count)
			pthread_cond_wait(&world.changed, &world.mutex);
		auto_buf struct buf lines = BUF_INIT((size_t)64 << 20);
		for (; next < world.event_count && lines.length < ((size_t)1 << 20); next++) {
			double_check(world.events[next].line, "a watch that is far behind");
			buf_add(&lines, world.events[next].line, world.events[next].length);
		}
		pthread_mutex_unlock(&world.mutex);
		open = double_stream(request, lines.data, lines.length);
		pthread_mutex_lock(&world.mutex);
	}
	pthread_mutex_unlock(&world.mutex);
}

static void list_pods(const struct double_request *request)
{
	auto_json json_t *items = json_array();
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct entry *entry = world.pods.buckets[i]; entry; entry = entry->next)
			json_array_append(items, entry->value);
	}
	char version[24];
	(void)snprintf(version, sizeof(version), "%zu", world.event_count);
	auto_json json_t *list = json_pack("{s:s, s:{s:s}, s:O}", "kind", "PodList", "metadata", "resourceVersion",
	                                   version, "items", items);
	answer_json(request, 200, list);
}

/* DeleteOptions may say which version is meant. */
static bool is_meant(const struct double_request *request, const json_t *pod)
{
	auto_json json_t *options = request->length ? json_parse(request->body, request->length, "options", NULL) : NULL;
	const char *version = json_string_at(options, "preconditions/resourceVersion", "");
	return !*version || text_equal(version, json_string_at(pod, "metadata/resourceVersion", ""));
}

static void delete_pod(const struct double_request *request, json_t *pod)
{
	if (!is_meant(request, pod)) {
		answer_failure(request, 409, "Conflict");
		return;
	}
	publish("DELETED", pod);
	world.deleted++;
	answer_json(request, 200, pod);
	table_remove(&world.pods, request->path);
	json_decref(pod);
}

static void kubernetes(const struct double_request *request)
{
	const struct entry *entry = *table_find(&world.pods, request->path);
	if (text_equal(request->method, "POST")) {
		auto_err struct err e = ERR_INIT;
		auto_json json_t *object = json_parse(request->body, request->length, "a request", &e);
		double_check(object, "a body that is not JSON");
		if (text_ends_with(request->path, "/pods"))
			create_pod(request, object);
		else
			answer_json(request, 201, object);
	} else if (text_equal(request->path, API_PODS)) {
		list_pods(request);
	} else if (!entry) {
		answer_failure(request, 404, "NotFound");
	} else if (text_equal(request->method, "DELETE")) {
		delete_pod(request, entry->value);
	} else {
		answer_json(request, 200, entry->value);
	}
}

/* ---- Objects and statistics ---- */

static void objects(const struct double_request *request)
{
	struct entry *entry = *table_find(&world.objects, request->path);
	if (text_equal(request->method, "PUT")) {
		entry = table_add(&world.objects, request->path);
		free(entry->value);
		entry->value = xmalloc(request->length + 1);
		memcpy(entry->value, request->body, request->length);
		entry->length = request->length;
		double_answer(request, 200, "text/plain", "", 0);
	} else if (entry) {
		double_answer(request, 200, "application/octet-stream", entry->value, entry->length);
	} else {
		double_answer(request, 404, "application/xml", "", 0);
	}
}

static void stats(const struct double_request *request)
{
	if (text_equal(request->method, "POST")) {
		world.latency_count = 0;
		if (!text_equal(request->query, "latencies"))
			world.created = world.repeated = world.ended = world.deleted = world.requests = 0;
		double_answer(request, 200, "text/plain", "", 0);
		return;
	}
	auto_json json_t *latencies = json_array();
	for (size_t i = 0; i < world.latency_count; i++)
		json_array_append_new(latencies, json_integer(world.latencies_us[i]));
	auto_json json_t *value =
	        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "created", (json_int_t)world.created, "repeated",
	                  (json_int_t)world.repeated, "ended", (json_int_t)world.ended, "deleted", (json_int_t)world.deleted, "requests",
	                  (json_int_t)world.requests, "objects", (json_int_t)world.objects.count, "span_us",
	                  (json_int_t)(world.last_ended_us - world.first_created_us), "latencies_us", latencies);
	answer_json(request, 200, value);
}

static void set_run(const struct double_request *request)
{
	const bool held = world.run_ms < 0;
	world.run_ms = strtoll(request->query, NULL, 10);
	for (size_t i = 0; held && world.run_ms >= 0 && i < BUCKETS; i++) {
		for (const struct entry *entry = world.pods.buckets[i]; entry; entry = entry->next) {
			if (text_equal(json_string_at(entry->value, "status/phase", ""), "Running"))
				end_later(entry->name);
		}
	}
	pthread_cond_broadcast(&world.changed);
	double_answer(request, 200, "text/plain", "", 0);
}

static void handle(const struct double_request *request)
{
	if (text_equal(request->path, API_PODS) && strstr(request->query, "watch=")) {
		watch(request);
		return;
	}
	pthread_mutex_lock(&world.mutex);
	world.requests++;
	if (text_equal(request->path, "/stats"))
		stats(request);
	else if (text_equal(request->path, "/run"))
		set_run(request);
	else if (text_starts_with(request->path, "/api/"))
		kubernetes(request);
	else
		objects(request);
	pthread_mutex_unlock(&world.mutex);
}

static void read_outputs(const char *path)
{
	auto_buf struct buf bytes = BUF_INIT((size_t)1 << 20);
	FILE *file = fopen(path, "re");
	double_check(file, path);
	char *room = buf_reserve(&bytes, (size_t)1 << 20);
	double_check(room, "memory");
	buf_commit(&bytes, fread(room, 1, (size_t)1 << 20, file));
	(void)fclose(file);
	world.outputs_length = bytes.length;
	world.outputs = buf_steal(&bytes);
}

int main(int argc, char **argv)
{
	int64_t port = 0;
	bool understood = argc >= 2 && argc % 2 == 0 && text_to_int64(argv[1], 1, 65535, &port);
	for (int i = 2; understood && i + 1 < argc; i += 2) {
		if (text_equal(argv[i], "--run-ms"))
			understood = text_to_int64(argv[i + 1], -1, 3600000, &world.run_ms);
		else if (text_equal(argv[i], "--outputs"))
			read_outputs(argv[i + 1]);
		else
			understood = false;
	}
	if (!understood) {
		fprintf(stderr, "usage: pod_double PORT [--run-ms N] [--outputs FILE]\n");
		return 2;
	}
	pthread_t kubelet;
	double_check(pthread_create(&kubelet, NULL, kubelet_main, NULL) == 0, "pthread_create");
	double_serve((uint16_t)port, handle);
	return 0;
}
