/*
 * Editing a kubeconfig as text. libyaml says on which lines the entries of a block-style file stand; lines are then
 * replaced, inserted or removed. This may fail or be wrong for unusual layouts: the caller compares the result with
 * what is wanted (kubeconfig.h).
 */
#ifndef SANDBOX_CLI_CLIENTS_KUBECONFIG_TEXT_H
#define SANDBOX_CLI_CLIENTS_KUBECONFIG_TEXT_H

#include "base/json.h"

#define KUBECONFIG_LIST_COUNT 3
/* "clusters", "contexts", "users" */
extern const char *const kubeconfig_lists[KUBECONFIG_LIST_COUNT];

/* `text` changed so that its entries called `name`, and its current-context, are those of `wanted` (added, replaced or
 * removed). NULL when the layout does not allow it. Free with free(). */
char *kubeconfig_text_edit(const char *text, size_t length, const json_t *wanted, const char *name);

#endif
