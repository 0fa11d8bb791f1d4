/* What the pod cache keeps, forgets, and admits not to know. */
#include "controlplane/engine/pod_cache.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static json_t *pod(const char *execution, const char *name, const char *phase)
{
	return json_pack("{s:{s:s, s:s, s:{s:s}, s:[]}, s:{s:[{s:s, s:s}]}, s:{s:s}}", "metadata", "name", name,
	                 "namespace", "ns", "labels", POD_CACHE_LABEL, execution, "managedFields", "spec", "containers",
	                 "name", "main", "image", "i", "status", "phase", phase);
}

static enum pod_knowledge find(struct pod_cache *cache, int64_t id, const char *name)
{
	auto_json json_t *found = NULL;
	uint64_t version;
	return pod_cache_find(cache, id, name, &version, &found);
}

static int64_t update(struct pod_cache *cache, json_t *object, bool deleted)
{
	const int64_t id = pod_cache_update(cache, object, deleted);
	json_decref(object);
	return id;
}

static size_t running(struct pod_cache *cache, int64_t id)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)1 << 20);
	struct pod_reference *pods;
	const size_t count = pod_cache_running(cache, id, &arena, &pods);
	if (count)
		assert_string_equal(pods[0].namespace, "ns");
	return count;
}

static void test_labels(void **state)
{
	(void)state;
	static const struct {
		const char *label;
		int64_t id;
	} cases[] = { { "12", 12 }, { "0", 0 }, { "-1", 0 }, { "x", 0 }, { "", 0 }, { "99999999999999999999", 0 } };
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		auto_json json_t *object = pod(cases[i].label, "p", "Running");
		assert_int_equal(pod_execution(object), cases[i].id);
	}
	auto_json json_t *unlabelled = json_pack("{s:{s:s}}", "metadata", "name", "p");
	assert_int_equal(pod_execution(unlabelled), 0);
}

static void test_only_what_is_needed_is_kept(void **state)
{
	(void)state;
	struct pod_cache *cache = pod_cache_new();
	pod_cache_open(cache, 1);
	assert_int_equal(update(cache, pod("1", "p", "Running"), false), 1);
	auto_json json_t *found = NULL;
	uint64_t version;
	assert_int_equal(pod_cache_find(cache, 1, "p", &version, &found), POD_KNOWN);
	assert_null(json_lookup(found, "metadata/managedFields"));
	assert_string_equal(json_string_at(found, "status/phase", ""), "Running");
	assert_null(json_object_get(json_array_get(json_lookup(found, "spec/containers"), 0), "image"));
	assert_non_null(json_object_get(json_array_get(json_lookup(found, "spec/containers"), 0), "name"));
	pod_cache_free(cache);
}

static void test_finished_pods_of_finished_executions_are_not_kept(void **state)
{
	(void)state;
	struct pod_cache *cache = pod_cache_new();
	assert_int_equal(update(cache, pod("7", "p", "Succeeded"), false), 0);
	assert_int_equal(update(cache, pod("7", "p", "Failed"), false), 0);
	assert_int_equal(update(cache, pod("7", "p", "Running"), true), 0);
	/* One that still runs has to be looked after. */
	assert_int_equal(update(cache, pod("7", "p", "Running"), false), 7);
	assert_int_equal(running(cache, 7), 1);
	pod_cache_drop(cache, 7);
	assert_int_equal(running(cache, 7), 0);
	pod_cache_drop(cache, 7);
	pod_cache_free(cache);
}

static void test_what_is_not_known(void **state)
{
	(void)state;
	struct pod_cache *cache = pod_cache_new();
	pod_cache_open(cache, 1);
	assert_int_equal(find(cache, 1, "p"), POD_UNKNOWN); /* no list yet */
	update(cache, pod("1", "q", "Running"), false);
	update(cache, pod("1", "done", "Succeeded"), false);
	pod_cache_synced(cache);
	assert_int_equal(find(cache, 1, "p"), POD_ASK);
	assert_int_equal(find(cache, 1, "q"), POD_KNOWN);
	/* After an interruption, a pod that ran may have gone; one that had ended has told all there is. */
	pod_cache_synced(cache);
	assert_int_equal(find(cache, 1, "q"), POD_ASK);
	assert_int_equal(find(cache, 1, "done"), POD_KNOWN);
	auto_json json_t *answer = pod("1", "q", "Running");
	pod_cache_add(cache, 1, answer);
	assert_int_equal(find(cache, 1, "q"), POD_KNOWN);
	pod_cache_synced(cache);
	pod_cache_remove(cache, 1, "q");
	assert_int_equal(find(cache, 1, "q"), POD_DELETED);
	pod_cache_free(cache);
}

static void test_an_answer_does_not_overwrite_an_event(void **state)
{
	(void)state;
	struct pod_cache *cache = pod_cache_new();
	pod_cache_open(cache, 1);
	update(cache, pod("1", "p", "Succeeded"), false); /* it was faster than the answer to its creation */
	auto_json json_t *created = pod("1", "p", "Pending");
	pod_cache_add(cache, 1, created);
	auto_json json_t *found = NULL;
	uint64_t version;
	assert_int_equal(pod_cache_find(cache, 1, "p", &version, &found), POD_KNOWN);
	assert_string_equal(json_string_at(found, "status/phase", ""), "Succeeded");
	pod_cache_free(cache);
}

static void test_what_runs(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		bool runs;
	} cases[] = {
		{ "{\"phase\":\"Pending\"}", true },
		{ "{\"phase\":\"Running\"}", true },
		{ "{\"phase\":\"Succeeded\"}", false },
		{ "{\"phase\":\"Failed\"}", false },
		{ "{\"phase\":\"Running\",\"containerStatuses\":[{\"state\":{\"terminated\":{\"exitCode\":0}}}]}",
		  false },
		{ "{\"phase\":\"Running\",\"containerStatuses\":[{\"state\":{\"running\":{}}}]}", true },
		{ "{\"phase\":\"Pending\",\"containerStatuses\":[{\"state\":{\"waiting\":{\"reason\":"
		  "\"ImagePullBackOff\"}}}]}",
		  true },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct pod_cache *cache = pod_cache_new();
		pod_cache_open(cache, 1);
		json_t *object = pod("1", "p", "");
		json_object_set_new(object, "status", json_loads(cases[i].json, 0, NULL));
		update(cache, object, false);
		assert_int_equal(running(cache, 1), cases[i].runs);
		pod_cache_free(cache);
	}
	struct pod_cache *cache = pod_cache_new();
	pod_cache_open(cache, 1);
	json_t *going = pod("1", "p", "Running");
	json_object_set_new(json_object_get(going, "metadata"), "deletionTimestamp",
	                    json_string("2026-01-01T00:00:00Z"));
	update(cache, going, false);
	assert_int_equal(running(cache, 1), 0); /* somebody has asked already */
	pod_cache_free(cache);
}

static uint64_t version_of(struct pod_cache *cache, const char *name)
{
	auto_json json_t *found = NULL;
	uint64_t version;
	pod_cache_find(cache, 1, name, &version, &found);
	return version;
}

static void test_versions(void **state)
{
	(void)state;
	struct pod_cache *cache = pod_cache_new();
	pod_cache_open(cache, 1);
	assert_int_equal(version_of(cache, "p"), 0);
	update(cache, pod("1", "p", "Pending"), false);
	const uint64_t first = version_of(cache, "p");
	assert_true(first > 0);
	update(cache, pod("1", "q", "Pending"), false);
	assert_int_equal(version_of(cache, "p"), first);
	update(cache, pod("1", "p", "Running"), false);
	const uint64_t second = version_of(cache, "p");
	assert_true(second > first);
	pod_cache_remove(cache, 1, "p");
	assert_true(version_of(cache, "p") > second);
	pod_cache_free(cache);
}

static void test_settled_pods_wake_nobody(void **state)
{
	(void)state;
	struct pod_cache *cache = pod_cache_new();
	pod_cache_open(cache, 1);
	pod_cache_synced(cache);
	update(cache, pod("1", "p", "Running"), false);
	pod_cache_settle(cache, 1, "p"); /* it runs: there is more to come */
	assert_int_equal(find(cache, 1, "p"), POD_KNOWN);
	assert_int_equal(update(cache, pod("1", "p", "Succeeded"), false), 1);
	pod_cache_settle(cache, 1, "p");
	assert_int_equal(update(cache, pod("1", "p", "Succeeded"), false), 0);
	assert_int_equal(update(cache, pod("1", "p", "Succeeded"), true), 0);
	pod_cache_synced(cache);
	/* Somebody wants to know all the same: only the API server can tell. */
	assert_int_equal(find(cache, 1, "p"), POD_ASK);
	/* A new pod of that name is another matter. */
	assert_int_equal(update(cache, pod("1", "p", "Running"), false), 1);
	assert_int_equal(find(cache, 1, "p"), POD_KNOWN);
	assert_int_equal(running(cache, 1), 1);
	pod_cache_settle(cache, 1, "unknown");
	pod_cache_settle(cache, 2, "p");
	pod_cache_free(cache);
}

/* More than the first buckets hold, ending in another order than they began. */
static void test_many_pods(void **state)
{
	(void)state;
	enum { COUNT = 1000 };
	struct pod_cache *cache = pod_cache_new();
	char name[16];
	pod_cache_open(cache, 1);
	for (unsigned i = 0; i < COUNT; i++) {
		(void)snprintf(name, sizeof(name), "p%u", i);
		update(cache, pod("1", name, "Running"), false);
	}
	assert_int_equal(running(cache, 1), COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		const unsigned which = i * 7 % COUNT;
		(void)snprintf(name, sizeof(name), "p%u", which);
		assert_int_equal(find(cache, 1, name), POD_KNOWN);
		update(cache, pod("1", name, "Succeeded"), i % 2);
		assert_int_equal(running(cache, 1), COUNT - 1 - i);
		assert_int_equal(find(cache, 1, name), i % 2 ? POD_DELETED : POD_KNOWN);
	}
	pod_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_only_what_is_needed_is_kept),
		cmocka_unit_test(test_finished_pods_of_finished_executions_are_not_kept),
		cmocka_unit_test(test_what_is_not_known),
		cmocka_unit_test(test_an_answer_does_not_overwrite_an_event),
		cmocka_unit_test(test_what_runs),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_settled_pods_wake_nobody),
		cmocka_unit_test(test_many_pods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
