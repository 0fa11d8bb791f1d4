/*
 * Random workflows: any DAG must compile to connections that a simple model predicts, and the same DAG with one defect
 * put in at a random place must give that defect's error.
 */
#include "base/text.h"
#include "proto/message.h"
#include "templates.h"

#include <string.h>

#include "cmocka_all.h"

#define WORKFLOWS 400
#define NODES_MAXIMUM 40

static uint64_t seed;

static unsigned random_below(unsigned bound)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % bound;
}

/* Node i may only wait for nodes before it in `order`, which is not the order of their ids or of the template. */
struct model {
	struct fixture fixture;
	unsigned count;
	unsigned order[NODES_MAXIMUM];
	bool waits[NODES_MAXIMUM][NODES_MAXIMUM]; /* [who][for whom] */
	bool takes_input[NODES_MAXIMUM];
};

static const char *name_of(struct model *m, unsigned i)
{
	return arena_printf(&m->fixture.arena, "n%u", i);
}

static node_t *find(struct model *m, unsigned i)
{
	for (size_t k = 0; k < m->fixture.primary->n_nodes; k++)
		if (text_equal(m->fixture.primary->nodes[k]->id, name_of(m, i)))
			return m->fixture.primary->nodes[k];
	fail();
	return NULL;
}

static void add_dependencies(struct model *m, unsigned position)
{
	struct fixture *f = &m->fixture;
	struct arena *a = &f->arena;
	unsigned self = m->order[position];
	node_t *node = add_node(f, f->primary, task_node(f, name_of(m, self), random_below(2) ? "list" : "one"));
	bool takes_list = text_equal(node->task_node->reference_id->name, "list");
	binding_data *binding = takes_list ? bind_list(a, 0) : bind_literal(a, literal_int(a, 1));
	for (unsigned k = 0; k < 4 && position; k++) {
		unsigned other = m->order[random_below(position)];
		const char *id = name_of(m, other);
		m->waits[self][other] = true;
		if (random_below(2))
			node_after(f, node, id);
		else if (takes_list)
			proto_append(a, binding->collection->n_bindings, binding->collection->bindings,
			             bind_promise(a, id, "o"));
		else if (binding->value_case != FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE)
			binding = bind_promise(a, id, "o");
		else
			node_after(f, node, id);
	}
	if (takes_list && random_below(4) == 0) {
		proto_append(a, binding->collection->n_bindings, binding->collection->bindings,
		             bind_promise(a, "", "x"));
		m->takes_input[self] = true;
	}
	node_bind(f, node, "v", binding);
}

static void model_init(struct model *m, uint64_t number)
{
	seed = number * 2654435761u + 99;
	*m = (struct model){ .count = 1 + random_below(NODES_MAXIMUM - 1) };
	struct fixture *f = &m->fixture;
	fixture_init(f, "x=int", "r=int");
	fixture_task(f, "one", "v=int", "o=int");
	fixture_task(f, "list", "v=[int]", "o=int");
	for (unsigned i = 0; i < m->count; i++)
		m->order[i] = i;
	for (unsigned i = m->count; i-- > 1;) {
		unsigned j = random_below(i + 1), swap = m->order[i];
		m->order[i] = m->order[j];
		m->order[j] = swap;
	}
	for (unsigned i = 0; i < m->count; i++)
		add_dependencies(m, i);
	for (size_t i = f->primary->n_nodes; i-- > 1;) { /* the template's order means nothing */
		size_t j = random_below((unsigned)i + 1);
		node_t *swap = f->primary->nodes[i];
		f->primary->nodes[i] = f->primary->nodes[j];
		f->primary->nodes[j] = swap;
	}
	bind_output(f, f->primary, "r", bind_promise(&f->arena, name_of(m, m->order[m->count - 1]), "o"));
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *expected_list(struct model *m, const char **names, size_t count)
{
	const char *text = "";
	qsort(names, count, sizeof(*names), compare_text);
	for (size_t i = 0; i < count; i++)
		text = arena_printf(&m->fixture.arena, "%s%s%s", text, i ? "," : "", names[i]);
	return text;
}

static void check_node(struct model *m, const Flyteidl__Core__CompiledWorkflow *w, unsigned self)
{
	const char *upstream[NODES_MAXIMUM + 1], *downstream[NODES_MAXIMUM + 1];
	size_t up = 0, down = 0;
	bool is_result = self == m->order[m->count - 1];
	for (unsigned other = 0; other < m->count; other++) {
		if (m->waits[self][other])
			upstream[up++] = name_of(m, other);
		if (m->waits[other][self])
			downstream[down++] = name_of(m, other);
	}
	if (m->takes_input[self] || !up)
		upstream[up++] = "start-node";
	if (is_result || !down)
		downstream[down++] = "end-node";
	assert_string_equal(upstream_of(&m->fixture, w, name_of(m, self)), expected_list(m, upstream, up));
	assert_string_equal(downstream_of(&m->fixture, w, name_of(m, self)), expected_list(m, downstream, down));
}

static void test_random_workflows_compile(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < WORKFLOWS; i++) {
		struct model m;
		model_init(&m, i);
		const Flyteidl__Core__CompiledWorkflow *w = must_compile(&m.fixture)->primary;
		assert_int_equal(w->template_->n_nodes, m.count + 2);
		for (unsigned n = 0; n < m.count; n++)
			check_node(&m, w, n);
		fixture_release(&m.fixture);
	}
}

/* Whether `from` waits for `to`, directly or not. */
static bool reaches(const struct model *m, unsigned from, unsigned to)
{
	if (from == to)
		return true;
	for (unsigned other = 0; other < m->count; other++)
		if (m->waits[from][other] && reaches(m, other, to))
			return true;
	return false;
}

static const char *inject(struct model *m, const char **ret_node_id)
{
	struct fixture *f = &m->fixture;
	struct arena *a = &f->arena;
	unsigned victim = random_below(m->count);
	node_t *node = find(m, victim);
	*ret_node_id = node->id;
	switch (random_below(8)) {
	case 0: { /* somebody further down, or the node itself, comes first */
		unsigned later = victim;
		for (unsigned tries = 0; tries < 20; tries++) {
			unsigned candidate = random_below(m->count);
			if (m->count <= 8 ? reaches(m, candidate, victim) : m->waits[candidate][victim])
				later = candidate;
		}
		node_after(f, node, name_of(m, later));
		*ret_node_id = "start-node";
		return "CycleDetected";
	}
	case 1:
		node->inputs[0]->binding = bind_promise(a, "nobody", "o");
		return "NodeReferenceNotFound";
	case 2:
		node->inputs[0]->binding = bind_promise(a, "", "nothing");
		return "VariableNameNotFound";
	case 3:
		node->n_inputs = 0;
		return "ParameterNotBound";
	case 4:
		node_bind(f, node, "v", node->inputs[0]->binding);
		return "ParameterBoundMoreThanOnce";
	case 5:
		node->inputs[0]->binding = bind_literal(a, literal_string(a, "x"));
		return "MismatchingTypes";
	case 6:
		node->task_node->reference_id->version = arena_strdup(a, "other");
		return "TaskReferenceNotFound";
	default:
		node_bind(f, add_node(f, f->primary, task_node(f, node->id, "one")), "v",
		          bind_literal(a, literal_int(a, 1)));
		return "DuplicateId";
	}
}

static void test_random_defects_are_found(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 2 * WORKFLOWS; i++) {
		struct model m;
		const char *node_id;
		model_init(&m, i);
		const char *code = inject(&m, &node_id);
		must_fail(&m.fixture, code, node_id);
		if (!text_starts_with(m.fixture.errors, "Collected Errors: 1\n") && !text_equal(code, "CycleDetected"))
			fail_msg("workflow %u, %s: %s", (unsigned)i, code, m.fixture.errors);
		fixture_release(&m.fixture);
	}
}

/* The same workflow, its nodes and upstream ids listed in another order, has the same connections. */
static void test_order_does_not_matter(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < WORKFLOWS / 4; i++) {
		struct model m;
		model_init(&m, i);
		struct proto_bytes one =
		        proto_pack(&m.fixture.arena, &must_compile(&m.fixture)->primary->connections->base);
		workflow_template *w = m.fixture.primary;
		for (size_t k = 0; k < w->n_nodes / 2; k++) {
			node_t *swap = w->nodes[k];
			w->nodes[k] = w->nodes[w->n_nodes - 1 - k];
			w->nodes[w->n_nodes - 1 - k] = swap;
		}
		struct proto_bytes two =
		        proto_pack(&m.fixture.arena, &must_compile(&m.fixture)->primary->connections->base);
		assert_int_equal(one.length, two.length);
		assert_memory_equal(one.data, two.data, one.length);
		fixture_release(&m.fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_workflows_compile),
		cmocka_unit_test(test_random_defects_are_found),
		cmocka_unit_test(test_order_does_not_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
