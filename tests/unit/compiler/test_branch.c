/* Which case of a branch holds: every operator over every kind of primitive, conjunctions, none, defaults and errors.
 */
#include "controlplane/compiler/branch.h"
#include "proto/message.h"
#include "templates.h"

#include <math.h>
#include <string.h>

#include "cmocka_all.h"

static literal *moment(struct arena *a, int64_t seconds, int32_t nanos)
{
	literal *l = literal_int(a, 0);
	l->scalar->primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME;
	l->scalar->primitive->datetime = proto_new(a, google__protobuf__timestamp);
	l->scalar->primitive->datetime->seconds = seconds;
	l->scalar->primitive->datetime->nanos = nanos;
	return l;
}

static literal *span(struct arena *a, int64_t seconds, int32_t nanos)
{
	literal *l = literal_int(a, 0);
	l->scalar->primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION;
	l->scalar->primitive->duration = proto_new(a, google__protobuf__duration);
	l->scalar->primitive->duration->seconds = seconds;
	l->scalar->primitive->duration->nanos = nanos;
	return l;
}

/* "then" or "else", or the id of the error. */
static const char *decide(struct fixture *f, Flyteidl__Core__BooleanExpression *condition, literal *x, literal *y)
{
	node_t *branch = branch_node(f, "b", condition, node_new(f, "then"));
	branch_else(branch, node_new(f, "else"));
	Flyteidl__Core__LiteralMap *inputs = proto_new(&f->arena, flyteidl__core__literal_map);
	if (x)
		literals_add(&f->arena, inputs, "x", x);
	if (y)
		literals_add(&f->arena, inputs, "y", y);
	auto_err struct err e = ERR_INIT;
	const char *id = branch_decide(branch->branch_node, inputs, &e);
	return id ? id : arena_strdup(&f->arena, err_id(&e));
}

/* `results` says for == != > >= < <= whether the condition holds. */
static void check_operators(struct fixture *f, literal *x, literal *y, const char *results)
{
	static const char *const operators[] = { "==", "!=", ">", ">=", "<", "<=" };
	for (size_t i = 0; i < ARRAY_LENGTH(operators); i++) {
		const char *expected = results[i] == 'T'   ? "then"
		                       : results[i] == 'F' ? "else"
		                                           : "MalformedBranchUserError";
		assert_string_equal(decide(f, compare_variables(&f->arena, "x", operators[i], "y"), x, y), expected);
		bool constant = y->scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE ||
		                y->scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE;
		if (constant)
			assert_string_equal(decide(f, compare_with(&f->arena, "x", operators[i], y), x, NULL),
			                    expected);
	}
}

static void test_operators(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	fixture_init(&f, "", "");
	struct arena *a = &f.arena;
	check_operators(&f, literal_int(a, 1), literal_int(a, 1), "TFFTFT");
	check_operators(&f, literal_int(a, 1), literal_int(a, 2), "FTFFTT");
	check_operators(&f, literal_int(a, INT64_MAX), literal_int(a, INT64_MIN), "FTTTFF");
	check_operators(&f, literal_float(a, 0.5), literal_float(a, 0.5), "TFFTFT");
	check_operators(&f, literal_float(a, 1.5), literal_float(a, 0.5), "FTTTFF");
	check_operators(&f, literal_float(a, (double)NAN), literal_float(a, 0.5), "FTFFFF");
	check_operators(&f, literal_string(a, "a"), literal_string(a, "b"), "FTFFTT");
	check_operators(&f, literal_string(a, ""), literal_string(a, ""), "TFFTFT");
	check_operators(&f, literal_bool(a, true), literal_bool(a, true), "TFEEEE");
	check_operators(&f, literal_bool(a, true), literal_bool(a, false), "FTEEEE");
	check_operators(&f, moment(a, 5, 1), moment(a, 5, 1), "TFFTFT");
	check_operators(&f, moment(a, 5, 2), moment(a, 5, 1), "FTTTFF");
	check_operators(&f, moment(a, -5, 0), moment(a, 5, 0), "FTFFTT");
	check_operators(&f, span(a, 1, 0), span(a, 2, 0), "FTFFTT");
	check_operators(&f, span(a, 2, 0), span(a, 2, 0), "TFFTFT");
	check_operators(&f, literal_int(a, 1), literal_float(a, 1), "EEEEEE");
	check_operators(&f, literal_none(a), literal_none(a), "TFEEEE");
	check_operators(&f, literal_int(a, 1), literal_none(a), "FTEEEE");
	check_operators(&f, literal_union(a, literal_int(a, 2), "int"), literal_int(a, 2), "TFFTFT");
	check_operators(&f, literal_union(a, literal_none(a), "none"), literal_none(a), "TFEEEE");
	check_operators(&f, literal_union(a, literal_none(a), "none"), literal_int(a, 2), "FTEEEE");
	check_operators(&f, literal_packed(a, "\xc0", 1), literal_int(a, 2), "EEEEEE");
}

static Flyteidl__Core__BooleanExpression *x_is(struct arena *a, int64_t value)
{
	return compare_with(a, "x", "==", literal_int(a, value));
}

static void test_conjunctions(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	fixture_init(&f, "", "");
	struct arena *a = &f.arena;
	literal *one = literal_int(a, 1);
	for (int left = 0; left < 2; left++)
		for (int right = 0; right < 2; right++) {
			assert_string_equal(decide(&f, conjunction(a, false, x_is(a, left), x_is(a, right)), one, NULL),
			                    left && right ? "then" : "else");
			assert_string_equal(decide(&f, conjunction(a, true, x_is(a, left), x_is(a, right)), one, NULL),
			                    left || right ? "then" : "else");
		}
	/* a mistake on either side shows, whatever the other side is */
	Flyteidl__Core__BooleanExpression *wrong = compare_with(a, "z", "==", one);
	assert_string_equal(decide(&f, conjunction(a, true, x_is(a, 1), wrong), one, NULL), "MalformedBranchUserError");
	assert_string_equal(decide(&f, conjunction(a, false, wrong, x_is(a, 1)), one, NULL),
	                    "MalformedBranchUserError");
	assert_string_equal(decide(&f, conjunction(a, false, NULL, x_is(a, 1)), one, NULL), "MalformedBranchUserError");
}

static void test_cases_in_order(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	fixture_init(&f, "", "");
	struct arena *a = &f.arena;
	node_t *branch = branch_node(&f, "b", x_is(a, 1), node_new(&f, "one"));
	branch_other(&f, branch, x_is(a, 2), node_new(&f, "two"));
	branch_other(&f, branch, compare_with(a, "x", ">", literal_int(a, 1)), node_new(&f, "more"));
	branch_fail(&f, branch, "x is too small");
	static const struct {
		int64_t x;
		const char *id;
	} rows[] = { { 1, "one" }, { 2, "two" }, { 3, "more" }, { 0, NULL } };
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		Flyteidl__Core__LiteralMap *inputs = proto_new(a, flyteidl__core__literal_map);
		literals_add(a, inputs, "x", literal_int(a, rows[i].x));
		auto_err struct err e = ERR_INIT;
		const char *id = branch_decide(branch->branch_node, inputs, &e);
		if (rows[i].id) {
			assert_string_equal(id, rows[i].id);
		} else {
			assert_null(id);
			assert_string_equal(err_id(&e), "UserProvidedError");
			assert_string_equal(err_message(&e), "x is too small");
		}
	}
}

static void must_be_malformed(const Flyteidl__Core__BranchNode *branch, const Flyteidl__Core__LiteralMap *inputs,
                              const char *message)
{
	auto_err struct err e = ERR_INIT;
	assert_null(branch_decide(branch, inputs, &e));
	assert_string_equal(err_id(&e), "MalformedBranchUserError");
	if (!strstr(err_message(&e), message))
		fail_msg("no '%s' in '%s'", message, err_message(&e));
}

static void test_malformed(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	fixture_init(&f, "", "");
	struct arena *a = &f.arena;
	Flyteidl__Core__LiteralMap *inputs = proto_new(a, flyteidl__core__literal_map);
	literals_add(a, inputs, "x", literal_int(a, 0));
	literals_add(a, inputs, "l", literal_list(a, 0));
	node_t *branch = branch_node(&f, "b", x_is(a, 1), node_new(&f, "one"));
	must_be_malformed(branch->branch_node, inputs, "no case of the branch holds");
	must_be_malformed(branch->branch_node, NULL, "variable 'x' of the condition has no value");
	branch->branch_node->if_else->case_->condition = compare_with(a, "l", "==", literal_int(a, 1));
	must_be_malformed(branch->branch_node, inputs, "'l' is none");
	branch->branch_node->if_else->case_->condition->comparison->left_value = NULL;
	must_be_malformed(branch->branch_node, inputs, "missing");
	branch->branch_node->if_else->case_->condition = x_is(a, 0);
	branch->branch_node->if_else->case_->condition->comparison->operator_ =
	        (Flyteidl__Core__ComparisonExpression__Operator)77;
	must_be_malformed(branch->branch_node, inputs, "operator 77");
	branch->branch_node->if_else->case_->condition->expr_case = FLYTEIDL__CORE__BOOLEAN_EXPRESSION__EXPR__NOT_SET;
	must_be_malformed(branch->branch_node, inputs, "empty");
	branch->branch_node->if_else->case_->then_node = NULL;
	must_be_malformed(branch->branch_node, inputs, "no node");
	branch->branch_node->if_else->case_ = NULL;
	must_be_malformed(branch->branch_node, inputs, "no node");
	branch->branch_node->if_else = NULL;
	must_be_malformed(branch->branch_node, inputs, "no cases");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operators),
		cmocka_unit_test(test_conjunctions),
		cmocka_unit_test(test_cases_in_order),
		cmocka_unit_test(test_malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
