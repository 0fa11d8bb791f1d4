/* Source code of fast registration on its way to the object store, by a signed URL of the control plane. */
#ifndef SANDBOX_CLI_FLYTECTL_FLYTE_UPLOAD_H
#define SANDBOX_CLI_FLYTECTL_FLYTE_UPLOAD_H

#include "cli/flytectl/flyte_client.h"
#include "flyte/package.h"

/* The URI under which tasks find it, in the arena; NULL on failure. */
const char *flyte_upload(struct flyte *flyte, const struct package_file *source, struct err *e);

#endif
