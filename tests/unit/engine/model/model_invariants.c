/* What holds of everything that is committed, whatever has happened. */
#include "model.h"

static const struct machine_vertex *vertex_of(const struct world *w, const struct progress_node *row);

/* The graph that the row's node is in. */
static const struct machine_graph *graph_of(const struct world *w, const struct progress_node *row)
{
	if (!row->parent_row_id)
		return &w->graph;
	const struct progress_node *parent = &w->rows.nodes[row->parent_row_id - 1];
	if (parent->is_dynamic)
		return &find_dynamic(w, parent->node_id, (uint32_t)strtoul(row->retry_group, NULL, 10))->graph;
	return vertex_of(w, parent)->inner;
}

static const struct machine_vertex *vertex_of(const struct world *w, const struct progress_node *row)
{
	const struct machine_graph *graph = graph_of(w, row);
	for (size_t i = 0; i < graph->count; i++) {
		if (text_equal(graph->vertices[i].id, row->spec_node_id))
			return &graph->vertices[i];
	}
	if (graph->failure && text_equal(graph->failure->id, row->spec_node_id))
		return graph->failure;
	fail_msg("no vertex for row %s", row->node_id);
	return NULL;
}

/* The phase of a node in the same scope as `sibling`. */
static Flyteidl__Core__NodeExecution__Phase phase_beside(const struct world *w, const struct progress_node *sibling,
                                                         const char *spec_node_id)
{
	for (size_t i = 0; i < w->rows.count; i++) {
		const struct progress_node *row = &w->rows.nodes[i];
		if (row->parent_row_id == sibling->parent_row_id &&
		    text_equal(row->retry_group, sibling->retry_group) && text_equal(row->spec_node_id, spec_node_id))
			return row->phase;
	}
	return NODE(UNDEFINED);
}

static bool is_branch(const struct machine_vertex *vertex)
{
	return vertex->kind == &machine_kind_branch;
}

static void check_parent(const struct world *w, const struct progress_node *row)
{
	if (!row->parent_row_id)
		return;
	const struct progress_node *parent = &w->rows.nodes[row->parent_row_id - 1];
	assert_true(parent->is_parent);
	if (phase_is_active(row->phase)) {
		assert_true(phase_is_active(parent->phase));
		assert_int_equal(strtoul(row->retry_group, NULL, 10), parent->attempt);
	}
	if (parent->phase == NODE(SUCCEEDED) && strtoul(row->retry_group, NULL, 10) == parent->attempt)
		assert_true(has_succeeded(row->phase) ||
		            (row->phase == NODE(SKIPPED) && is_branch(vertex_of(w, parent))));
}

/* A failure node runs alone, after everything else is over. */
static void check_failure_node(const struct world *w, const struct progress_node *row)
{
	if (row->phase == NODE(UNDEFINED) || graph_of(w, row)->failure != vertex_of(w, row))
		return;
	for (size_t i = 0; i < w->rows.count; i++) {
		const struct progress_node *other = &w->rows.nodes[i];
		if (other != row && other->parent_row_id == row->parent_row_id &&
		    text_equal(other->retry_group, row->retry_group))
			assert_true(phase_is_final(other->phase));
	}
	if (row->parent_row_id)
		assert_true(w->rows.nodes[row->parent_row_id - 1].phase >= NODE(FAILING));
	else
		assert_true(w->execution.phase >= EXECUTION(FAILING));
}

/* Of one element the last attempt goes on, at most one attempt has an end of its own, and success has a reason. */
static bool check_element(struct world *w, const struct fake_array *array, size_t index)
{
	size_t current = 0, finals = 0;
	for (size_t k = 0; k < ATTEMPTS_MAXIMUM; k++) {
		const struct array_element *row = &array->rows[index][k];
		if (!array->saved[index][k])
			continue;
		current = k;
		finals += phase_is_final(row->phase);
		if (row->phase == NODE(UNDEFINED))
			assert_int_equal(row->task_phase, TASK(FAILED));
		assert_true(row->system_failures <= w->options.system_retries);
	}
	for (size_t k = 0; k < current; k++)
		assert_true(!array->saved[index][k] || array->rows[index][k].phase == NODE(UNDEFINED));
	assert_true(finals <= 1);
	const struct array_element *row = &array->rows[index][current];
	if (row->phase == NODE(SUCCEEDED) && !text_is_empty(row->pod_name)) {
		const struct fake_pod *pod = find_pod(w, row->pod_name);
		assert_true(pod && pod->state == POD_SUCCEEDED && pod->fate == FATE_SUCCESS);
	}
	return phase_is_active(row->phase);
}

static void check_array(struct world *w, const struct fake_array *array)
{
	size_t active = 0;
	for (size_t i = 0; i < array->size; i++)
		active += check_element(w, array, i);
	assert_true(active <= array->limit);
	if (phase_is_final(find_row(w, array->node)->phase))
		assert_int_equal(active, 0);
}

static void check_row(const struct world *w, const struct progress_node *row)
{
	const struct machine_vertex *vertex = vertex_of(w, row);
	const struct progress_node *around = row; /* bindings within a branch name nodes around it */
	while (around->parent_row_id && is_branch(vertex_of(w, &w->rows.nodes[around->parent_row_id - 1])))
		around = &w->rows.nodes[around->parent_row_id - 1];
	const struct machine_graph *graph = graph_of(w, around);
	if (row->phase == NODE(QUEUED) || row->phase == NODE(RUNNING) || row->phase == NODE(SUCCEEDED)) {
		for (size_t k = 0; k < vertex->upstream_count; k++)
			assert_true(has_succeeded(phase_beside(w, around, graph->vertices[vertex->upstream[k]].id)));
	}
	if (row->phase == NODE(FAILED) || row->phase == NODE(ABORTED))
		assert_non_null(row->error);
	check_parent(w, row);
	check_failure_node(w, row);
	if (row->cache_status == FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_HIT) {
		assert_int_equal(row->phase, NODE(SUCCEEDED));
		assert_null(row->task);
		assert_non_null(row->cache_metadata);
	}
	if (vertex->kind != &machine_kind_task)
		return;
	assert_true(row->user_failures < machine_maximum_attempts(&(struct machine){ .options = &w->options },
	                                                          &(struct machine_node){ .vertex = vertex }));
	assert_true(row->system_failures <= w->options.system_retries);
	assert_int_equal(row->attempt, row->user_failures + row->system_failures);
}

void check_invariants(struct world *w)
{
	unsigned running = 0, active = 0;
	for (size_t i = 0; i < w->rows.count; i++) {
		const struct progress_node *row = &w->rows.nodes[i];
		check_row(w, row);
		active += phase_is_active(row->phase);
		running += vertex_of(w, row)->kind && vertex_of(w, row)->kind->counts_for_parallelism &&
		           phase_is_active(row->phase) && row->phase != NODE(DYNAMIC_RUNNING);
	}
	for (size_t i = 0; i < w->array_count; i++)
		check_array(w, w->arrays[i]);
	if (w->definition.spec->max_parallelism > 0)
		assert_true(running <= (unsigned)w->definition.spec->max_parallelism);
	if (progress_execution_is_finished(w->execution.phase))
		assert_int_equal(active, 0);
}
