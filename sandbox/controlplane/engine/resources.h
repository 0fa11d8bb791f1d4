/* Compute resources of containers: how a task's requests and limits become a container's (reference §2.12). Pure. */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_RESOURCES_H
#define SANDBOX_CONTROLPLANE_ENGINE_RESOURCES_H

#include "base/err.h"
#include "base/json.h"
#include "base/quantity.h"
#include "controlplane/settings/resource_policy.h"

#include "flyteidl/core/tasks.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

/* A container's {"requests": {…}, "limits": {…}} from a task's entries, with Kubernetes' resource names; NULL
 * `resources` gives empty ones. A new reference; NULL with ERR_INVALID ("BadTaskSpecification") for a malformed
 * quantity. STORAGE entries are dropped, as upstream does. */
json_t *resources_to_json(const Flyteidl__Core__Resources *resources, struct err *e);
/* A name that an override mentions, in its requests or limits, replaces both the request and the limit of that name. */
int resources_override(json_t *resources, const Flyteidl__Core__Resources *overrides, struct err *e);

/*
 * Fills what is missing and cuts off what is too much. A request comes from its limit, else from the defaults; a
 * memory, GPU or ephemeral storage limit from its request, or from the default limits when the task gave neither. CPU
 * gets no limit that was not asked for: a container that starts on an idle machine may use it (design §5). What is
 * above a limit of the platform is lowered to it, and a limit that is missing then is the platform's. ERR_INVALID
 * ("BadTaskSpecification") for a quantity that is none.
 */
int resources_fill(json_t *resources, const struct resource_policy *policy, struct err *e);

#endif
