/* Every error code that the compile step reports, each from a workflow with that one defect. */
#include "base/text.h"
#include "controlplane/compiler/compile_errors.h"
#include "proto/message.h"
#include "templates.h"

#include "cmocka_all.h"

struct row {
	enum compile_error_code code;
	const char *node_id;
	void (*spoil)(struct fixture *f);
	bool alone; /* the defect gives this error and no other */
};

/* n0 takes the input, n1 n0's output, and the workflow gives n1's. `t` and `u` are there to be used. */
static void init(struct fixture *f)
{
	struct arena *a = &f->arena;
	fixture_init(f, "x=int", "o0=int");
	fixture_task(f, "t", "a=int", "o0=int");
	fixture_task(f, "u", "", "o0=str");
	node_t *n0 = add_node(f, f->primary, task_node(f, "n0", "t"));
	node_bind(f, n0, "a", bind_promise(a, "", "x"));
	node_t *n1 = add_node(f, f->primary, task_node(f, "n1", "t"));
	node_bind(f, n1, "a", bind_promise(a, "n0", "o0"));
	bind_output(f, f->primary, "o0", bind_promise(a, "n1", "o0"));
}

static node_t *node_at(struct fixture *f, size_t position)
{
	return f->primary->nodes[position];
}

static node_t *add_u(struct fixture *f)
{
	return add_node(f, f->primary, task_node(f, "n2", "u"));
}

static Flyteidl__Core__BooleanExpression *is_one(struct fixture *f)
{
	return compare_with(&f->arena, "x", "==", literal_int(&f->arena, 1));
}

static node_t *add_branch(struct fixture *f)
{
	node_t *branch = add_node(f, f->primary, branch_node(f, "b", is_one(f), task_node(f, "n0", "u")));
	branch_fail(f, branch, "none");
	node_bind(f, branch, "x", bind_promise(&f->arena, "", "x"));
	return branch;
}

/* A node `n2` with one input `v` of the given type. */
static node_t *add_taker(struct fixture *f, const char *type, binding_data *binding)
{
	fixture_task(f, "taker", arena_printf(&f->arena, "v=%s", type), "");
	node_t *n2 = add_node(f, f->primary, task_node(f, "n2", "taker"));
	if (binding)
		node_bind(f, n2, "v", binding);
	return n2;
}

/* ---- the graph ---- */

static void no_nodes(struct fixture *f)
{
	f->primary->n_nodes = 0;
}

static void cycle(struct fixture *f)
{
	node_after(f, node_at(f, 0), "n1");
}

static void cycle_with_itself(struct fixture *f)
{
	node_after(f, node_at(f, 0), "n0");
}

static void cycle_through_branch(struct fixture *f)
{
	/* the branch's inner node takes from a node that waits for the branch */
	node_t *branch = add_branch(f);
	node_t *late = add_u(f);
	node_after(f, late, "b");
	node_t *inner = task_node(f, "n1", "taker");
	fixture_task(f, "taker", "v=str", "o0=str");
	node_bind(f, inner, "v", bind_promise(&f->arena, "n2", "o0"));
	branch_other(f, branch, is_one(f), inner);
}

static void cycle_of_gates(struct fixture *f)
{
	node_bind(f, add_node(f, f->primary, approve_node(f, "g0")), "v", bind_promise(&f->arena, "g1", "v"));
	node_bind(f, add_node(f, f->primary, approve_node(f, "g1")), "v", bind_promise(&f->arena, "g0", "v"));
}

static void island(struct fixture *f)
{
	fixture_task(f, "w", "", "");
	node_after(f, add_node(f, f->primary, task_node(f, "i0", "w")), "i1");
	node_after(f, add_node(f, f->primary, task_node(f, "i1", "w")), "i0");
}

static void only_an_island(struct fixture *f)
{
	f->primary->n_nodes = f->primary->n_outputs = 0;
	f->primary->interface->outputs->n_variables = 0;
	island(f);
}

static void unknown_upstream(struct fixture *f)
{
	node_after(f, node_at(f, 0), "nobody");
}

static void unknown_promise(struct fixture *f)
{
	node_at(f, 1)->inputs[0]->binding->promise->node_id = arena_strdup(&f->arena, "nobody");
}

static void duplicate_node(struct fixture *f)
{
	node_bind(f, add_node(f, f->primary, task_node(f, "n1", "t")), "a", bind_promise(&f->arena, "", "x"));
}

static void reserved_node(struct fixture *f)
{
	add_node(f, f->primary, task_node(f, "end-node", "u"));
}

static void node_without_id(struct fixture *f)
{
	add_node(f, f->primary, task_node(f, "", "u"));
}

/* ---- references ---- */

static void unknown_task(struct fixture *f)
{
	add_node(f, f->primary, task_node(f, "n2", "nothing"));
}

static void unknown_sub_workflow(struct fixture *f)
{
	add_node(f, f->primary, sub_workflow_node(f, "n2", "nothing"));
}

static void unknown_launch_plan(struct fixture *f)
{
	add_node(f, f->primary, launch_plan_node(f, "n2", "nothing"));
}

static void workflow_node_to_nowhere(struct fixture *f)
{
	node_t *n = add_node(f, f->primary, launch_plan_node(f, "n2", "nothing"));
	n->workflow_node->reference_case = FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE__NOT_SET;
}

static void task_node_to_nowhere(struct fixture *f)
{
	add_u(f)->task_node->reference_case = FLYTEIDL__CORE__TASK_NODE__REFERENCE__NOT_SET;
}

static void node_without_target(struct fixture *f)
{
	add_node(f, f->primary, node_new(f, "n2"));
}

static void recursion(struct fixture *f)
{
	workflow_template *one = fixture_sub_workflow(f, "one", "", ""), *two = fixture_sub_workflow(f, "two", "", "");
	add_node(f, one, sub_workflow_node(f, "n0", "two"));
	add_node(f, two, sub_workflow_node(f, "n0", "one"));
	add_node(f, f->primary, sub_workflow_node(f, "n2", "one"));
}

static void deep_sub_workflows(struct fixture *f)
{
	for (int i = 0; i < 70; i++) {
		workflow_template *w = fixture_sub_workflow(f, arena_printf(&f->arena, "s%d", i), "", "");
		add_node(f, w, sub_workflow_node(f, "n0", arena_printf(&f->arena, "s%d", i + 1)));
	}
	add_node(f, fixture_sub_workflow(f, "s70", "", ""), task_node(f, "n0", "u"));
	add_node(f, f->primary, sub_workflow_node(f, "n2", "s0"));
}

static void deep_interfaces(struct fixture *f)
{
	for (int i = 0; i < 200; i++)
		node_bind(f, add_node(f, f->primary, approve_node(f, arena_printf(&f->arena, "g%d", i))), "v",
		          bind_promise(&f->arena, i < 199 ? arena_printf(&f->arena, "g%d", i + 1) : "",
		                       i < 199 ? "v" : "x"));
}

static void duplicate_sub_workflow(struct fixture *f)
{
	add_node(f, fixture_sub_workflow(f, "s", "", ""), task_node(f, "n0", "u"));
	add_node(f, fixture_sub_workflow(f, "s", "", ""), task_node(f, "n0", "u"));
}

static void error_in_sub_workflow(struct fixture *f)
{
	workflow_template *sub = fixture_sub_workflow(f, "s", "", "z=int");
	add_node(f, sub, task_node(f, "inner", "t"));
	bind_output(f, sub, "z", bind_promise(&f->arena, "inner", "o0"));
	add_node(f, f->primary, sub_workflow_node(f, "n2", "s"));
}

/* ---- bindings ---- */

static void unbound_input(struct fixture *f)
{
	node_at(f, 1)->n_inputs = 0;
}

static void unbound_output(struct fixture *f)
{
	f->primary->n_outputs = 0;
}

static void bound_twice(struct fixture *f)
{
	node_bind(f, node_at(f, 1), "a", bind_promise(&f->arena, "n0", "o0"));
}

static void unknown_input(struct fixture *f)
{
	node_bind(f, node_at(f, 1), "b", bind_promise(&f->arena, "n0", "o0"));
}

static void unknown_output(struct fixture *f)
{
	node_at(f, 1)->inputs[0]->binding->promise->var = arena_strdup(&f->arena, "o1");
}

static void unknown_workflow_output(struct fixture *f)
{
	bind_output(f, f->primary, "o9", bind_promise(&f->arena, "n1", "o0"));
}

static void bad_variable_syntax(struct fixture *f)
{
	node_at(f, 1)->inputs[0]->binding->promise->var = arena_strdup(&f->arena, "o0[1]");
}

static void index_of_no_list(struct fixture *f)
{
	node_at(f, 1)->inputs[0]->binding->promise->var = arena_strdup(&f->arena, "[1].o0");
}

static void empty_binding(struct fixture *f)
{
	node_at(f, 1)->inputs[0]->binding = NULL;
}

static void binding_of_no_kind(struct fixture *f)
{
	node_at(f, 1)->inputs[0]->binding->value_case = FLYTEIDL__CORE__BINDING_DATA__VALUE__NOT_SET;
}

static void wrong_promise_type(struct fixture *f)
{
	add_taker(f, "str", bind_promise(&f->arena, "n0", "o0"));
}

static void wrong_constant_type(struct fixture *f)
{
	add_taker(f, "str", bind_literal(&f->arena, literal_int(&f->arena, 1)));
}

static void wrong_output_type(struct fixture *f)
{
	add_u(f);
	f->primary->outputs[0]->binding = bind_promise(&f->arena, "n2", "o0");
}

static void list_for_scalar(struct fixture *f)
{
	add_taker(f, "int", bind_list(&f->arena, 1, bind_literal(&f->arena, literal_int(&f->arena, 1))));
}

static void map_for_list(struct fixture *f)
{
	add_taker(f, "[int]", bind_map(&f->arena, 0));
}

static void wrong_element(struct fixture *f)
{
	add_taker(f, "[int]",
	          bind_list(&f->arena, 2, bind_literal(&f->arena, literal_int(&f->arena, 1)),
	                    bind_literal(&f->arena, literal_string(&f->arena, "x"))));
}

static void constant_of_no_type(struct fixture *f)
{
	literal *nothing = literal_int(&f->arena, 1);
	nothing->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE__NOT_SET;
	add_taker(f, "int", bind_literal(&f->arena, nothing));
}

static void illegal_enum(struct fixture *f)
{
	add_taker(f, "enum:red,blue", bind_literal(&f->arena, literal_string(&f->arena, "green")));
}

static void ambiguous_union(struct fixture *f)
{
	add_taker(f, "[int]|[str]", bind_list(&f->arena, 0));
}

static void incompatible_union(struct fixture *f)
{
	add_taker(f, "[int]|{str}", bind_list(&f->arena, 1, bind_literal(&f->arena, literal_string(&f->arena, "x"))));
}

static void union_of_two_equal(struct fixture *f)
{
	add_taker(f, "str|str", bind_literal(&f->arena, literal_string(&f->arena, "x")));
}

static void unknown_field(struct fixture *f)
{
	fixture_task(f, "d", "", "o0=dataclass(a=int)");
	add_node(f, f->primary, task_node(f, "n3", "d"));
	add_taker(f, "int", bind_attribute(&f->arena, "n3", "o0", 1, "b"));
}

static literal_type *bushy_list(struct arena *a, int depth)
{
	literal_type *type = type_of(a, "[int]|[str]");
	for (int i = 0; depth && i < 2; i++)
		type->union_type->variants[i]->collection_type = bushy_list(a, depth - 1);
	return type;
}

/* ---- aliases ---- */

static void duplicate_alias(struct fixture *f)
{
	node_alias(f, node_at(f, 0), "o0", "o0");
	node_alias(f, node_at(f, 0), "o0", "p");
}

static void alias_of_nothing(struct fixture *f)
{
	node_alias(f, add_u(f), "o7", "p");
}

static void alias_collision(struct fixture *f)
{
	fixture_task(f, "two", "", "a=int b=int");
	node_alias(f, add_node(f, f->primary, task_node(f, "n2", "two")), "a", "b");
}

/* ---- interfaces ---- */

static void input_without_type(struct fixture *f)
{
	f->primary->interface->inputs->variables[0]->value->type = NULL;
}

static void task_output_without_type(struct fixture *f)
{
	f->tasks[1]->template_->interface->outputs->variables[0]->value->type = NULL;
	add_u(f);
}

static void variable_without_name(struct fixture *f)
{
	f->tasks[1]->template_->interface->outputs->variables[0]->key = arena_strdup(&f->arena, "");
	add_u(f);
}

/* ---- branches, gates, arrays ---- */

static void branch_without_condition(struct fixture *f)
{
	add_branch(f)->branch_node->if_else->case_->condition = NULL;
}

static void branch_without_case(struct fixture *f)
{
	add_branch(f)->branch_node->if_else->case_ = NULL;
}

static void branch_without_default(struct fixture *f)
{
	add_branch(f)->branch_node->if_else->default_case = FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT__NOT_SET;
}

static void branch_without_node(struct fixture *f)
{
	branch_other(f, add_branch(f), is_one(f), NULL);
}

static void branch_without_block(struct fixture *f)
{
	add_branch(f)->branch_node->if_else = NULL;
}

static void branch_with_empty_condition(struct fixture *f)
{
	add_branch(f)->branch_node->if_else->case_->condition->expr_case =
	        FLYTEIDL__CORE__BOOLEAN_EXPRESSION__EXPR__NOT_SET;
}

static void branch_with_half_a_comparison(struct fixture *f)
{
	add_branch(f)->branch_node->if_else->case_->condition->comparison->right_value = NULL;
}

static void branch_on_unbound_variable(struct fixture *f)
{
	add_branch(f)->n_inputs = 0;
}

static void branch_compares_types(struct fixture *f)
{
	add_branch(f)->branch_node->if_else->case_->condition = conjunction(
	        &f->arena, false, is_one(f), compare_with(&f->arena, "x", "<", literal_string(&f->arena, "a")));
}

static void branch_cases_differ(struct fixture *f)
{
	node_t *other = task_node(f, "n1", "t");
	node_bind(f, other, "a", bind_promise(&f->arena, "", "x"));
	branch_else(add_branch(f), other);
}

static void error_within_branch(struct fixture *f)
{
	branch_else(add_branch(f), task_node(f, "n1", "t"));
}

static void branch_bound_to_nothing_known(struct fixture *f)
{
	literal *nothing = literal_int(&f->arena, 1);
	nothing->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE__NOT_SET;
	add_branch(f)->inputs[0]->binding = bind_literal(&f->arena, nothing);
}

static void gate_without_condition(struct fixture *f)
{
	add_node(f, f->primary, sleep_node(f, "g"))->gate_node->condition_case =
	        FLYTEIDL__CORE__GATE_NODE__CONDITION__NOT_SET;
}

static void signal_without_type(struct fixture *f)
{
	add_node(f, f->primary, signal_node(f, "g", NULL, "o"));
}

static void signal_without_variable(struct fixture *f)
{
	add_node(f, f->primary, signal_node(f, "g", "int", ""));
}

static void array_of_nothing(struct fixture *f)
{
	add_node(f, f->primary, array_node(f, "r", NULL));
}

static void failure_node_error(struct fixture *f)
{
	f->primary->failure_node = task_node(f, "fn", "t");
}

static const struct row rows[] = {
	{ COMPILE_NO_NODES_FOUND, "p:d:wf:v", no_nodes, true },
	{ COMPILE_CYCLE_DETECTED, "start-node", cycle, true },
	{ COMPILE_CYCLE_DETECTED, "start-node", cycle_with_itself, true },
	{ COMPILE_CYCLE_DETECTED, "start-node", cycle_through_branch, true },
	{ COMPILE_CYCLE_DETECTED, "start-node", cycle_of_gates, false },
	{ COMPILE_CYCLE_DETECTED, "start-node", island, false },
	{ COMPILE_UNREACHABLE_NODES, "start-node", island, false },
	{ COMPILE_NO_ENTRY_NODE_FOUND, "p:d:wf:v", only_an_island, false },
	{ COMPILE_NODE_REFERENCE_NOT_FOUND, "n0", unknown_upstream, true },
	{ COMPILE_NODE_REFERENCE_NOT_FOUND, "n1", unknown_promise, true },
	{ COMPILE_DUPLICATE_ID, "n1", duplicate_node, true },
	{ COMPILE_DUPLICATE_ID, "end-node", reserved_node, false },
	{ COMPILE_DUPLICATE_ID, "p:d:s:v", duplicate_sub_workflow, true },
	{ COMPILE_VALUE_REQUIRED, "<node>", node_without_id, true },
	{ COMPILE_TASK_REFERENCE_NOT_FOUND, "n2", unknown_task, true },
	{ COMPILE_WORKFLOW_REFERENCE_NOT_FOUND, "n2", unknown_sub_workflow, true },
	{ COMPILE_WORKFLOW_REFERENCE_NOT_FOUND, "n2", unknown_launch_plan, true },
	{ COMPILE_WORKFLOW_REFERENCE_NOT_FOUND, "n2", workflow_node_to_nowhere, true },
	{ COMPILE_VALUE_REQUIRED, "n2", task_node_to_nowhere, true },
	{ COMPILE_VALUE_REQUIRED, "n2", node_without_target, true },
	{ COMPILE_CYCLE_DETECTED, "n0", recursion, true },
	{ COMPILE_WORKFLOW_BUILD_ERROR, "n0", deep_sub_workflows, true },
	{ COMPILE_WORKFLOW_BUILD_ERROR, "g128", deep_interfaces, true },
	{ COMPILE_PARAMETER_NOT_BOUND, "inner", error_in_sub_workflow, true },
	{ COMPILE_PARAMETER_NOT_BOUND, "n1", unbound_input, true },
	{ COMPILE_PARAMETER_NOT_BOUND, "end-node", unbound_output, true },
	{ COMPILE_PARAMETER_NOT_BOUND, "n1", binding_of_no_kind, true },
	{ COMPILE_PARAMETER_BOUND_MORE_THAN_ONCE, "n1", bound_twice, true },
	{ COMPILE_VARIABLE_NAME_NOT_FOUND, "n1", unknown_input, true },
	{ COMPILE_VARIABLE_NAME_NOT_FOUND, "n1", unknown_output, true },
	{ COMPILE_VARIABLE_NAME_NOT_FOUND, "end-node", unknown_workflow_output, true },
	{ COMPILE_SYNTAX_ERROR, "n1", bad_variable_syntax, true },
	{ COMPILE_MISMATCHING_TYPES, "n1", index_of_no_list, true },
	{ COMPILE_VALUE_REQUIRED, "n1", empty_binding, true },
	{ COMPILE_MISMATCHING_TYPES, "n2", wrong_promise_type, true },
	{ COMPILE_MISMATCHING_TYPES, "n2", wrong_constant_type, true },
	{ COMPILE_MISMATCHING_TYPES, "end-node", wrong_output_type, true },
	{ COMPILE_MISMATCHING_TYPES, "n2", wrong_element, true },
	{ COMPILE_MISMATCHING_TYPES, "n2", union_of_two_equal, true },
	{ COMPILE_MISMATCHING_BINDINGS, "n2", list_for_scalar, true },
	{ COMPILE_MISMATCHING_BINDINGS, "n2", map_for_list, true },
	{ COMPILE_UNRECOGNIZED_VALUE, "n2", constant_of_no_type, true },
	{ COMPILE_ILLEGAL_ENUM_VALUE, "n2", illegal_enum, true },
	{ COMPILE_AMBIGUOUS_BINDING_UNION_VALUE, "n2", ambiguous_union, true },
	{ COMPILE_INCOMPATIBLE_BINDING_UNION_VALUE, "n2", incompatible_union, true },
	{ COMPILE_FIELD_NOT_FOUND, "n2", unknown_field, true },
	{ COMPILE_DUPLICATE_ALIAS, "n0", duplicate_alias, true },
	{ COMPILE_PARAMETER_NOT_BOUND, "n2", alias_of_nothing, true },
	{ COMPILE_VALUE_COLLISION, "n2", alias_collision, true },
	{ COMPILE_VALUE_REQUIRED, "start-node", input_without_type, true },
	{ COMPILE_VALUE_REQUIRED, "n2", task_output_without_type, true },
	{ COMPILE_VALUE_REQUIRED, "n2", variable_without_name, true },
	{ COMPILE_BRANCH_NODE_HAS_NO_CONDITION, "b", branch_without_condition, true },
	{ COMPILE_BRANCH_NODE_HAS_NO_CONDITION, "b", branch_without_case, false },
	{ COMPILE_BRANCH_NODE_HAS_NO_DEFAULT, "b", branch_without_default, true },
	{ COMPILE_BRANCH_NODE_ID_NOT_FOUND, "b", branch_without_node, false },
	{ COMPILE_VALUE_REQUIRED, "b", branch_without_block, false },
	{ COMPILE_VALUE_REQUIRED, "b", branch_with_empty_condition, true },
	{ COMPILE_VALUE_REQUIRED, "b", branch_with_half_a_comparison, true },
	{ COMPILE_VARIABLE_NAME_NOT_FOUND, "b", branch_on_unbound_variable, true },
	{ COMPILE_MISMATCHING_TYPES, "b", branch_compares_types, true },
	{ COMPILE_MISMATCHING_TYPES, "b-n1", branch_cases_differ, true },
	{ COMPILE_PARAMETER_NOT_BOUND, "b-n1", error_within_branch, false },
	{ COMPILE_UNRECOGNIZED_VALUE, "b", branch_bound_to_nothing_known, true },
	{ COMPILE_NO_CONDITION_FOUND, "g", gate_without_condition, true },
	{ COMPILE_VALUE_REQUIRED, "g", signal_without_type, true },
	{ COMPILE_VALUE_REQUIRED, "g", signal_without_variable, true },
	{ COMPILE_VALUE_REQUIRED, "r", array_of_nothing, true },
	{ COMPILE_PARAMETER_NOT_BOUND, "fn", failure_node_error, true },
};

static void test_every_defect(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_fixture struct fixture f;
		init(&f);
		must_compile(&f);
		rows[i].spoil(&f);
		must_fail(&f, compile_error_code_name(rows[i].code), rows[i].node_id);
		if (rows[i].alone && !text_starts_with(f.errors, "Collected Errors: 1\n"))
			fail_msg("row %zu: %s", i, f.errors);
	}
}

/* InvalidValue is a task's: see test_tasks.c. Every other code has a row above. */
static void test_every_code_has_a_defect(void **state)
{
	(void)state;
	for (int code = 0; code < COMPILE_ERROR_CODE_COUNT; code++) {
		bool found = code == COMPILE_INVALID_VALUE;
		for (size_t i = 0; !found && i < ARRAY_LENGTH(rows); i++)
			found = rows[i].code == (enum compile_error_code)code;
		if (!found)
			fail_msg("%s", compile_error_code_name((enum compile_error_code)code));
	}
}

static void test_all_errors_are_collected(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	init(&f);
	illegal_enum(&f);
	cycle(&f);
	unbound_output(&f);
	add_node(&f, f.primary, task_node(&f, "n9", "nothing"));
	assert_null(fixture_compile(&f));
	assert_string_equal(
	        f.errors,
	        "Collected Errors: 4\n"
	        "\tError 0: Code: CycleDetected, Node Id: start-node, Description: nodes wait for one another: "
	        "n0 > n1 > n0\n"
	        "\tError 1: Code: IllegalEnumValue, Node Id: n2, Description: input 'v' is enum {red, blue}, but "
	        "'green' "
	        "is bound to it\n"
	        "\tError 2: Code: ParameterNotBound, Node Id: end-node, Description: workflow output 'o0' is not "
	        "bound\n"
	        "\tError 3: Code: TaskReferenceNotFound, Node Id: n9, Description: task [p:d:nothing:v] is not "
	        "registered\n");
}

static void test_cycle_shows_its_path(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	init(&f);
	node_after(&f, add_u(&f), "n1");
	node_after(&f, node_at(&f, 0), "n2");
	assert_null(fixture_compile(&f));
	assert_non_null(strstr(f.errors, ": n0 > n1 > n2 > n0\n"));
	fixture_release(&f);
	init(&f);
	recursion(&f);
	assert_null(fixture_compile(&f));
	assert_non_null(strstr(f.errors, ": one > two > one\n"));
}

/* What depends on a node that is wrong itself is not reported again. */
static void test_one_mistake_one_error(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	init(&f);
	node_at(&f, 0)->task_node->reference_id->name = arena_strdup(&f.arena, "nothing");
	assert_null(fixture_compile(&f));
	assert_true(
	        text_starts_with(f.errors, "Collected Errors: 1\n\tError 0: Code: TaskReferenceNotFound, Node Id: n0"));
}

static void test_long_lists_are_cut(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	init(&f);
	for (int i = 0; i < 3000; i++)
		add_node(&f, f.primary, task_node(&f, arena_printf(&f.arena, "m%d", i), "nothing"));
	assert_null(fixture_compile(&f));
	assert_true(text_starts_with(f.errors, "Collected Errors: 500 or more\n"));
	assert_true(strlen(f.errors) < (size_t)300 * 1024);
}

/* A list within a list … bound to unions of lists of unions …: 2^12 ways to look at 2000 elements. */
static void test_complexity_is_bounded(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	init(&f);
	struct arena *a = &f.arena;
	node_t *n2 = add_taker(&f, "int", NULL);
	literal_type *type = bushy_list(a, 12);
	f.tasks[2]->template_->interface->inputs->variables[0]->value->type = type;
	binding_data *binding = bind_list(a, 0);
	for (int i = 0; i < 2000; i++)
		proto_append(a, binding->collection->n_bindings, binding->collection->bindings,
		             bind_literal(a, literal_bool(a, true)));
	for (int i = 0; i < 12; i++)
		binding = bind_list(a, 1, binding);
	node_bind(&f, n2, "v", binding);
	must_fail(&f, "WorkflowBuildError", "n2");
}

static void test_no_workflow(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	assert_null(compiler_compile_workflow(&arena, &(struct compiler_request){ 0 }, &e));
	assert_non_null(strstr(err_message(&e), "Code: ValueRequired, Node Id: root"));
}

static void test_task_without_id(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	init(&f);
	fixture_task(&f, "z", "", "")->id = NULL;
	must_fail(&f, "ValueRequired", "task");
	fixture_release(&f);
	init(&f);
	fixture_sub_workflow(&f, "z", "", "")->id = NULL;
	must_fail(&f, "ValueRequired", "root");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_defect),
		cmocka_unit_test(test_every_code_has_a_defect),
		cmocka_unit_test(test_all_errors_are_collected),
		cmocka_unit_test(test_cycle_shows_its_path),
		cmocka_unit_test(test_one_mistake_one_error),
		cmocka_unit_test(test_long_lists_are_cut),
		cmocka_unit_test(test_complexity_is_bounded),
		cmocka_unit_test(test_no_workflow),
		cmocka_unit_test(test_task_without_id),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
