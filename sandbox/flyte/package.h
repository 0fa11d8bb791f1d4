/*
 * What `pyflyte package` writes: an archive of serialized messages, "*_1.pb" tasks, "*_2.pb" workflows, "*_3.pb" launch
 * plans, whose names sort in the order in which they can be registered, and with --fast one "fast….tar.gz" with the
 * source code. The archive is read into memory and nothing of it is unpacked to disk, so that names in it are only
 * names. Everything has a maximum.
 */
#ifndef SANDBOX_FLYTE_PACKAGE_H
#define SANDBOX_FLYTE_PACKAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define PACKAGE_FILES_MAXIMUM ((size_t)20000)
#define PACKAGE_FILE_MAXIMUM ((size_t)64 * 1024 * 1024)
#define PACKAGE_MAXIMUM ((size_t)512 * 1024 * 1024)

struct package_file {
	char *name; /* as the archive or the command line has it */
	struct buf bytes;
};

struct package {
	struct package_file *files;
	size_t count;
	size_t total; /* bytes */
};

/* clang-format off */
#define PACKAGE_INIT { .files = NULL }
/* clang-format on */
#define auto_package __attribute__((cleanup(package_release)))
void package_release(struct package *package);

/* Adds the files of an archive: tar, plain or compressed. ERR_INVALID "bad-package" for anything else, ERR_EXHAUSTED
 * past a maximum. `name` is for messages. */
int package_add_archive(struct package *package, const char *name, const void *bytes, size_t length, struct err *e);
/* Adds a file of this machine. */
int package_add_file(struct package *package, const char *path, struct err *e);
/* By name: the order of registration. */
void package_sort(struct package *package);

enum package_kind { PACKAGE_MESSAGE, PACKAGE_SOURCE, PACKAGE_OTHER };
enum package_kind package_kind_of(const struct package_file *file);
/* Whether flytectl takes it for an archive: ".tar", ".tgz", ".tar.gz". */
bool package_is_archive_name(const char *name);

#endif
