/*
 * What the API server asks before it stores a pod that wants Flyte's secrets, and the answer: the pod with the secrets'
 * volumes and variables in it. For pods that others make for a task (operators, users); those of the engine are made
 * with their secrets. Pure over JSON (Kubernetes API, admission.k8s.io/v1).
 */
#ifndef SANDBOX_CONTROLPLANE_ADMISSION_REVIEW_H
#define SANDBOX_CONTROLPLANE_ADMISSION_REVIEW_H

#include "base/err.h"
#include "base/json.h"

#define REVIEW_LABEL "inject-flyte-secrets"

/* The AdmissionReview to answer with, a new reference; NULL with ERR_INVALID when `review` is none. */
json_t *review_answer(const json_t *review, struct err *e);

#endif
