/*
 * Map tasks against a model of everything outside, as test_machine_model.c does for workflows: random sizes, limits,
 * minimums and budgets, elements whose pods end as fate has it, and an engine that crashes between any two effects —
 * what was not committed is forgotten, what was done outside remains. No element that has succeeded runs again, none is
 * lost, the limit holds, and what comes out is what the fates say.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"
#include "workflow_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ELEMENTS_MAXIMUM 140
#define ATTEMPTS_MAXIMUM 8
#define NODES_MAXIMUM 3
#define ROUNDS_MAXIMUM 20000

enum fate { FATE_SUCCESS, FATE_ERROR, FATE_RECOVERABLE, FATE_SYSTEM, FATE_COUNT };

struct fake_pod {
	bool exists, gone, ended;
	char *name;
	enum fate fate;
	int64_t input;
};

struct world {
	struct arena arena; /* as long as the world */
	unsigned random;
	struct progress_definition definition;
	struct machine_graph graph;
	struct machine_options options;
	size_t size, minimum;
	uint32_t retries;
	size_t limit;
	unsigned bad_percent;
	int64_t now_ns;
	/* The database. */
	struct progress_execution execution;
	struct progress_node nodes[NODES_MAXIMUM];
	size_t node_count;
	struct array_element rows[ELEMENTS_MAXIMUM][ATTEMPTS_MAXIMUM];
	bool saved[ELEMENTS_MAXIMUM][ATTEMPTS_MAXIMUM];
	/* The cluster and the object store. */
	struct fake_pod pods[ELEMENTS_MAXIMUM][ATTEMPTS_MAXIMUM];
	bool inputs_written;
	/* What happens to the round under way. */
	int crash_in; /* effects and commits until the crash; < 0: none */
	bool lags;
};

static unsigned pick(struct world *w, unsigned below)
{
	w->random = w->random * 1664525u + 1013904223u;
	return (w->random >> 8) % below;
}

static bool crashes(struct world *w)
{
	return w->crash_in >= 0 && w->crash_in-- == 0;
}

/* ---- The cluster ---- */

static struct fake_pod *pod_of(struct world *w, const struct machine_node *element)
{
	assert_true(element->row.attempt < ATTEMPTS_MAXIMUM);
	return &w->pods[element->index][element->row.attempt];
}

static void create_pod(struct world *w, struct machine *m, const struct machine_node *element)
{
	struct fake_pod *pod = pod_of(w, element);
	assert_true(w->inputs_written);
	if (pod->exists)
		return; /* a repetition: names are deterministic */
	for (size_t i = 0; i < ATTEMPTS_MAXIMUM; i++) {
		const struct fake_pod *other = &w->pods[element->index][i];
		assert_false(other->exists && i > element->row.attempt);
		/* A success is final; an attempt that runs is not doubled. */
		assert_false(other->exists && other->ended && !other->gone && other->fate == FATE_SUCCESS);
		assert_false(other->exists && !other->ended && !other->gone);
	}
	*pod = (struct fake_pod){
		.exists = true,
		.name = arena_strdup(
		        &w->arena, names_pod(m->arena, w->definition.name, element->row.node_id, element->row.attempt)),
		.fate = pick(w, 100) < w->bad_percent ? (enum fate)(1 + pick(w, FATE_COUNT - 1)) : FATE_SUCCESS,
		.input = workflow_integer_of(element->inputs, "i0"),
	};
}

/* Some pods end, one may vanish. False when none runs. */
static bool cluster_moves(struct world *w)
{
	bool any = false;
	for (size_t i = 0; i < w->size; i++) {
		for (size_t k = 0; k < ATTEMPTS_MAXIMUM; k++) {
			struct fake_pod *pod = &w->pods[i][k];
			if (!pod->exists || pod->ended || pod->gone)
				continue;
			any = true;
			if (pick(w, 200) == 0)
				pod->gone = true;
			else if (pick(w, 3) == 0)
				pod->ended = true;
		}
	}
	return any;
}

static struct pod_observation observe(const struct fake_pod *pod)
{
	if (pod->ended)
		return (struct pod_observation){ .state = POD_SUCCEEDED, .code = "", .message = "" };
	if (pod->gone)
		return (struct pod_observation){ .state = POD_FAILED,
			                         .failure = POD_FAILURE_SYSTEM,
			                         .code = "ResourceDeletedExternally",
			                         .message = "gone" };
	return (struct pod_observation){ .state = POD_RUNNING, .code = "", .message = "" };
}

static void give_result(struct world *w, struct machine *m, struct machine_node *element)
{
	const struct fake_pod *pod = pod_of(w, element);
	assert_true(pod->ended);
	memset(&element->result, 0, sizeof(element->result));
	element->result.error_uri = "error.pb";
	if (pod->fate == FATE_SUCCESS) {
		element->result.outputs_found = true;
		element->result.outputs = workflow_integer(m->arena, "o0", pod->input + 1);
		return;
	}
	Flyteidl__Core__ErrorDocument *document = proto_new(m->arena, flyteidl__core__error_document);
	document->error = proto_new(m->arena, flyteidl__core__container_error);
	document->error->kind = pod->fate == FATE_ERROR ? FLYTEIDL__CORE__CONTAINER_ERROR__KIND__NON_RECOVERABLE
	                                                : FLYTEIDL__CORE__CONTAINER_ERROR__KIND__RECOVERABLE;
	document->error->origin = pod->fate == FATE_SYSTEM ? ERROR_KIND(SYSTEM) : ERROR_KIND(USER);
	document->error->code = arena_strdup(m->arena, "C");
	document->error->message = arena_strdup(m->arena, "M");
	element->result.error = document;
}

/* ---- The database ---- */

static struct progress_task *copy_task(struct arena *arena, const struct progress_task *from)
{
	struct progress_task *to = arena_copy(arena, from, sizeof(*from));
	to->inputs_uri = arena_strdup(arena, from->inputs_uri);
	to->outputs_uri = arena_strdup(arena, from->outputs_uri);
	to->reason = arena_strdup(arena, from->reason);
	to->closure = proto_copy(arena, from->closure);
	to->closure->reasons = proto_copy_array(arena, to->closure->reasons, to->closure->n_reasons);
	to->error = from->error ? proto_copy(arena, from->error) : NULL;
	to->outputs = NULL;
	to->row_id = 1;
	to->changed = false;
	return to;
}

static struct progress_node copy_node(struct arena *arena, const struct progress_node *from)
{
	struct progress_node to = *from;
	to.node_id = arena_strdup(arena, from->node_id);
	to.spec_node_id = arena_strdup(arena, from->spec_node_id);
	to.retry_group = "";
	to.inputs_uri = arena_strdup(arena, from->inputs_uri);
	to.outputs_uri = arena_strdup(arena, from->outputs_uri);
	to.deck_uri = to.checkpoint_uri = "";
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
	to.reason = arena_strdup(arena, from->reason);
	to.error = from->error ? proto_copy(arena, from->error) : NULL;
	to.outputs = from->outputs ? proto_copy(arena, from->outputs) : NULL;
	return to;
}

static struct progress_node *find_row(struct world *w, const char *node_id)
{
	for (size_t i = 0; i < w->node_count; i++) {
		if (text_equal(w->nodes[i].node_id, node_id))
			return &w->nodes[i];
	}
	return NULL;
}

static void save_node(struct world *w, const struct progress_node *row)
{
	struct progress_node *saved = find_row(w, row->node_id);
	if (!saved) {
		assert_true(w->node_count < NODES_MAXIMUM);
		saved = &w->nodes[w->node_count++];
		saved->row_id = (int64_t)w->node_count;
	}
	const int64_t row_id = saved->row_id;
	*saved = copy_node(&w->arena, row);
	saved->row_id = row_id;
}

static bool is_over(Flyteidl__Core__NodeExecution__Phase phase)
{
	return phase != NODE(UNDEFINED) && phase != NODE(QUEUED) && phase != NODE(RUNNING);
}

static void save_element(struct world *w, const struct array_element *row)
{
	assert_true(row->index < w->size && row->attempt < ATTEMPTS_MAXIMUM);
	struct array_element *saved = &w->rows[row->index][row->attempt];
	if (w->saved[row->index][row->attempt])
		assert_false(is_over(saved->phase)); /* what is over stays as it is */
	*saved = copy_element(&w->arena, row);
	w->saved[row->index][row->attempt] = true;
}

static void commit(struct world *w, struct machine *m)
{
	if (m->execution.changed) {
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
			save_node(w, &node->row);
		if (!node->array || !machine_array_changes(m, node, &changes))
			continue;
		for (size_t k = 0; k < changes.count; k++)
			save_element(w, &changes.list[k]);
	}
}

/* The last attempt of each element, or of each that is under way, as the store loads them. */
static struct array_elements load_elements(struct world *w, struct arena *arena, bool only_active)
{
	struct array_elements elements = { .list = arena_array(arena, struct array_element, w->size) };
	for (size_t i = 0; i < w->size; i++) {
		for (size_t k = ATTEMPTS_MAXIMUM; k > 0; k--) {
			const struct array_element *row = &w->rows[i][k - 1];
			if (!w->saved[i][k - 1] ||
			    (only_active && row->phase != NODE(QUEUED) && row->phase != NODE(RUNNING)))
				continue;
			elements.list[elements.count++] = copy_element(arena, &w->rows[i][k - 1]);
			break;
		}
	}
	return elements;
}

static void check_invariants(struct world *w)
{
	size_t active = 0;
	for (size_t i = 0; i < w->size; i++) {
		size_t current = 0, finals = 0;
		for (size_t k = 0; k < ATTEMPTS_MAXIMUM; k++) {
			const struct array_element *row = &w->rows[i][k];
			if (!w->saved[i][k])
				continue;
			current = k;
			finals += is_over(row->phase);
			if (row->phase == NODE(UNDEFINED))
				assert_int_equal(row->task_phase, TASK(FAILED));
			assert_true(row->user_failures <= w->retries);
			assert_true(row->system_failures <= w->options.system_retries);
		}
		const struct array_element *row = &w->rows[i][current];
		for (size_t k = 0; k < current; k++) /* only the last one goes on */
			assert_true(!w->saved[i][k] || w->rows[i][k].phase == NODE(UNDEFINED));
		assert_true(finals <= 1);
		active += row->phase == NODE(QUEUED) || row->phase == NODE(RUNNING);
		if (row->phase == NODE(SUCCEEDED))
			assert_true(w->pods[i][current].ended && w->pods[i][current].fate == FATE_SUCCESS);
	}
	assert_true(active <= w->limit);
	if (progress_execution_is_finished(w->execution.phase))
		assert_int_equal(active, 0);
}

/* ---- A round ---- */

static void fulfil(struct world *w, struct machine *m, struct machine_node *node)
{
	switch (node->want) {
	case WANT_OUTPUTS:
		if (node->element_of)
			node->outputs =
			        workflow_integer(m->arena, "o0", w->pods[node->index][node->row.attempt].input + 1);
		else
			node->outputs = find_row(w, node->row.node_id)->outputs;
		break;
	case WANT_ELEMENTS:
		node->row.task->elements = load_elements(w, m->arena, false);
		break;
	case WANT_WRITE_INPUTS:
		w->inputs_written = true;
		break;
	case WANT_POD:
		create_pod(w, m, node);
		node->creation = CREATION_DONE;
		break;
	case WANT_RESULT:
		give_result(w, m, node);
		break;
	default:
		break;
	}
	node->answer = ANSWER_GIVEN;
}

/* False when the engine crashed. */
static bool fulfil_all(struct world *w, struct machine *m, bool *ret_any)
{
	*ret_any = false;
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

static void observe_pods(struct world *w, struct machine *m)
{
	for (size_t i = 0; i < m->node_count; i++) {
		struct machine_node *node = m->nodes[i];
		if (!machine_node_has_pod(node) || (w->lags && pick(w, 2)))
			continue;
		const struct fake_pod *pod = pod_of(w, node);
		assert_true(pod->exists);
		assert_string_equal(pod->name, node->row.task->pod_name);
		node->pod.known = true;
		node->pod.observation = observe(pod);
	}
}

static void delete_unowned(struct world *w, const struct machine *m)
{
	for (size_t i = 0; i < w->size; i++) {
		for (size_t k = 0; k < ATTEMPTS_MAXIMUM; k++) {
			struct fake_pod *pod = &w->pods[i][k];
			if (pod->exists && !pod->ended && !machine_owns_pod(m, pod->name))
				pod->gone = true;
		}
	}
}

/* Returns the time at which the machine wants to be called again; 0: none. */
static int64_t run_round(struct world *w)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)256 << 20);
	auto_err struct err e = ERR_INIT;
	struct machine m;
	struct progress_nodes rows = { .count = w->node_count,
		                       .nodes = arena_array(&arena, struct progress_node, w->node_count) };
	for (size_t i = 0; i < rows.count; i++) {
		rows.nodes[i] = copy_node(&arena, &w->nodes[i]);
		rows.nodes[i].outputs = NULL;
		if (rows.nodes[i].task && rows.nodes[i].task->is_array)
			rows.nodes[i].task->elements = load_elements(w, &arena, true);
	}
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

/* ---- Worlds ---- */

static void make_world(struct world *w)
{
	auto_err struct err e = ERR_INIT;
	int64_t values[ELEMENTS_MAXIMUM];
	struct workflow_builder b = workflow_builder(&w->arena);
	w->size = pick(w, 4) == 0 ? pick(w, ELEMENTS_MAXIMUM) : pick(w, 12);
	w->retries = pick(w, 3);
	w->limit = w->options.array_parallelism = 1 + pick(w, ELEMENTS_MAXIMUM);
	Flyteidl__Core__ArrayNode *array = workflow_add_array(&b, w->retries)->array_node;
	w->minimum = w->size;
	if (pick(w, 2)) {
		array->parallelism_option_case = FLYTEIDL__CORE__ARRAY_NODE__PARALLELISM_OPTION_PARALLELISM;
		array->parallelism = pick(w, 6); /* 0: no limit */
		if (array->parallelism && array->parallelism < w->limit)
			w->limit = array->parallelism;
	}
	if (pick(w, 2)) {
		array->success_criteria_case = FLYTEIDL__CORE__ARRAY_NODE__SUCCESS_CRITERIA_MIN_SUCCESSES;
		array->min_successes = pick(w, (unsigned)w->size + 1);
		w->minimum = array->min_successes;
	}
	array->run_all_sub_nodes = pick(w, 4) == 0;
	for (size_t i = 0; i < w->size; i++)
		values[i] = (int64_t)i * 7;
	w->definition = workflow_execution(&w->arena, workflow_finish(&b));
	w->definition.inputs = workflow_list(&w->arena, "x", values, w->size);
	assert_int_equal(machine_graph_build(&w->arena, w->definition.closure, &w->graph, &e), 0);
}

static void check_success(struct world *w)
{
	size_t successes = 0;
	const Flyteidl__Core__LiteralCollection *list = w->execution.outputs->literals[0]->value->collection;
	assert_int_equal(list->n_literals, w->size);
	for (size_t i = 0; i < w->size; i++) {
		const Flyteidl__Core__Scalar *scalar = list->literals[i]->scalar;
		bool succeeded = false;
		for (size_t k = 0; k < ATTEMPTS_MAXIMUM; k++)
			succeeded = succeeded || (w->saved[i][k] && w->rows[i][k].phase == NODE(SUCCEEDED));
		successes += succeeded;
		if (succeeded)
			assert_int_equal(scalar->primitive->integer, (int64_t)i * 7 + 1);
		else
			assert_int_equal(scalar->value_case, FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE);
	}
	assert_true(successes >= w->minimum);
}

static void check_failure(struct world *w)
{
	size_t failures = 0;
	for (size_t i = 0; i < w->size; i++) {
		for (size_t k = 0; k < ATTEMPTS_MAXIMUM; k++)
			failures += w->saved[i][k] && w->rows[i][k].phase == NODE(FAILED);
	}
	assert_true(w->size - failures < w->minimum); /* it could not succeed any more */
	assert_true(text_starts_with(w->execution.error->message, "["));
}

static void check_end(struct world *w, bool aborted)
{
	for (size_t i = 0; i < w->size; i++) {
		for (size_t k = 0; k < ATTEMPTS_MAXIMUM; k++)
			assert_false(w->pods[i][k].exists && !w->pods[i][k].ended && !w->pods[i][k].gone);
	}
	if (w->execution.phase == EXECUTION(SUCCEEDED))
		check_success(w);
	else if (w->execution.phase == EXECUTION(FAILED))
		check_failure(w);
	else
		assert_true(aborted && w->execution.phase == EXECUTION(ABORTED));
}

static void run_world(unsigned seed, unsigned *ended)
{
	struct world *w = xcalloc(1, sizeof(*w));
	w->arena = (struct arena)ARENA_INIT((size_t)1 << 30);
	w->random = seed * 2654435761u + 1;
	w->options = (struct machine_options)MACHINE_OPTIONS_DEFAULT;
	w->execution = (struct progress_execution){ .id = 1, .outputs_uri = "", .abort_cause = "" };
	w->now_ns = 1000000000;
	w->bad_percent = (unsigned[]){ 0, 3, 20, 50 }[pick(w, 4)];
	make_world(w);
	const bool harsh = pick(w, 4) != 0;
	bool aborted = false;
	unsigned rounds = 0;
	while (!progress_execution_is_finished(w->execution.phase)) {
		if (++rounds > ROUNDS_MAXIMUM)
			fail_msg("seed %u: not at its end after %d rounds", seed, ROUNDS_MAXIMUM);
		w->crash_in = harsh && pick(w, 3) == 0 ? (int)pick(w, 12) : -1;
		w->lags = harsh && pick(w, 3) == 0;
		if (harsh && !aborted && pick(w, 100) == 0) {
			w->execution.phase = EXECUTION(ABORTING);
			w->execution.abort_cause = "enough";
			aborted = true;
		}
		const bool disturbed = w->crash_in >= 0 || w->lags;
		const int64_t wake_at_ns = run_round(w);
		w->now_ns += 1000000;
		if (wake_at_ns > w->now_ns && pick(w, 2) == 0)
			w->now_ns = wake_at_ns;
		/* Nothing is under way and nobody was in the way: then the machine must know when to go on. */
		if (!cluster_moves(w) && !disturbed && !wake_at_ns &&
		    !progress_execution_is_finished(w->execution.phase) && !run_round(w) && !cluster_moves(w) &&
		    !progress_execution_is_finished(w->execution.phase))
			fail_msg("seed %u: waits for nothing", seed);
	}
	w->crash_in = -1;
	w->lags = false;
	/* After a crash between commit and clean-up the pods that still run wake the execution once more. */
	run_round(w);
	check_end(w, aborted);
	ended[w->execution.phase]++;
	arena_release(&w->arena);
	free(w);
}

static void test_random_worlds(void **state)
{
	(void)state;
	unsigned ended[10] = { 0 };
	for (unsigned seed = 1; seed <= 600; seed++)
		run_world(seed, ended);
	/* The worlds are worth something only if they end in different ways. */
	assert_true(ended[EXECUTION(SUCCEEDED)] > 100);
	assert_true(ended[EXECUTION(FAILED)] > 100);
	assert_true(ended[EXECUTION(ABORTED)] > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_worlds) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
