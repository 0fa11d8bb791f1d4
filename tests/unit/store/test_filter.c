/* The filter grammar and what store/list makes of it, as tables: text in, SQL and values or the error's text out. No
 * database. */
#include "base/text.h"
#include "controlplane/store/filter.h"
#include "controlplane/store/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <string.h>

#define ARENA ARENA_INIT((size_t)64 * 1024 * 1024)

/* SQL behind the columns, then " | " and each value. */
static char *render(struct list_query *query)
{
	char *text = list_sql(query, "*") + strlen("select * from ");
	for (size_t i = 0; i < query->value_count; i++) {
		const struct database_value *value = &query->values[i];
		char *shown = value->type == DATABASE_TEXT ? arena_strdup(query->arena, value->text)
		                                           : arena_printf(query->arena, "%" PRId64, value->integer);
		text = arena_printf(query->arena, "%s | %s", text, shown);
	}
	return text;
}

#define EXECUTIONS "executions e left join workflows w on w.id = e.workflow_id"

static void assert_list(enum list_entity entity, const char *filters, const char *expected)
{
	auto_arena struct arena arena = ARENA;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	auto_err struct err e = ERR_INIT;
	struct list_request request = {
		.entity = entity, .rpc = "ListThings", .limit = 10, .token = "", .filters = filters
	};
	if (list_init(&query, &arena, &request, &e) < 0) {
		assert_int_equal(e.kind, ERR_INVALID);
		assert_string_equal(err_message(&e), expected);
		return;
	}
	assert_string_equal(render(&query), expected);
}

static void test_terms(void **state)
{
	(void)state;
	assert_list(LIST_TASK, "", "tasks t order by t.id limit 10");
	assert_list(LIST_TASK, "eq(name, a)", "tasks t where t.name = $1 order by t.id limit 10 | a");
	assert_list(LIST_TASK, "eq(name,a)", "tasks t where t.name = $1 order by t.id limit 10 | a");
	assert_list(LIST_TASK, "ne(version,v1)+contains(name, x)",
	            "tasks t where t.version <> $1 and t.name like $2 escape '' order by t.id limit 10 | v1 | %x%");
	assert_list(LIST_NAMED_ENTITY, "not_like(name,.flytegen%)",
	            "named_entities nen where nen.name not like $1 escape '' order by nen.id limit 10 | .flytegen%");
	assert_list(LIST_EXECUTION, "value_in(phase,RUNNING;QUEUED;UNDEFINED)",
	            EXECUTIONS " where e.phase in ($1, $2, $3) order by e.id limit 10 | RUNNING | QUEUED | UNDEFINED");
	assert_list(LIST_EXECUTION, "value_not_in(phase, RUNNING)",
	            EXECUTIONS " where e.phase not in ($1) order by e.id limit 10 | RUNNING");
	assert_list(LIST_EXECUTION, "eq(state,0)", EXECUTIONS " where e.state = $1 order by e.id limit 10 | 0");
	assert_list(LIST_EXECUTION, "contains(mode, 1)",
	            EXECUTIONS " where e.mode::text like $1 escape '' order by e.id limit 10 | %1%");
	/* quoting is nobody's business: the value is a parameter */
	assert_list(LIST_TASK, "eq(name,a') or 1=1 --)",
	            "tasks t where t.name = $1 order by t.id limit 10 | a') or 1=1 --");
}

static void test_times_and_durations(void **state)
{
	(void)state;
	assert_list(LIST_EXECUTION, "gt(created_at,1970-01-01T00:00:01Z)",
	            EXECUTIONS " where e.created_at > $1 order by e.id limit 10 | 1000000000");
	/* the '+' of an offset does not end the term */
	assert_list(LIST_EXECUTION, "gte(created_at, 1970-01-01T01:00:01+01:00)+lt(started_at,1970-01-01T00:00:02.5Z)",
	            EXECUTIONS " where e.created_at >= $1 and e.started_at < $2 order by e.id limit 10 | 1000000000 | "
	                       "2500000000");
	assert_list(LIST_EXECUTION, "gt(created_at,1970-01-02)",
	            EXECUTIONS " where e.created_at > $1 order by e.id limit 10 | 86400000000000");
	assert_list(LIST_EXECUTION, "gt(created_at,yesterday)",
	            "Timestamp yesterday must conform to RFC3339 Nano spec");
	assert_list(LIST_EXECUTION, "lte(duration, 1.5)",
	            EXECUTIONS " where e.duration <= $1 * interval '1 microsecond' order by e.id limit 10 | 1500000");
	assert_list(LIST_EXECUTION, "lte(duration, 1h2m3s4ms)",
	            EXECUTIONS
	            " where e.duration <= $1 * interval '1 microsecond' order by e.id limit 10 | 3723004000");
	assert_list(LIST_EXECUTION, "lte(duration, long)", "Failed to parse duration [long]");
}

static void test_joins(void **state)
{
	(void)state;
	assert_list(
	        LIST_EXECUTION, "eq(workflow.name,w)+eq(launch_plan.version, v)",
	        EXECUTIONS
	        " left join launch_plans l on l.id = e.launch_plan_id where e.workflow_name = $1 and l.version = $2 "
	        "order by e.id limit 10 | w | v");
	assert_list(LIST_EXECUTION, "eq(execution_name, n)+eq(execution.name, n)",
	            EXECUTIONS " where e.name = $1 and e.name = $2 order by e.id limit 10 | n | n");
	/* one tag has to satisfy both */
	assert_list(LIST_EXECUTION,
	            "value_in(execution_tag.key,eager-exec)+value_in(execution_tag.value,x)+value_in(phase,UNDEFINED;"
	            "QUEUED)",
	            EXECUTIONS
	            " where e.phase in ($3, $4) and exists (select 1 from execution_tags et where "
	            "et.execution_id = e.id"
	            " and et.key in ($1) and et.value in ($2)) order by e.id limit 10 | eager-exec | x | UNDEFINED | "
	            "QUEUED");
	assert_list(LIST_EXECUTION, "eq(admin_tag.name, x)",
	            EXECUTIONS " where exists (select 1 from execution_tags et where et.execution_id = e.id and "
	                       "et.key = $1)"
	                       " order by e.id limit 10 | x");
	assert_list(LIST_TASK_EXECUTION, "eq(task.name,t)+eq(node_execution.node_id,n0)",
	            "task_executions te join node_executions ne on ne.id = te.node_execution_id join executions e on "
	            "e.id = te.execution_id"
	            " left join tasks t on (t.project, t.domain, t.name, t.version) = (te.project, te.domain, te.name, "
	            "te.version)"
	            " where t.name = $1 and ne.node_id = $2 order by te.id limit 10 | t | n0");
	assert_list(
	        LIST_LAUNCH_PLAN, "eq(workflow.name,w)",
	        "launch_plans l join workflows w on w.id = l.workflow_id where w.name = $1 order by l.id limit 10 | w");
}

static void test_refusals(void **state)
{
	(void)state;
	assert_list(LIST_TASK, "eq(workflow.name,w)", "'w' entity is not allowed in filters");
	assert_list(LIST_NODE_EXECUTION, "eq(task.name,w)", "'t' entity is not allowed in filters");
	assert_list(LIST_TASK, "eq(closure,w)", "'t.closure' is invalid filter");
	assert_list(LIST_TASK, "eq(name;drop table tasks,w)", "'t.name;drop table tasks' is invalid filter");
	assert_list(LIST_TASK, "like(name,w)", "unrecognized filter function: like");
	assert_list(LIST_TASK, "eq(name,a;b)", "invalid single value filter expression: equal");
	assert_list(LIST_EXECUTION, "eq(state,ACTIVE)", "invalid value for state: 'ACTIVE' is not a number");
	static const char *const malformed[] = {
		"eq",          "eq(",      "eq()",          "eq(name)",    "eq(name,)",
		"eq(name, )",  "(name,a)", "eq(name,a",     "eq(name,a)+", "eq(name,a)x",
		"+eq(name,a)", "eq(,a)",   "eq(name,a)+eq", "name=a",      "eq(name,a) eq(name,b)"
	};
	for (size_t i = 0; i < ARRAY_LENGTH(malformed); i++)
		assert_list(LIST_TASK, malformed[i],
		            strcmp(malformed[i], "eq(name,a) eq(name,b)") == 0
		                    ? "tasks t where t.name = $1 order by t.id limit 10 | a) eq(name,b"
		                    : "invalid value for filters");
}

static void test_limits(void **state)
{
	(void)state;
	auto_buf struct buf text = BUF_INIT(1024 * 1024);
	for (size_t i = 0; i <= FILTER_TERM_MAXIMUM; i++)
		buf_add_format(&text, "%seq(name,a)", i ? "+" : "");
	assert_list(LIST_TASK, buf_text(&text), "more than 64 filters");
	buf_clear(&text);
	buf_add_str(&text, "value_in(name,a");
	for (size_t i = 0; i < FILTER_VALUE_MAXIMUM; i++)
		buf_add_str(&text, ";b");
	buf_add_str(&text, ")");
	assert_list(LIST_TASK, buf_text(&text), "more than 1024 values in one filter");
	buf_clear(&text);
	buf_add_str(&text, "eq(name,");
	for (size_t i = 0; i <= FILTER_TEXT_MAXIMUM; i++)
		buf_add_byte(&text, 'a');
	buf_add_str(&text, ")");
	assert_list(LIST_TASK, buf_text(&text), "filters are longer than 65536 bytes");
}

static void assert_page(const struct list_request *request, const char *expected)
{
	auto_arena struct arena arena = ARENA;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	auto_err struct err e = ERR_INIT;
	if (list_init(&query, &arena, request, &e) < 0)
		assert_string_equal(err_message(&e), expected);
	else
		assert_string_equal(list_sql(&query, "*"), expected);
}

static void test_pages(void **state)
{
	(void)state;
	struct list_request request = { .entity = LIST_TASK, .rpc = "ListTasks", .token = "", .filters = "" };
	assert_page(&request, "invalid value for limit");
	request.limit = 5;
	request.token = "15";
	assert_page(&request, "select * from tasks t order by t.id limit 5 offset 15");
	static const char *const bad[] = { "-1", "x", "1x", "99999999999", " 1" };
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		auto_free char *expected = xasprintf("invalid pagination token %s for ListTasks", bad[i]);
		request.token = bad[i];
		assert_page(&request, expected);
	}
	request.token = "";
	request.limit = UINT32_MAX;
	assert_page(&request, "select * from tasks t order by t.id limit 10000");
	request.limit = 5;
	Flyteidl__Admin__Sort sort;
	flyteidl__admin__sort__init(&sort);
	request.sort_by = &sort;
	assert_page(&request, "select * from tasks t order by t.id limit 5");
	sort.key = (char[]){ "created_at" };
	assert_page(&request, "select * from tasks t order by t.created_at desc, t.id desc limit 5");
	sort.direction = FLYTEIDL__ADMIN__SORT__DIRECTION__ASCENDING;
	assert_page(&request, "select * from tasks t order by t.created_at, t.id limit 5");
	sort.key = (char[]){ "digest" };
	assert_page(&request, "invalid sort key 'digest'");
	sort.key = (char[]){ "created_at; drop table tasks" };
	assert_page(&request, "invalid sort key 'created_at; drop table tasks'");
	request = (struct list_request){ .entity = LIST_PROJECT,
		                         .limit_optional = true,
		                         .default_order = "p.identifier" };
	assert_page(&request, "select * from projects p order by p.identifier, p.id");
}

/* What is skipped is skipped by its ids; the columns, and what only they need, are for the page. */
static void test_later_pages_of_executions(void **state)
{
	(void)state;
	struct list_request request = { .entity = LIST_EXECUTION, .limit = 5, .token = "15", .filters = "", .default_order = "e.created_at" };
	assert_page(&request, "select * from (select e.id from executions e order by e.created_at, e.id limit 5 offset 15) page "
	                      "join executions e on e.id = page.id left join workflows w on w.id = e.workflow_id "
	                      "order by e.created_at, e.id");
	request.filters = "eq(workflow.version,v1)";
	assert_page(&request, "select * from (select e.id from " EXECUTIONS " where w.version = $1 "
	                      "order by e.created_at, e.id limit 5 offset 15) page "
	                      "join executions e on e.id = page.id left join workflows w on w.id = e.workflow_id "
	                      "order by e.created_at, e.id");
	request.token = "0";
	assert_page(&request, "select * from " EXECUTIONS " where w.version = $1 order by e.created_at, e.id limit 5");
}

static void test_within(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	struct list_request request = { .entity = LIST_TASK_EXECUTION, .limit = 3, .filters = "" };
	assert_int_equal(list_init(&query, &arena, &request, NULL), 0);
	list_within(&query, "p", "d", "x");
	assert_non_null(strstr(render(&query), "where (e.project = $1) and (e.domain = $2) and (e.name = $3) order by te.id limit 3 | p | d | x"));
	list_release(&query);
	request.entity = LIST_TASK;
	assert_int_equal(list_init(&query, &arena, &request, NULL), 0);
	list_within(&query, "p", "d", "");
	assert_string_equal(render(&query), "tasks t where (t.project = $1) and (t.domain = $2) order by t.id limit 3 | p | d");
}

static void test_own_conditions(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA;
	auto_list_query struct list_query query = LIST_QUERY_INIT;
	struct list_request request = { .entity = LIST_EXECUTION, .limit = 3, .filters = "eq(phase,RUNNING)" };
	assert_int_equal(list_init(&query, &arena, &request, NULL), 0);
	list_where(&query, "e.project = ?", DB_TEXT("p"));
	list_where(&query, "e.parent_node_execution_id is null", DB_NULL);
	assert_string_equal(render(&query),
	                    EXECUTIONS " where e.phase = $1 and (e.project = $2) and "
	                               "(e.parent_node_execution_id is null) order by e.id limit 3 | RUNNING | p");
	assert_true(list_filters_on(&request, "phase"));
	assert_false(list_filters_on(&request, "state"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_terms),          cmocka_unit_test(test_times_and_durations),
		cmocka_unit_test(test_joins),          cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits),         cmocka_unit_test(test_pages),
		cmocka_unit_test(test_own_conditions),
		cmocka_unit_test(test_later_pages_of_executions),
		cmocka_unit_test(test_within),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
