/*
 * flytectl's --filter.fieldSelector ("task.name=a,created_at>=2021-05-24T21:43:12Z,phase in (FAILED;SUCCEEDED)") as the
 * filters of admin's lists ("eq(task.name,a)+gte(…)+value_in(…)"; flytectl/pkg/filters at v1.16.8). Pure.
 */
#ifndef SANDBOX_FLYTE_SELECTOR_H
#define SANDBOX_FLYTE_SELECTOR_H

#include "base/arena.h"

/* In the arena. NULL with ERR_USAGE "bad-selector". */
const char *selector_to_filters(struct arena *arena, const char *selector, struct err *e);

#endif
