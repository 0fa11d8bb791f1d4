/*
 * A snapshot's file: an uncompressed tar (ustar, so that any tar lists it) of two members, `manifest.json` of fixed
 * size and `volume.tar.gz`. The manifest stands first, so that listing reads a few kilobytes, and is written last, with
 * the sum of the volume; a file that is cut off or changed is noticed before anything is restored. The volume is
 * compressed here, as it comes.
 */
#ifndef SANDBOX_CLI_LIFECYCLE_SNAPSHOT_FILE_H
#define SANDBOX_CLI_LIFECYCLE_SNAPSHOT_FILE_H

#include "base/json.h"

#include <stdint.h>

struct snapshot_writer;

/* Beside `path`, which is replaced by snapshot_writer_finish. NULL with `e`. */
struct snapshot_writer *snapshot_writer_open(const char *path, struct err *e);
int snapshot_writer_add(struct snapshot_writer *writer, const void *bytes, size_t length, struct err *e);
/* Writes the manifest with "volume": {"bytes", "compressedBytes", "sha256"} added to it, and puts the file in place. */
int snapshot_writer_finish(struct snapshot_writer *writer, json_t *manifest, struct err *e);
/* Removes what is not finished. Accepts NULL. */
void snapshot_writer_free(struct snapshot_writer *writer);

/* The manifest; ERR_INVALID "snapshot-file" when this is none of ours or of another format. A new reference. */
json_t *snapshot_manifest(const char *path, struct err *e);
/* Compares the volume's sum with the manifest's. ERR_INVALID "snapshot-file" when they differ. */
int snapshot_verify(const char *path, const json_t *manifest, struct err *e);
/* Writes the volume's tar to `fd`, which may be a pipe. */
int snapshot_read_volume(const char *path, const json_t *manifest, int fd, struct err *e);

#define SNAPSHOT_FORMAT 1

#endif
