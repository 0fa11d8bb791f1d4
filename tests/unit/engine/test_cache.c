/* Keys and entries of the cache: what has to be the same, and what must not. */
#include "controlplane/engine/cache.h"

#include "base/text.h"
#include "workflow_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena arena = ARENA_INIT((size_t)64 << 20);

static Flyteidl__Core__TaskTemplate *new_task(void)
{
	struct workflow_builder b = workflow_builder(&arena);
	workflow_add_task(&b, 0, NULL, 0);
	Flyteidl__Core__TaskTemplate *task = workflow_task(&b, 0);
	task->metadata->discoverable = true;
	task->metadata->discovery_version = arena_strdup(&arena, "1.0");
	return task;
}

static Flyteidl__Core__Literal *integer(int64_t value)
{
	return workflow_integer(&arena, "x", value)->literals[0]->value;
}

static void add(Flyteidl__Core__LiteralMap *map, const char *key, Flyteidl__Core__Literal *value)
{
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry = (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
	        &arena, &flyteidl__core__literal_map__literals_entry__descriptor);
	entry->key = arena_strdup(&arena, key);
	entry->value = value;
	proto_append(&arena, map->n_literals, map->literals, entry);
}

static Flyteidl__Core__Literal *map_of(const char *first, int64_t one, const char *second, int64_t other)
{
	Flyteidl__Core__Literal *literal = proto_new(&arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_MAP;
	literal->map = proto_new(&arena, flyteidl__core__literal_map);
	add(literal->map, first, integer(one));
	add(literal->map, second, integer(other));
	return literal;
}

static Flyteidl__Core__Literal *list_of(Flyteidl__Core__Literal *element)
{
	Flyteidl__Core__Literal *literal = proto_new(&arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	literal->collection = proto_new(&arena, flyteidl__core__literal_collection);
	proto_append(&arena, literal->collection->n_literals, literal->collection->literals, element);
	return literal;
}

static Flyteidl__Core__Literal *hashed(int64_t value, const char *hash)
{
	Flyteidl__Core__Literal *literal = integer(value);
	literal->hash = arena_strdup(&arena, hash);
	return literal;
}

static const char *tag(const Flyteidl__Core__LiteralMap *inputs)
{
	return cache_tag_of(&arena, new_task(), inputs);
}

static Flyteidl__Core__LiteralMap *inputs_of(Flyteidl__Core__Literal *value)
{
	Flyteidl__Core__LiteralMap *inputs = proto_new(&arena, flyteidl__core__literal_map);
	add(inputs, "a", value);
	return inputs;
}

static void test_order_does_not_count(void **state)
{
	(void)state;
	Flyteidl__Core__LiteralMap *one = proto_new(&arena, flyteidl__core__literal_map),
	                           *other = proto_new(&arena, flyteidl__core__literal_map);
	add(one, "a", integer(1));
	add(one, "b", map_of("x", 1, "y", 2));
	add(other, "b", map_of("y", 2, "x", 1));
	add(other, "a", integer(1));
	assert_string_equal(tag(one), tag(other));
	/* The maps that were given are as they were: they belong to somebody. */
	assert_string_equal(other->literals[0]->key, "b");
	assert_string_equal(other->literals[0]->value->map->literals[0]->key, "y");
	assert_true(text_starts_with(tag(one), "flyte_cached-"));
	assert_int_equal(strlen(tag(one)), strlen("flyte_cached-") + 43);
	assert_null(strpbrk(tag(one), "+/="));
}

static void test_values_count(void **state)
{
	(void)state;
	assert_string_not_equal(tag(inputs_of(integer(1))), tag(inputs_of(integer(2))));
	assert_string_not_equal(tag(inputs_of(map_of("x", 1, "y", 2))), tag(inputs_of(map_of("x", 2, "y", 1))));
	assert_string_not_equal(tag(inputs_of(list_of(integer(1)))), tag(inputs_of(integer(1))));
	assert_string_equal(tag(NULL), tag(proto_new(&arena, flyteidl__core__literal_map)));
	assert_string_not_equal(tag(NULL), tag(inputs_of(integer(0))));
	/* The same value under another name is another input. */
	Flyteidl__Core__LiteralMap *renamed = inputs_of(integer(1));
	renamed->literals[0]->key = arena_strdup(&arena, "b");
	assert_string_not_equal(tag(renamed), tag(inputs_of(integer(1))));
}

static void test_hashes_stand_for_values(void **state)
{
	(void)state;
	assert_string_equal(tag(inputs_of(hashed(1, "h"))), tag(inputs_of(hashed(2, "h"))));
	assert_string_not_equal(tag(inputs_of(hashed(1, "h"))), tag(inputs_of(hashed(1, "g"))));
	assert_string_not_equal(tag(inputs_of(hashed(1, "h"))), tag(inputs_of(integer(1))));
	assert_string_equal(tag(inputs_of(list_of(hashed(1, "h")))), tag(inputs_of(list_of(hashed(2, "h")))));
	assert_string_not_equal(tag(inputs_of(list_of(hashed(1, "h")))), tag(inputs_of(hashed(1, "h"))));
	Flyteidl__Core__Literal *nested = map_of("x", 1, "y", 2), *same = map_of("x", 7, "y", 2);
	nested->map->literals[0]->value->hash = same->map->literals[0]->value->hash = arena_strdup(&arena, "h");
	assert_string_equal(tag(inputs_of(nested)), tag(inputs_of(same)));
	assert_int_equal(nested->map->literals[0]->value->scalar->primitive->integer, 1);
}

static void test_ignored_inputs(void **state)
{
	(void)state;
	Flyteidl__Core__TaskTemplate *task = new_task();
	proto_append(&arena, task->metadata->n_cache_ignore_input_vars, task->metadata->cache_ignore_input_vars,
	             arena_strdup(&arena, "b"));
	Flyteidl__Core__LiteralMap *with = inputs_of(integer(1));
	add(with, "b", integer(2));
	assert_string_equal(cache_tag_of(&arena, task, with), cache_tag_of(&arena, task, inputs_of(integer(1))));
	assert_string_not_equal(cache_tag_of(&arena, new_task(), with), cache_tag_of(&arena, task, with));
	assert_int_equal(with->n_literals, 2);
}

static const char *dataset(const Flyteidl__Core__TaskTemplate *task, const char *version)
{
	const struct catalog_key key = cache_dataset_of(&arena, task, version);
	return arena_printf(&arena, "%s/%s/%s/%s", key.project, key.domain, key.name, key.version);
}

static void test_datasets(void **state)
{
	(void)state;
	Flyteidl__Core__TaskTemplate *task = new_task();
	const char *name = dataset(task, "1.0");
	assert_true(text_starts_with(name, arena_printf(&arena, "%s/%s/flyte_task-%s/1.0-", task->id->project,
	                                                task->id->domain, task->id->name)));
	assert_string_equal(dataset(new_task(), "1.0"), name);
	assert_string_not_equal(dataset(task, "1.1"), name);
	task->id->version = arena_strdup(&arena, "another"); /* of the code: of no importance */
	assert_string_equal(dataset(task, "1.0"), name);
	task->interface->outputs->variables[0]->value->type->simple = FLYTEIDL__CORE__SIMPLE_TYPE__STRING;
	assert_string_not_equal(dataset(task, "1.0"), name);
}

static void test_settings(void **state)
{
	(void)state;
	Flyteidl__Core__TaskTemplate *task = new_task();
	Flyteidl__Core__NodeMetadata *node = proto_new(&arena, flyteidl__core__node_metadata);
	struct cache_settings s = cache_settings_of(task, NULL);
	assert_true(s.cacheable && !s.serialize);
	assert_string_equal(s.version, "1.0");
	task->metadata->cache_serializable = true;
	assert_true(cache_settings_of(task, node).serialize);
	node->cache_serializable_value_case =
	        FLYTEIDL__CORE__NODE_METADATA__CACHE_SERIALIZABLE_VALUE_CACHE_SERIALIZABLE;
	node->cache_serializable = false;
	node->cache_version_value_case = FLYTEIDL__CORE__NODE_METADATA__CACHE_VERSION_VALUE_CACHE_VERSION;
	node->cache_version = arena_strdup(&arena, "2.0");
	s = cache_settings_of(task, node);
	assert_true(s.cacheable && !s.serialize);
	assert_string_equal(s.version, "2.0");
	node->cacheable_value_case = FLYTEIDL__CORE__NODE_METADATA__CACHEABLE_VALUE_CACHEABLE;
	node->cacheable = false;
	assert_false(cache_settings_of(task, node).cacheable);
	task->metadata->discoverable = false;
	node->cacheable = true;
	assert_true(cache_settings_of(task, node).cacheable);
	task->interface->outputs->n_variables = 0;
	assert_false(cache_settings_of(task, node).cacheable);
}

static void test_entries(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	const Flyteidl__Core__TaskTemplate *task = new_task();
	struct catalog_key key = cache_dataset_of(&arena, task, "1.0");
	key.tag = "flyte_cached-x";
	Flyteidl__Core__TaskExecutionIdentifier *source = proto_new(&arena, flyteidl__core__task_execution_identifier);
	source->task_id = arena_copy(&arena, task->id, sizeof(*task->id));
	source->task_id->version = arena_strdup(&arena, "v7");
	source->retry_attempt = 2;
	source->node_execution_id = proto_new(&arena, flyteidl__core__node_execution_identifier);
	source->node_execution_id->node_id = arena_strdup(&arena, "n0");
	source->node_execution_id->execution_id = proto_new(&arena, flyteidl__core__workflow_execution_identifier);
	source->node_execution_id->execution_id->name = arena_strdup(&arena, "e1");
	Datacatalog__Artifact *artifact = cache_artifact_of(&arena, &key, workflow_integer(&arena, "o0", 5), source);
	assert_string_equal(artifact->dataset->name, key.name);
	assert_int_equal(workflow_integer_of(cache_outputs_of(&arena, task, artifact, &e), "o0"), 5);
	const Flyteidl__Core__TaskExecutionIdentifier *back = cache_source_of(&arena, task, artifact);
	assert_non_null(back);
	assert_string_equal(back->task_id->version, "v7");
	assert_int_equal(back->retry_attempt, 2);
	assert_string_equal(back->node_execution_id->node_id, "n0");
	assert_string_equal(back->node_execution_id->execution_id->name, "e1");

	artifact->data[0]->name = arena_strdup(&arena, "other");
	assert_null(cache_outputs_of(&arena, task, artifact, &e));
	assert_int_equal(e.kind, ERR_INVALID);
	/* Somebody else's artifact, made over the API. */
	artifact->metadata->n_key_map = 2;
	assert_null(cache_source_of(&arena, task, artifact));
	const Flyteidl__Core__CatalogMetadata *metadata = cache_metadata_of(&arena, &key, "id", NULL);
	assert_int_equal(metadata->dataset_id->resource_type, FLYTEIDL__CORE__RESOURCE_TYPE__DATASET);
	assert_string_equal(metadata->artifact_tag->artifact_id, "id");
	assert_string_equal(metadata->artifact_tag->name, "flyte_cached-x");
}

static int clean(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_does_not_count),
		cmocka_unit_test(test_values_count),
		cmocka_unit_test(test_hashes_stand_for_values),
		cmocka_unit_test(test_ignored_inputs),
		cmocka_unit_test(test_datasets),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_entries),
	};
	return cmocka_run_group_tests(tests, NULL, clean);
}
