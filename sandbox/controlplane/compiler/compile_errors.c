#include "controlplane/compiler/compile_errors.h"

#include "base/buf.h"
#include "base/text.h"
#include "controlplane/compiler/types.h"
#include "proto/message.h"

#include <string.h>

#define TEXT_MAXIMUM ((size_t)2048)
#define MESSAGE_MAXIMUM ((size_t)256 * 1024)

static const char *const code_names[COMPILE_ERROR_CODE_COUNT] = {
	[COMPILE_AMBIGUOUS_BINDING_UNION_VALUE] = "AmbiguousBindingUnionValue",
	[COMPILE_BRANCH_NODE_HAS_NO_CONDITION] = "BranchNodeHasNoCondition",
	[COMPILE_BRANCH_NODE_HAS_NO_DEFAULT] = "BranchNodeHasNoDefault",
	[COMPILE_BRANCH_NODE_ID_NOT_FOUND] = "BranchNodeIdNotFound",
	[COMPILE_CYCLE_DETECTED] = "CycleDetected",
	[COMPILE_DUPLICATE_ALIAS] = "DuplicateAlias",
	[COMPILE_DUPLICATE_ID] = "DuplicateId",
	[COMPILE_FIELD_NOT_FOUND] = "FieldNotFound",
	[COMPILE_ILLEGAL_ENUM_VALUE] = "IllegalEnumValue",
	[COMPILE_INCOMPATIBLE_BINDING_UNION_VALUE] = "IncompatibleBindingUnionValue",
	[COMPILE_INVALID_VALUE] = "InvalidValue",
	[COMPILE_MISMATCHING_BINDINGS] = "MismatchingBindings",
	[COMPILE_MISMATCHING_TYPES] = "MismatchingTypes",
	[COMPILE_NODE_REFERENCE_NOT_FOUND] = "NodeReferenceNotFound",
	[COMPILE_NO_CONDITION_FOUND] = "NoConditionFound",
	[COMPILE_NO_ENTRY_NODE_FOUND] = "NoEntryNodeFound",
	[COMPILE_NO_NODES_FOUND] = "NoNodesFound",
	[COMPILE_PARAMETER_BOUND_MORE_THAN_ONCE] = "ParameterBoundMoreThanOnce",
	[COMPILE_PARAMETER_NOT_BOUND] = "ParameterNotBound",
	[COMPILE_SYNTAX_ERROR] = "SyntaxError",
	[COMPILE_TASK_REFERENCE_NOT_FOUND] = "TaskReferenceNotFound",
	[COMPILE_UNREACHABLE_NODES] = "UnreachableNodes",
	[COMPILE_UNRECOGNIZED_VALUE] = "UnrecognizedValue",
	[COMPILE_VALUE_COLLISION] = "ValueCollision",
	[COMPILE_VALUE_REQUIRED] = "ValueRequired",
	[COMPILE_VARIABLE_NAME_NOT_FOUND] = "VariableNameNotFound",
	[COMPILE_WORKFLOW_BUILD_ERROR] = "WorkflowBuildError",
	[COMPILE_WORKFLOW_REFERENCE_NOT_FOUND] = "WorkflowReferenceNotFound",
};

const char *compile_error_code_name(enum compile_error_code code)
{
	return code_names[code];
}

static bool is_kept(const struct compile_errors *errors)
{
	return !errors->muted && errors->count < COMPILE_ERRORS_KEPT;
}

const char *compile_error_type(const struct compile_errors *errors, const Flyteidl__Core__LiteralType *type)
{
	return is_kept(errors) ? types_describe_in(errors->arena, type) : "";
}

bool compile_error(struct compile_errors *errors, enum compile_error_code code, const char *node_id, const char *format,
                   ...)
{
	errors->total++;
	if (!is_kept(errors))
		return false;
	char text[TEXT_MAXIMUM];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	struct compile_error error = {
		.code = code,
		.node_id = arena_strndup(errors->arena, node_id, strnlen(node_id, TEXT_MAXIMUM)),
		.text = arena_strdup(errors->arena, text),
	};
	proto_append(errors->arena, errors->count, errors->items, error);
	return false;
}

static int compare(const void *a, const void *b)
{
	const struct compile_error *x = a, *y = b;
	int order = strcmp(code_names[x->code], code_names[y->code]);
	if (!order)
		order = strcmp(x->node_id, y->node_id);
	return order ? order : strcmp(x->text, y->text);
}

int compile_errors_to_err(struct compile_errors *errors, struct err *e)
{
	if (!errors->total)
		return 0;
	if (errors->count)
		qsort(errors->items, errors->count, sizeof(*errors->items), compare);
	size_t distinct = 0;
	for (size_t i = 0; i < errors->count; i++)
		if (!distinct || compare(&errors->items[distinct - 1], &errors->items[i]) != 0)
			errors->items[distinct++] = errors->items[i];
	bool more = errors->count == COMPILE_ERRORS_KEPT;
	errors->count = distinct;
	auto_buf struct buf text = BUF_INIT(MESSAGE_MAXIMUM);
	for (size_t i = 0; i < distinct; i++) {
		const struct compile_error *error = &errors->items[i];
		if (buf_add_format(&text, "\tError %zu: Code: %s, Node Id: %s, Description: %s\n", i,
		                   code_names[error->code], error->node_id, error->text) < 0) {
			more = true;
			break;
		}
	}
	return err_set(e, ERR_INVALID, "compile-error", "Collected Errors: %zu%s\n%s", distinct, more ? " or more" : "",
	               buf_text(&text));
}
