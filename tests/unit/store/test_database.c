/* The database layer and the rows of registration against a real Postgres. */
#include "base/clock.h"
#include "base/text.h"
#include "controlplane/store/database.h"
#include "controlplane/store/database_internal.h"
#include "controlplane/store/launch_plans.h"
#include "controlplane/store/named_entities.h"
#include "controlplane/store/projects.h"
#include "controlplane/store/tasks.h"
#include "controlplane/store/workflows.h"
#include "postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#define ARENA ARENA_INIT((size_t)64 * 1024 * 1024)
#define WAIT_MS 30000

static struct postgres *postgres;

static int64_t soon(void)
{
	return clock_monotonic_ms() + WAIT_MS;
}

/* A pool on a new database, migrated unless `empty`. */
static struct database *fresh(const char *name, unsigned size, bool empty)
{
	auto_free char *url = postgres_create_database(postgres, name);
	struct database *database = database_new(url, size);
	auto_err struct err e = ERR_INIT;
	if (!empty && database_migrate(database, soon(), &e) < 0)
		fail_msg("%s", err_message(&e));
	return database;
}

static struct database_connection *borrow(struct database *database)
{
	struct database_connection *c = NULL;
	auto_err struct err e = ERR_INIT;
	if (database_borrow(database, soon(), &c, &e) < 0)
		fail_msg("%s", err_message(&e));
	return c;
}

static void must(int outcome, const struct err *e)
{
	if (outcome < 0)
		fail_msg("%s", err_message(e));
}

static void test_values(void **state)
{
	(void)state;
	struct database *database = fresh("test_values", 1, true);
	auto_arena struct arena arena = ARENA;
	auto_err struct err e = ERR_INIT;
	struct database_connection *c = borrow(database);
	struct database_rows rows;
	static const uint8_t bytes[] = { 0, 1, 0xff, 0 };
	const struct database_value values[] = {
		DB_TEXT("grüße'\"\\"),
		DB_TEXT(NULL),
		DB_INT(INT64_MIN),
		DB_BOOL(true),
		DB_BYTES(((struct proto_bytes){ bytes, sizeof(bytes) })),
		DB_BYTES(((struct proto_bytes){ NULL, 0 })),
		DB_BYTES(((struct proto_bytes){ bytes, 0 })),
		DB_TIME(INT64_C(1795418118123456789)),
		DB_TIME(INT64_C(-1500)),
		DB_NULL,
	};
	/* twice: once preparing, once prepared */
	for (int round = 0; round < 2; round++) {
		must(database_query(
		             c, &arena,
		             "select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::bytea, 7::smallint, 8::integer, ''",
		             values, ARRAY_LENGTH(values), &rows, &e),
		     &e);
		assert_int_equal(rows.count, 1);
		assert_int_equal(rows.columns, 13);
		assert_string_equal(database_text(&rows, 0, 0), "grüße'\"\\");
		assert_true(database_is_null(&rows, 0, 1));
		assert_string_equal(database_text(&rows, 0, 1), "");
		assert_true(database_int(&rows, 0, 2) == INT64_MIN);
		assert_true(database_bool(&rows, 0, 3));
		assert_int_equal(database_bytes(&rows, 0, 4).length, sizeof(bytes));
		assert_memory_equal(database_bytes(&rows, 0, 4).data, bytes, sizeof(bytes));
		assert_null(database_bytes(&rows, 0, 5).data);
		assert_non_null(database_bytes(&rows, 0, 6).data);
		assert_int_equal(database_bytes(&rows, 0, 6).length, 0);
		assert_true(database_time(&rows, 0, 7) == INT64_C(1795418118123456000));
		assert_true(database_time(&rows, 0, 8) == INT64_C(-2000));
		assert_true(database_is_null(&rows, 0, 9));
		assert_int_equal(database_int(&rows, 0, 10), 7);
		assert_int_equal(database_int(&rows, 0, 11), 8);
		assert_false(database_is_null(&rows, 0, 12));
	}
	/* the same text with other types of values is another statement */
	must(database_query(c, &arena, "select $1", (struct database_value[]){ DB_INT(5) }, 1, &rows, &e), &e);
	assert_int_equal(database_int(&rows, 0, 0), 5);
	must(database_query(c, &arena, "select $1", (struct database_value[]){ DB_TEXT("five") }, 1, &rows, &e), &e);
	assert_string_equal(database_text(&rows, 0, 0), "five");
	must(database_query(c, &arena, "select 'infinity'::timestamptz", NULL, 0, &rows, &e), &e);
	assert_true(database_time(&rows, 0, 0) == INT64_MAX);
	database_return(c);
	database_free(database);
}

static void assert_failure(struct database_connection *c, const char *sql, enum err_kind kind)
{
	auto_err struct err e = ERR_INIT;
	assert_true(database_execute(c, sql, NULL, 0, &e) < 0);
	assert_int_equal(e.kind, kind);
	assert_true(strlen(err_message(&e)) > 10);
}

static void test_errors(void **state)
{
	(void)state;
	struct database *database = fresh("test_errors", 1, true);
	auto_arena struct arena arena = ARENA;
	auto_err struct err e = ERR_INIT;
	struct database_connection *c = borrow(database);
	must(database_run(c->pg,
	                  "create table parent (id int primary key); create table child (id int references parent)",
	                  &e),
	     &e);
	assert_int_equal(database_execute(c, "insert into parent values (1), (2)", NULL, 0, &e), 2);
	assert_failure(c, "insert into parent values (1)", ERR_EXISTS);
	assert_failure(c, "insert into child values (9)", ERR_PRECONDITION);
	assert_failure(c, "nonsense", ERR_INTERNAL);
	assert_failure(c, "do $$ begin raise exception using errcode = '40001'; end $$", ERR_CONFLICT);
	assert_failure(c, "do $$ begin raise exception using errcode = '57014'; end $$", ERR_TIMEOUT);
	assert_int_equal(database_execute(c, "select $1", (struct database_value[]){ DB_TEXT("\xff") }, 1, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	/* rows that do not fit into the call's memory are an error, not the end of the process */
	auto_arena struct arena small = ARENA_INIT(1024);
	struct database_rows rows;
	assert_int_equal(database_query(c, &small, "select repeat('x', 1000000)", NULL, 0, &rows, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	/* a page is cut by bytes, but never to nothing */
	bool cut;
	must(database_query_page(c, &arena, "select repeat('x', 1000) from generate_series(1, 10)", NULL, 0, 3500,
	                         &rows, &cut, &e),
	     &e);
	assert_int_equal(rows.count, 3);
	assert_true(cut);
	must(database_query_page(c, &arena, "select repeat('x', 1000)", NULL, 0, 10, &rows, &cut, &e), &e);
	assert_int_equal(rows.count, 1);
	assert_false(cut);
	/* a commit that Postgres turned into a rollback is an error */
	must(database_begin(c, &e), &e);
	assert_failure(c, "nonsense", ERR_INTERNAL);
	assert_true(database_commit(c, &e) < 0);
	database_return(c);
	database_free(database);
}

static int64_t count_rows(struct database_connection *c, const char *sql)
{
	auto_arena struct arena arena = ARENA;
	auto_err struct err e = ERR_INIT;
	struct database_rows rows;
	must(database_query(c, &arena, sql, NULL, 0, &rows, &e), &e);
	return database_int(&rows, 0, 0);
}

static void test_transactions(void **state)
{
	(void)state;
	struct database *database = fresh("test_transactions", 2, true);
	auto_err struct err e = ERR_INIT;
	struct database_connection *c = borrow(database);
	must(database_run(c->pg, "create table numbers (n int)", &e), &e);
	must(database_begin(c, &e), &e);
	assert_int_equal(database_execute(c, "insert into numbers values (1)", NULL, 0, &e), 1);
	database_return(c); /* without commit: undone */
	c = borrow(database);
	assert_int_equal(count_rows(c, "select count(*) from numbers"), 0);
	must(database_begin(c, &e), &e);
	assert_int_equal(database_execute(c, "insert into numbers values (1)", NULL, 0, &e), 1);
	must(database_commit(c, &e), &e);
	assert_int_equal(count_rows(c, "select count(*) from numbers"), 1);
	/* more different statements than the cache holds: they run unprepared */
	for (int i = 0; i < DATABASE_STATEMENT_SLOTS; i++) {
		auto_free char *sql = xasprintf("select %d", i);
		assert_int_equal(count_rows(c, sql), i);
	}
	assert_int_equal(c->statement_count, DATABASE_STATEMENT_SLOTS / 2);
	database_return(c);
	database_free(database);
}

static void *return_later(void *connection)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	database_return(connection);
	return NULL;
}

static void test_pool(void **state)
{
	(void)state;
	struct database *database = fresh("test_pool", 2, true);
	auto_err struct err e = ERR_INIT;
	struct database_connection *a = borrow(database), *b = borrow(database), *c = NULL;
	int64_t start = clock_monotonic_ms();
	assert_int_equal(database_borrow(database, start + 50, &c, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_true(clock_monotonic_ms() - start >= 50);
	pthread_t thread;
	pthread_create(&thread, NULL, return_later, a);
	c = borrow(database); /* woken by the return */
	assert_ptr_equal(c, a);
	pthread_join(thread, NULL);
	database_return(c);
	database_return(b);
	database_free(database);
}

static void *request_later(void *cancel)
{
	poll(NULL, 0, 50);
	cancel_request(cancel);
	return NULL;
}

static void assert_ended(struct database_connection *c, enum err_kind kind)
{
	auto_err struct err e = ERR_INIT;
	int64_t began_ms = clock_monotonic_ms();
	assert_int_equal(database_execute(c, "select pg_sleep(600)", NULL, 0, &e), -1);
	assert_int_equal(e.kind, kind);
	assert_string_equal(err_id(&e), "database-cancelled");
	assert_true(clock_monotonic_ms() - began_ms < WAIT_MS);
}

/* A statement ends when its call does; the connection goes on. */
static void test_bounds(void **state)
{
	(void)state;
	struct database *database = fresh("test_bounds", 1, true);
	auto_err struct err e = ERR_INIT;
	struct database_connection *c = borrow(database);
	database_bound(c, clock_monotonic_ms() + 50, NULL);
	assert_ended(c, ERR_TIMEOUT);
	struct cancel cancel = CANCEL_INIT;
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, request_later, &cancel), 0);
	database_bound(c, CLOCK_NEVER, &cancel);
	assert_ended(c, ERR_CANCELLED);
	pthread_join(thread, NULL);
	/* Requested before: it does not even begin to wait. */
	assert_ended(c, ERR_CANCELLED);
	cancel_release(&cancel);
	database_return(c);
	/* The bounds went with it. */
	c = borrow(database);
	must((int)database_execute(c, "select pg_sleep(0.01)", NULL, 0, &e), &e);
	database_return(c);
	must(database_ping(database, soon(), &e), &e);
	database_free(database);
}

static void test_connect_failures(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	struct database_connection *c = NULL;
	struct database *database = database_new("host=/nonexistent dbname=x", 1);
	assert_int_equal(database_borrow(database, clock_monotonic_ms() + 100, &c, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err_message(&e), "/nonexistent"));
	database_free(database);
	/* what does not get better by waiting fails at once, although the deadline is far */
	auto_free char *url = xasprintf("%s dbname=missing", postgres_url(postgres));
	database = database_new(url, 1);
	int64_t start = clock_monotonic_ms();
	assert_int_equal(database_borrow(database, soon(), &c, &e), -1);
	assert_int_equal(e.kind, ERR_PRECONDITION);
	assert_non_null(strstr(err_message(&e), "missing"));
	assert_true(clock_monotonic_ms() - start < WAIT_MS / 2);
	database_free(database);
}

static void test_reconnect(void **state)
{
	(void)state;
	struct database *database = fresh("test_reconnect", 1, true);
	auto_err struct err e = ERR_INIT;
	struct database_connection *c = borrow(database);
	assert_int_equal(count_rows(c, "select 1"), 1);
	postgres_restart(postgres);
	/* the connection in use is lost, and says so */
	assert_true(database_execute(c, "select 1", NULL, 0, &e) < 0);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	database_return(c);
	c = borrow(database); /* waits for the server to be back */
	assert_int_equal(count_rows(c, "select 1"), 1);
	database_return(c);
	/* an idle one is found dead before it is handed out */
	postgres_restart(postgres);
	c = borrow(database);
	assert_int_equal(count_rows(c, "select 1"), 1);
	database_return(c);
	/* also when it said goodbye before it went */
	auto_free char *url = xasprintf("%s dbname=test_reconnect", postgres_url(postgres));
	struct database *other = database_new(url, 1);
	struct database_connection *killer = borrow(other);
	assert_int_equal(database_execute(killer,
	                                  "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
	                                  "where datname = current_database() and pid <> pg_backend_pid()",
	                                  NULL, 0, NULL),
	                 1);
	c = borrow(database);
	assert_int_equal(count_rows(c, "select 1"), 1);
	database_return(c);
	database_return(killer);
	database_free(other);
	database_free(database);
}

struct listener {
	struct database *database;
	int stop_fd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned connected; /* "" payloads */
	char last[64];
	int outcome;
};

static void on_notify(void *context, const char *payload)
{
	struct listener *listener = context;
	pthread_mutex_lock(&listener->lock);
	if (*payload)
		(void)snprintf(listener->last, sizeof(listener->last), "%s", payload);
	else
		listener->connected++;
	pthread_cond_broadcast(&listener->changed);
	pthread_mutex_unlock(&listener->lock);
}

static void *listen_thread(void *context)
{
	struct listener *listener = context;
	listener->outcome =
	        database_listen(listener->database, "test_channel", listener->stop_fd, on_notify, listener, NULL);
	return NULL;
}

static void await_listener(struct listener *listener, unsigned connected, const char *last)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&listener->lock);
	while (listener->connected < connected || strcmp(listener->last, last) != 0) {
		if (pthread_cond_timedwait(&listener->changed, &listener->lock, &until) != 0)
			fail_msg("waited for connection %u and payload '%s', have %u and '%s'", connected, last,
			         listener->connected, listener->last);
	}
	pthread_mutex_unlock(&listener->lock);
}

static void test_listen(void **state)
{
	(void)state;
	struct database *database = fresh("test_listen", 1, true);
	auto_err struct err e = ERR_INIT;
	struct listener listener = { .database = database, .stop_fd = eventfd(0, EFD_CLOEXEC), .outcome = 1 };
	pthread_mutex_init(&listener.lock, NULL);
	pthread_cond_init(&listener.changed, NULL);
	pthread_t thread;
	pthread_create(&thread, NULL, listen_thread, &listener);
	await_listener(&listener, 1, "");
	struct database_connection *c = borrow(database);
	must(database_run(c->pg, "select pg_notify('test_channel', '42')", &e), &e);
	await_listener(&listener, 1, "42");
	database_return(c);
	postgres_restart(postgres);
	await_listener(&listener, 2, "42");
	c = borrow(database);
	must(database_run(c->pg, "select pg_notify('test_channel', '43')", &e), &e);
	await_listener(&listener, 2, "43");
	database_return(c);
	eventfd_write(listener.stop_fd, 1);
	pthread_join(thread, NULL);
	assert_int_equal(listener.outcome, 0);
	close(listener.stop_fd);
	pthread_cond_destroy(&listener.changed);
	pthread_mutex_destroy(&listener.lock);
	database_free(database);
}

static void *migrate_thread(void *context)
{
	struct database *database = context;
	auto_err struct err e = ERR_INIT;
	int outcome = database_migrate(database, soon(), &e);
	if (outcome < 0)
		fprintf(stderr, "%s\n", err_message(&e));
	return outcome < 0 ? database : NULL;
}

static void test_migrations(void **state)
{
	(void)state;
	struct database *database = fresh("test_migrations", 4, true);
	auto_err struct err e = ERR_INIT;
	pthread_t threads[4];
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		pthread_create(&threads[i], NULL, migrate_thread, database);
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	struct database_connection *c = borrow(database);
	assert_int_equal(count_rows(c, "select count(*) from schema_migrations"), (int64_t)database_migration_count);
	assert_true(database_migration_count >= 2);
	assert_int_equal(count_rows(c, "select count(*) from projects where identifier = 'flytesnacks'"), 1);
	assert_int_equal(
	        database_execute(c, "insert into projects (identifier, name) values ('kept', 'kept')", NULL, 0, &e), 1);
	database_return(c);
	must(database_migrate(database, soon(), &e), &e);
	c = borrow(database);
	assert_int_equal(count_rows(c, "select count(*) from projects where identifier = 'kept'"), 1);
	/* a database of a later program */
	must(database_run(c->pg, "insert into schema_migrations values (999, 'later', '')", &e), &e);
	database_return(c);
	assert_true(database_migrate(database, soon(), &e) < 0);
	assert_int_equal(e.kind, ERR_PRECONDITION);
	assert_string_equal(err_id(&e), "database-newer");
	assert_non_null(strstr(err_message(&e), "999 (later)"));
	/* a file that was edited after it was applied */
	c = borrow(database);
	must(database_run(c->pg,
	                  "delete from schema_migrations where version = 999;"
	                  "update schema_migrations set sha256 = sha256('') where version = 1",
	                  &e),
	     &e);
	database_return(c);
	assert_true(database_migrate(database, soon(), &e) < 0);
	assert_string_equal(err_id(&e), "database-differs");
	database_free(database);
}

static void test_broken_migration(void **state)
{
	(void)state;
	struct database *database = fresh("test_broken_migration", 1, true);
	auto_err struct err e = ERR_INIT;
	static const char good[] = "create table a (n int)", bad[] = "create table b (n int); create table a (n int)";
	const size_t good_size = strlen(good), bad_size = strlen(bad);
	const struct migration migrations[] = {
		{ 1, "good", (const unsigned char *)good, &good_size },
		{ 2, "bad", (const unsigned char *)bad, &bad_size },
	};
	assert_true(database_migrate_with(database, migrations, 2, soon(), &e) < 0);
	assert_non_null(strstr(err_message(&e), "migration 2 (bad)"));
	/* the first is in, nothing of the second */
	struct database_connection *c = borrow(database);
	assert_int_equal(count_rows(c, "select count(*) from schema_migrations"), 1);
	assert_int_equal(count_rows(c, "select count(*) from pg_class where relname in ('a', 'b')"), 1);
	database_return(c);
	database_free(database);
}

static struct task_row a_task(const char *name, const char *version)
{
	static const uint8_t digest[32] = { 1 }, closure[] = { 2, 3 };
	return (struct task_row){
		.key = { "flytesnacks", "development", name, version },
		.type = "container",
		.short_description = "",
		.digest = { digest, sizeof(digest) },
		.closure = { closure, sizeof(closure) },
	};
}

static void test_task_rows(void **state)
{
	(void)state;
	struct database *database = fresh("test_task_rows", 1, false);
	auto_arena struct arena arena = ARENA;
	auto_err struct err e = ERR_INIT;
	struct database_connection *c = borrow(database);
	struct task_row task = a_task("t", "v1"), found;
	assert_int_equal(tasks_get(c, &arena, &task.key, &found, &e), 0);
	assert_int_equal(tasks_insert(c, &arena, &task, &e), 1);
	assert_int_equal(tasks_insert(c, &arena, &task, &e), 0);
	assert_int_equal(tasks_get(c, &arena, &task.key, &found, &e), 1);
	assert_string_equal(found.type, "container");
	assert_int_equal(found.digest.length, 32);
	assert_int_equal(found.closure.data[1], 3);
	assert_true(llabs(found.created_at - clock_wall_ns()) < INT64_C(60000000000));
	for (int i = 2; i < 8; i++) {
		auto_free char *version = xasprintf("v%d", i);
		struct task_row more = a_task("t", version);
		assert_int_equal(tasks_insert(c, &arena, &more, &e), 1);
	}
	assert_int_equal(count_rows(c, "select count(*) from named_entities where resource_type = 1 and name = 't'"),
	                 1);

	/* pages of three, newest first */
	Flyteidl__Admin__Sort sort;
	flyteidl__admin__sort__init(&sort);
	sort.key = (char[]){ "created_at" };
	struct list_request request = { .entity = LIST_TASK,
		                        .rpc = "ListTasks",
		                        .limit = 3,
		                        .token = "",
		                        .filters = "ne(version,v4)",
		                        .sort_by = &sort };
	char seen[64] = "";
	for (int page = 0; page < 3; page++) {
		auto_list_query struct list_query query = LIST_QUERY_INIT;
		must(list_init(&query, &arena, &request, &e), &e);
		list_where(&query, "t.project = ?", DB_TEXT("flytesnacks"));
		struct task_rows rows;
		must(tasks_list(c, &query, &rows, &e), &e);
		size_t length = strlen(seen);
		for (size_t i = 0; i < rows.count; i++)
			length +=
			        (size_t)snprintf(seen + length, sizeof(seen) - length, "%s ", rows.rows[i].key.version);
		(void)snprintf(seen + length, sizeof(seen) - length, "[%s] ", query.next_token);
		request.token = query.next_token;
		if (!*request.token)
			break;
	}
	assert_string_equal(seen, "v7 v6 v5 [3] v3 v2 v1 [6] [] ");
	database_return(c);
	database_free(database);
}

/* Every column that a filter or sort key may name exists in SQL: each is used once against the real schema. */
static void test_every_column(void **state)
{
	(void)state;
	struct database *database = fresh("test_every_column", 1, false);
	auto_err struct err e = ERR_INIT;
	struct database_connection *c = borrow(database);
	static const struct {
		enum list_entity entity;
		const char *texts, *numbers, *times; /* field names, by kind */
	} entities[] = {
		{ LIST_TASK, "project domain name version type short_description", "id", "created_at updated_at" },
		{ LIST_WORKFLOW, "project domain name version short_description remote_closure_identifier", "id",
		  "created_at updated_at" },
		{ LIST_LAUNCH_PLAN, "project domain name version schedule_type workflow.name", "id state workflow_id",
		  "created_at updated_at" },
		{ LIST_NAMED_ENTITY, "project domain name description entities.name named_entity_metadata.description",
		  "id state resource_type", "created_at updated_at" },
		{ LIST_PROJECT, "identifier name description project.name", "id state", "created_at updated_at" },
		{ LIST_EXECUTION,
		  "project domain name execution_project execution_domain execution_name phase user cluster "
		  "launch_entity abort_cause error_kind"
		  " error_code inputs_uri user_inputs_uri launch_plan.name workflow.version task.name "
		  "execution_tag.key execution_tag.value"
		  " admin_tag.name",
		  "id state mode launch_plan_id workflow_id task_id source_execution_id parent_node_execution_id",
		  "created_at updated_at started_at ended_at execution_created_at execution_updated_at" },
		{ LIST_NODE_EXECUTION,
		  "execution_project execution_domain execution_name node_id phase input_uri error_kind error_code "
		  "execution.phase",
		  "id parent_id",
		  "created_at updated_at started_at node_execution_created_at node_execution_updated_at" },
		{ LIST_TASK_EXECUTION,
		  "project domain name version execution_project execution_domain execution_name node_id phase "
		  "input_uri task.type"
		  " execution.phase node_execution.phase",
		  "id retry_attempt phase_version",
		  "created_at updated_at started_at task_execution_created_at task_execution_updated_at" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(entities); i++) {
		const char *lists[] = { entities[i].texts, entities[i].numbers, entities[i].times, "duration" };
		static const char *const values[] = { "x", "1", "2026-01-01T00:00:00Z", "1.5s" };
		bool timed = entities[i].entity == LIST_EXECUTION || entities[i].entity == LIST_NODE_EXECUTION ||
		             entities[i].entity == LIST_TASK_EXECUTION;
		for (size_t kind = 0; kind < (timed ? 4 : 3); kind++) {
			auto_free char *names = xstrdup(lists[kind]);
			char *rest = names;
			for (char *name; (name = strsep(&rest, " "));) {
				auto_arena struct arena arena = ARENA;
				auto_list_query struct list_query query = LIST_QUERY_INIT;
				auto_free char *filter =
				        xasprintf("eq(%s, %s)+value_in(%s,%s;%s)+contains(%s,x)", name, values[kind],
				                  name, values[kind], values[kind], name);
				Flyteidl__Admin__Sort sort;
				flyteidl__admin__sort__init(&sort);
				sort.key = name;
				struct list_request request = { .entity = entities[i].entity,
					                        .rpc = "x",
					                        .limit = 1,
					                        .filters = filter,
					                        .sort_by = strchr(name, '.') ? NULL : &sort };
				must(list_init(&query, &arena, &request, &e), &e);
				struct database_rows rows;
				if (list_run(&query, c, "1", &rows, &e) < 0)
					fail_msg("%s: %s: %s", name, list_sql(&query, "1"), err_message(&e));
			}
		}
	}
	database_return(c);
	database_free(database);
}

static void add_launch_plan(struct database_connection *c, struct arena *arena, int64_t workflow_id,
                            const char *version)
{
	auto_err struct err e = ERR_INIT;
	static const uint8_t digest[32] = { 1 };
	const struct proto_bytes empty = { digest, 0 };
	struct launch_plan_row row = { .key = { "p", "d", "lp", version },
		                       .workflow_id = workflow_id,
		                       .spec = empty,
		                       .expected_inputs = empty,
		                       .expected_outputs = empty,
		                       .digest = { digest, 32 },
		                       .schedule_type = "NONE" };
	assert_int_equal(launch_plans_insert(c, arena, &row, 0, &e), 1);
	assert_int_equal(launch_plans_insert(c, arena, &row, 0, &e), 0);
}

struct activation {
	struct database *database;
	const char *version;
};

static void *activate_thread(void *context)
{
	const struct activation *activation = context;
	auto_arena struct arena arena = ARENA;
	auto_err struct err e = ERR_INIT;
	for (int i = 0; i < 20; i++) {
		auto_connection struct database_connection *c = NULL;
		struct entity_key key = { "p", "d", "lp", activation->version };
		if (database_borrow(activation->database, soon(), &c, &e) < 0 ||
		    launch_plans_set_state(c, &arena, &key, true, &e) != 1) {
			fprintf(stderr, "%s\n", err_message(&e));
			return context;
		}
	}
	return NULL;
}

static void test_launch_plan_activation(void **state)
{
	(void)state;
	struct database *database = fresh("test_activation", 4, false);
	auto_arena struct arena arena = ARENA;
	auto_err struct err e = ERR_INIT;
	struct database_connection *c = borrow(database);
	static const uint8_t digest[32] = { 1 };
	struct workflow_row workflow = { .key = { "p", "d", "w", "v" },
		                         .short_description = "",
		                         .digest = { digest, 32 },
		                         .closure = { digest, 0 },
		                         .closure_uri = "" };
	assert_int_equal(workflows_insert(c, &arena, &workflow, 2, &e), 1);
	struct workflow_row stored;
	assert_int_equal(workflows_get(c, &arena, &workflow.key, &stored, &e), 1);
	struct named_entity_row entity = { .resource_type = 2, .project = "p", .domain = "d", .name = "w" };
	assert_int_equal(named_entities_get(c, &arena, &entity, &entity, &e), 1);
	assert_int_equal(entity.state, 2);
	add_launch_plan(c, &arena, stored.id, "v1");
	add_launch_plan(c, &arena, stored.id, "v2");
	struct entity_key missing = { "p", "d", "lp", "v3" };
	assert_int_equal(launch_plans_set_state(c, &arena, &missing, true, &e), 0);
	database_return(c);

	struct activation activations[4] = {
		{ database, "v1" }, { database, "v2" }, { database, "v1" }, { database, "v2" }
	};
	pthread_t threads[ARRAY_LENGTH(activations)];
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		pthread_create(&threads[i], NULL, activate_thread, &activations[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	c = borrow(database);
	assert_int_equal(count_rows(c, "select count(*) from launch_plans where state = 1"), 1);
	struct launch_plan_row active;
	assert_int_equal(launch_plans_get_active(c, &arena, &missing, &active, &e), 1);
	struct entity_key key = { "p", "d", "lp", active.key.version };
	assert_int_equal(launch_plans_set_state(c, &arena, &key, false, &e), 1);
	assert_int_equal(launch_plans_get_active(c, &arena, &missing, &active, &e), 0);
	database_return(c);
	database_free(database);
}

static void test_projects(void **state)
{
	(void)state;
	struct database *database = fresh("test_projects", 1, false);
	auto_arena struct arena arena = ARENA;
	auto_err struct err e = ERR_INIT;
	struct database_connection *c = borrow(database);
	struct project_row project = { .identifier = "a", .name = "A", .description = "first", .state = 0 }, found;
	assert_int_equal(projects_insert(c, &arena, &project, &e), 1);
	assert_int_equal(projects_insert(c, &arena, &project, &e), 0);
	struct project_row update = { .identifier = "a", .name = "", .description = "second", .state = 1 };
	assert_int_equal(projects_update(c, &update, &e), 1);
	assert_int_equal(projects_get(c, &arena, "a", &found, &e), 1);
	assert_string_equal(found.name, "A");
	assert_string_equal(found.description, "second");
	assert_int_equal(found.state, 1);
	update.identifier = "missing";
	assert_int_equal(projects_update(c, &update, &e), 0);
	assert_int_equal(projects_get(c, &arena, "missing", &found, &e), 0);
	database_return(c);
	database_free(database);
}

static int start(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) == 0)
		return 0;
	fprintf(stderr, "%s: %s\n", e.kind == ERR_NOT_FOUND ? "skipped" : "failed", err_message(&e));
	exit(e.kind == ERR_NOT_FOUND ? POSTGRES_SKIP : 1);
}

static int stop(void **state)
{
	(void)state;
	postgres = postgres_stop(postgres);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),           cmocka_unit_test(test_errors),
		cmocka_unit_test(test_transactions),     cmocka_unit_test(test_pool),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_connect_failures), cmocka_unit_test(test_reconnect),
		cmocka_unit_test(test_listen),           cmocka_unit_test(test_migrations),
		cmocka_unit_test(test_broken_migration), cmocka_unit_test(test_task_rows),
		cmocka_unit_test(test_every_column),     cmocka_unit_test(test_launch_plan_activation),
		cmocka_unit_test(test_projects),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
