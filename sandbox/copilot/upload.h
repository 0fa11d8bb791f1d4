/*
 * The outputs of a ContainerTask, after its container has ended: the files that it left, read as the types of the
 * task's interface say, as outputs.pb; blobs and directories are put below the raw output prefix.
 */
#ifndef SANDBOX_COPILOT_UPLOAD_H
#define SANDBOX_COPILOT_UPLOAD_H

#include "base/err.h"
#include "controlplane/store/objects.h"

#include "flyteidl/core/interface.pb-c.h"

/* A file called _ERROR in the directory is the task's own failure: its text is the error. */
int upload_outputs(struct objects *objects, const Flyteidl__Core__VariableMap *outputs, const char *directory,
                   const char *output_prefix, const char *raw_prefix, struct err *e);

#endif
