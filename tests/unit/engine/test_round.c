/* Rounds from the begin of an execution to its end, several replicas, and what breaks in the middle. */
#include "round_fixture.h"

#include "base/clock.h"
#include "controlplane/store/signals.h"

/* ---- The good way ---- */

static void test_a_chain_runs_to_its_end(void **state)
{
	(void)state;
	struct fixture *f = chain(2, 0);
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_query(f, "select phase from executions where id = $1", "RUNNING");
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "start-node/data/0/outputs.pb")), "x"), 1);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n0/data/inputs.pb")), "i0"), 1);
	assert_int_equal(fake_outside_pods_created(f->fake), 1);

	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	assert_non_null(pod);
	assert_int_equal(pod_execution(pod), f->id);

	succeed(f, "n0", 0, 41);
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n1/data/inputs.pb")), "i0"), 41);
	succeed(f, "n1", 0, 42);
	assert_int_equal(run(f), ROUND_FINISHED);

	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	assert_query(f, "select outputs_uri from executions where id = $1",
	             object_uri(f, "end-node/data/0/outputs.pb"));
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "end-node/data/0/outputs.pb")), "o1"), 42);
	assert_query(f,
	             "select string_agg(node_id || ':' || phase, ' ' order by id) from node_executions where "
	             "execution_id = $1",
	             "start-node:SUCCEEDED n0:SUCCEEDED n1:SUCCEEDED end-node:SUCCEEDED");
	assert_query(
	        f,
	        "select string_agg(name || ' ' || retry_attempt || ' ' || phase || ' ' || pod_name, ', ' order by id)"
	        " from task_executions where execution_id = $1",
	        arena_printf(&f->arena, "t0 0 SUCCEEDED %s, t1 0 SUCCEEDED %s", pod_name(f, "n0", 0),
	                     pod_name(f, "n1", 0)));
	assert_query(
	        f,
	        "select bool_and(started_at is not null and ended_at is not null and duration >= interval '0')::text"
	        " from task_executions where execution_id = $1",
	        "true");
	assert_query(f, "select (outputs is not null and duration is not null)::text from executions where id = $1",
	             "true");
	/* A finished execution stays as it is, whatever wakes it. */
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_int_equal(fake_outside_pods_created(f->fake), 2);
	assert_int_equal(fake_outside_pods_deleted(f->fake), 0);
	fixture_free(f);
}

/* Everything of a sub-workflow in rows and objects, and found again there by rounds that know nothing else. */
static void test_a_sub_workflow_in_rows(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena), sub = workflow_sub_builder(&b);
	workflow_add_task(&sub, 0, NULL, 0);
	workflow_finish(&sub);
	workflow_add_sub(&b, &sub, NULL, 0);
	workflow_add_branch(&b, 100, NULL, 0, (size_t[]){ 0 }, 1);
	struct fixture *f = fixture_new(workflow_finish(&b));
	run(f);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n0/data/inputs.pb")), "x"), 1);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n0/data/0/start-node/0/outputs.pb")), "x"),
	                 1);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n0/data/0/n0/inputs.pb")), "i0"), 1);
	plan_free(f->plan);
	f->plan = NULL;
	put_message(f, object_uri(f, "n0/data/0/n0/0/outputs.pb"), &workflow_integer(&f->arena, "o0", 5)->base);
	end_pod(f, "n0-0-n0", 0, 0, "Completed");
	run(f);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n0/data/0/outputs.pb")), "o0"), 5);
	put_message(f, object_uri(f, "n1/data/0/n1-then/0/outputs.pb"), &workflow_integer(&f->arena, "o0", 6)->base);
	end_pod(f, "n1-0-n1-then", 0, 0, "Completed");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(
	        f,
	        "select string_agg(concat_ws(':', n.node_id, p.node_id, n.retry_group, n.is_parent::text, n.phase), ' '"
	        " order by n.id) from node_executions n left join node_executions p on p.id = n.parent_id"
	        " where n.execution_id = $1 and n.spec_node_id not like '%-node'",
	        "n0::true:SUCCEEDED n0-0-n0:n0:0:false:SUCCEEDED n1::true:SUCCEEDED "
	        "n1-0-n1-then:n1:0:false:SUCCEEDED n1-0-n1-else:n1:0:false:SKIPPED");
	assert_int_equal(fake_outside_pods_deleted(f->fake), 0);
	fixture_free(f);
}

static void test_a_signal_is_asked_for_and_taken(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_signal(&b, NULL, 0);
	struct fixture *f = fixture_new(workflow_finish(&b));
	run(f);
	run(f);
	assert_query(f, "select concat_ws(' ', signal_id, (value is null)::text) from signals where execution_id = $1",
	             "s0 true");
	const Flyteidl__Core__Literal *value = workflow_integer(&f->arena, "", 41)->literals[0]->value;
	auto_err struct err e = ERR_INIT;
	const struct signal_key key = { "flytesnacks", "development", f->name, "s0" };
	{
		auto_connection struct database_connection *c = borrow(f);
		must(signals_set(c, &f->arena, &key, proto_pack(&f->arena, &value->base), &e), &e);
	}
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n0/data/0/outputs.pb")), "o0"), 41);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "end-node/data/0/outputs.pb")), "o0"), 41);
	fixture_free(f);
}

static void test_phases_of_a_pod_are_shown(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	run(f);
	const char *name = pod_name(f, "n0", 0);
	const char *task = "select phase from task_executions where execution_id = $1";
	assert_query(f, task, "QUEUED");
	report(f, fake_outside_set_status(f->fake, name,
	                                  json_pack("{s:s, s:[{s:s, s:s, s:s, s:s}]}", "phase", "Pending", "conditions",
	                                            "type", "PodScheduled", "status", "False", "reason",
	                                            "Unschedulable", "message", "0/1 nodes are available")));
	run(f);
	assert_query(f, task, "QUEUED");
	assert_query(f, "select reason from task_executions where execution_id = $1",
	             "Unschedulable:0/1 nodes are available");
	report(f, fake_outside_set_status(f->fake, name,
	                                  json_pack("{s:s, s:[{s:s, s:{s:{s:s}}}]}", "phase", "Pending",
	                                            "containerStatuses", "name", name, "state", "waiting", "reason",
	                                            "ContainerCreating")));
	run(f);
	assert_query(f, task, "INITIALIZING");
	report(f, fake_outside_set_status(f->fake, name,
	                                  json_pack("{s:s, s:[{s:s, s:{s:{s:s}}}]}", "phase", "Running",
	                                            "containerStatuses", "name", name, "state", "running", "startedAt",
	                                            "2026-01-01T00:00:00Z")));
	run(f);
	assert_query(f, task, "RUNNING");
	fixture_free(f);
}

static void test_large_literals_go_through_the_object_store(void **state)
{
	(void)state;
	struct fixture *f = chain(2, 0);
	run(f);
	Flyteidl__Core__LiteralMap *outputs = workflow_integer(&f->arena, "o0", 7);
	const size_t size = PROGRESS_INLINE_MAXIMUM + 1;
	char *hash = arena_alloc(&f->arena, size + 1);
	memset(hash, 'h', size);
	outputs->literals[0]->value->hash = hash;
	put_message(f, object_uri(f, "n0/data/0/outputs.pb"), &outputs->base);
	end_pod(f, "n0", 0, 0, "Completed");
	run(f);
	assert_query(f,
	             "select (outputs is null)::text || ' ' || outputs_uri from node_executions where execution_id = "
	             "$1 and node_id = 'n0'",
	             arena_printf(&f->arena, "true %s", object_uri(f, "n0/data/0/outputs.pb")));
	const Flyteidl__Core__LiteralMap *inputs = literals_at(f, object_uri(f, "n1/data/inputs.pb"));
	assert_int_equal(workflow_integer_of(inputs, "i0"), 7);
	assert_int_equal(strlen(inputs->literals[0]->value->hash), size);
	/* Also when the next node is only resolved in a later round, from the row. */
	plan_free(f->plan);
	f->plan = NULL;
	succeed(f, "n1", 0, 8);
	assert_int_equal(run(f), ROUND_FINISHED);
	fixture_free(f);
}

/* A text with a zero byte would end there on its way to the next node. The attempt fails instead and says why. */
static void test_outputs_with_a_zero_byte(void **state)
{
	(void)state;
	struct fixture *f = chain(2, 0);
	run(f);
	Flyteidl__Core__LiteralMap *outputs = workflow_integer(&f->arena, "o0", 7);
	outputs->literals[0]->value->hash = arena_strdup(&f->arena, "a!b");
	struct proto_bytes bytes = proto_pack(&f->arena, &outputs->base);
	uint8_t *raw = arena_copy(&f->arena, bytes.data, bytes.length);
	*(uint8_t *)memchr(raw, '!', bytes.length) = 0;
	bytes.data = raw;
	fake_outside_put(f->fake, object_uri(f, "n0/data/0/outputs.pb"), bytes);
	end_pod(f, "n0", 0, 0, "Completed");
	run(f);
	assert_query(f,
	             "select phase || ' ' || (position('zero byte' in convert_from(error, 'LATIN1')) > 0)::text from "
	             "task_executions where execution_id = $1 and retry_attempt = 0",
	             "FAILED true");
	fixture_free(f);
}

/* ---- Executions that end otherwise ---- */

static void test_an_unsupported_node_fails_at_the_start(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_task(&b, 0, NULL, 0);
	Flyteidl__Core__Node *node = workflow_add_task(&b, 0, NULL, 0);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET__NOT_SET;
	node->gate_node = proto_new(&arena, flyteidl__core__gate_node);
	struct fixture *f = fixture_new(workflow_finish(&b));
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_execution_error(f, "UnsupportedNode",
	                       "node \"n1\" is a node without a target, which this version of the sandbox cannot run");
	assert_int_equal(fake_outside_pods_created(f->fake), 0);
	fixture_free(f);
}

static void test_an_unreadable_closure_ends_the_execution(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	(void)query(f, "update workflows set closure = '\\xffff' where $1 > 0 returning id");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase || ' ' || error_code from executions where id = $1", "FAILED IllegalStateError");
	fixture_free(f);
}

static void test_abort(void **state)
{
	(void)state;
	struct fixture *f = chain(2, 0);
	run(f);
	(void)query(f, "update executions set phase = 'ABORTING', abort_cause = 'enough' where id = $1 returning id");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from executions where id = $1", "ABORTED");
	assert_query(f,
	             "select string_agg(node_id || ':' || phase, ' ' order by id) from node_executions where "
	             "execution_id = $1",
	             "start-node:SUCCEEDED n0:ABORTED");
	assert_query(f, "select phase from task_executions where execution_id = $1", "ABORTED");
	assert_string_equal(
	        stored_error(f, "select error from node_executions where execution_id = $1 and node_id = 'n0'")
	                ->message,
	        "enough");
	assert_int_equal(fake_outside_pods_deleted(f->fake), 1);
	fixture_free(f);
}

/* ---- Replicas ---- */

static void set_replica(struct fixture *f, const char *name, bool take_over)
{
	f->context.replica = name;
	f->context.take_over = take_over;
}

static void test_replicas_leave_executions_to_each_other(void **state)
{
	(void)state;
	static const char replica[] = "select engine_replica from executions where id = $1";
	struct fixture *f = chain(2, 0);
	set_replica(f, "one", false);
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_query(f, replica, "one");
	succeed(f, "n0", 0, 41);
	set_replica(f, "two", false);
	assert_int_equal(run(f), ROUND_ELSEWHERE);
	assert_int_equal(fake_outside_pods_created(f->fake), 1);
	/* What has only just been heard is left to it too, and told when it was. */
	set_replica(f, "two", true);
	f->context.patience_ms = 3600000;
	auto_err struct err e = ERR_INIT;
	struct round_result result = ROUND_RESULT_INIT;
	must(round_run(&f->context, f->id, &f->plan, &result, &e), &e);
	assert_int_equal(result.outcome, ROUND_ELSEWHERE);
	assert_in_range(result.wake_at_ns, clock_wall_ns() - INT64_C(3600000000000), clock_wall_ns());
	assert_int_equal(fake_outside_pods_created(f->fake), 1);
	f->context.patience_ms = 0;
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_int_equal(fake_outside_pods_created(f->fake), 2);
	assert_query(f, replica, "two");
	/* Who looks and finds nothing to do has taken over nothing. */
	set_replica(f, "one", true);
	assert_int_equal(run(f), ROUND_ELSEWHERE);
	assert_query(f, replica, "two");
	succeed(f, "n1", 0, 42);
	set_replica(f, "two", false);
	assert_int_equal(run(f), ROUND_FINISHED);
	/* What is over is everybody's. */
	set_replica(f, "one", false);
	assert_int_equal(run(f), ROUND_FINISHED);
	fixture_free(f);
}

/* ---- Breakage ---- */

static void test_a_locked_execution_is_left_alone(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = borrow(f);
	struct database_rows rows;
	must(database_begin(c, &e), &e);
	must(database_query(c, &f->arena, "select 1 from executions where id = $1 for update",
	                    (struct database_value[]){ DB_INT(f->id) }, 1, &rows, &e),
	     &e);
	assert_int_equal(run(f), ROUND_BUSY);
	must(database_commit(c, &e), &e);
	database_return(steal_ptr(c));
	assert_int_equal(run(f), ROUND_UNFINISHED);
	(void)query(f, "delete from executions where id = $1 returning id");
	assert_int_equal(run(f), ROUND_FINISHED);
	fixture_free(f);
}

struct breakage {
	struct fixture *fixture;
	unsigned at;
	bool done;
};

/* The effect has happened; then the transaction that was to record it is lost. */
static void lose_the_transaction(void *context, unsigned call)
{
	struct breakage *breakage = context;
	if (call != breakage->at || breakage->done)
		return;
	breakage->done = true;
	(void)query(breakage->fixture, "select pg_terminate_backend(pid) from pg_stat_activity where $1 > 0"
	                               " and datname = current_database() and state = 'idle in transaction'");
}

static void play(struct fixture *f)
{
	run(f);
	succeed(f, "n0", 0, 2);
	run(f);
	put_error(f, "n1", 0, true);
	end_pod(f, "n1", 0, 0, "Completed");
	run(f);
	succeed(f, "n1", 1, 3);
	run(f);
}

static void assert_played(struct fixture *f)
{
	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	assert_query(f,
	             "select string_agg(name || retry_attempt || t.phase, ' ' order by name, retry_attempt) from "
	             "task_executions t"
	             " where execution_id = $1",
	             "t00SUCCEEDED t10FAILED t11SUCCEEDED");
	assert_query(f, "select count(*)::text from node_executions where execution_id = $1", "4");
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "end-node/data/0/outputs.pb")), "o1"), 3);
	assert_int_equal(fake_outside_pods_created(f->fake), 3);
}

static void test_a_crash_after_any_effect(void **state)
{
	(void)state;
	struct fixture *whole = chain(2, 1);
	play(whole);
	assert_played(whole);
	const unsigned calls = fake_outside_calls(whole->fake);
	fixture_free(whole);
	assert_true(calls > 10);
	for (unsigned at = 0; at < calls; at++) {
		struct fixture *f = chain(2, 1);
		struct breakage breakage = { .fixture = f, .at = at };
		fake_outside_hook(f->fake, lose_the_transaction, &breakage);
		play(f);
		assert_true(breakage.done);
		assert_played(f);
		fixture_free(f);
	}
}

static void test_failures_of_any_call(void **state)
{
	(void)state;
	struct fixture *whole = chain(2, 1);
	play(whole);
	const unsigned calls = fake_outside_calls(whole->fake);
	fixture_free(whole);
	for (unsigned at = 0; at < calls; at++) {
		struct fixture *f = chain(2, 1);
		fake_outside_fail(f->fake, at, 2);
		play(f);
		assert_played(f);
		fixture_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_chain_runs_to_its_end),
		cmocka_unit_test(test_a_sub_workflow_in_rows),
		cmocka_unit_test(test_a_signal_is_asked_for_and_taken),
		cmocka_unit_test(test_phases_of_a_pod_are_shown),
		cmocka_unit_test(test_large_literals_go_through_the_object_store),
		cmocka_unit_test(test_outputs_with_a_zero_byte),
		cmocka_unit_test(test_an_unsupported_node_fails_at_the_start),
		cmocka_unit_test(test_an_unreadable_closure_ends_the_execution),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_replicas_leave_executions_to_each_other),
		cmocka_unit_test(test_a_locked_execution_is_left_alone),
		cmocka_unit_test(test_a_crash_after_any_effect),
		cmocka_unit_test(test_failures_of_any_call),
	};
	return cmocka_run_group_tests(tests, fixtures_begin, fixtures_end);
}
