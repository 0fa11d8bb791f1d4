/* Which dataclass may be given where another one is expected: schemas as flytekit writes them, from JSON text. */
#include "base/json.h"
#include "controlplane/compiler/json_schema.h"
#include "proto/message.h"

#include <string.h>

#include "cmocka_all.h"

static Google__Protobuf__Value *value_from(struct arena *a, const json_t *json);

static Google__Protobuf__Struct *struct_from(struct arena *a, const json_t *json)
{
	Google__Protobuf__Struct *object = proto_new(a, google__protobuf__struct);
	const char *key;
	json_t *member;
	json_object_foreach((json_t *)(uintptr_t)json, key, member)
	{
		Google__Protobuf__Struct__FieldsEntry *entry = (Google__Protobuf__Struct__FieldsEntry *)proto_new_of(
		        a, &google__protobuf__struct__fields_entry__descriptor);
		entry->key = arena_strdup(a, key);
		entry->value = value_from(a, member);
		proto_append(a, object->n_fields, object->fields, entry);
	}
	return object;
}

static Google__Protobuf__Value *value_from(struct arena *a, const json_t *json)
{
	Google__Protobuf__Value *value = proto_new(a, google__protobuf__value);
	if (json_is_object(json)) {
		value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE;
		value->struct_value = struct_from(a, json);
	} else if (json_is_array(json)) {
		value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE;
		value->list_value = proto_new(a, google__protobuf__list_value);
		for (size_t i = 0; i < json_array_size(json); i++)
			proto_append(a, value->list_value->n_values, value->list_value->values,
			             value_from(a, json_array_get(json, i)));
	} else if (json_is_string(json)) {
		value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
		value->string_value = arena_strdup(a, json_string_value(json));
	} else if (json_is_number(json)) {
		value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
		value->number_value = json_number_value(json);
	} else if (json_is_boolean(json)) {
		value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE;
		value->bool_value = json_is_true(json);
	} else {
		value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE;
	}
	return value;
}

static Google__Protobuf__Struct *schema_from(struct arena *a, const char *text)
{
	char *quoted = arena_strdup(a, text);
	for (char *c = quoted; *c; c++) /* ' for ", to keep the tables readable */
		if (*c == '\'')
			*c = '"';
	auto_err struct err e = ERR_INIT;
	auto_json json_t *json = json_parse(quoted, strlen(quoted), text, &e);
	if (!json)
		fail_msg("%s", err_message(&e));
	return struct_from(a, json);
}

#define A                                                                                                              \
	"{'type':'object','title':'A','properties':{'a':{'type':'integer'}},'required':['a'],'additionalProperties':"  \
	"false}"
#define A_OTHER_NAME "{'type':'object','title':'Z','properties':{'a':{'type':'integer'}},'required':['a']}"
#define CHILD_OF_A                                                                                                     \
	"{'type':'object','title':'B','properties':{'a':{'type':'integer'},'b':{'anyOf':[{'type':'string'},{'type':'"  \
	"null'}],"                                                                                                     \
	"'default':null}},'required':['a','b'],'additionalProperties':false}"
#define TWO_LEVELS(inner) "{'type':'object','properties':{'x':" inner "},'required':['x']}"
#define RECURSIVE(leaf)                                                                                                \
	"{'$ref':'#/$defs/T','$defs':{'T':{'type':'object','properties':{'v':{'type':'" leaf "'},'next':{'anyOf':"     \
	"[{'$ref':'#/$defs/T'},{'type':'null'}]}},'required':['v','next']}}}"
#define MARSHMALLOW(type)                                                                                              \
	"{'$ref':'#/definitions/A','definitions':{'A':{'type':'object','properties':{'a':{'type':'" type "'}}}}}"

static const struct {
	const char *source, *target;
	bool fits;
} rows[] = {
	{ "{}", "{}", true },
	{ A, A, true },
	{ A, A_OTHER_NAME, true },
	{ CHILD_OF_A, A, true },
	{ A, CHILD_OF_A, false },
	{ TWO_LEVELS(A), TWO_LEVELS(A), true },
	{ TWO_LEVELS(CHILD_OF_A), TWO_LEVELS(A), true },
	{ TWO_LEVELS(A), TWO_LEVELS(CHILD_OF_A), false },
	{ RECURSIVE("integer"), RECURSIVE("integer"), true },
	{ RECURSIVE("integer"), RECURSIVE("string"), false },
	{ MARSHMALLOW("integer"), MARSHMALLOW("integer"), true },
	{ MARSHMALLOW("integer"), MARSHMALLOW("string"), false },
	{ "{'$ref':'#/nowhere'}", "{'$ref':'#/nowhere','x':1}", false },
	{ "{'$ref':'#/a','a':{'$ref':'#/b'},'b':{'$ref':'#/a'}}", "{'$ref':'#/a','a':{'$ref':'#/a'}}", false },
	{ "{'$ref':'other.json'}", A, false },
	{ "{'type':'integer'}", "{'type':'integer','title':'x'}", true },
	{ "{'type':['string','null']}", "{'type':['null','string']}", true },
	{ "{'type':['string','null']}", "{'type':'string'}", false },
	{ "{'type':'object'}", "{}", true },
	{ "{'type':'string'}", "{}", false },
	{ "{}", "{'type':'string'}", false },
	{ "{'type':'string','format':'date'}", "{'type':'string'}", false },
	{ "{'type':'string','enum':['a']}", "{'type':'string','enum':['a','b']}", true },
	{ "{'type':'string','enum':['a','c']}", "{'type':'string','enum':['a','b']}", false },
	{ "{'type':'string','pattern':'x'}", "{'type':'string','pattern':'y'}", false },
	{ "{'type':'string'}", "{'type':'string','pattern':'y'}", false },
	{ "{'type':'string','maxLength':3}", "{'type':'string','maxLength':5}", true },
	{ "{'type':'string','maxLength':6}", "{'type':'string','maxLength':5}", false },
	{ "{'type':'string','minLength':6,'x':0}", "{'type':'string','minLength':5}", true },
	{ "{'type':'string'}", "{'type':'string','minLength':5}", false },
	{ "{'type':'number','maximum':3}", "{'type':'number','maximum':5}", true },
	{ "{'type':'number','minimum':3}", "{'type':'number','minimum':5}", false },
	{ "{'type':'number','multipleOf':6}", "{'type':'number','multipleOf':3}", true },
	{ "{'type':'number','multipleOf':5}", "{'type':'number','multipleOf':3}", false },
	{ "{'type':'array','items':{'type':'integer'}}", "{'type':'array','items':{'type':'integer'},'title':'t'}",
	  true },
	{ "{'type':'array','items':{'type':'integer'}}", "{'type':'array','items':{'type':'string'}}", false },
	{ "{'type':'array'}", "{'type':'array','items':{'type':'string'}}", false },
	{ "{'type':'array','items':[{'type':'string'}]}", "{'type':'array','items':[{'type':'string'}],'x':1}", true },
	{ "{'type':'array','items':[{'type':'string'}]}", "{'type':'array','items':{'type':'string'}}", false },
	{ "{'type':'array','items':[{},{}]}", "{'type':'array','items':[{}]}", false },
	{ "{'type':'array','uniqueItems':true}", "{'type':'array','uniqueItems':true,'x':1}", true },
	{ "{'type':'array'}", "{'type':'array','uniqueItems':true}", false },
	{ "{'type':'array','maxItems':2}", "{'type':'array','maxItems':1}", false },
	{ "{'anyOf':[{'type':'string'},{'type':'null'}]}", "{'anyOf':[{'type':'null'},{'type':'string'}]}", true },
	{ "{'anyOf':[{'type':'string'}]}", "{'anyOf':[{'type':'null'},{'type':'string'}]}", true },
	{ "{'anyOf':[{'type':'string'},{'type':'null'}]}", "{'anyOf':[{'type':'string'}]}", false },
	{ "{'allOf':[{'type':'string'}]}", "{'oneOf':[{'type':'string'}]}", false },
	{ "{'oneOf':[{'type':'string'}]}", "{'oneOf':[{'type':'string'}],'x':1}", true },
	{ "{'const':1}", "{'const':1,'x':1}", true },
	{ "{'const':2}", "{'const':1}", false },
	{ "{'const':{'a':[1,null,true]}}", "{'const':{'a':[1,null,true]},'x':1}", true },
	{ "{}", "{'const':1}", false },
	{ "{'if':{'type':'string'}}", "{'if':{'type':'string'},'x':1}", true },
	{ "{'if':{'type':'string'}}", "{}", false },
	{ "{'then':{'type':'string'}}", "{'then':{'type':'null'}}", false },
	{ "{'maxProperties':1}", "{'maxProperties':2}", true },
	{ "{'minProperties':1}", "{'minProperties':2}", false },
	{ "{'properties':{'a':true}}", "{'properties':{'a':true},'x':1}", true },
	{ "{'properties':{'a~b':{'$ref':'#/d/x~1y~0'}},'d':{'x/y~':{'type':'null'}}}",
	  "{'properties':{'a~b':{'type':'null'}}}", true },
};

static void test_schemas(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_arena struct arena arena = ARENA_INIT(1 << 20);
		bool fits =
		        json_schema_accepts(schema_from(&arena, rows[i].target), schema_from(&arena, rows[i].source));
		if (fits != rows[i].fits)
			fail_msg("%s into %s: got %d", rows[i].source, rows[i].target, fits);
	}
}

/* Each level refers twice to the next one: 2^30 paths. */
static void test_work_is_bounded(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(4 << 20);
	{
		const char *levels = "";
		for (int i = 0; i < 30; i++)
			levels = arena_printf(
			        &arena,
			        "%s'l%d':{'anyOf':[{'allOf':[{'$ref':'#/l%d'}]},{'allOf':[{'$ref':'#/l%d'}]}]},",
			        levels, i, i + 1, i + 1);
		const char *source = arena_printf(&arena, "{%s'l30':{'type':'string'},'$ref':'#/l0'}", levels);
		const char *target = arena_printf(&arena, "{%s'l30':{'type':'null'},'$ref':'#/l0'}", levels);
		assert_false(json_schema_accepts(schema_from(&arena, target), schema_from(&arena, source)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schemas),
		cmocka_unit_test(test_work_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
