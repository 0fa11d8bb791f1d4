/*
 * Workflows, tasks and types for tests, built in an arena. Types are written as text:
 *	int float str bool datetime duration binary error struct none ?      simple types; ? is a type that nobody knows
 *	[int]  {int}  <int>  int|none                                        list, map, union of one, union
 *	blob  blob:csv  enum:red,blue                                        blob with format, enum
 *	schema:a=int,b=str   dataset:a=int,b=[str]   dataset/parquet:a=int   columns, format
 *	int#tag                                                              structure tag
 * A struct's dataclass fields are written dataclass(a=int,b=[str]).
 */
#ifndef TESTS_UNIT_COMPILER_TEMPLATES_H
#define TESTS_UNIT_COMPILER_TEMPLATES_H

#include "base/arena.h"
#include "controlplane/compiler/compiler.h"

#include "flyteidl/core/compiler.pb-c.h"

#include <stdbool.h>

typedef Flyteidl__Core__LiteralType literal_type;
typedef Flyteidl__Core__Literal literal;
typedef Flyteidl__Core__BindingData binding_data;
typedef Flyteidl__Core__Node node_t;
typedef Flyteidl__Core__WorkflowTemplate workflow_template;
typedef Flyteidl__Core__TaskTemplate task_template;

literal_type *type_of(struct arena *a, const char *text);
Flyteidl__Core__Identifier *id_of(struct arena *a, Flyteidl__Core__ResourceType kind, const char *name);

literal *literal_int(struct arena *a, int64_t value);
literal *literal_float(struct arena *a, double value);
literal *literal_string(struct arena *a, const char *value);
literal *literal_bool(struct arena *a, bool value);
literal *literal_none(struct arena *a);
literal *literal_union(struct arena *a, literal *value, const char *variant);
literal *literal_list(struct arena *a, size_t count, ...);                /* literal * … */
literal *literal_map(struct arena *a, size_t count, ...);                 /* const char *key, literal * … */
literal *literal_packed(struct arena *a, const void *bytes, size_t size); /* a Binary scalar tagged msgpack */
void literals_add(struct arena *a, Flyteidl__Core__LiteralMap *map, const char *key, literal *value);
const literal *literals_get(const Flyteidl__Core__LiteralMap *map, const char *key);

binding_data *bind_literal(struct arena *a, literal *scalar);
binding_data *bind_promise(struct arena *a, const char *node_id, const char *variable);
/* Steps: "name" for a key, "3" for an index. */
binding_data *bind_attribute(struct arena *a, const char *node_id, const char *variable, size_t count, ...);
binding_data *bind_list(struct arena *a, size_t count, ...); /* binding_data * … */
binding_data *bind_map(struct arena *a, size_t count, ...);  /* const char *key, binding_data * … */

/* "a=int b=[str]": variables separated by spaces. */
Flyteidl__Core__VariableMap *variables_from(struct arena *a, const char *text);
Flyteidl__Core__ParameterMap *parameters_from(struct arena *a, const char *required);

/* A workflow under construction, with the tasks that it may refer to. */
struct fixture {
	struct arena arena;
	workflow_template *primary;
	size_t sub_workflow_count;
	workflow_template **sub_workflows;
	size_t task_count;
	Flyteidl__Core__CompiledTask **tasks;
	size_t launch_plan_count;
	struct compiler_launch_plan launch_plans[8];
	char *errors; /* of the last compile, owned by the arena */
};

void fixture_init(struct fixture *f, const char *inputs, const char *outputs);
void fixture_release(struct fixture *f);
#define auto_fixture __attribute__((cleanup(fixture_release)))
task_template *fixture_task(struct fixture *f, const char *name, const char *inputs, const char *outputs);
workflow_template *fixture_sub_workflow(struct fixture *f, const char *name, const char *inputs, const char *outputs);
struct compiler_launch_plan *fixture_launch_plan(struct fixture *f, const char *name, const char *required,
                                                 const char *outputs);

node_t *node_new(struct fixture *f, const char *id);
node_t *add_node(struct fixture *f, workflow_template *workflow, node_t *node);
node_t *task_node(struct fixture *f, const char *id, const char *task);
node_t *sub_workflow_node(struct fixture *f, const char *id, const char *workflow);
node_t *launch_plan_node(struct fixture *f, const char *id, const char *launch_plan);
node_t *branch_node(struct fixture *f, const char *id, Flyteidl__Core__BooleanExpression *condition, node_t *then_node);
void branch_other(struct fixture *f, node_t *branch, Flyteidl__Core__BooleanExpression *condition, node_t *then_node);
void branch_else(node_t *branch, node_t *else_node);
void branch_fail(struct fixture *f, node_t *branch, const char *message);
node_t *approve_node(struct fixture *f, const char *id);
node_t *signal_node(struct fixture *f, const char *id, const char *type, const char *variable);
node_t *sleep_node(struct fixture *f, const char *id);
node_t *array_node(struct fixture *f, const char *id, node_t *inner);
void node_bind(struct fixture *f, node_t *node, const char *variable, binding_data *binding);
void node_after(struct fixture *f, node_t *node, const char *upstream);
void node_alias(struct fixture *f, node_t *node, const char *variable, const char *alias);
void bind_output(struct fixture *f, workflow_template *workflow, const char *variable, binding_data *binding);

/* `operator_` is one of == != > >= < <=. */
Flyteidl__Core__BooleanExpression *compare_with(struct arena *a, const char *variable, const char *operator_,
                                                literal *constant);
Flyteidl__Core__BooleanExpression *compare_variables(struct arena *a, const char *left, const char *operator_,
                                                     const char *right);
Flyteidl__Core__BooleanExpression *conjunction(struct arena *a, bool either, Flyteidl__Core__BooleanExpression *left,
                                               Flyteidl__Core__BooleanExpression *right);

/* NULL with f->errors set. */
Flyteidl__Core__CompiledWorkflowClosure *fixture_compile(struct fixture *f);
/* Compiles and fails the test when that fails. */
Flyteidl__Core__CompiledWorkflowClosure *must_compile(struct fixture *f);
/* Compiles and fails the test unless that gives an error of this code at this node. */
void must_fail(struct fixture *f, const char *code, const char *node_id);

/* "a,b" for the edges of a node in the compiled workflow, "" when it has none. */
const char *upstream_of(struct fixture *f, const Flyteidl__Core__CompiledWorkflow *w, const char *id);
const char *downstream_of(struct fixture *f, const Flyteidl__Core__CompiledWorkflow *w, const char *id);

#endif
