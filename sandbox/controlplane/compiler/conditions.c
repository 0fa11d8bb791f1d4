/*
 * The conditions of a branch: comparisons of the branch's inputs with constants or with each other, joined by and/or.
 * Both sides must have the same type; a string may meet an enum, and an optional value may be compared with none.
 */
#include "controlplane/compiler/builder.h"

#include "controlplane/compiler/branch.h"
#include "controlplane/compiler/types.h"

static const Flyteidl__Core__LiteralType *operand_type(struct workflow_builder *w, const struct node_builder *nb,
                                                       const char *side, const Flyteidl__Core__Operand *operand)
{
	struct compilation *c = w->compilation;
	switch (operand ? operand->val_case : FLYTEIDL__CORE__OPERAND__VAL__NOT_SET) {
	case FLYTEIDL__CORE__OPERAND__VAL_PRIMITIVE:
		return types_of_primitive(branch_operand_primitive(operand));
	case FLYTEIDL__CORE__OPERAND__VAL_SCALAR:
		if (operand->scalar)
			return types_of_scalar(c->arena, operand->scalar);
		break;
	case FLYTEIDL__CORE__OPERAND__VAL_VAR:
		if (!operand->var || !*operand->var)
			break;
		if (nb->interface_state != INTERFACE_READY)
			return NULL; /* reported */
		const struct variable *variable = variables_find(&nb->inputs, operand->var);
		if (!variable)
			compile_error(&c->errors, COMPILE_VARIABLE_NAME_NOT_FOUND, nb->node->id,
			              "a condition uses variable '%s', which is not bound to the branch node",
			              operand->var);
		return variable ? variable->type : NULL;
	default:
		break;
	}
	compile_error(&c->errors, COMPILE_VALUE_REQUIRED, nb->node->id, "a comparison has no %s", side);
	return NULL;
}

static bool is_plain(const Flyteidl__Core__LiteralType *type)
{
	return type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE ||
	       type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE;
}

static bool is_none_or_optional(const Flyteidl__Core__LiteralType *type)
{
	return types_is_simple(type, FLYTEIDL__CORE__SIMPLE_TYPE__NONE) || types_is_optional(type);
}

static bool comparable(const Flyteidl__Core__LiteralType *left, const Flyteidl__Core__LiteralType *right)
{
	if (types_is_simple(left, FLYTEIDL__CORE__SIMPLE_TYPE__NONE))
		return is_none_or_optional(right);
	if (types_is_simple(right, FLYTEIDL__CORE__SIMPLE_TYPE__NONE))
		return is_none_or_optional(left);
	return is_plain(left) && is_plain(right) && (types_castable(left, right) || types_castable(right, left));
}

static void validate_comparison(struct workflow_builder *w, const struct node_builder *nb,
                                const Flyteidl__Core__ComparisonExpression *comparison)
{
	struct compilation *c = w->compilation;
	const Flyteidl__Core__LiteralType *left = operand_type(w, nb, "LeftValue", comparison->left_value);
	const Flyteidl__Core__LiteralType *right = operand_type(w, nb, "RightValue", comparison->right_value);
	if (left && right && !comparable(left, right))
		compile_error(&c->errors, COMPILE_MISMATCHING_TYPES, nb->node->id, "a condition compares %s with %s",
		              compile_error_type(&c->errors, left), compile_error_type(&c->errors, right));
}

static void validate_expression(struct workflow_builder *w, const struct node_builder *nb,
                                const Flyteidl__Core__BooleanExpression *expression)
{
	struct compile_errors *errors = &w->compilation->errors;
	if (!expression)
		compile_error(errors, COMPILE_BRANCH_NODE_HAS_NO_CONDITION, nb->node->id,
		              "a case of the branch has no condition");
	else if (expression->expr_case == FLYTEIDL__CORE__BOOLEAN_EXPRESSION__EXPR_COMPARISON && expression->comparison)
		validate_comparison(w, nb, expression->comparison);
	else if (expression->expr_case == FLYTEIDL__CORE__BOOLEAN_EXPRESSION__EXPR_CONJUNCTION &&
	         expression->conjunction) {
		validate_expression(w, nb, expression->conjunction->left_expression);
		validate_expression(w, nb, expression->conjunction->right_expression);
	} else {
		compile_error(errors, COMPILE_VALUE_REQUIRED, nb->node->id, "a condition is empty (Expr)");
	}
}

static void validate_case(struct workflow_builder *w, const struct node_builder *nb,
                          const Flyteidl__Core__IfBlock *block)
{
	validate_expression(w, nb, block->condition);
	if (!block->then_node)
		compile_error(&w->compilation->errors, COMPILE_BRANCH_NODE_ID_NOT_FOUND, nb->node->id,
		              "a case of the branch has no node");
}

void conditions_validate(struct workflow_builder *w, const struct node_builder *nb)
{
	struct compile_errors *errors = &w->compilation->errors;
	const Flyteidl__Core__IfElseBlock *block = nb->node->branch_node ? nb->node->branch_node->if_else : NULL;
	if (!block || !block->case_)
		compile_error(errors, COMPILE_BRANCH_NODE_HAS_NO_CONDITION, nb->node->id,
		              "the branch has no first case");
	else
		validate_case(w, nb, block->case_);
	for (size_t i = 0; block && i < block->n_other; i++)
		validate_case(w, nb, block->other[i]);
	bool has_default =
	        block &&
	        ((block->default_case == FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT_ELSE_NODE && block->else_node) ||
	         (block->default_case == FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT_ERROR && block->error));
	if (!has_default)
		compile_error(errors, COMPILE_BRANCH_NODE_HAS_NO_DEFAULT, nb->node->id,
		              "the branch has neither an else case nor an error for when no case holds");
}
