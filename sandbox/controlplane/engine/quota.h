/* What Kubernetes' quota admission says when it refuses a pod. Pure. */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_QUOTA_H
#define SANDBOX_CONTROLPLANE_ENGINE_QUOTA_H

#include <stdbool.h>

/*
 * Whether the pod would not even fit if it were alone: of some compute resource it asks for more than the quota has in
 * all, so waiting for others to end is of no use (upstream fails such tasks: task/backoff IsResourceRequestsEligible at
 * v1.16.8). `message` is the API server's: "… exceeded quota: NAME, requested: a=1,b=2, used: …, limited: a=3,b=4".
 * False for anything else, and for quotas that count objects.
 */
bool quota_can_never_fit(const char *message);

#endif
