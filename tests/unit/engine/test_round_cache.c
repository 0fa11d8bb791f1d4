/* Rounds of several executions on one Postgres: what one has put out is there for the others, and who waits for whom.
 */
#include "controlplane/engine/round.h"

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/store/executions.h"
#include "fake_outside.h"
#include "postgres.h"
#include "workflow_builder.h"

#include "flyteidl/admin/node_execution.pb-c.h"

#include <libpq-fe.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct postgres *postgres;
static struct arena arena = ARENA_INIT((size_t)256 << 20);
static char *url;
static struct fake_outside *fake;
static struct round_context context;
static PGconn *listener;

struct run {
	int64_t id;
	const char *name;
	struct plan **plan;
};
/* Of the runs of a test. */
static struct plan *plans[16];
static size_t plan_count;

static void must(int outcome, struct err *e)
{
	if (outcome < 0)
		fail_msg("%s", err_message(e));
	err_release(e);
}

static struct database_rows query(const char *sql, const struct database_value *values, size_t count)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct database_rows rows;
	must(database_borrow(context.database, clock_monotonic_ms() + 20000, &c, &e), &e);
	must(database_query(c, &arena, sql, values, count, &rows, &e), &e);
	return rows;
}
#define QUERY(sql, ...)                                                                                                \
	query(sql, (struct database_value[]){ __VA_ARGS__ }, ARRAY_LENGTH(((struct database_value[]){ __VA_ARGS__ })))

/* ---- Executions of one cached task ---- */

enum { PLAIN = 0, SERIALIZE = 1, OVERWRITE = 2 };

static struct run launch(const char *name, int64_t input, unsigned flags)
{
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_task(&b, 1, NULL, 0);
	Flyteidl__Core__TaskTemplate *task = workflow_task(&b, 0);
	task->metadata->discoverable = true;
	task->metadata->discovery_version = arena_strdup(&arena, "1.0");
	task->metadata->cache_serializable = (flags & SERIALIZE) != 0;
	const Flyteidl__Core__CompiledWorkflowClosure *closure = workflow_finish(&b);
	Flyteidl__Admin__ExecutionSpec *spec = proto_new(&arena, flyteidl__admin__execution_spec);
	spec->overwrite_cache = (flags & OVERWRITE) != 0;
	const struct database_rows workflow =
	        QUERY("insert into workflows (project, domain, name, version, digest, closure)"
	              " values ('flytesnacks', 'development', 'wf', $1, '', $2) returning id",
	              DB_TEXT(name), DB_BYTES(proto_pack(&arena, &closure->base)));
	const struct database_rows rows =
	        QUERY("insert into executions (project, domain, name, workflow_id, spec, inputs, inputs_uri)"
	              " values ('flytesnacks', 'development', $1, $2, $3, $4, 's3://bucket/inputs') returning id",
	              DB_TEXT(name), DB_INT(database_int(&workflow, 0, 0)), DB_BYTES(proto_pack(&arena, &spec->base)),
	              DB_BYTES(proto_pack(&arena, &workflow_integer(&arena, "x", input)->base)));
	const struct run run = { .id = database_int(&rows, 0, 0), .name = name, .plan = &plans[plan_count++] };
	pod_cache_open(context.pods, run.id);
	return run;
}

static enum round_outcome round_of(struct run *run)
{
	for (int i = 0; i < 20; i++) {
		auto_err struct err e = ERR_INIT;
		struct round_result result = ROUND_RESULT_INIT;
		const int outcome = round_run(&context, run->id, run->plan, &result, &e);
		const bool incomplete = result.incomplete;
		round_result_release(&result);
		if (outcome == 0 && !incomplete)
			return result.outcome;
	}
	fail_msg("no round came to its end");
	return ROUND_BUSY;
}

static void end_pod(const struct run *run, unsigned attempt, int code)
{
	const char *name = arena_printf(&arena, "%s-n0-%u", run->name, attempt);
	json_t *status =
	        json_pack("{s:s, s:[{s:s, s:{s:{s:i, s:s, s:s, s:s}}}]}", "phase", "Running", "containerStatuses",
	                  "name", name, "state", "terminated", "exitCode", code, "reason", "Completed", "startedAt",
	                  "2026-01-01T00:00:00Z", "finishedAt", "2026-01-01T00:00:01Z");
	json_t *pod = fake_outside_set_status(fake, name, status);
	assert_int_equal(pod_cache_update(context.pods, pod, false), run->id);
	json_decref(pod);
}

static const char *directory(const struct run *run)
{
	return arena_printf(&arena, "s3://my-s3-bucket/metadata/propeller/flytesnacks-development-%s/n0/data/0",
	                    run->name);
}

static void succeed_with(struct run *run, const Flyteidl__Core__LiteralMap *outputs)
{
	fake_outside_put(fake, arena_printf(&arena, "%s/outputs.pb", directory(run)),
	                 proto_pack(&arena, &outputs->base));
	end_pod(run, 0, 0);
	assert_int_equal(round_of(run), ROUND_FINISHED);
}

static void succeed(struct run *run, int64_t value)
{
	succeed_with(run, workflow_integer(&arena, "o0", value));
}

/* "phase of n0, cache status, its output, how many attempts" */
static const char *state_of(const struct run *run)
{
	const struct database_rows rows = QUERY("select phase, target_metadata, outputs, (select count(*) from "
	                                        "task_executions t where t.node_execution_id = n.id)"
	                                        " from node_executions n where execution_id = $1 and node_id = 'n0'",
	                                        DB_INT(run->id));
	if (rows.count == 0)
		return "none";
	const struct proto_bytes metadata = database_bytes(&rows, 0, 1), outputs = database_bytes(&rows, 0, 2);
	const Flyteidl__Admin__NodeExecutionClosure *closure =
	        metadata.data ? proto_unpack(&arena, flyteidl__admin__node_execution_closure, metadata.data,
	                                     metadata.length, NULL)
	                      : NULL;
	const char *status =
	        closure ? protobuf_c_enum_descriptor_get_value(&flyteidl__core__catalog_cache_status__descriptor,
	                                                       (int)closure->task_node_metadata->cache_status)
	                          ->name
	                : "-";
	const Flyteidl__Core__LiteralMap *map =
	        outputs.data ? proto_unpack(&arena, flyteidl__core__literal_map, outputs.data, outputs.length, NULL)
	                     : NULL;
	return arena_printf(&arena, "%s %s %lld %lld", database_text(&rows, 0, 0), status,
	                    (long long)(map && map->n_literals ? workflow_integer_of(map, "o0") : -1),
	                    (long long)database_int(&rows, 0, 3));
}

static void assert_state(const struct run *run, const char *expected)
{
	assert_string_equal(state_of(run), expected);
}

/* How often the execution was notified since the last time. Notifications come in the order of commits: once the mark
 * is there, so is everything before it. */
static unsigned notifications_of(const struct run *run)
{
	const int64_t deadline = clock_monotonic_ms() + 60000;
	const char *own = arena_printf(&arena, "%lld", (long long)run->id);
	unsigned count = 0;
	QUERY("select pg_notify($1, 'mark')::text", DB_TEXT(EXECUTIONS_CHANNEL));
	for (;;) {
		PQconsumeInput(listener);
		for (PGnotify *notify; (notify = PQnotifies(listener));) {
			const bool is_mark = text_equal(notify->extra, "mark");
			count += text_equal(notify->extra, own);
			PQfreemem(notify);
			if (is_mark)
				return count;
		}
		struct pollfd fd = { .fd = PQsocket(listener), .events = POLLIN };
		if (poll(&fd, 1, clock_poll_timeout(deadline)) <= 0)
			fail_msg("the mark does not come");
	}
}

/* ---- Tests ---- */

static void test_hit(void **state)
{
	(void)state;
	struct run first = launch("first", 1, PLAIN), second = launch("second", 1, PLAIN),
	           other = launch("other", 2, PLAIN);
	round_of(&first);
	assert_state(&first, "RUNNING CACHE_MISS -1 1");
	succeed(&first, 42);
	assert_state(&first, "SUCCEEDED CACHE_POPULATED 42 1");
	const unsigned pods = fake_outside_pods_created(fake);
	assert_int_equal(round_of(&second), ROUND_FINISHED);
	assert_state(&second, "SUCCEEDED CACHE_HIT 42 0");
	assert_int_equal(fake_outside_pods_created(fake), pods);
	/* With a copy of its own. */
	const struct proto_bytes copy =
	        fake_outside_object(fake, arena_printf(&arena, "%s/outputs.pb", directory(&second)));
	assert_non_null(copy.data);
	round_of(&other);
	assert_state(&other, "RUNNING CACHE_MISS -1 1");
}

static void test_overwrite(void **state)
{
	(void)state;
	struct run first = launch("first", 1, PLAIN), second = launch("second", 1, OVERWRITE),
	           third = launch("third", 1, PLAIN);
	round_of(&first);
	succeed(&first, 1);
	round_of(&second);
	assert_state(&second, "RUNNING CACHE_SKIPPED -1 1");
	succeed(&second, 2);
	assert_state(&second, "SUCCEEDED CACHE_POPULATED 2 1");
	round_of(&third);
	assert_state(&third, "SUCCEEDED CACHE_HIT 2 0");
}

static void test_the_first_result_stays(void **state)
{
	(void)state;
	struct run first = launch("first", 1, PLAIN), second = launch("second", 1, PLAIN),
	           third = launch("third", 1, PLAIN);
	round_of(&first);
	round_of(&second); /* nobody has to wait: both run */
	succeed(&second, 2);
	succeed(&first, 1);
	assert_state(&first, "SUCCEEDED CACHE_POPULATED 1 1");
	round_of(&third);
	assert_state(&third, "SUCCEEDED CACHE_HIT 2 0");
}

static void test_retries_keep_what_was_found_out(void **state)
{
	(void)state;
	struct run first = launch("first", 1, PLAIN), second = launch("second", 1, PLAIN);
	round_of(&first);
	round_of(&second);
	succeed(&first, 1);
	end_pod(&second, 0, 0); /* without outputs: the user's retry */
	round_of(&second);
	assert_state(&second, "RUNNING CACHE_MISS -1 2"); /* it runs again: its first attempt asked already */
}

static void test_large_outputs(void **state)
{
	(void)state;
	struct run first = launch("first", 1, PLAIN), second = launch("second", 1, PLAIN),
	           third = launch("third", 1, PLAIN);
	Flyteidl__Core__LiteralMap *outputs = workflow_integer(&arena, "o0", 7);
	char *hash = arena_alloc(&arena, CATALOG_ROW_MAXIMUM + 1);
	memset(hash, 'h', CATALOG_ROW_MAXIMUM);
	hash[CATALOG_ROW_MAXIMUM] = '\0';
	outputs->literals[0]->value->hash = hash;
	round_of(&first);
	succeed_with(&first, outputs);
	assert_int_equal(round_of(&second), ROUND_FINISHED);
	const struct proto_bytes copy =
	        fake_outside_object(fake, arena_printf(&arena, "%s/outputs.pb", directory(&second)));
	assert_int_equal(copy.length, proto_pack(&arena, &outputs->base).length);
	/* What it leads to is damaged: the task runs. */
	fake_outside_put(fake, arena_printf(&arena, "%s/outputs.pb", directory(&first)),
	                 (struct proto_bytes){ (const uint8_t *)"\xff", 1 });
	round_of(&third);
	assert_state(&third, "RUNNING CACHE_LOOKUP_FAILURE -1 1");
}

static void test_an_artifact_that_does_not_fit(void **state)
{
	(void)state;
	struct run first = launch("first", 1, PLAIN), second = launch("second", 1, PLAIN);
	round_of(&first);
	succeed(&first, 1);
	QUERY("update catalog_artifacts set message = $1", DB_BYTES(((struct proto_bytes){ (const uint8_t *)"", 0 })));
	round_of(&second);
	assert_state(&second, "RUNNING CACHE_LOOKUP_FAILURE -1 1");
	succeed(&second, 2);
	assert_state(&second, "SUCCEEDED CACHE_POPULATED 2 1");
}

static void test_one_runs_and_the_others_wait(void **state)
{
	(void)state;
	struct run first = launch("first", 1, SERIALIZE), second = launch("second", 1, SERIALIZE),
	           third = launch("third", 1, SERIALIZE);
	struct run other = launch("other", 2, SERIALIZE);
	round_of(&first);
	assert_int_equal(round_of(&second), ROUND_UNFINISHED);
	round_of(&third);
	round_of(&other);
	assert_state(&first, "RUNNING CACHE_MISS -1 1");
	assert_state(&second, "QUEUED - -1 0");
	assert_state(&third, "QUEUED - -1 0");
	assert_state(&other, "RUNNING CACHE_MISS -1 1"); /* it wants something else */
	notifications_of(&second);
	round_of(&second); /* asking again changes nothing */
	assert_state(&second, "QUEUED - -1 0");
	assert_int_equal(notifications_of(&second), 0);
	succeed(&first, 5);
	assert_int_equal(notifications_of(&second), 1);
	assert_int_equal(round_of(&second), ROUND_FINISHED);
	assert_state(&second, "SUCCEEDED CACHE_HIT 5 0");
	assert_int_equal(round_of(&third), ROUND_FINISHED);
	assert_state(&third, "SUCCEEDED CACHE_HIT 5 0");
	succeed(&other, 6);
	assert_int_equal(
	        database_int(&(struct database_rows[]){ QUERY(
	                             "select count(*) from catalog_reservations where $1::bigint > 0", DB_INT(1)) }[0],
	                     0, 0),
	        0);
	assert_int_equal(
	        database_int(&(struct database_rows[]){ QUERY(
	                             "select count(*) from catalog_waiters where $1::bigint > 0", DB_INT(1)) }[0],
	                     0, 0),
	        0);
}

static void abort_run(struct run *run)
{
	QUERY("update executions set phase = 'ABORTING', abort_cause = 'enough' where id = $1", DB_INT(run->id));
	round_of(run);
}

static void test_the_turn_passes_on(void **state)
{
	(void)state;
	struct run first = launch("first", 1, SERIALIZE), second = launch("second", 1, SERIALIZE),
	           third = launch("third", 1, SERIALIZE);
	round_of(&first);
	round_of(&second);
	round_of(&third);
	/* A failed attempt that is repeated keeps the turn. */
	end_pod(&first, 0, 0);
	round_of(&first);
	assert_state(&first, "RUNNING CACHE_MISS -1 2");
	round_of(&second);
	assert_state(&second, "QUEUED - -1 0");
	notifications_of(&second);
	end_pod(&first, 1, 0);
	round_of(&first);
	assert_int_equal(notifications_of(&second), 1);
	round_of(&second);
	assert_state(&second, "RUNNING CACHE_MISS -1 1");
	round_of(&third);
	assert_state(&third, "QUEUED - -1 0");
	/* Who waits may be aborted; who runs, too. */
	abort_run(&third);
	abort_run(&second);
	struct run last = launch("last", 1, SERIALIZE);
	round_of(&last);
	assert_state(&last, "RUNNING CACHE_MISS -1 1");
}

/* The reservation is known to all before the round is committed; a crash in between leaves it to the same node. */
static void test_a_crash_after_the_reservation(void **state)
{
	(void)state;
	struct run first = launch("first", 1, SERIALIZE), second = launch("second", 1, SERIALIZE);
	fake_outside_fail(fake, fake_outside_calls(fake) + 2, 1000); /* inputs and pod of n0 cannot be made */
	auto_err struct err e = ERR_INIT;
	struct round_result result = ROUND_RESULT_INIT;
	(void)round_run(&context, first.id, first.plan, &result, &e);
	round_result_release(&result);
	fake_outside_fail(fake, 0, 0);
	round_of(&second);
	assert_state(&second, "QUEUED - -1 0");
	QUERY("delete from node_executions where execution_id = $1",
	      DB_INT(first.id)); /* as if nothing had been committed */
	round_of(&first);
	assert_state(&first, "RUNNING CACHE_MISS -1 1");
	succeed(&first, 3);
	round_of(&second);
	assert_state(&second, "SUCCEEDED CACHE_HIT 3 0");
}

/* A client of the DataCatalog service is in the way until its heartbeat fails. */
static void test_reservations_of_clients_expire(void **state)
{
	(void)state;
	struct run first = launch("first", 1, SERIALIZE);
	round_of(&first);
	QUERY("update catalog_reservations set execution_id = null, node_id = null, owner_id = $1, expires_at = now() "
	      "+ interval '1 hour'",
	      DB_TEXT("client"));
	struct run second = launch("second", 1, SERIALIZE);
	auto_err struct err e = ERR_INIT;
	struct round_result result = ROUND_RESULT_INIT;
	must(round_run(&context, second.id, second.plan, &result, &e), &e);
	assert_true(result.wake_at_ns > clock_wall_ns());
	round_result_release(&result);
	assert_state(&second, "QUEUED - -1 0");
	QUERY("update catalog_reservations set expires_at = now() where owner_id = $1", DB_TEXT("client"));
	round_of(&second);
	assert_state(&second, "RUNNING CACHE_MISS -1 1");
}

/* ---- Recovery, which stands on the same rows ---- */

/* An execution of two tasks, one after the other; it recovers `earlier` unless that is NULL. */
static struct run launch_chain(const char *name, const struct run *earlier)
{
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_task(&b, 0, NULL, 0);
	workflow_add_task(&b, 0, (size_t[]){ 0 }, 1);
	const Flyteidl__Core__CompiledWorkflowClosure *closure = workflow_finish(&b);
	const struct database_rows workflow =
	        QUERY("insert into workflows (project, domain, name, version, digest, closure)"
	              " values ('flytesnacks', 'development', 'wf', $1, '', $2) returning id",
	              DB_TEXT(name), DB_BYTES(proto_pack(&arena, &closure->base)));
	const struct database_rows rows =
	        QUERY("insert into executions (project, domain, name, workflow_id, spec, inputs, inputs_uri, mode, "
	              "source_execution_id)"
	              " values ('flytesnacks', 'development', $1, $2, '', $3, 's3://bucket/inputs', $4::smallint, $5) "
	              "returning id",
	              DB_TEXT(name), DB_INT(database_int(&workflow, 0, 0)),
	              DB_BYTES(proto_pack(&arena, &workflow_integer(&arena, "x", 1)->base)),
	              DB_INT(earlier ? FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__RECOVERED : 0),
	              earlier ? DB_INT(earlier->id) : DB_NULL);
	const struct run run = { .id = database_int(&rows, 0, 0), .name = name, .plan = &plans[plan_count++] };
	pod_cache_open(context.pods, run.id);
	return run;
}

static const char *phases_of(const struct run *run)
{
	const struct database_rows rows = QUERY("select string_agg(node_id || ':' || phase, ' ' order by id) from "
	                                        "node_executions where execution_id = $1",
	                                        DB_INT(run->id));
	return database_text(&rows, 0, 0);
}

static void test_recovery(void **state)
{
	(void)state;
	struct run failed = launch_chain("failed", NULL);
	round_of(&failed);
	fake_outside_put(fake, arena_printf(&arena, "%s/outputs.pb", directory(&failed)),
	                 proto_pack(&arena, &workflow_integer(&arena, "o0", 41)->base));
	end_pod(&failed, 0, 0);
	round_of(&failed);
	fake_outside_remove_pod(fake, "failed-n1-0");
	QUERY("update executions set phase = 'ABORTING' where id = $1", DB_INT(failed.id));
	assert_int_equal(round_of(&failed), ROUND_FINISHED);
	assert_string_equal(phases_of(&failed), "start-node:SUCCEEDED n0:SUCCEEDED n1:ABORTED");

	struct run recovered = launch_chain("recovered", &failed);
	const unsigned pods = fake_outside_pods_created(fake);
	assert_int_equal(round_of(&recovered), ROUND_UNFINISHED);
	assert_string_equal(phases_of(&recovered), "start-node:SUCCEEDED n0:RECOVERED n1:RUNNING");
	assert_int_equal(fake_outside_pods_created(fake), pods + 1); /* n1's */
	/* n1 gets what n0 had put out, in a directory of its own, and the checkpoint of the one before. */
	const struct proto_bytes copy =
	        fake_outside_object(fake, arena_printf(&arena, "%s/outputs.pb", directory(&recovered)));
	assert_non_null(copy.data);
	const struct database_rows rows = QUERY(
	        "select engine_previous_checkpoint from node_executions where execution_id = $1 and node_id = 'n1'",
	        DB_INT(recovered.id));
	assert_true(text_ends_with(database_text(&rows, 0, 0), "/failed-n1-0/_flytecheckpoints"));
}

/* ---- Frame ---- */

static int start(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "skipped: %s\n", err_message(&e));
		exit(e.kind == ERR_NOT_FOUND ? POSTGRES_SKIP : 1);
	}
	url = postgres_create_database(postgres, "cache");
	listener = PQconnectdb(url);
	PQclear(PQexec(listener, "listen " EXECUTIONS_CHANNEL));
	context.database = database_new(url, 4);
	must(database_migrate(context.database, clock_monotonic_ms() + 60000, &e), &e);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	fake = fake_outside_new();
	context = (struct round_context){
		.database = context.database,
		.outside = fake_outside_table(fake),
		.pods = pod_cache_new(),
		.parallel = parallel_new(2),
		.machine = MACHINE_OPTIONS_DEFAULT,
		.object_maximum = (size_t)16 << 20,
	};
	pod_cache_synced(context.pods);
	QUERY("select $1", DB_INT(1));
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	must(database_borrow(context.database, clock_monotonic_ms() + 20000, &c, &e), &e);
	must((int)database_execute(
	             c,
	             "truncate executions, workflows, catalog_datasets, catalog_reservations, catalog_waiters cascade",
	             NULL, 0, &e),
	     &e);
	return 0;
}

static int end(void **state)
{
	(void)state;
	while (plan_count > 0) {
		plan_free(plans[--plan_count]);
		plans[plan_count] = NULL;
	}
	pod_cache_free(context.pods);
	parallel_free(context.parallel);
	fake_outside_free(fake);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	PQfinish(listener);
	database_free(context.database);
	postgres_stop(postgres);
	free(url);
	arena_release(&arena);
	return 0;
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_hit),
		TEST(test_overwrite),
		TEST(test_the_first_result_stays),
		TEST(test_retries_keep_what_was_found_out),
		TEST(test_large_outputs),
		TEST(test_an_artifact_that_does_not_fit),
		TEST(test_one_runs_and_the_others_wait),
		TEST(test_the_turn_passes_on),
		TEST(test_a_crash_after_the_reservation),
		TEST(test_reservations_of_clients_expire),
		TEST(test_recovery),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
