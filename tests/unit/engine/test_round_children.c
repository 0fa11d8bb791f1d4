/* Rounds of launch plan nodes: the executions that they run are other rows of the same database. */
#include "round_fixture.h"

#include "controlplane/store/executions.h"
#include "fake_objects.h"

#include "flyteidl/admin/node_execution.pb-c.h"

/* The execution that node n0 would launch, as if a round that then crashed had done so. */
static int64_t insert_child(struct fixture *f)
{
	const struct database_rows rows =
	        query(f, "insert into executions (project, domain, name, spec, phase, parent_node_execution_id)"
	                 " select e.project, e.domain, e.name || '-n0-0', '', 'RUNNING', n.id from executions e"
	                 " join node_executions n on n.execution_id = e.id and n.node_id = 'n0' where e.id = $1"
	                 " returning id");
	return database_int(&rows, 0, 0);
}

static struct fixture *with_child(void)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_launch_plan(&b, NULL, 0);
	struct fixture *f = fixture_new(workflow_finish(&b));
	run(f);
	assert_query(f, "select phase from node_executions where execution_id = $1 and node_id = 'n0'", "QUEUED");
	return f;
}

static void save_end(struct fixture *f, int64_t child_id, Flyteidl__Core__WorkflowExecution__Phase phase)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = borrow(f);
	const struct progress_execution end = {
		.id = child_id, .phase = phase, .outputs_uri = "", .outputs = workflow_integer(&f->arena, "o0", 41)
	};
	must(database_begin(c, &e), &e);
	must(progress_save_execution(c, &f->arena, &end, &e), &e);
	must(database_commit(c, &e), &e);
}

static void test_a_child_execution_is_found_and_watched(void **state)
{
	(void)state;
	struct fixture *f = with_child();
	const int64_t child = insert_child(f);
	run(f);
	run(f);
	assert_query(f, "select phase from node_executions where execution_id = $1 and node_id = 'n0'", "RUNNING");
	auto_err struct err e = ERR_INIT;
	const struct database_rows rows =
	        query(f, "select target_metadata from node_executions where execution_id = $1 and node_id = 'n0'");
	const struct proto_bytes bytes = database_bytes(&rows, 0, 0);
	const Flyteidl__Admin__NodeExecutionClosure *closure =
	        proto_unpack(&f->arena, flyteidl__admin__node_execution_closure, bytes.data, bytes.length, &e);
	assert_string_equal(closure->workflow_node_metadata->executionid->name, pod_name(f, "n0", 0));
	save_end(f, child, EXECUTION(SUCCEEDED));
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "end-node/data/0/outputs.pb")), "o0"), 41);
	fixture_free(f);
}

/* The launch plan "lp" of the execution's own workflow, which takes the integer "x". */
static void insert_plan(struct fixture *f)
{
	auto_err struct err e = ERR_INIT;
	Flyteidl__Core__ParameterMap *expected = proto_new(&f->arena, flyteidl__core__parameter_map);
	Flyteidl__Core__ParameterMap__ParametersEntry *entry =
	        (Flyteidl__Core__ParameterMap__ParametersEntry *)proto_new_of(
	                &f->arena, &flyteidl__core__parameter_map__parameters_entry__descriptor);
	entry->key = arena_strdup(&f->arena, "x");
	entry->value = proto_new(&f->arena, flyteidl__core__parameter);
	entry->value->var = proto_new(&f->arena, flyteidl__core__variable);
	entry->value->var->type = proto_new(&f->arena, flyteidl__core__literal_type);
	entry->value->var->type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	entry->value->var->type->simple = FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER;
	entry->value->behavior_case = FLYTEIDL__CORE__PARAMETER__BEHAVIOR_REQUIRED;
	entry->value->required = true;
	proto_append(&f->arena, expected->n_parameters, expected->parameters, entry);
	const struct database_value values[] = { DB_INT(f->id), DB_BYTES(proto_pack(&f->arena, &expected->base)) };
	auto_connection struct database_connection *c = borrow(f);
	struct database_rows rows;
	must(database_query(c, &f->arena,
	                    "insert into launch_plans (project, domain, name, version, workflow_id, spec,"
	                    " expected_inputs, expected_outputs, digest) select 'flytesnacks', 'development', 'lp', "
	                    "'v1', workflow_id, '', $2, '', '' from executions where id = $1",
	                    values, ARRAY_LENGTH(values), &rows, &e),
	     &e);
}

static void test_a_child_execution_is_launched_once(void **state)
{
	(void)state;
	struct fixture *f = with_child();
	struct fake_objects *store = fake_objects_start();
	const struct objects_options options = { .endpoint = fake_objects_endpoint(store),
		                                 .access_key = "minio",
		                                 .secret_key = "miniostorage",
		                                 .region = "us-east-1" };
	struct objects *objects = objects_new(&options);
	const struct launch_context launch = { .database = f->database, .objects = objects, .bucket = "bucket" };
	f->context.launch = &launch;
	insert_plan(f);
	run(f);
	run(f);
	assert_query(f,
	             "select concat_ws(' ', count(*), min(c.mode), bool_and(c.phase in ('UNDEFINED', 'QUEUED')))"
	             " from executions c join node_executions n on n.id = c.parent_node_execution_id"
	             " where n.execution_id = $1",
	             "1 4 t");
	assert_query(f, "select phase from node_executions where execution_id = $1 and node_id = 'n0'", "RUNNING");
	f->context.launch = NULL;
	objects_free(objects);
	fake_objects_stop(store);
	fixture_free(f);
}

/* Before the next one makes it. */
static void test_a_launch_plan_that_is_not_there(void **state)
{
	(void)state;
	struct fixture *f = with_child();
	const struct launch_context launch = { .database = f->database, .bucket = "bucket" };
	f->context.launch = &launch;
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select error_code from executions where id = $1", "RuntimeExecutionError");
	f->context.launch = NULL;
	fixture_free(f);
}

static void test_a_namesake_is_no_child(void **state)
{
	(void)state;
	struct fixture *f = with_child();
	insert_child(f);
	query(f, "update executions set parent_node_execution_id = null where $1 = $1 and parent_node_execution_id is "
	         "not null returning 1");
	run(f);
	assert_query(f, "select error_code from executions where id = $1", "ChildNameTaken");
	fixture_free(f);
}

static void test_a_child_execution_is_aborted_with_its_parent(void **state)
{
	(void)state;
	struct fixture *f = with_child();
	insert_child(f);
	run(f);
	query(f, "update executions set phase = 'ABORTING', abort_cause = 'enough' where id = $1 returning 1");
	run(f);
	assert_query(f,
	             "select c.phase || ': ' || replace(c.abort_cause, e.name, 'NAME') from executions e, executions c"
	             " where e.id = $1 and c.name = e.name || '-n0-0'",
	             "ABORTING: cascading abort as parent execution id [flytesnacks:development:NAME] aborted, reason "
	             "[enough]");
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_child_execution_is_found_and_watched),
		cmocka_unit_test(test_a_launch_plan_that_is_not_there),
		cmocka_unit_test(test_a_child_execution_is_launched_once),
		cmocka_unit_test(test_a_namesake_is_no_child),
		cmocka_unit_test(test_a_child_execution_is_aborted_with_its_parent),
	};
	return cmocka_run_group_tests(tests, fixtures_begin, fixtures_end);
}
