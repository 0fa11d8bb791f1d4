/* What a request for a new execution must look like before anything is looked up; flyteadmin's execution_validator.go
 * at v1.16.8. Pure. */
#ifndef SANDBOX_CONTROLPLANE_LAUNCH_EXECUTION_VALIDATE_H
#define SANDBOX_CONTROLPLANE_LAUNCH_EXECUTION_VALIDATE_H

#include "base/arena.h"
#include "base/err.h"

#include "flyteidl/admin/execution.pb-c.h"

/* A label of Kubernetes: the name becomes one on every pod. */
#define EXECUTION_NAME_MAXIMUM 63

/*
 * ERR_INVALID in upstream's words. Project and domain have to be there; whether they are registered is not looked at.
 * `name` may be "". `spec` and `inputs` may be NULL (the former is an error).
 */
int execution_validate(const char *project, const char *domain, const char *name,
                       const Flyteidl__Admin__ExecutionSpec *spec, const Flyteidl__Core__LiteralMap *inputs,
                       struct err *e);

/* The name alone; "" is fine. */
int execution_validate_name(const char *name, struct err *e);

/* The name in lower case, or, when it is "", a new one: 'a' and 19 random letters and digits. In the arena. */
char *execution_choose_name(struct arena *arena, const char *name);

#endif
