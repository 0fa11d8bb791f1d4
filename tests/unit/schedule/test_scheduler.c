/* The scheduler against a real Postgres and an object store in memory. The clock is the test's: scheduler_run is told
 * what time it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/schedule/scheduler.h"
#include "controlplane/schedule/ticks.h"
#include "controlplane/store/launch_plans.h"
#include "controlplane/store/schedules.h"
#include "fake_objects.h"
#include "postgres.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#define NS INT64_C(1000000000)
#define PLAN(version_text) ((struct entity_key){ "flytesnacks", "development", "plan", version_text })
#define START (INT64_C(1767225600) * NS) /* 2026-01-01T00:00:00Z */

static struct postgres *postgres;
static struct fake_objects *store;
static struct scheduler_options options;
static struct arena arena = ARENA_INIT((size_t)256 << 20);
static char *url;

/* ---- Harness ---- */

static struct database_rows query(const char *sql, const struct database_value *values, size_t count)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct database_rows rows;
	if (database_borrow(options.launch.database, clock_monotonic_ms() + 10000, &c, &e) < 0 ||
	    database_query(c, &arena, sql, values, count, &rows, &e) < 0)
		fail_msg("%s: %s", sql, err_message(&e));
	return rows;
}
#define RUN(sql) query(sql, NULL, 0)
#define QUERY(sql, ...)                                                                                                \
	query(sql, (struct database_value[]){ __VA_ARGS__ }, ARRAY_LENGTH(((struct database_value[]){ __VA_ARGS__ })))

static int64_t number(const char *sql)
{
	const struct database_rows rows = RUN(sql);
	assert_int_equal(rows.count, 1);
	return database_int(&rows, 0, 0);
}

static Flyteidl__Admin__LaunchPlanSpec *plan_spec(void)
{
	Flyteidl__Admin__LaunchPlanSpec *spec = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	spec->entity_metadata = proto_new(&arena, flyteidl__admin__launch_plan_metadata);
	spec->entity_metadata->schedule = proto_new(&arena, flyteidl__admin__schedule);
	return spec;
}

static Flyteidl__Admin__LaunchPlanSpec *every_minute(void)
{
	Flyteidl__Admin__LaunchPlanSpec *spec = plan_spec();
	Flyteidl__Admin__Schedule *schedule = spec->entity_metadata->schedule;
	schedule->schedule_expression_case = FLYTEIDL__ADMIN__SCHEDULE__SCHEDULE_EXPRESSION_CRON_SCHEDULE;
	schedule->cron_schedule = proto_new(&arena, flyteidl__admin__cron_schedule);
	schedule->cron_schedule->schedule = arena_strdup(&arena, "* * * * *");
	return spec;
}

/* With an input "at" of type datetime when that is the kickoff argument. */
static void insert_plan(const char *version, const Flyteidl__Admin__LaunchPlanSpec *spec)
{
	Flyteidl__Core__ParameterMap *expected = proto_new(&arena, flyteidl__core__parameter_map);
	if (!text_is_empty(spec->entity_metadata->schedule->kickoff_time_input_arg)) {
		Flyteidl__Core__ParameterMap__ParametersEntry *entry =
		        (Flyteidl__Core__ParameterMap__ParametersEntry *)proto_new_of(
		                &arena, &flyteidl__core__parameter_map__parameters_entry__descriptor);
		entry->key = spec->entity_metadata->schedule->kickoff_time_input_arg;
		entry->value = proto_new(&arena, flyteidl__core__parameter);
		entry->value->var = proto_new(&arena, flyteidl__core__variable);
		entry->value->var->type = proto_new(&arena, flyteidl__core__literal_type);
		entry->value->var->type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
		entry->value->var->type->simple = FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME;
		entry->value->behavior_case = FLYTEIDL__CORE__PARAMETER__BEHAVIOR_REQUIRED;
		entry->value->required = 1;
		proto_append(&arena, expected->n_parameters, expected->parameters, entry);
	}
	const struct proto_bytes digest = { .data = (const uint8_t *)"", .length = 0 };
	const struct database_rows workflow = QUERY("insert into workflows (project, domain, name, version, digest, "
	                                            "closure) values ('flytesnacks', 'development', 'plan', $1, $2, $2)"
	                                            " returning id",
	                                            DB_TEXT(version), DB_BYTES(digest));
	QUERY("insert into launch_plans (project, domain, name, version, workflow_id, spec, expected_inputs, "
	      "expected_outputs, digest, schedule_type)"
	      " values ('flytesnacks', 'development', 'plan', $1, $2, $3, $4, $5, $5, $6)",
	      DB_TEXT(version), DB_INT(database_int(&workflow, 0, 0)), DB_BYTES(proto_pack(&arena, &spec->base)),
	      DB_BYTES(proto_pack(&arena, &expected->base)), DB_BYTES(digest),
	      DB_TEXT(ticks_type(spec->entity_metadata->schedule)));
}

static void set_state(const char *version, bool active)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(options.launch.database, clock_monotonic_ms() + 10000, &c, &e) < 0 ||
	    launch_plans_set_state(c, &arena, &PLAN(version), active, &e) != 1)
		fail_msg("%s", err_message(&e));
}

/* As if the launch plan had been activated at START. */
static void activate(const char *version, const Flyteidl__Admin__LaunchPlanSpec *spec)
{
	insert_plan(version, spec);
	set_state(version, true);
	QUERY("update schedules set last_tick_at = $1", DB_TIME(START));
}

/* What it says about when to come back, in seconds after START; -1 for never. */
static int64_t run_at(int64_t seconds)
{
	auto_err struct err e = ERR_INIT;
	int64_t next;
	if (scheduler_run(&options, START + seconds * NS, &next, &e) < 0)
		fail_msg("%s", err_message(&e));
	return next ? (next - START) / NS : -1;
}

static void expect_executions(const char *version, const int64_t *seconds, size_t count)
{
	assert_int_equal(number("select count(*) from executions"), count);
	for (size_t i = 0; i < count; i++) {
		const char *name = ticks_execution_name(&arena, &PLAN(version), START + seconds[i] * NS);
		const struct database_rows rows =
		        QUERY("select spec, mode from executions where name = $1", DB_TEXT(name));
		if (rows.count != 1)
			fail_msg("no execution for second %lld", (long long)seconds[i]);
		const struct proto_bytes bytes = database_bytes(&rows, 0, 0);
		const Flyteidl__Admin__ExecutionSpec *spec =
		        proto_unpack(&arena, flyteidl__admin__execution_spec, bytes.data, bytes.length, NULL);
		assert_non_null(spec);
		assert_int_equal(spec->metadata->mode, FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__SCHEDULED);
		assert_int_equal(database_int(&rows, 0, 1),
		                 FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__SCHEDULED);
		assert_true(spec->metadata->scheduled_at->seconds == START / NS + seconds[i]);
		assert_string_equal(spec->launch_plan->version, version);
	}
}
#define EXPECT_EXECUTIONS(version, ...)                                                                                \
	expect_executions(version, (const int64_t[]){ __VA_ARGS__ }, ARRAY_LENGTH(((const int64_t[]){ __VA_ARGS__ })))

/* ---- Tests ---- */

static void test_a_tick_a_minute(void **state)
{
	(void)state;
	activate("v1", every_minute());
	assert_int_equal(run_at(59), 60);
	assert_int_equal(number("select count(*) from executions"), 0);
	assert_int_equal(run_at(60), 120);
	EXPECT_EXECUTIONS("v1", 60);
	assert_int_equal(run_at(60), 120);
	assert_int_equal(run_at(119), 120);
	assert_int_equal(run_at(121), 180);
	EXPECT_EXECUTIONS("v1", 60, 120);
}

static void test_fixed_rate_counts_from_activation(void **state)
{
	(void)state;
	Flyteidl__Admin__LaunchPlanSpec *spec = plan_spec();
	spec->entity_metadata->schedule->schedule_expression_case = FLYTEIDL__ADMIN__SCHEDULE__SCHEDULE_EXPRESSION_RATE;
	spec->entity_metadata->schedule->rate = proto_new(&arena, flyteidl__admin__fixed_rate);
	spec->entity_metadata->schedule->rate->value = 2;
	activate("v1", spec);
	QUERY("update schedules set last_tick_at = $1", DB_TIME(START + 17 * NS + 500000000));
	assert_int_equal(run_at(30), 137);
	assert_int_equal(run_at(140), 257);
	EXPECT_EXECUTIONS("v1", 137);
}

static void test_kickoff_argument(void **state)
{
	(void)state;
	Flyteidl__Admin__LaunchPlanSpec *spec = every_minute();
	spec->entity_metadata->schedule->kickoff_time_input_arg = arena_strdup(&arena, "at");
	activate("v1", spec);
	run_at(60);
	EXPECT_EXECUTIONS("v1", 60);
	const struct database_rows rows = RUN("select inputs from executions");
	const struct proto_bytes bytes = database_bytes(&rows, 0, 0);
	const Flyteidl__Core__LiteralMap *inputs =
	        proto_unpack(&arena, flyteidl__core__literal_map, bytes.data, bytes.length, NULL);
	assert_int_equal(inputs->n_literals, 1);
	assert_string_equal(inputs->literals[0]->key, "at");
	assert_true(inputs->literals[0]->value->scalar->primitive->datetime->seconds == START / NS + 60);
}

/* Notifications come in the order of commits: once the mark is there, so is everything before it. */
static unsigned count_until_mark(PGconn *listener)
{
	const int64_t deadline = clock_monotonic_ms() + 60000;
	RUN("select pg_notify('flyte_schedules', 'mark')::text");
	for (unsigned count = 0;;) {
		PQconsumeInput(listener);
		for (PGnotify *notify; (notify = PQnotifies(listener)); count++) {
			const bool is_mark = text_equal(notify->extra, "mark");
			PQfreemem(notify);
			if (is_mark)
				return count;
		}
		struct pollfd fd = { .fd = PQsocket(listener), .events = POLLIN };
		if (poll(&fd, 1, clock_poll_timeout(deadline)) <= 0)
			fail_msg("the mark does not come");
	}
}

static void test_activation_and_deactivation(void **state)
{
	(void)state;
	PGconn *listener = PQconnectdb(url);
	PQclear(PQexec(listener, "listen flyte_schedules"));
	assert_int_equal(run_at(0), -1);
	activate("v1", every_minute());
	run_at(60);
	insert_plan("v2", every_minute());
	set_state("v2", true); /* and v1 is not active any more */
	QUERY("update schedules set last_tick_at = $1", DB_TIME(START + 60 * NS));
	run_at(120);
	const struct database_rows rows = QUERY("select 1 from executions where name = $1",
	                                        DB_TEXT(ticks_execution_name(&arena, &PLAN("v2"), START + 120 * NS)));
	assert_int_equal(rows.count, 1);
	assert_int_equal(number("select count(*) from executions"), 2);
	/* A schedule that runs is not begun again. */
	const int64_t next = number("select extract(epoch from next_tick_at)::bigint from schedules");
	set_state("v2", true);
	assert_int_equal(number("select extract(epoch from next_tick_at)::bigint from schedules"), next);
	set_state("v2", false);
	assert_int_equal(run_at(300), -1);
	assert_int_equal(number("select count(*) from executions"), 2);
	/* v1 on; v1 off and v2 on; v2 off. */
	assert_int_equal(count_until_mark(listener), 3);
	PQfinish(listener);
}

/* The process ends after the execution was made and before the schedule was moved on. */
static void test_crash_after_launch(void **state)
{
	(void)state;
	activate("v1", every_minute());
	run_at(60);
	QUERY("update schedules set next_tick_at = $1, last_tick_at = $2", DB_TIME(START + 60 * NS), DB_TIME(START));
	assert_int_equal(run_at(61), 120);
	EXPECT_EXECUTIONS("v1", 60);
}

static void *replica(void *context)
{
	auto_err struct err e = ERR_INIT;
	int64_t next;
	(void)context;
	for (int64_t second = 0; second <= 600; second += 30) {
		if (scheduler_run(&options, START + second * NS, &next, &e) < 0)
			fail_msg("%s", err_message(&e));
	}
	return NULL;
}

static void test_replicas(void **state)
{
	(void)state;
	activate("v1", every_minute());
	pthread_t threads[3];
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, replica, NULL), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		pthread_join(threads[i], NULL);
	EXPECT_EXECUTIONS("v1", 60, 120, 180, 240, 300, 360, 420, 480, 540, 600);
}

static void test_catch_up(void **state)
{
	(void)state;
	activate("v1", every_minute());
	run_at(60);
	assert_int_equal(run_at(300), 360); /* four minutes without us */
	EXPECT_EXECUTIONS("v1", 60, 120, 180, 240, 300);
	options.catch_up_maximum = 2;
	assert_int_equal(run_at(3600), 3660); /* an hour: the last two */
	EXPECT_EXECUTIONS("v1", 60, 120, 180, 240, 300, 3540, 3600);
}

static void test_what_can_wait_is_tried_again(void **state)
{
	(void)state;
	activate("v1", every_minute());
	fake_objects_fail(store, 403);
	assert_int_equal(run_at(60), 61);
	assert_int_equal(run_at(61), 63);
	assert_int_equal(number("select count(*) from executions"), 0);
	fake_objects_fail(store, 0);
	assert_int_equal(run_at(62), 63); /* not before */
	assert_int_equal(run_at(63), 120);
	EXPECT_EXECUTIONS("v1", 60);
	assert_int_equal(number("select failures from schedules"), 0);
}

static void test_what_cannot_is_passed_over(void **state)
{
	(void)state;
	Flyteidl__Admin__LaunchPlanSpec *spec = every_minute();
	spec->concurrency_policy = proto_new(&arena, flyteidl__admin__concurrency_policy);
	spec->concurrency_policy->max = 1;
	spec->concurrency_policy->behavior =
	        FLYTEIDL__ADMIN__CONCURRENCY_LIMIT_BEHAVIOR__CONCURRENCY_LIMIT_BEHAVIOR_SKIP;
	activate("v1", spec);
	RUN("update projects set state = 1");
	assert_int_equal(run_at(60), 120);
	RUN("update projects set state = 0");
	assert_int_equal(run_at(120), 180);
	assert_int_equal(run_at(180), 240); /* the one of 120 still runs */
	EXPECT_EXECUTIONS("v1", 120);
	RUN("update executions set phase = 'SUCCEEDED'");
	run_at(240);
	EXPECT_EXECUTIONS("v1", 120, 240);
}

static void test_broken_schedule_does_no_harm(void **state)
{
	(void)state;
	activate("v1", every_minute());
	QUERY("update launch_plans set spec = $1",
	      DB_BYTES(((struct proto_bytes){ .data = (const uint8_t *)"\xff", .length = 1 })));
	assert_true(run_at(60) > INT64_C(1000000000));
	assert_int_equal(number("select count(*) from executions"), 0);
}

/* The real clock: a schedule that begins is heard of, and what is due runs at once. */
static void test_threads(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	struct scheduler *scheduler;
	PGconn *listener = PQconnectdb(url);
	PQclear(PQexec(listener, "listen flyte_engine"));
	if (scheduler_start(&options, &scheduler, &e) < 0)
		fail_msg("%s", err_message(&e));
	insert_plan("v1", every_minute());
	options.catch_up_maximum = 1;
	set_state("v1", true);
	RUN("with moved as (update schedules set last_tick_at = now() - interval '2 minutes', next_tick_at = null) "
	    "select pg_notify('flyte_schedules', '')");
	const int64_t deadline = clock_monotonic_ms() + 20000;
	PGnotify *notify = NULL;
	while (!notify && clock_monotonic_ms() < deadline) {
		struct pollfd fd = { .fd = PQsocket(listener), .events = POLLIN };
		(void)poll(&fd, 1, clock_poll_timeout(deadline));
		PQconsumeInput(listener);
		notify = PQnotifies(listener);
	}
	assert_non_null(notify);
	PQfreemem(notify);
	PQfinish(listener);
	scheduler_stop(scheduler);
	assert_true(number("select count(*) from executions") >= 1);
}

/* ---- Frame ---- */

static int start(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "%s\n", err_message(&e));
		exit(e.kind == ERR_NOT_FOUND ? POSTGRES_SKIP : 1);
	}
	url = postgres_create_database(postgres, "scheduler");
	store = fake_objects_start();
	const struct objects_options objects = { .endpoint = fake_objects_endpoint(store),
		                                 .access_key = "minio",
		                                 .secret_key = "miniostorage",
		                                 .region = "us-east-1" };
	options.launch = (struct launch_context){ .database = database_new(url, 8),
		                                  .objects = objects_new(&objects),
		                                  .bucket = "my-s3-bucket" };
	if (database_migrate(options.launch.database, clock_monotonic_ms() + 30000, &e) < 0)
		fail_msg("%s", err_message(&e));
	return 0;
}

static int reset(void **state)
{
	(void)state;
	fake_objects_fail(store, 0);
	options.catch_up_maximum = 0;
	RUN("truncate executions, schedules, launch_plans, workflows cascade");
	RUN("update projects set state = 0");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	objects_free(options.launch.objects);
	database_free(options.launch.database);
	fake_objects_stop(store);
	postgres_stop(postgres);
	free(url);
	arena_release(&arena);
	return 0;
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, reset)
	const struct CMUnitTest tests[] = {
		TEST(test_a_tick_a_minute),
		TEST(test_fixed_rate_counts_from_activation),
		TEST(test_kickoff_argument),
		TEST(test_activation_and_deactivation),
		TEST(test_crash_after_launch),
		TEST(test_replicas),
		TEST(test_catch_up),
		TEST(test_what_can_wait_is_tried_again),
		TEST(test_what_cannot_is_passed_over),
		TEST(test_broken_schedule_does_no_harm),
		TEST(test_threads),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
