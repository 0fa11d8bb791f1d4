#include "machine_bench.h"

struct bench *bench_new(void)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	b->arena = (struct arena)ARENA_INIT((size_t)64 << 20);
	b->workflow = workflow_builder(&b->arena);
	b->options = (struct machine_options)MACHINE_OPTIONS_DEFAULT;
	return b;
}

void bench_free(struct bench *b)
{
	arena_release(&b->arena);
	free(b);
}

struct machine_node *node(struct bench *b, const char *id)
{
	for (size_t i = 0; i < b->m.node_count; i++) {
		if (text_equal(b->m.nodes[i]->row.node_id, id))
			return b->m.nodes[i];
	}
	fail_msg("no node %s", id);
	return NULL;
}

void step(struct bench *b)
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
				assert_true(n->saved && n->saved_attempt == n->row.attempt);
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

void start(struct bench *b)
{
	auto_err struct err e = ERR_INIT;
	const struct progress_execution execution = { .id = 1, .abort_cause = "", .outputs_uri = "" };
	const struct progress_nodes none = { 0 };
	b->definition = workflow_execution(&b->arena, workflow_finish(&b->workflow));
	b->definition.plugin_overrides = b->plugin_overrides;
	if (b->max_parallelism) {
		Flyteidl__Admin__ExecutionSpec *spec = proto_new(&b->arena, flyteidl__admin__execution_spec);
		spec->max_parallelism = b->max_parallelism;
		b->definition.spec = spec;
	}
	assert_int_equal(machine_graph_build(&b->arena, b->definition.closure, &b->graph, &e), 0);
	assert_int_equal(
	        machine_init(&b->m, &b->arena, &b->options, &b->definition, &b->graph, &execution, &none, SECOND, &e),
	        0);
	step(b);
}

struct bench *one_task(uint32_t retries)
{
	struct bench *b = bench_new();
	workflow_add_task(&b->workflow, retries, NULL, 0);
	start(b);
	return b;
}

void observe(struct bench *b, const char *id, enum pod_state state, enum pod_failure failure, const char *code,
             const char *message)
{
	struct machine_node *n = node(b, id);
	n->pod.known = true;
	n->pod.observation =
	        (struct pod_observation){ .state = state, .failure = failure, .code = code, .message = message };
	step(b);
	n->pod.known = false;
}

void succeed(struct bench *b, const char *id)
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

void fail_with(struct bench *b, const char *id, Flyteidl__Core__ContainerError__Kind kind,
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

void assert_failed(struct bench *b, const char *code, const char *message,
                   Flyteidl__Core__ExecutionError__ErrorKind kind)
{
	assert_int_equal(b->m.execution.phase, EXECUTION(FAILED));
	assert_string_equal(b->m.execution.error->code, code);
	assert_string_equal(b->m.execution.error->message, message);
	assert_int_equal(b->m.execution.error->kind, kind);
}

void wait_for_retry(struct bench *b)
{
	assert_true(b->m.wake_at_ns > b->m.now_ns);
	b->m.now_ns = b->m.wake_at_ns;
	step(b);
}

Google__Protobuf__Duration *seconds(struct bench *b, int64_t value)
{
	Google__Protobuf__Duration *duration = proto_new(&b->arena, google__protobuf__duration);
	duration->seconds = value;
	return duration;
}
