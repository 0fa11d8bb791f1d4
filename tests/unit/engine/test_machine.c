/* The machine's rules for tasks one by one: each row of reference §2.9, timeouts, policies, what is shown of an
 * attempt. */
#include "machine_bench.h"

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

/* With one budget for all, whoever is to blame. */
static void test_the_cause_of_retries_is_ignored(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	b->options.ignore_retry_cause = true;
	workflow_add_task(&b->workflow, 1, NULL, 0);
	start(b);
	observe(b, "n0", POD_FAILED, POD_FAILURE_SYSTEM, "Interrupted", "no");
	wait_for_retry(b);
	assert_int_equal(node(b, "n0")->row.attempt, 1);
	observe(b, "n0", POD_FAILED, POD_FAILURE_SYSTEM, "Interrupted", "no");
	assert_failed(b, "RetriesExhausted|Interrupted", "[2/2] currentAttempt done. Last Error: SYSTEM::no",
	              ERROR_KIND(USER));
	bench_free(b);
}

static void test_attempts_of_tasks_that_ask_for_none(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	b->options.default_maximum_attempts = 2;
	workflow_add_task(&b->workflow, 0, NULL, 0);
	start(b);
	observe(b, "n0", POD_FAILED, POD_FAILURE_USER, "OOMKilled", "no");
	assert_int_equal(node(b, "n0")->row.attempt, 1);
	observe(b, "n0", POD_FAILED, POD_FAILURE_USER, "OOMKilled", "no");
	assert_failed(b, "RetriesExhausted|OOMKilled", "[2/2] currentAttempt done. Last Error: USER::no",
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

/* ---- What is shown of an attempt ---- */

static void test_phases_and_reasons(void **state)
{
	(void)state;
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, 0, NULL, 0);
	b->options.log_links.kubernetes = "http://logs/{{.namespace}}/{{ .podname }}?x={{.other}}";
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
	/* The last of the system's attempts runs where it cannot be interrupted, or those after so many failures. */
	node(b, "n0")->row.system_failures = b->options.system_retries - 1;
	assert_true(machine_node_is_interruptible(&b->m, node(b, "n0")));
	node(b, "n0")->row.system_failures = b->options.system_retries;
	assert_false(machine_node_is_interruptible(&b->m, node(b, "n0")));
	b->options.interruptible_threshold = 1;
	node(b, "n0")->row.system_failures = 1;
	assert_false(machine_node_is_interruptible(&b->m, node(b, "n0")));
	node(b, "n0")->row.system_failures = 0;
	assert_true(machine_node_is_interruptible(&b->m, node(b, "n0")));
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
		cmocka_unit_test(test_the_cause_of_retries_is_ignored),
		cmocka_unit_test(test_attempts_of_tasks_that_ask_for_none),
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
