/* SignalService's RPCs, against a real Postgres. The engine's part, asking for a signal, is played by signals_await. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/api/api.h"
#include "controlplane/store/signals.h"
#include "json_calls.h"
#include "postgres.h"

#include <libpq-fe.h>

#define EXECUTION "{'project': 'flytesnacks', 'domain': 'development', 'name': 'e1'}"
#define ID(name) "'id': {'signal_id': '" name "', 'execution_id': " EXECUTION "}"
#define TEXT_VALUE "'value': {'scalar': {'primitive': {'string_value': 'yes'}}}"
#define TRUE_VALUE "'value': {'scalar': {'primitive': {'boolean': true}}}"

static struct postgres *postgres;
static struct api_config config;
static struct api api;
static struct arena arena = ARENA_INIT(64 << 20);
static int64_t execution_id;

static struct database_connection *borrow(void)
{
	auto_err struct err e = ERR_INIT;
	struct database_connection *c;
	if (database_borrow(api.database, clock_monotonic_ms() + 10000, &c, &e) < 0)
		fail_msg("%s", err_message(&e));
	return c;
}

/* As the engine asks; the value that is there. */
static const Flyteidl__Core__Literal *ask_for(const char *signal, Flyteidl__Core__SimpleType simple)
{
	auto_err struct err e = ERR_INIT;
	struct database_connection *c auto_connection = borrow();
	struct proto_bytes value;
	Flyteidl__Core__LiteralType *type = proto_new(&arena, flyteidl__core__literal_type);
	type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	type->simple = simple;
	if (signals_await(c, &arena, execution_id, signal, proto_pack(&arena, &type->base), &value, &e) < 0)
		fail_msg("%s", err_message(&e));
	return value.data ? proto_unpack(&arena, flyteidl__core__literal, value.data, value.length, &e) : NULL;
}

static void test_a_signal_exists_once_its_gate_is_reached(void **state)
{
	(void)state;
	refuse("SetSignal", "{" ID("early") ", " TRUE_VALUE "}", ERR_INVALID,
	       "failed to validate that signal [{{flytesnacks development e1} early}] exists, err: missing entity of "
	       "type "
	       "signal with identifier {{flytesnacks development e1} early}");
	assert_null(ask_for("early", FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN));
	assert_null(ask_for("early", FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN));
	done("SetSignal", "{" ID("early") ", " TRUE_VALUE "}");
	const Flyteidl__Core__Literal *value = ask_for("early", FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN);
	assert_non_null(value);
	assert_true(value->scalar->primitive->boolean);
}

static void test_the_value_is_of_the_signals_type(void **state)
{
	(void)state;
	assert_null(ask_for("typed", FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN));
	refuse("SetSignal", "{" ID("typed") ", " TEXT_VALUE "}", ERR_INVALID,
	       "requested signal value [string] is not castable to existing signal type [boolean]");
	assert_null(ask_for("typed", FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN));
	refuse("SetSignal", "{" ID("typed") ", 'value': {}}", ERR_INVALID,
	       "requested signal value [nothing] is not castable to existing signal type [boolean]");
}

static void test_setting_wakes_the_engine(void **state)
{
	(void)state;
	PGconn *listener = PQconnectdb(postgres_url(postgres));
	PQclear(PQexec(listener, "listen flyte_engine"));
	assert_null(ask_for("awaited", FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN));
	done("SetSignal", "{" ID("awaited") ", " TRUE_VALUE "}");
	PQclear(PQexec(listener, "select 1")); /* brings along what was notified before */
	PGnotify *notify = PQnotifies(listener);
	assert_non_null(notify);
	assert_int_equal(strtoll(notify->extra, NULL, 10), execution_id);
	PQfreemem(notify);
	PQfinish(listener);
}

static void test_get_or_create(void **state)
{
	(void)state;
	const char *request = "{" ID("made") ", 'type': {'simple': 'STRING'}}";
	assert_response("GetOrCreateSignal", request,
	                "{'id': {'execution_id': {'domain': 'development', 'name': 'e1', 'project': 'flytesnacks'}, "
	                "'signal_id': "
	                "'made'}, 'type': {'simple': 'STRING'}}");
	done("SetSignal", "{" ID("made") ", " TEXT_VALUE "}");
	assert_response(
	        "GetOrCreateSignal", "{" ID("made") ", 'type': {'simple': 'BOOLEAN'}}",
	        "{'id': {'execution_id': {'domain': 'development', 'name': 'e1', 'project': 'flytesnacks'}, "
	        "'signal_id': "
	        "'made'}, 'type': {'simple': 'STRING'}, 'value': {'scalar': {'primitive': {'string_value': 'yes'}}}}");
	refuse("GetOrCreateSignal",
	       "{'id': {'signal_id': 's', 'execution_id': {'project': 'p', 'domain': 'd', 'name': 'none'}}, "
	       "'type': {'simple': 'STRING'}}",
	       ERR_NOT_FOUND, "missing entity of type signal with identifier {{p d none} s}");
}

static void test_lists(void **state)
{
	(void)state;
	assert_null(ask_for("list-a", FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN));
	assert_null(ask_for("list-b", FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN));
#define LIST(rest) "{'workflow_execution_id': " EXECUTION ", " rest "}"
	assert_listed("ListSignals", LIST("'limit': 10, 'filters': 'contains(signal_id,list-%)'"), "signals",
	              "id/signal_id", "list-a list-b []");
	assert_listed(
	        "ListSignals",
	        LIST("'limit': 1, 'filters': 'contains(signal.signal_id,list-%)', 'sort_by': {'key': 'signal_id', "
	             "'direction': 'DESCENDING'}"),
	        "signals", "id/signal_id", "list-b [1]");
	assert_listed("ListSignals", LIST("'limit': 10, 'filters': 'eq(signal_id,none)'"), "signals", "id/signal_id",
	              "[]");
	refuse("ListSignals", LIST("'limit': 10, 'filters': 'eq(colour,red)'"), ERR_INVALID,
	       "'s.colour' is invalid filter");
	refuse("ListSignals", LIST("'limit': 10, 'token': 'x'"), ERR_INVALID,
	       "invalid pagination token x for ListSignals");
	refuse("ListSignals", LIST("'limit': 0"), ERR_INVALID, "invalid value for limit");
	refuse("ListSignals", "{'limit': 10}", ERR_INVALID, "missing execution_id");
}

static void test_incomplete_requests(void **state)
{
	(void)state;
	refuse("SetSignal", "{" TRUE_VALUE "}", ERR_INVALID, "missing id");
	refuse("SetSignal", "{'id': {'signal_id': 's'}, " TRUE_VALUE "}", ERR_INVALID, "missing execution_id");
	refuse("SetSignal", "{'id': {'execution_id': " EXECUTION "}, " TRUE_VALUE "}", ERR_INVALID,
	       "missing signal_id");
	refuse("SetSignal", "{" ID("s") "}", ERR_INVALID, "missing value");
	refuse("GetOrCreateSignal", "{" ID("s") "}", ERR_INVALID, "missing type");
}

/* ---- Harness ---- */

static int start(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "%s: %s\n", e.kind == ERR_NOT_FOUND ? "skipped" : "failed", err_message(&e));
		exit(e.kind == ERR_NOT_FOUND ? POSTGRES_SKIP : 1);
	}
	config = api_config_default;
	api = (struct api){ .database = database_new(postgres_url(postgres), 4), .config = &config };
	json_calls_api(&api);
	if (database_migrate(api.database, clock_monotonic_ms() + 60000, &e) < 0)
		fail_msg("%s", err_message(&e));
	struct database_connection *c auto_connection = borrow();
	struct database_rows rows;
	const char *sql = "insert into executions (project, domain, name, spec)"
	                  " values ('flytesnacks', 'development', 'e1', '') returning id";
	if (database_query(c, &arena, sql, NULL, 0, &rows, &e) < 0)
		fail_msg("%s", err_message(&e));
	execution_id = database_int(&rows, 0, 0);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	api.database = database_free(api.database);
	postgres = postgres_stop(postgres);
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_signal_exists_once_its_gate_is_reached),
		cmocka_unit_test(test_the_value_is_of_the_signals_type),
		cmocka_unit_test(test_setting_wakes_the_engine),
		cmocka_unit_test(test_get_or_create),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_incomplete_requests),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
