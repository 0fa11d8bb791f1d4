/*
 * The images that come with the sandbox's own image: archives in one directory, NAME.tar with NAME.id beside it
 * ("<digest> <reference>"). They are brought into containerd once; a mark on the volume remembers the digest, so that
 * later starts only compare, and a newer sandbox image replaces what an older one brought.
 */
#ifndef SANDBOX_INIT_IMAGES_H
#define SANDBOX_INIT_IMAGES_H

#include "base/err.h"

/* `sandbox-init import-images`: runs as a service that ends. The pause image goes first, because no pod starts without
 * it. */
int images_import(const char *archive_directory, const char *mark_directory, struct err *e);

#endif
