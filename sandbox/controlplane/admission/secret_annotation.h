/*
 * Secrets as Flyte writes them into the annotations of pods (flyteplugins' utils/secrets at v1.16.8): the text form of
 * a flyteidl.core.Secret in Base32 with the alphabet a-z1-6. Pure.
 */
#ifndef SANDBOX_CONTROLPLANE_ADMISSION_SECRET_ANNOTATION_H
#define SANDBOX_CONTROLPLANE_ADMISSION_SECRET_ANNOTATION_H

#include "base/arena.h"
#include "base/err.h"

#include "flyteidl/core/security.pb-c.h"

/* Followed by the secret's number: "flyte.secrets/s0". */
#define SECRET_ANNOTATION_PREFIX "flyte.secrets/s"

/* NULL with ERR_INVALID when it is none. */
Flyteidl__Core__Secret *secret_annotation_read(struct arena *arena, const char *annotation, struct err *e);

#endif
