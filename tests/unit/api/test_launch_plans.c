/* Launch plans through their RPCs, also those that are made for a task that runs alone. */
#include "registration_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/launch/ids.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

static void refuse_launch_plan(const char *spec, const char *text)
{
	auto_free char *request = launch_plan_request("refused", "v1", "lp.wf", spec);
	refuse("CreateLaunchPlan", request, ERR_INVALID, text);
}

static void create_launch_plan(const char *name, const char *version, const char *workflow, const char *spec)
{
	auto_free char *request = launch_plan_request(name, version, workflow, spec);
	done("CreateLaunchPlan", request);
}

#define INTEGER_LITERAL(value) "{'scalar': {'primitive': {'integer': '" value "'}}}"
#define DEFAULT_X                                                                                                      \
	"'default_inputs': {'parameters': {'x': {'var': {'type': {'simple': 'INTEGER'}}, 'default': " INTEGER_LITERAL( \
	        "7") "}}}"

static void test_launch_plan(void **state)
{
	(void)state;
	create_task("lp.task", "v1");
	create_workflow("lp.wf", "v1", "lp.task");
	create_launch_plan("lp.open", "v1", "lp.wf", "");
	auto_json json_t *open = get("GetLaunchPlan", "LAUNCH_PLAN", "lp.open", "v1");
	assert_true(json_boolean_at(open, "closure/expected_inputs/parameters/x/required", false));
	assert_true(json_boolean_at(open, "spec/default_inputs/parameters/x/required", false));
	assert_field(open, "closure/expected_outputs/variables/y/type/simple", "INTEGER");
	assert_field(open, "spec/workflow_id/name", "lp.wf");
	assert_non_null(json_lookup(open, "closure/created_at"));
	assert_null(json_lookup(open, "closure/state")); /* INACTIVE is 0 */

	create_launch_plan("lp.default", "v1", "lp.wf", DEFAULT_X);
	auto_json json_t *with_default = get("GetLaunchPlan", "LAUNCH_PLAN", "lp.default", "v1");
	assert_field(with_default, "closure/expected_inputs/parameters/x/default/scalar/primitive/integer", "7");
	create_launch_plan("lp.fixed", "v1", "lp.wf", "'fixed_inputs': {'literals': {'x': " INTEGER_LITERAL("8") "}}");
	auto_json json_t *fixed = get("GetLaunchPlan", "LAUNCH_PLAN", "lp.fixed", "v1");
	assert_null(json_lookup(fixed, "closure/expected_inputs/parameters"));
	assert_field(fixed, "spec/fixed_inputs/literals/x/scalar/primitive/integer", "8");

	auto_free char *same = launch_plan_request("lp.default", "v1", "lp.wf", DEFAULT_X);
	refuse("CreateLaunchPlan", same, ERR_EXISTS, "launch plan with identical structure already exists");
	auto_free char *other = launch_plan_request("lp.default", "v1", "lp.wf", "'max_parallelism': 3, " DEFAULT_X);
	refuse("CreateLaunchPlan", other, ERR_INVALID,
	       "lp.default launch plan with different structure already exists. (Please register a new version of the "
	       "launch plan):\n"
	       "/maxParallelism:\n\t+ 3\n");
	struct racer racers[8];
	auto_free char *raced = launch_plan_request("lp.raced", "v1", "lp.wf", DEFAULT_X);
	for (size_t i = 0; i < ARRAY_LENGTH(racers); i++)
		racers[i] = (struct racer){ .method = "CreateLaunchPlan", .request = raced };
	unsigned kinds[ERR_KIND_COUNT];
	race(racers, ARRAY_LENGTH(racers), kinds);
	assert_int_equal(kinds[ERR_NONE], 1);
	assert_int_equal(kinds[ERR_EXISTS], 7);
}

static void test_launch_plan_validation(void **state)
{
	(void)state;
	create_task("lpv.task", "v1");
	refuse("CreateLaunchPlan", "{}", ERR_INVALID, "missing id");
	refuse_launch_plan("'labels': {'values': {'-bad': ''}}",
	                   "invalid label key [-bad]: [name part must consist of alphanumeric characters, '-', '_' or "
	                   "'.', and must start and "
	                   "end with an alphanumeric character]");
	refuse_launch_plan("'fixed_inputs': {'literals': {'z': " INTEGER_LITERAL("1") "}}", "unexpected fixed_input z");
	refuse_launch_plan("'fixed_inputs': {'literals': {'x': {}}}", "missing valid literal in fixed_inputs x");
	refuse_launch_plan("'fixed_inputs': {'literals': {'x': {'scalar': {'primitive': {'boolean': true}}}}}",
	                   "invalid fixed_input wrong type x, expected integer, got boolean instead");
	refuse_launch_plan(
	        "'default_inputs': {'parameters': {'z': {'var': {'type': {'simple': 'INTEGER'}}, 'required': true}}}",
	        "unexpected default_input z");
	refuse_launch_plan(
	        "'default_inputs': {'parameters': {'x': {'required': true}}}",
	        "The Variable component of the Parameter x in default_inputs either is missing, or has a missing Type");
	refuse_launch_plan("'default_inputs': {'parameters': {'x': {'var': {'type': {'simple': 'INTEGER'}}}}}",
	                   "Invalid variable x in default_inputs - variable has neither default, nor is required. One "
	                   "must be specified");
	refuse_launch_plan("'default_inputs': {'parameters': {'x': {'var': {'type': {'simple': 'STRING'}}, "
	                   "'default': " INTEGER_LITERAL("1") "}}}",
	                   "Type mismatch for Parameter x in default_inputs has type string, expected integer");
	refuse_launch_plan(
	        "'default_inputs': {'parameters': {'x': {'var': {'type': {'simple': 'STRING'}}, 'required': true}}}",
	        "invalid default_input wrong type x, expected string, got integer instead");
	refuse_launch_plan("'entity_metadata': {'notifications': [{}]}", "invalid value for notification type");
	refuse_launch_plan("'entity_metadata': {'notifications': [{'email': {}}]}", "missing recipients");
	refuse_launch_plan(
	        "'entity_metadata': {'notifications': [{'slack': {'recipients_email': ['a']}, 'phases': ['RUNNING']}]}",
	        "invalid value for phase");
	auto_free char *missing = launch_plan_request("refused", "v1", "no.such.wf", "");
	refuse("CreateLaunchPlan", missing, ERR_NOT_FOUND,
	       "missing entity of type WORKFLOW with identifier resource_type:WORKFLOW project:\"flytesnacks\" "
	       "domain:\"development\" "
	       "name:\"no.such.wf\" version:\"v1\"");
}

#define SCHEDULE(text) "'entity_metadata': {'schedule': {" text "}}"

static void test_schedules(void **state)
{
	(void)state;
	refuse_launch_plan(
	        SCHEDULE("'cron_schedule': {'schedule': '* * * * *'}"),
	        "Cannot create a launch plan with a schedule if there is an unbound required input. [x] is required");
	refuse_launch_plan(DEFAULT_X ", " SCHEDULE("'cron_schedule': {'schedule': '* * * *'}"),
	                   "Invalid cron expression: expected exactly 5 fields, found 4: [* * * *]");
	refuse_launch_plan(DEFAULT_X ", " SCHEDULE("'cron_expression': '61 * * * *'"),
	                   "Invalid cron expression: end of range (61) above maximum (59): 61");
	refuse_launch_plan(DEFAULT_X ", " SCHEDULE("'rate': {'value': 0}"), "invalid value for fixed rate");
	refuse_launch_plan(DEFAULT_X ", " SCHEDULE("'rate': {'value': 1}, 'kickoff_time_input_arg': 'z'"),
	                   "Cannot create a schedule with a KickoffTimeInputArg that does not point to a free input. "
	                   "[z] is not free or does "
	                   "not exist.");
	refuse_launch_plan(SCHEDULE("'rate': {'value': 1}, 'kickoff_time_input_arg': 'x'"),
	                   "KickoffTimeInputArg must reference a datetime input. [x] is a [integer]");
	create_launch_plan("lp.cron", "v1", "lp.wf",
	                   DEFAULT_X ", " SCHEDULE("'cron_schedule': {'schedule': '@daily'}"));
	create_launch_plan("lp.rate", "v1", "lp.wf", DEFAULT_X ", " SCHEDULE("'rate': {'value': 5, 'unit': 'HOUR'}"));
	assert_listed("ListLaunchPlans", LIST_OF("") "'limit': 9, 'filters': 'eq(schedule_type,CRON)'}", "launch_plans",
	              "id/name", "lp.cron []");
	assert_listed("ListLaunchPlans",
	              LIST_OF("") "'limit': 9, 'filters': 'eq(schedule_type,RATE)+eq(workflow.name,lp.wf)'}",
	              "launch_plans", "id/name", "lp.rate []");
}

static void set_state(const char *version, const char *new_state)
{
	auto_free char *id = format_id("LAUNCH_PLAN", "lp.active", version);
	auto_free char *request = xasprintf("{'id': %s, 'state': '%s'}", id, new_state);
	done("UpdateLaunchPlan", request);
}

#define ACTIVE_ID "{'id': {'project': 'flytesnacks', 'domain': 'development', 'name': 'lp.active'}}"

static void test_activation(void **state)
{
	(void)state;
	create_launch_plan("lp.active", "v1", "lp.wf", "");
	create_launch_plan("lp.active", "v2", "lp.wf", "");
	refuse("GetActiveLaunchPlan", ACTIVE_ID, ERR_NOT_FOUND,
	       "No active launch plan could be found: flytesnacks:development:lp.active");
	set_state("v1", "ACTIVE");
	auto_json json_t *first = succeed("GetActiveLaunchPlan", ACTIVE_ID);
	assert_field(first, "id/version", "v1");
	assert_field(first, "closure/state", "ACTIVE");
	set_state("v2", "ACTIVE");
	set_state("v2", "ACTIVE"); /* again is fine */
	auto_json json_t *second = succeed("GetActiveLaunchPlan", ACTIVE_ID);
	assert_field(second, "id/version", "v2");
	assert_listed("ListLaunchPlans", LIST_OF("lp.active") "'limit': 9, 'filters': 'eq(state,1)'}", "launch_plans",
	              "id/version", "v2 []");
	assert_listed("ListActiveLaunchPlans", "{'project': 'flytesnacks', 'domain': 'development', 'limit': 9}",
	              "launch_plans", "id/name", "lp.active []");
	set_state("v2", "INACTIVE");
	assert_listed("ListActiveLaunchPlans", "{'project': 'flytesnacks', 'domain': 'development', 'limit': 9}",
	              "launch_plans", "id/name", "[]");
	refuse("UpdateLaunchPlan",
	       "{'id': {'resource_type': 'LAUNCH_PLAN', 'project': 'p', 'domain': 'd', 'name': 'n', 'version': 'v'}, "
	       "'state': 'ACTIVE'}",
	       ERR_NOT_FOUND,
	       "missing entity of type LAUNCH_PLAN with identifier resource_type:LAUNCH_PLAN project:\"p\" "
	       "domain:\"d\" name:\"n\" "
	       "version:\"v\"");
	assert_listed(
	        "ListLaunchPlanIds",
	        "{'project': 'flytesnacks', 'domain': 'development', 'limit': 9, 'filters': 'eq(name,lp.active)'}",
	        "entities", "name", "lp.active []");
}

struct single {
	int64_t workflow_id, launch_plan_id;
};

static struct single run_single(const char *task)
{
	auto_arena struct arena arena = ARENA;
	auto_err struct err e = ERR_INIT;
	struct rpc_call call = { .arena = &arena,
		                 .request_id = "test",
		                 .peer_address = "",
		                 .authority = "",
		                 .deadline_ms = clock_monotonic_ms() + 60000 };
	auto_connection struct database_connection *c = NULL;
	const Flyteidl__Core__Identifier *id =
	        ids_new(&arena, FLYTEIDL__CORE__RESOURCE_TYPE__TASK, "flytesnacks", "development", task, "v1");
	struct api_generated generated;
	if (api_connect(&api, &call, &c, &e) < 0 ||
	    api_workflow_for_task(&api, &call, c, id, NULL, &generated, &e) < 0) {
		fprintf(stderr, "%s\n", err_message(&e));
		return (struct single){ 0, 0 };
	}
	return (struct single){ generated.workflow.id, generated.launch_plan.id };
}

static void *single_thread(void *context)
{
	*(struct single *)context = run_single("single.task_é-1");
	return NULL;
}

static void test_single_task(void **state)
{
	(void)state;
	create_task("single.task_é-1", "v1");
	struct single results[8];
	pthread_t threads[ARRAY_LENGTH(results)];
	for (size_t i = 0; i < ARRAY_LENGTH(results); i++)
		pthread_create(&threads[i], NULL, single_thread, &results[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(results); i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < ARRAY_LENGTH(results); i++) {
		assert_true(results[i].workflow_id > 0 && results[i].launch_plan_id > 0);
		assert_int_equal(results[i].workflow_id, results[0].workflow_id);
		assert_int_equal(results[i].launch_plan_id, results[0].launch_plan_id);
	}
	auto_json json_t *workflow = get("GetWorkflow", "WORKFLOW", ".flytegen.single.task_é-1", "v1");
	json_t *nodes = json_lookup(workflow, "closure/compiled_workflow/primary/template/nodes");
	assert_int_equal(json_array_size(nodes), 3);
	const json_t *node = NULL;
	for (size_t i = 0; i < 3; i++) {
		if (json_lookup(json_array_get(nodes, i), "task_node"))
			node = json_array_get(nodes, i);
	}
	assert_field(node, "id", "singletask-1");
	assert_int_equal(json_integer_at(node, "metadata/retries/retries", 0), 3);
	assert_field(node, "task_node/reference_id/name", "single.task_é-1");
	auto_json json_t *launch_plan = get("GetLaunchPlan", "LAUNCH_PLAN", ".flytegen.single.task_é-1", "v1");
	assert_field(launch_plan, "closure/expected_outputs/variables/y/type/simple", "INTEGER");
	/* hidden */
	auto_json json_t *entity =
	        succeed("GetNamedEntity", "{'resource_type': 'WORKFLOW', 'id': {'project': 'flytesnacks', 'domain': "
	                                  "'development', 'name': '.flytegen.single.task_é-1'}}");
	assert_field(entity, "metadata/state", "SYSTEM_GENERATED");
	auto_json json_t *entities = succeed(
	        "ListNamedEntities",
	        "{'resource_type': 'WORKFLOW', 'project': 'flytesnacks', 'domain': 'development', 'limit': 100}");
	size_t i;
	json_t *listed;
	json_array_foreach(json_object_get(entities, "entities"), i, listed)
	{
		assert_false(text_starts_with(json_string_at(listed, "id/name", ""), ".flytegen."));
	}
	assert_true(json_array_size(json_object_get(entities, "entities")) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_launch_plan),
		cmocka_unit_test(test_launch_plan_validation),
		cmocka_unit_test(test_schedules),
		cmocka_unit_test(test_activation),
		cmocka_unit_test(test_single_task),
	};
	return cmocka_run_group_tests(tests, registration_start, registration_stop);
}
