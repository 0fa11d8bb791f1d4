/*
 * The errors of one compile step, collected. Codes are Flyte's (flytepropeller compiler/errors at v1.16.8); clients and
 * people search for them. Upstream also defines MismatchingInterfaces, InconsistentTypes and InvalidLiteralType but no
 * step of its compiler reports them.
 */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_COMPILE_ERRORS_H
#define SANDBOX_CONTROLPLANE_COMPILER_COMPILE_ERRORS_H

#include "base/arena.h"
#include "base/err.h"

#include "flyteidl/core/types.pb-c.h"

#include <stdbool.h>

enum compile_error_code {
	COMPILE_AMBIGUOUS_BINDING_UNION_VALUE,
	COMPILE_BRANCH_NODE_HAS_NO_CONDITION,
	COMPILE_BRANCH_NODE_HAS_NO_DEFAULT,
	COMPILE_BRANCH_NODE_ID_NOT_FOUND,
	COMPILE_CYCLE_DETECTED,
	COMPILE_DUPLICATE_ALIAS,
	COMPILE_DUPLICATE_ID,
	COMPILE_FIELD_NOT_FOUND,
	COMPILE_ILLEGAL_ENUM_VALUE,
	COMPILE_INCOMPATIBLE_BINDING_UNION_VALUE,
	COMPILE_INVALID_VALUE,
	COMPILE_MISMATCHING_BINDINGS,
	COMPILE_MISMATCHING_TYPES,
	COMPILE_NODE_REFERENCE_NOT_FOUND,
	COMPILE_NO_CONDITION_FOUND,
	COMPILE_NO_ENTRY_NODE_FOUND,
	COMPILE_NO_NODES_FOUND,
	COMPILE_PARAMETER_BOUND_MORE_THAN_ONCE,
	COMPILE_PARAMETER_NOT_BOUND,
	COMPILE_SYNTAX_ERROR,
	COMPILE_TASK_REFERENCE_NOT_FOUND,
	COMPILE_UNREACHABLE_NODES,
	COMPILE_UNRECOGNIZED_VALUE,
	COMPILE_VALUE_COLLISION,
	COMPILE_VALUE_REQUIRED,
	COMPILE_VARIABLE_NAME_NOT_FOUND,
	COMPILE_WORKFLOW_BUILD_ERROR,
	COMPILE_WORKFLOW_REFERENCE_NOT_FOUND,
	COMPILE_ERROR_CODE_COUNT
};

struct compile_error {
	enum compile_error_code code;
	const char *node_id;
	const char *text;
};

struct compile_errors {
	struct arena *arena;
	struct compile_error *items;
	size_t count;   /* kept in items, at most COMPILE_ERRORS_KEPT */
	size_t total;   /* reported, also those not kept: whether something failed is whether this has grown */
	unsigned muted; /* > 0 while something is only tried out: errors count, but are not kept */
};

#define COMPILE_ERRORS_KEPT ((size_t)500)

/* "CycleDetected" … */
const char *compile_error_code_name(enum compile_error_code code);

/* The type in words for an error's text; "" where the error would not be kept, which costs nothing then. */
const char *compile_error_type(const struct compile_errors *errors, const Flyteidl__Core__LiteralType *type);

/* Reports an error at a node. Texts are cut at 2 KiB. Returns false, so that a check can `return compile_error(...)`.
 */
bool compile_error(struct compile_errors *errors, enum compile_error_code code, const char *node_id, const char *format,
                   ...) PRINTF_LIKE(4, 5);

/*
 * Puts all errors into `e` (ERR_INVALID, id "compile-error"), each once, sorted by code and text, in Flyte's layout:
 *	Collected Errors: 2
 *		Error 0: Code: CycleDetected, Node Id: start-node, Description: …
 * Returns -1 when there are any, else 0 with `e` untouched.
 */
int compile_errors_to_err(struct compile_errors *errors, struct err *e);

#endif
