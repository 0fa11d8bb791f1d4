/* From bindings to values: every kind of binding, attribute paths through every kind of value, and every failure. */
#include "base/text.h"
#include "controlplane/compiler/attribute_path.h"
#include "controlplane/compiler/bindings.h"
#include "proto/message.h"
#include "templates.h"

#include <string.h>

#include "cmocka_all.h"

struct outputs {
	Flyteidl__Core__LiteralMap *map;       /* keys "node.variable" */
	Flyteidl__Core__LiteralMap *offloaded; /* keys are URIs; NULL: nothing can be loaded */
	bool unavailable;
};

static const literal *load(void *context, const char *uri, struct err *e)
{
	const struct outputs *outputs = context;
	const literal *found = literals_get(outputs->offloaded, uri);
	if (!found)
		err_set(e, ERR_UNAVAILABLE, "s3-down", "cannot read %s", uri);
	return found;
}

static const literal *look_up(void *context, const char *node_id, const char *variable, struct err *e)
{
	const struct outputs *outputs = context;
	if (outputs->unavailable) {
		err_set(e, ERR_UNAVAILABLE, "s3-down", "cannot read outputs");
		return NULL;
	}
	auto_free char *key = xasprintf("%s.%s", node_id, variable);
	return literals_get(outputs->map, key);
}

struct world {
	struct arena arena;
	struct outputs outputs;
};

static void world_init(struct world *w)
{
	*w = (struct world){ .arena = ARENA_INIT((size_t)16 << 20) };
	w->outputs.map = proto_new(&w->arena, flyteidl__core__literal_map);
}

static void world_release(struct world *w)
{
	arena_release(&w->arena);
}
#define auto_world __attribute__((cleanup(world_release)))

static void give(struct world *w, const char *key, literal *value)
{
	literals_add(&w->arena, w->outputs.map, key, value);
}

static const literal *resolve_one(struct world *w, binding_data *data, struct err *e)
{
	Flyteidl__Core__Binding *binding = proto_new(&w->arena, flyteidl__core__binding);
	binding->var = arena_strdup(&w->arena, "v");
	binding->binding = data;
	const struct bindings_source source = { .output = look_up,
		                                .context = &w->outputs,
		                                .loader = { .load = w->outputs.offloaded ? load : NULL,
		                                            .context = &w->outputs } };
	Flyteidl__Core__LiteralMap *map = NULL;
	if (bindings_resolve(&w->arena, &binding, 1, &source, &map, e) < 0) {
		assert_null(map);
		return NULL;
	}
	assert_int_equal(map->n_literals, 1);
	assert_string_equal(map->literals[0]->key, "v");
	return map->literals[0]->value;
}

static void must_give(struct world *w, binding_data *data, const literal *expected)
{
	auto_err struct err e = ERR_INIT;
	const literal *value = resolve_one(w, data, &e);
	if (!value)
		fail_msg("%s", err_message(&e));
	struct proto_bytes got = proto_pack(&w->arena, &value->base), want = proto_pack(&w->arena, &expected->base);
	assert_int_equal(got.length, want.length);
	assert_memory_equal(got.data, want.data, got.length);
}

static void must_not_resolve(struct world *w, binding_data *data, const char *message)
{
	auto_err struct err e = ERR_INIT;
	assert_null(resolve_one(w, data, &e));
	assert_int_equal(e.kind, ERR_INVALID);
	assert_string_equal(err_id(&e), "BindingResolutionFailure");
	assert_true(text_starts_with(err_message(&e), "cannot resolve input 'v': "));
	if (!strstr(err_message(&e), message))
		fail_msg("no '%s' in '%s'", message, err_message(&e));
}

static void test_kinds(void **state)
{
	(void)state;
	auto_world struct world w;
	world_init(&w);
	struct arena *a = &w.arena;
	give(&w, "n0.o0", literal_string(a, "zero"));
	give(&w, "start-node.x", literal_int(a, 7));
	must_give(&w, bind_literal(a, literal_int(a, 5)), literal_int(a, 5));
	must_give(&w, bind_promise(a, "n0", "o0"), literal_string(a, "zero"));
	must_give(&w, bind_promise(a, "", "x"), literal_int(a, 7));
	must_give(&w, bind_promise(a, "start-node", "x"), literal_int(a, 7));
	must_give(&w, bind_list(a, 2, bind_promise(a, "n0", "o0"), bind_literal(a, literal_none(a))),
	          literal_list(a, 2, literal_string(a, "zero"), literal_none(a)));
	must_give(&w, bind_list(a, 0), literal_list(a, 0));
	must_give(&w, bind_map(a, 2, "k", bind_list(a, 1, bind_promise(a, "", "x")), "l", bind_map(a, 0)),
	          literal_map(a, 2, "k", literal_list(a, 1, literal_int(a, 7)), "l", literal_map(a, 0)));
}

static void test_several(void **state)
{
	(void)state;
	auto_world struct world w;
	world_init(&w);
	struct arena *a = &w.arena;
	Flyteidl__Core__Binding *bindings[3];
	for (int i = 0; i < 3; i++) {
		bindings[i] = proto_new(a, flyteidl__core__binding);
		bindings[i]->var = arena_printf(a, "v%d", i);
		bindings[i]->binding = bind_literal(a, literal_int(a, i));
	}
	const struct bindings_source source = { .output = look_up, .context = &w.outputs };
	Flyteidl__Core__LiteralMap *map;
	auto_err struct err e = ERR_INIT;
	assert_int_equal(bindings_resolve(a, bindings, 3, &source, &map, &e), 0);
	assert_int_equal(map->n_literals, 3);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(map->literals[i]->key, bindings[i]->var);
		assert_int_equal(map->literals[i]->value->scalar->primitive->integer, i);
	}
	assert_int_equal(bindings_resolve(a, NULL, 0, &source, &map, &e), 0);
	assert_int_equal(map->n_literals, 0);
}

static void test_failures(void **state)
{
	(void)state;
	auto_world struct world w;
	world_init(&w);
	struct arena *a = &w.arena;
	give(&w, "n0.o0", literal_list(a, 2, literal_int(a, 1), literal_int(a, 2)));
	must_not_resolve(&w, bind_promise(a, "n0", "o1"), "node 'n0' has no output 'o1'");
	must_not_resolve(&w, bind_promise(a, "n9", "o0"), "node 'n9' has no output 'o0'");
	must_not_resolve(&w, bind_promise(a, "n0", ""), "not the name of an output");
	must_not_resolve(&w, bind_promise(a, "n0", "[x].o0"), "not the name of an output");
	must_not_resolve(&w, NULL, "bound to nothing");
	must_not_resolve(&w, bind_list(a, 2, bind_promise(a, "n0", "o0"), bind_promise(a, "n0", "o7")), "element 1: ");
	must_not_resolve(&w, bind_map(a, 1, "key", bind_promise(a, "n0", "o7")), "entry 'key': ");
	must_give(&w, bind_promise(a, "n0", "[1].o0"), literal_int(a, 2));
	must_not_resolve(&w, bind_promise(a, "n0", "[2].o0"), "no element 2");
}

/* What goes wrong while reading is not the bindings' failure. */
static void test_source_errors_pass(void **state)
{
	(void)state;
	auto_world struct world w;
	world_init(&w);
	w.outputs.unavailable = true;
	auto_err struct err e = ERR_INIT;
	assert_null(resolve_one(&w, bind_list(&w.arena, 1, bind_promise(&w.arena, "n0", "o0")), &e));
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_string_equal(err_id(&e), "s3-down");
	assert_non_null(strstr(err_message(&e), "'v'"));
}

static void test_unions(void **state)
{
	(void)state;
	auto_world struct world w;
	world_init(&w);
	struct arena *a = &w.arena;
	binding_data *binding = bind_list(a, 1, bind_literal(a, literal_int(a, 1)));
	binding->union_ = proto_new(a, flyteidl__core__union_info);
	must_give(&w, binding, literal_list(a, 1, literal_int(a, 1)));
	binding->union_->targettype = type_of(a, "[int]#List");
	must_give(&w, binding, literal_union(a, literal_list(a, 1, literal_int(a, 1)), "[int]#List"));
	binding->union_->targettype = type_of(a, "[int]|[str]"); /* says nothing about the variant */
	must_give(&w, binding, literal_list(a, 1, literal_int(a, 1)));
	/* what is a union already is left alone */
	give(&w, "n0.o0", literal_union(a, literal_int(a, 3), "int"));
	binding = bind_promise(a, "n0", "o0");
	binding->union_ = proto_new(a, flyteidl__core__union_info);
	binding->union_->targettype = type_of(a, "int");
	must_give(&w, binding, literal_union(a, literal_int(a, 3), "int"));
}

static void test_offloaded_binding(void **state)
{
	(void)state;
	auto_world struct world w;
	world_init(&w);
	binding_data *binding = proto_new(&w.arena, flyteidl__core__binding_data);
	binding->value_case = FLYTEIDL__CORE__BINDING_DATA__VALUE_OFFLOADED_METADATA;
	binding->offloaded_metadata = proto_new(&w.arena, flyteidl__core__literal_offloaded_metadata);
	literal *expected = proto_new(&w.arena, flyteidl__core__literal);
	expected->value_case = FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA;
	expected->offloaded_metadata = binding->offloaded_metadata;
	must_give(&w, binding, expected);
	give(&w, "n0.o0", expected);
	must_give(&w, bind_promise(&w.arena, "n0", "o0"), expected);
	must_not_resolve(&w, bind_attribute(&w.arena, "n0", "o0", 1, "0"), "offloaded");
}

/* What is offloaded passes through as it is; for a part of it, at whatever depth, it is read. */
static void test_parts_of_offloaded_values(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	auto_world struct world w;
	world_init(&w);
	struct arena *a = &w.arena;
	literal *outer = proto_new(a, flyteidl__core__literal), *inner = proto_new(a, flyteidl__core__literal);
	outer->value_case = inner->value_case = FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA;
	outer->offloaded_metadata = proto_new(a, flyteidl__core__literal_offloaded_metadata);
	inner->offloaded_metadata = proto_new(a, flyteidl__core__literal_offloaded_metadata);
	outer->offloaded_metadata->uri = arena_strdup(a, "s3://b/outer");
	inner->offloaded_metadata->uri = arena_strdup(a, "s3://b/inner");
	w.outputs.offloaded = proto_new(a, flyteidl__core__literal_map);
	give(&w, "n0.o0", outer);
	assert_null(resolve_one(&w, bind_attribute(a, "n0", "o0", 1, "1"), &e));
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	literals_add(a, w.outputs.offloaded, "s3://b/outer", literal_list(a, 2, literal_int(a, 1), inner));
	literals_add(a, w.outputs.offloaded, "s3://b/inner", literal_list(a, 1, literal_int(a, 7)));
	must_give(&w, bind_promise(a, "n0", "o0"), outer);
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "0"), literal_int(a, 1));
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "1"), inner);
	must_give(&w, bind_attribute(a, "n0", "o0", 2, "1", "0"), literal_int(a, 7));
	must_give(&w, bind_promise(a, "n0", "[1].o0"), inner);
}

static void test_aliases(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	fixture_init(&f, "", "");
	node_t *node = node_new(&f, "n0");
	node_alias(&f, node, "o0", "result");
	assert_string_equal(bindings_output_variable(node, "result"), "o0");
	assert_string_equal(bindings_output_variable(node, "o1"), "o1");
}

static void test_paths_through_literals(void **state)
{
	(void)state;
	auto_world struct world w;
	world_init(&w);
	struct arena *a = &w.arena;
	give(&w, "n0.o0", literal_map(a, 1, "k", literal_list(a, 2, literal_int(a, 1), literal_string(a, "x"))));
	give(&w, "n0.u", literal_union(a, literal_list(a, 1, literal_int(a, 9)), "[int]"));
	give(&w, "n0.e", proto_new(a, flyteidl__core__literal));
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "k"),
	          literal_list(a, 2, literal_int(a, 1), literal_string(a, "x")));
	must_give(&w, bind_attribute(a, "n0", "o0", 2, "k", "1"), literal_string(a, "x"));
	must_give(&w, bind_attribute(a, "n0", "u", 1, "0"), literal_int(a, 9));
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 1, "z"), "a map has no attribute 'z'");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 1, "0"), "no element 0");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 2, "k", "2"), "a list of 2 elements has no element 2");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 2, "k", "name"), "a list has no attribute 'name'");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 3, "k", "0", "deeper"),
	                 "a scalar has no attribute 'deeper'");
	must_not_resolve(&w, bind_attribute(a, "n0", "e", 1, "k"), "empty");
	binding_data *negative = bind_attribute(a, "n0", "o0", 2, "k", "1");
	negative->promise->attr_path[1]->int_value = -1;
	must_not_resolve(&w, negative, "no element -1");
	negative->promise->attr_path[1]->value_case = FLYTEIDL__CORE__PROMISE_ATTRIBUTE__VALUE__NOT_SET;
	must_not_resolve(&w, negative, "empty step");
}

/* {"i": 5, "f": 1.5, "s": "hi", "b": true, "n": nil, "l": [1, {"x": "y"}], "m": {"k": -3}, "big": 2^63} */
static const uint8_t packed[] = "\x88"
                                "\xa1i\x05"
                                "\xa1"
                                "f\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"
                                "\xa1s\xa2hi"
                                "\xa1"
                                "b\xc3"
                                "\xa1n\xc0"
                                "\xa1l\x92\x01\x81\xa1x\xa1y"
                                "\xa1m\x81\xa1k\xfd"
                                "\xa3"
                                "big\xcf\x80\x00\x00\x00\x00\x00\x00\x00";

static void test_paths_through_message_pack(void **state)
{
	(void)state;
	auto_world struct world w;
	world_init(&w);
	struct arena *a = &w.arena;
	give(&w, "n0.o0", literal_packed(a, packed, sizeof(packed) - 1));
	give(&w, "n0.l", literal_list(a, 1, literal_packed(a, packed, sizeof(packed) - 1)));
	give(&w, "n0.bad", literal_packed(a, "\x81\xa1", 2));
	give(&w, "n0.trailing", literal_packed(a, "\x80\x00", 2));
	must_give(&w, bind_promise(a, "n0", "o0"), literal_packed(a, packed, sizeof(packed) - 1));
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "i"), literal_int(a, 5));
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "f"), literal_float(a, 1.5));
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "s"), literal_string(a, "hi"));
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "b"), literal_bool(a, true));
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "n"), literal_packed(a, "\xc0", 1));
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "m"), literal_packed(a, "\x81\xa1k\xfd", 4));
	must_give(&w, bind_attribute(a, "n0", "o0", 2, "m", "k"), literal_int(a, -3));
	must_give(&w, bind_attribute(a, "n0", "o0", 3, "l", "1", "x"), literal_string(a, "y"));
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "l"),
	          literal_list(a, 2, literal_packed(a, "\x01", 1), literal_packed(a, "\x81\xa1x\xa1y", 5)));
	must_give(&w, bind_attribute(a, "n0", "l", 2, "0", "i"), literal_int(a, 5));
	must_give(&w, bind_attribute(a, "n0", "l", 1, "0"), literal_packed(a, packed, sizeof(packed) - 1));
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 1, "z"), "an object has no attribute 'z'");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 2, "l", "2"), "a list of 2 elements has no element 2");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 2, "l", "x"), "a list has no attribute 'x'");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 2, "i", "x"), "a value has no attribute 'x'");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 1, "big"), "9223372036854775808 does not fit");
	must_not_resolve(&w, bind_attribute(a, "n0", "bad", 1, "x"), "malformed MessagePack");
	must_not_resolve(&w, bind_attribute(a, "n0", "trailing", 1, "x"), "malformed MessagePack");
	w.outputs.map->literals[0]->value->scalar->binary->tag = arena_strdup(a, "pickle");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 1, "i"), "format 'pickle'");
}

static Google__Protobuf__Value *value_of_kind(struct arena *a, Google__Protobuf__Value__KindCase kind)
{
	Google__Protobuf__Value *value = proto_new(a, google__protobuf__value);
	value->kind_case = kind;
	return value;
}

static void add_field(struct arena *a, Google__Protobuf__Struct *object, const char *key,
                      Google__Protobuf__Value *value)
{
	Google__Protobuf__Struct__FieldsEntry *entry = (Google__Protobuf__Struct__FieldsEntry *)proto_new_of(
	        a, &google__protobuf__struct__fields_entry__descriptor);
	entry->key = arena_strdup(a, key);
	entry->value = value;
	proto_append(a, object->n_fields, object->fields, entry);
}

static literal *literal_of_struct(struct arena *a, Google__Protobuf__Struct *object)
{
	literal *l = literal_none(a);
	l->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_GENERIC;
	l->scalar->generic = object;
	return l;
}

static void test_paths_through_structs(void **state)
{
	(void)state;
	auto_world struct world w;
	world_init(&w);
	struct arena *a = &w.arena;
	Google__Protobuf__Struct *object = proto_new(a, google__protobuf__struct),
	                         *inner = proto_new(a, google__protobuf__struct);
	Google__Protobuf__Value *number = value_of_kind(a, GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE);
	number->number_value = 2.5;
	Google__Protobuf__Value *text = value_of_kind(a, GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE);
	text->string_value = arena_strdup(a, "t");
	Google__Protobuf__Value *yes = value_of_kind(a, GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE);
	yes->bool_value = true;
	Google__Protobuf__Value *list = value_of_kind(a, GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE);
	list->list_value = proto_new(a, google__protobuf__list_value);
	Google__Protobuf__Value *child = value_of_kind(a, GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE);
	child->struct_value = inner;
	add_field(a, inner, "number", number);
	proto_append(a, list->list_value->n_values, list->list_value->values, text);
	proto_append(a, list->list_value->n_values, list->list_value->values, child);
	add_field(a, object, "list", list);
	add_field(a, object, "yes", yes);
	add_field(a, object, "nothing", value_of_kind(a, GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE));
	give(&w, "n0.o0", literal_of_struct(a, object));
	must_give(&w, bind_promise(a, "n0", "o0"), literal_of_struct(a, object));
	must_give(&w, bind_attribute(a, "n0", "o0", 2, "list", "0"), literal_string(a, "t"));
	must_give(&w, bind_attribute(a, "n0", "o0", 3, "list", "1", "number"), literal_float(a, 2.5));
	must_give(&w, bind_attribute(a, "n0", "o0", 2, "list", "1"), literal_of_struct(a, inner));
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "list"),
	          literal_list(a, 2, literal_string(a, "t"), literal_of_struct(a, inner)));
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "yes"), literal_bool(a, true));
	must_give(&w, bind_attribute(a, "n0", "o0", 1, "nothing"), literal_none(a));
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 1, "z"), "an object has no attribute 'z'");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 2, "list", "2"), "a list of 2 elements has no element 2");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 2, "list", "x"), "a list has no attribute 'x'");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 2, "yes", "x"), "has no attribute 'x'");
	must_not_resolve(&w, bind_attribute(a, "n0", "o0", 1, "0"), "no element 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_source_errors_pass),
		cmocka_unit_test(test_unions),
		cmocka_unit_test(test_offloaded_binding),
		cmocka_unit_test(test_parts_of_offloaded_values),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_paths_through_literals),
		cmocka_unit_test(test_paths_through_message_pack),
		cmocka_unit_test(test_paths_through_structs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
