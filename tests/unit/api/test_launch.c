/* What is difficult in a launch: several of one name or one limit at once, inputs too large for a row, one inside of the engine's transaction. */
#include "executions_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/api/literals.h"
#include "controlplane/launch/launch.h"

#include <pthread.h>
#include <string.h>

/* The same request from several clients at once; how many of them were told that they made it. The others have to hear
 * ALREADY_EXISTS. */
struct rival {
	pthread_t thread;
	struct arena arena;
	const Flyteidl__Admin__ExecutionCreateRequest *request;
	bool made;
	enum err_kind refused;
};

static void *compete(void *context)
{
	struct rival *rival = context;
	auto_err struct err e = ERR_INIT;
	struct rpc_call own = call;
	own.arena = &rival->arena;
	const struct api_methods methods = api_execution_methods();
	assert_string_equal(methods.methods[0].path, "/flyteidl.service.AdminService/CreateExecution");
	rival->made = methods.methods[0].handler(&api, &own, &rival->request->base, &e) != NULL;
	rival->refused = e.kind;
	return NULL;
}

static unsigned let_compete(Flyteidl__Admin__ExecutionCreateRequest *const *requests, size_t count)
{
	struct rival rivals[4] = { { .made = false } };
	unsigned made = 0;
	assert_true(count <= ARRAY_LENGTH(rivals));
	for (size_t i = 0; i < count; i++) {
		rivals[i].request = requests[i];
		rivals[i].arena.maximum = 64 << 20;
		assert_int_equal(pthread_create(&rivals[i].thread, NULL, compete, &rivals[i]), 0);
	}
	for (size_t i = 0; i < count; i++) {
		pthread_join(rivals[i].thread, NULL);
		arena_release(&rivals[i].arena);
		made += rivals[i].made;
		assert_int_equal(rivals[i].refused, rivals[i].made ? ERR_NONE : ERR_EXISTS);
	}
	return made;
}

static void test_rivals(void **state)
{
	(void)state;
	Flyteidl__Admin__LaunchPlanSpec *template = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	template->concurrency_policy = proto_new(&arena, flyteidl__admin__concurrency_policy);
	template->concurrency_policy->max = 2;
	template->concurrency_policy->behavior =
	        FLYTEIDL__ADMIN__CONCURRENCY_LIMIT_BEHAVIOR__CONCURRENCY_LIMIT_BEHAVIOR_SKIP;
	register_launch_plan("limited", template);
	for (int round = 0; round < 5; round++) {
		Flyteidl__Admin__ExecutionCreateRequest *same[4], *limited[4];
		for (size_t i = 0; i < ARRAY_LENGTH(same); i++) {
			same[i] = create_request(arena_printf(&arena, "same-%d", round));
			limited[i] = create_request("");
			limited[i]->spec->launch_plan =
			        identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "limited");
		}
		assert_int_equal(let_compete(same, ARRAY_LENGTH(same)), 1);
		assert_int_equal(let_compete(limited, ARRAY_LENGTH(limited)), 2);
		RUN("update executions set phase = 'SUCCEEDED'");
	}
}

/* Launch plan "text": input x is a string. */
static void register_text_launch_plan(void)
{
	Flyteidl__Admin__LaunchPlanSpec *template = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	register_launch_plan("text", template);
	Flyteidl__Core__ParameterMap *expected = proto_new(&arena, flyteidl__core__parameter_map);
	add_parameter(expected, "x", NULL);
	expected->parameters[0]->value->var->type->simple = FLYTEIDL__CORE__SIMPLE_TYPE__STRING;
	QUERY("update launch_plans set expected_inputs = $1 where name = 'text'",
	      DB_BYTES(proto_pack(&arena, &expected->base)));
}

/* Of an execution whose inputs are only in the object store. */
static const char *large_input_of(const char *name)
{
	struct database_rows rows = QUERY("select inputs_uri from executions where name = $1", DB_TEXT(name));
	const char *uri = database_text(&rows, 0, 0);
	const char *prefix = arena_printf(&arena, "s3://my-s3-bucket/metadata/" PROJECT "/" DOMAIN "/%s/inputs-", name);
	assert_true(text_starts_with(uri, prefix));
	return literal_of(stored(uri + strlen("s3:/")), "x")->scalar->primitive->string_value;
}

static void test_large_inputs(void **state)
{
	(void)state;
	register_text_launch_plan();
	char *text = arena_alloc(&arena, LITERALS_ANSWER_MAXIMUM + 1);
	memset(text, 'x', LITERALS_ANSWER_MAXIMUM);
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("big");
	r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "text");
	r->inputs = literals("x", string(text));
	succeed("CreateExecution", r);
	struct database_rows rows = RUN("select inputs is null and user_inputs is null from executions");
	assert_true(database_bool(&rows, 0, 0));
	assert_int_equal(get_data("big")->full_inputs->n_literals, 0);
	assert_true(get_data("big")->inputs->bytes > (int64_t)LITERALS_ANSWER_MAXIMUM);

	text[LAUNCH_ROW_MAXIMUM] = '\0'; /* too large for the row, not for an answer */
	r->inputs = literals("x", string(text));
	r->name = arena_strdup(&arena, "medium");
	succeed("CreateExecution", r);
	rows = RUN("select inputs is null and user_inputs is null from executions where name = 'medium'");
	assert_true(database_bool(&rows, 0, 0));
	assert_int_equal(strlen(literal_of(get_data("medium")->full_inputs, "x")->scalar->primitive->string_value),
	                 LAUNCH_ROW_MAXIMUM);
	Flyteidl__Admin__ExecutionRelaunchRequest *relaunch =
	        proto_new(&arena, flyteidl__admin__execution_relaunch_request);
	relaunch->id = execution("big");
	relaunch->name = arena_strdup(&arena, "bigger");
	succeed("RelaunchExecution", relaunch);
	assert_int_equal(strlen(large_input_of("bigger")), LITERALS_ANSWER_MAXIMUM);
}

/* Four calls for one name, each with inputs of its own that are too large for the row: whichever wins, its row leads to
 * its inputs. */
static void test_rivals_with_large_inputs(void **state)
{
	(void)state;
	register_text_launch_plan();
	Flyteidl__Admin__ExecutionCreateRequest *requests[4];
	for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
		char *text = arena_alloc(&arena, LAUNCH_ROW_MAXIMUM + 1);
		memset(text, 'a' + (int)i, LAUNCH_ROW_MAXIMUM);
		text[LAUNCH_ROW_MAXIMUM] = '\0';
		requests[i] = create_request("contested");
		requests[i]->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "text");
		requests[i]->spec->tags = arena_array(&arena, char *, 1);
		requests[i]->spec->tags[0] = arena_printf(&arena, "%c", 'a' + (int)i);
		requests[i]->spec->n_tags = 1;
		requests[i]->inputs = literals("x", string(text));
	}
	assert_int_equal(let_compete(requests, ARRAY_LENGTH(requests)), 1);
	struct database_rows rows = RUN("select key from execution_tags");
	assert_int_equal(rows.count, 1);
	assert_int_equal(large_input_of("contested")[0], database_text(&rows, 0, 0)[0]);
}

/* A launch waits for the slower of its two objects, not for one after the other. */
static void test_inputs_are_written_at_once(void **state)
{
	(void)state;
	struct parallel *parallel = parallel_new(1);
	const struct launch_context context = {
		.database = api.database, .objects = api.objects, .bucket = config.bucket, .parallel = parallel
	};
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("");
	const struct launch_request request = {
		.project = PROJECT, .domain = DOMAIN, .name = "", .spec = r->spec, .inputs = r->inputs
	};
	auto_err struct err e = ERR_INIT;
	struct launch_result result;
	fake_objects_meet(store, 2);
	int status = launch_execution(&context, &arena, clock_monotonic_ms() + 60000, &request, &result, &e);
	fake_objects_meet(store, 0);
	if (status < 0)
		fail_msg("%s", err_message(&e));
	fake_objects_fail(store, 403);
	assert_int_equal(launch_execution(&context, &arena, clock_monotonic_ms() + 60000, &request, &result, &e), -1);
	fake_objects_fail(store, 0);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_non_null(strstr(err_message(&e), "cannot store the inputs"));
	parallel_free(parallel);
}

/* As the engine launches: out of a transaction that holds the parent's row, whose node row nobody else can see yet. */
static void test_launch_within_a_transaction(void **state)
{
	(void)state;
	create("parent");
	heard(5000);
	const int64_t parent_id = execution_id("parent");
	const struct launch_context context = {
		.database = api.database, .objects = api.objects, .bucket = config.bucket
	};
	Flyteidl__Admin__ExecutionSpec *parent_spec = proto_new(&arena, flyteidl__admin__execution_spec);
	parent_spec->metadata = proto_new(&arena, flyteidl__admin__execution_metadata);
	parent_spec->metadata->nesting = 2;
	parent_spec->metadata->principal = arena_strdup(&arena, "somebody");
	const struct launch_parent parent = { .node_row_id = 77, .execution_row_id = parent_id, .spec = parent_spec };
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("child");
	const struct launch_request request = { .project = PROJECT,
		                                .domain = DOMAIN,
		                                .name = "child",
		                                .spec = r->spec,
		                                .inputs = r->inputs,
		                                .parent = &parent };
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct launch_result result;
	assert_int_equal(database_borrow(api.database, clock_monotonic_ms() + 5000, &c, &e), 0);
	assert_int_equal(database_begin(c, &e), 0);
	const struct database_value values[] = { DB_INT(parent_id) };
	assert_int_equal(database_execute(c, "update executions set phase = 'RUNNING' where id = $1", values, 1, &e),
	                 1);
	if (launch_execution(&context, &arena, clock_monotonic_ms() + 5000, &request, &result, &e) < 0)
		fail_msg("%s", err_message(&e));
	assert_int_equal(database_rollback(c, &e), 0); /* the child stays */
	assert_string_equal(result.name, "child");
	assert_int_equal(result.id, execution_id("child"));
	assert_string_equal(heard(5000), arena_printf(&arena, "%lld", (long long)result.id));
	struct database_rows rows =
	        RUN("select parent_node_execution_id, source_execution_id, principal from executions "
	            "where name = 'child'");
	assert_int_equal(database_int(&rows, 0, 0), 77);
	assert_int_equal(database_int(&rows, 0, 1), parent_id);
	assert_string_equal(database_text(&rows, 0, 2), "somebody");
	assert_int_equal(get("child")->spec->metadata->nesting, 3);
	assert_int_equal(r->spec->metadata->nesting, 0); /* the request is as it was */

	assert_int_equal(launch_execution(&context, &arena, clock_monotonic_ms() + 5000, &request, &result, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_string_equal(err_id(&e), EXECUTIONS_TAKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rivals),
		TEST(test_large_inputs),
		TEST(test_rivals_with_large_inputs),
		TEST(test_inputs_are_written_at_once),
		TEST(test_launch_within_a_transaction),
	};
	return cmocka_run_group_tests(tests, executions_start, executions_stop);
}
