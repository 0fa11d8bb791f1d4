/* Nodes that contain or wait for something, one rule after the other. */
#include "machine_bench.h"

/* ---- Sub-workflows ---- */

/* n0 is a sub-workflow of two tasks one after the other (n1 after n0), n1 a task after it, n2 one beside. */
static struct bench *with_sub_workflow(bool after_completion)
{
	struct bench *b = bench_new();
	struct workflow_builder sub = workflow_sub_builder(&b->workflow);
	workflow_add_task(&sub, 0, NULL, 0);
	workflow_add_task(&sub, 0, (size_t[]){ 0 }, 1);
	workflow_add_task(&sub, 0, NULL, 0);
	if (after_completion)
		sub.template->metadata->on_failure =
		        FLYTEIDL__CORE__WORKFLOW_METADATA__ON_FAILURE_POLICY__FAIL_AFTER_EXECUTABLE_NODES_COMPLETE;
	workflow_finish(&sub);
	workflow_add_sub(&b->workflow, &sub, NULL, 0);
	workflow_add_task(&b->workflow, 0, (size_t[]){ 0 }, 1);
	workflow_add_task(&b->workflow, 0, NULL, 0);
	start(b);
	return b;
}

static void test_a_sub_workflow_succeeds(void **state)
{
	(void)state;
	struct bench *b = with_sub_workflow(false);
	const char *root = "s3://my-s3-bucket/metadata/propeller/flytesnacks-development-e1";
	const struct progress_node *parent = &node(b, "n0")->row, *child = &node(b, "n0-0-n0")->row;
	assert_int_equal(parent->phase, NODE(RUNNING));
	assert_true(parent->is_parent);
	assert_string_equal(parent->inputs_uri, arena_printf(&b->arena, "%s/n0/data/inputs.pb", root));
	assert_int_equal(node(b, "n0-0-start-node")->row.phase, NODE(SUCCEEDED));
	assert_string_equal(node(b, "n0-0-start-node")->row.outputs_uri,
	                    arena_printf(&b->arena, "%s/n0/data/0/start-node/0/outputs.pb", root));
	assert_int_equal(child->phase, NODE(RUNNING));
	assert_string_equal(child->spec_node_id, "n0");
	assert_string_equal(child->retry_group, "0");
	assert_string_equal(child->task->pod_name, "e1-n0-0-n0-0");
	assert_string_equal(child->inputs_uri, arena_printf(&b->arena, "%s/n0/data/0/n0/inputs.pb", root));
	succeed(b, "n0-0-n0");
	assert_string_equal(child->outputs_uri, arena_printf(&b->arena, "%s/n0/data/0/n0/0/outputs.pb", root));
	succeed(b, "n0-0-n1");
	assert_int_equal(parent->phase, NODE(RUNNING));
	succeed(b, "n0-0-n2");
	assert_int_equal(parent->phase, NODE(SUCCEEDED));
	assert_string_equal(parent->outputs_uri, arena_printf(&b->arena, "%s/n0/data/0/outputs.pb", root));
	assert_int_equal(workflow_integer_of(parent->outputs, "o2"), 1);
	assert_int_equal(node(b, "n1")->row.phase, NODE(RUNNING));
	succeed(b, "n1");
	succeed(b, "n2");
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_a_sub_workflow_fails(void **state)
{
	(void)state;
	struct bench *b = with_sub_workflow(false);
	observe(b, "n0-0-n0", POD_FAILED, POD_FAILURE_PERMANENT, "Bad", "bad");
	assert_failed(b, "Bad", "bad", ERROR_KIND(USER));
	assert_int_equal(node(b, "n0")->row.phase, NODE(FAILED));
	assert_string_equal(node(b, "n0")->row.error->message, "bad");
	assert_int_equal(node(b, "n0-0-n2")->row.phase, NODE(ABORTED));
	assert_int_equal(node(b, "n0-0-n1")->row.phase, NODE(UNDEFINED));
	assert_int_equal(node(b, "n2")->row.phase, NODE(ABORTED));
	bench_free(b);
}

/* The policy is the sub-workflow's own. */
static void test_a_sub_workflow_fails_after_its_nodes(void **state)
{
	(void)state;
	struct bench *b = with_sub_workflow(true);
	observe(b, "n0-0-n0", POD_FAILED, POD_FAILURE_PERMANENT, "Bad", "bad");
	assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	assert_int_equal(node(b, "n0-0-n1")->row.phase, NODE(SKIPPED));
	succeed(b, "n0-0-n2");
	assert_failed(b, "Bad", "bad", ERROR_KIND(USER));
	assert_int_equal(node(b, "n0-0-n2")->row.phase, NODE(SUCCEEDED));
	bench_free(b);
}

static void test_aborting_reaches_the_nodes_within(void **state)
{
	(void)state;
	struct bench *b = with_sub_workflow(false);
	assert_true(machine_owns_pod(&b->m, "e1-n0-0-n0-0"));
	b->m.execution.phase = EXECUTION(ABORTING);
	b->m.execution.abort_cause = "enough";
	step(b);
	assert_int_equal(node(b, "n0")->row.phase, NODE(ABORTED));
	assert_int_equal(node(b, "n0-0-n0")->row.phase, NODE(ABORTED));
	assert_int_equal(node(b, "n0-0-n0")->row.task->phase, TASK(ABORTED));
	assert_false(machine_owns_pod(&b->m, "e1-n0-0-n0-0"));
	bench_free(b);
}

static void test_a_sub_workflow_without_nodes(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	struct workflow_builder sub = workflow_sub_builder(&b->workflow);
	workflow_finish(&sub);
	workflow_add_sub(&b->workflow, &sub, NULL, 0);
	start(b);
	assert_int_equal(node(b, "n0")->row.phase, NODE(SUCCEEDED));
	assert_string_equal(node(b, "n0")->row.outputs_uri, "");
	bench_free(b);
}

/* ---- Branches ---- */

static struct bench *with_branch(int64_t limit, const char *otherwise)
{
	struct bench *b = bench_new();
	workflow_add_branch(&b->workflow, limit, otherwise, 0, NULL, 0); /* on x, which is 1 */
	workflow_add_task(&b->workflow, 0, (size_t[]){ 0 }, 1);
	start(b);
	return b;
}

static void test_a_branch_runs_the_case_that_holds(void **state)
{
	(void)state;
	for (int64_t limit = 0; limit <= 1; limit++) {
		struct bench *b = with_branch(limit, NULL);
		const char *root = "s3://my-s3-bucket/metadata/propeller/flytesnacks-development-e1";
		const char *chosen = limit ? "n0-0-n0-then" : "n0-0-n0-else";
		const char *other = limit ? "n0-0-n0-else" : "n0-0-n0-then";
		assert_int_equal(node(b, other)->row.phase, NODE(SKIPPED));
		assert_int_equal(node(b, chosen)->row.phase, NODE(RUNNING));
		assert_true(node(b, "n0")->row.is_parent);
		assert_string_equal(
		        node(b, chosen)->row.inputs_uri,
		        arena_printf(&b->arena, "%s/n0/data/0/%s/inputs.pb", root, limit ? "n0-then" : "n0-else"));
		assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
		succeed(b, chosen);
		assert_int_equal(node(b, "n0")->row.phase, NODE(SUCCEEDED));
		assert_string_equal(node(b, "n0")->row.outputs_uri,
		                    arena_printf(&b->arena, "%s/n0/data/0/outputs.pb", root));
		assert_int_equal(workflow_integer_of(node(b, "n0")->row.outputs, "o0"), 1);
		assert_int_equal(node(b, "n1")->row.phase, NODE(RUNNING));
		bench_free(b);
	}
}

static void test_a_branch_whose_case_fails(void **state)
{
	(void)state;
	struct bench *b = with_branch(1, NULL);
	observe(b, "n0-0-n0-then", POD_FAILED, POD_FAILURE_PERMANENT, "Bad", "bad");
	assert_int_equal(node(b, "n0")->row.phase, NODE(FAILED));
	assert_failed(b, "Bad", "bad", ERROR_KIND(USER));
	bench_free(b);
}

static void test_no_case_of_a_branch_holds(void **state)
{
	(void)state;
	struct bench *b = with_branch(0, "x is too large");
	assert_failed(b, "UserProvidedError", "x is too large", ERROR_KIND(USER));
	assert_int_equal(node(b, "n0-0-n0-then")->row.phase, NODE(SKIPPED));
	bench_free(b);
	b = with_branch(0, "");
	assert_string_equal(b->m.execution.error->code, "MalformedBranchUserError");
	bench_free(b);
	b = with_branch(1, "x is too large");
	assert_int_equal(node(b, "n0-0-n0-then")->row.phase, NODE(RUNNING));
	bench_free(b);
}

/* ---- Failure nodes ---- */

static struct bench *with_failure_node(bool of_sub_workflow)
{
	struct bench *b = bench_new();
	struct workflow_builder sub = workflow_sub_builder(&b->workflow);
	workflow_add_task(&sub, 0, NULL, 0);
	if (of_sub_workflow)
		workflow_add_failure_task(&sub);
	workflow_finish(&sub);
	workflow_add_sub(&b->workflow, &sub, NULL, 0);
	workflow_add_task(&b->workflow, 0, NULL, 0);
	if (!of_sub_workflow)
		workflow_add_failure_task(&b->workflow);
	start(b);
	return b;
}

static const Flyteidl__Core__Scalar *input(const struct machine_node *n, const char *name)
{
	for (size_t i = 0; i < n->inputs->n_literals; i++) {
		if (text_equal(n->inputs->literals[i]->key, name))
			return n->inputs->literals[i]->value->scalar;
	}
	fail_msg("no input %s", name);
	return NULL;
}

static void test_a_failure_node_runs_before_the_execution_fails(void **state)
{
	(void)state;
	struct bench *b = with_failure_node(false);
	assert_int_equal(node(b, "efn")->row.phase, NODE(UNDEFINED));
	observe(b, "n0-0-n0", POD_FAILED, POD_FAILURE_PERMANENT, "Bad", "bad");
	assert_int_equal(b->m.execution.phase, EXECUTION(FAILING));
	assert_int_equal(node(b, "n1")->row.phase, NODE(ABORTED));
	const struct machine_node *n = node(b, "efn");
	assert_int_equal(n->row.phase, NODE(RUNNING));
	assert_string_equal(n->row.task->pod_name, "e1-efn-0");
	assert_true(machine_owns_pod(&b->m, "e1-efn-0"));
	assert_int_equal(input(n, "x")->primitive->integer, 1);
	const Flyteidl__Core__Union *wrapped = input(n, "err")->union_;
	assert_string_equal(wrapped->type->structure->tag, "FlyteError");
	assert_int_equal(wrapped->type->simple, FLYTEIDL__CORE__SIMPLE_TYPE__ERROR);
	assert_string_equal(wrapped->value->scalar->error->message, "bad");
	assert_string_equal(wrapped->value->scalar->error->failed_node_id, "n0");
	succeed(b, "efn");
	assert_failed(b, "Bad", "bad", ERROR_KIND(USER));
	bench_free(b);
}

static void test_a_failure_node_that_fails(void **state)
{
	(void)state;
	struct bench *b = with_failure_node(false);
	observe(b, "n1", POD_FAILED, POD_FAILURE_PERMANENT, "Bad", "bad");
	observe(b, "efn", POD_FAILED, POD_FAILURE_PERMANENT, "Worse", "worse");
	assert_int_equal(node(b, "efn")->row.phase, NODE(FAILED));
	assert_failed(b, "Bad", "bad", ERROR_KIND(USER));
	bench_free(b);
}

static void test_a_failure_node_of_a_sub_workflow(void **state)
{
	(void)state;
	struct bench *b = with_failure_node(true);
	observe(b, "n0-0-n0", POD_FAILED, POD_FAILURE_PERMANENT, "Bad", "bad");
	assert_int_equal(b->m.execution.phase, EXECUTION(RUNNING));
	assert_int_equal(node(b, "n0")->row.phase, NODE(FAILING));
	assert_int_equal(node(b, "n0-0-efn")->row.phase, NODE(RUNNING));
	succeed(b, "n0-0-efn");
	assert_int_equal(node(b, "n0")->row.phase, NODE(FAILED));
	assert_failed(b, "Bad", "bad", ERROR_KIND(USER));
	bench_free(b);
}

static void test_aborting_while_a_failure_node_runs(void **state)
{
	(void)state;
	for (int of_sub = 0; of_sub <= 1; of_sub++) {
		struct bench *b = with_failure_node(of_sub);
		const char *id = of_sub ? "n0-0-efn" : "efn";
		observe(b, "n0-0-n0", POD_FAILED, POD_FAILURE_PERMANENT, "Bad", "bad");
		b->m.execution.phase = EXECUTION(ABORTING);
		step(b);
		assert_int_equal(b->m.execution.phase, EXECUTION(ABORTED));
		assert_int_equal(node(b, id)->row.phase, NODE(ABORTED));
		bench_free(b);
	}
}

/* What it needs will never be there: no execution may wait for that. */
static void test_a_failure_node_that_needs_what_has_not_run(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, 0, NULL, 0);
	workflow_add_task(&b->workflow, 0, (size_t[]){ 0 }, 1);
	Flyteidl__Core__Node *n = workflow_add_failure_task(&b->workflow);
	n->inputs[0]->binding->promise->node_id = arena_strdup(&b->arena, "n1");
	n->inputs[0]->binding->promise->var = arena_strdup(&b->arena, "o0");
	start(b);
	observe(b, "n0", POD_FAILED, POD_FAILURE_PERMANENT, "Bad", "bad");
	assert_failed(b, "Bad", "bad", ERROR_KIND(USER));
	assert_string_equal(node(b, "efn")->row.error->code, "BindingResolutionFailure");
	bench_free(b);
}

/* ---- Dynamic tasks ---- */

/* The pod of the task has left futures.pb behind. */
static void make_dynamic(struct bench *b, const char *id)
{
	struct machine_node *n = node(b, id);
	n->pod.known = true;
	n->pod.observation = (struct pod_observation){ .state = POD_SUCCEEDED, .code = "", .message = "" };
	step(b);
	assert_int_equal(n->want, WANT_RESULT);
	memset(&n->result, 0, sizeof(n->result));
	n->result.futures_found = true;
	n->answer = ANSWER_GIVEN;
	step(b);
	n->pod.known = false;
}

static struct bench *with_dynamic(uint32_t retries)
{
	struct bench *b = one_task(retries);
	b->dynamic = workflow_dynamic(&b->arena, 40, 2, 0);
	make_dynamic(b, "n0");
	return b;
}

static void test_a_dynamic_task_runs_what_it_made(void **state)
{
	(void)state;
	struct bench *b = with_dynamic(0);
	const char *root = "s3://my-s3-bucket/metadata/propeller/flytesnacks-development-e1/n0/data/0";
	const struct progress_node *row = &node(b, "n0")->row;
	assert_int_equal(row->phase, NODE(DYNAMIC_RUNNING));
	assert_int_equal(row->task->phase, TASK(SUCCEEDED));
	assert_true(row->is_parent && row->is_dynamic);
	assert_string_equal(row->dynamic_workflow_uri, arena_printf(&b->arena, "%s/dynamic_compiled.pb", root));
	assert_ptr_equal(row->dynamic, b->dynamic);
	const struct progress_node *child = &node(b, "n0-0-n0")->row;
	assert_int_equal(child->phase, NODE(RUNNING));
	assert_int_equal(workflow_integer_of(child->inputs, "i0"), 40);
	assert_string_equal(child->inputs_uri, arena_printf(&b->arena, "%s/n0/inputs.pb", root));
	succeed(b, "n0-0-n0");
	succeed(b, "n0-0-n1");
	assert_int_equal(row->phase, NODE(SUCCEEDED));
	assert_string_equal(row->outputs_uri, arena_printf(&b->arena, "%s/outputs.pb", root));
	assert_int_equal(workflow_integer_of(row->outputs, "o0"), 1);
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_a_dynamic_task_in_what_one_made(void **state)
{
	(void)state;
	struct bench *b = with_dynamic(0);
	make_dynamic(b, "n0-0-n0");
	assert_int_equal(node(b, "n0-0-n0")->row.phase, NODE(DYNAMIC_RUNNING));
	succeed(b, "n0-0-n0-0-n0");
	succeed(b, "n0-0-n0-0-n1");
	assert_int_equal(node(b, "n0-0-n0")->row.phase, NODE(SUCCEEDED));
	succeed(b, "n0-0-n1");
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_a_dynamic_task_that_calls_itself_for_ever(void **state)
{
	(void)state;
	struct bench *b = with_dynamic(0);
	b->dynamic = workflow_dynamic(&b->arena, 40, 1, 0);
	const char *id = "n0-0-n0";
	while (b->m.execution.phase == EXECUTION(RUNNING)) {
		make_dynamic(b, id);
		id = names_node_execution(&b->arena, id, 0, "n0");
	}
	assert_failed(b, "DynamicWorkflowBuildFailed",
	              "dynamic tasks and sub-workflows are nested deeper than 50 levels", ERROR_KIND(USER));
	bench_free(b);
}

/* Of what it made only a time-out is tried again. */
static void test_a_node_of_a_dynamic_task_fails(void **state)
{
	(void)state;
	struct bench *b = with_dynamic(3);
	observe(b, "n0-0-n0", POD_FAILED, POD_FAILURE_PERMANENT, "Bad", "bad");
	assert_failed(b, "Bad", "bad", ERROR_KIND(USER));
	assert_int_equal(node(b, "n0")->row.phase, NODE(FAILED));
	assert_int_equal(node(b, "n0")->row.task->phase, TASK(SUCCEEDED));
	bench_free(b);
}

static void test_a_dynamic_attempt_is_tried_again(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	Flyteidl__Core__Node *n = workflow_add_task(&b->workflow, 1, NULL, 0);
	n->metadata->timeout = seconds(b, 90);
	start(b);
	b->dynamic = workflow_dynamic(&b->arena, 40, 2, 0);
	make_dynamic(b, "n0");
	b->m.now_ns += 90 * SECOND;
	step(b);
	assert_int_equal(node(b, "n0-0-n0")->row.phase, NODE(ABORTED));
	assert_false(machine_owns_pod(&b->m, "e1-n0-0-n0-0"));
	assert_int_equal(node(b, "n0")->row.attempt, 1);
	assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	assert_true(machine_owns_pod(&b->m, "e1-n0-1"));
	make_dynamic(b, "n0");
	assert_int_equal(node(b, "n0-1-n0")->row.phase, NODE(RUNNING));
	assert_string_equal(node(b, "n0-1-n0")->row.retry_group, "1");
	succeed(b, "n0-1-n0");
	succeed(b, "n0-1-n1");
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_what_a_dynamic_task_made_does_not_compile(void **state)
{
	(void)state;
	struct bench *b = one_task(3);
	make_dynamic(b, "n0");
	assert_failed(b, "DynamicWorkflowBuildFailed", "nonsense", ERROR_KIND(USER));
	assert_int_equal(node(b, "n0")->row.task->phase, TASK(FAILED));
	bench_free(b);
}

/* With room for one node, what is around it must not take that room. */
static void test_a_dynamic_task_counts_while_its_pod_runs(void **state)
{
	(void)state;
	struct bench *b = with_dynamic(0);
	assert_int_equal(b->m.running, 1); /* n0-0-n0 */
	bench_free(b);
}

/* ---- Launch plan nodes ---- */

/* The child runs. */
static struct bench *with_child(void)
{
	struct bench *b = bench_new();
	workflow_add_launch_plan(&b->workflow, NULL, 0);
	workflow_add_task(&b->workflow, 0, (size_t[]){ 0 }, 1);
	b->child_phase = EXECUTION(QUEUED);
	start(b);
	/* Nothing is launched for a row that is not there. */
	assert_int_equal(node(b, "n0")->row.phase, NODE(QUEUED));
	assert_int_equal(b->m.wake_at_ns, b->m.now_ns);
	node(b, "n0")->saved = true;
	step(b);
	assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	assert_string_equal(node(b, "n0")->row.child->name, "e1-n0-0");
	return b;
}

/* As if another round had begun. */
static void end_child(struct bench *b, Flyteidl__Core__WorkflowExecution__Phase phase)
{
	b->child_phase = phase;
	node(b, "n0")->child.known = false;
	step(b);
}

static void test_a_child_execution_succeeds(void **state)
{
	(void)state;
	struct bench *b = with_child();
	end_child(b, EXECUTION(RUNNING));
	assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	assert_int_equal(b->m.wake_at_ns, 0); /* its end wakes us */
	end_child(b, EXECUTION(SUCCEEDED));
	assert_int_equal(node(b, "n0")->row.phase, NODE(SUCCEEDED));
	assert_int_equal(workflow_integer_of(node(b, "n0")->row.outputs, "o0"), 41);
	assert_int_equal(workflow_integer_of(node(b, "n1")->row.inputs, "i0"), 41);
	bench_free(b);
}

static void test_a_child_execution_fails(void **state)
{
	(void)state;
	struct bench *b = with_child();
	b->child_error = machine_error(&b->arena, &(struct machine_failure){ .kind = ERROR_KIND(USER),
	                                                                     .code = "USER:ValueError",
	                                                                     .message = "no such number" });
	end_child(b, EXECUTION(FAILED));
	assert_failed(b, "USER:ValueError", "no such number", ERROR_KIND(USER));
	bench_free(b);
	b = with_child();
	end_child(b, EXECUTION(ABORTED));
	assert_failed(b, "RemoteChildWorkflowExecutionFailed", "launchplan [e1-n0-0] aborted", ERROR_KIND(USER));
	bench_free(b);
}

static void test_aborting_reaches_the_child_execution(void **state)
{
	(void)state;
	struct bench *b = with_child();
	b->m.execution.phase = EXECUTION(ABORTING);
	b->m.execution.abort_cause = "enough";
	step(b);
	assert_int_equal(node(b, "n0")->row.phase, NODE(ABORTED));
	assert_int_equal(b->m.orphan_count, 1);
	assert_string_equal(b->m.orphans[0].name, "e1-n0-0");
	assert_string_equal(b->m.orphans[0].cause,
	                    "cascading abort as parent execution id [flytesnacks:development:e1] aborted, reason "
	                    "[enough]");
	bench_free(b);
}

/* ---- Gates ---- */

/* A gate on x with a task after it. */
static struct bench *with_gate(Flyteidl__Core__Node *(*add)(struct workflow_builder *, const size_t *, size_t),
                               int64_t timeout_seconds)
{
	struct bench *b = bench_new();
	Flyteidl__Core__Node *n = add(&b->workflow, NULL, 0);
	n->metadata->timeout = seconds(b, timeout_seconds);
	workflow_add_task(&b->workflow, 0, (size_t[]){ 0 }, 1);
	start(b);
	return b;
}

/* As if another round had begun: what was asked may be answered differently. */
static void set_signal(struct bench *b, const char *id, const Flyteidl__Core__Literal *value)
{
	b->signal = value;
	node(b, id)->signal_known = false;
	step(b);
}

/* With room for one node: n2 is dynamic and may take 90 s, and while its second node waits for that room, n1 takes it. */
static struct bench *with_a_dynamic_task_without_place(void)
{
	struct bench *b = bench_new();
	workflow_add_signal(&b->workflow, NULL, 0);
	workflow_add_task(&b->workflow, 0, (size_t[]){ 0 }, 1);
	workflow_add_task(&b->workflow, 1, NULL, 0)->metadata->timeout = seconds(b, 90);
	b->max_parallelism = 1;
	start(b);
	b->dynamic = workflow_dynamic(&b->arena, 40, 2, 0);
	make_dynamic(b, "n2");
	set_signal(b, "n0", workflow_integer(&b->arena, "", 41)->literals[0]->value);
	assert_int_equal(node(b, "n1")->row.phase, NODE(UNDEFINED));
	succeed(b, "n2-0-n0");
	assert_int_equal(node(b, "n1")->row.phase, NODE(RUNNING));
	assert_int_equal(node(b, "n2-0-n1")->row.phase, NODE(UNDEFINED));
	return b;
}

static void test_a_dynamic_tasks_next_attempt_waits_for_its_place(void **state)
{
	(void)state;
	struct bench *b = with_a_dynamic_task_without_place();
	b->m.now_ns += 90 * SECOND;
	step(b);
	assert_int_equal(node(b, "n2")->row.attempt, 1);
	assert_int_equal(node(b, "n2")->row.phase, NODE(DYNAMIC_RUNNING));
	assert_null(node(b, "n2")->row.task);
	assert_false(machine_owns_pod(&b->m, "e1-n2-1"));
	assert_int_equal(b->m.running, 1);
	succeed(b, "n1");
	assert_int_equal(node(b, "n2")->row.phase, NODE(RUNNING));
	assert_true(machine_owns_pod(&b->m, "e1-n2-1"));
	succeed(b, "n2");
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

/* The node's own deadline counts on. */
static void test_a_dynamic_task_waits_too_long_for_its_place(void **state)
{
	(void)state;
	struct bench *b = with_a_dynamic_task_without_place();
	b->m.now_ns += 90 * SECOND;
	step(b);
	assert_int_equal(b->m.wake_at_ns, b->m.now_ns + 180 * SECOND); /* three times 90 s from the start */
	b->m.now_ns = b->m.wake_at_ns;
	step(b);
	assert_int_equal(node(b, "n2")->row.phase, NODE(TIMED_OUT));
	assert_int_equal(b->m.execution.phase, EXECUTION(FAILED));
	bench_free(b);
}

static void test_an_approval(void **state)
{
	(void)state;
	struct bench *b = with_gate(workflow_add_approval, 0);
	assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	assert_int_equal(b->m.wake_at_ns, 0); /* nothing happens by itself */
	assert_string_equal(machine_signal_id(node(b, "n0")), "s0");
	assert_int_equal(machine_signal_type(&b->m, node(b, "n0"))->simple, FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN);
	set_signal(b, "n0", workflow_boolean(&b->arena, true));
	assert_int_equal(node(b, "n0")->row.phase, NODE(SUCCEEDED));
	assert_int_equal(workflow_integer_of(node(b, "n0")->row.outputs, "o0"), 1);
	assert_int_equal(node(b, "n1")->row.phase, NODE(RUNNING));
	bench_free(b);
}

static void test_a_rejection(void **state)
{
	(void)state;
	struct bench *b = with_gate(workflow_add_approval, 0);
	set_signal(b, "n0", workflow_boolean(&b->arena, false));
	assert_failed(b, "ReceivedRejectSignal", "received a reject signal to disapprove the node input values",
	              ERROR_KIND(USER));
	bench_free(b);
}

static void test_a_signals_value_is_the_output(void **state)
{
	(void)state;
	struct bench *b = with_gate(workflow_add_signal, 0);
	assert_int_equal(machine_signal_type(&b->m, node(b, "n0"))->simple, FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER);
	set_signal(b, "n0", workflow_integer(&b->arena, "", 41)->literals[0]->value);
	assert_int_equal(workflow_integer_of(node(b, "n0")->row.outputs, "o0"), 41);
	assert_int_equal(workflow_integer_of(node(b, "n1")->row.inputs, "i0"), 41);
	bench_free(b);
}

static void test_a_gates_deadline(void **state)
{
	(void)state;
	struct bench *b = with_gate(workflow_add_signal, 90);
	assert_int_equal(b->m.wake_at_ns, b->m.now_ns + 90 * SECOND);
	b->m.now_ns += 89 * SECOND;
	step(b);
	assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	b->m.now_ns += SECOND;
	step(b);
	assert_failed(b, "RetriesExhausted|TimeoutExpired",
	              "[1/1] currentAttempt done. Last Error: USER::task execution timeout [1m30s] expired",
	              ERROR_KIND(USER));
	bench_free(b);
}

static void test_a_sleep(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_sleep(&b->workflow, 60, NULL, 0);
	start(b);
	assert_int_equal(b->m.wake_at_ns, b->m.now_ns + 60 * SECOND);
	const int64_t began = node(b, "n0")->row.recheck_at_ns;
	b->m.now_ns += 59 * SECOND;
	step(b);
	assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	assert_int_equal(node(b, "n0")->row.recheck_at_ns, began); /* saved: a restart does not begin anew */
	b->m.now_ns += SECOND;
	step(b);
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_a_gate_is_aborted(void **state)
{
	(void)state;
	struct bench *b = with_gate(workflow_add_signal, 0);
	b->m.execution.phase = EXECUTION(ABORTING);
	step(b);
	assert_int_equal(node(b, "n0")->row.phase, NODE(ABORTED));
	bench_free(b);
}

/* ---- Deadlines of nodes that are no tasks ---- */

/* The first node may take ten seconds an attempt. */
static void limit(struct bench *b, uint32_t retries)
{
	Flyteidl__Core__Node *n = b->workflow.template->nodes[1];
	n->metadata = n->metadata ? n->metadata : proto_new(&b->arena, flyteidl__core__node_metadata);
	n->metadata->timeout = seconds(b, 10);
	n->metadata->retries = proto_new(&b->arena, flyteidl__core__retry_strategy);
	n->metadata->retries->retries = retries;
}

static struct bench *limited_sub_workflow(uint32_t retries)
{
	struct bench *b = bench_new();
	struct workflow_builder sub = workflow_sub_builder(&b->workflow);
	workflow_add_task(&sub, 0, NULL, 0);
	workflow_finish(&sub);
	workflow_add_sub(&b->workflow, &sub, NULL, 0);
	limit(b, retries);
	start(b);
	return b;
}

static const char exhausted[] = "[1/1] currentAttempt done. Last Error: USER::task execution timeout [10s] expired";

static void test_a_sub_workflows_deadline(void **state)
{
	(void)state;
	struct bench *b = limited_sub_workflow(0);
	assert_int_equal(node(b, "n0-0-n0")->row.phase, NODE(RUNNING));
	assert_int_equal(b->m.wake_at_ns, b->m.now_ns + 10 * SECOND);
	b->m.now_ns += 10 * SECOND;
	step(b);
	assert_int_equal(node(b, "n0-0-n0")->row.phase, NODE(ABORTED));
	assert_failed(b, "RetriesExhausted|TimeoutExpired", exhausted, ERROR_KIND(USER));
	bench_free(b);
}

/* The new attempt has nodes of its own, and as much time; the node's own deadline is final. */
static void test_a_sub_workflow_is_tried_again(void **state)
{
	(void)state;
	struct bench *b = limited_sub_workflow(1);
	b->m.now_ns += 10 * SECOND;
	step(b);
	assert_int_equal(node(b, "n0-0-n0")->row.phase, NODE(ABORTED));
	assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	assert_int_equal(node(b, "n0-1-n0")->row.phase, NODE(RUNNING));
	assert_string_equal(node(b, "n0-1-n0")->row.retry_group, "1");
	assert_int_equal(b->m.wake_at_ns, b->m.now_ns + 10 * SECOND);
	succeed(b, "n0-1-n0");
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
	b = limited_sub_workflow(1);
	b->m.now_ns += 30 * SECOND;
	step(b);
	assert_int_equal(node(b, "n0")->row.phase, NODE(TIMED_OUT));
	assert_string_equal(node(b, "n0")->row.error->message, "task active timeout [30s] expired");
	assert_failed(b, "Timeout", "Timeout in node", ERROR_KIND(USER));
	bench_free(b);
}

static void test_a_branchs_deadline(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_branch(&b->workflow, 5, NULL, 0, NULL, 0);
	limit(b, 0);
	start(b);
	b->m.now_ns += 10 * SECOND;
	step(b);
	assert_failed(b, "RetriesExhausted|TimeoutExpired", exhausted, ERROR_KIND(USER));
	assert_int_equal(node(b, "n0-0-n0-then")->row.phase, NODE(ABORTED));
	bench_free(b);
}

static struct bench *limited_child(uint32_t retries)
{
	struct bench *b = bench_new();
	workflow_add_launch_plan(&b->workflow, NULL, 0);
	limit(b, retries);
	b->child_phase = EXECUTION(RUNNING);
	start(b);
	node(b, "n0")->saved = true;
	step(b);
	assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	b->m.now_ns += 10 * SECOND;
	return b;
}

static void test_who_is_done_in_the_last_moment_is_done(void **state)
{
	(void)state;
	struct bench *b = limited_child(0);
	end_child(b, EXECUTION(SUCCEEDED));
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

/* The execution that took too long is aborted, and another one launched once that is known to the database. */
static void test_a_child_executions_deadline(void **state)
{
	(void)state;
	struct bench *b = limited_child(0);
	step(b);
	assert_failed(b, "RetriesExhausted|TimeoutExpired", exhausted, ERROR_KIND(USER));
	assert_int_equal(b->m.orphan_count, 1);
	assert_string_equal(b->m.orphans[0].name, "e1-n0-0");
	bench_free(b);
	b = limited_child(1);
	step(b);
	assert_int_equal(b->m.orphan_count, 1);
	assert_string_equal(b->m.orphans[0].name, "e1-n0-0");
	assert_int_equal(node(b, "n0")->row.attempt, 1);
	assert_string_equal(node(b, "n0")->row.child->name, "e1-n0-1");
	assert_int_equal(b->m.wake_at_ns, b->m.now_ns);
	node(b, "n0")->saved_attempt = 1;
	b->child_phase = EXECUTION(SUCCEEDED);
	step(b);
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_an_arrays_deadline(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_task_array(&b->workflow, 0, NULL, 0);
	limit(b, 1);
	start(b);
	succeed(b, "n0-0-n0");
	b->m.now_ns += 10 * SECOND;
	step(b);
	/* The first attempt has failed, and all elements begin again in the second. */
	assert_int_equal(node(b, "n0-0-n1")->row.phase, NODE(ABORTED));
	assert_int_equal(b->m.ended_tasks[b->m.ended_task_count - 1].task->phase, TASK(FAILED));
	assert_int_equal(node(b, "n0")->row.task->attempt, 1);
	for (int i = 0; i < 3; i++)
		succeed(b, arena_printf(&b->arena, "n0-1-n%d", i));
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_sub_workflow_succeeds),
		cmocka_unit_test(test_a_sub_workflow_fails),
		cmocka_unit_test(test_a_sub_workflow_fails_after_its_nodes),
		cmocka_unit_test(test_aborting_reaches_the_nodes_within),
		cmocka_unit_test(test_a_sub_workflow_without_nodes),
		cmocka_unit_test(test_a_branch_runs_the_case_that_holds),
		cmocka_unit_test(test_a_branch_whose_case_fails),
		cmocka_unit_test(test_no_case_of_a_branch_holds),
		cmocka_unit_test(test_a_failure_node_runs_before_the_execution_fails),
		cmocka_unit_test(test_a_failure_node_that_fails),
		cmocka_unit_test(test_a_failure_node_of_a_sub_workflow),
		cmocka_unit_test(test_aborting_while_a_failure_node_runs),
		cmocka_unit_test(test_a_failure_node_that_needs_what_has_not_run),
		cmocka_unit_test(test_a_dynamic_task_runs_what_it_made),
		cmocka_unit_test(test_a_dynamic_task_in_what_one_made),
		cmocka_unit_test(test_a_dynamic_task_that_calls_itself_for_ever),
		cmocka_unit_test(test_a_node_of_a_dynamic_task_fails),
		cmocka_unit_test(test_a_dynamic_attempt_is_tried_again),
		cmocka_unit_test(test_what_a_dynamic_task_made_does_not_compile),
		cmocka_unit_test(test_a_dynamic_task_counts_while_its_pod_runs),
		cmocka_unit_test(test_a_dynamic_tasks_next_attempt_waits_for_its_place),
		cmocka_unit_test(test_a_dynamic_task_waits_too_long_for_its_place),
		cmocka_unit_test(test_a_child_execution_succeeds),
		cmocka_unit_test(test_a_child_execution_fails),
		cmocka_unit_test(test_aborting_reaches_the_child_execution),
		cmocka_unit_test(test_an_approval),
		cmocka_unit_test(test_a_rejection),
		cmocka_unit_test(test_a_signals_value_is_the_output),
		cmocka_unit_test(test_a_gates_deadline),
		cmocka_unit_test(test_a_sleep),
		cmocka_unit_test(test_a_gate_is_aborted),
		cmocka_unit_test(test_a_sub_workflows_deadline),
		cmocka_unit_test(test_a_sub_workflow_is_tried_again),
		cmocka_unit_test(test_who_is_done_in_the_last_moment_is_done),
		cmocka_unit_test(test_a_branchs_deadline),
		cmocka_unit_test(test_a_child_executions_deadline),
		cmocka_unit_test(test_an_arrays_deadline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
