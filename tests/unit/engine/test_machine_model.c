/*
 * The machine against the model of everything outside (model/model.h): random workflows of every kind of node run to
 * their end, whatever happens. What comes out is what the graph alone says, nothing that has succeeded runs again, also
 * in an execution that recovers the one before, and nothing is left running.
 */
#include "model/model.h"

#define NODES_MAXIMUM 10 /* of one workflow */

static bool is_branch(const struct machine_vertex *vertex)
{
	return vertex->kind == &machine_kind_branch;
}

/* Over what it follows; all have to succeed. */
static void fill_array(struct world *w, struct workflow_builder *b, const size_t *upstream, size_t upstream_count)
{
	const bool of_tasks = pick(w, 2);
	Flyteidl__Core__Node *node = of_tasks ? workflow_add_task_array(b, pick(w, 3), upstream, upstream_count)
	                                      : workflow_add_launch_plan_array(b, upstream, upstream_count);
	if (of_tasks) {
		Flyteidl__Core__TaskMetadata *metadata = workflow_task(b, b->closure->n_tasks - 1)->metadata;
		metadata->discoverable = pick(w, 3) == 0;
	}
	if (pick(w, 2)) {
		node->array_node->parallelism_option_case = FLYTEIDL__CORE__ARRAY_NODE__PARALLELISM_OPTION_PARALLELISM;
		node->array_node->parallelism = pick(w, 3);
	}
}

/* Some nodes may take only so long: about as many rounds as some need. */
static void limit_some(struct world *w, struct workflow_builder *b)
{
	for (size_t i = 1; i < b->template->n_nodes; i++) {
		Flyteidl__Core__Node *node = b->template->nodes[i];
		if (pick(w, 12))
			continue;
		if (!node->metadata)
			node->metadata = proto_new(&w->arena, flyteidl__core__node_metadata);
		node->metadata->timeout = proto_new(&w->arena, google__protobuf__duration);
		node->metadata->timeout->nanos = (int32_t)(10 + pick(w, 40)) * 1000000;
		node->metadata->retries = proto_new(&w->arena, flyteidl__core__retry_strategy);
		node->metadata->retries->retries = pick(w, 3);
		w->limited = true;
	}
}

/* Random nodes, some of them workflows of their own. */
static void fill(struct world *w, struct workflow_builder *b, unsigned depth)
{
	const size_t count = 1 + pick(w, depth == 0 ? NODES_MAXIMUM - 1 : 4);
	for (size_t i = 0; i < count; i++) {
		size_t upstream[NODES_MAXIMUM], upstream_count = 0;
		for (size_t k = 0; k < i; k++) {
			if (pick(w, 3) == 0)
				upstream[upstream_count++] = k;
		}
		if (depth + 1 < DEPTH_MAXIMUM && pick(w, 4) == 0) {
			struct workflow_builder sub = workflow_sub_builder(b);
			fill(w, &sub, depth + 1);
			workflow_add_sub(b, &sub, upstream, upstream_count);
		} else if (pick(w, 12) == 0) {
			workflow_add_approval(b, upstream, upstream_count);
		} else if (pick(w, 12) == 0) {
			workflow_add_signal(b, upstream, upstream_count);
		} else if (pick(w, 12) == 0) {
			workflow_add_launch_plan(b, upstream, upstream_count);
		} else if (pick(w, 10) == 0) {
			fill_array(w, b, upstream, upstream_count);
		} else if (pick(w, 5) == 0) {
			workflow_add_branch(b, (int64_t)pick(w, 6), NULL, pick(w, 3), upstream, upstream_count);
		} else {
			workflow_add_task(b, pick(w, 3), upstream, upstream_count);
			Flyteidl__Core__TaskMetadata *metadata = workflow_task(b, b->closure->n_tasks - 1)->metadata;
			metadata->discoverable = pick(w, 3) == 0;
			metadata->cache_serializable = pick(w, 2);
			if (pick(w, 3) == 0)
				workflow_task(b, b->closure->n_tasks - 1)->type = arena_strdup(b->arena, CONNECTED);
		}
	}
	limit_some(w, b);
	if (pick(w, 3) == 0 && depth == 0)
		workflow_add_sleep(b, 60, (size_t[]){ 0 }, pick(w, 2));
	if (pick(w, 3) == 0)
		workflow_add_failure_task(b);
	if (pick(w, 2))
		b->template->metadata->on_failure =
		        FLYTEIDL__CORE__WORKFLOW_METADATA__ON_FAILURE_POLICY__FAIL_AFTER_EXECUTABLE_NODES_COMPLETE;
	workflow_finish(b);
}

static void make_workflow(struct world *w)
{
	struct workflow_builder b = workflow_builder(&w->arena);
	fill(w, &b, 0);
	auto_err struct err e = ERR_INIT;
	w->definition = workflow_execution(&w->arena, b.closure);
	assert_int_equal(machine_graph_build(&w->arena, w->definition.closure, &w->graph, &e), 0);
	if (pick(w, 2)) {
		Flyteidl__Admin__ExecutionSpec *spec = proto_new(&w->arena, flyteidl__admin__execution_spec);
		spec->max_parallelism = (int32_t)(1 + pick(w, 3));
		w->definition.spec = spec;
	}
	if (pick(w, 3) == 0)
		w->definition.inputs = NULL; /* too large for the row */
}

/* What a node has to put out, computed from the graph alone. `x` is its workflow's input. */
static int64_t expected_output(const struct machine_graph *graph, size_t vertex, int64_t x)
{
	const struct machine_vertex *v = &graph->vertices[vertex];
	if (vertex == graph->start)
		return x;
	if (is_branch(v)) {
		const int64_t value = expected_output(graph, v->upstream[0], x);
		const Flyteidl__Core__IfBlock *first = v->node->branch_node->if_else->case_;
		const int64_t limit = first->condition->comparison->right_value->scalar->primitive->integer;
		return value <= limit ? value + 1 : 2 * value + 1;
	}
	if (v->kind == &machine_kind_gate)
		return v->node->gate_node->condition_case == FLYTEIDL__CORE__GATE_NODE__CONDITION_SIGNAL
		               ? SIGNAL_VALUE
		               : expected_output(graph, v->upstream[0], x);
	if (v->array || v->kind == &machine_kind_launch_plan) /* its first element, or all of it */
		return expected_output(graph, v->upstream[0], x) + 1;
	if (v->inner) {
		const struct machine_vertex *end = &v->inner->vertices[v->inner->end];
		return expected_output(v->inner, end->upstream[end->upstream_count - 1],
		                       expected_output(graph, v->upstream[0], x));
	}
	int64_t total = 1;
	for (size_t i = 0; i < v->upstream_count; i++)
		total += expected_output(graph, v->upstream[i], x);
	return total;
}

static void check_outputs(const struct world *w)
{
	const struct machine_vertex *end = &w->graph.vertices[w->graph.end];
	if (w->definition.closure->primary->template_->n_outputs == 0) {
		assert_string_equal(w->execution.outputs_uri, "");
		return;
	}
	assert_true(w->end_written);
	assert_string_equal(
	        w->execution.outputs_uri,
	        "s3://my-s3-bucket/metadata/propeller/flytesnacks-development-e1/end-node/data/0/outputs.pb");
	for (size_t i = 0; i < end->upstream_count; i++) {
		const struct machine_vertex *leaf = &w->graph.vertices[end->upstream[i]];
		char name[16];
		if (leaf->kind == &machine_kind_gate &&
		    leaf->node->gate_node->condition_case == FLYTEIDL__CORE__GATE_NODE__CONDITION_SLEEP)
			continue;
		(void)snprintf(name, sizeof(name), "o%s", leaf->id + 1);
		assert_int_equal(workflow_integer_of(w->execution.outputs, name),
		                 expected_output(&w->graph, end->upstream[i], 1));
	}
}

/* Some pod ended badly or vanished. */
static bool there_was_a_reason(const struct world *w)
{
	for (size_t i = 0; i < w->pod_count; i++) {
		if (w->pods[i].gone || (w->pods[i].fate != FATE_SUCCESS && w->pods[i].fate != FATE_DYNAMIC))
			return true;
	}
	for (size_t i = 0; i < w->child_count; i++) {
		if (w->children[i].fate != EXECUTION(SUCCEEDED))
			return true;
	}
	return w->rejected || w->limited;
}

static void check_end(struct world *w, bool aborted)
{
	for (size_t i = 0; i < w->pod_count; i++)
		assert_true(pod_has_ended(&w->pods[i])); /* nothing runs on */
	for (size_t i = 0; i < w->child_count; i++)
		assert_true(progress_execution_is_finished(w->children[i].phase));
	switch (w->execution.phase) {
	case EXECUTION(SUCCEEDED):
		for (size_t i = 0; i < w->rows.count; i++) /* what is below them is check_invariants' */
			assert_true(w->rows.nodes[i].parent_row_id || has_succeeded(w->rows.nodes[i].phase) ||
			            w->rows.nodes[i].phase == NODE(SKIPPED));
		check_outputs(w);
		break;
	case EXECUTION(FAILED): {
		bool any = false;
		assert_non_null(w->execution.error);
		for (size_t i = 0; i < w->rows.count; i++)
			any = any || w->rows.nodes[i].phase == NODE(FAILED) ||
			      w->rows.nodes[i].phase == NODE(TIMED_OUT);
		assert_true(any);
		if (!there_was_a_reason(w))
			fail_msg("failed for no reason: %s: %s", w->execution.error->code, w->execution.error->message);
		break;
	}
	case EXECUTION(ABORTED):
		assert_true(aborted);
		break;
	default:
		fail_msg("the execution ends in phase %d", (int)w->execution.phase);
	}
}

/* Over all worlds. */
static unsigned hits, waits, recovered, dynamics, signals, children, arrays, recovered_elements, connected;
static const struct connector_catalog *catalog;

/* Another execution that takes over from the one that has just ended: what succeeded there does not run again. */
static void recover_world(struct world *w, unsigned seed)
{
	world_recover(w);
	const bool aborted = world_play(w, seed);
	check_end(w, aborted);
	for (size_t i = 0; i < w->array_count; i++) {
		for (size_t k = 0; k < w->arrays[i]->size; k++)
			recovered_elements += w->arrays[i]->rows[k][0].phase == NODE(RECOVERED);
	}
	for (size_t i = 0; i < w->rows.count; i++) {
		const struct progress_node *row = &w->rows.nodes[i], *before = find_earlier(w, row->node_id);
		if (row->phase != NODE(RECOVERED))
			continue;
		recovered++;
		assert_true(before && has_succeeded(before->phase));
		assert_null(row->task);
		assert_non_null(row->outputs);
	}
}

static void run_world(unsigned seed, unsigned *ended)
{
	struct world *w = world_new(seed);
	w->options.connectors = catalog;
	w->dynamics_happen = true;
	w->bad_percent = (unsigned[]){ 0, 10, 30 }[pick(w, 3)];
	make_workflow(w);
	const bool aborted = world_play(w, seed);
	check_end(w, aborted);
	for (size_t i = 0; i < w->entry_count; i++)
		assert_true(!w->entries[i].owner || w->entries[i].owner == STRANGER); /* nobody waits for us for ever */
	for (size_t i = 0; i < w->rows.count; i++)
		hits += w->rows.nodes[i].cache_status == FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_HIT;
	waits += w->waits;
	dynamics += (unsigned)w->dynamic_count;
	signals += (unsigned)w->signal_count;
	for (size_t i = 0; i < w->pod_count; i++)
		connected += w->pods[i].connector && w->pods[i].fate == FATE_SUCCESS && !w->pods[i].gone;
	children += (unsigned)w->child_count;
	arrays += (unsigned)w->array_count;
	ended[w->execution.phase]++;
	if (w->execution.phase != EXECUTION(SUCCEEDED))
		recover_world(w, seed);
	world_free(w);
}

static void test_random_worlds(void **state)
{
	(void)state;
	unsigned ended[10] = { 0 };
	for (unsigned seed = 1; seed <= 1500; seed++)
		run_world(seed, ended);
	/* The worlds are worth something only if they end in different ways. */
	assert_true(ended[EXECUTION(SUCCEEDED)] > 200);
	assert_true(ended[EXECUTION(FAILED)] > 200);
	assert_true(ended[EXECUTION(ABORTED)] > 50);
	assert_true(hits > 200 && waits > 200 && recovered > 200 && dynamics > 200 && signals > 200);
	assert_true(connected > 200);
	assert_true(children > 200 && arrays > 200 && recovered_elements > 20);
}

static int make_catalog(void **state)
{
	static const char text[] = "plugins: {connector-service: {defaultConnector: {endpoint: \"c:1\"},"
				   " supportedTaskTypes: [connected]}}";
	auto_err struct err e = ERR_INIT;
	auto_settings const struct settings *settings = NULL;
	(void)state;
	assert_int_equal(settings_parse(text, strlen(text), "test", false, &settings, &e), 0);
	catalog = connector_catalog_new(settings, NULL, NULL);
	return 0;
}

static int free_catalog(void **state)
{
	(void)state;
	catalog = connector_catalog_release(catalog);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_random_worlds, make_catalog,
	                                                                    free_catalog) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
