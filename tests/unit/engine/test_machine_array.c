/* Array nodes in the machine: what begins when, how the array ends, what clients see, and that rows are enough to go
 * on. */
#include "controlplane/engine/machine.h"
#include "controlplane/engine/node_array.h"

#include "base/text.h"
#include "workflow_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define ROOT "s3://my-s3-bucket/metadata/propeller/flytesnacks-development-e1/n0/data"

/* A machine that lives on over several steps and keeps time, as if every round were committed. */
struct bench {
	struct arena arena;
	struct workflow_builder workflow;
	Flyteidl__Core__ArrayNode *array;
	struct progress_definition definition;
	struct machine_graph graph;
	struct machine_options options;
	struct machine m;
	size_t reads;
	const Flyteidl__Core__Literal *offloaded; /* what is at any URI; NULL: nothing */
};

static struct bench *bench_without_array(void)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	b->arena = (struct arena)ARENA_INIT((size_t)256 << 20);
	b->workflow = workflow_builder(&b->arena);
	b->options = (struct machine_options)MACHINE_OPTIONS_DEFAULT;
	return b;
}

static struct bench *bench_new(uint32_t retries)
{
	struct bench *b = bench_without_array();
	b->array = workflow_add_array(&b->workflow, retries)->array_node;
	return b;
}

static struct bench *bench_of_children(void)
{
	struct bench *b = bench_without_array();
	b->array = workflow_add_child_array(&b->workflow)->array_node;
	return b;
}

static void bench_free(struct bench *b)
{
	arena_release(&b->arena);
	free(b);
}

/* NULL when there is none at present. */
static struct machine_node *find(struct bench *b, const char *id)
{
	for (size_t i = 0; i < b->m.node_count; i++) {
		if (text_equal(b->m.nodes[i]->row.node_id, id) && b->m.nodes[i]->want != WANT_OUTPUTS)
			return b->m.nodes[i];
	}
	return NULL;
}

static struct machine_node *element(struct bench *b, unsigned index)
{
	struct machine_node *found = find(b, arena_printf(&b->arena, "n0-0-n%u", index));
	assert_non_null(found);
	return found;
}

static struct machine_node *array_node(struct bench *b)
{
	return find(b, "n0");
}

/* Everything but results, which a test gives itself. */
static void step(struct bench *b)
{
	for (bool again = true; again;) {
		again = false;
		machine_step(&b->m);
		for (size_t i = 0; i < b->m.node_count; i++) {
			struct machine_node *n = b->m.nodes[i];
			if (n->want == WANT_NOTHING || n->want == WANT_RESULT || n->answer != ANSWER_PENDING)
				continue;
			if (n->want == WANT_OFFLOADED) {
				b->reads++;
				n->offloaded = b->offloaded;
				if (!b->offloaded)
					n->failure = (struct machine_failure){ .budget = POD_FAILURE_PERMANENT,
						                               .message = "it is gone" };
			}
			if (n->want == WANT_OUTPUTS) {
				b->reads++;
				n->outputs = workflow_integer(&b->arena, "o0", 1000 + (int64_t)n->index);
			}
			n->creation = CREATION_DONE;
			n->answer = ANSWER_GIVEN;
			again = true;
		}
	}
}

static void start_with(struct bench *b, const Flyteidl__Core__LiteralMap *inputs)
{
	auto_err struct err e = ERR_INIT;
	const struct progress_execution execution = { .id = 1, .abort_cause = "", .outputs_uri = "" };
	const struct progress_nodes none = { 0 };
	b->definition = workflow_execution(&b->arena, workflow_finish(&b->workflow));
	b->definition.inputs = inputs;
	assert_int_equal(machine_graph_build(&b->arena, b->definition.closure, &b->graph, &e), 0);
	assert_int_equal(
	        machine_init(&b->m, &b->arena, &b->options, &b->definition, &b->graph, &execution, &none, SECOND, &e),
	        0);
	step(b);
}

static void start(struct bench *b, size_t size)
{
	int64_t *values = arena_array(&b->arena, int64_t, size);
	for (size_t i = 0; i < size; i++)
		values[i] = (int64_t)i * 10;
	start_with(b, workflow_list(&b->arena, "x", values, size));
}

static void end_pod(struct bench *b, unsigned index)
{
	struct machine_node *n = element(b, index);
	n->pod.known = true;
	n->pod.observation = (struct pod_observation){ .state = POD_SUCCEEDED, .code = "", .message = "" };
	step(b);
	assert_int_equal(n->want, WANT_RESULT);
	memset(&n->result, 0, sizeof(n->result));
}

static void succeed(struct bench *b, unsigned index)
{
	struct machine_node *n = element(b, index);
	end_pod(b, index);
	n->result.outputs_found = true;
	n->result.outputs = workflow_integer(&b->arena, "o0", workflow_integer_of(n->inputs, "i0") + 1);
	n->answer = ANSWER_GIVEN;
	step(b);
}

static void fail_with(struct bench *b, unsigned index, bool recoverable, const char *message)
{
	struct machine_node *n = element(b, index);
	end_pod(b, index);
	Flyteidl__Core__ErrorDocument *document = proto_new(&b->arena, flyteidl__core__error_document);
	document->error = proto_new(&b->arena, flyteidl__core__container_error);
	document->error->code = arena_strdup(&b->arena, "USER:ValueError");
	document->error->message = arena_strdup(&b->arena, message);
	document->error->origin = ERROR_KIND(USER);
	document->error->kind = recoverable ? FLYTEIDL__CORE__CONTAINER_ERROR__KIND__RECOVERABLE
	                                    : FLYTEIDL__CORE__CONTAINER_ERROR__KIND__NON_RECOVERABLE;
	n->result.error = document;
	n->result.error_uri = "s3://e";
	n->answer = ANSWER_GIVEN;
	step(b);
	n->pod.known = false;
}

static size_t pods(struct bench *b)
{
	size_t count = 0;
	for (size_t i = 0; i < b->m.node_count; i++)
		count += machine_node_has_pod(b->m.nodes[i]);
	return count;
}

/* "1 11 -" for the list that the array has put out. */
static const char *outputs(struct bench *b)
{
	const Flyteidl__Core__LiteralMap *map = array_node(b)->outputs;
	char *text = arena_strdup(&b->arena, "");
	assert_non_null(map);
	assert_int_equal(map->n_literals, 1);
	const Flyteidl__Core__LiteralCollection *list = map->literals[0]->value->collection;
	for (size_t i = 0; i < list->n_literals; i++) {
		const Flyteidl__Core__Scalar *scalar = list->literals[i]->scalar;
		const char *before = i ? " " : "";
		if (scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE)
			text = arena_printf(&b->arena, "%s%s-", text, before);
		else
			text = arena_printf(&b->arena, "%s%s%lld", text, before, (long long)scalar->primitive->integer);
	}
	return text;
}

static void set_ratio(struct bench *b, float ratio)
{
	b->array->success_criteria_case = FLYTEIDL__CORE__ARRAY_NODE__SUCCESS_CRITERIA_MIN_SUCCESS_RATIO;
	b->array->min_success_ratio = ratio;
}

static void set_parallelism(struct bench *b, uint32_t parallelism)
{
	b->array->parallelism_option_case = FLYTEIDL__CORE__ARRAY_NODE__PARALLELISM_OPTION_PARALLELISM;
	b->array->parallelism = parallelism;
}

/* ---- Tests ---- */

static void test_elements_run_and_are_collected(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	start(b, 3);
	const struct machine_node *array = array_node(b);
	const struct progress_task *task = array->row.task;
	assert_true(array->row.is_array);
	assert_int_equal(array->row.phase, NODE(RUNNING));
	assert_string_equal(array->row.inputs_uri, ROOT "/inputs.pb");
	assert_true(task->is_array);
	assert_int_equal(task->array_size, 3);
	assert_string_equal(task->task_type, "container_array");
	assert_string_equal(task->closure->metadata->plugin_identifier, "k8s-array");
	assert_string_equal(task->closure->metadata->generated_name, "e1-n0-0");
	assert_int_equal(task->phase, TASK(RUNNING));
	assert_int_equal(pods(b), 3);

	struct machine_node *one = element(b, 1);
	assert_string_equal(one->row.task->pod_name, "e1-n0-0-n1-0");
	assert_string_equal(one->row.inputs_uri, ROOT "/inputs.pb"); /* all read the same and pick by their index */
	assert_string_equal(machine_output_prefix(&b->m, one), ROOT "/0/1/0");
	assert_int_equal(workflow_integer_of(one->inputs, "i0"), 10);
	assert_int_equal(machine_makes_deck(one), DECK_NEVER);

	succeed(b, 2);
	succeed(b, 0);
	assert_int_equal(array->row.phase, NODE(RUNNING));
	succeed(b, 1);
	assert_int_equal(array->row.phase, NODE(SUCCEEDED));
	assert_string_equal(outputs(b), "1 11 21");
	assert_string_equal(array->row.outputs_uri, ROOT "/0/outputs.pb");
	assert_string_equal(task->outputs_uri, array->row.outputs_uri);
	assert_int_equal(task->phase, TASK(SUCCEEDED));
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_an_empty_list(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	start(b, 0);
	assert_string_equal(outputs(b), "");
	assert_int_equal(array_node(b)->row.task->phase, TASK(SUCCEEDED));
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_parallelism(void **state)
{
	(void)state;
	struct bench *b = bench_new(1);
	set_parallelism(b, 2);
	start(b, 5);
	assert_int_equal(pods(b), 2);
	assert_null(find(b, "n0-0-n2"));
	succeed(b, 1);
	assert_int_equal(pods(b), 2);
	assert_non_null(find(b, "n0-0-n2"));
	/* One that is tried again keeps its place. */
	fail_with(b, 0, true, "again");
	assert_int_equal(pods(b), 2);
	assert_null(find(b, "n0-0-n3"));
	assert_string_equal(element(b, 0)->row.task->pod_name, "e1-n0-0-n0-1");
	assert_string_equal(machine_output_prefix(&b->m, element(b, 0)), ROOT "/0/0/1");
	for (unsigned i = 0; i < 5; i++) {
		if (i != 1)
			succeed(b, i);
		assert_true(pods(b) <= 2);
	}
	assert_string_equal(outputs(b), "1 11 21 31 41");
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

/* What the next round finds when it loads the execution anew: elements that are over are not loaded. */
static void next_round(struct machine_node *node)
{
	struct machine_array *array = node->array;
	size_t left = 0;
	array->begun_in_round = 0;
	for (size_t i = 0; i < array->live_count; i++) {
		if (machine_node_is_active(array->live[i]))
			array->live[left++] = array->live[i];
	}
	array->live_count = left;
}

/* Without a limit of the user's ours holds, and no round begins more than a hundred. */
static void test_limits_of_the_platform(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	b->options.array_parallelism = 130;
	start(b, 300);
	assert_int_equal(pods(b), 100);
	assert_int_equal(b->m.wake_at_ns, b->m.now_ns); /* at once */
	next_round(array_node(b));
	step(b);
	assert_int_equal(pods(b), 130);
	assert_int_equal(b->m.wake_at_ns, 0);
	next_round(array_node(b));
	step(b);
	assert_int_equal(pods(b), 130);
	bench_free(b);
}

static void test_one_failure_fails_the_array(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	start(b, 3);
	fail_with(b, 1, false, "no luck");
	const struct progress_node *row = &array_node(b)->row;
	assert_int_equal(row->phase, NODE(FAILED));
	assert_string_equal(row->error->message, "[1]: no luck\n");
	assert_string_equal(row->error->code, "USER:ValueError");
	assert_int_equal(row->error->kind, ERROR_KIND(USER));
	assert_int_equal(row->task->phase, TASK(FAILED));
	assert_string_equal(row->task->error->message, "[1]: no luck\n");
	assert_int_equal(pods(b), 0);
	assert_int_equal(element(b, 0)->row.task->phase, TASK(ABORTED));
	assert_int_equal(element(b, 2)->row.phase, NODE(ABORTED));
	assert_int_equal(b->m.execution.phase, EXECUTION(FAILED));
	bench_free(b);
}

static void test_enough_successes(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	set_ratio(b, 0.5f);
	start(b, 4);
	fail_with(b, 0, false, "no luck");
	fail_with(b, 2, false, "no luck");
	assert_int_equal(array_node(b)->row.phase, NODE(RUNNING));
	succeed(b, 1);
	assert_int_equal(array_node(b)->row.phase, NODE(RUNNING)); /* all are waited for */
	succeed(b, 3);
	assert_string_equal(outputs(b), "- 11 - 31");
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_too_few_successes(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	set_ratio(b, 0.5f);
	start(b, 4);
	fail_with(b, 3, false, "no luck");
	fail_with(b, 1, false, "bad luck");
	fail_with(b, 2, false, "no luck");
	assert_string_equal(array_node(b)->row.error->message, "[1]: bad luck\n[2-3]: no luck\n");
	assert_int_equal(element(b, 0)->row.phase, NODE(ABORTED));
	bench_free(b);
}

static void test_all_run_when_asked_to(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	b->array->run_all_sub_nodes = true;
	start(b, 3);
	fail_with(b, 0, false, "no luck");
	assert_int_equal(array_node(b)->row.phase, NODE(RUNNING));
	succeed(b, 1);
	assert_int_equal(array_node(b)->row.phase, NODE(RUNNING));
	succeed(b, 2);
	assert_int_equal(array_node(b)->row.phase, NODE(FAILED));
	assert_string_equal(array_node(b)->row.error->message, "[0]: no luck\n");
	bench_free(b);
}

static void test_budgets_are_an_elements_own(void **state)
{
	(void)state;
	struct bench *b = bench_new(1);
	start(b, 2);
	fail_with(b, 0, true, "first");
	fail_with(b, 1, true, "first");
	assert_int_equal(element(b, 0)->row.attempt, 1);
	assert_int_equal(element(b, 1)->row.user_failures, 1);
	succeed(b, 1);
	fail_with(b, 0, true, "second");
	assert_string_equal(array_node(b)->row.error->code, "RetriesExhausted|USER:ValueError");
	assert_string_equal(array_node(b)->row.error->message,
	                    "[0]: [2/2] currentAttempt done. Last Error: USER::second\n");
	bench_free(b);
}

static void test_lengths(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	b->options.array_maximum = 10;
	start(b, 11);
	assert_string_equal(array_node(b)->row.error->code, "InvalidArrayLength");
	assert_string_equal(array_node(b)->row.error->message,
	                    "array size > max allowed. requested [11]. allowed [10]");
	assert_null(array_node(b)->row.task);
	assert_int_equal(b->m.execution.phase, EXECUTION(FAILED));
	bench_free(b);
}

static void test_abort(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	start(b, 2);
	succeed(b, 0);
	b->m.execution.phase = EXECUTION(ABORTING);
	b->m.execution.abort_cause = "enough";
	step(b);
	assert_int_equal(pods(b), 0);
	assert_int_equal(array_node(b)->row.phase, NODE(ABORTED));
	assert_int_equal(array_node(b)->row.task->phase, TASK(ABORTED));
	assert_int_equal(element(b, 1)->row.task->phase, TASK(ABORTED));
	assert_int_equal(element(b, 0)->row.phase, NODE(SUCCEEDED));
	assert_int_equal(b->m.execution.phase, EXECUTION(ABORTED));
	bench_free(b);
}

static void test_large_outputs_are_read_again(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	start(b, 40);
	for (unsigned i = 0; i < 40; i++) {
		struct machine_node *n = element(b, i);
		end_pod(b, i);
		n->result.outputs_found = true;
		Flyteidl__Core__LiteralMap *large = workflow_integer(&b->arena, "o0", 0);
		if (i % 2) {
			large->literals[0]->value->hash = arena_alloc(&b->arena, ARRAY_ELEMENT_INLINE_MAXIMUM + 1);
			memset(large->literals[0]->value->hash, 'h', ARRAY_ELEMENT_INLINE_MAXIMUM);
		}
		n->result.outputs = large;
		n->answer = ANSWER_GIVEN;
		step(b);
	}
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	assert_int_equal(b->reads, 20);
	assert_true(text_starts_with(outputs(b), "0 1001 0 1003 0"));
	bench_free(b);
}

static void test_the_outputs_together_have_a_limit(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	b->options.array_output_maximum = 100;
	start(b, 20);
	for (unsigned i = 0; i < 20; i++) {
		struct machine_node *n = element(b, i);
		end_pod(b, i);
		n->result.outputs_found = true;
		n->result.outputs = workflow_integer(&b->arena, "o0", 0);
		n->result.outputs->literals[0]->value->hash = arena_alloc(&b->arena, 5001);
		memset(n->result.outputs->literals[0]->value->hash, 'h', 5000);
		n->answer = ANSWER_GIVEN;
		step(b);
	}
	assert_int_equal(b->m.execution.phase, EXECUTION(FAILED));
	assert_string_equal(b->m.execution.error->code, "OutputSizeExceeded");
	assert_int_equal(array_node(b)->row.task->phase, TASK(FAILED));
	bench_free(b);
}

static void test_inputs_of_their_own(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	b->array->data_mode = FLYTEIDL__CORE__ARRAY_NODE__DATA_MODE__INDIVIDUAL_INPUT_FILES;
	start(b, 2);
	assert_string_equal(element(b, 1)->row.inputs_uri, ROOT "/1/0/inputs.pb");
	bench_free(b);
}

/* flytekit's older map tasks: a task node whose container is told the directory above. */
static void test_legacy_map_tasks(void **state)
{
	(void)state;
	struct bench *b = bench_new(1);
	Flyteidl__Core__Node *node = b->workflow.template->nodes[1];
	node->task_node = node->array_node->node->task_node;
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_TASK_NODE;
	workflow_task(&b->workflow, 0)->type = arena_strdup(&b->arena, "container_array");
	start(b, 2);
	assert_false(array_node(b)->row.is_array);
	assert_int_equal(array_node(b)->row.task->array_size, 2);
	assert_string_equal(element(b, 1)->row.task->pod_name, "e1-n0-0-n1-0");
	assert_string_equal(machine_output_prefix(&b->m, element(b, 1)), ROOT "/0/0");
	assert_string_equal(machine_attempt_directory(&b->m, element(b, 1)), ROOT "/0/0/1");
	fail_with(b, 1, true, "again");
	assert_string_equal(machine_output_prefix(&b->m, element(b, 1)), ROOT "/0/1");
	assert_string_equal(machine_attempt_directory(&b->m, element(b, 1)), ROOT "/0/1/1");
	succeed(b, 0);
	succeed(b, 1);
	assert_string_equal(outputs(b), "1 11");
	bench_free(b);
}

/* ---- Maps over launch plans ---- */

/* As if the round had been committed. */
static struct array_elements committed(struct bench *b)
{
	struct array_elements changes;
	array_node(b)->row.row_id = 7;
	(void)machine_array_changes(&b->m, array_node(b)->array, &changes);
	return changes;
}

static void end_child(struct bench *b, unsigned index, Flyteidl__Core__WorkflowExecution__Phase phase)
{
	struct machine_node *n = element(b, index);
	n->child.known = true;
	n->child.phase = phase;
	n->child.outputs = workflow_integer(&b->arena, "o0", workflow_integer_of(n->inputs, "x") + 1);
	step(b);
}

/* Three of them, launched. */
static struct bench *with_children(void)
{
	struct bench *b = bench_of_children();
	start(b, 3);
	/* Nothing is launched for an element that nobody would know of after a crash. */
	assert_int_equal(element(b, 0)->row.phase, NODE(QUEUED));
	assert_int_equal(b->m.wake_at_ns, b->m.now_ns);
	const struct array_elements queued = committed(b);
	assert_int_equal(queued.count, 3);
	assert_string_equal(queued.list[0].child_name, "");
	assert_int_equal(queued.list[0].task_phase, TASK(QUEUED));
	step(b);
	return b;
}

static void test_launch_plans_run_and_are_collected(void **state)
{
	(void)state;
	struct bench *b = with_children();
	const struct progress_task *task = array_node(b)->row.task;
	const struct array_elements launched = committed(b);
	assert_int_equal(launched.count, 3);
	assert_string_equal(launched.list[1].child_name, "e1-n0-0-n1-0");
	assert_int_equal(launched.list[1].task_phase, TASK(RUNNING));
	assert_false(launched.list[1].has_task);
	assert_string_equal(task->id->name, "lp");
	assert_int_equal(task->phase, TASK(RUNNING));
	assert_int_equal(workflow_integer_of(element(b, 1)->inputs, "x"), 10);
	end_child(b, 2, EXECUTION(SUCCEEDED));
	end_child(b, 0, EXECUTION(SUCCEEDED));
	assert_int_equal(array_node(b)->row.phase, NODE(RUNNING));
	end_child(b, 1, EXECUTION(SUCCEEDED));
	assert_string_equal(outputs(b), "1 11 21");
	assert_string_equal(array_node(b)->row.outputs_uri, ROOT "/0/outputs.pb");
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_a_failing_launch_plan_takes_the_others_along(void **state)
{
	(void)state;
	struct bench *b = with_children();
	end_child(b, 0, EXECUTION(SUCCEEDED));
	end_child(b, 1, EXECUTION(ABORTED));
	assert_string_equal(array_node(b)->row.error->message, "[1]: launchplan [e1-n0-0-n1-0] aborted\n");
	assert_int_equal(b->m.orphan_count, 1);
	assert_string_equal(b->m.orphans[0].name, "e1-n0-0-n2-0");
	assert_int_equal(element(b, 2)->row.phase, NODE(ABORTED));
	bench_free(b);
}

/* What they put out is not in the workflow's closure, but who takes it says so. */
static void test_launch_plans_over_nothing(void **state)
{
	(void)state;
	struct bench *b = bench_of_children();
	start(b, 0);
	assert_string_equal(outputs(b), "");
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_enough_launch_plans_succeed(void **state)
{
	(void)state;
	struct bench *b = bench_of_children();
	set_ratio(b, 0.5f);
	set_parallelism(b, 1);
	start(b, 2);
	assert_null(find(b, "n0-0-n1"));
	(void)committed(b);
	step(b);
	end_child(b, 0, EXECUTION(FAILED));
	(void)committed(b);
	step(b);
	end_child(b, 1, EXECUTION(SUCCEEDED));
	assert_string_equal(outputs(b), "- 11");
	bench_free(b);
}

/* ---- Offloaded literals ---- */

static Flyteidl__Core__LiteralMap *offloaded_list(struct bench *b)
{
	Flyteidl__Core__LiteralMap *map = workflow_list(&b->arena, "x", (int64_t[]){ 0 }, 1);
	map->literals[0]->value->value_case = FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA;
	map->literals[0]->value->offloaded_metadata = proto_new(&b->arena, flyteidl__core__literal_offloaded_metadata);
	map->literals[0]->value->offloaded_metadata->uri = arena_strdup(&b->arena, "s3://b/list");
	return map;
}

static void test_a_map_over_an_offloaded_list(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	b->offloaded = workflow_list(&b->arena, "", (int64_t[]){ 5, 6 }, 2)->literals[0]->value;
	start_with(b, offloaded_list(b));
	assert_int_equal(b->reads, 1);
	assert_int_equal(workflow_integer_of(element(b, 1)->inputs, "i0"), 6);
	/* The elements read it for themselves. */
	assert_int_equal(array_node(b)->row.inputs->literals[0]->value->value_case,
	                 FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA);
	succeed(b, 0);
	succeed(b, 1);
	assert_string_equal(outputs(b), "6 7");
	bench_free(b);
}

static void test_an_offloaded_list_that_is_gone(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	start_with(b, offloaded_list(b));
	assert_int_equal(array_node(b)->row.phase, NODE(FAILED));
	assert_string_equal(array_node(b)->row.error->code, "RuntimeExecutionError");
	assert_int_equal(array_node(b)->row.error->kind, ERROR_KIND(SYSTEM));
	assert_true(strstr(array_node(b)->row.error->message, "it is gone"));
	bench_free(b);
}

static void test_large_lists_are_offloaded(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	b->options.offload_minimum = 10;
	b->options.offload_maximum = 1000;
	start(b, 2);
	succeed(b, 0);
	succeed(b, 1);
	const struct machine_node *array = array_node(b);
	const Flyteidl__Core__Literal *literal = array->outputs->literals[0]->value;
	assert_int_equal(literal->value_case, FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA);
	assert_string_equal(literal->offloaded_metadata->uri, ROOT "/0/o0_offloaded_metadata.pb");
	assert_int_equal(literal->offloaded_metadata->inferred_type->collection_type->simple,
	                 FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER);
	assert_true(*literal->hash);
	assert_int_equal(array->offload_count, 1);
	assert_string_equal(array->offloads[0].uri, literal->offloaded_metadata->uri);
	assert_int_equal(array->offloads[0].literal->collection->n_literals, 2);
	assert_int_equal(literal->offloaded_metadata->size_bytes,
	                 protobuf_c_message_get_packed_size(&array->offloads[0].literal->base));
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_lists_too_large_to_be_offloaded(void **state)
{
	(void)state;
	struct bench *b = bench_new(0);
	b->options.offload_minimum = 5;
	b->options.offload_maximum = 10;
	start(b, 2);
	succeed(b, 0);
	succeed(b, 1);
	assert_string_equal(array_node(b)->row.error->code, "OutputSizeExceeded");
	assert_int_equal(array_node(b)->row.task->phase, TASK(FAILED));
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elements_run_and_are_collected),
		cmocka_unit_test(test_an_empty_list),
		cmocka_unit_test(test_parallelism),
		cmocka_unit_test(test_limits_of_the_platform),
		cmocka_unit_test(test_one_failure_fails_the_array),
		cmocka_unit_test(test_enough_successes),
		cmocka_unit_test(test_too_few_successes),
		cmocka_unit_test(test_all_run_when_asked_to),
		cmocka_unit_test(test_budgets_are_an_elements_own),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_large_outputs_are_read_again),
		cmocka_unit_test(test_the_outputs_together_have_a_limit),
		cmocka_unit_test(test_inputs_of_their_own),
		cmocka_unit_test(test_legacy_map_tasks),
		cmocka_unit_test(test_launch_plans_run_and_are_collected),
		cmocka_unit_test(test_a_failing_launch_plan_takes_the_others_along),
		cmocka_unit_test(test_launch_plans_over_nothing),
		cmocka_unit_test(test_enough_launch_plans_succeed),
		cmocka_unit_test(test_a_map_over_an_offloaded_list),
		cmocka_unit_test(test_an_offloaded_list_that_is_gone),
		cmocka_unit_test(test_large_lists_are_offloaded),
		cmocka_unit_test(test_lists_too_large_to_be_offloaded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
