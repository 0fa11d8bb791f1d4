/* Which pods are deleted a day after the end of their execution or when there are many, and which stay. */
#include "round_fixture.h"

#include "controlplane/engine/pod_sweep.h"

#include <poll.h>

/* 2026-01-02T00:00:00Z. */
#define NOW (INT64_C(1767312000) * 1000000000)

#define LONG_AGO "2025-12-31T10:00:00Z"
#define LATELY "2026-01-01T02:00:00Z" /* 22 hours ago */

struct sweeping {
	struct fixture *f;
	struct settings_holder *settings;
	struct pod_sweep *sweep;
};

static json_t *pod_of(struct sweeping *s, const char *name, const char *phase, int64_t execution_id,
                      const char *finished)
{
	return json_pack("{s:{s:s, s:s, s:s, s:{s:s}}, s:{s:s, s:[{s:{s:{s:s}}}]}}", "metadata", "namespace", "p-d",
	                 "name", name, "resourceVersion", "7", "labels", POD_CACHE_LABEL,
	                 arena_printf(&s->f->arena, "%lld", (long long)execution_id), "status", "phase", phase,
	                 "containerStatuses", "state", "terminated", "finishedAt", finished);
}

/* It is there, and the watch tells of it. */
static void add_pod(struct sweeping *s, const char *name, const char *phase, int64_t execution_id, const char *finished)
{
	auto_err struct err e = ERR_INIT;
	const struct outside *outside = s->f->context.outside;
	auto_json json_t *there = NULL;
	auto_json json_t *pod = pod_of(s, name, phase, execution_id, finished);
	must(outside->create_pod(outside->context, "p-d", pod, &there, &e), &e);
	pod_sweep_see(s->sweep, pod, false);
}

static void end_execution(struct sweeping *s, const char *at)
{
	(void)query(
	        s->f,
	        arena_printf(&s->f->arena,
	                     "update executions set phase = 'SUCCEEDED', ended_at = '%s' where id = $1 returning id",
	                     at));
}

static void begin(struct sweeping *s, const char *settings)
{
	auto_err struct err e = ERR_INIT;
	const struct settings *parsed;
	must(settings_parse(settings, strlen(settings), "test", false, &parsed, &e), &e);
	s->f = chain(1, 0);
	s->settings = settings_holder_new(parsed, "");
	s->sweep = pod_sweep_new(s->f->database, s->f->context.outside, s->settings);
}

static void end(struct sweeping *s)
{
	pod_sweep_free(s->sweep);
	settings_holder_free(s->settings);
	fixture_free(s->f);
}

static bool is_there(struct sweeping *s, const char *name)
{
	auto_json json_t *pod = fake_outside_pod(s->f->fake, name);
	return pod != NULL;
}

static int sweep(struct sweeping *s)
{
	auto_err struct err e = ERR_INIT;
	const int deleted = pod_sweep_run(s->sweep, NOW, &e);
	must(deleted, &e);
	return deleted;
}

/* Those of the f's execution that are there, as one complete list. */
static void list(struct sweeping *s, const char *const *names, size_t count)
{
	pod_sweep_listed(s->sweep);
	for (size_t i = 0; i < count; i++) {
		auto_json json_t *pod = pod_of(s, names[i], "Succeeded", s->f->id, LATELY);
		pod_sweep_see(s->sweep, pod, false);
	}
	pod_sweep_listed(s->sweep);
}

static void test_what_is_long_over_goes(void **state)
{
	(void)state;
	struct sweeping s;
	begin(&s, "");
	end_execution(&s, LONG_AGO);
	add_pod(&s, "long over", "Succeeded", s.f->id, LONG_AGO);
	add_pod(&s, "failed long ago", "Failed", s.f->id, LONG_AGO);
	add_pod(&s, "of nobody", "Succeeded", INT64_C(987654321), LONG_AGO);
	add_pod(&s, "of today", "Succeeded", s.f->id, LATELY);
	add_pod(&s, "running", "Running", s.f->id, LONG_AGO);
	assert_int_equal(sweep(&s), 3);
	assert_false(is_there(&s, "long over") || is_there(&s, "failed long ago") || is_there(&s, "of nobody"));
	assert_true(is_there(&s, "of today") && is_there(&s, "running"));
	list(&s, (const char *[]){ "of today" }, 1);
	assert_int_equal(sweep(&s), 0); /* what the list does not have is forgotten */
	end(&s);
}

/* A pod may have ended days before its execution. */
static void test_what_belongs_to_an_execution_of_today_stays(void **state)
{
	(void)state;
	struct sweeping s;
	begin(&s, "");
	add_pod(&s, "first", "Succeeded", s.f->id, LONG_AGO);
	assert_int_equal(sweep(&s), 0); /* it has not ended */
	end_execution(&s, LATELY);
	auto_json json_t *pod = pod_of(&s, "first", "Succeeded", s.f->id, LONG_AGO);
	pod_sweep_see(s.sweep, pod, false);
	assert_int_equal(sweep(&s), 0);
	assert_true(is_there(&s, "first"));
	end_execution(&s, LONG_AGO); /* so it was the execution that kept it */
	pod_sweep_see(s.sweep, pod, false);
	assert_int_equal(sweep(&s), 1);
	end(&s);
}

static void test_what_has_changed_since_stays(void **state)
{
	(void)state;
	struct sweeping s;
	begin(&s, "");
	end_execution(&s, LONG_AGO);
	add_pod(&s, "again", "Succeeded", s.f->id, LONG_AGO);
	fake_outside_remove_pod(s.f->fake, "again");
	auto_err struct err e = ERR_INIT;
	const struct outside *outside = s.f->context.outside;
	auto_json json_t *other = json_pack("{s:{s:s, s:s}}", "metadata", "name", "again", "resourceVersion", "8");
	auto_json json_t *there = NULL;
	must(outside->create_pod(outside->context, "p-d", other, &there, &e), &e);
	assert_int_equal(sweep(&s), 0);
	assert_true(is_there(&s, "again"));
	end(&s);
}

static void test_for_ever(void **state)
{
	(void)state;
	struct sweeping s;
	begin(&s, "propeller: {max-ttl-hours: 0}");
	end_execution(&s, LONG_AGO);
	add_pod(&s, "old", "Succeeded", s.f->id, LONG_AGO);
	assert_int_equal(sweep(&s), 0);
	assert_true(is_there(&s, "old"));
	end(&s);
}

static void add_pods(struct sweeping *s, const char *prefix, int count, int64_t execution_id)
{
	for (int i = 0; i < count; i++) {
		const char *name = arena_printf(&s->f->arena, "%s-%03d", prefix, i);
		add_pod(s, name, "Succeeded", execution_id,
		        arena_printf(&s->f->arena, "2026-01-01T23:00:%02dZ", i % 60));
	}
}

static void test_many_go_before_their_time(void **state)
{
	(void)state;
	struct sweeping s;
	begin(&s, "propeller: {max-ended-pods: 5}");
	add_pods(&s, "pod", 9, s.f->id);
	assert_int_equal(sweep(&s), 0); /* the execution goes on */
	end_execution(&s, "2026-01-01T23:30:00Z");
	assert_int_equal(sweep(&s), 4);
	assert_false(is_there(&s, "pod-000") || is_there(&s, "pod-003"));
	assert_true(is_there(&s, "pod-004") && is_there(&s, "pod-008"));
	end(&s);
}

/* The oldest belong to an execution that goes on: younger ones of others go instead. */
static void test_many_of_one_that_goes_on(void **state)
{
	(void)state;
	struct sweeping s;
	begin(&s, "propeller: {max-ended-pods: 3}");
	add_pod(&s, "goes on", "Succeeded", s.f->id, LATELY);
	add_pods(&s, "over", 4, INT64_C(987654321));
	assert_int_equal(sweep(&s), 2);
	assert_true(is_there(&s, "goes on") && is_there(&s, "over-002") && is_there(&s, "over-003"));
	end(&s);
}

static void test_age_and_number_together(void **state)
{
	(void)state;
	struct sweeping s;
	begin(&s, "propeller: {max-ended-pods: 2}");
	end_execution(&s, LONG_AGO);
	add_pod(&s, "long over", "Succeeded", s.f->id, LONG_AGO);
	add_pods(&s, "over", 3, s.f->id);
	assert_int_equal(sweep(&s), 2);
	assert_false(is_there(&s, "long over") || is_there(&s, "over-000"));
	assert_true(is_there(&s, "over-001") && is_there(&s, "over-002"));
	end(&s);
}

static void test_what_the_watch_tells(void **state)
{
	(void)state;
	struct sweeping s;
	begin(&s, "propeller: {max-ended-pods: 1}");
	end_execution(&s, LATELY);
	add_pods(&s, "pod", 3, s.f->id);
	auto_json json_t *gone = pod_of(&s, "pod-000", "Succeeded", s.f->id, LATELY);
	pod_sweep_see(s.sweep, gone, true);
	auto_json json_t *again = pod_of(&s, "pod-001", "Running", s.f->id, LATELY);
	pod_sweep_see(s.sweep, again, false);
	assert_int_equal(sweep(&s), 0); /* one has ended */
	end(&s);
}

/* The thread does not wait for the next list. It goes by the real clock. */
static void test_thread(void **state)
{
	(void)state;
	struct sweeping s;
	auto_err struct err e = ERR_INIT;
	begin(&s, "propeller: {max-ended-pods: 1, max-ttl-hours: 0}");
	end_execution(&s, LATELY);
	must(pod_sweep_start(s.sweep, &e), &e);
	add_pods(&s, "pod", 20, s.f->id);
	for (int i = 0; i < 3000 && is_there(&s, "pod-000"); i++)
		(void)poll(NULL, 0, 10);
	assert_false(is_there(&s, "pod-000"));
	assert_true(is_there(&s, "pod-019"));
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_long_over_goes),
		cmocka_unit_test(test_what_belongs_to_an_execution_of_today_stays),
		cmocka_unit_test(test_what_has_changed_since_stays),
		cmocka_unit_test(test_for_ever),
		cmocka_unit_test(test_many_go_before_their_time),
		cmocka_unit_test(test_many_of_one_that_goes_on),
		cmocka_unit_test(test_age_and_number_together),
		cmocka_unit_test(test_what_the_watch_tells),
		cmocka_unit_test(test_thread),
	};
	return cmocka_run_group_tests(tests, fixtures_begin, fixtures_end);
}
