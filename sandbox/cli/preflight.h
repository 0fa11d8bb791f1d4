/* What is checked before anything is created: room on the engine's disk. (Ports are checked as they are chosen,
 * ports.h.) */
#ifndef SANDBOX_CLI_PREFLIGHT_H
#define SANDBOX_CLI_PREFLIGHT_H

#include "cli/cli.h"

/* ERR_EXHAUSTED "disk-space" when the file system with the engine's data has less free. A remote engine's disk, or one
 * inside a virtual machine, cannot be seen from here and is not checked. 0: no check. */
int preflight_disk(struct cli *cli, int64_t minimum_bytes, struct err *e);

#endif
