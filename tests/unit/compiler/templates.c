#include "templates.h"

#include "base/text.h"
#include "controlplane/compiler/types.h"
#include "proto/message.h"

#include "cmocka_all.h"
#include <stdint.h>
#include <string.h>

/* ---- types ---- */

static const struct {
	const char *name;
	Flyteidl__Core__SimpleType simple;
} simple_names[] = {
	{ "int", FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER },       { "float", FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT },
	{ "str", FLYTEIDL__CORE__SIMPLE_TYPE__STRING },        { "bool", FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN },
	{ "datetime", FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME }, { "duration", FLYTEIDL__CORE__SIMPLE_TYPE__DURATION },
	{ "binary", FLYTEIDL__CORE__SIMPLE_TYPE__BINARY },     { "error", FLYTEIDL__CORE__SIMPLE_TYPE__ERROR },
	{ "struct", FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT },     { "none", FLYTEIDL__CORE__SIMPLE_TYPE__NONE },
};

struct parser {
	struct arena *arena;
	const char *at;
};

static literal_type *parse_union(struct parser *p);

static literal_type *new_type(struct parser *p, Flyteidl__Core__LiteralType__TypeCase kind)
{
	literal_type *type = proto_new(p->arena, flyteidl__core__literal_type);
	type->type_case = kind;
	return type;
}

static char *parse_word(struct parser *p)
{
	size_t length = strcspn(p->at, "[]{}<>()|#:=,/ ");
	char *word = arena_strndup(p->arena, p->at, length);
	p->at += length;
	return word;
}

static bool take(struct parser *p, char c)
{
	if (*p->at != c)
		return false;
	p->at++;
	return true;
}

static literal_type *parse_enum(struct parser *p)
{
	literal_type *type = new_type(p, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE);
	type->enum_type = proto_new(p->arena, flyteidl__core__enum_type);
	if (take(p, ':'))
		do
			proto_append(p->arena, type->enum_type->n_values, type->enum_type->values, parse_word(p));
		while (take(p, ','));
	return type;
}

static Flyteidl__Core__SchemaType__SchemaColumn__SchemaColumnType column_type(const literal_type *type)
{
	switch (type->simple) {
	case FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER:
		return FLYTEIDL__CORE__SCHEMA_TYPE__SCHEMA_COLUMN__SCHEMA_COLUMN_TYPE__INTEGER;
	case FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT:
		return FLYTEIDL__CORE__SCHEMA_TYPE__SCHEMA_COLUMN__SCHEMA_COLUMN_TYPE__FLOAT;
	case FLYTEIDL__CORE__SIMPLE_TYPE__STRING:
		return FLYTEIDL__CORE__SCHEMA_TYPE__SCHEMA_COLUMN__SCHEMA_COLUMN_TYPE__STRING;
	case FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN:
		return FLYTEIDL__CORE__SCHEMA_TYPE__SCHEMA_COLUMN__SCHEMA_COLUMN_TYPE__BOOLEAN;
	case FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME:
		return FLYTEIDL__CORE__SCHEMA_TYPE__SCHEMA_COLUMN__SCHEMA_COLUMN_TYPE__DATETIME;
	default:
		return FLYTEIDL__CORE__SCHEMA_TYPE__SCHEMA_COLUMN__SCHEMA_COLUMN_TYPE__DURATION;
	}
}

static literal_type *parse_schema(struct parser *p)
{
	literal_type *type = new_type(p, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SCHEMA);
	type->schema = proto_new(p->arena, flyteidl__core__schema_type);
	while (take(p, type->schema->n_columns ? ',' : ':')) {
		Flyteidl__Core__SchemaType__SchemaColumn *column =
		        (Flyteidl__Core__SchemaType__SchemaColumn *)proto_new_of(
		                p->arena, &flyteidl__core__schema_type__schema_column__descriptor);
		column->name = parse_word(p);
		assert_true(take(p, '='));
		column->type = column_type(parse_union(p));
		proto_append(p->arena, type->schema->n_columns, type->schema->columns, column);
	}
	return type;
}

static literal_type *parse_dataset(struct parser *p)
{
	literal_type *type = new_type(p, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_STRUCTURED_DATASET_TYPE);
	Flyteidl__Core__StructuredDatasetType *dataset = proto_new(p->arena, flyteidl__core__structured_dataset_type);
	type->structured_dataset_type = dataset;
	if (take(p, '/'))
		dataset->format = parse_word(p);
	while (take(p, dataset->n_columns ? ',' : ':')) {
		Flyteidl__Core__StructuredDatasetType__DatasetColumn *column =
		        (Flyteidl__Core__StructuredDatasetType__DatasetColumn *)proto_new_of(
		                p->arena, &flyteidl__core__structured_dataset_type__dataset_column__descriptor);
		column->name = parse_word(p);
		assert_true(take(p, '='));
		column->literal_type = parse_union(p);
		proto_append(p->arena, dataset->n_columns, dataset->columns, column);
	}
	return type;
}

static literal_type *parse_dataclass(struct parser *p)
{
	literal_type *type = new_type(p, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE);
	type->simple = FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT;
	type->structure = proto_new(p->arena, flyteidl__core__type_structure);
	assert_true(take(p, '('));
	do {
		Flyteidl__Core__TypeStructure__DataclassTypeEntry *entry =
		        (Flyteidl__Core__TypeStructure__DataclassTypeEntry *)proto_new_of(
		                p->arena, &flyteidl__core__type_structure__dataclass_type_entry__descriptor);
		entry->key = parse_word(p);
		assert_true(take(p, '='));
		entry->value = parse_union(p);
		proto_append(p->arena, type->structure->n_dataclass_type, type->structure->dataclass_type, entry);
	} while (take(p, ','));
	assert_true(take(p, ')'));
	return type;
}

static literal_type *parse_named(struct parser *p)
{
	const char *word = parse_word(p);
	if (text_equal(word, "?"))
		return new_type(p, FLYTEIDL__CORE__LITERAL_TYPE__TYPE__NOT_SET);
	if (text_equal(word, "enum"))
		return parse_enum(p);
	if (text_equal(word, "schema"))
		return parse_schema(p);
	if (text_equal(word, "dataset"))
		return parse_dataset(p);
	if (text_equal(word, "dataclass"))
		return parse_dataclass(p);
	if (text_equal(word, "blob")) {
		literal_type *type = new_type(p, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB);
		type->blob = proto_new(p->arena, flyteidl__core__blob_type);
		if (take(p, ':'))
			type->blob->format = parse_word(p);
		return type;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(simple_names); i++)
		if (text_equal(word, simple_names[i].name)) {
			literal_type *type = new_type(p, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE);
			type->simple = simple_names[i].simple;
			return type;
		}
	fail_msg("unknown type '%s'", word);
	return NULL;
}

static literal_type *parse_one(struct parser *p)
{
	literal_type *type;
	if (take(p, '[')) {
		type = new_type(p, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE);
		type->collection_type = parse_union(p);
		assert_true(take(p, ']'));
	} else if (take(p, '{')) {
		type = new_type(p, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE);
		type->map_value_type = parse_union(p);
		assert_true(take(p, '}'));
	} else if (take(p, '<')) {
		type = new_type(p, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE);
		type->union_type = proto_new(p->arena, flyteidl__core__union_type);
		proto_append(p->arena, type->union_type->n_variants, type->union_type->variants, parse_union(p));
		assert_true(take(p, '>'));
	} else {
		type = parse_named(p);
	}
	if (take(p, '#')) {
		type->structure = proto_new(p->arena, flyteidl__core__type_structure);
		type->structure->tag = parse_word(p);
	}
	return type;
}

static literal_type *parse_union(struct parser *p)
{
	literal_type *first = parse_one(p);
	if (*p->at != '|')
		return first;
	literal_type *type = new_type(p, FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE);
	type->union_type = proto_new(p->arena, flyteidl__core__union_type);
	proto_append(p->arena, type->union_type->n_variants, type->union_type->variants, first);
	while (take(p, '|'))
		proto_append(p->arena, type->union_type->n_variants, type->union_type->variants, parse_one(p));
	return type;
}

literal_type *type_of(struct arena *a, const char *text)
{
	struct parser p = { .arena = a, .at = text };
	literal_type *type = parse_union(&p);
	if (*p.at)
		fail_msg("'%s' does not end at '%s'", text, p.at);
	return type;
}

/* "name=type name=type", each given to `add`. */
static void parse_variables(struct arena *a, const char *text, void *map,
                            void (*add)(struct arena *a, void *map, char *name, Flyteidl__Core__Variable *variable))
{
	struct parser p = { .arena = a, .at = text };
	while (*p.at) {
		char *name = parse_word(&p);
		assert_true(take(&p, '='));
		Flyteidl__Core__Variable *variable = proto_new(a, flyteidl__core__variable);
		variable->type = parse_union(&p);
		add(a, map, name, variable);
		while (take(&p, ' '))
			;
	}
}

static void add_variable(struct arena *a, void *map, char *name, Flyteidl__Core__Variable *variable)
{
	Flyteidl__Core__VariableMap *variables = map;
	Flyteidl__Core__VariableMap__VariablesEntry *entry =
	        (Flyteidl__Core__VariableMap__VariablesEntry *)proto_new_of(
	                a, &flyteidl__core__variable_map__variables_entry__descriptor);
	entry->key = name;
	entry->value = variable;
	proto_append(a, variables->n_variables, variables->variables, entry);
}

static void add_parameter(struct arena *a, void *map, char *name, Flyteidl__Core__Variable *variable)
{
	Flyteidl__Core__ParameterMap *parameters = map;
	Flyteidl__Core__ParameterMap__ParametersEntry *entry =
	        (Flyteidl__Core__ParameterMap__ParametersEntry *)proto_new_of(
	                a, &flyteidl__core__parameter_map__parameters_entry__descriptor);
	entry->key = name;
	entry->value = proto_new(a, flyteidl__core__parameter);
	entry->value->var = variable;
	entry->value->behavior_case = FLYTEIDL__CORE__PARAMETER__BEHAVIOR_REQUIRED;
	entry->value->required = true;
	proto_append(a, parameters->n_parameters, parameters->parameters, entry);
}

Flyteidl__Core__VariableMap *variables_from(struct arena *a, const char *text)
{
	Flyteidl__Core__VariableMap *map = proto_new(a, flyteidl__core__variable_map);
	parse_variables(a, text, map, add_variable);
	return map;
}

Flyteidl__Core__ParameterMap *parameters_from(struct arena *a, const char *required)
{
	Flyteidl__Core__ParameterMap *map = proto_new(a, flyteidl__core__parameter_map);
	parse_variables(a, required, map, add_parameter);
	return map;
}

Flyteidl__Core__Identifier *id_of(struct arena *a, Flyteidl__Core__ResourceType kind, const char *name)
{
	Flyteidl__Core__Identifier *id = proto_new(a, flyteidl__core__identifier);
	id->resource_type = kind;
	id->project = arena_strdup(a, "p");
	id->domain = arena_strdup(a, "d");
	id->name = arena_strdup(a, name);
	id->version = arena_strdup(a, "v");
	return id;
}

/* ---- literals ---- */

static literal *scalar_literal(struct arena *a, Flyteidl__Core__Scalar__ValueCase kind)
{
	literal *l = proto_new(a, flyteidl__core__literal);
	l->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	l->scalar = proto_new(a, flyteidl__core__scalar);
	l->scalar->value_case = kind;
	return l;
}

static literal *primitive_literal(struct arena *a, Flyteidl__Core__Primitive__ValueCase kind)
{
	literal *l = scalar_literal(a, FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE);
	l->scalar->primitive = proto_new(a, flyteidl__core__primitive);
	l->scalar->primitive->value_case = kind;
	return l;
}

literal *literal_int(struct arena *a, int64_t value)
{
	literal *l = primitive_literal(a, FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER);
	l->scalar->primitive->integer = value;
	return l;
}

literal *literal_float(struct arena *a, double value)
{
	literal *l = primitive_literal(a, FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE);
	l->scalar->primitive->float_value = value;
	return l;
}

literal *literal_string(struct arena *a, const char *value)
{
	literal *l = primitive_literal(a, FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE);
	l->scalar->primitive->string_value = arena_strdup(a, value);
	return l;
}

literal *literal_bool(struct arena *a, bool value)
{
	literal *l = primitive_literal(a, FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN);
	l->scalar->primitive->boolean = value;
	return l;
}

literal *literal_none(struct arena *a)
{
	literal *l = scalar_literal(a, FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE);
	l->scalar->none_type = proto_new(a, flyteidl__core__void);
	return l;
}

literal *literal_union(struct arena *a, literal *value, const char *variant)
{
	literal *l = scalar_literal(a, FLYTEIDL__CORE__SCALAR__VALUE_UNION);
	l->scalar->union_ = proto_new(a, flyteidl__core__union);
	l->scalar->union_->value = value;
	l->scalar->union_->type = type_of(a, variant);
	return l;
}

literal *literal_packed(struct arena *a, const void *bytes, size_t size)
{
	literal *l = scalar_literal(a, FLYTEIDL__CORE__SCALAR__VALUE_BINARY);
	l->scalar->binary = proto_new(a, flyteidl__core__binary);
	l->scalar->binary->value.data = arena_copy(a, bytes, size);
	l->scalar->binary->value.len = size;
	l->scalar->binary->tag = arena_strdup(a, TYPES_MESSAGE_PACK_TAG);
	return l;
}

literal *literal_list(struct arena *a, size_t count, ...)
{
	literal *l = proto_new(a, flyteidl__core__literal);
	l->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	l->collection = proto_new(a, flyteidl__core__literal_collection);
	va_list arguments;
	va_start(arguments, count);
	for (size_t i = 0; i < count; i++)
		proto_append(a, l->collection->n_literals, l->collection->literals, va_arg(arguments, literal *));
	va_end(arguments);
	return l;
}

void literals_add(struct arena *a, Flyteidl__Core__LiteralMap *map, const char *key, literal *value)
{
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry = (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
	        a, &flyteidl__core__literal_map__literals_entry__descriptor);
	entry->key = arena_strdup(a, key);
	entry->value = value;
	proto_append(a, map->n_literals, map->literals, entry);
}

literal *literal_map(struct arena *a, size_t count, ...)
{
	literal *l = proto_new(a, flyteidl__core__literal);
	l->value_case = FLYTEIDL__CORE__LITERAL__VALUE_MAP;
	l->map = proto_new(a, flyteidl__core__literal_map);
	va_list arguments;
	va_start(arguments, count);
	for (size_t i = 0; i < count; i++) {
		const char *key = va_arg(arguments, const char *);
		literals_add(a, l->map, key, va_arg(arguments, literal *));
	}
	va_end(arguments);
	return l;
}

const literal *literals_get(const Flyteidl__Core__LiteralMap *map, const char *key)
{
	for (size_t i = 0; i < map->n_literals; i++)
		if (text_equal(map->literals[i]->key, key))
			return map->literals[i]->value;
	return NULL;
}

/* ---- bindings ---- */

static binding_data *new_binding(struct arena *a, Flyteidl__Core__BindingData__ValueCase kind)
{
	binding_data *binding = proto_new(a, flyteidl__core__binding_data);
	binding->value_case = kind;
	return binding;
}

binding_data *bind_literal(struct arena *a, literal *scalar)
{
	binding_data *binding = new_binding(a, FLYTEIDL__CORE__BINDING_DATA__VALUE_SCALAR);
	binding->scalar = scalar->scalar;
	return binding;
}

binding_data *bind_promise(struct arena *a, const char *node_id, const char *variable)
{
	binding_data *binding = new_binding(a, FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE);
	binding->promise = proto_new(a, flyteidl__core__output_reference);
	binding->promise->node_id = arena_strdup(a, node_id);
	binding->promise->var = arena_strdup(a, variable);
	return binding;
}

binding_data *bind_attribute(struct arena *a, const char *node_id, const char *variable, size_t count, ...)
{
	binding_data *binding = bind_promise(a, node_id, variable);
	va_list arguments;
	va_start(arguments, count);
	for (size_t i = 0; i < count; i++) {
		const char *step = va_arg(arguments, const char *);
		Flyteidl__Core__PromiseAttribute *attribute = proto_new(a, flyteidl__core__promise_attribute);
		int64_t position;
		if (text_to_int64(step, 0, INT32_MAX, &position)) {
			attribute->value_case = FLYTEIDL__CORE__PROMISE_ATTRIBUTE__VALUE_INT_VALUE;
			attribute->int_value = (int32_t)position;
		} else {
			attribute->value_case = FLYTEIDL__CORE__PROMISE_ATTRIBUTE__VALUE_STRING_VALUE;
			attribute->string_value = arena_strdup(a, step);
		}
		proto_append(a, binding->promise->n_attr_path, binding->promise->attr_path, attribute);
	}
	va_end(arguments);
	return binding;
}

binding_data *bind_list(struct arena *a, size_t count, ...)
{
	binding_data *binding = new_binding(a, FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION);
	binding->collection = proto_new(a, flyteidl__core__binding_data_collection);
	va_list arguments;
	va_start(arguments, count);
	for (size_t i = 0; i < count; i++)
		proto_append(a, binding->collection->n_bindings, binding->collection->bindings,
		             va_arg(arguments, binding_data *));
	va_end(arguments);
	return binding;
}

binding_data *bind_map(struct arena *a, size_t count, ...)
{
	binding_data *binding = new_binding(a, FLYTEIDL__CORE__BINDING_DATA__VALUE_MAP);
	binding->map = proto_new(a, flyteidl__core__binding_data_map);
	va_list arguments;
	va_start(arguments, count);
	for (size_t i = 0; i < count; i++) {
		Flyteidl__Core__BindingDataMap__BindingsEntry *entry =
		        (Flyteidl__Core__BindingDataMap__BindingsEntry *)proto_new_of(
		                a, &flyteidl__core__binding_data_map__bindings_entry__descriptor);
		entry->key = arena_strdup(a, va_arg(arguments, const char *));
		entry->value = va_arg(arguments, binding_data *);
		proto_append(a, binding->map->n_bindings, binding->map->bindings, entry);
	}
	va_end(arguments);
	return binding;
}

/* ---- fixtures ---- */

static workflow_template *new_workflow(struct fixture *f, const char *name, const char *inputs, const char *outputs)
{
	workflow_template *workflow = proto_new(&f->arena, flyteidl__core__workflow_template);
	workflow->id = id_of(&f->arena, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, name);
	workflow->interface = proto_new(&f->arena, flyteidl__core__typed_interface);
	workflow->interface->inputs = variables_from(&f->arena, inputs);
	workflow->interface->outputs = variables_from(&f->arena, outputs);
	return workflow;
}

void fixture_init(struct fixture *f, const char *inputs, const char *outputs)
{
	*f = (struct fixture){ .arena = ARENA_INIT((size_t)64 * 1024 * 1024) };
	f->primary = new_workflow(f, "wf", inputs, outputs);
}

void fixture_release(struct fixture *f)
{
	arena_release(&f->arena);
}

task_template *fixture_task(struct fixture *f, const char *name, const char *inputs, const char *outputs)
{
	task_template *task = proto_new(&f->arena, flyteidl__core__task_template);
	task->id = id_of(&f->arena, FLYTEIDL__CORE__RESOURCE_TYPE__TASK, name);
	task->interface = proto_new(&f->arena, flyteidl__core__typed_interface);
	task->interface->inputs = variables_from(&f->arena, inputs);
	task->interface->outputs = variables_from(&f->arena, outputs);
	Flyteidl__Core__CompiledTask *compiled = proto_new(&f->arena, flyteidl__core__compiled_task);
	compiled->template_ = task;
	proto_append(&f->arena, f->task_count, f->tasks, compiled);
	return task;
}

workflow_template *fixture_sub_workflow(struct fixture *f, const char *name, const char *inputs, const char *outputs)
{
	workflow_template *workflow = new_workflow(f, name, inputs, outputs);
	proto_append(&f->arena, f->sub_workflow_count, f->sub_workflows, workflow);
	return workflow;
}

struct compiler_launch_plan *fixture_launch_plan(struct fixture *f, const char *name, const char *required,
                                                 const char *outputs)
{
	struct compiler_launch_plan *launch_plan = &f->launch_plans[f->launch_plan_count++];
	launch_plan->id = id_of(&f->arena, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, name);
	launch_plan->expected_inputs = parameters_from(&f->arena, required);
	launch_plan->outputs = variables_from(&f->arena, outputs);
	return launch_plan;
}

node_t *node_new(struct fixture *f, const char *id)
{
	node_t *node = proto_new(&f->arena, flyteidl__core__node);
	node->id = arena_strdup(&f->arena, id);
	return node;
}

node_t *add_node(struct fixture *f, workflow_template *workflow, node_t *node)
{
	proto_append(&f->arena, workflow->n_nodes, workflow->nodes, node);
	return node;
}

node_t *task_node(struct fixture *f, const char *id, const char *task)
{
	node_t *node = node_new(f, id);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_TASK_NODE;
	node->task_node = proto_new(&f->arena, flyteidl__core__task_node);
	node->task_node->reference_case = FLYTEIDL__CORE__TASK_NODE__REFERENCE_REFERENCE_ID;
	node->task_node->reference_id = id_of(&f->arena, FLYTEIDL__CORE__RESOURCE_TYPE__TASK, task);
	return node;
}

static node_t *workflow_node(struct fixture *f, const char *id)
{
	node_t *node = node_new(f, id);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE;
	node->workflow_node = proto_new(&f->arena, flyteidl__core__workflow_node);
	return node;
}

node_t *sub_workflow_node(struct fixture *f, const char *id, const char *workflow)
{
	node_t *node = workflow_node(f, id);
	node->workflow_node->reference_case = FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_SUB_WORKFLOW_REF;
	node->workflow_node->sub_workflow_ref = id_of(&f->arena, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, workflow);
	return node;
}

node_t *launch_plan_node(struct fixture *f, const char *id, const char *launch_plan)
{
	node_t *node = workflow_node(f, id);
	node->workflow_node->reference_case = FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_LAUNCHPLAN_REF;
	node->workflow_node->launchplan_ref = id_of(&f->arena, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, launch_plan);
	return node;
}

static Flyteidl__Core__IfBlock *if_block(struct fixture *f, Flyteidl__Core__BooleanExpression *condition,
                                         node_t *then_node)
{
	Flyteidl__Core__IfBlock *block = proto_new(&f->arena, flyteidl__core__if_block);
	block->condition = condition;
	block->then_node = then_node;
	return block;
}

node_t *branch_node(struct fixture *f, const char *id, Flyteidl__Core__BooleanExpression *condition, node_t *then_node)
{
	node_t *node = node_new(f, id);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE;
	node->branch_node = proto_new(&f->arena, flyteidl__core__branch_node);
	node->branch_node->if_else = proto_new(&f->arena, flyteidl__core__if_else_block);
	node->branch_node->if_else->case_ = if_block(f, condition, then_node);
	return node;
}

void branch_other(struct fixture *f, node_t *branch, Flyteidl__Core__BooleanExpression *condition, node_t *then_node)
{
	Flyteidl__Core__IfElseBlock *block = branch->branch_node->if_else;
	proto_append(&f->arena, block->n_other, block->other, if_block(f, condition, then_node));
}

void branch_else(node_t *branch, node_t *else_node)
{
	branch->branch_node->if_else->default_case = FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT_ELSE_NODE;
	branch->branch_node->if_else->else_node = else_node;
}

void branch_fail(struct fixture *f, node_t *branch, const char *message)
{
	branch->branch_node->if_else->default_case = FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT_ERROR;
	branch->branch_node->if_else->error = proto_new(&f->arena, flyteidl__core__error);
	branch->branch_node->if_else->error->message = arena_strdup(&f->arena, message);
}

static node_t *gate_node(struct fixture *f, const char *id, Flyteidl__Core__GateNode__ConditionCase kind)
{
	node_t *node = node_new(f, id);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_GATE_NODE;
	node->gate_node = proto_new(&f->arena, flyteidl__core__gate_node);
	node->gate_node->condition_case = kind;
	return node;
}

node_t *approve_node(struct fixture *f, const char *id)
{
	node_t *node = gate_node(f, id, FLYTEIDL__CORE__GATE_NODE__CONDITION_APPROVE);
	node->gate_node->approve = proto_new(&f->arena, flyteidl__core__approve_condition);
	return node;
}

node_t *signal_node(struct fixture *f, const char *id, const char *type, const char *variable)
{
	node_t *node = gate_node(f, id, FLYTEIDL__CORE__GATE_NODE__CONDITION_SIGNAL);
	node->gate_node->signal = proto_new(&f->arena, flyteidl__core__signal_condition);
	node->gate_node->signal->type = type ? type_of(&f->arena, type) : NULL;
	node->gate_node->signal->output_variable_name = arena_strdup(&f->arena, variable);
	return node;
}

node_t *sleep_node(struct fixture *f, const char *id)
{
	node_t *node = gate_node(f, id, FLYTEIDL__CORE__GATE_NODE__CONDITION_SLEEP);
	node->gate_node->sleep = proto_new(&f->arena, flyteidl__core__sleep_condition);
	return node;
}

node_t *array_node(struct fixture *f, const char *id, node_t *inner)
{
	node_t *node = node_new(f, id);
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE;
	node->array_node = proto_new(&f->arena, flyteidl__core__array_node);
	node->array_node->node = inner;
	return node;
}

static Flyteidl__Core__Binding *named_binding(struct fixture *f, const char *variable, binding_data *data)
{
	Flyteidl__Core__Binding *binding = proto_new(&f->arena, flyteidl__core__binding);
	binding->var = arena_strdup(&f->arena, variable);
	binding->binding = data;
	return binding;
}

void node_bind(struct fixture *f, node_t *node, const char *variable, binding_data *binding)
{
	proto_append(&f->arena, node->n_inputs, node->inputs, named_binding(f, variable, binding));
}

void node_after(struct fixture *f, node_t *node, const char *upstream)
{
	proto_append(&f->arena, node->n_upstream_node_ids, node->upstream_node_ids, arena_strdup(&f->arena, upstream));
}

void node_alias(struct fixture *f, node_t *node, const char *variable, const char *alias)
{
	Flyteidl__Core__Alias *entry = proto_new(&f->arena, flyteidl__core__alias);
	entry->var = arena_strdup(&f->arena, variable);
	entry->alias = arena_strdup(&f->arena, alias);
	proto_append(&f->arena, node->n_output_aliases, node->output_aliases, entry);
}

void bind_output(struct fixture *f, workflow_template *workflow, const char *variable, binding_data *binding)
{
	proto_append(&f->arena, workflow->n_outputs, workflow->outputs, named_binding(f, variable, binding));
}

/* ---- conditions ---- */

static Flyteidl__Core__BooleanExpression *comparison(struct arena *a, const char *operator_,
                                                     Flyteidl__Core__Operand *left, Flyteidl__Core__Operand *right)
{
	static const struct {
		const char *text;
		Flyteidl__Core__ComparisonExpression__Operator value;
	} operators[] = {
		{ "==", FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__EQ },
		{ "!=", FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__NEQ },
		{ ">", FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__GT },
		{ ">=", FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__GTE },
		{ "<", FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__LT },
		{ "<=", FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__LTE },
	};
	Flyteidl__Core__BooleanExpression *expression = proto_new(a, flyteidl__core__boolean_expression);
	expression->expr_case = FLYTEIDL__CORE__BOOLEAN_EXPRESSION__EXPR_COMPARISON;
	expression->comparison = proto_new(a, flyteidl__core__comparison_expression);
	expression->comparison->left_value = left;
	expression->comparison->right_value = right;
	for (size_t i = 0; i < ARRAY_LENGTH(operators); i++)
		if (text_equal(operators[i].text, operator_)) {
			expression->comparison->operator_ = operators[i].value;
			return expression;
		}
	fail_msg("no operator '%s'", operator_);
	return NULL;
}

static Flyteidl__Core__Operand *variable_operand(struct arena *a, const char *variable)
{
	Flyteidl__Core__Operand *operand = proto_new(a, flyteidl__core__operand);
	operand->val_case = FLYTEIDL__CORE__OPERAND__VAL_VAR;
	operand->var = arena_strdup(a, variable);
	return operand;
}

Flyteidl__Core__BooleanExpression *compare_with(struct arena *a, const char *variable, const char *operator_,
                                                literal *constant)
{
	Flyteidl__Core__Operand *operand = proto_new(a, flyteidl__core__operand);
	if (constant->scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE) {
		operand->val_case = FLYTEIDL__CORE__OPERAND__VAL_PRIMITIVE;
		operand->primitive = constant->scalar->primitive;
	} else {
		operand->val_case = FLYTEIDL__CORE__OPERAND__VAL_SCALAR;
		operand->scalar = constant->scalar;
	}
	return comparison(a, operator_, variable_operand(a, variable), operand);
}

Flyteidl__Core__BooleanExpression *compare_variables(struct arena *a, const char *left, const char *operator_,
                                                     const char *right)
{
	return comparison(a, operator_, variable_operand(a, left), variable_operand(a, right));
}

Flyteidl__Core__BooleanExpression *conjunction(struct arena *a, bool either, Flyteidl__Core__BooleanExpression *left,
                                               Flyteidl__Core__BooleanExpression *right)
{
	Flyteidl__Core__BooleanExpression *expression = proto_new(a, flyteidl__core__boolean_expression);
	expression->expr_case = FLYTEIDL__CORE__BOOLEAN_EXPRESSION__EXPR_CONJUNCTION;
	expression->conjunction = proto_new(a, flyteidl__core__conjunction_expression);
	expression->conjunction->operator_ = either ? FLYTEIDL__CORE__CONJUNCTION_EXPRESSION__LOGICAL_OPERATOR__OR
	                                            : FLYTEIDL__CORE__CONJUNCTION_EXPRESSION__LOGICAL_OPERATOR__AND;
	expression->conjunction->left_expression = left;
	expression->conjunction->right_expression = right;
	return expression;
}

/* ---- compiling ---- */

Flyteidl__Core__CompiledWorkflowClosure *fixture_compile(struct fixture *f)
{
	struct compiler_request request = { .primary = f->primary,
		                            .sub_workflows = f->sub_workflows,
		                            .sub_workflow_count = f->sub_workflow_count,
		                            .tasks = f->tasks,
		                            .task_count = f->task_count,
		                            .launch_plans = f->launch_plans,
		                            .launch_plan_count = f->launch_plan_count };
	auto_err struct err e = ERR_INIT;
	Flyteidl__Core__CompiledWorkflowClosure *closure = compiler_compile_workflow(&f->arena, &request, &e);
	f->errors = arena_strdup(&f->arena, err_message(&e));
	if (closure) {
		assert_int_equal(e.kind, ERR_NONE);
	} else {
		assert_int_equal(e.kind, ERR_INVALID);
		assert_string_equal(err_id(&e), "compile-error");
	}
	return closure;
}

Flyteidl__Core__CompiledWorkflowClosure *must_compile(struct fixture *f)
{
	Flyteidl__Core__CompiledWorkflowClosure *closure = fixture_compile(f);
	if (!closure)
		fail_msg("%s", f->errors);
	return closure;
}

void must_fail(struct fixture *f, const char *code, const char *node_id)
{
	if (fixture_compile(f))
		fail_msg("compiled, although it should give %s", code);
	const char *expected = arena_printf(&f->arena, "Code: %s, Node Id: %s, Description: ", code, node_id);
	if (!strstr(f->errors, expected))
		fail_msg("no '%s' in: %s", expected, f->errors);
}

static const char *join(struct fixture *f, const Flyteidl__Core__ConnectionSet__IdList *list)
{
	const char *text = "";
	for (size_t i = 0; i < list->n_ids; i++)
		text = arena_printf(&f->arena, "%s%s%s", text, i ? "," : "", list->ids[i]);
	return text;
}

const char *upstream_of(struct fixture *f, const Flyteidl__Core__CompiledWorkflow *w, const char *id)
{
	for (size_t i = 0; i < w->connections->n_upstream; i++)
		if (text_equal(w->connections->upstream[i]->key, id))
			return join(f, w->connections->upstream[i]->value);
	return "";
}

const char *downstream_of(struct fixture *f, const Flyteidl__Core__CompiledWorkflow *w, const char *id)
{
	for (size_t i = 0; i < w->connections->n_downstream; i++)
		if (text_equal(w->connections->downstream[i]->key, id))
			return join(f, w->connections->downstream[i]->value);
	return "";
}
