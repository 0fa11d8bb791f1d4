/* The database of the model: only what was committed. */
#include "model.h"

static struct progress_task *copy_task(struct arena *arena, const struct progress_task *from)
{
	struct progress_task *to = arena_copy(arena, from, sizeof(*from));
	to->pod_name = arena_strdup(arena, from->pod_name);
	to->pod_namespace = arena_strdup(arena, from->pod_namespace);
	to->inputs_uri = arena_strdup(arena, from->inputs_uri);
	to->outputs_uri = arena_strdup(arena, from->outputs_uri);
	to->reason = arena_strdup(arena, from->reason);
	to->closure = proto_copy(arena, from->closure);
	to->closure->reasons = proto_copy_array(arena, to->closure->reasons, to->closure->n_reasons);
	to->error = from->error ? proto_copy(arena, from->error) : NULL;
	to->outputs = NULL;
	to->changed = false;
	to->row_id = 1;
	return to;
}

static struct progress_node copy_node(struct arena *arena, const struct progress_node *from)
{
	struct progress_node to = *from;
	to.node_id = arena_strdup(arena, from->node_id);
	to.spec_node_id = arena_strdup(arena, from->spec_node_id);
	to.retry_group = arena_strdup(arena, from->retry_group);
	to.inputs_uri = arena_strdup(arena, from->inputs_uri);
	to.outputs_uri = arena_strdup(arena, from->outputs_uri);
	to.deck_uri = arena_strdup(arena, from->deck_uri);
	to.checkpoint_uri = to.dynamic_workflow_uri = "";
	to.dynamic = NULL;
	to.dynamic_graph = NULL;
	to.cache_tag = arena_strdup(arena, from->cache_tag);
	to.cache_metadata = from->cache_metadata ? proto_copy(arena, from->cache_metadata) : NULL;
	to.error = from->error ? proto_copy(arena, from->error) : NULL;
	to.outputs = from->outputs ? proto_copy(arena, from->outputs) : NULL;
	to.inputs = NULL;
	to.task = from->task ? copy_task(arena, from->task) : NULL;
	to.changed = false;
	return to;
}

static struct array_element copy_element(struct arena *arena, const struct array_element *from)
{
	struct array_element to = *from;
	to.pod_name = arena_strdup(arena, from->pod_name);
	to.child_name = arena_strdup(arena, from->child_name);
	to.reason = arena_strdup(arena, from->reason);
	to.cache_tag = arena_strdup(arena, from->cache_tag);
	to.error = from->error ? proto_copy(arena, from->error) : NULL;
	to.outputs = from->outputs ? proto_copy(arena, from->outputs) : NULL;
	return to;
}

struct progress_node *find_row(struct world *w, const char *node_id)
{
	for (size_t i = 0; i < w->rows.count; i++) {
		if (text_equal(w->rows.nodes[i].node_id, node_id))
			return &w->rows.nodes[i];
	}
	return NULL;
}

static void save_node(struct world *w, const struct machine_node *node)
{
	const struct progress_node *row = &node->row;
	struct progress_node *saved = find_row(w, row->node_id);
	if (saved) {
		assert_false(phase_is_final(saved->phase)); /* what is over stays as it is */
		assert_true(row->attempt >= saved->attempt);
		if (saved->task && row->task && saved->task->attempt == row->task->attempt) {
			assert_true(saved->task->phase != TASK(SUCCEEDED) || saved->is_dynamic);
			assert_false(saved->task->phase == TASK(RUNNING) && row->task->phase == TASK(QUEUED));
		}
		*saved = copy_node(&w->arena, row);
		return;
	}
	struct progress_node copy = copy_node(&w->arena, row);
	copy.row_id = (int64_t)w->rows.count + 1;
	if (node->scope->parent) {
		const struct progress_node *parent = find_row(w, node->scope->parent->row.node_id);
		assert_non_null(parent); /* saved before its children */
		copy.parent_row_id = parent->row_id;
	}
	assert_true(w->rows.count < ROWS_MAXIMUM);
	w->rows.nodes[w->rows.count++] = copy;
}

struct fake_array *find_array(const struct world *w, const char *node_id, uint32_t attempt)
{
	for (size_t i = 0; i < w->array_count; i++) {
		if (w->arrays[i]->attempt == attempt && text_equal(w->arrays[i]->node, node_id))
			return w->arrays[i];
	}
	return NULL;
}

bool is_committed(struct world *w, const struct machine_node *node)
{
	if (!node->element_of)
		return find_row(w, node->row.node_id) != NULL;
	const struct progress_node *array = &node->element_of->row;
	const struct fake_array *saved = find_array(w, array->node_id, array->attempt);
	return saved && saved->saved[node->index][node->row.attempt];
}

static void save_element(struct world *w, struct fake_array *array, const struct array_element *row)
{
	assert_true(row->index < array->size && row->attempt < ATTEMPTS_MAXIMUM);
	struct array_element *saved = &array->rows[row->index][row->attempt];
	if (array->saved[row->index][row->attempt])
		assert_true(phase_is_active(saved->phase)); /* what is over stays as it is */
	*saved = copy_element(&w->arena, row);
	array->saved[row->index][row->attempt] = true;
}

static void save_elements(struct world *w, const struct machine_node *node, const struct progress_task *task,
                          const struct array_elements *changes)
{
	struct fake_array *array = find_array(w, node->row.node_id, task->attempt);
	if (!array) {
		assert_true(w->array_count < ARRAYS_MAXIMUM);
		array = w->arrays[w->array_count++] = arena_new(&w->arena, struct fake_array);
		*array = (struct fake_array){ .node = arena_strdup(&w->arena, node->row.node_id),
			                      .attempt = task->attempt,
			                      .size = task->array_size,
			                      .limit = w->options.array_parallelism };
		if (node->vertex->array->parallelism > 0 && node->vertex->array->parallelism < array->limit)
			array->limit = node->vertex->array->parallelism;
	}
	for (size_t i = 0; i < changes->count; i++)
		save_element(w, array, &changes->list[i]);
}

struct array_elements load_elements(const struct fake_array *array, struct arena *arena, bool only_active)
{
	struct array_elements elements = { 0 };
	for (size_t i = 0; array && i < array->size; i++) {
		for (size_t k = ATTEMPTS_MAXIMUM; k > 0; k--) {
			const struct array_element *row = &array->rows[i][k - 1];
			if (!array->saved[i][k - 1] || (only_active && !phase_is_active(row->phase)))
				continue;
			proto_append(arena, elements.count, elements.list, copy_element(arena, row));
			break;
		}
	}
	return elements;
}

struct array_elements load_earlier_elements(const struct world *w, struct arena *arena, const char *node_id)
{
	const struct progress_node *earlier = find_earlier(w, node_id);
	struct array_elements elements = { 0 };
	for (size_t i = 0; i < w->earlier_array_count; i++) {
		const struct fake_array *array = w->earlier_arrays[i];
		if (!text_equal(array->node, node_id) || array->attempt != earlier->attempt)
			continue;
		const struct array_elements all = load_elements(array, arena, false);
		for (size_t k = 0; k < all.count; k++) {
			if (has_succeeded(all.list[k].phase))
				proto_append(arena, elements.count, elements.list, all.list[k]);
		}
	}
	return elements;
}

struct progress_nodes load_rows(struct world *w, struct arena *arena)
{
	struct progress_nodes rows = { .count = w->rows.count,
		                       .nodes = arena_array(arena, struct progress_node, w->rows.count) };
	for (size_t i = 0; i < rows.count; i++) {
		struct progress_node *row = &rows.nodes[i];
		*row = copy_node(arena, &w->rows.nodes[i]);
		row->outputs = NULL;
		if (row->phase == NODE(DYNAMIC_RUNNING) && row->task)
			row->dynamic_graph = &find_dynamic(w, row->node_id, row->attempt)->graph;
		if (row->task && row->task->is_array)
			row->task->elements = load_elements(find_array(w, row->node_id, row->attempt), arena, true);
	}
	return rows;
}

static bool owns_connector(const struct machine *m, const char *name)
{
	for (size_t i = 0; i < m->node_count; i++) {
		if (machine_node_has_connector(m->nodes[i]) && text_equal(m->nodes[i]->row.task->pod_name, name))
			return true;
	}
	return false;
}

void commit(struct world *w, struct machine *m)
{
	settle_catalog(w, m);
	if (m->execution.changed) {
		assert_false(progress_execution_is_finished(w->execution.phase));
		w->execution = m->execution;
		w->execution.changed = false;
		w->execution.error = m->execution.error ? proto_copy(&w->arena, m->execution.error) : NULL;
		w->execution.outputs = m->execution.outputs ? proto_copy(&w->arena, m->execution.outputs) : NULL;
		w->execution.outputs_uri = arena_strdup(&w->arena, m->execution.outputs_uri);
	}
	for (size_t i = 0; i < m->node_count; i++) {
		struct machine_node *node = m->nodes[i];
		struct array_elements changes;
		if (node->element_of)
			continue;
		if (node->row.changed || (node->row.task && node->row.task->changed))
			save_node(w, node);
		if (node->array && machine_array_changes(m, node->array, &changes))
			save_elements(w, node, node->row.task, &changes);
	}
	abort_children(w, m);
	for (size_t i = 0; i < w->signal_count; i++)
		w->signals[i].committed = true;
	/* What no running attempt owns is deleted with the commit. */
	for (size_t i = 0; i < w->pod_count; i++) {
		struct fake_pod *task = &w->pods[i];
		task->committed = true;
		if (task->connector && !pod_has_ended(task) && !owns_connector(m, task->name))
			task->gone = true;
	}
	for (size_t i = 0; i < m->ended_task_count; i++) {
		const struct progress_task *task = m->ended_tasks[i].task;
		/* A dynamic task has done its part, and what it made took too long. */
		assert_true((task->phase == TASK(FAILED) && task->error) ||
		            (task->phase == TASK(SUCCEEDED) && m->ended_tasks[i].node->row.is_dynamic));
		struct array_elements changes;
		if (m->ended_tasks[i].array && machine_array_changes(m, m->ended_tasks[i].array, &changes))
			save_elements(w, m->ended_tasks[i].node, m->ended_tasks[i].task, &changes);
	}
}

const struct progress_node *find_earlier(const struct world *w, const char *node_id)
{
	for (size_t i = 0; i < w->earlier.count; i++) {
		if (text_equal(w->earlier.nodes[i].node_id, node_id))
			return &w->earlier.nodes[i];
	}
	return NULL;
}
