/* Rounds of executions whose tasks a connector runs, on a real Postgres: the test is who calls the connector. */
#include "round_fixture.h"

#include "controlplane/store/connector_tasks.h"

#include "flyteidl/admin/agent.pb-c.h"

static const struct settings *settings;
static const struct connector_catalog *catalog;

static struct fixture *connected(struct fixture *f)
{
	f->context.machine.connectors = catalog;
	f->context.machine.connector_unheard_ns = INT64_C(600) * 1000000000;
	return f;
}

static struct fixture *chain_of_work(size_t length, uint32_t retries)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	for (size_t i = 0; i < length; i++) {
		workflow_add_task(&b, retries, (size_t[]){ i - 1 }, i > 0);
		workflow_task(&b, i)->type = arena_strdup(&arena, "work");
	}
	return connected(fixture_new(workflow_finish(&b)));
}

/* ---- The test as connector ---- */

static struct connector_work take(struct fixture *f)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = borrow(f);
	struct connector_work work;
	int64_t wait_ms;
	if (connector_tasks_take(c, &f->arena, 60000, &work, &wait_ms, &e) != 1)
		fail_msg("nothing is due: %s", err_message(&e));
	return work;
}

static void make(struct fixture *f)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = borrow(f);
	const struct connector_work work = take(f);
	assert_int_equal(work.call, CONNECTOR_CREATE);
	must(connector_tasks_created(c, &work, (struct proto_bytes){ (const uint8_t *)"job", 3 }, &e), &e);
}

static Flyteidl__Admin__Resource *resource_in(struct fixture *f, Flyteidl__Core__TaskExecution__Phase phase,
                                              const char *message)
{
	Flyteidl__Admin__Resource *resource = proto_new(&f->arena, flyteidl__admin__resource);
	resource->phase = phase;
	resource->message = arena_strdup(&f->arena, message);
	return resource;
}

static void say(struct fixture *f, const Flyteidl__Admin__Resource *resource, bool finished)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = borrow(f);
	const struct connector_work work = take(f);
	assert_int_equal(work.call, CONNECTOR_GET);
	assert_int_equal(work.meta.length, 3);
	must(connector_tasks_heard(c, &work, proto_pack(&f->arena, &resource->base), finished, 0, &e), &e);
}

static void succeed_with(struct fixture *f, int64_t value)
{
	Flyteidl__Admin__Resource *resource = resource_in(f, TASK(SUCCEEDED), "");
	resource->outputs = workflow_integer(&f->arena, "o0", value);
	make(f);
	say(f, resource, true);
}

/* ---- Tests ---- */

static void test_a_chain(void **state)
{
	auto_err struct err e = ERR_INIT;
	(void)state;
	struct fixture *f = chain_of_work(2, 0);
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_int_equal(fake_outside_pods_created(f->fake), 0);
	const struct connector_work work = take(f);
	const Flyteidl__Admin__CreateTaskRequest *request = proto_unpack(
	        &f->arena, flyteidl__admin__create_task_request, work.request.data, work.request.length, &e);
	assert_non_null(request);
	assert_string_equal(request->template_->type, "work");
	assert_int_equal(workflow_integer_of(request->inputs, "i0"), 1);
	const char *directory = arena_printf(&f->arena, ROOT "%s/n0/data", f->name);
	assert_string_equal(request->output_prefix, arena_printf(&f->arena, "%s/0", directory));
	const Flyteidl__Core__TaskExecutionIdentifier *id = request->task_execution_metadata->task_execution_id;
	assert_string_equal(id->node_execution_id->execution_id->name, f->name);
	assert_string_equal(id->node_execution_id->node_id, "n0");
	assert_string_equal(request->task_execution_metadata->namespace_, "flytesnacks-development");
	assert_non_null(fake_outside_object(f->fake, arena_printf(&f->arena, "%s/inputs.pb", directory)).data);
	(void)query(f, "update connector_tasks set leased_until = null where execution_id = $1 returning ''");
	make(f);
	Flyteidl__Admin__Resource *running = resource_in(f, TASK(RUNNING), "half done");
	Flyteidl__Core__TaskLog *link = proto_new(&f->arena, flyteidl__core__task_log);
	link->uri = arena_strdup(&f->arena, "https://jobs.example/1");
	proto_append(&f->arena, running->n_log_links, running->log_links, link);
	say(f, running, false);
	forget_plan(f);
	run(f);
	assert_query(f,
	             "select phase || ' ' || reason || ' ' || connector from task_executions where "
	             "execution_id = $1",
	             "RUNNING half done true");
	assert_query(f,
	             "select (position('https://jobs.example/1'::bytea in closure) > 0)::text from "
	             "task_executions where execution_id = $1",
	             "true");
	Flyteidl__Admin__Resource *done = resource_in(f, TASK(SUCCEEDED), "");
	done->outputs = workflow_integer(&f->arena, "o0", 7);
	say(f, done, true);
	run(f);
	assert_query(f, "select count(*)::text from connector_tasks where execution_id = $1", "1");
	succeed_with(f, 8);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	assert_query(f, "select count(*)::text from connector_tasks where execution_id = $1", "0");
	const struct proto_bytes bytes =
	        fake_outside_object(f->fake, arena_printf(&f->arena, ROOT "%s/n1/data/0/outputs.pb", f->name));
	const Flyteidl__Core__LiteralMap *outputs =
	        proto_unpack(&f->arena, flyteidl__core__literal_map, bytes.data, bytes.length, &e);
	assert_int_equal(workflow_integer_of(outputs, "o0"), 8);
	fixture_free(f);
}

static void test_abort(void **state)
{
	(void)state;
	struct fixture *f = chain_of_work(1, 0);
	run(f);
	make(f);
	(void)query(f, "update executions set phase = 'ABORTING', abort_cause = 'enough' where id = $1 returning ''");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from task_executions where execution_id = $1", "ABORTED");
	const struct connector_work work = take(f);
	assert_int_equal(work.call, CONNECTOR_DELETE);
	assert_int_equal(work.meta.length, 3);
	(void)query(f, "delete from connector_tasks where execution_id = $1 returning ''");
	fixture_free(f);
}

static void test_retries_and_deadlines(void **state)
{
	auto_err struct err e = ERR_INIT;
	(void)state;
	struct fixture *f = chain_of_work(1, 1);
	run(f);
	make(f);
	say(f, resource_in(f, TASK(RETRYABLE_FAILED), "try again"), true);
	run(f);
	assert_query(f,
	             "select string_agg(retry_attempt || phase, ' ' order by retry_attempt) from "
	             "task_executions where execution_id = $1",
	             "0FAILED 1QUEUED");
	/* The second one is never created: its connector is given up. */
	{
		auto_connection struct database_connection *c = borrow(f);
		const struct connector_work work = take(f);
		assert_int_equal(work.call, CONNECTOR_CREATE);
		must(connector_tasks_fail(c, &work, "ConnectorUnreachable", "away for too long", true, &e), &e);
	}
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select error_code from executions where id = $1", "RetriesExhausted|ConnectorUnreachable");
	(void)query(f, "delete from connector_tasks where execution_id = $1 returning ''");
	fixture_free(f);
}

/* Elements are a connector's each for itself, with inputs of their own. */
static void test_a_map(void **state)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	(void)state;
	workflow_add_array(&b, 0);
	workflow_task(&b, 0)->type = arena_strdup(&arena, "work");
	struct fixture *f =
	        connected(fixture_new_with(workflow_finish(&b), workflow_list(&arena, "x", (int64_t[]){ 5, 6, 7 }, 3)));
	run(f);
	assert_query(f, "select count(*)::text from connector_tasks where execution_id = $1", "3");
	for (int64_t i = 0; i < 3; i++)
		make(f);
	Flyteidl__Admin__Resource *done = resource_in(f, TASK(SUCCEEDED), "");
	done->outputs = workflow_integer(&f->arena, "o0", 9);
	say(f, done, true);
	forget_plan(f);
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_query(f,
	             "select string_agg(a.phase || a.connector, ' ' order by a.phase desc) from "
	             "array_elements a join task_executions t on t.id = a.task_execution_id"
	             " where t.execution_id = $1",
	             "SUCCEEDEDtrue RUNNINGtrue RUNNINGtrue");
	say(f, done, true);
	say(f, done, true);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	assert_query(f, "select count(*)::text from connector_tasks where execution_id = $1", "0");
	fixture_free(f);
}

/* As long as a connector has never been heard, what nobody runs waits for it; a task with a container does not. */
static void test_who_was_never_heard_is_waited_for(void **state)
{
	(void)state;
	auto_connector_catalog const struct connector_catalog *unheard = connector_catalog_new(settings, NULL, NULL);
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_task(&b, 0, NULL, 0);
	Flyteidl__Core__TaskTemplate *task = workflow_task(&b, 0);
	task->type = arena_strdup(&arena, "other");
	task->target_case = FLYTEIDL__CORE__TASK_TEMPLATE__TARGET__NOT_SET;
	struct fixture *other = connected(fixture_new(workflow_finish(&b)));
	other->context.machine.connectors = unheard;
	assert_int_equal(run(other), ROUND_UNFINISHED);
	assert_query(other, "select phase from task_executions where execution_id = $1", "WAITING_FOR_RESOURCES");
	assert_non_null(strstr(query_text(other, "select reason from task_executions where execution_id = $1"),
	                       "has not said yet which tasks it runs"));
	other->context.machine.connectors = catalog; /* which does not run it */
	(void)query(other, "update node_executions set engine_recheck_at = null where execution_id = $1 returning ''");
	assert_int_equal(run(other), ROUND_FINISHED);
	assert_query(other, "select error_code from executions where id = $1", "BadTaskSpecification");
	fixture_free(other);
}

struct breakage {
	struct fixture *fixture;
	unsigned at;
	bool done;
};

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
	succeed_with(f, 2);
	run(f);
	succeed_with(f, 3);
	run(f);
}

/* Whatever transaction is lost: each attempt is asked for once, and nothing is left behind. */
static void test_a_crash_after_any_effect(void **state)
{
	(void)state;
	struct fixture *whole = chain_of_work(2, 0);
	play(whole);
	const unsigned calls = fake_outside_calls(whole->fake);
	fixture_free(whole);
	assert_true(calls > 5);
	for (unsigned at = 0; at < calls; at++) {
		struct fixture *f = chain_of_work(2, 0);
		struct breakage breakage = { .fixture = f, .at = at };
		fake_outside_hook(f->fake, lose_the_transaction, &breakage);
		play(f);
		assert_true(breakage.done);
		assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
		assert_query(f, "select count(*)::text from connector_tasks where execution_id = $1", "0");
		fixture_free(f);
	}
}

static int begin(void **state)
{
	static const char text[] = "plugins: {connector-service: {defaultConnector: {endpoint: \"c:1\"},"
	                           " supportedTaskTypes: [work]}}";
	auto_err struct err e = ERR_INIT;
	const struct connector_answer answer = { .asked = true, .silent = true };
	must(settings_parse(text, strlen(text), "test", false, &settings, &e), &e);
	catalog = connector_catalog_new(settings, NULL, &answer);
	return fixtures_begin(state);
}

static int end(void **state)
{
	connector_catalog_release(catalog);
	settings_release(settings);
	return fixtures_end(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_chain),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_retries_and_deadlines),
		cmocka_unit_test(test_a_map),
		cmocka_unit_test(test_who_was_never_heard_is_waited_for),
		cmocka_unit_test(test_a_crash_after_any_effect),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
