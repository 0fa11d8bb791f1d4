/* Rounds of map tasks: rows of elements, and pods of many. */
#include "round_fixture.h"

#include "base/clock.h"

static struct fixture *map_of(size_t size, uint32_t retries, uint32_t parallelism, const char *cache_version)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct workflow_builder b = workflow_builder(&arena);
	Flyteidl__Core__ArrayNode *array = workflow_add_array(&b, retries)->array_node;
	array->parallelism_option_case = FLYTEIDL__CORE__ARRAY_NODE__PARALLELISM_OPTION_PARALLELISM;
	array->parallelism = parallelism;
	workflow_task(&b, 0)->metadata->discoverable = *cache_version != '\0';
	workflow_task(&b, 0)->metadata->discovery_version = arena_strdup(&arena, cache_version);
	int64_t values[300];
	assert_true(size <= ARRAY_LENGTH(values));
	for (size_t i = 0; i < size; i++)
		values[i] = (int64_t)i;
	return fixture_new_with(workflow_finish(&b), workflow_list(&arena, "x", values, size));
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

/* As clients are shown them. */
static struct array_element_rows elements_of(struct fixture *f)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = borrow(f);
	struct array_element_rows elements;
	int64_t task;
	assert_true(text_to_int64(query_text(f, "select id::text from task_executions where execution_id = $1"), 1,
	                          INT64_MAX, &task));
	must(array_elements_list(c, &f->arena, task, &elements, &e), &e);
	return elements;
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
	const struct array_element_rows elements = elements_of(f);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_map_task),
		cmocka_unit_test(test_links_to_the_logs_of_elements),
		cmocka_unit_test(test_elements_are_cached),
		cmocka_unit_test(test_the_end_of_a_pod_is_heard_once),
		cmocka_unit_test(test_elements_are_tried_again),
		cmocka_unit_test(test_a_large_map_begins_in_rounds),
		cmocka_unit_test(test_an_aborted_map_ends_its_pods),
	};
	return cmocka_run_group_tests(tests, fixtures_begin, fixtures_end);
}
