/* Names of images, normalised as Docker and containerd do: "app" is "docker.io/library/app:latest". */
#ifndef SANDBOX_BASE_IMAGE_REFERENCE_H
#define SANDBOX_BASE_IMAGE_REFERENCE_H

#include "base/err.h"

#include <stdbool.h>

/* `ret_reference` is owned by the caller. ERR_USAGE "bad-image-name" for what is no name with an optional tag (a digest
 * cannot be built). */
int image_reference_normalise(const char *name, char **ret_reference, struct err *e);

/* Whether the first component is a registry's host: it has a dot or a port, or is "localhost". */
bool image_reference_names_registry(const char *reference);

#endif
