/* Rounds of executions whose tasks a connector runs, on a real Postgres: the test is who calls the connector. */
#include "controlplane/engine/round.h"

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/store/connector_tasks.h"
#include "fake_outside.h"
#include "postgres.h"
#include "workflow_builder.h"

#include "flyteidl/admin/agent.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ROOT "s3://my-s3-bucket/metadata/propeller/flytesnacks-development-"

static struct postgres *postgres;
static struct database *database;
static const struct settings *settings;
static const struct connector_catalog *catalog;
static int64_t ids;

struct fixture {
	struct arena arena;
	struct fake_outside *fake;
	struct round_context context;
	const char *name;
	int64_t id;
	struct plan *plan;
};

static void must(int outcome, struct err *e)
{
	if (outcome < 0)
		fail_msg("%s", err_message(e));
}

static struct database_rows query(struct fixture *f, const char *sql, const struct database_value *values, size_t count)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct database_rows rows;
	must(database_borrow(database, clock_monotonic_ms() + 20000, &c, &e), &e);
	must(database_query(c, &f->arena, sql, values, count, &rows, &e), &e);
	return rows;
}

/* Of a statement about the execution, $1. */
static const char *text_of(struct fixture *f, const char *sql)
{
	const struct database_rows rows = query(f, sql, (struct database_value[]){ DB_INT(f->id) }, 1);
	return rows.count ? database_text(&rows, 0, 0) : "";
}

static struct fixture *fixture_new(const Flyteidl__Core__CompiledWorkflowClosure *closure,
                                   const Flyteidl__Core__LiteralMap *inputs)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	f->arena = (struct arena)ARENA_INIT((size_t)256 << 20);
	f->name = arena_printf(&f->arena, "c%lld", (long long)++ids);
	f->fake = fake_outside_new();
	f->context = (struct round_context){
		.database = database,
		.outside = fake_outside_table(f->fake),
		.pods = pod_cache_new(),
		.parallel = parallel_new(3),
		.machine = MACHINE_OPTIONS_DEFAULT,
		.object_maximum = (size_t)16 << 20,
	};
	f->context.machine.connectors = catalog;
	f->context.machine.connector_unheard_ns = INT64_C(600) * 1000000000;
	pod_cache_synced(f->context.pods);
	const struct database_value values[] = { DB_TEXT(f->name), DB_BYTES(proto_pack(&f->arena, &closure->base)),
		                                 DB_BYTES(proto_pack(&f->arena, &inputs->base)) };
	const struct database_rows rows =
	        query(f,
	              "with w as (insert into workflows (project, domain, name, version, digest, closure)"
	              " values ('flytesnacks', 'development', 'wf', $1, '', $2) returning id)"
	              " insert into executions (project, domain, name, workflow_id, spec, inputs, inputs_uri)"
	              " select 'flytesnacks', 'development', $1, w.id, '', $3, 's3://bucket/inputs' from w returning id",
	              values, ARRAY_LENGTH(values));
	f->id = database_int(&rows, 0, 0);
	pod_cache_open(f->context.pods, f->id);
	return f;
}

static void fixture_free(struct fixture *f)
{
	plan_free(f->plan);
	pod_cache_free(f->context.pods);
	parallel_free(f->context.parallel);
	fake_outside_free(f->fake);
	arena_release(&f->arena);
	free(f);
}

static struct fixture *chain(size_t length, uint32_t retries)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	for (size_t i = 0; i < length; i++) {
		workflow_add_task(&b, retries, (size_t[]){ i - 1 }, i > 0);
		workflow_task(&b, i)->type = arena_strdup(&arena, "work");
	}
	return fixture_new(workflow_finish(&b), workflow_integer(&arena, "x", 1));
}

/* As engine.c does it: again while something was not there, or the transaction was lost. */
static enum round_outcome run(struct fixture *f)
{
	for (int i = 0; i < 20; i++) {
		auto_err struct err e = ERR_INIT;
		struct round_result result = ROUND_RESULT_INIT;
		const int outcome = round_run(&f->context, f->id, &f->plan, &result, &e);
		const bool incomplete = result.incomplete;
		round_result_release(&result);
		if (outcome == 0 && !incomplete)
			return result.outcome;
	}
	fail_msg("no round came to its end");
	return ROUND_BUSY;
}

/* ---- The test as connector ---- */

static struct connector_work take(struct fixture *f)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct connector_work work;
	int64_t wait_ms;
	must(database_borrow(database, clock_monotonic_ms() + 20000, &c, &e), &e);
	if (connector_tasks_take(c, &f->arena, 60000, &work, &wait_ms, &e) != 1)
		fail_msg("nothing is due: %s", err_message(&e));
	return work;
}

static void make(struct fixture *f)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	const struct connector_work work = take(f);
	assert_int_equal(work.call, CONNECTOR_CREATE);
	must(database_borrow(database, clock_monotonic_ms() + 20000, &c, &e), &e);
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
	auto_connection struct database_connection *c = NULL;
	const struct connector_work work = take(f);
	assert_int_equal(work.call, CONNECTOR_GET);
	assert_int_equal(work.meta.length, 3);
	must(database_borrow(database, clock_monotonic_ms() + 20000, &c, &e), &e);
	must(connector_tasks_heard(c, &work, proto_pack(&f->arena, &resource->base), finished, 0, &e), &e);
}

static void succeed(struct fixture *f, int64_t value)
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
	struct fixture *f = chain(2, 0);
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
	(void)text_of(f, "update connector_tasks set leased_until = null where execution_id = $1 returning ''");
	make(f);
	Flyteidl__Admin__Resource *running = resource_in(f, TASK(RUNNING), "half done");
	Flyteidl__Core__TaskLog *link = proto_new(&f->arena, flyteidl__core__task_log);
	link->uri = arena_strdup(&f->arena, "https://jobs.example/1");
	proto_append(&f->arena, running->n_log_links, running->log_links, link);
	say(f, running, false);
	plan_free(f->plan); /* as after a restart */
	f->plan = NULL;
	run(f);
	assert_string_equal(text_of(f, "select phase || ' ' || reason || ' ' || connector from task_executions where "
	                               "execution_id = $1"),
	                    "RUNNING half done true");
	assert_string_equal(text_of(f, "select (position('https://jobs.example/1'::bytea in closure) > 0)::text from "
	                               "task_executions where execution_id = $1"),
	                    "true");
	Flyteidl__Admin__Resource *done = resource_in(f, TASK(SUCCEEDED), "");
	done->outputs = workflow_integer(&f->arena, "o0", 7);
	say(f, done, true);
	run(f);
	assert_string_equal(text_of(f, "select count(*)::text from connector_tasks where execution_id = $1"), "1");
	succeed(f, 8);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_string_equal(text_of(f, "select phase from executions where id = $1"), "SUCCEEDED");
	assert_string_equal(text_of(f, "select count(*)::text from connector_tasks where execution_id = $1"), "0");
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
	struct fixture *f = chain(1, 0);
	run(f);
	make(f);
	(void)text_of(f, "update executions set phase = 'ABORTING', abort_cause = 'enough' where id = $1 returning ''");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_string_equal(text_of(f, "select phase from task_executions where execution_id = $1"), "ABORTED");
	const struct connector_work work = take(f);
	assert_int_equal(work.call, CONNECTOR_DELETE);
	assert_int_equal(work.meta.length, 3);
	(void)text_of(f, "delete from connector_tasks where execution_id = $1 returning ''");
	fixture_free(f);
}

static void test_retries_and_deadlines(void **state)
{
	auto_err struct err e = ERR_INIT;
	(void)state;
	struct fixture *f = chain(1, 1);
	run(f);
	make(f);
	say(f, resource_in(f, TASK(RETRYABLE_FAILED), "try again"), true);
	run(f);
	assert_string_equal(text_of(f, "select string_agg(retry_attempt || phase, ' ' order by retry_attempt) from "
	                               "task_executions where execution_id = $1"),
	                    "0FAILED 1QUEUED");
	/* The second one is never created: its connector is given up. */
	{
		auto_connection struct database_connection *c = NULL;
		const struct connector_work work = take(f);
		assert_int_equal(work.call, CONNECTOR_CREATE);
		must(database_borrow(database, clock_monotonic_ms() + 20000, &c, &e), &e);
		must(connector_tasks_fail(c, &work, "ConnectorUnreachable", "away for too long", true, &e), &e);
	}
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_string_equal(text_of(f, "select error_code from executions where id = $1"),
	                    "RetriesExhausted|ConnectorUnreachable");
	(void)text_of(f, "delete from connector_tasks where execution_id = $1 returning ''");
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
	struct fixture *f = fixture_new(workflow_finish(&b), workflow_list(&arena, "x", (int64_t[]){ 5, 6, 7 }, 3));
	run(f);
	assert_string_equal(text_of(f, "select count(*)::text from connector_tasks where execution_id = $1"), "3");
	for (int64_t i = 0; i < 3; i++)
		make(f);
	Flyteidl__Admin__Resource *done = resource_in(f, TASK(SUCCEEDED), "");
	done->outputs = workflow_integer(&f->arena, "o0", 9);
	say(f, done, true);
	plan_free(f->plan);
	f->plan = NULL;
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_string_equal(text_of(f, "select string_agg(a.phase || a.connector, ' ' order by a.phase desc) from "
	                               "array_elements a join task_executions t on t.id = a.task_execution_id"
	                               " where t.execution_id = $1"),
	                    "SUCCEEDEDtrue RUNNINGtrue RUNNINGtrue");
	say(f, done, true);
	say(f, done, true);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_string_equal(text_of(f, "select phase from executions where id = $1"), "SUCCEEDED");
	assert_string_equal(text_of(f, "select count(*)::text from connector_tasks where execution_id = $1"), "0");
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
	struct fixture *other = fixture_new(workflow_finish(&b), workflow_integer(&arena, "x", 1));
	other->context.machine.connectors = unheard;
	assert_int_equal(run(other), ROUND_UNFINISHED);
	assert_string_equal(text_of(other, "select phase from task_executions where execution_id = $1"),
	                    "WAITING_FOR_RESOURCES");
	assert_non_null(strstr(text_of(other, "select reason from task_executions where execution_id = $1"),
	                       "has not said yet which tasks it runs"));
	other->context.machine.connectors = catalog; /* which does not run it */
	(void)text_of(other, "update node_executions set engine_recheck_at = null where execution_id = $1 returning ''");
	assert_int_equal(run(other), ROUND_FINISHED);
	assert_string_equal(text_of(other, "select error_code from executions where id = $1"), "BadTaskSpecification");
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
	(void)text_of(breakage->fixture, "select pg_terminate_backend(pid) from pg_stat_activity where $1 > 0"
	                                 " and datname = current_database() and state = 'idle in transaction'");
}

static void play(struct fixture *f)
{
	run(f);
	succeed(f, 2);
	run(f);
	succeed(f, 3);
	run(f);
}

/* Whatever transaction is lost: each attempt is asked for once, and nothing is left behind. */
static void test_a_crash_after_any_effect(void **state)
{
	(void)state;
	struct fixture *whole = chain(2, 0);
	play(whole);
	const unsigned calls = fake_outside_calls(whole->fake);
	fixture_free(whole);
	assert_true(calls > 5);
	for (unsigned at = 0; at < calls; at++) {
		struct fixture *f = chain(2, 0);
		struct breakage breakage = { .fixture = f, .at = at };
		fake_outside_hook(f->fake, lose_the_transaction, &breakage);
		play(f);
		assert_true(breakage.done);
		assert_string_equal(text_of(f, "select phase from executions where id = $1"), "SUCCEEDED");
		assert_string_equal(text_of(f, "select count(*)::text from connector_tasks where execution_id = $1"),
		                    "0");
		fixture_free(f);
	}
}

int main(void)
{
	static const char text[] = "plugins: {connector-service: {defaultConnector: {endpoint: \"c:1\"},"
	                           " supportedTaskTypes: [work]}}";
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "skipped: %s\n", err_message(&e));
		return POSTGRES_SKIP;
	}
	auto_free char *url = postgres_create_database(postgres, "round_connectors");
	database = database_new(url, 4);
	if (database_migrate(database, clock_monotonic_ms() + 30000, &e) < 0 ||
	    settings_parse(text, strlen(text), "test", false, &settings, &e) < 0) {
		fprintf(stderr, "%s\n", err_message(&e));
		return 1;
	}
	const struct connector_answer answer = { .asked = true, .silent = true };
	catalog = connector_catalog_new(settings, NULL, &answer);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_chain),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_retries_and_deadlines),
		cmocka_unit_test(test_a_map),
		cmocka_unit_test(test_who_was_never_heard_is_waited_for),
		cmocka_unit_test(test_a_crash_after_any_effect),
	};
	const int result = cmocka_run_group_tests(tests, NULL, NULL);
	connector_catalog_release(catalog);
	settings_release(settings);
	database_free(database);
	postgres_stop(postgres);
	return result;
}
