/*
 * What requests of twenty MiB cost: those that somebody could mean compile, those that are made to be costly end with ERR_EXHAUSTED or their errors, and
 * none takes much more than a call may build. As the transport does it: half of that for the message, all of it for the rest.
 */
#include "templates.h"

#include "base/text.h"
#include "proto/message.h"

#include "cmocka_all.h"

#define MESSAGE_MAXIMUM ((size_t)20 << 20)
#define CALL_MAXIMUM ((size_t)256 << 20)
/* What a turn between two looks at the arena may take beyond it: one part of the request, copied or told in words. */
#define SLACK ((size_t)48 << 20)

struct outcome {
	size_t message, parsed, used;
	bool compiled;
	struct err error;
};

/* The fixture's primary workflow, sent by a client. Everything of the fixture but its tasks is gone afterwards. */
static struct outcome send_workflow(struct fixture *f, struct arena *call)
{
	struct outcome outcome = { .error = ERR_INIT };
	const struct proto_bytes bytes = proto_pack(&f->arena, &f->primary->base);
	outcome.message = bytes.length;
	assert_in_range(bytes.length, 1, MESSAGE_MAXIMUM);
	*call = (struct arena)ARENA_INIT(CALL_MAXIMUM / 2);
	const Flyteidl__Core__WorkflowTemplate *primary =
	        proto_unpack(call, flyteidl__core__workflow_template, bytes.data, bytes.length, &outcome.error);
	outcome.parsed = call->used;
	call->maximum = CALL_MAXIMUM;
	if (primary) {
		const struct compiler_request request = {
			.primary = primary, .tasks = f->tasks, .task_count = f->task_count
		};
		outcome.compiled = compiler_compile_workflow(call, &request, &outcome.error) != NULL;
	}
	outcome.used = call->used;
	print_message("%5.1f MiB: parsed %.1f MiB, compiled %.1f MiB, %s\n", (double)outcome.message / (1 << 20),
	              (double)outcome.parsed / (1 << 20), (double)outcome.used / (1 << 20),
	              outcome.compiled ? "good" : err_id(&outcome.error));
	assert_in_range(outcome.used, 1, CALL_MAXIMUM + SLACK);
	return outcome;
}

static void must_end(struct fixture *f, bool compiles)
{
	struct arena call;
	struct outcome outcome = send_workflow(f, &call);
	assert_int_equal(outcome.compiled, compiles);
	if (!compiles && outcome.error.kind != ERR_INVALID)
		assert_int_equal(outcome.error.kind, ERR_EXHAUSTED);
	err_release(&outcome.error);
	arena_release(&call);
}

static void init(struct fixture *f, const char *inputs, const char *outputs)
{
	fixture_init(f, inputs, outputs);
	f->arena.maximum = (size_t)2 << 30;
}

static char *long_text(struct arena *arena, size_t length)
{
	char *text = arena_alloc(arena, length + 1);
	memset(text, 'x', length);
	return text;
}

/* A hundred nodes with constants of 190 KB: what people do who put data into workflows. */
static void test_large_constants(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	init(&f, "", "");
	fixture_task(&f, "t", "text=str", "");
	for (int i = 0; i < 100; i++) {
		node_t *node = add_node(&f, f.primary, task_node(&f, arena_printf(&f.arena, "n%d", i), "t"));
		node_bind(&f, node, "text", bind_literal(&f.arena, literal_string(&f.arena, long_text(&f.arena, 190000))));
	}
	must_end(&f, true);
}

/* Nodes with ids of flytekit's kind, each with a promise, a constant and an upstream node. */
static void many_nodes(struct fixture *f, int count)
{
	fixture_task(f, "t", "a=int b=str", "o0=int");
	for (int i = 0; i < count; i++) {
		node_t *node = add_node(f, f->primary, task_node(f, arena_printf(&f->arena, "n%d", i), "t"));
		node_bind(f, node, "b", bind_literal(&f->arena, literal_string(&f->arena, "constant")));
		if (i < 2) {
			node_bind(f, node, "a", bind_promise(&f->arena, "", "x"));
			continue;
		}
		node_bind(f, node, "a", bind_promise(&f->arena, arena_printf(&f->arena, "n%d", i - 1), "o0"));
		node_after(f, node, arena_printf(&f->arena, "n%d", i - 2));
	}
}

/* Two hundred times as many as the limit on nodes allows when nobody changes it. */
static void test_many_nodes(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	init(&f, "x=int", "");
	many_nodes(&f, 20000);
	must_end(&f, true);
}

static void test_more_nodes_than_fit(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	init(&f, "x=int", "");
	many_nodes(&f, 140000);
	must_end(&f, false);
}

/* Every element of one list is ambiguous between two variants with long descriptions: an error each, of which few are kept. */
static void test_many_errors_at_one_node(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	init(&f, "", "");
	auto_buf struct buf type = BUF_INIT(1 << 16);
	(void)buf_add_str(&type, "values=[");
	for (int variant = 0; variant < 2; variant++) {
		(void)buf_add_format(&type, "%s{enum:", variant ? "|" : "");
		for (int i = 0; i < 200; i++)
			(void)buf_add_format(&type, "%svalue%d", i ? "," : "", i);
		(void)buf_add_str(&type, "}");
	}
	(void)buf_add_str(&type, "]");
	fixture_task(&f, "t", buf_text(&type), "");
	node_t *node = add_node(&f, f.primary, task_node(&f, "n0", "t"));
	binding_data *list = bind_list(&f.arena, 0);
	for (int i = 0; i < 900000; i++)
		proto_append(&f.arena, list->collection->n_bindings, list->collection->bindings, bind_map(&f.arena, 0));
	node_bind(&f, node, "values", list);
	must_end(&f, false);
}

/* The id of a branch goes in front of the ids of all nodes in it. */
static void test_many_cases_of_a_branch_with_a_long_id(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	init(&f, "", "");
	fixture_task(&f, "t", "", "");
	Flyteidl__Core__BooleanExpression *condition = compare_with(&f.arena, "x", "==", literal_int(&f.arena, 1));
	node_t *branch = branch_node(&f, long_text(&f.arena, 100000), condition, task_node(&f, "c", "t"));
	for (int i = 0; i < 50000; i++)
		branch_other(&f, branch, condition, task_node(&f, "c", "t"));
	branch_else(branch, task_node(&f, "d", "t"));
	add_node(&f, f.primary, branch);
	must_end(&f, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_constants),
		cmocka_unit_test(test_many_nodes),
		cmocka_unit_test(test_more_nodes_than_fit),
		cmocka_unit_test(test_many_errors_at_one_node),
		cmocka_unit_test(test_many_cases_of_a_branch_with_a_long_id),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
