/* Rounds, their crashes, and an execution from its begin to its end. */
#include "model.h"

#include <stdlib.h>

unsigned pick(struct world *w, unsigned below)
{
	w->random = w->random * 1664525u + 1013904223u;
	return (w->random >> 8) % below;
}

static bool crashes(struct world *w)
{
	return w->crash_in >= 0 && w->crash_in-- == 0;
}

bool has_succeeded(Flyteidl__Core__NodeExecution__Phase phase)
{
	return phase == NODE(SUCCEEDED) || phase == NODE(RECOVERED);
}

bool phase_is_final(Flyteidl__Core__NodeExecution__Phase phase)
{
	return phase != NODE(UNDEFINED) && phase != NODE(QUEUED) && phase != NODE(RUNNING) && phase != NODE(FAILING) &&
	       phase != NODE(DYNAMIC_RUNNING);
}

bool phase_is_active(Flyteidl__Core__NodeExecution__Phase phase)
{
	return phase != NODE(UNDEFINED) && !phase_is_final(phase);
}

bool is_for_failures(const struct machine_node *node)
{
	for (; node; node = node->scope->parent) {
		if (node == node->scope->on_failure)
			return true;
	}
	return false;
}

/* ---- A round ---- */

static void fulfil(struct world *w, struct machine *m, struct machine_node *node)
{
	switch (node->want) {
	case WANT_ELEMENTS:
		node->row.task->elements =
		        load_elements(find_array(w, node->row.node_id, node->row.attempt), m->arena, false);
		break;
	case WANT_OUTPUTS: {
		if (node->element_of) { /* of an element that is over */
			node->outputs = find_array(w, node->element_of->row.node_id, node->element_of->row.attempt)
			                        ->rows[node->index][node->row.attempt]
			                        .outputs;
			break;
		}
		const struct progress_node *row = find_row(w, node->row.node_id);
		assert_non_null(row);
		assert_true(has_succeeded(row->phase));
		node->outputs = row->outputs;
		break;
	}
	case WANT_INPUTS_READ:
		node->outputs = workflow_integer(m->arena, "x", 1);
		break;
	case WANT_WRITE:
		if (node->scope->parent || node->vertex->kind)
			break;
		if (text_equal(node->vertex->id, "start-node"))
			w->start_written = true;
		else
			w->end_written = true;
		break;
	case WANT_WRITE_INPUTS:
		assert_non_null(node->inputs);
		break;
	case WANT_POD:
		assert_true(w->start_written);
		create_pod(w, m, node, false);
		node->creation = CREATION_DONE;
		break;
	case WANT_CONNECTOR:
		assert_true(w->start_written);
		create_pod(w, m, node, true);
		break;
	case WANT_RESULT:
		give_result(w, m, node);
		break;
	case WANT_CACHE:
		consult(w, m, node);
		break;
	case WANT_RECOVERED: {
		const struct progress_node *row = find_earlier(w, node->row.node_id);
		node->recovery.checkpoint_uri = node->recovery.deck_uri = "";
		if (row) {
			node->recovery.phase = row->phase;
			if (node->vertex->array)
				node->recovery.elements = load_earlier_elements(w, m->arena, node->row.node_id);
			node->outputs = row->outputs ? row->outputs : workflow_integer(m->arena, "none", 0);
		}
		break;
	}
	case WANT_DYNAMIC:
		node->dynamic = make_dynamic(w, node, find_pod(w, node->row.task->pod_name)->sum_of_inputs)->closure;
		break;
	case WANT_WRITE_DYNAMIC:
		assert_non_null(node->dynamic);
		break;
	case WANT_SIGNAL:
		give_signal(w, node);
		break;
	case WANT_CHILD:
		give_child(w, m, node);
		break;
	case WANT_OFFLOADED: /* there are none in these worlds */
	case WANT_NOTHING:
		return;
	}
	node->answer = ANSWER_GIVEN;
}

static void observe_pods(struct world *w, struct machine *m)
{
	for (size_t i = 0; i < m->node_count; i++) {
		struct machine_node *node = m->nodes[i];
		const bool connector = machine_node_has_connector(node);
		if ((!connector && !machine_node_has_pod(node)) || (w->lags && pick(w, 2)))
			continue;
		const struct fake_pod *pod = find_pod(w, node->row.task->pod_name);
		assert_non_null(pod);
		assert_int_equal(pod->connector, connector);
		if (connector) {
			node->connector = observe_connector(m->arena, pod);
			continue;
		}
		node->pod.known = true;
		node->pod.observation = observe(pod);
	}
}

/* False when the engine crashed. */
static bool fulfil_all(struct world *w, struct machine *m, bool *ret_any)
{
	*ret_any = false;
	/* In any order: they are done at the same time. */
	const size_t first = pick(w, (unsigned)m->node_count);
	for (size_t i = 0; i < m->node_count; i++) {
		struct machine_node *node = m->nodes[(first + i) % m->node_count];
		if (node->want == WANT_NOTHING || node->answer != ANSWER_PENDING)
			continue;
		if (crashes(w))
			return false;
		*ret_any = true;
		if (w->lags && pick(w, 10) == 0)
			node->answer = ANSWER_UNAVAILABLE;
		else
			fulfil(w, m, node);
	}
	return true;
}

static void delete_unowned(struct world *w, const struct machine *m)
{
	for (size_t i = 0; i < w->pod_count; i++) {
		if (!w->pods[i].connector && !pod_has_ended(&w->pods[i]) && !machine_owns_pod(m, w->pods[i].name))
			w->pods[i].gone = true;
	}
}

/* Rows of connectors' tasks that were inserted in a transaction that never was. */
static void forget_uncommitted(struct world *w)
{
	size_t left = 0;
	for (size_t i = 0; i < w->pod_count; i++) {
		if (w->pods[i].committed)
			w->pods[left++] = w->pods[i];
	}
	w->pod_count = left;
}

/* Returns the time at which the machine wants to be called again; 0: none. */
static int64_t run_round(struct world *w)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)256 << 20);
	auto_err struct err e = ERR_INIT;
	struct machine m;
	const struct progress_nodes rows = load_rows(w, &arena);
	forget_uncommitted(w);
	/* Asked for in a transaction that never was. */
	while (w->signal_count > 0 && !w->signals[w->signal_count - 1].committed)
		w->signal_count--;
	assert_int_equal(
	        machine_init(&m, &arena, &w->options, &w->definition, &w->graph, &w->execution, &rows, w->now_ns, &e),
	        0);
	observe_pods(w, &m);
	for (bool any = true; any;) {
		machine_step(&m);
		if (!fulfil_all(w, &m, &any))
			return w->now_ns + 1;
	}
	if (crashes(w))
		return w->now_ns + 1;
	commit(w, &m);
	check_invariants(w);
	if (crashes(w))
		return w->now_ns + 1;
	delete_unowned(w, &m);
	return m.wake_at_ns;
}

bool world_play(struct world *w, unsigned seed)
{
	const bool harsh = pick(w, 4) != 0;
	bool aborted = false;
	unsigned rounds = 0;
	while (!progress_execution_is_finished(w->execution.phase)) {
		if (++rounds > ROUNDS_MAXIMUM)
			fail_msg("seed %u: not at its end after %d rounds", seed, ROUNDS_MAXIMUM);
		w->crash_in = harsh && pick(w, 3) == 0 ? (int)pick(w, 6) : -1;
		w->lags = harsh && pick(w, 3) == 0;
		if (harsh && !aborted && pick(w, 200) == 0) {
			w->execution.phase = EXECUTION(ABORTING);
			w->execution.abort_cause = "enough";
			aborted = true;
		}
		const bool disturbed = w->crash_in >= 0 || w->lags;
		const int64_t wake_at_ns = run_round(w);
		w->now_ns += 1000000;
		/* Nothing is under way and nobody was in the way: then the machine must know when to go on. */
		const bool moves = cluster_moves(w), strangers = strangers_move(w);
		if (!moves && !strangers && !disturbed && !progress_execution_is_finished(w->execution.phase)) {
			const int64_t again = run_round(w);
			if (!progress_execution_is_finished(w->execution.phase) && !cluster_moves(w)) {
				if (!again)
					fail_msg("seed %u: waits for nothing", seed);
				w->now_ns = again;
			}
		}
		if (wake_at_ns > w->now_ns && pick(w, 4) == 0)
			w->now_ns = wake_at_ns;
	}
	w->crash_in = -1;
	w->lags = false;
	/* After a crash between commit and clean-up the pods that still run wake the execution once more. */
	run_round(w);
	return aborted;
}

/* ---- Worlds ---- */

struct world *world_new(unsigned seed)
{
	struct world *w = xcalloc(1, sizeof(*w));
	w->arena = (struct arena)ARENA_INIT((size_t)1 << 30);
	w->random = seed * 2654435761u + 1;
	w->options = (struct machine_options)MACHINE_OPTIONS_DEFAULT;
	w->rows.nodes = arena_array(&w->arena, struct progress_node, ROWS_MAXIMUM);
	w->execution = (struct progress_execution){ .id = 1, .outputs_uri = "", .abort_cause = "" };
	w->now_ns = 1000000000;
	return w;
}

struct world *world_free(struct world *w)
{
	if (!w)
		return NULL;
	arena_release(&w->arena);
	free(w);
	return NULL;
}

void world_recover(struct world *w)
{
	w->earlier =
	        (struct progress_nodes){ .count = w->rows.count,
		                         .nodes = arena_array(&w->arena, struct progress_node, w->rows.count + 1) };
	memcpy(w->earlier.nodes, w->rows.nodes, w->rows.count * sizeof(*w->rows.nodes));
	memcpy(w->earlier_arrays, w->arrays, w->array_count * sizeof(*w->arrays));
	w->earlier_array_count = w->array_count;
	w->rows.count = 0;
	w->array_count = 0;
	w->pod_count = w->child_count = 0;
	w->signal_count = 0; /* signals are an execution's own */
	w->start_written = w->end_written = false;
	w->execution = (struct progress_execution){ .id = 2, .outputs_uri = "", .abort_cause = "" };
	w->definition.recovered_id = 1;
}
