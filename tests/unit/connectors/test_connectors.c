/*
 * Rows of connector_tasks and those who call connectors for them, against a real Postgres and a connector that counts.
 * Most tests make single calls (work_run), so that what happens between two of them is the test's to choose: that is how
 * processes die here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/connectors/connectors.h"
#include "controlplane/connectors/work.h"
#include "fake_connector.h"
#include "postgres.h"
#include "tls_peer.h"

#include "flyteidl/admin/agent.pb-c.h"

#include <poll.h>
#include <string.h>

#define TASK(phase) FLYTEIDL__CORE__TASK_EXECUTION__PHASE__##phase
#define LEASE_MS INT64_C(60000)
#define PATIENCE_MS INT64_C(30000)

static struct postgres *postgres;
static struct database *database;
static struct arena arena = ARENA_INIT((size_t)256 << 20);
static struct fake_connector fake;
static int64_t execution;

/* ---- Harness ---- */

static struct database_rows query(const char *sql, const struct database_value *values, size_t count)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct database_rows rows;
	if (database_borrow(database, clock_monotonic_ms() + PATIENCE_MS, &c, &e) < 0 ||
	    database_query(c, &arena, sql, values, count, &rows, &e) < 0)
		fail_msg("%s: %s", sql, err_message(&e));
	return rows;
}

static const char *text_of(const char *sql)
{
	const struct database_rows rows = query(sql, NULL, 0);
	return rows.count ? database_text(&rows, 0, 0) : "";
}

static int64_t count_rows(void)
{
	const struct database_rows rows = query("select count(*) from connector_tasks", NULL, 0);
	return database_int(&rows, 0, 0);
}

static void begin_task(const char *name)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	Flyteidl__Admin__CreateTaskRequest *request = proto_new(&arena, flyteidl__admin__create_task_request);
	request->output_prefix = arena_strdup(&arena, "s3://bucket/there");
	const struct connector_task_new task = { .execution_id = execution,
		                                 .name = name,
		                                 .task_type = "work",
		                                 .output_prefix = request->output_prefix,
		                                 .request = proto_pack(&arena, &request->base) };
	if (database_borrow(database, clock_monotonic_ms() + PATIENCE_MS, &c, &e) < 0 ||
	    connector_tasks_begin(c, &task, &e) < 0)
		fail_msg("%s", err_message(&e));
}

static void end_all(void)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(database, clock_monotonic_ms() + PATIENCE_MS, &c, &e) < 0 ||
	    connector_tasks_end_others(c, &arena, execution, NULL, 0, &e) < 0)
		fail_msg("%s", err_message(&e));
}

static bool take(int64_t lease_ms, struct connector_work *ret_work)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	int64_t wait_ms;
	if (database_borrow(database, clock_monotonic_ms() + PATIENCE_MS, &c, &e) < 0)
		fail_msg("%s", err_message(&e));
	const int taken = connector_tasks_take(c, &arena, lease_ms, ret_work, &wait_ms, &e);
	if (taken < 0)
		fail_msg("%s", err_message(&e));
	return taken > 0;
}

static bool never(void *context)
{
	(void)context;
	return false;
}

/* With a catalog that has just asked. */
struct caller {
	const struct settings *settings;
	const struct connector_catalog *catalog;
};

static struct caller caller_of(const char *text, const char *problem)
{
	auto_err struct err e = ERR_INIT;
	struct caller caller;
	if (settings_parse(text, strlen(text), "test", false, &caller.settings, &e) < 0)
		fail_msg("%s", err_message(&e));
	const struct connector_answer answer = { .asked = true, .silent = !problem, .problem = problem };
	caller.catalog = connector_catalog_new(caller.settings, NULL, &answer);
	return caller;
}

static struct caller new_caller(const char *more, const char *problem)
{
	return caller_of(arena_printf(&arena,
	                              "plugins: {connector-service: {defaultConnector: {endpoint: \"127.0.0.1:%u\"}, "
	                              "supportedTaskTypes: [work]%s}}",
	                              fake.port, more),
	                 problem);
}

static void free_caller(struct caller *caller)
{
	connector_catalog_release(caller->catalog);
	settings_release(caller->settings);
}
#define auto_caller __attribute__((cleanup(free_caller)))

static void run(const struct caller *caller, const struct connector_work *work)
{
	auto_err struct err e = ERR_INIT;
	const struct work_context context = {
		.database = database, .settings = caller->settings, .catalog = caller->catalog, .pause = never, .cancel_fd = -1
	};
	if (work_run(&context, work, &e) < 0)
		fail_msg("%s", err_message(&e));
}

static void take_and_run(const struct caller *caller)
{
	struct connector_work work;
	query("update connector_tasks set due_at = now() where due_at is not null", NULL, 0);
	assert_true(take(LEASE_MS, &work));
	run(caller, &work);
}

static int set_up(void **state)
{
	(void)state;
	query("delete from connector_tasks", NULL, 0);
	FAKE_CONNECTOR_LOCKED(&fake, (fake.created = fake.asked = fake.deleted = fake.listed = 0));
	FAKE_CONNECTOR_LOCKED(&fake, fake.creation_fails = fake.question_fails = fake.deletion_fails = ERR_NONE);
	fake.phase = TASK(RUNNING);
	fake.hold_creation = fake.hold_question = fake.entered = false;
	return 0;
}

/* ---- The life of a task ---- */

static void test_from_beginning_to_end(void **state)
{
	struct connector_work work;
	auto_caller struct caller caller = new_caller("", NULL);
	(void)state;
	begin_task("a");
	begin_task("a"); /* a repetition */
	assert_int_equal(count_rows(), 1);
	take_and_run(&caller);
	assert_int_equal(fake.created, 1);
	assert_string_equal(fake.last_prefix, "s3://bucket/there");
	assert_string_equal(text_of("select phase from connector_tasks"), "RUN");
	assert_string_equal(text_of("select convert_from(meta, 'UTF8') from connector_tasks"), "job-1");
	assert_string_equal(text_of("select coalesce(request::text, 'gone') from connector_tasks"), "gone");
	take_and_run(&caller);
	take_and_run(&caller);
	assert_string_equal(fake.last_meta, "job-1");
	fake.phase = TASK(SUCCEEDED);
	take_and_run(&caller);
	assert_string_equal(text_of("select phase from connector_tasks"), "END");
	assert_false(take(LEASE_MS, &work)); /* nobody asks again */
	assert_int_equal(fake.created, 1);
	assert_int_equal(fake.asked, 3);
	end_all();
	assert_int_equal(count_rows(), 0); /* what is over by its own word need not be deleted */
	assert_int_equal(fake.deleted, 0);
}

static void test_deleted(void **state)
{
	auto_caller struct caller caller = new_caller("", NULL);
	(void)state;
	begin_task("never tried");
	end_all();
	assert_int_equal(count_rows(), 0);
	begin_task("a");
	take_and_run(&caller);
	end_all();
	assert_string_equal(text_of("select phase from connector_tasks"), "DELETE");
	FAKE_CONNECTOR_LOCKED(&fake, fake.deletion_fails = ERR_INTERNAL);
	take_and_run(&caller);
	assert_int_equal(count_rows(), 1); /* not done yet */
	FAKE_CONNECTOR_LOCKED(&fake, fake.deletion_fails = ERR_NONE);
	take_and_run(&caller);
	assert_int_equal(count_rows(), 0);
	assert_int_equal(fake.deleted, 2);
	assert_string_equal(fake.last_meta, "job-1");
	assert_int_equal(fake.asked, 0);
}

/* ---- Processes that die ---- */

/* Whoever took the row is gone: before the call, or after it and before anything was written down. Nobody can tell. */
static void test_death_around_the_creation(void **state)
{
	struct connector_work lost;
	auto_caller struct caller caller = new_caller("", NULL);
	(void)state;
	begin_task("a");
	assert_true(take(LEASE_MS, &lost));
	struct connector_work nobody;
	assert_false(take(LEASE_MS, &nobody)); /* it is somebody's until the lease runs out */
	query("update connector_tasks set leased_until = now()", NULL, 0);
	take_and_run(&caller);
	assert_int_equal(fake.created, 1);
	/* It lives after all, and has been replaced: its task is one too many. */
	run(&caller, &lost);
	assert_int_equal(fake.created, 2);
	assert_int_equal(fake.deleted, 1);
	assert_string_equal(fake.last_meta, "job-2");
	assert_string_equal(text_of("select convert_from(meta, 'UTF8') from connector_tasks"), "job-1");
}

/* Once written down, whatever dies, nobody creates it again. */
static void test_death_after_the_creation(void **state)
{
	struct connector_work lost;
	auto_caller struct caller caller = new_caller("", NULL);
	(void)state;
	begin_task("a");
	take_and_run(&caller);
	for (int i = 0; i < 5; i++) {
		query("update connector_tasks set due_at = now()", NULL, 0);
		assert_true(take(LEASE_MS, &lost));
		assert_int_equal(lost.call, CONNECTOR_GET);
		query("update connector_tasks set leased_until = now()", NULL, 0);
		begin_task("a"); /* a round that is repeated */
	}
	fake.phase = TASK(SUCCEEDED);
	take_and_run(&caller);
	run(&caller, &lost); /* late, and of no effect */
	assert_string_equal(text_of("select phase from connector_tasks"), "END");
	assert_int_equal(fake.created, 1);
}

struct creation {
	const struct caller *caller;
	struct connector_work work;
};

static void *create(void *context)
{
	const struct creation *creation = context;
	run(creation->caller, &creation->work);
	return NULL;
}

/* The execution is aborted while the connector makes the task: what it made is deleted. */
static void test_ended_while_it_is_created(void **state)
{
	auto_caller struct caller caller = new_caller("", NULL);
	struct creation creation = { .caller = &caller };
	struct connector_work nobody;
	pthread_t thread;
	(void)state;
	FAKE_CONNECTOR_LOCKED(&fake, fake.hold_creation = true);
	begin_task("a");
	assert_true(take(LEASE_MS, &creation.work));
	assert_int_equal(pthread_create(&thread, NULL, create, &creation), 0);
	assert_true(fake_connector_wait_entered(&fake));
	end_all();
	assert_false(take(LEASE_MS, &nobody)); /* not before it is known what was made */
	FAKE_CONNECTOR_LOCKED(&fake, fake.hold_creation = false);
	pthread_join(thread, NULL);
	take_and_run(&caller);
	assert_int_equal(count_rows(), 0);
	assert_int_equal(fake.deleted, 1);
	assert_string_equal(fake.last_meta, "job-1");
}

/* ---- What goes wrong ---- */

static void test_creation_is_refused(void **state)
{
	auto_caller struct caller caller = new_caller("", NULL);
	(void)state;
	FAKE_CONNECTOR_LOCKED(&fake, fake.creation_fails = ERR_INVALID);
	begin_task("a");
	take_and_run(&caller);
	assert_string_equal(text_of("select failure_code from connector_tasks"), "TaskFailedWithError");
	assert_non_null(strstr(text_of("select failure_message from connector_tasks"), "no such warehouse"));
	assert_string_equal(text_of("select failure_retryable::text from connector_tasks"), "true");
	end_all();
	/* Whether it was made is not known, and there is nothing to delete it by. */
	take_and_run(&caller);
	assert_int_equal(count_rows(), 0);
	assert_int_equal(fake.deleted, 0);
}

static void test_questions_fail(void **state)
{
	auto_caller struct caller caller = new_caller(", webApi: {caching: {maxSystemFailures: 2}}", NULL);
	(void)state;
	begin_task("a");
	take_and_run(&caller);
	FAKE_CONNECTOR_LOCKED(&fake, fake.question_fails = ERR_INTERNAL);
	take_and_run(&caller);
	take_and_run(&caller);
	assert_string_equal(text_of("select phase from connector_tasks"), "RUN");
	assert_non_null(strstr(text_of("select problem from connector_tasks"), "no answer today"));
	FAKE_CONNECTOR_LOCKED(&fake, fake.question_fails = ERR_NONE);
	take_and_run(&caller);
	assert_string_equal(text_of("select problem from connector_tasks"), ""); /* and the count begins anew */
	FAKE_CONNECTOR_LOCKED(&fake, fake.question_fails = ERR_INTERNAL);
	for (int i = 0; i < 3; i++)
		take_and_run(&caller);
	assert_string_equal(text_of("select failure_code from connector_tasks"), "CacheFailed");
	/* The connector has not said that it is over: it is deleted. */
	end_all();
	take_and_run(&caller);
	assert_int_equal(fake.deleted, 1);
}

static void test_connector_is_away(void **state)
{
	auto_caller struct caller away = new_caller("", "no route to it");
	auto_caller struct caller caller = new_caller("", NULL);
	(void)state;
	begin_task("a");
	take_and_run(&away);
	assert_int_equal(fake.created, 0); /* known to be away: not even tried */
	assert_non_null(strstr(text_of("select problem from connector_tasks"), "no route to it"));
	const uint16_t port = fake.port;
	fake_connector_stop(&fake);
	take_and_run(&caller); /* not known to be away */
	assert_non_null(strstr(text_of("select problem from connector_tasks"), "cannot be reached"));
	query("update connector_tasks set failing_since = now() - interval '9 minutes'", NULL, 0);
	take_and_run(&caller);
	assert_string_equal(text_of("select phase from connector_tasks"), "CREATE");
	fake_connector_start(&fake, port);
	take_and_run(&caller);
	assert_string_equal(text_of("select phase || problem from connector_tasks"), "RUN");
	/* Now for longer than anybody waits. */
	take_and_run(&away);
	query("update connector_tasks set failing_since = now() - interval '11 minutes'", NULL, 0);
	take_and_run(&away);
	assert_string_equal(text_of("select failure_code from connector_tasks"), "ConnectorUnreachable");
	assert_non_null(strstr(text_of("select failure_message from connector_tasks"), "unreachableTimeout"));
}

/* Whether it takes CreateTask or ExecuteTaskSync is known when it has said what it supports. */
static void test_connector_was_never_heard(void **state)
{
	auto_caller struct caller caller = new_caller("", NULL);
	struct caller before = { .settings = caller.settings,
		                 .catalog = connector_catalog_new(caller.settings, NULL, NULL) };
	(void)state;
	begin_task("a");
	take_and_run(&before);
	connector_catalog_release(before.catalog);
	assert_int_equal(fake.created, 0);
	assert_string_equal(text_of("select phase from connector_tasks"), "CREATE");
	assert_non_null(strstr(text_of("select problem from connector_tasks"), "has not yet said"));
	take_and_run(&caller);
	assert_int_equal(fake.created, 1);
}

/* ---- TLS ---- */

static struct caller caller_in_tls(const struct tls_peer *peer, const struct tls_authority *trusted)
{
	return caller_of(arena_printf(&arena,
	                              "%s%s\nplugins: {connector-service: {defaultConnector: {endpoint: "
	                              "\"127.0.0.1:%u\", insecure: false}, supportedTaskTypes: [work]}}",
	                              trusted ? "tls: {caFile: " : "",
	                              trusted ? arena_printf(&arena, "%s}", tls_authority_file(trusted)) : "",
	                              tls_peer_port(peer)),
	                 NULL);
}

static void refuse(const struct tls_peer *peer, const struct tls_authority *trusted)
{
	auto_caller struct caller caller = caller_in_tls(peer, trusted);
	take_and_run(&caller);
	assert_string_equal(text_of("select phase from connector_tasks"), "CREATE"); /* waited for, as one that is away */
	const char *problem = text_of("select problem from connector_tasks");
	if (!strstr(problem, "certificate"))
		fail_msg("no word of the certificate: %s", problem);
	assert_int_equal(fake.created, 0);
}

static void test_a_connector_with_tls(void **state)
{
	(void)state;
	struct tls_authority *ours = tls_authority_new("ours"), *another = tls_authority_new("another");
	struct tls_peer *peer = tls_peer_start(ours, "127.0.0.1", fake.port);
	struct tls_peer *elsewhere = tls_peer_start(ours, "elsewhere.example", fake.port);
	begin_task("a");
	refuse(peer, NULL);
	refuse(peer, another);
	refuse(elsewhere, ours);
	auto_caller struct caller caller = caller_in_tls(peer, ours);
	take_and_run(&caller);
	assert_string_equal(text_of("select phase || problem from connector_tasks"), "RUN");
	fake.phase = TASK(SUCCEEDED);
	take_and_run(&caller);
	assert_string_equal(text_of("select phase from connector_tasks"), "END");
	assert_int_equal(fake.created, 1);
	tls_peer_stop(elsewhere);
	tls_peer_stop(peer);
	tls_authority_free(another);
	tls_authority_free(ours);
}

/* ---- The threads ---- */

static void await(const char *sql, const char *expected)
{
	const int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
	while (!text_equal(text_of(sql), expected)) {
		if (clock_monotonic_ms() > deadline_ms)
			fail_msg("%s: \"%s\" instead of \"%s\"", sql, text_of(sql), expected);
		(void)poll(NULL, 0, 20);
	}
}

static void test_threads(void **state)
{
	auto_err struct err e = ERR_INIT;
	auto_caller struct caller caller = new_caller(", pollInterval: 1s, webApi: {caching: {resyncInterval: 100ms}}", NULL);
	struct settings_holder *holder = settings_holder_new(settings_retain(caller.settings), "");
	const struct connectors_options options = { .database = database, .settings = holder, .workers = 3 };
	struct connectors *connectors;
	(void)state;
	begin_task("before"); /* there when they start */
	assert_int_equal(connectors_start(&options, &connectors, &e), 0);
	await("select phase from connector_tasks where name = 'before'", "RUN");
	begin_task("after");
	await("select phase from connector_tasks where name = 'after'", "RUN");
	auto_connector_catalog const struct connector_catalog *catalog = connectors_catalog(connectors);
	struct connector_type type;
	assert_true(connector_catalog_find(catalog, "work", 0, &type));
	FAKE_CONNECTOR_LOCKED(&fake, fake.phase = TASK(SUCCEEDED));
	await("select count(*)::text from connector_tasks where phase = 'END'", "2");
	assert_int_equal(fake.created, 2);
	assert_true(fake.listed > 0);
	connectors_stop(connectors);
	settings_holder_free(holder);
}

/* Nobody waits for what a connector that does not answer might say: the process that stops has seconds. The row is free at once. */
static void test_stop_while_a_connector_is_asked(void **state)
{
	auto_err struct err e = ERR_INIT;
	auto_caller struct caller caller = new_caller(", webApi: {caching: {resyncInterval: 100ms}}", NULL);
	struct settings_holder *holder = settings_holder_new(settings_retain(caller.settings), "");
	const struct connectors_options options = { .database = database, .settings = holder, .workers = 1 };
	struct connectors *connectors;
	struct connector_work work;
	(void)state;
	FAKE_CONNECTOR_LOCKED(&fake, fake.hold_question = true);
	begin_task("a");
	assert_int_equal(connectors_start(&options, &connectors, &e), 0);
	assert_true(fake_connector_wait_entered(&fake));
	connectors_stop(connectors); /* returns although the answer is held back */
	assert_true(fake.hold_question);
	FAKE_CONNECTOR_LOCKED(&fake, fake.hold_question = false);
	assert_true(take(LEASE_MS, &work));
	assert_int_equal(work.call, CONNECTOR_GET);
	assert_int_equal(work.failures, 0);
	settings_holder_free(holder);
}

int main(void)
{
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "skipped: %s\n", err_message(&e));
		return POSTGRES_SKIP;
	}
	auto_free char *url = postgres_create_database(postgres, "connectors");
	database = database_new(url, 6);
	if (database_migrate(database, clock_monotonic_ms() + PATIENCE_MS, &e) < 0) {
		fprintf(stderr, "%s\n", err_message(&e));
		return 1;
	}
	const struct database_rows made = query("insert into executions (project, domain, name, spec)"
	                                        " values ('p', 'd', 'e', '') returning id",
	                                        NULL, 0);
	execution = database_int(&made, 0, 0);
	fake_connector_start(&fake, 0);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_from_beginning_to_end, set_up),
		cmocka_unit_test_setup(test_deleted, set_up),
		cmocka_unit_test_setup(test_a_connector_with_tls, set_up),
		cmocka_unit_test_setup(test_death_around_the_creation, set_up),
		cmocka_unit_test_setup(test_death_after_the_creation, set_up),
		cmocka_unit_test_setup(test_ended_while_it_is_created, set_up),
		cmocka_unit_test_setup(test_creation_is_refused, set_up),
		cmocka_unit_test_setup(test_questions_fail, set_up),
		cmocka_unit_test_setup(test_connector_is_away, set_up),
		cmocka_unit_test_setup(test_connector_was_never_heard, set_up),
		cmocka_unit_test_setup(test_threads, set_up),
		cmocka_unit_test_setup(test_stop_while_a_connector_is_asked, set_up),
	};
	const int result = cmocka_run_group_tests(tests, NULL, NULL);
	fake_connector_stop(&fake);
	database_free(database);
	postgres_stop(postgres);
	arena_release(&arena);
	return result;
}
