/* The machine's rules one by one: each row of reference §2.9, timeouts, policies, what is shown of an attempt. */
#include "controlplane/engine/machine.h"

#include "base/text.h"
#include "workflow_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

/* A machine that lives on over several steps and keeps time, as if every round were committed. */
struct bench {
	struct arena arena;
	struct workflow_builder workflow;
	struct progress_definition definition;
	struct machine_graph graph;
	struct machine_options options;
	struct machine m;
	Flyteidl__Core__WorkflowExecution__Phase child_phase; /* the answer to every WANT_CHILD */
	const Flyteidl__Core__ExecutionError *child_error;
	const Flyteidl__Core__CompiledWorkflowClosure *dynamic; /* the answer to every WANT_DYNAMIC; NULL: it does not
	                                                           compile */
	const Flyteidl__Core__Literal *signal;                  /* the answer to every WANT_SIGNAL */
	enum machine_creation creation;                         /* the answer to every WANT_POD */
	enum pod_failure refusal;
	const Flyteidl__Admin__PluginOverrides *plugin_overrides; /* of the execution; NULL: none */
};

static struct bench *bench_new(void)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	b->arena = (struct arena)ARENA_INIT((size_t)64 << 20);
	b->workflow = workflow_builder(&b->arena);
	b->options = (struct machine_options)MACHINE_OPTIONS_DEFAULT;
	return b;
}

static void bench_free(struct bench *b)
{
	arena_release(&b->arena);
	free(b);
}

/* By the id in the execution. */
static struct machine_node *node(struct bench *b, const char *id)
{
	for (size_t i = 0; i < b->m.node_count; i++) {
		if (text_equal(b->m.nodes[i]->row.node_id, id))
			return b->m.nodes[i];
	}
	fail_msg("no node %s", id);
	return NULL;
}

/* Steps until nothing is wanted but results, which a test gives itself. */
static void step(struct bench *b)
{
	for (bool again = true; again;) {
		again = false;
		machine_step(&b->m);
		for (size_t i = 0; i < b->m.node_count; i++) {
			struct machine_node *n = b->m.nodes[i];
			if (n->want == WANT_NOTHING || n->want == WANT_RESULT || n->answer != ANSWER_PENDING)
				continue;
			if (n->want == WANT_DYNAMIC) {
				n->dynamic = b->dynamic;
				if (!b->dynamic)
					n->failure = (struct machine_failure){ .budget = POD_FAILURE_PERMANENT,
						                               .kind = ERROR_KIND(USER),
						                               .code = "DynamicWorkflowBuildFailed",
						                               .message = "nonsense" };
			}
			if (n->want == WANT_CHILD) {
				assert_int_not_equal(n->row.row_id, 0);
				n->child.phase = b->child_phase;
				n->child.error = b->child_error;
				n->child.outputs = b->child_phase == EXECUTION(SUCCEEDED)
				                           ? workflow_integer(&b->arena, "o0", 41)
				                           : NULL;
			}
			if (n->want == WANT_SIGNAL)
				n->signal = b->signal;
			if (n->want == WANT_POD) {
				n->creation = b->creation;
				n->creation_reason = "Exceeded resourcequota: no";
				if (b->creation == CREATION_FAILED)
					n->failure = (struct machine_failure){ .budget = b->refusal,
						                               .kind = ERROR_KIND(USER),
						                               .code = "BadTaskFormat",
						                               .message = "no" };
			}
			n->answer = ANSWER_GIVEN;
			again = true;
		}
	}
}

static void start(struct bench *b)
{
	auto_err struct err e = ERR_INIT;
	const struct progress_execution execution = { .id = 1, .abort_cause = "", .outputs_uri = "" };
	const struct progress_nodes none = { 0 };
	b->definition = workflow_execution(&b->arena, workflow_finish(&b->workflow));
	b->definition.plugin_overrides = b->plugin_overrides;
	assert_int_equal(machine_graph_build(&b->arena, b->definition.closure, &b->graph, &e), 0);
	assert_int_equal(
	        machine_init(&b->m, &b->arena, &b->options, &b->definition, &b->graph, &execution, &none, SECOND, &e),
	        0);
	step(b);
}

static struct bench *one_task(uint32_t retries)
{
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, retries, NULL, 0);
	start(b);
	return b;
}

static void observe(struct bench *b, const char *id, enum pod_state state, enum pod_failure failure, const char *code,
                    const char *message)
{
	struct machine_node *n = node(b, id);
	n->pod.known = true;
	n->pod.observation =
	        (struct pod_observation){ .state = state, .failure = failure, .code = code, .message = message };
	step(b);
	n->pod.known = false;
}

static void succeed(struct bench *b, const char *id)
{
	struct machine_node *n = node(b, id);
	n->pod.known = true;
	n->pod.observation = (struct pod_observation){ .state = POD_SUCCEEDED, .code = "", .message = "" };
	step(b);
	assert_int_equal(n->want, WANT_RESULT);
	memset(&n->result, 0, sizeof(n->result));
	n->result.outputs_found = true;
	n->result.outputs = workflow_integer(&b->arena, "o0", 1);
	n->answer = ANSWER_GIVEN;
	step(b);
}

static void fail_with(struct bench *b, const char *id, Flyteidl__Core__ContainerError__Kind kind,
                      Flyteidl__Core__ExecutionError__ErrorKind origin)
{
	struct machine_node *n = node(b, id);
	n->pod.known = true;
	n->pod.observation = (struct pod_observation){ .state = POD_SUCCEEDED, .code = "", .message = "" };
	step(b);
	memset(&n->result, 0, sizeof(n->result));
	Flyteidl__Core__ErrorDocument *document = proto_new(&b->arena, flyteidl__core__error_document);
	document->error = proto_new(&b->arena, flyteidl__core__container_error);
	document->error->code = arena_strdup(&b->arena, "C");
	document->error->message = arena_strdup(&b->arena, "M");
	document->error->kind = kind;
	document->error->origin = origin;
	n->result.error = document;
	n->result.error_uri = "s3://e";
	n->answer = ANSWER_GIVEN;
	step(b);
	n->pod.known = false;
}

static void assert_failed(struct bench *b, const char *code, const char *message,
                          Flyteidl__Core__ExecutionError__ErrorKind kind)
{
	assert_int_equal(b->m.execution.phase, EXECUTION(FAILED));
	assert_string_equal(b->m.execution.error->code, code);
	assert_string_equal(b->m.execution.error->message, message);
	assert_int_equal(b->m.execution.error->kind, kind);
}

/* Lets the pause before a retry pass. */
static void wait_for_retry(struct bench *b)
{
	assert_true(b->m.wake_at_ns > b->m.now_ns);
	b->m.now_ns = b->m.wake_at_ns;
	step(b);
}

/* ---- Budgets ---- */

static void test_permanent_failures_are_not_retried(void **state)
{
	(void)state;
	struct bench *b = one_task(5);
	observe(b, "n0", POD_FAILED, POD_FAILURE_PERMANENT, "CreateContainerConfigError", "secret is missing");
	assert_failed(b, "CreateContainerConfigError", "secret is missing", ERROR_KIND(USER));
	assert_int_equal(node(b, "n0")->row.attempt, 0);
	bench_free(b);
}

static void test_the_users_budget(void **state)
{
	(void)state;
	struct bench *b = one_task(2);
	for (uint32_t attempt = 0; attempt < 2; attempt++) {
		observe(b, "n0", POD_FAILED, POD_FAILURE_USER, "OOMKilled", "too much");
		assert_int_equal(node(b, "n0")->row.attempt, attempt + 1);
		assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	}
	observe(b, "n0", POD_FAILED, POD_FAILURE_USER, "OOMKilled", "too much");
	assert_failed(b, "RetriesExhausted|OOMKilled", "[3/3] currentAttempt done. Last Error: USER::too much",
	              ERROR_KIND(USER));
	bench_free(b);
}

static void test_the_systems_budget_is_its_own(void **state)
{
	(void)state;
	struct bench *b = one_task(1);
	observe(b, "n0", POD_FAILED, POD_FAILURE_USER, "OOMKilled", "too much");
	int64_t pause = b->options.retry_delay_ns;
	for (int i = 0; i < 3; i++, pause *= 2) {
		observe(b, "n0", POD_FAILED, POD_FAILURE_SYSTEM, "Interrupted", "gone");
		assert_null(node(b, "n0")->row.task); /* not at once */
		assert_int_equal(b->m.wake_at_ns, b->m.now_ns + pause);
		wait_for_retry(b);
		assert_non_null(node(b, "n0")->row.task);
	}
	assert_int_equal(node(b, "n0")->row.attempt, 4);
	observe(b, "n0", POD_FAILED, POD_FAILURE_SYSTEM, "Interrupted", "gone");
	assert_failed(b, "RetriesExhausted|Interrupted", "[3/3] currentAttempt done. Last Error: SYSTEM::gone",
	              ERROR_KIND(USER));
	bench_free(b);
}

static void test_node_metadata_overrides_the_tasks_retries(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	Flyteidl__Core__Node *n = workflow_add_task(&b->workflow, 5, NULL, 0);
	n->metadata->retries = proto_new(&b->arena, flyteidl__core__retry_strategy);
	n->metadata->retries->retries = 1;
	start(b);
	observe(b, "n0", POD_FAILED, POD_FAILURE_USER, "OOMKilled", "x");
	observe(b, "n0", POD_FAILED, POD_FAILURE_USER, "OOMKilled", "x");
	assert_failed(b, "RetriesExhausted|OOMKilled", "[2/2] currentAttempt done. Last Error: USER::x",
	              ERROR_KIND(USER));
	bench_free(b);
}

static void test_error_documents(void **state)
{
	(void)state;
	struct bench *b = one_task(1);
	fail_with(b, "n0", FLYTEIDL__CORE__CONTAINER_ERROR__KIND__NON_RECOVERABLE, ERROR_KIND(USER));
	assert_failed(b, "C", "M", ERROR_KIND(USER));
	assert_string_equal(b->m.execution.error->error_uri, "s3://e");
	bench_free(b);

	b = one_task(1);
	fail_with(b, "n0", FLYTEIDL__CORE__CONTAINER_ERROR__KIND__RECOVERABLE, ERROR_KIND(USER));
	assert_int_equal(node(b, "n0")->row.user_failures, 1);
	fail_with(b, "n0", FLYTEIDL__CORE__CONTAINER_ERROR__KIND__RECOVERABLE, ERROR_KIND(SYSTEM));
	assert_int_equal(node(b, "n0")->row.system_failures, 1);
	wait_for_retry(b);
	fail_with(b, "n0", FLYTEIDL__CORE__CONTAINER_ERROR__KIND__RECOVERABLE, ERROR_KIND(UNKNOWN));
	assert_failed(b, "RetriesExhausted|C", "[2/2] currentAttempt done. Last Error: UNKNOWN::M", ERROR_KIND(USER));
	bench_free(b);
}

/* ---- Pods that cannot be made ---- */

static void test_quota(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, 0, NULL, 0);
	b->creation = CREATION_WAITS;
	start(b);
	assert_int_equal(node(b, "n0")->row.task->phase, TASK(WAITING_FOR_RESOURCES));
	assert_string_equal(node(b, "n0")->row.task->reason, "Exceeded resourcequota: no");
	assert_int_equal(node(b, "n0")->row.phase, NODE(QUEUED));
	assert_int_equal(b->m.wake_at_ns, b->m.now_ns + b->options.quota_delay_ns);
	step(b); /* too early */
	assert_int_equal(node(b, "n0")->row.task->phase, TASK(WAITING_FOR_RESOURCES));
	b->creation = CREATION_DONE;
	wait_for_retry(b);
	assert_int_equal(node(b, "n0")->row.task->phase, TASK(QUEUED));
	assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	bench_free(b);
}

static void test_a_refused_pod_fails_its_attempt(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, 3, NULL, 0);
	b->creation = CREATION_FAILED;
	b->refusal = POD_FAILURE_PERMANENT;
	start(b);
	assert_failed(b, "BadTaskFormat", "no", ERROR_KIND(USER));
	assert_int_equal(node(b, "n0")->row.task->phase, TASK(FAILED));
	bench_free(b);
}

/* No pod, and the input is the output. */
static void test_echo(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, 0, NULL, 0);
	workflow_task(&b->workflow, 0)->type = arena_strdup(&b->arena, "echo");
	b->creation = CREATION_FAILED; /* of any pod */
	start(b);
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	assert_int_equal(workflow_integer_of(b->m.execution.outputs, "o0"), 1);
	assert_int_equal(node(b, "n0")->row.task->phase, TASK(SUCCEEDED));
	assert_string_equal(node(b, "n0")->row.task->closure->metadata->plugin_identifier, "echo");
	bench_free(b);
}

static void test_echo_with_other_outputs(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, 0, NULL, 0);
	workflow_task(&b->workflow, 0)->type = arena_strdup(&b->arena, "echo");
	workflow_task(&b->workflow, 0)->interface->inputs = proto_new(&b->arena, flyteidl__core__variable_map);
	start(b);
	assert_failed(b, "BadTaskSpecification", "the number of input (0) and output (1) variables does not match",
	              ERROR_KIND(USER));
	bench_free(b);
}

/* ---- Plugin overrides ---- */

static void override_plugin(struct bench *b, const char *task_type, const char *plugin, bool or_default)
{
	Flyteidl__Admin__PluginOverride *override = proto_new(&b->arena, flyteidl__admin__plugin_override);
	Flyteidl__Admin__PluginOverrides *overrides = proto_new(&b->arena, flyteidl__admin__plugin_overrides);
	override->task_type = arena_strdup(&b->arena, task_type);
	if (plugin)
		proto_append(&b->arena, override->n_plugin_id, override->plugin_id, arena_strdup(&b->arena, plugin));
	if (or_default)
		override->missing_plugin_behavior =
		        FLYTEIDL__ADMIN__PLUGIN_OVERRIDE__MISSING_PLUGIN_BEHAVIOR__USE_DEFAULT;
	proto_append(&b->arena, overrides->n_overrides, overrides->overrides, override);
	b->plugin_overrides = overrides;
}

static void test_a_missing_plugin_fails_its_tasks(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, 3, NULL, 0);
	override_plugin(b, "python-task", "spark", false);
	start(b);
	assert_int_equal(b->m.execution.phase, EXECUTION(FAILED));
	assert_string_equal(b->m.execution.error->code, "UnsupportedTaskType");
	assert_non_null(strstr(b->m.execution.error->message,
	                       "no matching plugin overrides defined for Handler type [python-task]"));
	assert_int_equal(node(b, "n0")->row.task->phase, TASK(FAILED));
	assert_int_equal(node(b, "n0")->row.attempt, 0); /* trying again would not help */
	bench_free(b);
}

/* The plugin that runs the type is among those named, the default will do, nothing is named, or another type is meant. */
static void test_overrides_that_let_tasks_run(void **state)
{
	(void)state;
	static const struct {
		const char *task_type, *plugin;
		bool or_default;
	} cases[] = { { "python-task", "container", false },
		      { "python-task", "spark", true },
		      { "python-task", NULL, false },
		      { "sidecar", "spark", false } };
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct bench *b = bench_new();
		workflow_add_task(&b->workflow, 0, NULL, 0);
		override_plugin(b, cases[i].task_type, cases[i].plugin, cases[i].or_default);
		start(b);
		assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
		bench_free(b);
	}
}

/* ---- Deadlines ---- */

static Google__Protobuf__Duration *seconds(struct bench *b, int64_t value)
{
	Google__Protobuf__Duration *duration = proto_new(&b->arena, google__protobuf__duration);
	duration->seconds = value;
	return duration;
}

static void test_an_attempts_deadline(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	Flyteidl__Core__Node *n = workflow_add_task(&b->workflow, 1, NULL, 0);
	n->metadata->timeout = seconds(b, 90);
	start(b);
	assert_int_equal(b->m.wake_at_ns, b->m.now_ns + 90 * SECOND);
	observe(b, "n0", POD_RUNNING, POD_FAILURE_NONE, "", "");
	b->m.now_ns += 90 * SECOND;
	/* Deleted for its deadline by a round that then crashed: it still counts as the deadline's. */
	observe(b, "n0", POD_FAILED, POD_FAILURE_SYSTEM, "ResourceDeletedExternally", "gone");
	assert_int_equal(node(b, "n0")->row.user_failures, 1);
	assert_int_equal(node(b, "n0")->row.system_failures, 0);
	assert_true(machine_owns_pod(&b->m, "e1-n0-1"));
	assert_false(machine_owns_pod(&b->m, "e1-n0-0")); /* to be deleted */
	b->m.now_ns += 90 * SECOND;
	step(b);
	assert_failed(b, "RetriesExhausted|TimeoutExpired",
	              "[2/2] currentAttempt done. Last Error: USER::task execution timeout [1m30s] expired",
	              ERROR_KIND(USER));
	bench_free(b);
}

static void test_a_finished_pod_beats_the_deadline(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	Flyteidl__Core__Node *n = workflow_add_task(&b->workflow, 0, NULL, 0);
	n->metadata->timeout = seconds(b, 1);
	start(b);
	b->m.now_ns += 5 * SECOND;
	succeed(b, "n0");
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_a_nodes_deadline(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	Flyteidl__Core__Node *n = workflow_add_task(&b->workflow, 0, NULL, 0);
	n->metadata->timeout = seconds(b, 10);
	start(b);
	/* Interrupted again and again, it never uses up one attempt's time. */
	for (int i = 0; i < 2; i++) {
		b->m.now_ns += 8 * SECOND;
		observe(b, "n0", POD_FAILED, POD_FAILURE_SYSTEM, "Interrupted", "gone");
		wait_for_retry(b);
	}
	b->m.now_ns += 8 * SECOND;
	step(b);
	assert_int_equal(node(b, "n0")->row.phase, NODE(TIMED_OUT));
	assert_string_equal(node(b, "n0")->row.error->message, "task active timeout [20s] expired");
	assert_failed(b, "Timeout", "Timeout in node", ERROR_KIND(USER));
	bench_free(b);
}

static void test_deadlines_of_centuries(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	Flyteidl__Core__Node *n = workflow_add_task(&b->workflow, 0, NULL, 0);
	n->metadata->timeout = seconds(b, INT64_MAX);
	n->metadata->retries = proto_new(&b->arena, flyteidl__core__retry_strategy);
	n->metadata->retries->retries = UINT32_MAX;
	start(b);
	observe(b, "n0", POD_RUNNING, POD_FAILURE_NONE, "", "");
	assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	observe(b, "n0", POD_FAILED, POD_FAILURE_USER, "Error", "no");
	assert_int_equal(node(b, "n0")->row.user_failures, 1);
	assert_int_equal(b->m.execution.phase, EXECUTION(RUNNING));
	bench_free(b);
}

/* ---- Policies ---- */

static struct bench *two_and_a_follower(bool after_completion)
{
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, 0, NULL, 0);
	workflow_add_task(&b->workflow, 0, NULL, 0);
	workflow_add_task(&b->workflow, 0, (size_t[]){ 0 }, 1); /* n2 after n0 */
	workflow_add_task(&b->workflow, 0, (size_t[]){ 1 }, 1); /* n3 after n1 */
	if (after_completion)
		b->workflow.template->metadata->on_failure =
		        FLYTEIDL__CORE__WORKFLOW_METADATA__ON_FAILURE_POLICY__FAIL_AFTER_EXECUTABLE_NODES_COMPLETE;
	start(b);
	return b;
}

static void test_fail_immediately(void **state)
{
	(void)state;
	struct bench *b = two_and_a_follower(false);
	observe(b, "n1", POD_RUNNING, POD_FAILURE_NONE, "", "");
	observe(b, "n0", POD_FAILED, POD_FAILURE_PERMANENT, "Bad", "bad");
	assert_failed(b, "Bad", "bad", ERROR_KIND(USER));
	assert_int_equal(node(b, "n1")->row.phase, NODE(ABORTED));
	assert_string_equal(node(b, "n1")->row.error->code, "NodeAborted");
	assert_string_equal(node(b, "n1")->row.error->message, "Some node execution failed, auto-abort.");
	assert_int_equal(node(b, "n1")->row.task->phase, TASK(ABORTED));
	assert_int_equal(node(b, "n2")->row.phase, NODE(UNDEFINED)); /* no row */
	assert_false(machine_owns_pod(&b->m, "e1-n1-0"));
	bench_free(b);
}

static void test_fail_after_executable_nodes_complete(void **state)
{
	(void)state;
	struct bench *b = two_and_a_follower(true);
	observe(b, "n0", POD_FAILED, POD_FAILURE_PERMANENT, "Bad", "first");
	assert_int_equal(b->m.execution.phase, EXECUTION(RUNNING));
	assert_int_equal(node(b, "n2")->row.phase, NODE(SKIPPED));
	b->m.now_ns += SECOND;
	succeed(b, "n1");
	assert_int_equal(b->m.execution.phase, EXECUTION(RUNNING));
	observe(b, "n3", POD_FAILED, POD_FAILURE_PERMANENT, "Worse", "last");
	assert_failed(b, "Worse", "last", ERROR_KIND(USER));
	assert_int_equal(node(b, "end-node")->row.phase, NODE(SKIPPED));
	bench_free(b);
}

static void test_maximum_parallelism(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	for (int i = 0; i < 3; i++)
		workflow_add_task(&b->workflow, 0, NULL, 0);
	auto_err struct err e = ERR_INIT;
	const struct progress_execution execution = { .id = 1, .abort_cause = "", .outputs_uri = "" };
	const struct progress_nodes none = { 0 };
	b->definition = workflow_execution(&b->arena, workflow_finish(&b->workflow));
	Flyteidl__Admin__ExecutionSpec *spec = proto_new(&b->arena, flyteidl__admin__execution_spec);
	spec->max_parallelism = 2;
	b->definition.spec = spec;
	assert_int_equal(machine_graph_build(&b->arena, b->definition.closure, &b->graph, &e), 0);
	assert_int_equal(
	        machine_init(&b->m, &b->arena, &b->options, &b->definition, &b->graph, &execution, &none, SECOND, &e),
	        0);
	step(b);
	assert_int_equal(node(b, "n0")->row.phase, NODE(RUNNING));
	assert_int_equal(node(b, "n1")->row.phase, NODE(RUNNING));
	assert_int_equal(node(b, "n2")->row.phase, NODE(UNDEFINED));
	succeed(b, "n1");
	assert_int_equal(node(b, "n2")->row.phase, NODE(RUNNING));
	bench_free(b);
}

static void test_abort(void **state)
{
	(void)state;
	struct bench *b = two_and_a_follower(false);
	b->m.execution.phase = EXECUTION(ABORTING);
	b->m.execution.abort_cause = "I changed my mind";
	step(b);
	assert_int_equal(b->m.execution.phase, EXECUTION(ABORTED));
	assert_int_equal(node(b, "n0")->row.phase, NODE(ABORTED));
	assert_string_equal(node(b, "n0")->row.error->message, "I changed my mind");
	assert_int_equal(node(b, "n2")->row.phase, NODE(UNDEFINED));
	bench_free(b);
}

static void test_abort_before_the_start(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, 0, NULL, 0);
	auto_err struct err e = ERR_INIT;
	const struct progress_execution execution = {
		.id = 1, .phase = EXECUTION(ABORTING), .abort_cause = "", .outputs_uri = ""
	};
	const struct progress_nodes none = { 0 };
	b->definition = workflow_execution(&b->arena, workflow_finish(&b->workflow));
	assert_int_equal(machine_graph_build(&b->arena, b->definition.closure, &b->graph, &e), 0);
	assert_int_equal(
	        machine_init(&b->m, &b->arena, &b->options, &b->definition, &b->graph, &execution, &none, SECOND, &e),
	        0);
	step(b);
	assert_int_equal(b->m.execution.phase, EXECUTION(ABORTED));
	assert_int_equal(node(b, "n0")->row.phase, NODE(UNDEFINED));
	bench_free(b);
}

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
	node(b, "n0")->row.row_id = 7;
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

/* ---- What is shown of an attempt ---- */

static void test_phases_and_reasons(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, 0, NULL, 0);
	b->options.log_link_template = "http://logs/{{.namespace}}/{{.podName}}?x={{.other}}";
	start(b);
	const struct progress_task *task = node(b, "n0")->row.task;
	assert_string_equal(task->closure->metadata->plugin_identifier, "container");
	assert_string_equal(task->closure->metadata->generated_name, "e1-n0-0");
	assert_string_equal(task->closure->logs[0]->uri, "http://logs/flytesnacks-development/e1-n0-0?x={{.other}}");
	observe(b, "n0", POD_QUEUED, POD_FAILURE_NONE, "", "Unschedulable:0/1 nodes");
	assert_int_equal(task->phase_version, 1);
	observe(b, "n0", POD_QUEUED, POD_FAILURE_NONE, "", "Unschedulable:0/1 nodes");
	assert_int_equal(task->phase_version, 1);
	observe(b, "n0", POD_INITIALIZING, POD_FAILURE_NONE, "", "ContainerCreating");
	assert_int_equal(task->phase_version, 0);
	observe(b, "n0", POD_QUEUED, POD_FAILURE_NONE, "", "late");
	assert_int_equal(task->phase, TASK(INITIALIZING));
	b->m.now_ns += SECOND;
	observe(b, "n0", POD_RUNNING, POD_FAILURE_NONE, "", "");
	assert_int_equal(task->phase, TASK(RUNNING));
	assert_int_equal(task->started_at_ns, b->m.now_ns);
	observe(b, "n0", POD_INITIALIZING, POD_FAILURE_NONE, "", "later still");
	assert_int_equal(task->phase, TASK(RUNNING));
	assert_string_equal(task->closure->reasons[1]->message, "Unschedulable:0/1 nodes");
	assert_int_equal(task->closure->n_reasons, 4);
	for (int i = 0; i < 200; i++)
		observe(b, "n0", POD_RUNNING, POD_FAILURE_NONE, "", arena_printf(&b->arena, "reason %d", i));
	assert_int_equal(task->closure->n_reasons, 64);
	assert_string_equal(task->closure->reasons[63]->message, "reason 199");
	bench_free(b);
}

static void test_decks(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, 0, NULL, 0);
	Google__Protobuf__BoolValue *yes = proto_new(&b->arena, google__protobuf__bool_value);
	yes->value = true;
	workflow_task(&b->workflow, 0)->metadata->generates_deck = yes;
	start(b);
	/* Shown while the task runs. */
	assert_string_equal(node(b, "n0")->row.deck_uri,
	                    "s3://my-s3-bucket/metadata/propeller/flytesnacks-development-e1/n0/data/0/deck.html");
	assert_int_equal(machine_makes_deck(node(b, "n0")), DECK_ALWAYS);
	yes->value = false;
	assert_int_equal(machine_makes_deck(node(b, "n0")), DECK_NEVER);
	workflow_task(&b->workflow, 0)->metadata->generates_deck = NULL;
	assert_int_equal(machine_makes_deck(node(b, "n0")), DECK_PERHAPS);
	bench_free(b);
}

static void test_raw_output_and_checkpoints(void **state)
{
	(void)state;
	struct bench *b = one_task(0);
	char shard[3];
	names_shard("e1-n0-0", shard);
	assert_string_equal(machine_raw_output_prefix(&b->m, node(b, "n0"), 0),
	                    arena_printf(&b->arena, "s3://my-s3-bucket/data/%s/e1-n0-0", shard));
	assert_string_equal(node(b, "n0")->row.checkpoint_uri,
	                    arena_printf(&b->arena, "s3://my-s3-bucket/data/%s/e1-n0-0/_flytecheckpoints", shard));
	Flyteidl__Admin__ExecutionSpec *spec = proto_new(&b->arena, flyteidl__admin__execution_spec);
	spec->raw_output_data_config = proto_new(&b->arena, flyteidl__admin__raw_output_data_config);
	spec->raw_output_data_config->output_location_prefix = arena_strdup(&b->arena, "s3://mine/");
	b->definition.spec = spec;
	assert_string_equal(machine_raw_output_prefix(&b->m, node(b, "n0"), 0),
	                    arena_printf(&b->arena, "s3://mine/%s/e1-n0-0", shard));
	bench_free(b);
}

static void test_interruptible(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	Flyteidl__Core__Node *n = workflow_add_task(&b->workflow, 0, NULL, 0);
	b->workflow.template->metadata_defaults = proto_new(&b->arena, flyteidl__core__workflow_metadata_defaults);
	b->workflow.template->metadata_defaults->interruptible = true;
	start(b);
	assert_true(machine_node_is_interruptible(&b->m, node(b, "n0")));
	Flyteidl__Admin__ExecutionSpec *spec = proto_new(&b->arena, flyteidl__admin__execution_spec);
	spec->interruptible = proto_new(&b->arena, google__protobuf__bool_value);
	b->definition.spec = spec;
	assert_false(machine_node_is_interruptible(&b->m, node(b, "n0")));
	n->metadata->interruptible_value_case = FLYTEIDL__CORE__NODE_METADATA__INTERRUPTIBLE_VALUE_INTERRUPTIBLE;
	n->metadata->interruptible = true;
	assert_true(machine_node_is_interruptible(&b->m, node(b, "n0")));
	node(b, "n0")->row.system_failures = b->options.system_retries;
	assert_false(machine_node_is_interruptible(&b->m, node(b, "n0")));
	bench_free(b);
}

/* ---- Things that must not hang ---- */

static void test_a_cycle_ends_the_execution(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, 0, NULL, 0);
	workflow_add_task(&b->workflow, 0, (size_t[]){ 0 }, 1);
	/* The compiler refuses this; a closure from elsewhere might still have it. */
	b->workflow.closure->primary->connections->upstream[0]->value->ids[0] = arena_strdup(&b->arena, "n1");
	start(b);
	assert_failed(b, "IllegalStateError", "no node of the workflow can go on", ERROR_KIND(SYSTEM));
	bench_free(b);
}

static void test_an_empty_workflow_succeeds(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	start(b);
	assert_int_equal(b->m.execution.phase, EXECUTION(SUCCEEDED));
	bench_free(b);
}

static void test_broken_closures(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	struct machine_graph graph;
	for (int i = 0; i < 5; i++) {
		auto_err struct err e = ERR_INIT;
		struct workflow_builder b = workflow_builder(&arena);
		Flyteidl__Core__Node *n = workflow_add_task(&b, 0, NULL, 0);
		workflow_finish(&b);
		if (i == 0)
			b.closure->primary = NULL;
		else if (i == 1)
			b.closure->n_tasks = 0;
		else if (i == 2)
			b.template->nodes[2] = n; /* twice */
		else if (i == 3)
			n->inputs[0]->binding->promise->node_id = arena_strdup(&arena, "n9");
		else
			b.closure->primary->connections->upstream[0]->value->ids[0] = arena_strdup(&arena, "n9");
		assert_int_equal(machine_graph_build(&arena, b.closure, &graph, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
}

static void test_a_promise_without_a_value(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	Flyteidl__Core__Node *n = workflow_add_task(&b->workflow, 0, NULL, 0);
	n->inputs[0]->binding->promise->var = arena_strdup(&b->arena, "y");
	start(b);
	assert_int_equal(b->m.execution.phase, EXECUTION(FAILED));
	assert_string_equal(b->m.execution.error->code, "BindingResolutionFailure");
	assert_int_equal(b->m.execution.error->kind, ERROR_KIND(SYSTEM));
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permanent_failures_are_not_retried),
		cmocka_unit_test(test_the_users_budget),
		cmocka_unit_test(test_the_systems_budget_is_its_own),
		cmocka_unit_test(test_node_metadata_overrides_the_tasks_retries),
		cmocka_unit_test(test_error_documents),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_a_refused_pod_fails_its_attempt),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_echo_with_other_outputs),
		cmocka_unit_test(test_a_missing_plugin_fails_its_tasks),
		cmocka_unit_test(test_overrides_that_let_tasks_run),
		cmocka_unit_test(test_an_attempts_deadline),
		cmocka_unit_test(test_a_finished_pod_beats_the_deadline),
		cmocka_unit_test(test_a_nodes_deadline),
		cmocka_unit_test(test_deadlines_of_centuries),
		cmocka_unit_test(test_fail_immediately),
		cmocka_unit_test(test_fail_after_executable_nodes_complete),
		cmocka_unit_test(test_maximum_parallelism),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_abort_before_the_start),
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
		cmocka_unit_test(test_a_child_execution_succeeds),
		cmocka_unit_test(test_a_child_execution_fails),
		cmocka_unit_test(test_aborting_reaches_the_child_execution),
		cmocka_unit_test(test_an_approval),
		cmocka_unit_test(test_a_rejection),
		cmocka_unit_test(test_a_signals_value_is_the_output),
		cmocka_unit_test(test_a_gates_deadline),
		cmocka_unit_test(test_a_sleep),
		cmocka_unit_test(test_a_gate_is_aborted),
		cmocka_unit_test(test_phases_and_reasons),
		cmocka_unit_test(test_decks),
		cmocka_unit_test(test_raw_output_and_checkpoints),
		cmocka_unit_test(test_interruptible),
		cmocka_unit_test(test_a_cycle_ends_the_execution),
		cmocka_unit_test(test_an_empty_workflow_succeeds),
		cmocka_unit_test(test_broken_closures),
		cmocka_unit_test(test_a_promise_without_a_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
