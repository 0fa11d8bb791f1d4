/* The package that `register files` and `compile` are given: archives, or serialized files, of this machine or from an
 * HTTP server. */
#ifndef SANDBOX_CLI_FLYTECTL_FLYTE_PACKAGE_H
#define SANDBOX_CLI_FLYTECTL_FLYTE_PACKAGE_H

#include "cli/framework/cli.h"
#include "flyte/package.h"

/* Sorted. `archive`: every name is one; else names ending like archives are, and patterns are expanded. */
int flyte_package_read(struct cli *cli, char *const *names, size_t count, bool archive, struct package *ret_package,
                       struct err *e);
/* The one "fast….tar.gz" or NULL. ERR_INVALID "bad-package" names files that belong to no package. */
int flyte_package_check(const struct package *package, const struct package_file **ret_source, struct err *e);

#endif
