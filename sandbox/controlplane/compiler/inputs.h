/* The inputs of an execution: what a launch plan expects, what it has fixed, and what the request gives, made into one
 * map. Pure. */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_INPUTS_H
#define SANDBOX_CONTROLPLANE_COMPILER_INPUTS_H

#include "base/arena.h"
#include "base/err.h"

#include "flyteidl/core/interface.pb-c.h"
#include "flyteidl/core/literals.pb-c.h"

/*
 * The given literals, defaults where nothing is given, and the fixed inputs, in that order of the map's entries. Any
 *argument map may be NULL. The literals are shared with the arguments. NULL with `e` (ERR_INVALID, id "invalid-input")
 *and Flyte's texts (flyteadmin validation/execution_validator.go at v1.16.8): invalid input <name> not among the
 *expected ones expected_inputs <name> missing                          required and not given invalid <name> input
 *wrong type. Expected <type>, but got <type> Failed to validate literal type for [<name>] …          an offloaded
 *literal that does not say its type fixed_inputs <name> cannot be overridden
 */
Flyteidl__Core__LiteralMap *inputs_merge(struct arena *arena, const Flyteidl__Core__ParameterMap *expected,
                                         const Flyteidl__Core__LiteralMap *fixed,
                                         const Flyteidl__Core__LiteralMap *given, struct err *e);

#endif
