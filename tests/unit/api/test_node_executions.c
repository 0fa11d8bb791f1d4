/* Nodes of executions, the attempts of their tasks, and the time that all of it took. */
#include "executions_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"

#include "flyteidl/admin/node_execution.pb-c.h"
#include "flyteidl/admin/task_execution.pb-c.h"

#include <string.h>

/* Execution "run" with start-node, n0 (dynamic, two attempts of task t, children n0-0-c and n0-1-c) and end-node. */
static void run_with_nodes(void)
{
	create("run");
	RUN("insert into node_executions (execution_id, node_id, spec_node_id, phase, is_parent, is_dynamic, "
	    "created_at, started_at, "
	    "updated_at, duration, deck_uri) "
	    "select id, n, n, 'SUCCEEDED', n = 'n0', n = 'n0', created_at + s * interval '1 s', created_at + (s + 1) * "
	    "interval '1 s', "
	    "created_at + (s + 5) * interval '1 s', interval '4 s', case n when 'n0' then "
	    "'s3://my-s3-bucket/deck.html' else '' end "
	    "from executions, (values ('start-node', 0), ('n0', 10), ('end-node', 20)) as nodes (n, s)");
	RUN("insert into node_executions (execution_id, node_id, spec_node_id, parent_id, retry_group, phase) "
	    "select execution_id, 'n0-' || attempt || '-c', 'c', id, attempt, 'RUNNING' "
	    "from node_executions, (values ('0'), ('1')) as attempts (attempt) where node_id = 'n0'");
	RUN("insert into task_executions (node_execution_id, execution_id, retry_attempt, project, domain, name, "
	    "version, phase, created_at, "
	    "started_at, updated_at, duration) "
	    "select id, execution_id, attempt, '" PROJECT "', '" DOMAIN
	    "', 't', 'v1', case attempt when 0 then 'FAILED' else 'SUCCEEDED' end, "
	    "created_at + (attempt + 1) * interval '1 s', created_at + (attempt + 1.2) * interval '1 s', "
	    "created_at + (attempt + 1.8) * interval '1 s', interval '0.5 s' "
	    "from node_executions, (values (0), (1)) as attempts (attempt) where node_id = 'n0'");
}

static void expect_nodes(const char *parent, const char *filters, const char *nodes)
{
	Flyteidl__Admin__NodeExecutionListRequest *r = proto_new(&arena, flyteidl__admin__node_execution_list_request);
	r->workflow_execution_id = execution("run");
	r->limit = 100;
	r->unique_parent_id = arena_strdup(&arena, parent);
	r->filters = arena_strdup(&arena, filters);
	Flyteidl__Admin__NodeExecutionList *list = succeed("ListNodeExecutions", r);
	auto_buf struct buf found = BUF_INIT(4096);
	for (size_t i = 0; i < list->n_node_executions; i++)
		buf_add_format(&found, "%s%s", i ? " " : "", list->node_executions[i]->id->node_id);
	assert_string_equal(buf_text(&found), nodes);
}

static void test_list_node_executions(void **state)
{
	(void)state;
	run_with_nodes();
	create("another"); /* whose nodes are not asked for */
	RUN("insert into node_executions (execution_id, node_id, spec_node_id) select id, 'n0', 'n0' from executions "
	    "where name = 'another'");
	expect_nodes("", "", "start-node n0 end-node");
	expect_nodes("n0", "", "n0-0-c n0-1-c");
	expect_nodes("end-node", "", "");
	expect_nodes("", "eq(node_id,n0)", "n0");
	expect_nodes("n0", "eq(phase,SUCCEEDED)", "");
	expect_nodes("", "eq(execution.phase,RUNNING)", "");

	Flyteidl__Admin__NodeExecutionListRequest *r = proto_new(&arena, flyteidl__admin__node_execution_list_request);
	refuse("ListNodeExecutions", r, ERR_INVALID, "missing execution_id");
	r->workflow_execution_id = execution("run");
	refuse("ListNodeExecutions", r, ERR_INVALID, "invalid value for limit");
	r->limit = 2;
	Flyteidl__Admin__NodeExecutionList *list = succeed("ListNodeExecutions", r);
	assert_int_equal(list->n_node_executions, 2);
	assert_string_equal(list->token, "2");
	assert_string_equal(list->node_executions[1]->metadata->spec_node_id, "n0");
	assert_true(list->node_executions[1]->metadata->is_parent_node);
	r->unique_parent_id = arena_strdup(&arena, "n9");
	refuse("ListNodeExecutions", r, ERR_NOT_FOUND,
	       "missing entity of type node execution with identifier node_id:\"n9\" execution_id:{project:\"" PROJECT
	       "\" domain:\"" DOMAIN "\" name:\"run\"}");
}

static void test_node_execution_data(void **state)
{
	(void)state;
	run_with_nodes();
	struct proto_bytes inputs = proto_pack(&arena, &literals("x", integer(1))->base);
	QUERY("update node_executions set inputs = $1, inputs_uri = 's3://my-s3-bucket/n0/inputs.pb' where node_id = "
	      "'n0'",
	      DB_BYTES(inputs));
	Flyteidl__Admin__NodeExecutionGetRequest *get_request =
	        proto_new(&arena, flyteidl__admin__node_execution_get_request);
	get_request->id = node("run", "n0");
	Flyteidl__Admin__NodeExecution *n0 = succeed("GetNodeExecution", get_request);
	assert_string_equal(n0->id->execution_id->name, "run");
	assert_string_equal(n0->input_uri, "s3://my-s3-bucket/n0/inputs.pb");
	assert_int_equal(n0->closure->duration->seconds, 4);
	get_request->id = node("run", "n7");
	refuse("GetNodeExecution", get_request, ERR_NOT_FOUND, "missing entity of type node execution");
	get_request->id = node("run", "");
	refuse("GetNodeExecution", get_request, ERR_INVALID, "missing node_id");
	get_request->id = NULL;
	refuse("GetNodeExecution", get_request, ERR_INVALID, "missing id");

	Flyteidl__Admin__NodeExecutionGetDataRequest *r =
	        proto_new(&arena, flyteidl__admin__node_execution_get_data_request);
	r->id = node("run", "n0");
	Flyteidl__Admin__NodeExecutionGetDataResponse *data = succeed("GetNodeExecutionData", r);
	assert_int_equal(data->full_inputs->n_literals, 1);
	assert_int_equal(data->full_outputs->n_literals, 0);
	assert_string_equal(data->flyte_urls->inputs, "flyte://v1/" PROJECT "/" DOMAIN "/run/n0/i");
	assert_string_equal(data->flyte_urls->outputs, "flyte://v1/" PROJECT "/" DOMAIN "/run/n0/o");
	assert_string_equal(data->flyte_urls->deck, "flyte://v1/" PROJECT "/" DOMAIN "/run/n0/d");
	assert_null(data->dynamic_workflow);
	r->id = node("run", "end-node");
	data = succeed("GetNodeExecutionData", r);
	assert_string_equal(data->flyte_urls->deck, "");
}

static void test_dynamic_workflow(void **state)
{
	(void)state;
	run_with_nodes();
	Flyteidl__Admin__GetDynamicNodeWorkflowRequest *r =
	        proto_new(&arena, flyteidl__admin__get_dynamic_node_workflow_request);
	r->id = node("run", "n0");
	refuse("GetDynamicNodeWorkflow", r, ERR_NOT_FOUND, "node does not contain dynamic workflow");
	RUN("update node_executions set dynamic_workflow_uri = 's3://my-s3-bucket/dynamic.pb' where node_id = 'n0'");
	Flyteidl__Core__CompiledWorkflowClosure *closure = proto_new(&arena, flyteidl__core__compiled_workflow_closure);
	struct proto_bytes bytes = proto_pack(&arena, &closure->base);
	fake_objects_put(store, "/my-s3-bucket/dynamic.pb", bytes.data, bytes.length);
	refuse("GetDynamicNodeWorkflow", r, ERR_INTERNAL,
	       "the dynamic workflow \"s3://my-s3-bucket/dynamic.pb\" is damaged");
	closure->primary = proto_new(&arena, flyteidl__core__compiled_workflow);
	closure->primary->template_ = proto_new(&arena, flyteidl__core__workflow_template);
	closure->primary->template_->id = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, "dynamic_n0");
	bytes = proto_pack(&arena, &closure->base);
	fake_objects_put(store, "/my-s3-bucket/dynamic.pb", bytes.data, bytes.length);
	Flyteidl__Admin__DynamicNodeWorkflowResponse *response = succeed("GetDynamicNodeWorkflow", r);
	assert_string_equal(response->compiled_workflow->primary->template_->id->name, "dynamic_n0");
	Flyteidl__Admin__NodeExecutionGetDataRequest *data_request =
	        proto_new(&arena, flyteidl__admin__node_execution_get_data_request);
	data_request->id = r->id;
	Flyteidl__Admin__NodeExecutionGetDataResponse *data = succeed("GetNodeExecutionData", data_request);
	assert_string_equal(data->dynamic_workflow->id->name, "dynamic_n0");
	assert_non_null(data->dynamic_workflow->compiled_workflow);
}

static Flyteidl__Core__TaskExecutionIdentifier *attempt(uint32_t number)
{
	Flyteidl__Core__TaskExecutionIdentifier *id = proto_new(&arena, flyteidl__core__task_execution_identifier);
	id->task_id = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__TASK, "t");
	id->node_execution_id = node("run", "n0");
	id->retry_attempt = number;
	return id;
}

static void assert_element(const Flyteidl__Event__ExternalResourceInfo *info, uint32_t index, uint32_t number,
                           const char *id, Flyteidl__Core__TaskExecution__Phase phase)
{
	assert_int_equal(info->index, index);
	assert_int_equal(info->retry_attempt, number);
	assert_string_equal(info->external_id, id);
	assert_int_equal(info->phase, phase);
}

/* One attempt of a task for all elements, as flytekit and the console read it. */
static void test_elements_of_map_tasks(void **state)
{
	(void)state;
	run_with_nodes();
	RUN("update task_executions set array_size = 4, task_type = 'container_array' where retry_attempt = 0");
	RUN("insert into array_elements (task_execution_id, element, attempt, task_phase, pod_name, cache_status) "
	    "select t.id, x.* from task_executions t, (values (0, 0, 'SUCCEEDED', 'run-n0-0-n0-0', 0), (2, 1, "
	    "'RUNNING', "
	    "'run-n0-0-n2-1', 0), (2, 0, 'FAILED', 'run-n0-0-n2-0', 1), (3, 0, 'UNDEFINED', '', 2)) as x "
	    "where retry_attempt = 0");
	Flyteidl__Core__TaskLog *log = proto_new(&arena, flyteidl__core__task_log);
	log->uri = arena_strdup(&arena, "http://logs/run-n0-0-n2-1");
	Flyteidl__Admin__TaskExecutionClosure *logs = proto_new(&arena, flyteidl__admin__task_execution_closure);
	proto_append(&arena, logs->n_logs, logs->logs, log);
	QUERY("update array_elements set logs = $1 where element = 2 and attempt = 1",
	      DB_BYTES(proto_pack(&arena, &logs->base)));
	Flyteidl__Admin__TaskExecutionGetRequest *r = proto_new(&arena, flyteidl__admin__task_execution_get_request);
	r->id = attempt(0);
	const Flyteidl__Admin__TaskExecution *task = succeed("GetTaskExecution", r);
	const Flyteidl__Event__TaskExecutionMetadata *metadata = task->closure->metadata;
	assert_int_equal(metadata->n_external_resources, 5);
	assert_int_equal(metadata->external_resources[2]->n_logs, 0);
	assert_int_equal(metadata->external_resources[3]->n_logs, 1);
	assert_string_equal(metadata->external_resources[3]->logs[0]->uri, log->uri);
	Flyteidl__Event__ExternalResourceInfo **infos = metadata->external_resources;
	assert_element(infos[0], 0, 0, "run-n0-0-n0-0", FLYTEIDL__CORE__TASK_EXECUTION__PHASE__SUCCEEDED);
	assert_element(infos[1], 1, 0, "run-n0-0-n1-0", FLYTEIDL__CORE__TASK_EXECUTION__PHASE__UNDEFINED);
	assert_element(infos[2], 2, 0, "run-n0-0-n2-0", FLYTEIDL__CORE__TASK_EXECUTION__PHASE__FAILED);
	assert_int_equal(infos[2]->cache_status, FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_MISS);
	assert_element(infos[3], 2, 1, "run-n0-0-n2-1", FLYTEIDL__CORE__TASK_EXECUTION__PHASE__RUNNING);
	assert_element(infos[4], 3, 0, "run-n0-0-n3-0", FLYTEIDL__CORE__TASK_EXECUTION__PHASE__UNDEFINED);
	assert_int_equal(infos[4]->cache_status, FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_HIT);

	Flyteidl__Admin__TaskExecutionListRequest *list_r =
	        proto_new(&arena, flyteidl__admin__task_execution_list_request);
	list_r->node_execution_id = node("run", "n0");
	list_r->limit = 100;
	const Flyteidl__Admin__TaskExecutionList *list = succeed("ListTaskExecutions", list_r);
	assert_int_equal(list->task_executions[0]->closure->metadata->n_external_resources, 5);
	assert_null(list->task_executions[1]->closure->metadata); /* no array */
}

static void test_task_executions(void **state)
{
	(void)state;
	run_with_nodes();
	Flyteidl__Admin__TaskExecutionListRequest *list_r =
	        proto_new(&arena, flyteidl__admin__task_execution_list_request);
	list_r->node_execution_id = node("run", "n0");
	refuse("ListTaskExecutions", list_r, ERR_INVALID, "invalid value for limit");
	list_r->limit = 100;
	Flyteidl__Admin__TaskExecutionList *list = succeed("ListTaskExecutions", list_r);
	assert_int_equal(list->n_task_executions, 2);
	assert_int_equal(list->task_executions[1]->id->retry_attempt, 1);
	assert_int_equal(list->task_executions[1]->id->task_id->resource_type, FLYTEIDL__CORE__RESOURCE_TYPE__TASK);
	assert_true(list->task_executions[1]->is_parent);
	list_r->node_execution_id = node("run", "end-node");
	list = succeed("ListTaskExecutions", list_r);
	assert_int_equal(list->n_task_executions, 0);

	Flyteidl__Admin__TaskExecutionGetRequest *r = proto_new(&arena, flyteidl__admin__task_execution_get_request);
	r->id = attempt(1);
	Flyteidl__Admin__TaskExecution *task = succeed("GetTaskExecution", r);
	assert_int_equal(task->closure->phase, FLYTEIDL__CORE__TASK_EXECUTION__PHASE__SUCCEEDED);
	r->id->task_id->resource_type = FLYTEIDL__CORE__RESOURCE_TYPE__UNSPECIFIED; /* as from a REST path */
	task = succeed("GetTaskExecution", r);
	assert_int_equal(task->id->task_id->resource_type, FLYTEIDL__CORE__RESOURCE_TYPE__TASK);
	r->id->task_id->resource_type = FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW;
	refuse("GetTaskExecution", r, ERR_INVALID, "unexpected resource type workflow");
	r->id = attempt(2);
	refuse("GetTaskExecution", r, ERR_NOT_FOUND, "missing entity of type task execution");
	r->id = attempt(1);
	r->id->task_id->version = arena_strdup(&arena, "v2");
	refuse("GetTaskExecution", r, ERR_NOT_FOUND, "version:\"v2\"");
	r->id->task_id = NULL;
	refuse("GetTaskExecution", r, ERR_INVALID, "missing task_id");
	r->id->node_execution_id = NULL;
	refuse("GetTaskExecution", r, ERR_INVALID, "missing node_execution_id");

	struct proto_bytes outputs = proto_pack(&arena, &literals("o0", integer(3))->base);
	struct proto_bytes inputs = proto_pack(&arena, &literals("x", integer(2))->base);
	QUERY("update node_executions set inputs = $1, inputs_uri = 's3://my-s3-bucket/i'", DB_BYTES(inputs));
	QUERY("update task_executions set outputs = $1, outputs_uri = 's3://my-s3-bucket/o' where retry_attempt = 1",
	      DB_BYTES(outputs));
	Flyteidl__Admin__TaskExecutionGetDataRequest *data_r =
	        proto_new(&arena, flyteidl__admin__task_execution_get_data_request);
	data_r->id = attempt(1);
	Flyteidl__Admin__TaskExecutionGetDataResponse *data = succeed("GetTaskExecutionData", data_r);
	assert_int_equal(literal_of(data->full_outputs, "o0")->scalar->primitive->integer, 3);
	assert_int_equal(literal_of(data->full_inputs, "x")->scalar->primitive->integer, 2);
	assert_string_equal(data->flyte_urls->outputs, "flyte://v1/" PROJECT "/" DOMAIN "/run/n0/1/o");

	Flyteidl__Admin__NodeExecutionForTaskListRequest *children_r =
	        proto_new(&arena, flyteidl__admin__node_execution_for_task_list_request);
	children_r->task_execution_id = attempt(1);
	children_r->limit = 10;
	Flyteidl__Admin__NodeExecutionList *children = succeed("ListNodeExecutionsForTask", children_r);
	assert_int_equal(children->n_node_executions, 1);
	assert_string_equal(children->node_executions[0]->id->node_id, "n0-1-c");
}

static void test_children_of_a_node(void **state)
{
	(void)state;
	run_with_nodes();
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("child");
	r->spec->metadata->parent_node_execution = node("run", "n0");
	succeed("CreateExecution", r);
	assert_int_equal(get("child")->spec->metadata->nesting, 1);
	struct database_rows rows = RUN("select e.source_execution_id = run.id, ne.node_id from executions e "
	                                "join node_executions ne on ne.id = e.parent_node_execution_id, executions run "
	                                "where e.name = 'child' and run.name = 'run'");
	assert_true(database_bool(&rows, 0, 0));
	assert_string_equal(database_text(&rows, 0, 1), "n0");
	r->name = arena_strdup(&arena, "orphan");
	r->spec->metadata->parent_node_execution = node("run", "n9");
	refuse("CreateExecution", r, ERR_NOT_FOUND, "missing entity of type node execution");
}

static void describe_span(const Flyteidl__Core__Span *span, int64_t origin_ms, struct buf *out)
{
	const char *name = span->id_case == FLYTEIDL__CORE__SPAN__ID_OPERATION_ID ? span->operation_id
	                   : span->id_case == FLYTEIDL__CORE__SPAN__ID_NODE_ID    ? span->node_id->node_id
	                   : span->id_case == FLYTEIDL__CORE__SPAN__ID_TASK_ID    ? span->task_id->task_id->name
	                                                                          : span->workflow_id->name;
	int64_t from = span->start_time->seconds * 1000 + span->start_time->nanos / 1000000 - origin_ms;
	int64_t to = span->end_time->seconds * 1000 + span->end_time->nanos / 1000000 - origin_ms;
	buf_add_format(out, "%s %lld-%lld", name, (long long)from, (long long)to);
	if (span->n_spans == 0)
		return;
	buf_add_str(out, " (");
	for (size_t i = 0; i < span->n_spans; i++) {
		buf_add_str(out, i ? ", " : "");
		describe_span(span->spans[i], origin_ms, out);
	}
	buf_add_str(out, ")");
}

static void expect_spans(int32_t depth, const char *text)
{
	Flyteidl__Admin__WorkflowExecutionGetMetricsRequest *r =
	        proto_new(&arena, flyteidl__admin__workflow_execution_get_metrics_request);
	r->id = execution("run");
	r->depth = depth;
	Flyteidl__Admin__WorkflowExecutionGetMetricsResponse *response = succeed("GetExecutionMetrics", r);
	auto_buf struct buf found = BUF_INIT(16384);
	describe_span(response->span,
	              response->span->start_time->seconds * 1000 + response->span->start_time->nanos / 1000000, &found);
	assert_string_equal(buf_text(&found), text);
}

static void test_metrics(void **state)
{
	(void)state;
	run_with_nodes();
	RUN("delete from node_executions where parent_id is not null");
	RUN("update executions set created_at = date_trunc('second', created_at), execution_created_at = "
	    "date_trunc('second', created_at)");
	RUN("update executions set phase = 'SUCCEEDED', updated_at = created_at + interval '30 s'");
	RUN("update node_executions set created_at = date_trunc('second', created_at), updated_at = "
	    "date_trunc('second', updated_at)");
	RUN("update task_executions set created_at = t, started_at = t + interval '0.2 s', updated_at = t + interval "
	    "'0.8 s' "
	    "from (select id, created_at + (retry_attempt + 1) * interval '1 s' as t from (select te.id, "
	    "te.retry_attempt, ne.created_at "
	    "from task_executions te join node_executions ne on ne.id = te.node_execution_id) as x) as y where y.id = "
	    "task_executions.id");
	expect_spans(0, "run 0-30000");
	expect_spans(1, "run 0-30000 (WORKFLOW_SETUP 0-10000, n0 10000-15000 (NODE_TRANSITION 5000-10000), "
	                "WORKFLOW_TEARDOWN 15000-30000)");
	expect_spans(-1, "run 0-30000 (WORKFLOW_SETUP 0-10000, n0 10000-15000 (NODE_TRANSITION 5000-10000, NODE_SETUP "
	                 "10000-11000, "
	                 "t 11000-11800 (TASK_SETUP 11000-11200, TASK_RUNTIME 11200-11700, TASK_TEARDOWN 11700-11800), "
	                 "NODE_RESET 11800-12000, "
	                 "t 12000-12800 (TASK_SETUP 12000-12200, TASK_RUNTIME 12200-12700, TASK_TEARDOWN 12700-12800), "
	                 "NODE_TEARDOWN 12800-15000), WORKFLOW_TEARDOWN 15000-30000)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_list_node_executions),
		TEST(test_node_execution_data),
		TEST(test_dynamic_workflow),
		TEST(test_elements_of_map_tasks),
		TEST(test_task_executions),
		TEST(test_children_of_a_node),
		TEST(test_metrics),
	};
	return cmocka_run_group_tests(tests, executions_start, executions_stop);
}
