/*
 * Rounds against a real Postgres, with an object store and a Kubernetes in memory: what is stored where, what is asked
 * of whom, and what becomes of an execution when something breaks in the middle.
 */
#include "controlplane/engine/round.h"

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/store/signals.h"
#include "fake_objects.h"
#include "fake_outside.h"
#include "postgres.h"
#include "workflow_builder.h"

#include "flyteidl/admin/node_execution.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ROOT "s3://my-s3-bucket/metadata/propeller/flytesnacks-development-"

static struct postgres *postgres;
static char *database_url; /* of one for all tests: their executions do not meet */

/* One execution, and the outside. */
struct fixture {
	struct arena arena;
	struct database *database;
	struct fake_outside *fake;
	struct round_context context;
	const char *name; /* of the execution */
	int64_t id;
	struct plan *plan;
};

static int64_t ids;

static void must(int outcome, struct err *e)
{
	if (outcome < 0)
		fail_msg("%s", err_message(e));
	err_release(e);
}

static struct database_rows query(struct fixture *f, const char *sql)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct database_rows rows;
	must(database_borrow(f->database, clock_monotonic_ms() + 20000, &c, &e), &e);
	must(database_query(c, &f->arena, sql, (struct database_value[]){ DB_INT(f->id) }, 1, &rows, &e), &e);
	return rows;
}

static const char *query_text(struct fixture *f, const char *sql)
{
	const struct database_rows rows = query(f, sql);
	assert_int_equal(rows.count, 1);
	return database_text(&rows, 0, 0);
}

static void assert_query(struct fixture *f, const char *sql, const char *expected)
{
	assert_string_equal(query_text(f, sql), expected);
}

static int64_t insert_execution(struct fixture *f, const Flyteidl__Core__CompiledWorkflowClosure *closure,
                                struct proto_bytes inputs)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct database_rows rows;
	const struct proto_bytes bytes = proto_pack(&f->arena, &closure->base);
	const struct proto_bytes spec = { .data = (const uint8_t *)"", .length = 0 };
	const char *workflow = "insert into workflows (project, domain, name, version, digest, closure)"
	                       " values ('flytesnacks', 'development', 'wf', $1, '', $2) returning id";
	const char *execution =
	        "insert into executions (project, domain, name, workflow_id, spec, inputs, inputs_uri)"
	        " values ('flytesnacks', 'development', $1, $2, $3, $4, 's3://bucket/inputs') returning id";
	must(database_borrow(f->database, clock_monotonic_ms() + 20000, &c, &e), &e);
	must(database_query(c, &f->arena, workflow, (struct database_value[]){ DB_TEXT(f->name), DB_BYTES(bytes) }, 2,
	                    &rows, &e),
	     &e);
	const int64_t workflow_id = database_int(&rows, 0, 0);
	must(database_query(c, &f->arena, execution,
	                    (struct database_value[]){ DB_TEXT(f->name), DB_INT(workflow_id), DB_BYTES(spec),
	                                               DB_BYTES(inputs) },
	                    4, &rows, &e),
	     &e);
	return database_int(&rows, 0, 0);
}

static struct fixture *fixture_new(const Flyteidl__Core__CompiledWorkflowClosure *closure)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	auto_err struct err e = ERR_INIT;
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
	const Flyteidl__Core__LiteralMap *inputs = workflow_integer(&f->arena, "x", 1);
	f->id = insert_execution(f, closure, proto_pack(&f->arena, &inputs->base));
	pod_cache_open(f->context.pods, f->id);
	return f;
}

static void fixture_free(struct fixture *f)
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
static enum round_outcome run(struct fixture *f)
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

static const char *pod_name(struct fixture *f, const char *node, unsigned attempt)
{
	return arena_printf(&f->arena, "%s-%s-%u", f->name, node, attempt);
}

static const char *object_uri(struct fixture *f, const char *rest)
{
	return arena_printf(&f->arena, ROOT "%s/%s", f->name, rest);
}

static void report(struct fixture *f, json_t *pod)
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

static void end_pod(struct fixture *f, const char *node, unsigned attempt, int code, const char *reason)
{
	const char *name = pod_name(f, node, attempt);
	report(f, fake_outside_set_status(f->fake, name, terminated(name, code, reason)));
}

static void put_message(struct fixture *f, const char *uri, const ProtobufCMessage *message)
{
	fake_outside_put(f->fake, uri, proto_pack(&f->arena, message));
}

/* The pod of the attempt did its work: outputs are there, and its container has ended. */
static void succeed(struct fixture *f, const char *node, unsigned attempt, int64_t value)
{
	const char *uri = object_uri(f, arena_printf(&f->arena, "%s/data/%u/outputs.pb", node, attempt));
	put_message(f, uri, &workflow_integer(&f->arena, "o0", value)->base);
	end_pod(f, node, attempt, 0, "Completed");
}

static const Flyteidl__Core__LiteralMap *literals_at(struct fixture *f, const char *uri)
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

static struct fixture *chain(size_t length, uint32_t retries)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	for (size_t i = 0; i < length; i++)
		workflow_add_task(&b, retries, (size_t[]){ i - 1 }, i > 0);
	return fixture_new(workflow_finish(&b));
}

/* ---- The good way ---- */

static void test_a_chain_runs_to_its_end(void **state)
{
	(void)state;
	struct fixture *f = chain(2, 0);
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_query(f, "select phase from executions where id = $1", "RUNNING");
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "start-node/data/0/outputs.pb")), "x"), 1);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n0/data/inputs.pb")), "i0"), 1);
	assert_int_equal(fake_outside_pods_created(f->fake), 1);

	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	assert_non_null(pod);
	assert_int_equal(pod_execution(pod), f->id);

	succeed(f, "n0", 0, 41);
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n1/data/inputs.pb")), "i0"), 41);
	succeed(f, "n1", 0, 42);
	assert_int_equal(run(f), ROUND_FINISHED);

	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	assert_query(f, "select outputs_uri from executions where id = $1",
	             object_uri(f, "end-node/data/0/outputs.pb"));
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "end-node/data/0/outputs.pb")), "o1"), 42);
	assert_query(f,
	             "select string_agg(node_id || ':' || phase, ' ' order by id) from node_executions where "
	             "execution_id = $1",
	             "start-node:SUCCEEDED n0:SUCCEEDED n1:SUCCEEDED end-node:SUCCEEDED");
	assert_query(
	        f,
	        "select string_agg(name || ' ' || retry_attempt || ' ' || phase || ' ' || pod_name, ', ' order by id)"
	        " from task_executions where execution_id = $1",
	        arena_printf(&f->arena, "t0 0 SUCCEEDED %s, t1 0 SUCCEEDED %s", pod_name(f, "n0", 0),
	                     pod_name(f, "n1", 0)));
	assert_query(
	        f,
	        "select bool_and(started_at is not null and ended_at is not null and duration >= interval '0')::text"
	        " from task_executions where execution_id = $1",
	        "true");
	assert_query(f, "select (outputs is not null and duration is not null)::text from executions where id = $1",
	             "true");
	/* A finished execution stays as it is, whatever wakes it. */
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_int_equal(fake_outside_pods_created(f->fake), 2);
	assert_int_equal(fake_outside_pods_deleted(f->fake), 0);
	fixture_free(f);
}

/* Everything of a sub-workflow in rows and objects, and found again there by rounds that know nothing else. */
static void test_a_sub_workflow_in_rows(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena), sub = workflow_sub_builder(&b);
	workflow_add_task(&sub, 0, NULL, 0);
	workflow_finish(&sub);
	workflow_add_sub(&b, &sub, NULL, 0);
	workflow_add_branch(&b, 100, NULL, 0, (size_t[]){ 0 }, 1);
	struct fixture *f = fixture_new(workflow_finish(&b));
	run(f);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n0/data/inputs.pb")), "x"), 1);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n0/data/0/start-node/0/outputs.pb")), "x"),
	                 1);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n0/data/0/n0/inputs.pb")), "i0"), 1);
	plan_free(f->plan);
	f->plan = NULL;
	put_message(f, object_uri(f, "n0/data/0/n0/0/outputs.pb"), &workflow_integer(&f->arena, "o0", 5)->base);
	end_pod(f, "n0-0-n0", 0, 0, "Completed");
	run(f);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n0/data/0/outputs.pb")), "o0"), 5);
	put_message(f, object_uri(f, "n1/data/0/n1-then/0/outputs.pb"), &workflow_integer(&f->arena, "o0", 6)->base);
	end_pod(f, "n1-0-n1-then", 0, 0, "Completed");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(
	        f,
	        "select string_agg(concat_ws(':', n.node_id, p.node_id, n.retry_group, n.is_parent::text, n.phase), ' '"
	        " order by n.id) from node_executions n left join node_executions p on p.id = n.parent_id"
	        " where n.execution_id = $1 and n.spec_node_id not like '%-node'",
	        "n0::true:SUCCEEDED n0-0-n0:n0:0:false:SUCCEEDED n1::true:SUCCEEDED "
	        "n1-0-n1-then:n1:0:false:SUCCEEDED n1-0-n1-else:n1:0:false:SKIPPED");
	assert_int_equal(fake_outside_pods_deleted(f->fake), 0);
	fixture_free(f);
}

static void test_a_signal_is_asked_for_and_taken(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_signal(&b, NULL, 0);
	struct fixture *f = fixture_new(workflow_finish(&b));
	run(f);
	run(f);
	assert_query(f, "select concat_ws(' ', signal_id, (value is null)::text) from signals where execution_id = $1",
	             "s0 true");
	const Flyteidl__Core__Literal *value = workflow_integer(&f->arena, "", 41)->literals[0]->value;
	auto_err struct err e = ERR_INIT;
	const struct signal_key key = { "flytesnacks", "development", f->name, "s0" };
	{
		auto_connection struct database_connection *c = NULL;
		must(database_borrow(f->database, clock_monotonic_ms() + 20000, &c, &e), &e);
		must(signals_set(c, &f->arena, &key, proto_pack(&f->arena, &value->base), &e), &e);
	}
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "n0/data/0/outputs.pb")), "o0"), 41);
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "end-node/data/0/outputs.pb")), "o0"), 41);
	fixture_free(f);
}

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
	auto_connection struct database_connection *c = NULL;
	const struct progress_execution end = {
		.id = child_id, .phase = phase, .outputs_uri = "", .outputs = workflow_integer(&f->arena, "o0", 41)
	};
	must(database_borrow(f->database, clock_monotonic_ms() + 20000, &c, &e), &e);
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
	auto_connection struct database_connection *c = NULL;
	struct database_rows rows;
	must(database_borrow(f->database, clock_monotonic_ms() + 20000, &c, &e), &e);
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

static void test_phases_of_a_pod_are_shown(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	run(f);
	const char *name = pod_name(f, "n0", 0);
	const char *task = "select phase from task_executions where execution_id = $1";
	assert_query(f, task, "QUEUED");
	report(f, fake_outside_set_status(f->fake, name,
	                                  json_pack("{s:s, s:[{s:s, s:s, s:s, s:s}]}", "phase", "Pending", "conditions",
	                                            "type", "PodScheduled", "status", "False", "reason",
	                                            "Unschedulable", "message", "0/1 nodes are available")));
	run(f);
	assert_query(f, task, "QUEUED");
	assert_query(f, "select reason from task_executions where execution_id = $1",
	             "Unschedulable:0/1 nodes are available");
	report(f, fake_outside_set_status(f->fake, name,
	                                  json_pack("{s:s, s:[{s:s, s:{s:{s:s}}}]}", "phase", "Pending",
	                                            "containerStatuses", "name", name, "state", "waiting", "reason",
	                                            "ContainerCreating")));
	run(f);
	assert_query(f, task, "INITIALIZING");
	report(f, fake_outside_set_status(f->fake, name,
	                                  json_pack("{s:s, s:[{s:s, s:{s:{s:s}}}]}", "phase", "Running",
	                                            "containerStatuses", "name", name, "state", "running", "startedAt",
	                                            "2026-01-01T00:00:00Z")));
	run(f);
	assert_query(f, task, "RUNNING");
	fixture_free(f);
}

static void test_large_literals_go_through_the_object_store(void **state)
{
	(void)state;
	struct fixture *f = chain(2, 0);
	run(f);
	Flyteidl__Core__LiteralMap *outputs = workflow_integer(&f->arena, "o0", 7);
	const size_t size = PROGRESS_INLINE_MAXIMUM + 1;
	char *hash = arena_alloc(&f->arena, size + 1);
	memset(hash, 'h', size);
	outputs->literals[0]->value->hash = hash;
	put_message(f, object_uri(f, "n0/data/0/outputs.pb"), &outputs->base);
	end_pod(f, "n0", 0, 0, "Completed");
	run(f);
	assert_query(f,
	             "select (outputs is null)::text || ' ' || outputs_uri from node_executions where execution_id = "
	             "$1 and node_id = 'n0'",
	             arena_printf(&f->arena, "true %s", object_uri(f, "n0/data/0/outputs.pb")));
	const Flyteidl__Core__LiteralMap *inputs = literals_at(f, object_uri(f, "n1/data/inputs.pb"));
	assert_int_equal(workflow_integer_of(inputs, "i0"), 7);
	assert_int_equal(strlen(inputs->literals[0]->value->hash), size);
	/* Also when the next node is only resolved in a later round, from the row. */
	plan_free(f->plan);
	f->plan = NULL;
	succeed(f, "n1", 0, 8);
	assert_int_equal(run(f), ROUND_FINISHED);
	fixture_free(f);
}

/* ---- Map tasks ---- */

static struct fixture *map_of(size_t size, uint32_t retries, uint32_t parallelism, const char *cache_version)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	Flyteidl__Core__ArrayNode *array = workflow_add_array(&b, retries)->array_node;
	array->parallelism_option_case = FLYTEIDL__CORE__ARRAY_NODE__PARALLELISM_OPTION_PARALLELISM;
	array->parallelism = parallelism;
	workflow_task(&b, 0)->metadata->discoverable = *cache_version != '\0';
	workflow_task(&b, 0)->metadata->discovery_version = arena_strdup(&arena, cache_version);
	struct fixture *f = fixture_new(workflow_finish(&b));
	int64_t values[300];
	assert_true(size <= ARRAY_LENGTH(values));
	for (size_t i = 0; i < size; i++)
		values[i] = (int64_t)i;
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	const struct proto_bytes inputs = proto_pack(&f->arena, &workflow_list(&f->arena, "x", values, size)->base);
	must(database_borrow(f->database, clock_monotonic_ms() + 20000, &c, &e), &e);
	assert_int_equal(database_execute(c, "update executions set inputs = $2 where id = $1",
	                                  (struct database_value[]){ DB_INT(f->id), DB_BYTES(inputs) }, 2, &e),
	                 1);
	return f;
}

static struct fixture *map(size_t size, uint32_t retries, uint32_t parallelism)
{
	return map_of(size, retries, parallelism, "");
}

static void succeed_element(struct fixture *f, unsigned index, unsigned attempt, int64_t value)
{
	const char *uri = object_uri(f, arena_printf(&f->arena, "n0/data/0/%u/%u/outputs.pb", index, attempt));
	put_message(f, uri, &workflow_integer(&f->arena, "o0", value)->base);
	end_pod(f, arena_printf(&f->arena, "n0-0-n%u", index), attempt, 0, "Completed");
}

static void forget_plan(struct fixture *f)
{
	f->plan = plan_free(f->plan);
}

static void test_a_map_task(void **state)
{
	(void)state;
	struct fixture *f = map(3, 0, 2);
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_int_equal(fake_outside_pods_created(f->fake), 2);
	assert_int_equal(literals_at(f, object_uri(f, "n0/data/inputs.pb"))->literals[0]->value->collection->n_literals,
	                 3);
	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0-0-n1", 0));
	const json_t *container = json_array_get(json_lookup(pod, "spec/containers"), 0);
	auto_free char *environment = json_to_text(json_object_get(container, "env"));
	assert_non_null(strstr(environment, "{\"name\":\"FLYTE_K8S_ARRAY_INDEX\",\"value\":\"1\"}"));
	assert_non_null(strstr(environment,
	                       "{\"name\":\"BATCH_JOB_ARRAY_INDEX_VAR_NAME\",\"value\":\"FLYTE_K8S_ARRAY_INDEX\"}"));

	/* Nobody remembers but the database. */
	forget_plan(f);
	succeed_element(f, 1, 0, 11);
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_int_equal(fake_outside_pods_created(f->fake), 3);
	forget_plan(f);
	succeed_element(f, 0, 0, 10);
	succeed_element(f, 2, 0, 12);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	const Flyteidl__Core__LiteralMap *outputs = literals_at(f, object_uri(f, "n0/data/0/outputs.pb"));
	const Flyteidl__Core__LiteralCollection *list = outputs->literals[0]->value->collection;
	assert_int_equal(list->n_literals, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(list->literals[i]->scalar->primitive->integer, 10 + (int64_t)i);
	assert_query(f,
	             "select t.task_type || ' ' || t.array_size || ' ' || t.phase || ' ' || n.is_array || ' ' || "
	             "t.name from task_executions t join node_executions n on n.id = t.node_execution_id"
	             " where t.execution_id = $1",
	             "container_array 3 SUCCEEDED true t0");
	assert_query(
	        f,
	        "select string_agg(a.element || ' ' || a.attempt || ' ' || a.phase || ' ' || a.task_phase || ' ' || "
	        "a.pod_name, ', ' order by a.element) from array_elements a join task_executions t on t.id = "
	        "a.task_execution_id where t.execution_id = $1",
	        arena_printf(&f->arena,
	                     "0 0 SUCCEEDED SUCCEEDED %s, 1 0 SUCCEEDED SUCCEEDED %s, 2 0 SUCCEEDED SUCCEEDED %s",
	                     pod_name(f, "n0-0-n0", 0), pod_name(f, "n0-0-n1", 0), pod_name(f, "n0-0-n2", 0)));
	fixture_free(f);
}

/* They are the element's own, kept with it, and stay when it is saved by somebody who has only read its row. */
static void test_links_to_the_logs_of_elements(void **state)
{
	(void)state;
	struct fixture *f = map(2, 1, 0);
	f->context.machine.log_links.kubernetes = "http://logs/{{ .podName }}";
	run(f);
	forget_plan(f);
	f->context.machine.log_links.kubernetes = NULL;
	end_pod(f, "n0-0-n1", 0, 1, "OOMKilled");
	succeed_element(f, 0, 0, 10);
	run(f);
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct array_element_rows elements;
	int64_t task;
	assert_true(text_to_int64(query_text(f, "select id::text from task_executions where execution_id = $1"), 1,
	                          INT64_MAX, &task));
	must(database_borrow(f->database, clock_monotonic_ms() + 20000, &c, &e), &e);
	must(array_elements_list(c, &f->arena, task, &elements, &e), &e);
	assert_int_equal(elements.count, 3);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(elements.rows[i].log_count, 1);
		assert_string_equal(elements.rows[i].logs[0]->name,
		                    arena_printf(&f->arena, "Kubernetes Logs-%" PRIu32, i));
		assert_string_equal(elements.rows[i].logs[0]->uri,
		                    arena_printf(&f->arena, "http://logs/%s", elements.rows[i].pod_name));
	}
	assert_int_equal(elements.rows[2].attempt, 1); /* begun when there were none any more */
	assert_int_equal(elements.rows[2].log_count, 0);
	fixture_free(f);
}

/* Each element has a key of its own: one that is new runs, the others do not. */
static void test_elements_are_cached(void **state)
{
	(void)state;
	const char *elements = "select string_agg(element || ' ' || a.task_phase || ' ' || cache_status, ', ' order by "
	                       "element) from array_elements a join task_executions t on t.id = a.task_execution_id"
	                       " where t.execution_id = $1";
	struct fixture *f = map_of(2, 0, 0, "1");
	run(f);
	forget_plan(f);
	succeed_element(f, 0, 0, 10);
	run(f);
	forget_plan(f);
	succeed_element(f, 1, 0, 11);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, elements, "0 SUCCEEDED 3, 1 SUCCEEDED 3"); /* CACHE_POPULATED */
	fixture_free(f);

	f = map_of(3, 0, 0, "1");
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_int_equal(fake_outside_pods_created(f->fake), 1);
	forget_plan(f);
	succeed_element(f, 2, 0, 12);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, elements, "0 SUCCEEDED 2, 1 SUCCEEDED 2, 2 SUCCEEDED 3"); /* CACHE_HIT, CACHE_POPULATED */
	const Flyteidl__Core__LiteralMap *outputs = literals_at(f, object_uri(f, "n0/data/0/outputs.pb"));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(outputs->literals[0]->value->collection->literals[i]->scalar->primitive->integer,
		                 10 + (int64_t)i);
	fixture_free(f);
}

/* What follows a pod's end — its phase, its deletion — is no reason for another round. */
static void test_the_end_of_a_pod_is_heard_once(void **state)
{
	(void)state;
	struct fixture *f = map(2, 0, 0);
	run(f);
	succeed_element(f, 0, 0, 10);
	run(f);
	auto_json json_t *pod =
	        fake_outside_set_status(f->fake, pod_name(f, "n0-0-n0", 0), json_pack("{s:s}", "phase", "Succeeded"));
	assert_int_equal(pod_cache_update(f->context.pods, pod, false), 0);
	assert_int_equal(pod_cache_update(f->context.pods, pod, true), 0);
	fixture_free(f);
}

static void test_elements_are_tried_again(void **state)
{
	(void)state;
	struct fixture *f = map(2, 1, 0);
	run(f);
	const char *error = "n0/data/0/1/0/error.pb";
	Flyteidl__Core__ErrorDocument *document = proto_new(&f->arena, flyteidl__core__error_document);
	document->error = proto_new(&f->arena, flyteidl__core__container_error);
	document->error->code = arena_strdup(&f->arena, "USER:ValueError");
	document->error->message = arena_strdup(&f->arena, "no such luck");
	document->error->origin = ERROR_KIND(USER);
	document->error->kind = FLYTEIDL__CORE__CONTAINER_ERROR__KIND__RECOVERABLE;
	put_message(f, object_uri(f, error), &document->base);
	end_pod(f, "n0-0-n1", 0, 0, "Completed");
	assert_int_equal(run(f), ROUND_UNFINISHED);
	forget_plan(f);
	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0-0-n1", 1));
	assert_non_null(pod);
	succeed_element(f, 0, 0, 10);
	succeed_element(f, 1, 1, 11);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(
	        f,
	        "select string_agg(element || ' ' || attempt || ' ' || a.task_phase || ' ' || a.user_failures || ' ' "
	        "|| "
	        "(a.error is not null), ', ' order by element, attempt) from array_elements a join task_executions t "
	        "on t.id = a.task_execution_id where t.execution_id = $1",
	        "0 0 SUCCEEDED 0 false, 1 0 FAILED 1 true, 1 1 SUCCEEDED 1 false");
	fixture_free(f);
}

/* More elements than begin in one round: rounds follow each other until all have. */
static void test_a_large_map_begins_in_rounds(void **state)
{
	(void)state;
	struct fixture *f = map(250, 0, 0);
	for (unsigned expected = 100; expected <= 300; expected += 100) {
		run(f);
		assert_int_equal(fake_outside_pods_created(f->fake), expected < 250 ? expected : 250);
	}
	for (unsigned i = 0; i < 250; i++)
		succeed_element(f, i, 0, i);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	fixture_free(f);
}

static void test_an_aborted_map_ends_its_pods(void **state)
{
	(void)state;
	struct fixture *f = map(4, 0, 3);
	run(f);
	succeed_element(f, 0, 0, 1);
	assert_query(f,
	             "update executions set phase = 'ABORTING', abort_cause = 'enough' where id = $1 returning phase",
	             "ABORTING");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_int_equal(fake_outside_pods_deleted(f->fake), 2);
	assert_query(f,
	             "select string_agg(element || ' ' || a.task_phase, ', ' order by element) from array_elements a "
	             "join task_executions t on t.id = a.task_execution_id where t.execution_id = $1",
	             "0 ABORTED, 1 ABORTED, 2 ABORTED");
	assert_query(f, "select phase from task_executions where execution_id = $1", "ABORTED");
	fixture_free(f);
}

/* ---- Errors ---- */

/* A text with a zero byte would end there on its way to the next node. The attempt fails instead and says why. */
static void test_outputs_with_a_zero_byte(void **state)
{
	(void)state;
	struct fixture *f = chain(2, 0);
	run(f);
	Flyteidl__Core__LiteralMap *outputs = workflow_integer(&f->arena, "o0", 7);
	outputs->literals[0]->value->hash = arena_strdup(&f->arena, "a!b");
	struct proto_bytes bytes = proto_pack(&f->arena, &outputs->base);
	uint8_t *raw = arena_copy(&f->arena, bytes.data, bytes.length);
	*(uint8_t *)memchr(raw, '!', bytes.length) = 0;
	bytes.data = raw;
	fake_outside_put(f->fake, object_uri(f, "n0/data/0/outputs.pb"), bytes);
	end_pod(f, "n0", 0, 0, "Completed");
	run(f);
	assert_query(f,
	             "select phase || ' ' || (position('zero byte' in convert_from(error, 'LATIN1')) > 0)::text from "
	             "task_executions where execution_id = $1 and retry_attempt = 0",
	             "FAILED true");
	fixture_free(f);
}

static void put_error(struct fixture *f, const char *node, unsigned attempt, bool recoverable)
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

static const Flyteidl__Core__ExecutionError *stored_error(struct fixture *f, const char *sql)
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

static void assert_execution_error(struct fixture *f, const char *code, const char *message)
{
	assert_query(f, "select phase from executions where id = $1", "FAILED");
	const Flyteidl__Core__ExecutionError *error = stored_error(f, "select error from executions where id = $1");
	assert_string_equal(error->code, code);
	assert_string_equal(error->message, message);
	assert_query(f, "select error_code from executions where id = $1", code);
}

static void test_error_documents_win_over_outputs(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 3);
	run(f);
	put_error(f, "n0", 0, false);
	succeed(f, "n0", 0, 1);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_execution_error(f, "USER:ValueError", "no such luck");
	const Flyteidl__Core__ExecutionError *error =
	        stored_error(f, "select error from node_executions where execution_id = $1 and node_id = 'n0'");
	assert_int_equal(error->kind, ERROR_KIND(USER));
	assert_string_equal(error->error_uri, object_uri(f, "n0/data/0/error.pb"));
	assert_query(f, "select phase || ' ' || error_code from task_executions where execution_id = $1",
	             "FAILED USER:ValueError");
	fixture_free(f);
}

static void test_retries(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 1);
	run(f);
	put_error(f, "n0", 0, true);
	end_pod(f, "n0", 0, 0, "Completed");
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_int_equal(fake_outside_pods_created(f->fake), 2);
	assert_query(
	        f,
	        "select phase || ' ' || engine_attempt from node_executions where execution_id = $1 and node_id = 'n0'",
	        "RUNNING 1");
	put_error(f, "n0", 1, true);
	end_pod(f, "n0", 1, 0, "Completed");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_execution_error(f, "RetriesExhausted|USER:ValueError",
	                       "[2/2] currentAttempt done. Last Error: USER::no such luck");
	assert_query(f,
	             "select string_agg(retry_attempt || phase, ' ' order by id) from task_executions where "
	             "execution_id = $1",
	             "0FAILED 1FAILED");
	assert_int_equal(fake_outside_pods_deleted(f->fake), 0); /* they stay to be looked at */
	fixture_free(f);
}

static void test_missing_outputs(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	run(f);
	end_pod(f, "n0", 0, 0, "Completed");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_execution_error(
	        f, "RetriesExhausted|OutputsNotFound",
	        "[1/1] currentAttempt done. Last Error: UNKNOWN::Outputs not generated by task execution");
	fixture_free(f);
}

static void test_outputs_that_are_too_large(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 3);
	f->context.object_maximum = 1;
	run(f);
	succeed(f, "n0", 0, 1);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select error_code from executions where id = $1", "OutputSizeExceeded");
	fixture_free(f);
}

static void test_unreadable_outputs_use_the_systems_budget(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	f->context.machine.retry_delay_ns = 0;
	for (unsigned attempt = 0; attempt <= 3; attempt++) {
		run(f);
		const struct proto_bytes garbage = { .data = (const uint8_t *)"\xff\xff\xff", .length = 3 };
		fake_outside_put(f->fake, object_uri(f, arena_printf(&f->arena, "n0/data/%u/outputs.pb", attempt)),
		                 garbage);
		end_pod(f, "n0", attempt, 0, "Completed");
	}
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select error_code from executions where id = $1", "RetriesExhausted|RuntimeExecutionError");
	assert_int_equal(fake_outside_pods_created(f->fake), 4);
	fixture_free(f);
}

static void test_a_pod_killed_for_memory(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	run(f);
	end_pod(f, "n0", 0, 137, "OOMKilled");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select error_code from executions where id = $1", "RetriesExhausted|OOMKilled");
	fixture_free(f);
}

static void test_a_vanished_pod_is_asked_for_and_replaced(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	run(f);
	f->context.machine.retry_delay_ns = 0;
	fake_outside_remove_pod(f->fake, pod_name(f, "n0", 0));
	run(f); /* nobody has noticed */
	assert_int_equal(fake_outside_pods_created(f->fake), 1);
	pod_cache_synced(f->context.pods); /* the watch was interrupted, and has listed again */
	run(f);
	assert_int_equal(fake_outside_pods_created(f->fake), 2);
	assert_query(f, "select error_code from task_executions where execution_id = $1 and retry_attempt = 0",
	             "ResourceDeletedExternally");
	succeed(f, "n0", 1, 1);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	fixture_free(f);
}

static json_t *running(const char *container, const char *phase, const char *ready)
{
	return json_pack("{s:s, s:[{s:s, s:s}], s:[{s:s, s:{s:{s:s}}}]}", "phase", phase, "conditions", "type", "Ready",
	                 "status", ready, "containerStatuses", "name", container, "state", "running", "startedAt",
	                 "2026-01-01T00:00:00Z");
}

/* The machine of two pods vanishes. Their tasks allow no retries: it is the system that tries again, elsewhere, once it
 * is said that the pods are to go; what becomes of them afterwards is of no interest. */
static void test_a_machine_that_vanishes(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_task(&b, 0, NULL, 0);
	workflow_add_task(&b, 0, NULL, 0);
	struct fixture *f = fixture_new(workflow_finish(&b));
	f->context.machine.retry_delay_ns = 0;
	run(f);
	const char *const nodes[] = { "n0", "n1" };
	for (size_t i = 0; i < 2; i++) {
		const char *name = pod_name(f, nodes[i], 0);
		report(f, fake_outside_set_status(f->fake, name, running(name, "Running", "True")));
		report(f, fake_outside_set_status(f->fake, name, running(name, "Running", "False")));
	}
	run(f); /* NotReady: it may come back */
	assert_query(f, "select string_agg(distinct phase, ' ') from task_executions where execution_id = $1", "RUNNING");
	for (size_t i = 0; i < 2; i++)
		report(f, fake_outside_begin_deletion(f->fake, pod_name(f, nodes[i], 0)));
	run(f);
	assert_query(f,
	             "select string_agg(node_id || ' ' || retry_attempt || ' ' || t.phase, ', ' order by node_id, "
	             "retry_attempt) from task_executions t join node_executions n on n.id = t.node_execution_id where "
	             "t.execution_id = $1",
	             "n0 0 FAILED, n0 1 QUEUED, n1 0 FAILED, n1 1 QUEUED");
	/* The Node is removed, and the pods with it. */
	for (size_t i = 0; i < 2; i++) {
		const char *name = pod_name(f, nodes[i], 0);
		json_t *last = fake_outside_set_status(f->fake, name, running(name, "Failed", "False"));
		(void)pod_cache_update(f->context.pods, last, false);
		(void)pod_cache_update(f->context.pods, last, true);
		json_decref(last);
		fake_outside_remove_pod(f->fake, name);
	}
	run(f);
	succeed(f, "n0", 1, 10);
	succeed(f, "n1", 1, 11);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	assert_query(f,
	             "select string_agg(engine_user_failures || '/' || engine_system_failures, ' ') from node_executions "
	             "where execution_id = $1 and node_id in ('n0', 'n1')",
	             "0/1 0/1");
	assert_int_equal(fake_outside_pods_created(f->fake), 4);
	fixture_free(f);
}

static void test_a_pod_that_ended_before_it_was_deleted_counts(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	run(f);
	succeed(f, "n0", 0, 1);
	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	pod_cache_update(f->context.pods, pod, true);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	fixture_free(f);
}

static void test_refused_pods(void **state)
{
	(void)state;
	static const struct {
		enum err_kind kind;
		const char *message, *task_phase, *code;
	} cases[] = {
		{ ERR_EXHAUSTED, "no", "WAITING_FOR_RESOURCES", "" },
		{ ERR_EXHAUSTED, "exceeded quota: q, requested: cpu=2, used: cpu=0, limited: cpu=1", "FAILED",
		  "ResourceRequestsExceedLimits" },
		{ ERR_PERMISSION, "no", "FAILED", "RetriesExhausted|RuntimeFailure" },
		{ ERR_INVALID, "no", "FAILED", "BadTaskFormat" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct fixture *f = chain(1, 0);
		fake_outside_refuse_pods(f->fake, cases[i].kind, cases[i].message);
		run(f);
		assert_query(f, "select phase from task_executions where execution_id = $1", cases[i].task_phase);
		assert_query(f, "select error_code from executions where id = $1", cases[i].code);
		if (text_equal(cases[i].task_phase, "WAITING_FOR_RESOURCES")) {
			assert_query(f, "select reason from task_executions where execution_id = $1",
			             "Exceeded resourcequota: no");
			assert_query(f, "select phase from node_executions where execution_id = $1 and node_id = 'n0'",
			             "QUEUED");
			/* There is room again, and the time has come. */
			fake_outside_refuse_pods(f->fake, ERR_NONE, NULL);
			(void)query(f, "update node_executions set engine_recheck_at = now() where execution_id = $1 "
			               "returning id");
			run(f);
			assert_query(f, "select phase from task_executions where execution_id = $1", "QUEUED");
		}
		fixture_free(f);
	}
}

static void test_a_pod_name_of_another_execution(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	struct fixture *f = chain(1, 0);
	auto_json json_t *foreign = json_pack("{s:{s:s, s:{s:s}}}", "metadata", "name", pod_name(f, "n0", 0), "labels",
	                                      POD_CACHE_LABEL, "77");
	auto_json json_t *there = NULL;
	const struct outside *outside = f->context.outside;
	must(outside->create_pod(outside->context, "flytesnacks-development", foreign, &there, &e), &e);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select error_code from executions where id = $1", "PodNameTaken");
	auto_json json_t *still = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	assert_non_null(still);
	fixture_free(f);
}

static void test_a_node_id_that_names_no_object(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_task(&b, 0, NULL, 0)->id = arena_strdup(&arena, "..");
	struct fixture *f = fixture_new(workflow_finish(&b));
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select error_code from executions where id = $1", "BadTaskFormat");
	fixture_free(f);
}

static struct fixture *with_pod_template(struct arena *arena, const char *name)
{
	struct workflow_builder b = workflow_builder(arena);
	workflow_add_task(&b, 0, NULL, 0);
	workflow_task(&b, 0)->metadata = proto_new(arena, flyteidl__core__task_metadata);
	workflow_task(&b, 0)->metadata->pod_template_name = arena_strdup(arena, name);
	return fixture_new(workflow_finish(&b));
}

static void put_pod_template(struct fixture *f, const char *namespace, const char *scheduler)
{
	fake_outside_put_pod_template(f->fake, namespace, "mine",
	                              json_pack("{s:{s:{s:s}}}", "template", "spec", "schedulerName", scheduler));
}

static void test_a_pod_template_of_the_platform(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct fixture *f = with_pod_template(&arena, "mine");
	put_pod_template(f, "flyte", "of-the-platform");
	/* What cannot be read is not missing. */
	fake_outside_fail(f->fake, fake_outside_calls(f->fake) + 1, 1);
	assert_int_equal(run(f), ROUND_UNFINISHED);
	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	assert_string_equal(json_string_at(pod, "spec/schedulerName", ""), "of-the-platform");
	fixture_free(f);
}

static void test_a_pod_template_of_the_namespace(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct fixture *f = with_pod_template(&arena, "mine");
	put_pod_template(f, "flyte", "of-the-platform");
	put_pod_template(f, "flytesnacks-development", "of-the-project");
	assert_int_equal(run(f), ROUND_UNFINISHED);
	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	assert_string_equal(json_string_at(pod, "spec/schedulerName", ""), "of-the-project");
	fixture_free(f);
}

static void test_a_missing_pod_template(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct fixture *f = with_pod_template(&arena, "absent");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_execution_error(f, "BadTaskSpecification", "PodTemplate 'absent' does not exist");
	assert_int_equal(fake_outside_pods_created(f->fake), 0);
	fixture_free(f);
}

/* The default is a base where it exists, and no matter where it does not. */
static void test_an_absent_default_pod_template(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	f->context.pod_defaults.pod_template_name = "mine";
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_int_equal(fake_outside_pods_created(f->fake), 1);
	fixture_free(f);
}

static void test_an_unsupported_node_fails_at_the_start(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_task(&b, 0, NULL, 0);
	Flyteidl__Core__Node *node = workflow_add_task(&b, 0, NULL, 0);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET__NOT_SET;
	node->gate_node = proto_new(&arena, flyteidl__core__gate_node);
	struct fixture *f = fixture_new(workflow_finish(&b));
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_execution_error(f, "UnsupportedNode",
	                       "node \"n1\" is a node without a target, which this version of the sandbox cannot run");
	assert_int_equal(fake_outside_pods_created(f->fake), 0);
	fixture_free(f);
}

static void test_an_unreadable_closure_ends_the_execution(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	(void)query(f, "update workflows set closure = '\\xffff' where $1 > 0 returning id");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase || ' ' || error_code from executions where id = $1", "FAILED IllegalStateError");
	fixture_free(f);
}

/* ---- Aborts ---- */

static void test_abort(void **state)
{
	(void)state;
	struct fixture *f = chain(2, 0);
	run(f);
	(void)query(f, "update executions set phase = 'ABORTING', abort_cause = 'enough' where id = $1 returning id");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_query(f, "select phase from executions where id = $1", "ABORTED");
	assert_query(f,
	             "select string_agg(node_id || ':' || phase, ' ' order by id) from node_executions where "
	             "execution_id = $1",
	             "start-node:SUCCEEDED n0:ABORTED");
	assert_query(f, "select phase from task_executions where execution_id = $1", "ABORTED");
	assert_string_equal(
	        stored_error(f, "select error from node_executions where execution_id = $1 and node_id = 'n0'")
	                ->message,
	        "enough");
	assert_int_equal(fake_outside_pods_deleted(f->fake), 1);
	fixture_free(f);
}

static void test_a_pod_nobody_owns_is_deleted(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	run(f);
	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	(void)query(f, "update executions set phase = 'ABORTING' where id = $1 returning id");
	/* The API server is away when the pod is to be deleted; the process ends before it comes back. */
	auto_err struct err e = ERR_INIT;
	struct round_result result = ROUND_RESULT_INIT;
	fake_outside_fail(f->fake, 0, UINT32_MAX);
	must(round_run(&f->context, f->id, &f->plan, &result, &e), &e);
	assert_true(result.incomplete);
	assert_int_equal(result.outcome, ROUND_UNFINISHED);
	round_result_release(&result);
	assert_query(f, "select phase from executions where id = $1", "ABORTED");
	fake_outside_fail(f->fake, 0, 0);
	pod_cache_drop(f->context.pods, f->id);
	/* Its watch reports that it runs: that is enough. */
	assert_int_equal(pod_cache_update(f->context.pods, pod, false), f->id);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_int_equal(fake_outside_pods_deleted(f->fake), 1);
	fixture_free(f);
}

/* ---- Replicas ---- */

static void set_replica(struct fixture *f, const char *name, bool take_over)
{
	f->context.replica = name;
	f->context.take_over = take_over;
}

static void test_replicas_leave_executions_to_each_other(void **state)
{
	(void)state;
	static const char replica[] = "select engine_replica from executions where id = $1";
	struct fixture *f = chain(2, 0);
	set_replica(f, "one", false);
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_query(f, replica, "one");
	succeed(f, "n0", 0, 41);
	set_replica(f, "two", false);
	assert_int_equal(run(f), ROUND_ELSEWHERE);
	assert_int_equal(fake_outside_pods_created(f->fake), 1);
	/* What has only just been heard is left to it too, and told when it was. */
	set_replica(f, "two", true);
	f->context.patience_ms = 3600000;
	auto_err struct err e = ERR_INIT;
	struct round_result result = ROUND_RESULT_INIT;
	must(round_run(&f->context, f->id, &f->plan, &result, &e), &e);
	assert_int_equal(result.outcome, ROUND_ELSEWHERE);
	assert_in_range(result.wake_at_ns, clock_wall_ns() - INT64_C(3600000000000), clock_wall_ns());
	assert_int_equal(fake_outside_pods_created(f->fake), 1);
	f->context.patience_ms = 0;
	assert_int_equal(run(f), ROUND_UNFINISHED);
	assert_int_equal(fake_outside_pods_created(f->fake), 2);
	assert_query(f, replica, "two");
	/* Who looks and finds nothing to do has taken over nothing. */
	set_replica(f, "one", true);
	assert_int_equal(run(f), ROUND_ELSEWHERE);
	assert_query(f, replica, "two");
	succeed(f, "n1", 0, 42);
	set_replica(f, "two", false);
	assert_int_equal(run(f), ROUND_FINISHED);
	/* What is over is everybody's. */
	set_replica(f, "one", false);
	assert_int_equal(run(f), ROUND_FINISHED);
	fixture_free(f);
}

/* Another replica has heard of the pod's end, and this one has not: the finished pod is not to be deleted. */
static void test_a_pod_that_has_changed_is_not_deleted(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	run(f);
	auto_json json_t *pod = fake_outside_pod(f->fake, pod_name(f, "n0", 0));
	json_object_set_new(json_object_get(pod, "metadata"), "resourceVersion", json_string("1"));
	assert_int_equal(pod_cache_update(f->context.pods, pod, false), f->id);
	(void)query(f, "update executions set phase = 'ABORTED' where id = $1 returning id");
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_int_equal(fake_outside_pods_deleted(f->fake), 0);
	/* The watch says what it is now. */
	json_object_del(json_object_get(pod, "metadata"), "resourceVersion");
	assert_int_equal(pod_cache_update(f->context.pods, pod, false), f->id);
	assert_int_equal(run(f), ROUND_FINISHED);
	assert_int_equal(fake_outside_pods_deleted(f->fake), 1);
	fixture_free(f);
}

/* ---- Breakage ---- */

static void test_a_locked_execution_is_left_alone(void **state)
{
	(void)state;
	struct fixture *f = chain(1, 0);
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct database_rows rows;
	must(database_borrow(f->database, clock_monotonic_ms() + 20000, &c, &e), &e);
	must(database_begin(c, &e), &e);
	must(database_query(c, &f->arena, "select 1 from executions where id = $1 for update",
	                    (struct database_value[]){ DB_INT(f->id) }, 1, &rows, &e),
	     &e);
	assert_int_equal(run(f), ROUND_BUSY);
	must(database_commit(c, &e), &e);
	database_return(steal_ptr(c));
	assert_int_equal(run(f), ROUND_UNFINISHED);
	(void)query(f, "delete from executions where id = $1 returning id");
	assert_int_equal(run(f), ROUND_FINISHED);
	fixture_free(f);
}

struct breakage {
	struct fixture *fixture;
	unsigned at;
	bool done;
};

/* The effect has happened; then the transaction that was to record it is lost. */
static void lose_the_transaction(void *context, unsigned call)
{
	struct breakage *breakage = context;
	if (call != breakage->at || breakage->done)
		return;
	breakage->done = true;
	(void)query(breakage->fixture, "select pg_terminate_backend(pid) from pg_stat_activity where $1 > 0"
	                               " and datname = current_database() and state = 'idle in transaction'");
}

static void play(struct fixture *f)
{
	run(f);
	succeed(f, "n0", 0, 2);
	run(f);
	put_error(f, "n1", 0, true);
	end_pod(f, "n1", 0, 0, "Completed");
	run(f);
	succeed(f, "n1", 1, 3);
	run(f);
}

static void assert_played(struct fixture *f)
{
	assert_query(f, "select phase from executions where id = $1", "SUCCEEDED");
	assert_query(f,
	             "select string_agg(name || retry_attempt || t.phase, ' ' order by name, retry_attempt) from "
	             "task_executions t"
	             " where execution_id = $1",
	             "t00SUCCEEDED t10FAILED t11SUCCEEDED");
	assert_query(f, "select count(*)::text from node_executions where execution_id = $1", "4");
	assert_int_equal(workflow_integer_of(literals_at(f, object_uri(f, "end-node/data/0/outputs.pb")), "o1"), 3);
	assert_int_equal(fake_outside_pods_created(f->fake), 3);
}

static void test_a_crash_after_any_effect(void **state)
{
	(void)state;
	struct fixture *whole = chain(2, 1);
	play(whole);
	assert_played(whole);
	const unsigned calls = fake_outside_calls(whole->fake);
	fixture_free(whole);
	assert_true(calls > 10);
	for (unsigned at = 0; at < calls; at++) {
		struct fixture *f = chain(2, 1);
		struct breakage breakage = { .fixture = f, .at = at };
		fake_outside_hook(f->fake, lose_the_transaction, &breakage);
		play(f);
		assert_true(breakage.done);
		assert_played(f);
		fixture_free(f);
	}
}

static void test_failures_of_any_call(void **state)
{
	(void)state;
	struct fixture *whole = chain(2, 1);
	play(whole);
	const unsigned calls = fake_outside_calls(whole->fake);
	fixture_free(whole);
	for (unsigned at = 0; at < calls; at++) {
		struct fixture *f = chain(2, 1);
		fake_outside_fail(f->fake, at, 2);
		play(f);
		assert_played(f);
		fixture_free(f);
	}
}

static int start_postgres(void **state)
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

static int stop_postgres(void **state)
{
	(void)state;
	postgres = postgres_stop(postgres);
	free(database_url);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_chain_runs_to_its_end),
		cmocka_unit_test(test_a_sub_workflow_in_rows),
		cmocka_unit_test(test_a_signal_is_asked_for_and_taken),
		cmocka_unit_test(test_a_child_execution_is_found_and_watched),
		cmocka_unit_test(test_a_launch_plan_that_is_not_there),
		cmocka_unit_test(test_a_child_execution_is_launched_once),
		cmocka_unit_test(test_a_namesake_is_no_child),
		cmocka_unit_test(test_a_child_execution_is_aborted_with_its_parent),
		cmocka_unit_test(test_phases_of_a_pod_are_shown),
		cmocka_unit_test(test_large_literals_go_through_the_object_store),
		cmocka_unit_test(test_a_map_task),
		cmocka_unit_test(test_elements_are_tried_again),
		cmocka_unit_test(test_links_to_the_logs_of_elements),
		cmocka_unit_test(test_the_end_of_a_pod_is_heard_once),
		cmocka_unit_test(test_elements_are_cached),
		cmocka_unit_test(test_a_large_map_begins_in_rounds),
		cmocka_unit_test(test_an_aborted_map_ends_its_pods),
		cmocka_unit_test(test_outputs_with_a_zero_byte),
		cmocka_unit_test(test_error_documents_win_over_outputs),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_missing_outputs),
		cmocka_unit_test(test_outputs_that_are_too_large),
		cmocka_unit_test(test_unreadable_outputs_use_the_systems_budget),
		cmocka_unit_test(test_a_pod_killed_for_memory),
		cmocka_unit_test(test_a_vanished_pod_is_asked_for_and_replaced),
		cmocka_unit_test(test_a_machine_that_vanishes),
		cmocka_unit_test(test_a_pod_that_ended_before_it_was_deleted_counts),
		cmocka_unit_test(test_refused_pods),
		cmocka_unit_test(test_a_pod_name_of_another_execution),
		cmocka_unit_test(test_a_node_id_that_names_no_object),
		cmocka_unit_test(test_a_pod_template_of_the_platform),
		cmocka_unit_test(test_a_pod_template_of_the_namespace),
		cmocka_unit_test(test_a_missing_pod_template),
		cmocka_unit_test(test_an_absent_default_pod_template),
		cmocka_unit_test(test_an_unsupported_node_fails_at_the_start),
		cmocka_unit_test(test_an_unreadable_closure_ends_the_execution),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_a_pod_nobody_owns_is_deleted),
		cmocka_unit_test(test_replicas_leave_executions_to_each_other),
		cmocka_unit_test(test_a_pod_that_has_changed_is_not_deleted),
		cmocka_unit_test(test_a_locked_execution_is_left_alone),
		cmocka_unit_test(test_a_crash_after_any_effect),
		cmocka_unit_test(test_failures_of_any_call),
	};
	return cmocka_run_group_tests(tests, start_postgres, stop_postgres);
}
