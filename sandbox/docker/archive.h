/* Files into and out of a container through the engine: works with stopped containers, remote engines and no bind
 * mounts. */
#ifndef SANDBOX_DOCKER_ARCHIVE_H
#define SANDBOX_DOCKER_ARCHIVE_H

#include "docker/client.h"
#include "docker/tar.h"

/* Unpacks the tar below `directory`, which exists. `on_progress` (may be NULL) is called with the context as bytes go
 * out. */
int docker_archive_put(struct docker_client *client, const char *container, const char *directory, struct tar *tar,
                       void (*on_progress)(void *context), void *context, struct err *e);
/* Appends the tar that the engine makes of a file or directory to `ret_bytes`; its maximum bounds it. ERR_NOT_FOUND
 * when absent. */
int docker_archive_get(struct docker_client *client, const char *container, const char *path, struct buf *ret_bytes,
                       struct err *e);
/* Appends one file's content to `ret_bytes`; its maximum bounds it. ERR_NOT_FOUND when absent. */
int docker_archive_get_file(struct docker_client *client, const char *container, const char *path,
                            struct buf *ret_bytes, struct err *e);
/* The content of the first file in a tar, as docker_archive_get_file has it; `path` names it in errors. */
int docker_archive_first_file(const void *bytes, size_t length, const char *path, struct buf *ret_bytes, struct err *e);

#endif
