#include "round_fixture.h"

#include "base/clock.h"
#include "postgres.h"

#include <stdlib.h>

static struct postgres *postgres;
static char *database_url; /* of one for all tests: their executions do not meet */
static int64_t ids;

int fixtures_begin(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "skipped: %s\n", err_message(&e));
		exit(e.kind == ERR_NOT_FOUND ? POSTGRES_SKIP : 1);
	}
	database_url = postgres_create_database(postgres, "rounds");
	struct database *database = database_new(database_url, 1);
	must(database_migrate(database, clock_monotonic_ms() + 60000, &e), &e);
	database_free(database);
	return 0;
}

int fixtures_end(void **state)
{
	(void)state;
	postgres = postgres_stop(postgres);
	free(database_url);
	return 0;
}

void must(int outcome, struct err *e)
{
	if (outcome < 0)
		fail_msg("%s", err_message(e));
	err_release(e);
}

struct database_connection *borrow(struct fixture *f)
{
	auto_err struct err e = ERR_INIT;
	struct database_connection *c = NULL;
	must(database_borrow(f->database, clock_monotonic_ms() + 20000, &c, &e), &e);
	return c;
}

struct database_rows query(struct fixture *f, const char *sql)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = borrow(f);
	struct database_rows rows;
	must(database_query(c, &f->arena, sql, (struct database_value[]){ DB_INT(f->id) }, 1, &rows, &e), &e);
	return rows;
}

const char *query_text(struct fixture *f, const char *sql)
{
	const struct database_rows rows = query(f, sql);
	assert_int_equal(rows.count, 1);
	return database_text(&rows, 0, 0);
}

void assert_query(struct fixture *f, const char *sql, const char *expected)
{
	assert_string_equal(query_text(f, sql), expected);
}

static void insert(struct fixture *f, const Flyteidl__Core__CompiledWorkflowClosure *closure,
                   const Flyteidl__Core__LiteralMap *inputs)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = borrow(f);
	struct database_rows rows;
	const struct database_value values[] = { DB_TEXT(f->name), DB_BYTES(proto_pack(&f->arena, &closure->base)),
		                                 DB_BYTES(proto_pack(&f->arena, &inputs->base)) };
	const char *sql =
	        "with w as (insert into workflows (project, domain, name, version, digest, closure)"
	        " values ('flytesnacks', 'development', 'wf', $1, '', $2) returning id)"
	        " insert into executions (project, domain, name, workflow_id, spec, inputs, inputs_uri)"
	        " select 'flytesnacks', 'development', $1, w.id, '', $3, 's3://bucket/inputs' from w returning id";
	must(database_query(c, &f->arena, sql, values, ARRAY_LENGTH(values), &rows, &e), &e);
	f->id = database_int(&rows, 0, 0);
}

struct fixture *fixture_new_with(const Flyteidl__Core__CompiledWorkflowClosure *closure,
                                 const Flyteidl__Core__LiteralMap *inputs)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	f->arena = (struct arena)ARENA_INIT((size_t)256 << 20);
	f->name = arena_printf(&f->arena, "e%lld", (long long)++ids);
	f->database = database_new(database_url, 4);
	f->fake = fake_outside_new();
	f->context = (struct round_context){
		.database = f->database,
		.outside = fake_outside_table(f->fake),
		.pods = pod_cache_new(),
		.parallel = parallel_new(3),
		.machine = MACHINE_OPTIONS_DEFAULT,
		.pod_defaults = { .resources = { .defaults = { .amounts = { "100m", "200Mi" } } } },
		.object_maximum = (size_t)16 << 20,
	};
	pod_cache_synced(f->context.pods);
	insert(f, closure, inputs);
	pod_cache_open(f->context.pods, f->id);
	return f;
}

struct fixture *fixture_new(const Flyteidl__Core__CompiledWorkflowClosure *closure)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)1 << 20);
	return fixture_new_with(closure, workflow_integer(&arena, "x", 1));
}

void fixture_free(struct fixture *f)
{
	plan_free(f->plan);
	pod_cache_free(f->context.pods);
	parallel_free(f->context.parallel);
	fake_outside_free(f->fake);
	database_free(f->database);
	arena_release(&f->arena);
	free(f);
}

/* As engine.c does it: again while something was not there. */
enum round_outcome run(struct fixture *f)
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

void forget_plan(struct fixture *f)
{
	f->plan = plan_free(f->plan);
}

const char *pod_name(struct fixture *f, const char *node, unsigned attempt)
{
	return arena_printf(&f->arena, "%s-%s-%u", f->name, node, attempt);
}

const char *object_uri(struct fixture *f, const char *rest)
{
	return arena_printf(&f->arena, ROOT "%s/%s", f->name, rest);
}

void report(struct fixture *f, json_t *pod)
{
	assert_int_equal(pod_cache_update(f->context.pods, pod, false), f->id);
	json_decref(pod);
}

static json_t *terminated(const char *container, int code, const char *reason)
{
	return json_pack("{s:s, s:[{s:s, s:{s:{s:i, s:s, s:s, s:s}}}]}", "phase", "Running", "containerStatuses",
	                 "name", container, "state", "terminated", "exitCode", code, "reason", reason, "startedAt",
	                 "2026-01-01T00:00:00Z", "finishedAt", "2026-01-01T00:00:01Z");
}

void end_pod(struct fixture *f, const char *node, unsigned attempt, int code, const char *reason)
{
	const char *name = pod_name(f, node, attempt);
	report(f, fake_outside_set_status(f->fake, name, terminated(name, code, reason)));
}

void put_message(struct fixture *f, const char *uri, const ProtobufCMessage *message)
{
	fake_outside_put(f->fake, uri, proto_pack(&f->arena, message));
}

/* The pod of the attempt did its work: outputs are there, and its container has ended. */
void succeed(struct fixture *f, const char *node, unsigned attempt, int64_t value)
{
	const char *uri = object_uri(f, arena_printf(&f->arena, "%s/data/%u/outputs.pb", node, attempt));
	put_message(f, uri, &workflow_integer(&f->arena, "o0", value)->base);
	end_pod(f, node, attempt, 0, "Completed");
}

const Flyteidl__Core__LiteralMap *literals_at(struct fixture *f, const char *uri)
{
	auto_err struct err e = ERR_INIT;
	const struct proto_bytes bytes = fake_outside_object(f->fake, uri);
	if (!bytes.data)
		fail_msg("no object %s", uri);
	const Flyteidl__Core__LiteralMap *literals =
	        proto_unpack(&f->arena, flyteidl__core__literal_map, bytes.data, bytes.length, &e);
	assert_non_null(literals);
	return literals;
}

const Flyteidl__Core__ExecutionError *stored_error(struct fixture *f, const char *sql)
{
	auto_err struct err e = ERR_INIT;
	const struct database_rows rows = query(f, sql);
	assert_int_equal(rows.count, 1);
	const struct proto_bytes bytes = database_bytes(&rows, 0, 0);
	assert_non_null(bytes.data);
	const Flyteidl__Core__ExecutionError *error =
	        proto_unpack(&f->arena, flyteidl__core__execution_error, bytes.data, bytes.length, &e);
	assert_non_null(error);
	return error;
}

struct fixture *chain(size_t length, uint32_t retries)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	for (size_t i = 0; i < length; i++)
		workflow_add_task(&b, retries, (size_t[]){ i - 1 }, i > 0);
	return fixture_new(workflow_finish(&b));
}

void put_error(struct fixture *f, const char *node, unsigned attempt, bool recoverable)
{
	Flyteidl__Core__ErrorDocument *document = proto_new(&f->arena, flyteidl__core__error_document);
	document->error = proto_new(&f->arena, flyteidl__core__container_error);
	document->error->code = arena_strdup(&f->arena, "USER:ValueError");
	document->error->message = arena_strdup(&f->arena, "no such luck");
	document->error->origin = ERROR_KIND(USER);
	if (recoverable)
		document->error->kind = FLYTEIDL__CORE__CONTAINER_ERROR__KIND__RECOVERABLE;
	put_message(f, object_uri(f, arena_printf(&f->arena, "%s/data/%u/error.pb", node, attempt)), &document->base);
}

void assert_execution_error(struct fixture *f, const char *code, const char *message)
{
	assert_query(f, "select phase from executions where id = $1", "FAILED");
	const Flyteidl__Core__ExecutionError *error = stored_error(f, "select error from executions where id = $1");
	assert_string_equal(error->code, code);
	assert_string_equal(error->message, message);
	assert_query(f, "select error_code from executions where id = $1", code);
}
