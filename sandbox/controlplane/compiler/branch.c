#include "controlplane/compiler/branch.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MALFORMED "MalformedBranchUserError"

const Flyteidl__Core__Primitive *branch_operand_primitive(const Flyteidl__Core__Operand *operand)
{
	if (operand->val_case == FLYTEIDL__CORE__OPERAND__VAL_PRIMITIVE)
		return operand->primitive;
	if (operand->val_case == FLYTEIDL__CORE__OPERAND__VAL_SCALAR && operand->scalar &&
	    operand->scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE)
		return operand->scalar->primitive;
	return NULL;
}

/* One side of a comparison: a primitive, or none (NULL). */
struct value {
	const Flyteidl__Core__Primitive *primitive;
};

static int value_of_scalar(const Flyteidl__Core__Scalar *scalar, const char *name, struct value *ret_value,
                           struct err *e)
{
	while (scalar && scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_UNION && scalar->union_) {
		const Flyteidl__Core__Literal *inner = scalar->union_->value;
		scalar = inner && inner->value_case == FLYTEIDL__CORE__LITERAL__VALUE_SCALAR ? inner->scalar : NULL;
	}
	bool none = scalar && scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE;
	ret_value->primitive =
	        scalar && scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE ? scalar->primitive : NULL;
	if (none || ret_value->primitive)
		return 0;
	return err_set(e, ERR_INVALID, MALFORMED, "only primitives can be compared, and '%s' is none", name);
}

static int value_of_variable(const char *name, const Flyteidl__Core__LiteralMap *inputs, struct value *ret_value,
                             struct err *e)
{
	for (size_t i = inputs ? inputs->n_literals : 0; i-- > 0;) {
		if (strcmp(inputs->literals[i]->key, name) != 0)
			continue;
		const Flyteidl__Core__Literal *literal = inputs->literals[i]->value;
		return value_of_scalar(literal && literal->value_case == FLYTEIDL__CORE__LITERAL__VALUE_SCALAR
		                               ? literal->scalar
		                               : NULL,
		                       name, ret_value, e);
	}
	return err_set(e, ERR_INVALID, MALFORMED, "variable '%s' of the condition has no value", name);
}

static int value_of_operand(const Flyteidl__Core__Operand *operand, const Flyteidl__Core__LiteralMap *inputs,
                            struct value *ret_value, struct err *e)
{
	ret_value->primitive = operand ? branch_operand_primitive(operand) : NULL;
	if (ret_value->primitive)
		return 0;
	if (operand && operand->val_case == FLYTEIDL__CORE__OPERAND__VAL_VAR)
		return value_of_variable(operand->var ? operand->var : "", inputs, ret_value, e);
	if (operand && operand->val_case == FLYTEIDL__CORE__OPERAND__VAL_SCALAR)
		return value_of_scalar(operand->scalar, "the constant", ret_value, e);
	return err_set(e, ERR_INVALID, MALFORMED, "one side of a comparison is missing");
}

static int order_of_numbers(double left, double right)
{
	return (left > right) - (left < right);
}

static int order_of_integers(int64_t left, int64_t right)
{
	return (left > right) - (left < right);
}

static int order_of_times(int64_t left_seconds, int32_t left_nanos, int64_t right_seconds, int32_t right_nanos)
{
	int order = order_of_integers(left_seconds, right_seconds);
	return order ? order : order_of_integers(left_nanos, right_nanos);
}

/* Below, at or above zero, for two primitives of the same kind. A missing time is the epoch, a missing duration zero.
 */
static int order_of(const Flyteidl__Core__Primitive *left, const Flyteidl__Core__Primitive *right)
{
	static const Google__Protobuf__Timestamp epoch = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	static const Google__Protobuf__Duration zero = GOOGLE__PROTOBUF__DURATION__INIT;
	switch (left->value_case) {
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER:
		return order_of_integers(left->integer, right->integer);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE:
		return order_of_numbers(left->float_value, right->float_value);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE:
		return strcmp(left->string_value, right->string_value);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN:
		return order_of_integers(left->boolean != 0, right->boolean != 0);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME: {
		const Google__Protobuf__Timestamp *l = left->datetime ? left->datetime : &epoch;
		const Google__Protobuf__Timestamp *r = right->datetime ? right->datetime : &epoch;
		return order_of_times(l->seconds, l->nanos, r->seconds, r->nanos);
	}
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION: {
		const Google__Protobuf__Duration *l = left->duration ? left->duration : &zero;
		const Google__Protobuf__Duration *r = right->duration ? right->duration : &zero;
		return order_of_times(l->seconds, l->nanos, r->seconds, r->nanos);
	}
	default:
		return 0;
	}
}

static bool is_nan(const Flyteidl__Core__Primitive *primitive)
{
	return primitive->value_case == FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE &&
	       __builtin_isnan(primitive->float_value);
}

static int apply(Flyteidl__Core__ComparisonExpression__Operator operator_, int order, bool ordered, bool *ret_result,
                 struct err *e)
{
	switch (operator_) {
	case FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__EQ:
		*ret_result = ordered && order == 0;
		return 0;
	case FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__NEQ:
		*ret_result = !ordered || order != 0;
		return 0;
	case FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__GT:
		*ret_result = ordered && order > 0;
		return 0;
	case FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__GTE:
		*ret_result = ordered && order >= 0;
		return 0;
	case FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__LT:
		*ret_result = ordered && order < 0;
		return 0;
	case FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__LTE:
		*ret_result = ordered && order <= 0;
		return 0;
	default:
		return err_set(e, ERR_INVALID, MALFORMED, "comparison operator %d is not known", (int)operator_);
	}
}

static int compare(const Flyteidl__Core__ComparisonExpression *comparison, const Flyteidl__Core__LiteralMap *inputs,
                   bool *ret_result, struct err *e)
{
	struct value left, right;
	if (value_of_operand(comparison->left_value, inputs, &left, e) < 0 ||
	    value_of_operand(comparison->right_value, inputs, &right, e) < 0)
		return -1;
	bool equality = comparison->operator_ == FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__EQ ||
	                comparison->operator_ == FLYTEIDL__CORE__COMPARISON_EXPRESSION__OPERATOR__NEQ;
	if (!left.primitive || !right.primitive) {
		if (!equality)
			return err_set(e, ERR_INVALID, MALFORMED, "none can only be compared for equality");
		return apply(comparison->operator_, left.primitive == right.primitive ? 0 : 1, true, ret_result, e);
	}
	if (left.primitive->value_case != right.primitive->value_case)
		return err_set(e, ERR_INVALID, MALFORMED, "a condition compares values of different types");
	if (left.primitive->value_case == FLYTEIDL__CORE__PRIMITIVE__VALUE__NOT_SET)
		return err_set(e, ERR_INVALID, MALFORMED, "a condition compares values of no type");
	if (left.primitive->value_case == FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN && !equality)
		return err_set(e, ERR_INVALID, MALFORMED, "booleans can only be compared for equality");
	bool ordered = !is_nan(left.primitive) && !is_nan(right.primitive);
	return apply(comparison->operator_, order_of(left.primitive, right.primitive), ordered, ret_result, e);
}

/* Both sides of a conjunction are evaluated, so that a mistake in either shows whatever the values are. */
static int evaluate(const Flyteidl__Core__BooleanExpression *expression, const Flyteidl__Core__LiteralMap *inputs,
                    bool *ret_result, struct err *e)
{
	if (expression && expression->expr_case == FLYTEIDL__CORE__BOOLEAN_EXPRESSION__EXPR_COMPARISON &&
	    expression->comparison)
		return compare(expression->comparison, inputs, ret_result, e);
	if (!expression || expression->expr_case != FLYTEIDL__CORE__BOOLEAN_EXPRESSION__EXPR_CONJUNCTION ||
	    !expression->conjunction)
		return err_set(e, ERR_INVALID, MALFORMED, "a condition of the branch is empty");
	const Flyteidl__Core__ConjunctionExpression *conjunction = expression->conjunction;
	bool left, right;
	if (evaluate(conjunction->left_expression, inputs, &left, e) < 0 ||
	    evaluate(conjunction->right_expression, inputs, &right, e) < 0)
		return -1;
	*ret_result = conjunction->operator_ == FLYTEIDL__CORE__CONJUNCTION_EXPRESSION__LOGICAL_OPERATOR__OR
	                      ? left || right
	                      : left && right;
	return 0;
}

/* 1 when the case holds, 0 when not. */
static int case_holds(const Flyteidl__Core__IfBlock *block, const Flyteidl__Core__LiteralMap *inputs, struct err *e)
{
	bool result = false;
	if (!block || !block->then_node)
		return err_set(e, ERR_INVALID, MALFORMED, "a case of the branch has no node");
	return evaluate(block->condition, inputs, &result, e) < 0 ? -1 : result;
}

const char *branch_decide(const Flyteidl__Core__BranchNode *branch, const Flyteidl__Core__LiteralMap *inputs,
                          struct err *e)
{
	const Flyteidl__Core__IfElseBlock *block = branch->if_else;
	if (!block) {
		err_set(e, ERR_INVALID, MALFORMED, "the branch has no cases");
		return NULL;
	}
	int holds = case_holds(block->case_, inputs, e);
	if (holds)
		return holds < 0 ? NULL : block->case_->then_node->id;
	for (size_t i = 0; i < block->n_other; i++) {
		holds = case_holds(block->other[i], inputs, e);
		if (holds)
			return holds < 0 ? NULL : block->other[i]->then_node->id;
	}
	if (block->default_case == FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT_ELSE_NODE && block->else_node)
		return block->else_node->id;
	if (block->default_case == FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT_ERROR && block->error)
		err_set(e, ERR_PRECONDITION, "UserProvidedError", "%s", block->error->message);
	else
		err_set(e, ERR_INVALID, MALFORMED, "no case of the branch holds");
	return NULL;
}
