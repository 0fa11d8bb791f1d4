/*
 * Settings of a project, a project's domain or a workflow that override the platform's: one message a type
 * (flyteidl.admin.MatchableResource) and place, of which the most specific place wins.
 */
#ifndef SANDBOX_CONTROLPLANE_API_MATCHABLE_ATTRIBUTES_H
#define SANDBOX_CONTROLPLANE_API_MATCHABLE_ATTRIBUTES_H

#include "base/arena.h"
#include "base/err.h"

#include "flyteidl/admin/matchable_resource.pb-c.h"

#include <stdbool.h>

/* Which type the attributes are of; false when none. */
bool matchable_attributes_type(const Flyteidl__Admin__MatchingAttributes *attributes,
                               Flyteidl__Admin__MatchableResource *ret_type);

/* What can be said of attributes by themselves: quantities that are none, labels that Kubernetes refuses, names of
 * template variables that are the platform's. ERR_INVALID. `place` names the request's project, domain and workflow. */
int matchable_attributes_validate(const Flyteidl__Admin__MatchingAttributes *attributes, const char *place,
                                  struct err *e);

/* Plugin overrides of one task type replace each other; those of other task types stay. In the arena, sorted by task
 * type. */
Flyteidl__Admin__MatchingAttributes *matchable_attributes_merge_plugins(
        struct arena *arena, const Flyteidl__Admin__MatchingAttributes *existing,
        const Flyteidl__Admin__MatchingAttributes *update);

#endif
