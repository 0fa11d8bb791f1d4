/* Executions that are there: read, listed, archived, ended, and their inputs and outputs. */
#include "executions_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/api/literals.h"

#include "flyteidl/admin/event.pb-c.h"

#include <string.h>

static void test_get_refused(void **state)
{
	(void)state;
	Flyteidl__Admin__WorkflowExecutionGetRequest *r =
	        proto_new(&arena, flyteidl__admin__workflow_execution_get_request);
	refuse("GetExecution", r, ERR_INVALID, "missing id");
	r->id = execution("");
	refuse("GetExecution", r, ERR_INVALID, "missing name");
	r->id = execution("gone");
	refuse("GetExecution", r, ERR_NOT_FOUND, "missing entity of type execution");
}

static Flyteidl__Admin__ResourceListRequest *list_request(uint32_t limit, const char *token, const char *filters)
{
	Flyteidl__Admin__ResourceListRequest *r = proto_new(&arena, flyteidl__admin__resource_list_request);
	r->id = proto_new(&arena, flyteidl__admin__named_entity_identifier);
	r->id->project = arena_strdup(&arena, PROJECT);
	r->id->domain = arena_strdup(&arena, DOMAIN);
	r->limit = limit;
	r->token = arena_strdup(&arena, token);
	r->filters = arena_strdup(&arena, filters);
	return r;
}

static void sort_by(Flyteidl__Admin__ResourceListRequest *r, const char *key,
                    Flyteidl__Admin__Sort__Direction direction)
{
	r->sort_by = proto_new(&arena, flyteidl__admin__sort);
	r->sort_by->key = arena_strdup(&arena, key);
	r->sort_by->direction = direction;
}

static void expect_names(const Flyteidl__Admin__ResourceListRequest *r, const char *names, const char *token)
{
	Flyteidl__Admin__ExecutionList *list = succeed("ListExecutions", r);
	auto_buf struct buf found = BUF_INIT(4096);
	for (size_t i = 0; i < list->n_executions; i++)
		buf_add_format(&found, "%s%s", i ? " " : "", list->executions[i]->id->name);
	assert_string_equal(buf_text(&found), names);
	assert_string_equal(list->token, token);
}

static void test_list(void **state)
{
	(void)state;
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		create(names[i]);
	RUN("update executions set phase = 'RUNNING' where name in ('b', 'd')");
	expect_names(list_request(100, "", ""), "a b c d e", "");
	expect_names(list_request(2, "", ""), "a b", "2");
	expect_names(list_request(2, "2", ""), "c d", "4");
	expect_names(list_request(2, "4", ""), "e", "");
	expect_names(list_request(100, "", "value_in(phase, RUNNING)"), "b d", "");
	expect_names(list_request(100, "", "eq(launch_plan.name,wf)+ne(phase,RUNNING)"), "a c e", "");
	Flyteidl__Admin__ResourceListRequest *r = list_request(100, "", "");
	sort_by(r, "name", FLYTEIDL__ADMIN__SORT__DIRECTION__DESCENDING);
	expect_names(r, "e d c b a", "");
	sort_by(r, "created_at", FLYTEIDL__ADMIN__SORT__DIRECTION__ASCENDING);
	expect_names(r, "a b c d e", "");
	r->id->name = arena_strdup(&arena, "c");
	expect_names(r, "c", "");

	refuse("ListExecutions", list_request(0, "", ""), ERR_INVALID, "invalid value for limit");
	refuse("ListExecutions", list_request(1, "x", ""), ERR_INVALID,
	       "invalid pagination token x for ListExecutions");
	refuse("ListExecutions", list_request(1, "", "nonsense"), ERR_INVALID, "");
	r = list_request(1, "", "");
	sort_by(r, "spec", FLYTEIDL__ADMIN__SORT__DIRECTION__ASCENDING);
	refuse("ListExecutions", r, ERR_INVALID, "invalid sort key 'spec'");
	r = list_request(1, "", "");
	r->id->project = arena_strdup(&arena, "");
	refuse("ListExecutions", r, ERR_INVALID, "missing project");
	r->id = NULL;
	refuse("ListExecutions", r, ERR_INVALID, "missing id");
}

static void test_archived_executions_hide(void **state)
{
	(void)state;
	create("kept");
	create("archived");
	Flyteidl__Admin__ExecutionUpdateRequest *r = proto_new(&arena, flyteidl__admin__execution_update_request);
	r->id = execution("archived");
	r->state = FLYTEIDL__ADMIN__EXECUTION_STATE__EXECUTION_ARCHIVED;
	succeed("UpdateExecution", r);
	expect_names(list_request(100, "", ""), "kept", "");
	expect_names(list_request(100, "", "eq(state,1)"), "archived", "");
	assert_int_equal(get("archived")->closure->state_change_details->state,
	                 FLYTEIDL__ADMIN__EXECUTION_STATE__EXECUTION_ARCHIVED);
	r->state = FLYTEIDL__ADMIN__EXECUTION_STATE__EXECUTION_ACTIVE;
	succeed("UpdateExecution", r);
	expect_names(list_request(100, "", ""), "kept archived", "");
	r->state = 99;
	refuse("UpdateExecution", r, ERR_INVALID, "invalid value for state");
	r->state = FLYTEIDL__ADMIN__EXECUTION_STATE__EXECUTION_ACTIVE;
	r->id = execution("gone");
	refuse("UpdateExecution", r, ERR_NOT_FOUND, "missing entity of type execution");
}

static void test_tags(void **state)
{
	(void)state;
	create("other");
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("child");
	proto_append(&arena, r->spec->n_tags, r->spec->tags, arena_strdup(&arena, "nightly"));
	proto_append(&arena, r->spec->n_tags, r->spec->tags, arena_strdup(&arena, "nightly"));
	r->spec->labels = proto_new(&arena, flyteidl__admin__labels);
	Flyteidl__Admin__Labels__ValuesEntry *entry =
	        (void *)proto_new_of(&arena, &flyteidl__admin__labels__values_entry__descriptor);
	entry->key = arena_strdup(&arena, "eager-exec");
	entry->value = arena_strdup(&arena, "parent");
	proto_append(&arena, r->spec->labels->n_values, r->spec->labels->values, entry);
	succeed("CreateExecution", r);
	/* The filter by which flytekit finds the children of an eager workflow. */
	expect_names(list_request(100, "",
	                          "value_in(execution_tag.key,eager-exec)+value_in(execution_tag.value,parent)"
	                          "+value_in(phase,UNDEFINED;QUEUED;RUNNING)"),
	             "child", "");
	expect_names(
	        list_request(100, "", "value_in(execution_tag.key,eager-exec)+value_in(execution_tag.value,someone)"),
	        "", "");
	expect_names(list_request(100, "", "eq(execution_tag.key,nightly)"), "child", "");
}

static void test_errors_in_lists_are_short(void **state)
{
	(void)state;
	create("failed");
	Flyteidl__Core__ExecutionError *error = proto_new(&arena, flyteidl__core__execution_error);
	error->message = arena_alloc(&arena, 5001);
	memset(error->message, 'x', 5000);
	QUERY("update executions set phase = 'FAILED', error = $1, started_at = now(), duration = interval '1.5 s'",
	      DB_BYTES(proto_pack(&arena, &error->base)));
	Flyteidl__Admin__ExecutionList *list = succeed("ListExecutions", list_request(1, "", ""));
	assert_int_equal(strlen(list->executions[0]->closure->error->message), 100);
	Flyteidl__Admin__Execution *e = get("failed");
	assert_int_equal(strlen(e->closure->error->message), 5000);
	assert_int_equal(e->closure->duration->seconds, 1);
	assert_int_equal(e->closure->duration->nanos, 500000000);
}

static void test_terminate(void **state)
{
	(void)state;
	create("doomed");
	heard(5000);
	Flyteidl__Admin__ExecutionTerminateRequest *r = proto_new(&arena, flyteidl__admin__execution_terminate_request);
	r->id = execution("doomed");
	r->cause = arena_strdup(&arena, "enough");
	succeed("TerminateExecution", r);
	assert_string_equal(heard(5000), arena_printf(&arena, "%lld", (long long)execution_id("doomed")));
	Flyteidl__Admin__Execution *e = get("doomed");
	assert_int_equal(e->closure->phase, PHASE(ABORTING));
	assert_int_equal(e->closure->output_result_case,
	                 FLYTEIDL__ADMIN__EXECUTION_CLOSURE__OUTPUT_RESULT_ABORT_METADATA);
	assert_string_equal(e->closure->abort_metadata->cause, "enough");
	succeed("TerminateExecution", r); /* a client that did not hear the answer asks again */

	static const char *const terminal[] = { "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT" };
	for (size_t i = 0; i < ARRAY_LENGTH(terminal); i++) {
		QUERY("update executions set phase = $1", DB_TEXT(terminal[i]));
		forget_what_was_heard();
		refuse("TerminateExecution", r, ERR_PRECONDITION,
		       "Cannot abort an already terminated workflow execution");
		const Flyteidl__Admin__EventFailureReason *detail =
		        (const Flyteidl__Admin__EventFailureReason *)call.error_detail;
		assert_ptr_equal(detail->base.descriptor, &flyteidl__admin__event_failure_reason__descriptor);
		assert_string_equal(detail->already_in_terminal_state->current_phase, terminal[i]);
		struct database_rows rows = RUN("select phase from executions");
		assert_string_equal(database_text(&rows, 0, 0), terminal[i]);
		assert_nothing_heard();
	}
	r->id = execution("gone");
	refuse("TerminateExecution", r, ERR_NOT_FOUND, "missing entity of type execution");
	r->id = NULL;
	refuse("TerminateExecution", r, ERR_INVALID, "missing id");
}

static void test_small_data_is_inline(void **state)
{
	(void)state;
	create("small");
	struct proto_bytes outputs = proto_pack(&arena, &literals("o0", integer(42))->base);
	QUERY("update executions set outputs = $1, outputs_uri = 's3://my-s3-bucket/o'", DB_BYTES(outputs));
	unsigned requests = fake_objects_requests(store);
	Flyteidl__Admin__WorkflowExecutionGetDataResponse *data = get_data("small");
	assert_int_equal(fake_objects_requests(store), requests); /* all of it came from the row */
	assert_int_equal(data->full_inputs->n_literals, 3);
	assert_int_equal(literal_of(data->full_outputs, "o0")->scalar->primitive->integer, 42);
	assert_int_equal(data->outputs->bytes, outputs.length);
	assert_true(text_starts_with(data->outputs->url, "http://localhost:30002/my-s3-bucket/o?"));
	assert_non_null(strstr(data->outputs->url, "X-Amz-Signature="));
}

static void test_large_data_is_by_url(void **state)
{
	(void)state;
	char *text = arena_alloc(&arena, LITERALS_ANSWER_MAXIMUM + 1);
	memset(text, 'x', LITERALS_ANSWER_MAXIMUM);
	struct proto_bytes large = proto_pack(&arena, &literals("o0", string(text))->base);
	create("large");
	RUN("update executions set outputs_uri = 's3://my-s3-bucket/large'");
	fake_objects_put(store, "/my-s3-bucket/large", large.data, large.length);
	Flyteidl__Admin__WorkflowExecutionGetDataResponse *data = get_data("large");
	assert_int_equal(data->full_outputs->n_literals, 0);
	assert_int_equal(data->outputs->bytes, large.length);
	assert_true(text_starts_with(data->outputs->url, "http://localhost:30002/my-s3-bucket/large?"));

	struct proto_bytes small =
	        proto_pack(&arena, &literals("o0", integer(1))->base); /* only in the object store, and small */
	fake_objects_put(store, "/my-s3-bucket/large", small.data, small.length);
	data = get_data("large");
	assert_int_equal(literal_of(data->full_outputs, "o0")->scalar->primitive->integer, 1);

	RUN("update executions set outputs_uri = 's3://my-s3-bucket/not-yet'");
	data = get_data("large");
	assert_int_equal(data->full_outputs->n_literals, 0);
	assert_int_equal(data->outputs->bytes, 0);
	assert_string_equal(data->outputs->url, "");

	fake_objects_fail(store, 403);
	Flyteidl__Admin__WorkflowExecutionGetDataRequest *r =
	        proto_new(&arena, flyteidl__admin__workflow_execution_get_data_request);
	r->id = execution("large");
	refuse("GetExecutionData", r, ERR_INTERNAL, "s3://my-s3-bucket/not-yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_get_refused),
		TEST(test_list),
		TEST(test_archived_executions_hide),
		TEST(test_tags),
		TEST(test_errors_in_lists_are_short),
		TEST(test_terminate),
		TEST(test_small_data_is_inline),
		TEST(test_large_data_is_by_url),
	};
	return cmocka_run_group_tests(tests, executions_start, executions_stop);
}
