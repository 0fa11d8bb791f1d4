/*
 * Which case of a branch node holds. Pure: the engine gives the branch node's resolved inputs and gets the id of the
 * node to run (flytepropeller nodes/branch at v1.16.8; unlike there, times are compared with all their digits and
 * optional values are looked into).
 */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_BRANCH_H
#define SANDBOX_CONTROLPLANE_COMPILER_BRANCH_H

#include "base/err.h"

#include "flyteidl/core/literals.pb-c.h"
#include "flyteidl/core/workflow.pb-c.h"

/*
 * The id (borrowed from the branch) of the first case whose condition is true, else of the else node. NULL with `e` set
 *when
 *	- no case holds and the branch says which error that is: id "UserProvidedError", the branch's own message;
 *	- a condition cannot be evaluated — a variable without value, values of different types, an order of booleans —
 *or there is neither an else node nor an error: id "MalformedBranchUserError". The other cases' nodes are skipped.
 *`inputs` may be NULL.
 */
const char *branch_decide(const Flyteidl__Core__BranchNode *branch, const Flyteidl__Core__LiteralMap *inputs,
                          struct err *e);

/* The constant of an operand, also where an old client writes it in the deprecated field; NULL when there is none. */
const Flyteidl__Core__Primitive *branch_operand_primitive(const Flyteidl__Core__Operand *operand);

#endif
