/*
 * Getting the image: it is there; else loaded from a file; else pulled when its name has a registry (or
 * SANDBOX_REGISTRY gives one); else built from the source tree by scripts/build-image.
 */
#ifndef SANDBOX_CLI_LIFECYCLE_IMAGE_SOURCE_H
#define SANDBOX_CLI_LIFECYCLE_IMAGE_SOURCE_H

#include "cli/framework/cli.h"

struct image_wish {
	const char *image;    /* name that the container shall be created from */
	const char *file;     /* --image-file, or NULL */
	const char *registry; /* prefix such as "ghcr.io/acme", or NULL */
	const char *pull;     /* "missing", "always", "never" */
	const char *source;   /* source tree, or NULL */
};

/* `ret_id` is the image's id, owned by the caller. ERR_NOT_FOUND "image-missing" tells what was tried. */
int image_obtain(struct cli *cli, const struct image_wish *wish, char **ret_id, struct err *e);

#endif
