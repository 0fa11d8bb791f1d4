/* Task templates: what is refused, and what goes through unchanged. */
#include "proto/message.h"
#include "templates.h"

#include <string.h>

#include "cmocka_all.h"

static task_template *container_task(struct arena *a)
{
	task_template *task = proto_new(a, flyteidl__core__task_template);
	task->id = id_of(a, FLYTEIDL__CORE__RESOURCE_TYPE__TASK, "t");
	task->target_case = FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER;
	task->container = proto_new(a, flyteidl__core__container);
	task->container->image = arena_strdup(a, "image");
	task->container->resources = proto_new(a, flyteidl__core__resources);
	return task;
}

static void must_accept(struct arena *a, const task_template *task)
{
	auto_err struct err e = ERR_INIT;
	const Flyteidl__Core__CompiledTask *compiled = compiler_compile_task(a, task, &e);
	if (!compiled)
		fail_msg("%s", err_message(&e));
	assert_ptr_equal(compiled->template_, task);
}

static void must_refuse(struct arena *a, const task_template *task, const char *error)
{
	auto_err struct err e = ERR_INIT;
	assert_null(compiler_compile_task(a, task, &e));
	assert_int_equal(e.kind, ERR_INVALID);
	if (!strstr(err_message(&e), error))
		fail_msg("no '%s' in %s", error, err_message(&e));
}

static void test_container(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	task_template *task = container_task(&arena);
	must_accept(&arena, task);
	task->interface = proto_new(&arena, flyteidl__core__typed_interface);
	task->interface->inputs = variables_from(&arena, "");
	must_accept(&arena, task); /* no variables: no command needed */
	task->interface->inputs = variables_from(&arena, "a=int");
	must_refuse(&arena, task, "Code: ValueRequired, Node Id: container");
	proto_append(&arena, task->container->n_args, task->container->args, arena_strdup(&arena, "x"));
	must_accept(&arena, task);
	task->container->image = arena_strdup(&arena, "");
	must_refuse(&arena, task, "(image)");
	task->container = NULL;
	must_refuse(&arena, task, "Code: ValueRequired, Node Id: root");
	task = container_task(&arena);
	task->id = NULL;
	must_refuse(&arena, task, "(Id)");
	task = container_task(&arena);
	task->target_case = FLYTEIDL__CORE__TASK_TEMPLATE__TARGET__NOT_SET;
	must_accept(&arena, task);
}

static void test_quantities(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{ "1", true },      { "100m", true }, { "1.5", true },  { ".5", true },    { "5.", true },
		{ "200Mi", true },  { "1e3", true },  { "1E-3", true }, { "2E", true },    { "1Ei", true },
		{ "-1k", true },    { "+3", true },   { "", false },    { "x", false },    { "1 Gi", false },
		{ "1mi", false },   { ".", false },   { "1K", false },  { "1e", false },   { "1e+", false },
		{ "1.2.3", false }, { "Mi", false },  { "--1", false }, { "1e3x", false },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_arena struct arena arena = ARENA_INIT(1 << 20);
		task_template *task = container_task(&arena);
		Flyteidl__Core__Resources__ResourceEntry *entry =
		        (Flyteidl__Core__Resources__ResourceEntry *)proto_new_of(
		                &arena, &flyteidl__core__resources__resource_entry__descriptor);
		entry->name = FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__MEMORY;
		entry->value = arena_strdup(&arena, rows[i].text);
		if (i % 2)
			proto_append(&arena, task->container->resources->n_requests,
			             task->container->resources->requests, entry);
		else
			proto_append(&arena, task->container->resources->n_limits, task->container->resources->limits,
			             entry);
		auto_err struct err e = ERR_INIT;
		if (!!compiler_compile_task(&arena, task, &e) != rows[i].valid)
			fail_msg("'%s': %s", rows[i].text, err_message(&e));
		if (!rows[i].valid)
			assert_non_null(strstr(err_message(&e), "Code: UnrecognizedValue"));
	}
}

static Google__Protobuf__Value *string_value(struct arena *a, const char *text)
{
	Google__Protobuf__Value *value = proto_new(a, google__protobuf__value);
	value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
	value->string_value = arena_strdup(a, text);
	return value;
}

static Google__Protobuf__Struct *object_with(struct arena *a, const char *key, Google__Protobuf__Value *value)
{
	Google__Protobuf__Struct *object = proto_new(a, google__protobuf__struct);
	Google__Protobuf__Struct__FieldsEntry *entry = (Google__Protobuf__Struct__FieldsEntry *)proto_new_of(
	        a, &google__protobuf__struct__fields_entry__descriptor);
	entry->key = arena_strdup(a, key);
	entry->value = value;
	proto_append(a, object->n_fields, object->fields, entry);
	return object;
}

static task_template *pod_task(struct arena *a, const char *container_name)
{
	task_template *task = container_task(a);
	task->target_case = FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_K8S_POD;
	task->k8s_pod = proto_new(a, flyteidl__core__k8s_pod);
	Google__Protobuf__Value *container = proto_new(a, google__protobuf__value);
	container->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE;
	container->struct_value = object_with(a, "name", string_value(a, container_name));
	Google__Protobuf__Value *list = proto_new(a, google__protobuf__value);
	list->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE;
	list->list_value = proto_new(a, google__protobuf__list_value);
	proto_append(a, list->list_value->n_values, list->list_value->values, container);
	task->k8s_pod->pod_spec = object_with(a, "containers", list);
	return task;
}

static void test_pod(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	must_accept(&arena, pod_task(&arena, "primary-1"));
	static const char *const names[] = {
		"", "Primary", "a_b", "-a", "a-", "a234567890123456789012345678901234567890123456789012345678901234"
	};
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		must_refuse(&arena, pod_task(&arena, names[i]), "Code: InvalidValue, Node Id: root");
	task_template *task = pod_task(&arena, "a");
	task->k8s_pod->pod_spec->fields[0]->value = string_value(&arena, "no list");
	must_refuse(&arena, task, "Code: InvalidValue");
	task->k8s_pod->pod_spec = NULL;
	must_refuse(&arena, task, "Code: InvalidValue");
	task->k8s_pod = NULL;
	must_refuse(&arena, task, "Code: ValueRequired");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_quantities),
		cmocka_unit_test(test_pod),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
