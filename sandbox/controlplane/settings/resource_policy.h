/*
 * What the platform says about the resources of tasks: amounts for tasks that ask for nothing, and amounts that none may
 * exceed (reference §2.12). Every execution keeps the policy that it was made under, as JSON in its row.
 */
#ifndef SANDBOX_CONTROLPLANE_SETTINGS_RESOURCE_POLICY_H
#define SANDBOX_CONTROLPLANE_SETTINGS_RESOURCE_POLICY_H

#include "base/arena.h"
#include "base/err.h"

enum resource { RESOURCE_CPU, RESOURCE_MEMORY, RESOURCE_GPU, RESOURCE_EPHEMERAL_STORAGE, RESOURCE_COUNT };

/* As flyteidl calls them: "CPU", "MEMORY" … */
extern const char *const resource_names[RESOURCE_COUNT];
/* As Kubernetes does: "cpu", "memory", "nvidia.com/gpu", "ephemeral-storage". */
extern const char *const resource_kubernetes_names[RESOURCE_COUNT];

/* Kubernetes quantities; NULL or "": none. */
struct resource_set {
	const char *amounts[RESOURCE_COUNT];
};

struct resource_policy {
	struct resource_set defaults;       /* requested for a task that asks for none */
	struct resource_set default_limits; /* limits of a task that says nothing; where there is none, the request is */
	struct resource_set limits;         /* what no task may exceed */
};

/* {"defaults": {"cpu": "100m"}, …}; only what is there. In the arena. */
char *resource_policy_to_text(struct arena *arena, const struct resource_policy *policy);
/* "" is a policy that says nothing. Strings in the arena. */
int resource_policy_from_text(struct arena *arena, const char *text, struct resource_policy *ret_policy, struct err *e);

#endif
