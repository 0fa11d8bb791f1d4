/*
 * Snapshots: the whole state of an instance, its volume, in one file (snapshot_file.h). The volume is read and written
 * by a tar inside of a container of its own, made from the sandbox's image around the volume: that keeps what the
 * engine's own archives lose, extended attributes and holes, on which the container images of the sandbox depend. A
 * sandbox that runs is paused meanwhile, so that its files are those of one moment.
 */
#ifndef SANDBOX_CLI_LIFECYCLE_SNAPSHOT_H
#define SANDBOX_CLI_LIFECYCLE_SNAPSHOT_H

#include "cli/instance/sandbox.h"

/* "~/.local/share/sandbox/snapshots" (XDG_DATA_HOME); free with free(). */
char *snapshot_directory(struct err *e);

/* Saves the instance to `path`; the caller holds the instance's lock. `ret_manifest` is a new reference. */
int snapshot_save(struct cli *cli, const char *path, json_t **ret_manifest, struct err *e);
/*
 * Makes the instance's volume from the file. The instance must not exist, nor a volume of its name: ERR_CONFLICT
 * "snapshot-target". `image` is the name of the image that the sandbox will be made of: it must be the one that the
 * snapshot was made with, ERR_INVALID "snapshot-mismatch". What was begun and fails is taken back.
 */
int snapshot_restore(struct cli *cli, const char *path, const char *image, struct err *e);

/* Sets "snapshot-target" for an instance that has a state. Returns -1. */
int snapshot_target_taken(const struct cli *cli, const char *path, struct err *e);

#endif
