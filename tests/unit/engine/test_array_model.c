/*
 * Large maps over tasks and launch plans in the model of everything outside (model/model.h): random sizes, limits,
 * minimums and budgets. No element that has succeeded runs again, none is lost, the limit holds, and what comes out is
 * what the fates say.
 */
#include "model/model.h"

/* What a test asks for, besides what is in the workflow. */
struct map {
	struct world *world;
	size_t size, minimum;
};

static void set_limits(struct map *map, Flyteidl__Core__ArrayNode *array)
{
	struct world *w = map->world;
	w->options.array_parallelism = 1 + pick(w, ELEMENTS_MAXIMUM);
	map->minimum = map->size;
	if (pick(w, 2)) {
		array->parallelism_option_case = FLYTEIDL__CORE__ARRAY_NODE__PARALLELISM_OPTION_PARALLELISM;
		array->parallelism = pick(w, 6); /* 0: no limit */
	}
	if (pick(w, 2)) {
		array->success_criteria_case = FLYTEIDL__CORE__ARRAY_NODE__SUCCESS_CRITERIA_MIN_SUCCESSES;
		array->min_successes = pick(w, (unsigned)map->size + 1);
		map->minimum = array->min_successes;
	}
	array->run_all_sub_nodes = pick(w, 4) == 0;
}

static struct map map_new(unsigned seed)
{
	auto_err struct err e = ERR_INIT;
	int64_t values[ELEMENTS_MAXIMUM];
	struct world *w = world_new(seed);
	struct map map = { .world = w };
	struct workflow_builder b = workflow_builder(&w->arena);
	w->bad_percent = (unsigned[]){ 0, 3, 20, 50 }[pick(w, 4)];
	map.size = pick(w, 4) == 0 ? pick(w, ELEMENTS_MAXIMUM) : pick(w, 12);
	Flyteidl__Core__Node *node = pick(w, 3) ? workflow_add_array(&b, pick(w, 3)) : workflow_add_child_array(&b);
	set_limits(&map, node->array_node);
	for (size_t i = 0; i < map.size; i++)
		values[i] = (int64_t)i * 7;
	w->definition = workflow_execution(&w->arena, workflow_finish(&b));
	w->definition.inputs = workflow_list(&w->arena, "x", values, map.size);
	assert_int_equal(machine_graph_build(&w->arena, w->definition.closure, &w->graph, &e), 0);
	return map;
}

/* Of one element: whether any of its attempts has that end. */
static bool has_ended_as(const struct fake_array *array, size_t index, Flyteidl__Core__NodeExecution__Phase phase)
{
	for (size_t k = 0; array && k < ATTEMPTS_MAXIMUM; k++) {
		if (array->saved[index][k] && array->rows[index][k].phase == phase)
			return true;
	}
	return false;
}

static void check_success(const struct map *map, const struct fake_array *array)
{
	size_t successes = 0;
	const Flyteidl__Core__LiteralCollection *list = map->world->execution.outputs->literals[0]->value->collection;
	assert_int_equal(list->n_literals, map->size);
	for (size_t i = 0; i < map->size; i++) {
		const Flyteidl__Core__Scalar *scalar = list->literals[i]->scalar;
		const bool succeeded = has_ended_as(array, i, NODE(SUCCEEDED));
		successes += succeeded;
		if (succeeded)
			assert_int_equal(scalar->primitive->integer, (int64_t)i * 7 + 1);
		else
			assert_int_equal(scalar->value_case, FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE);
	}
	assert_true(successes >= map->minimum);
}

static void check_failure(const struct map *map, const struct fake_array *array)
{
	size_t failures = 0;
	for (size_t i = 0; i < map->size; i++)
		failures += has_ended_as(array, i, NODE(FAILED));
	assert_true(map->size - failures < map->minimum); /* it could not succeed any more */
	assert_true(text_starts_with(map->world->execution.error->message, "["));
}

static void check_end(const struct map *map, bool aborted)
{
	const struct world *w = map->world;
	const struct fake_array *array = find_array(w, "n0", 0);
	for (size_t i = 0; i < w->pod_count; i++)
		assert_true(pod_has_ended(&w->pods[i]));
	for (size_t i = 0; i < w->child_count; i++)
		assert_true(progress_execution_is_finished(w->children[i].phase));
	if (w->execution.phase == EXECUTION(SUCCEEDED))
		check_success(map, array);
	else if (w->execution.phase == EXECUTION(FAILED))
		check_failure(map, array);
	else
		assert_true(aborted && w->execution.phase == EXECUTION(ABORTED));
}

static void test_random_maps(void **state)
{
	(void)state;
	unsigned ended[10] = { 0 }, children = 0;
	for (unsigned seed = 1; seed <= 600; seed++) {
		struct map map = map_new(seed);
		check_end(&map, world_play(map.world, seed));
		ended[map.world->execution.phase]++;
		children += (unsigned)map.world->child_count;
		world_free(map.world);
	}
	/* The worlds are worth something only if they end in different ways. */
	assert_true(ended[EXECUTION(SUCCEEDED)] > 100);
	assert_true(ended[EXECUTION(FAILED)] > 100);
	assert_true(ended[EXECUTION(ABORTED)] > 20);
	assert_true(children > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_maps) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
