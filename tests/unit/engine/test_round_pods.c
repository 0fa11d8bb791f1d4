/* Pods that are lost, not wanted, refused, or built on a PodTemplate. */
#include "round_fixture.h"

/* ---- Pods that are lost ---- */

static void test_a_vanished_pod_is_asked_for_and_replaced(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	run(f);
	f->context.machine.retry_delay_ns = 0;
	fake_outside_remove_pod(f->fake, pod_name(f, "n0", 0));
	run(f); /* nobody has noticed */
	assert_int_equal(fake_outside_pods_created(f->fake), 1);
	pod_cache_synced(f->context.pods); /* the watch was interrupted, and has listed again */
	run(f);
	assert_int_equal(fake_outside_pods_created(f->fake), 2);
	assert_query(f, "select error_code from task_executions where execution_id = $1 and retry_attempt = 0",
	             "ResourceDeletedExternally");
	succeed(f, "n0", 1, 1);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	fixture_free(f);
}

static json_t *running(const char *container, const char *phase, const char *ready)
{
	return json_pack("{s:s, s:[{s:s, s:s}], s:[{s:s, s:{s:{s:s}}}]}", "phase", phase, "conditions", "type", "Ready",
	                 "status", ready, "containerStatuses", "name", container, "state", "running", "startedAt",
	                 "2026-01-01T00:00:00Z");
}

/* The machine of two pods vanishes. Their tasks allow no retries: it is the system that tries again, elsewhere, once it
 * is said that the pods are to go; what becomes of them afterwards is of no interest. */
static void test_a_machine_that_vanishes(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_task(&b, 0, NULL, 0);
	workflow_add_task(&b, 0, NULL, 0);
	struct fixture *f = fixture_new(workflow_finish(&b));
	f->context.machine.retry_delay_ns = 0;
	run(f);
	const char *const nodes[] = { "n0", "n1" };
	for (size_t i = 0; i < 2; i++) {
		const char *name = pod_name(f, nodes[i], 0);
		report(f, fake_outside_set_status(f->fake, name, running(name, "Running", "True")));
		report(f, fake_outside_set_status(f->fake, name, running(name, "Running", "False")));
	}
	run(f); /* NotReady: it may come back */
	assert_query(f, "select string_agg(distinct phase, ' ') from task_executions where execution_id = $1",
	             "RUNNING");
	for (size_t i = 0; i < 2; i++)
		report(f, fake_outside_begin_deletion(f->fake, pod_name(f, nodes[i], 0)));
	run(f);
	assert_query(f,
	             "select string_agg(node_id || ' ' || retry_attempt || ' ' || t.phase, ', ' order by node_id, "
	             "retry_attempt) from task_executions t join node_executions n on n.id = t.node_execution_id where "
	             "t.execution_id = $1",
	             "n0 0 FAILED, n0 1 QUEUED, n1 0 FAILED, n1 1 QUEUED");
	/* The Node is removed, and the pods with it. */
	for (size_t i = 0; i < 2; i++) {
		const char *name = pod_name(f, nodes[i], 0);
		json_t *last = fake_outside_set_status(f->fake, name, running(name, "Failed", "False"));
		(void)pod_cache_update(f->context.pods, last, false);
		(void)pod_cache_update(f->context.pods, last, true);
		json_decref(last);
		fake_outside_remove_pod(f->fake, name);
	}
	run(f);
	succeed(f, "n0", 1, 10);
	succeed(f, "n1", 1, 11);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	assert_query(
	        f,
	        "select string_agg(engine_user_failures || '/' || engine_system_failures, ' ') from node_executions "
	        "where execution_id = $1 and node_id in ('n0', 'n1')",
	        "0/1 0/1");
	assert_int_equal(fake_outside_pods_created(f->fake), 4);
	fixture_free(f);
}

static void test_a_pod_that_ended_before_it_was_deleted_counts(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	run(f);
	succeed(f, "n0", 0, 1);
	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	pod_cache_update(f->context.pods, pod, true);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	fixture_free(f);
}

static void test_a_pod_nobody_owns_is_deleted(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	run(f);
	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	(void)query(f, "update executions set phase = 'ABORTING' where id = $1 returning id");
	/* The API server is away when the pod is to be deleted; the process ends before it comes back. */
	auto_err struct err e = ERR_INIT;
	struct round_result result = ROUND_RESULT_INIT;
	fake_outside_fail(f->fake, 0, UINT32_MAX);
	must(round_run(&f->context, f->id, &f->plan, &result, &e), &e);
	assert_true(result.incomplete);
	assert_int_equal(result.outcome, ROUND_UNFINISHED);
	round_result_release(&result);
	assert_query(f, "select phase from executions where id = $1", "ABORTED");
	fake_outside_fail(f->fake, 0, 0);
	pod_cache_drop(f->context.pods, f->id);
	/* Its watch reports that it runs: that is enough. */
	assert_int_equal(pod_cache_update(f->context.pods, pod, false), f->id);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_int_equal(fake_outside_pods_deleted(f->fake), 1);
	fixture_free(f);
}

/* Another replica has heard of the pod's end, and this one has not: the finished pod is not to be deleted. */
static void test_a_pod_that_has_changed_is_not_deleted(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	run(f);
	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	json_object_set_new(json_object_get(pod, "metadata"), "resourceVersion", json_string("1"));
	assert_int_equal(pod_cache_update(f->context.pods, pod, false), f->id);
	(void)query(f, "update executions set phase = 'ABORTED' where id = $1 returning id");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_int_equal(fake_outside_pods_deleted(f->fake), 0);
	/* The watch says what it is now. */
	json_object_del(json_object_get(pod, "metadata"), "resourceVersion");
	assert_int_equal(pod_cache_update(f->context.pods, pod, false), f->id);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_int_equal(fake_outside_pods_deleted(f->fake), 1);
	fixture_free(f);
}

/* ---- Pods that are not made ---- */

static void test_refused_pods(void **state)
{
	(void)state;
	static const struct {
		enum err_kind kind;
		const char *message, *task_phase, *code;
	} cases[] = {
		{ ERR_EXHAUSTED, "no", "WAITING_FOR_RESOURCES", "" },
		{ ERR_EXHAUSTED, "exceeded quota: q, requested: cpu=2, used: cpu=0, limited: cpu=1", "FAILED",
		  "ResourceRequestsExceedLimits" },
		{ ERR_PERMISSION, "no", "FAILED", "RetriesExhausted|RuntimeFailure" },
		{ ERR_INVALID, "no", "FAILED", "BadTaskFormat" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct fixture *f = chain(1, 0);
		fake_outside_refuse_pods(f->fake, cases[i].kind, cases[i].message);
		run(f);
		assert_query(f, "select phase from task_executions where execution_id = $1", cases[i].task_phase);
		assert_query(f, "select error_code from executions where id = $1", cases[i].code);
		if (text_equal(cases[i].task_phase, "WAITING_FOR_RESOURCES")) {
			assert_query(f, "select reason from task_executions where execution_id = $1",
			             "Exceeded resourcequota: no");
			assert_query(f, "select phase from node_executions where execution_id = $1 and node_id = 'n0'",
			             "QUEUED");
			/* There is room again, and the time has come. */
			fake_outside_refuse_pods(f->fake, ERR_NONE, NULL);
			(void)query(f, "update node_executions set engine_recheck_at = now() where execution_id = $1 "
			               "returning id");
			run(f);
			assert_query(f, "select phase from task_executions where execution_id = $1", "QUEUED");
		}
		fixture_free(f);
	}
}

static void test_a_pod_name_of_another_execution(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	struct fixture *f = chain(1, 0);
	auto_json json_t *foreign = json_pack("{s:{s:s, s:{s:s}}}", "metadata", "name", pod_name(f, "n0", 0), "labels",
	                                      POD_CACHE_LABEL, "77");
	auto_json json_t *there = NULL;
	const struct outside *outside = f->context.outside;
	must(outside->create_pod(outside->context, "flytesnacks-development", foreign, &there, &e), &e);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select error_code from executions where id = $1", "PodNameTaken");
	auto_json json_t *still = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	assert_non_null(still);
	fixture_free(f);
}

static void test_a_node_id_that_names_no_object(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_task(&b, 0, NULL, 0)->id = arena_strdup(&arena, "..");
	struct fixture *f = fixture_new(workflow_finish(&b));
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select error_code from executions where id = $1", "BadTaskFormat");
	fixture_free(f);
}

/* ---- PodTemplates ---- */

static struct fixture *with_pod_template(struct arena *arena, const char *name)
{
	struct workflow_builder b = workflow_builder(arena);
	workflow_add_task(&b, 0, NULL, 0);
	workflow_task(&b, 0)->metadata = proto_new(arena, flyteidl__core__task_metadata);
	workflow_task(&b, 0)->metadata->pod_template_name = arena_strdup(arena, name);
	return fixture_new(workflow_finish(&b));
}

static void put_pod_template(struct fixture *f, const char *namespace, const char *scheduler)
{
	fake_outside_put_pod_template(f->fake, namespace, "mine",
	                              json_pack("{s:{s:{s:s}}}", "template", "spec", "schedulerName", scheduler));
}

static void test_a_pod_template_of_the_platform(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct fixture *f = with_pod_template(&arena, "mine");
	put_pod_template(f, "flyte", "of-the-platform");
	/* What cannot be read is not missing. */
	fake_outside_fail(f->fake, fake_outside_calls(f->fake) + 1, 1);
	assert_int_equal(run(f), ROUND_UNFINISHED);
	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	assert_string_equal(json_string_at(pod, "spec/schedulerName", ""), "of-the-platform");
	fixture_free(f);
}

static void test_a_pod_template_of_the_namespace(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct fixture *f = with_pod_template(&arena, "mine");
	put_pod_template(f, "flyte", "of-the-platform");
	put_pod_template(f, "flytesnacks-development", "of-the-project");
	assert_int_equal(run(f), ROUND_UNFINISHED);
	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	assert_string_equal(json_string_at(pod, "spec/schedulerName", ""), "of-the-project");
	fixture_free(f);
}

static void test_a_missing_pod_template(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct fixture *f = with_pod_template(&arena, "absent");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_execution_error(f, "BadTaskSpecification", "PodTemplate 'absent' does not exist");
	assert_int_equal(fake_outside_pods_created(f->fake), 0);
	fixture_free(f);
}

/* The default is a base where it exists, and no matter where it does not. */
static void test_an_absent_default_pod_template(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	f->context.pod_defaults.pod_template_name = "mine";
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_int_equal(fake_outside_pods_created(f->fake), 1);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_vanished_pod_is_asked_for_and_replaced),
		cmocka_unit_test(test_a_machine_that_vanishes),
		cmocka_unit_test(test_a_pod_that_ended_before_it_was_deleted_counts),
		cmocka_unit_test(test_a_pod_nobody_owns_is_deleted),
		cmocka_unit_test(test_a_pod_that_has_changed_is_not_deleted),
		cmocka_unit_test(test_refused_pods),
		cmocka_unit_test(test_a_pod_name_of_another_execution),
		cmocka_unit_test(test_a_node_id_that_names_no_object),
		cmocka_unit_test(test_a_pod_template_of_the_platform),
		cmocka_unit_test(test_a_pod_template_of_the_namespace),
		cmocka_unit_test(test_a_missing_pod_template),
		cmocka_unit_test(test_an_absent_default_pod_template),
	};
	return cmocka_run_group_tests(tests, fixtures_begin, fixtures_end);
}
