/* The event RPCs against a real Postgres: which event is accepted in which phase, and what it changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "json_calls.h"
#include "postgres.h"

#include <libpq-fe.h>
#include <poll.h>

static struct postgres *postgres;
static struct api_config config;
static struct api api;
static PGconn *observer; /* changes rows as the engine does, and hears what wakes it */

#define EXECUTION "{'project': 'flytesnacks', 'domain': 'development', 'name': 'run'}"
#define NODE(id) "{'node_id': '" id "', 'execution_id': " EXECUTION "}"
#define TASK "{'resource_type': 'TASK', 'project': 'flytesnacks', 'domain': 'development', 'name': 't', 'version': '1'}"
#define WORKFLOW_EVENT(phase, more) "{'event': {'execution_id': " EXECUTION ", 'phase': '" phase "'" more "}}"
#define NODE_EVENT(id, phase, more) "{'event': {'id': " NODE(id) ", 'phase': '" phase "'" more "}}"
#define TASK_EVENT(phase, version, more)                                                                               \
	"{'event': {'task_id': " TASK                                                                                  \
	", 'parent_node_execution_id': " NODE("n0") ", 'phase': '" phase "', 'phase_version': " version                \
	                                            ", 'occurred_at': '2026-01-01T00:00:05Z'" more "}}"
#define RUN_TEXT "project:\"flytesnacks\" domain:\"development\" name:\"run\""

static void sql(const char *text)
{
	PGresult *result = PQexec(observer, text);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", text, PQerrorMessage(observer));
	PQclear(result);
}

static bool engine_was_woken(void)
{
	int64_t deadline = clock_monotonic_ms() + 1000;
	for (;;) {
		PQconsumeInput(observer);
		PGnotify *notify = PQnotifies(observer);
		if (notify) {
			PQfreemem(notify);
			return true;
		}
		struct pollfd pollfd = { .fd = PQsocket(observer), .events = POLLIN };
		if (poll(&pollfd, 1, clock_poll_timeout(deadline)) <= 0)
			return false;
	}
}

static int start(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "%s\n", err_message(&e));
		exit(e.kind == ERR_NOT_FOUND ? POSTGRES_SKIP : 1);
	}
	config = api_config_default;
	api = (struct api){ .database = database_new(postgres_url(postgres), 4), .config = &config };
	json_calls_api(&api);
	if (database_migrate(api.database, clock_monotonic_ms() + 60000, &e) < 0)
		fail_msg("%s", err_message(&e));
	observer = PQconnectdb(postgres_url(postgres));
	sql("listen flyte_engine");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	PQfinish(observer);
	api.database = database_free(api.database);
	postgres = postgres_stop(postgres);
	return 0;
}

/* An execution with one node and its first attempt, nothing of it begun. */
static int each_setup(void **state)
{
	(void)state;
	sql("truncate executions restart identity cascade");
	sql("insert into executions (project, domain, name, spec, phase) values ('flytesnacks', 'development', 'run', "
	    "'', "
	    "'QUEUED')");
	sql("insert into node_executions (execution_id, node_id, spec_node_id, phase) select id, 'n0', 'n0', 'QUEUED' "
	    "from executions");
	sql("insert into task_executions (node_execution_id, execution_id, retry_attempt, project, domain, name, "
	    "version, phase) select n.id, e.id, 0, 'flytesnacks', 'development', 't', '1', 'QUEUED' from executions e, "
	    "node_executions n");
	for (PGnotify *notify; PQconsumeInput(observer) && (notify = PQnotifies(observer));)
		PQfreemem(notify);
	return 0;
}

static void test_a_workflow_runs_and_ends(void **state)
{
	(void)state;
	done("CreateWorkflowEvent", WORKFLOW_EVENT("RUNNING", ", 'occurred_at': '2026-01-01T00:00:00Z'"));
	assert_true(engine_was_woken());
	refuse("CreateWorkflowEvent", WORKFLOW_EVENT("RUNNING", ""), ERR_EXISTS,
	       "This phase RUNNING was already recorded for workflow execution " RUN_TEXT);
	refuse("CreateWorkflowEvent", WORKFLOW_EVENT("QUEUED", ""), ERR_PRECONDITION,
	       "Cannot go from RUNNING to QUEUED for workflow execution " RUN_TEXT);
	done("CreateWorkflowEvent",
	     WORKFLOW_EVENT("FAILED", ", 'occurred_at': '2026-01-01T00:00:03Z', 'error': {'code': 'Boom', 'message': "
	                              "'it broke', 'kind': 'USER'}"));
	auto_json json_t *execution = succeed("GetExecution", "{'id': " EXECUTION "}");
	assert_field(execution, "closure/phase", "FAILED");
	assert_field(execution, "closure/error/code", "Boom");
	assert_field(execution, "closure/error/kind", "USER");
	assert_field(execution, "closure/started_at", "2026-01-01T00:00:00Z");
	assert_field(execution, "closure/duration", "3s");
	refuse_with("CreateWorkflowEvent", WORKFLOW_EVENT("RUNNING", ""), ERR_PRECONDITION,
	            "Invalid phase change from FAILED to RUNNING for workflow execution " RUN_TEXT,
	            "EventFailureReason");
}

static void test_an_aborting_workflow_only_ends(void **state)
{
	(void)state;
	sql("update executions set phase = 'ABORTING'");
	refuse("CreateWorkflowEvent", WORKFLOW_EVENT("RUNNING", ""), ERR_PRECONDITION,
	       "Invalid phase change from aborting to RUNNING for workflow execution " RUN_TEXT);
	done("CreateWorkflowEvent", WORKFLOW_EVENT("ABORTED", ""));
	auto_json json_t *execution = succeed("GetExecution", "{'id': " EXECUTION "}");
	assert_field(execution, "closure/phase", "ABORTED");
}

static void test_events_of_another_cluster(void **state)
{
	(void)state;
	done("CreateWorkflowEvent", WORKFLOW_EVENT("RUNNING", ", 'producer_id': 'propeller'"));
	refuse_with(
	        "CreateWorkflowEvent", WORKFLOW_EVENT("SUCCEEDED", ", 'producer_id': 'elsewhere'"), ERR_PRECONDITION,
	        "Cluster/producer from event [elsewhere] does not match existing workflow execution clusterInDB: []",
	        "EventFailureReason");
	refuse_with(
	        "CreateNodeEvent", NODE_EVENT("n0", "RUNNING", ", 'producer_id': 'elsewhere'"), ERR_PRECONDITION,
	        "Cluster/producer from event [elsewhere] does not match existing workflow execution clusterInDB: []",
	        "EventFailureReason");
	sql("update executions set cluster = 'elsewhere'");
	done("CreateNodeEvent", NODE_EVENT("n0", "RUNNING", ", 'producer_id': 'elsewhere'"));
}

static void test_a_node(void **state)
{
	(void)state;
	done("CreateNodeEvent", NODE_EVENT("n0", "RUNNING", ", 'occurred_at': '2026-01-01T00:00:01Z'"));
	assert_true(engine_was_woken());
	refuse("CreateNodeEvent", NODE_EVENT("n0", "RUNNING", ""), ERR_EXISTS,
	       "This phase RUNNING was already recorded for node execution node_id:\"n0\" execution_id:{" RUN_TEXT "}");
	done("CreateNodeEvent", NODE_EVENT("n0", "SUCCEEDED",
	                                   ", 'occurred_at': '2026-01-01T00:00:02Z', 'output_uri': 's3://b/o', "
	                                   "'deck_uri': 's3://b/d'"));
	auto_json json_t *node = succeed("GetNodeExecution", "{'id': " NODE("n0") "}");
	assert_field(node, "closure/phase", "SUCCEEDED");
	assert_field(node, "closure/output_uri", "s3://b/o");
	assert_field(node, "closure/deck_uri", "s3://b/d");
	assert_field(node, "closure/duration", "1s");
	refuse_with("CreateNodeEvent", NODE_EVENT("n0", "FAILED", ""), ERR_PRECONDITION,
	            "Invalid phase change from SUCCEEDED to FAILED for node execution node_id:\"n0\" "
	            "execution_id:{" RUN_TEXT "}",
	            "EventFailureReason");
	refuse("CreateNodeEvent", NODE_EVENT("n9", "RUNNING", ""), ERR_PRECONDITION,
	       "node execution node_id:\"n9\" execution_id:{" RUN_TEXT "} has not been made by the engine");
}

#define TASK_PLACE "{'task_id': " TASK ", 'node_execution_id': " NODE("n0") "}"
#define TASK_TEXT                                                                                                      \
	"task_id:{resource_type:TASK project:\"flytesnacks\" domain:\"development\" name:\"t\" version:\"1\"} "        \
	"node_execution_id:{node_id:\"n0\" execution_id:{" RUN_TEXT "}} retry_attempt:0"

static void test_a_task(void **state)
{
	(void)state;
	done("CreateTaskEvent", TASK_EVENT("RUNNING", "0", ", 'reason': 'begun', 'logs': [{'name': 'l', 'uri': 'u'}]"));
	assert_true(engine_was_woken());
	refuse("CreateTaskEvent", TASK_EVENT("RUNNING", "0", ""), ERR_EXISTS,
	       "have already recorded task execution phase RUNNING (version: 0) for " TASK_TEXT);
	/* a later version of the same phase is news */
	done("CreateTaskEvent", TASK_EVENT("RUNNING", "1",
	                                   ", 'reasons': [{'reason': 'half'}, {'reason': 'nearly'}], 'custom_info': "
	                                   "{'step': 2}"));
	done("CreateTaskEvent", TASK_EVENT("SUCCEEDED", "0", ", 'output_uri': 's3://b/o'"));
	auto_json json_t *task = succeed("GetTaskExecution", "{'id': " TASK_PLACE "}");
	assert_field(task, "closure/phase", "SUCCEEDED");
	assert_field(task, "closure/reason", "nearly");
	assert_list(task, "closure/reasons", "message", "begun half nearly []");
	assert_list(task, "closure/logs", "uri", "u []");
	assert_field(task, "closure/started_at", "2026-01-01T00:00:05Z");
	refuse_with("CreateTaskEvent", TASK_EVENT("FAILED", "0", ""), ERR_PRECONDITION,
	            "Invalid phase change from SUCCEEDED to FAILED for task execution " TASK_TEXT,
	            "EventFailureReason");
	refuse_with("CreateTaskEvent", TASK_EVENT("RUNNING", "0", ", 'producer_id': 'x'"), ERR_PRECONDITION,
	            "Cluster/producer from event [x] does not match existing workflow execution clusterInDB: []",
	            "EventFailureReason");
}

static void test_incomplete_events(void **state)
{
	(void)state;
	refuse("CreateWorkflowEvent", "{}", ERR_INVALID, "missing event");
	refuse("CreateWorkflowEvent", "{'event': {}}", ERR_INVALID, "missing execution_id");
	refuse("CreateNodeEvent", "{}", ERR_INVALID, "missing event");
	refuse("CreateNodeEvent", "{'event': {}}", ERR_INVALID, "missing id");
	refuse("CreateNodeEvent", "{'event': {'id': {'execution_id': " EXECUTION "}}}", ERR_INVALID, "missing node_id");
	refuse("CreateNodeEvent", "{'event': {'id': " NODE("n0") ", 'phase': 77}}", ERR_INVALID,
	       "invalid value for phase");
	refuse("CreateTaskEvent", "{}", ERR_INVALID, "missing event");
	refuse("CreateTaskEvent", "{'event': {}}", ERR_INVALID, "missing occurred_at");
	refuse("CreateTaskEvent", "{'event': {'occurred_at': '2026-01-01T00:00:05Z'}}", ERR_INVALID,
	       "missing node_execution_id");
	refuse("CreateWorkflowEvent",
	       "{'event': {'execution_id': {'project': 'p', 'domain': 'd', 'name': 'n'}, 'phase': 'RUNNING'}}",
	       ERR_NOT_FOUND, "missing entity of type execution with identifier project:\"p\" domain:\"d\" name:\"n\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_workflow_runs_and_ends, each_setup),
		cmocka_unit_test_setup(test_an_aborting_workflow_only_ends, each_setup),
		cmocka_unit_test_setup(test_events_of_another_cluster, each_setup),
		cmocka_unit_test_setup(test_a_node, each_setup),
		cmocka_unit_test_setup(test_a_task, each_setup),
		cmocka_unit_test_setup(test_incomplete_events, each_setup),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
