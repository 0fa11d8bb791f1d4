/* What the compile step makes of correct workflows: nodes, ids, connections, interfaces of every kind of node, the
 * closure. */
#include "base/text.h"
#include "controlplane/compiler/types.h"
#include "proto/message.h"
#include "templates.h"

#include "cmocka_all.h"

/* t1(a int) -> o0 int; two in a row, with a constant and an explicit order. */
static void chain(struct fixture *f)
{
	struct arena *a = &f->arena;
	fixture_init(f, "x=int", "o0=int");
	fixture_task(f, "t", "a=int", "o0=int");
	node_t *n0 = add_node(f, f->primary, task_node(f, "n0", "t"));
	node_bind(f, n0, "a", bind_promise(a, "", "x"));
	node_t *n1 = add_node(f, f->primary, task_node(f, "n1", "t"));
	node_bind(f, n1, "a", bind_promise(a, "n0", "o0"));
	bind_output(f, f->primary, "o0", bind_promise(a, "n1", "o0"));
}

static void test_chain(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	chain(&f);
	const Flyteidl__Core__CompiledWorkflowClosure *closure = must_compile(&f);
	const Flyteidl__Core__CompiledWorkflow *w = closure->primary;
	assert_int_equal(w->template_->n_nodes, 4);
	static const char *const ids[] = { "start-node", "end-node", "n0", "n1" };
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(w->template_->nodes[i]->id, ids[i]);
	assert_string_equal(upstream_of(&f, w, "n0"), "start-node");
	assert_string_equal(upstream_of(&f, w, "n1"), "n0");
	assert_string_equal(upstream_of(&f, w, "end-node"), "n1");
	assert_string_equal(upstream_of(&f, w, "start-node"), "");
	assert_string_equal(downstream_of(&f, w, "start-node"), "n0");
	assert_string_equal(downstream_of(&f, w, "n1"), "end-node");
	assert_string_equal(downstream_of(&f, w, "end-node"), "");
	/* the promise of a workflow input names the start node; the end node has the workflow's outputs as inputs */
	assert_string_equal(w->template_->nodes[2]->inputs[0]->binding->promise->node_id, "start-node");
	assert_int_equal(w->template_->nodes[1]->n_inputs, 1);
	assert_string_equal(w->template_->nodes[1]->inputs[0]->var, "o0");
	assert_int_equal(closure->n_tasks, 1);
	assert_string_equal(closure->tasks[0]->template_->id->name, "t");
	assert_int_equal(closure->n_sub_workflows, 0);
}

/* Whatever the arena's maximum, the request compiles or is refused: at the copy of the templates, or where the rest
 * does not fit. */
static void test_too_large_is_an_error(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	fixture_init(&f, "x=int", "o0=int");
	fixture_task(&f, "t", "a=int", "o0=int");
	struct arena *a = &f.arena;
	for (unsigned i = 0; i < 200; i++) {
		node_t *node = add_node(&f, f.primary, task_node(&f, arena_printf(a, "n%u", i), "t"));
		node_bind(&f, node, "a", bind_promise(a, "", "x"));
		for (unsigned k = 0; k < i; k++)
			node_after(&f, node, arena_printf(a, "n%u", k));
	}
	bind_output(&f, f.primary, "o0", bind_promise(a, "n199", "o0"));
	const struct compiler_request request = { .primary = f.primary, .tasks = f.tasks, .task_count = f.task_count };
	unsigned at_copy = 0, later = 0;
	bool compiled = false;
	for (size_t maximum = 256 * 1024; !compiled && maximum < 64 * 1024 * 1024; maximum += 256 * 1024) {
		auto_arena struct arena arena = ARENA_INIT(maximum);
		auto_err struct err e = ERR_INIT;
		compiled = compiler_compile_workflow(&arena, &request, &e) != NULL;
		if (compiled)
			continue;
		assert_int_equal(e.kind, ERR_EXHAUSTED);
		at_copy += text_equal(err_id(&e), "workflow-too-large");
		later += text_equal(err_id(&e), "call-too-large");
		/* What is built between two looks at the arena stays far from the overdraft's end. */
		assert_true(arena.used < maximum + (size_t)16 * 1024 * 1024);
	}
	assert_true(compiled);
	assert_true(at_copy > 0);
	assert_true(later > 0);
}

static void test_request_is_not_changed(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	chain(&f);
	struct proto_bytes before = proto_pack(&f.arena, &f.primary->base);
	must_compile(&f);
	struct proto_bytes after = proto_pack(&f.arena, &f.primary->base);
	assert_int_equal(before.length, after.length);
	assert_memory_equal(before.data, after.data, before.length);
}

/* Compiling what was compiled gives the same: sentinels are replaced, not doubled. */
static void test_compiling_again(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	chain(&f);
	const Flyteidl__Core__CompiledWorkflowClosure *first = must_compile(&f);
	struct proto_bytes one = proto_pack(&f.arena, &first->base);
	f.primary = first->primary->template_;
	struct proto_bytes two = proto_pack(&f.arena, &must_compile(&f)->base);
	assert_int_equal(one.length, two.length);
	assert_memory_equal(one.data, two.data, one.length);
}

static void test_nodes_without_data_hang_between_start_and_end(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	fixture_init(&f, "", "");
	fixture_task(&f, "t", "", "");
	add_node(&f, f.primary, task_node(&f, "b", "t"));
	node_t *c = add_node(&f, f.primary, task_node(&f, "c", "t"));
	node_after(&f, c, "b");
	node_after(&f, c, "a");
	add_node(&f, f.primary, task_node(&f, "a", "t"));
	const Flyteidl__Core__CompiledWorkflow *w = must_compile(&f)->primary;
	assert_string_equal(downstream_of(&f, w, "start-node"), "a,b");
	assert_string_equal(upstream_of(&f, w, "c"), "a,b");
	assert_string_equal(upstream_of(&f, w, "end-node"), "c");
	assert_string_equal(w->template_->nodes[3]->id, "c");
	assert_string_equal(w->template_->nodes[3]->upstream_node_ids[0], "a"); /* sorted */
	/* the maps of the connections come sorted by key */
	for (size_t i = 1; i < w->connections->n_upstream; i++)
		assert_true(strcmp(w->connections->upstream[i - 1]->key, w->connections->upstream[i]->key) < 0);
	for (size_t i = 1; i < w->connections->n_downstream; i++)
		assert_true(strcmp(w->connections->downstream[i - 1]->key, w->connections->downstream[i]->key) < 0);
}

static void test_lists_and_maps_of_promises(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "x=int", "");
	fixture_task(&f, "t", "", "o0=int");
	fixture_task(&f, "sum", "l=[int] m={[int]}", "");
	add_node(&f, f.primary, task_node(&f, "n0", "t"));
	add_node(&f, f.primary, task_node(&f, "n1", "t"));
	node_t *n2 = add_node(&f, f.primary, task_node(&f, "n2", "sum"));
	node_bind(&f, n2, "l",
	          bind_list(a, 3, bind_promise(a, "n0", "o0"), bind_literal(a, literal_int(a, 5)),
	                    bind_promise(a, "", "x")));
	node_bind(&f, n2, "m", bind_map(a, 1, "k", bind_list(a, 1, bind_promise(a, "n1", "o0"))));
	const Flyteidl__Core__CompiledWorkflow *w = must_compile(&f)->primary;
	assert_string_equal(upstream_of(&f, w, "n2"), "n0,n1,start-node");
}

static void test_union_inputs(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "", "");
	fixture_task(&f, "t", "a=int|none b=[int]|{int} c=int|str d=[int|str]|none", "");
	node_t *n0 = add_node(&f, f.primary, task_node(&f, "n0", "t"));
	/* a stays unbound: it may be none */
	node_bind(&f, n0, "b", bind_list(a, 1, bind_literal(a, literal_int(a, 1))));
	node_bind(&f, n0, "c", bind_literal(a, literal_string(a, "x")));
	node_bind(&f, n0, "d",
	          bind_list(a, 2, bind_literal(a, literal_int(a, 1)),
	                    bind_literal(a, literal_union(a, literal_string(a, "x"), "str"))));
	must_compile(&f);
}

static void test_aliases(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "", "r=int s=str");
	fixture_task(&f, "t", "", "o0=int o1=str");
	node_t *n0 = add_node(&f, f.primary, task_node(&f, "n0", "t"));
	node_alias(&f, n0, "o0", "result");
	bind_output(&f, f.primary, "r", bind_promise(a, "n0", "result"));
	bind_output(&f, f.primary, "s", bind_promise(a, "n0", "o1"));
	must_compile(&f);
	f.primary->outputs[0]->binding->promise->var = arena_strdup(a, "o0"); /* hidden by its alias */
	must_fail(&f, "VariableNameNotFound", "end-node");
}

static void test_attributes(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "", "i=int s=str e=int");
	fixture_task(&f, "t", "", "o0=[{dataclass(a=int,b=dataclass(c=[str]))}] o1=[int]");
	add_node(&f, f.primary, task_node(&f, "n0", "t"));
	bind_output(&f, f.primary, "i", bind_attribute(a, "n0", "o0", 3, "0", "key", "a"));
	bind_output(&f, f.primary, "s", bind_attribute(a, "n0", "o0", 5, "0", "key", "b", "c", "7"));
	bind_output(&f, f.primary, "e", bind_promise(a, "n0", "[3].o1"));
	must_compile(&f);
}

static Flyteidl__Core__BooleanExpression *x_is(struct fixture *f, int64_t value)
{
	return compare_with(&f->arena, "x", "==", literal_int(&f->arena, value));
}

static void test_branch(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "x=int", "o0=int");
	fixture_task(&f, "t", "a=int", "o0=int o1=str");
	fixture_task(&f, "u", "", "o0=int");
	node_t *n0 = add_node(&f, f.primary, task_node(&f, "n0", "t"));
	node_bind(&f, n0, "a", bind_promise(a, "", "x"));
	node_t *then_node = task_node(&f, "n0", "t"), *other = task_node(&f, "n1", "u");
	node_bind(&f, then_node, "a", bind_promise(a, "n0", "o0"));
	node_t *inner = branch_node(&f, "n2", compare_with(a, "y", ">", literal_int(a, 3)), task_node(&f, "n0", "u"));
	node_bind(&f, inner, "y", bind_promise(a, "", "x"));
	branch_fail(&f, inner, "no");
	node_t *branch = add_node(&f, f.primary, branch_node(&f, "n1", x_is(&f, 1), then_node));
	branch_other(&f, branch, conjunction(a, true, x_is(&f, 2), x_is(&f, 3)), other);
	branch_else(branch, inner);
	node_bind(&f, branch, "x", bind_promise(a, "n0", "o0"));
	bind_output(&f, f.primary, "o0", bind_promise(a, "n1", "o0"));

	const Flyteidl__Core__CompiledWorkflow *w = must_compile(&f)->primary;
	const Flyteidl__Core__IfElseBlock *block = w->template_->nodes[3]->branch_node->if_else;
	assert_string_equal(block->case_->then_node->id, "n1-n0");
	assert_string_equal(block->other[0]->then_node->id, "n1-n1");
	assert_string_equal(block->else_node->id, "n1-n2");
	assert_string_equal(block->else_node->branch_node->if_else->case_->then_node->id, "n1-n2-n0");
	/* inner nodes know whom they wait for, but nobody starts them */
	assert_string_equal(upstream_of(&f, w, "n1-n0"), "n0");
	assert_string_equal(upstream_of(&f, w, "n1-n2"), "start-node");
	assert_string_equal(upstream_of(&f, w, "n1-n1"), "");
	assert_string_equal(upstream_of(&f, w, "n1"), "n0");
	assert_string_equal(downstream_of(&f, w, "n0"), "n1");
	assert_string_equal(downstream_of(&f, w, "start-node"), "n0");
	assert_int_equal(w->template_->n_nodes, 4);
}

/* Only what every case gives is an output of the branch. */
static void test_branch_outputs(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "x=int", "s=str");
	fixture_task(&f, "t", "", "o0=int o1=str");
	fixture_task(&f, "u", "", "o0=int");
	node_t *branch = add_node(&f, f.primary, branch_node(&f, "b", x_is(&f, 1), task_node(&f, "n0", "t")));
	branch_else(branch, task_node(&f, "n1", "t"));
	node_bind(&f, branch, "x", bind_promise(a, "", "x"));
	bind_output(&f, f.primary, "s", bind_promise(a, "b", "o1"));
	must_compile(&f);
	branch_else(branch, task_node(&f, "n1", "u"));
	must_fail(&f, "VariableNameNotFound", "end-node");
}

static void test_conditions(void **state)
{
	(void)state;
	static const struct {
		const char *left, *right;
		bool fits;
	} rows[] = {
		{ "int", "int", true },           { "int", "float", false },    { "str", "enum:a,b", true },
		{ "enum:a,b", "str", true },      { "int|none", "none", true }, { "none", "int|none", true },
		{ "int|none", "int", false },     { "[int]", "[int]", false },  { "int", "none", false },
		{ "datetime", "datetime", true },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_fixture struct fixture f;
		struct arena *a = &f.arena;
		fixture_init(&f, "", "");
		f.primary->interface->inputs =
		        variables_from(a, arena_printf(a, "x=%s y=%s", rows[i].left, rows[i].right));
		fixture_task(&f, "t", "", "");
		node_t *branch =
		        add_node(&f, f.primary,
		                 branch_node(&f, "b", compare_variables(a, "x", "==", "y"), task_node(&f, "n", "t")));
		branch_fail(&f, branch, "no");
		node_bind(&f, branch, "x", bind_promise(a, "", "x"));
		node_bind(&f, branch, "y", bind_promise(a, "", "y"));
		if (rows[i].fits)
			must_compile(&f);
		else
			must_fail(&f, "MismatchingTypes", "b");
	}
}

/* A condition on an attribute sees the attribute's type. */
static void test_condition_on_attribute(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "d=dataclass(a=int,s=str)", "");
	fixture_task(&f, "t", "", "");
	node_t *branch = add_node(&f, f.primary, branch_node(&f, "b", x_is(&f, 1), task_node(&f, "n", "t")));
	branch_fail(&f, branch, "no");
	node_bind(&f, branch, "x", bind_attribute(a, "", "d", 1, "a"));
	must_compile(&f);
	branch->inputs[0]->binding = bind_attribute(a, "", "d", 1, "s");
	must_fail(&f, "MismatchingTypes", "b");
}

static void test_gates(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "x=int", "a=int s=str");
	fixture_task(&f, "t", "", "o0=int");
	/* listed before the node that they take from: the order does not matter */
	node_t *approve = add_node(&f, f.primary, approve_node(&f, "g0"));
	node_bind(&f, approve, "v", bind_promise(a, "n0", "o0"));
	add_node(&f, f.primary, signal_node(&f, "g1", "str", "answer"));
	node_t *nap = add_node(&f, f.primary, sleep_node(&f, "g2"));
	node_after(&f, nap, "g1");
	add_node(&f, f.primary, task_node(&f, "n0", "t"));
	bind_output(&f, f.primary, "a", bind_promise(a, "g0", "v"));
	bind_output(&f, f.primary, "s", bind_promise(a, "g1", "answer"));
	const Flyteidl__Core__CompiledWorkflow *w = must_compile(&f)->primary;
	assert_string_equal(upstream_of(&f, w, "end-node"), "g0,g1,g2");
	assert_string_equal(downstream_of(&f, w, "g1"), "end-node,g2");
}

static void test_sub_workflow(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "x=int", "o0=int");
	fixture_task(&f, "t", "a=int", "o0=int");
	workflow_template *sub = fixture_sub_workflow(&f, "sub", "y=int", "z=int");
	workflow_template *leaf = fixture_sub_workflow(&f, "leaf", "y=int", "z=int");
	fixture_sub_workflow(&f, "unused", "", "");
	node_t *n = add_node(&f, leaf, task_node(&f, "n0", "t"));
	node_bind(&f, n, "a", bind_promise(a, "", "y"));
	bind_output(&f, leaf, "z", bind_promise(a, "n0", "o0"));
	n = add_node(&f, sub, sub_workflow_node(&f, "n0", "leaf"));
	node_bind(&f, n, "y", bind_promise(a, "", "y"));
	bind_output(&f, sub, "z", bind_promise(a, "n0", "z"));
	for (int i = 0; i < 2; i++) {
		n = add_node(&f, f.primary, sub_workflow_node(&f, i ? "n1" : "n0", "sub"));
		node_bind(&f, n, "y", i ? bind_promise(a, "n0", "z") : bind_promise(a, "", "x"));
	}
	bind_output(&f, f.primary, "o0", bind_promise(a, "n1", "z"));
	const Flyteidl__Core__CompiledWorkflowClosure *closure = must_compile(&f);
	assert_int_equal(closure->n_sub_workflows, 3);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(closure->sub_workflows[i]->template_->n_nodes, 3);
		assert_string_equal(upstream_of(&f, closure->sub_workflows[i], "end-node"), "n0");
	}
	assert_string_equal(closure->sub_workflows[0]->template_->id->name, "sub");
	assert_null(closure->sub_workflows[2]->connections); /* nothing refers to it */
}

static void test_launch_plan(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "", "r=str");
	struct compiler_launch_plan *lp = fixture_launch_plan(&f, "lp", "a=int b=str", "o=str");
	/* b has a default: it may be bound, but need not */
	Flyteidl__Core__Parameter *b = lp->expected_inputs->parameters[1]->value;
	b->behavior_case = FLYTEIDL__CORE__PARAMETER__BEHAVIOR_DEFAULT;
	b->default_ = literal_string(a, "default");
	node_t *n0 = add_node(&f, f.primary, launch_plan_node(&f, "n0", "lp"));
	node_bind(&f, n0, "a", bind_literal(a, literal_int(a, 1)));
	bind_output(&f, f.primary, "r", bind_promise(a, "n0", "o"));
	must_compile(&f);
	node_bind(&f, n0, "b", bind_literal(a, literal_string(a, "x")));
	must_compile(&f);
	n0->inputs[1]->binding = bind_literal(a, literal_int(a, 1));
	must_fail(&f, "MismatchingTypes", "n0");
	n0->n_inputs = 0;
	must_fail(&f, "ParameterNotBound", "n0");
}

static void test_array_of_mapped_task(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "x=[int]", "o0=[str]");
	fixture_task(&f, "map_t", "a=[int]", "o0=[str]");
	node_t *n0 = add_node(&f, f.primary, array_node(&f, "n0", task_node(&f, "n0", "map_t")));
	node_bind(&f, n0, "a", bind_promise(a, "", "x"));
	bind_output(&f, f.primary, "o0", bind_promise(a, "n0", "o0"));
	const Flyteidl__Core__CompiledWorkflow *w = must_compile(&f)->primary;
	assert_string_equal(w->template_->nodes[2]->array_node->node->id, "n0"); /* no prefix, unlike in branches */
	assert_string_equal(upstream_of(&f, w, "n0"), "start-node");
}

static void test_array_of_launch_plan(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "x=[int]", "o0=[str]");
	fixture_launch_plan(&f, "lp", "a=int b=int", "o0=str");
	node_t *n0 = add_node(&f, f.primary, array_node(&f, "n0", launch_plan_node(&f, "n0", "lp")));
	n0->array_node->is_original_sub_node_interface = proto_new(a, google__protobuf__bool_value);
	n0->array_node->is_original_sub_node_interface->value = true;
	proto_append(a, n0->array_node->n_bound_inputs, n0->array_node->bound_inputs, arena_strdup(a, "b"));
	node_bind(&f, n0, "a", bind_promise(a, "", "x"));
	node_bind(&f, n0, "b", bind_literal(a, literal_int(a, 1))); /* the same for all elements */
	bind_output(&f, f.primary, "o0", bind_promise(a, "n0", "o0"));
	must_compile(&f);
	n0->array_node->n_bound_inputs = 0;
	must_fail(&f, "MismatchingTypes", "n0");
}

static void test_array_of_sub_workflow(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	fixture_init(&f, "", "");
	fixture_task(&f, "t", "", "");
	workflow_template *sub = fixture_sub_workflow(&f, "sub", "", "");
	add_node(&f, sub, task_node(&f, "n0", "t"));
	add_node(&f, f.primary, array_node(&f, "n0", sub_workflow_node(&f, "n0", "sub")));
	assert_non_null(must_compile(&f)->sub_workflows[0]->connections);
}

static void test_failure_node(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "x=int", "");
	fixture_task(&f, "t", "", "o0=int");
	fixture_task(&f, "clean", "a=int b=int err=error|none", "");
	add_node(&f, f.primary, task_node(&f, "n0", "t"));
	f.primary->failure_node = task_node(&f, "fn0", "clean");
	node_bind(&f, f.primary->failure_node, "a", bind_promise(a, "", "x"));
	node_bind(&f, f.primary->failure_node, "b", bind_literal(a, literal_int(a, 1)));
	const Flyteidl__Core__CompiledWorkflow *w = must_compile(&f)->primary;
	assert_string_equal(upstream_of(&f, w, "fn0"), "start-node");
	assert_string_equal(downstream_of(&f, w, "fn0"), "");
	assert_string_equal(downstream_of(&f, w, "start-node"), "n0");
	assert_int_equal(w->template_->n_nodes, 3);
	assert_string_equal(w->template_->failure_node->inputs[0]->binding->promise->node_id, "start-node");
	f.primary->failure_node->n_inputs = 0;
	must_fail(&f, "ParameterNotBound", "fn0");
}

static void test_missing_interface_parts(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	fixture_init(&f, "", "");
	fixture_task(&f, "t", "", "")->interface = NULL;
	f.primary->interface = NULL;
	add_node(&f, f.primary, task_node(&f, "n0", "t"));
	const Flyteidl__Core__CompiledWorkflow *w = must_compile(&f)->primary;
	assert_non_null(w->template_->interface->inputs);
	assert_non_null(w->template_->interface->outputs);
}

static void test_output_without_nodes_in_between(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "x=int", "o=int c=[str]");
	fixture_task(&f, "t", "", "");
	add_node(&f, f.primary, task_node(&f, "n0", "t"));
	bind_output(&f, f.primary, "o", bind_promise(a, "", "x"));
	bind_output(&f, f.primary, "c", bind_list(a, 1, bind_literal(a, literal_string(a, "x"))));
	const Flyteidl__Core__CompiledWorkflow *w = must_compile(&f)->primary;
	assert_string_equal(downstream_of(&f, w, "start-node"), "end-node,n0");
}

static void test_references(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	struct arena *a = &f.arena;
	fixture_init(&f, "x=int", "");
	workflow_template *sub = fixture_sub_workflow(&f, "sub", "", "");
	workflow_template *unreached = fixture_sub_workflow(&f, "unreached", "", "");
	add_node(&f, unreached, task_node(&f, "n0", "never"));
	add_node(&f, sub, array_node(&f, "n0", task_node(&f, "n0", "mapped")));
	add_node(&f, sub, sub_workflow_node(&f, "n1", "sub")); /* recursion must not hang it */
	add_node(&f, f.primary, sub_workflow_node(&f, "n0", "sub"));
	add_node(&f, f.primary, task_node(&f, "n1", "t"));
	add_node(&f, f.primary, task_node(&f, "n2", "t"));
	node_t *branch = add_node(&f, f.primary, branch_node(&f, "n3", x_is(&f, 1), task_node(&f, "n0", "then")));
	branch_other(&f, branch, x_is(&f, 2), launch_plan_node(&f, "n1", "lp"));
	branch_else(branch, task_node(&f, "n2", "else"));
	f.primary->failure_node = task_node(&f, "fn", "failure");
	struct compiler_references r = compiler_references(a, f.primary, f.sub_workflows, f.sub_workflow_count);
	static const char *const tasks[] = { "else", "failure", "mapped", "t", "then" };
	assert_int_equal(r.task_count, ARRAY_LENGTH(tasks));
	for (size_t i = 0; i < r.task_count; i++)
		assert_string_equal(r.tasks[i]->name, tasks[i]);
	assert_int_equal(r.launch_plan_count, 1);
	assert_string_equal(r.launch_plans[0]->name, "lp");
}

static void test_equal_tasks_once(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	chain(&f);
	fixture_task(&f, "t", "other=str", "");
	const Flyteidl__Core__CompiledWorkflowClosure *closure = must_compile(&f);
	assert_int_equal(closure->n_tasks, 1);
	assert_string_equal(closure->tasks[0]->template_->interface->inputs->variables[0]->key, "a");
}

static void test_no_room(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	chain(&f);
	auto_arena struct arena small = ARENA_INIT(64);
	struct compiler_request request = { .primary = f.primary, .tasks = f.tasks, .task_count = f.task_count };
	auto_err struct err e = ERR_INIT;
	f.primary->id->name = arena_strdup(&f.arena, "x");
	char *large = arena_alloc(&f.arena, 100000);
	memset(large, 'x', 99999);
	f.primary->id->name = large;
	assert_null(compiler_compile_workflow(&small, &request, &e));
	assert_int_equal(e.kind, ERR_EXHAUSTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_too_large_is_an_error),
		cmocka_unit_test(test_request_is_not_changed),
		cmocka_unit_test(test_compiling_again),
		cmocka_unit_test(test_nodes_without_data_hang_between_start_and_end),
		cmocka_unit_test(test_lists_and_maps_of_promises),
		cmocka_unit_test(test_union_inputs),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_branch),
		cmocka_unit_test(test_branch_outputs),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_condition_on_attribute),
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_sub_workflow),
		cmocka_unit_test(test_launch_plan),
		cmocka_unit_test(test_array_of_mapped_task),
		cmocka_unit_test(test_array_of_launch_plan),
		cmocka_unit_test(test_array_of_sub_workflow),
		cmocka_unit_test(test_failure_node),
		cmocka_unit_test(test_missing_interface_parts),
		cmocka_unit_test(test_output_without_nodes_in_between),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_equal_tasks_once),
		cmocka_unit_test(test_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
