/* New executions through their RPCs: from scratch, of a task alone, after an earlier one. */
#include "executions_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"

#include "flyteidl/admin/task.pb-c.h"

#include <string.h>

static void test_create(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("Run-1");
	add_literal(r->inputs, "y", integer(6));
	Flyteidl__Admin__ExecutionCreateResponse *response = succeed("CreateExecution", r);
	assert_string_equal(response->id->project, PROJECT);
	assert_string_equal(response->id->domain, DOMAIN);
	assert_string_equal(response->id->name, "run-1");

	assert_string_equal(heard(5000), arena_printf(&arena, "%lld", (long long)execution_id("run-1")));
	Flyteidl__Core__LiteralMap *inputs = stored("/my-s3-bucket/metadata/" PROJECT "/" DOMAIN "/run-1/inputs");
	assert_int_equal(inputs->n_literals, 3);
	assert_int_equal(literal_of(inputs, "y")->scalar->primitive->integer, 6);
	assert_int_equal(literal_of(inputs, "z")->scalar->primitive->integer, 7);
	assert_int_equal(stored("/my-s3-bucket/metadata/" PROJECT "/" DOMAIN "/run-1/user_inputs")->n_literals, 2);

	Flyteidl__Admin__Execution *e = get("run-1");
	assert_int_equal(e->closure->phase, PHASE(UNDEFINED));
	assert_string_equal(e->spec->launch_plan->name, "wf");
	assert_string_equal(e->closure->workflow_id->name, "wf");
	assert_string_equal(e->closure->workflow_id->version, "v1");
	assert_int_equal(e->spec->max_parallelism, 25);
	assert_string_equal(e->spec->metadata->principal,
	                    ""); /* nobody signs in: what clients put there is not believed */
	assert_string_equal(e->spec->metadata->system_metadata->namespace_, PROJECT "-" DOMAIN);
	assert_null(e->spec->inputs);
	assert_non_null(e->closure->created_at);
	assert_non_null(e->closure->updated_at);
	assert_null(e->closure->started_at);
	assert_int_equal(e->closure->state_change_details->state, FLYTEIDL__ADMIN__EXECUTION_STATE__EXECUTION_ACTIVE);
}

static void test_create_without_name(void **state)
{
	(void)state;
	const char *first = create(""), *second = create("");
	assert_int_equal(strlen(first), 20);
	assert_int_equal(first[0], 'a');
	assert_string_not_equal(first, second);
}

static void test_inputs_in_the_spec(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("old");
	r->spec->inputs = r->inputs;
	r->inputs = NULL;
	succeed("CreateExecution", r);
	assert_int_equal(literal_of(get_data("old")->full_inputs, "x")->scalar->primitive->integer, 1);
}

static void test_create_refused(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionCreateRequest *r;
#define REFUSED(change, kind, text)                                                                                    \
	do {                                                                                                           \
		r = create_request("refused");                                                                         \
		change;                                                                                                \
		refuse("CreateExecution", r, kind, text);                                                              \
	} while (0)
	REFUSED(r->project = arena_strdup(&arena, ""), ERR_INVALID, "missing project");
	REFUSED(r->project = arena_strdup(&arena, "nowhere"), ERR_INVALID,
	        "failed to validate that project [nowhere] and domain [" DOMAIN "] are registered");
	REFUSED(r->domain = arena_strdup(&arena, "moon"), ERR_INVALID, "moon");
	REFUSED(r->name = arena_strdup(&arena, "_x"), ERR_INVALID, "invalid name format: _x");
	REFUSED(r->spec = NULL, ERR_INVALID, "missing spec");
	REFUSED(r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "none"), ERR_NOT_FOUND,
	        "missing entity of type LAUNCH_PLAN with identifier");
	REFUSED(r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__TASK, "none"), ERR_NOT_FOUND,
	        "missing entity of type TASK with identifier");
	REFUSED(r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, "wf"), ERR_INVALID,
	        "Invalid reference entity resource type [WORKFLOW]");
	REFUSED(r->inputs = NULL, ERR_INVALID, "expected_inputs x missing");
	REFUSED(add_literal(r->inputs, "w", integer(1)), ERR_INVALID, "invalid input w");
	REFUSED(r->inputs = literals("x", string("1")), ERR_INVALID, "invalid x input wrong type. Expected ");
	REFUSED(add_literal(r->inputs, "z", integer(1)), ERR_INVALID, "z");
	RUN("update projects set state = 1");
	REFUSED((void)0, ERR_INVALID, PROJECT);
#undef REFUSED
	assert_int_equal(database_int(&(struct database_rows[]){ RUN("select count(*) from executions") }[0], 0, 0), 0);
	assert_nothing_heard();
}

static void test_a_taken_name(void **state)
{
	(void)state;
	create("taken");
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("taken");
	r->inputs = literals("x", integer(99));
	refuse("CreateExecution", r, ERR_EXISTS, "already exists");
	/* The first one's inputs are still its own. */
	assert_int_equal(literal_of(stored("/my-s3-bucket/metadata/" PROJECT "/" DOMAIN "/taken/inputs"), "x")
	                         ->scalar->primitive->integer,
	                 1);
	heard(5000);
	assert_nothing_heard();
}

static void test_object_store_refuses(void **state)
{
	(void)state;
	fake_objects_fail(store, 403);
	refuse("CreateExecution", create_request("later"), ERR_INTERNAL, "cannot store the inputs: cannot write");
	assert_int_equal(execution_id("later"), 0);
	assert_nothing_heard();
	fake_objects_fail(store, 0);
	create("later");
	assert_non_null(heard(5000));
}

static void test_configuration_of_the_launch_plan(void **state)
{
	(void)state;
	Flyteidl__Admin__LaunchPlanSpec *template = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	template->max_parallelism = 4;
	template->raw_output_data_config = proto_new(&arena, flyteidl__admin__raw_output_data_config);
	template->raw_output_data_config->output_location_prefix = arena_strdup(&arena, "s3://elsewhere");
	register_launch_plan("configured", template);
	Flyteidl__Admin__Labels *labels = proto_new(&arena, flyteidl__admin__labels);
	Flyteidl__Admin__Labels__ValuesEntry *entry =
	        (void *)proto_new_of(&arena, &flyteidl__admin__labels__values_entry__descriptor);
	entry->key = arena_strdup(&arena, "team");
	entry->value = arena_strdup(&arena, "blue");
	proto_append(&arena, labels->n_values, labels->values, entry);
	QUERY("update projects set labels = $1", DB_BYTES(proto_pack(&arena, &labels->base)));

	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("configured");
	r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "configured");
	succeed("CreateExecution", r);
	Flyteidl__Admin__Execution *e = get("configured");
	assert_int_equal(e->spec->max_parallelism, 4);
	assert_string_equal(e->spec->raw_output_data_config->output_location_prefix, "s3://elsewhere");
	assert_int_equal(e->spec->labels->n_values, 1);
	assert_string_equal(e->spec->labels->values[0]->key, "team");
}

static void test_concurrency_limit(void **state)
{
	(void)state;
	Flyteidl__Admin__LaunchPlanSpec *template = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	template->concurrency_policy = proto_new(&arena, flyteidl__admin__concurrency_policy);
	template->concurrency_policy->max = 1;
	template->concurrency_policy->behavior =
	        FLYTEIDL__ADMIN__CONCURRENCY_LIMIT_BEHAVIOR__CONCURRENCY_LIMIT_BEHAVIOR_SKIP;
	register_launch_plan("limited", template);
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("one");
	r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "limited");
	succeed("CreateExecution", r);
	r->name = arena_strdup(&arena, "two");
	refuse("CreateExecution", r, ERR_EXISTS,
	       "concurrency limit (1) reached for launch plan limited; skipping execution");
	RUN("update executions set phase = 'FAILED' where name = 'one'");
	succeed("CreateExecution", r);
}

static void register_task(const char *name)
{
	Flyteidl__Admin__TaskCreateRequest *r = proto_new(&arena, flyteidl__admin__task_create_request);
	r->id = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__TASK, name);
	r->spec = proto_new(&arena, flyteidl__admin__task_spec);
	Flyteidl__Core__TaskTemplate *template = r->spec->template_ = proto_new(&arena, flyteidl__core__task_template);
	template->id = r->id;
	template->type = arena_strdup(&arena, "container");
	template->metadata = proto_new(&arena, flyteidl__core__task_metadata);
	template->metadata->runtime = proto_new(&arena, flyteidl__core__runtime_metadata);
	template->metadata->runtime->version = arena_strdup(&arena, "1.0");
	template->interface = proto_new(&arena, flyteidl__core__typed_interface);
	template->interface->inputs = proto_new(&arena, flyteidl__core__variable_map);
	template->interface->outputs = proto_new(&arena, flyteidl__core__variable_map);
	Flyteidl__Core__VariableMap__VariablesEntry *entry =
	        (void *)proto_new_of(&arena, &flyteidl__core__variable_map__variables_entry__descriptor);
	entry->key = arena_strdup(&arena, "x");
	entry->value = integer_variable();
	proto_append(&arena, template->interface->inputs->n_variables, template->interface->inputs->variables, entry);
	template->target_case = FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER;
	template->container = proto_new(&arena, flyteidl__core__container);
	template->container->image = arena_strdup(&arena, "busybox");
	proto_append(&arena, template->container->n_command, template->container->command,
	             arena_strdup(&arena, "true"));
	succeed("CreateTask", r);
}

static void test_a_single_task(void **state)
{
	(void)state;
	register_task("pkg.mod.t");
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("single");
	r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__TASK, "pkg.mod.t");
	succeed("CreateExecution", r);
	r->name = arena_strdup(&arena, "single-again");
	succeed("CreateExecution", r);
	Flyteidl__Admin__Execution *e = get("single");
	assert_int_equal(e->spec->launch_plan->resource_type, FLYTEIDL__CORE__RESOURCE_TYPE__TASK);
	assert_string_equal(e->closure->workflow_id->name, ".flytegen.pkg.mod.t");
	r->name = arena_strdup(&arena, "single-bad");
	r->inputs = NULL;
	refuse("CreateExecution", r, ERR_INVALID, "expected_inputs x missing");
	struct database_rows rows =
	        RUN("select count(*) from executions where task_id is not null and workflow_id is not null "
	            "and resource_type = 1");
	assert_int_equal(database_int(&rows, 0, 0), 2);
}

static void test_relaunch_and_recover(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionCreateRequest *original = create_request("original");
	original->spec->overwrite_cache = true;
	succeed("CreateExecution", original);
	Flyteidl__Admin__ExecutionRelaunchRequest *relaunch =
	        proto_new(&arena, flyteidl__admin__execution_relaunch_request);
	relaunch->id = execution("original");
	relaunch->name = arena_strdup(&arena, "again");
	Flyteidl__Admin__ExecutionCreateResponse *response = succeed("RelaunchExecution", relaunch);
	assert_string_equal(response->id->name, "again");
	Flyteidl__Admin__Execution *e = get("again");
	assert_int_equal(e->spec->metadata->mode, FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__RELAUNCH);
	assert_string_equal(e->spec->metadata->reference_execution->name, "original");
	assert_false(e->spec->overwrite_cache);
	assert_int_equal(literal_of(get_data("again")->full_inputs, "x")->scalar->primitive->integer, 1);
	refuse("RelaunchExecution", relaunch, ERR_EXISTS, "already exists");
	relaunch->name = arena_strdup(&arena, "Not valid");
	refuse("RelaunchExecution", relaunch, ERR_INVALID, "invalid name format");
	relaunch->id = execution("nothing");
	relaunch->name = arena_strdup(&arena, "");
	refuse("RelaunchExecution", relaunch, ERR_NOT_FOUND,
	       "missing entity of type execution with identifier project:\"" PROJECT "\" domain:\"" DOMAIN
	       "\" name:\"nothing\"");

	Flyteidl__Admin__ExecutionRecoverRequest *recover =
	        proto_new(&arena, flyteidl__admin__execution_recover_request);
	recover->id = execution("original");
	recover->name = arena_strdup(&arena, "recovered");
	succeed("RecoverExecution", recover);
	e = get("recovered");
	assert_int_equal(e->spec->metadata->mode, FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__RECOVERED);
	assert_string_equal(e->spec->metadata->reference_execution->name, "original");
	struct database_rows rows = RUN("select source_execution_id from executions where name = 'recovered'");
	assert_int_equal(database_int(&rows, 0, 0), execution_id("original"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create),
		TEST(test_create_without_name),
		TEST(test_inputs_in_the_spec),
		TEST(test_create_refused),
		TEST(test_a_taken_name),
		TEST(test_object_store_refuses),
		TEST(test_configuration_of_the_launch_plan),
		TEST(test_concurrency_limit),
		TEST(test_a_single_task),
		TEST(test_relaunch_and_recover),
	};
	return cmocka_run_group_tests(tests, executions_start, executions_stop);
}
