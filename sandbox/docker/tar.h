/*
 * A tar stream made while it is read: entries are listed first, then tar_read gives the archive piece by piece, opening
 * one file at a time. So a build context of any size goes to the engine without a temporary file, and its size is known
 * before for progress. The format is pax where ustar's limits are passed (Engine API, PutContainerArchive).
 */
#ifndef SANDBOX_DOCKER_TAR_H
#define SANDBOX_DOCKER_TAR_H

#include "base/err.h"
#include "docker/ignore.h"

#include <stdint.h>
#include <sys/types.h>

struct tar;

struct tar *tar_new(void);
struct tar *tar_free(struct tar *tar);
#define auto_tar __attribute__((cleanup(cleanup_tar)))
void cleanup_tar(struct tar **tar);

/* Names in the archive are relative, without leading "./". All entries belong to root. */
void tar_add_directory(struct tar *tar, const char *name, mode_t mode);
/* A file of this machine; follows a symlink. Mode 0 keeps the file's own. */
int tar_add_file(struct tar *tar, const char *name, mode_t mode, const char *path, struct err *e);
/* What is in `directory`, below `prefix`, in the order of names, without what `ignore` (may be NULL) matches. Symlinks
 * stay symlinks; sockets, devices and pipes are left out. Modification times are kept. ERR_EXHAUSTED beyond
 * TAR_ENTRIES_MAXIMUM. */
int tar_add_tree(struct tar *tar, const char *prefix, const char *directory, const struct ignore *ignore,
                 struct err *e);

#define TAR_ENTRIES_MAXIMUM ((size_t)1000000)

/* Bytes of the files' contents in all, and how many of them tar_read has passed. */
int64_t tar_content_size(const struct tar *tar);
int64_t tar_content_sent(const struct tar *tar);
size_t tar_entry_count(const struct tar *tar);

/* An http_request's read_body; `context` is the tar. */
ssize_t tar_read(void *context, void *room, size_t size, struct err *e);

#endif
