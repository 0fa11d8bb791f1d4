/*
 * The inputs of a ContainerTask as files, before its container starts: one file for each variable, the blobs themselves
 * in place of their URIs, and all together as inputs.pb and inputs.json or inputs.yaml.
 */
#ifndef SANDBOX_COPILOT_DOWNLOAD_H
#define SANDBOX_COPILOT_DOWNLOAD_H

#include "base/err.h"
#include "controlplane/store/objects.h"

#include "flyteidl/core/tasks.pb-c.h"

/* `inputs_uri` is the LiteralMap; `directory` is made when it is missing. */
int download_inputs(struct objects *objects, const char *inputs_uri, const char *directory,
                    Flyteidl__Core__DataLoadingConfig__LiteralMapFormat format, struct err *e);

#endif
