/*
 * The images that come with the sandbox's own image: `shipped` has for each NAME a directory with its OCI layout and
 * NAME.id ("<digest> <reference>"), and `<digest>.squashfs`, the same already unpacked, where unpacking would take
 * time. A new sandbox's containerd starts from a store (images/node/bake-images.sh) that has all of them: its snapshot
 * of such an image is a link to MOUNTED/<digest>, and its large blobs are links into `shipped`. So a first start
 * unpacks and copies nothing: it mounts.
 *
 *   PID 1, before the services   images_mount: makes MOUNTED/<digest> of the shipped and the kept file systems
 *   service "images"             images_import: what a volume from an older sandbox lacks; unpacks where mounting is
 * not possible service "keep-images"        images_keep: copies to the volume what its store still borrows from the
 * image, because images that were built on an image have to run when a newer sandbox image has another one
 *
 * See docs/decisions/0008-unpacked-task-image.md.
 */
#ifndef SANDBOX_INIT_IMAGES_H
#define SANDBOX_INIT_IMAGES_H

#include "base/err.h"

#include <stdbool.h>

struct image_places {
	const char *shipped; /* in our own image, read-only */
	const char *kept; /* on the volume: <digest>.squashfs, or the directory <digest> where it had to be unpacked */
	const char *mounted; /* <digest>: each file system of either */
	const char *store;   /* containerd's root */
};

extern const struct image_places image_places;

/* Never fails: what cannot be mounted is left to images_import. `ret_lost`: the store needs a file system that is
 * nowhere any more. */
void images_mount(const struct image_places *places, bool *ret_lost);
/* Needs a running containerd, unless there is nothing to do. The pause image goes first, because no pod starts without
 * it. */
int images_import(const struct image_places *places, struct err *e);
/* Brings back shipped images that were removed (needs containerd), then copies and tidies. */
int images_keep(const struct image_places *places, struct err *e);

/* The parts of images_import and images_keep that need no containerd: init/image_roots.c. */
int image_roots_unpack(const struct image_places *places, struct err *e);
int image_roots_keep(const struct image_places *places, struct err *e);

/* Names in `directory` that end with `suffix`, sorted; free each and the array. An absent directory has none. */
struct name_list {
	char **names;
	size_t count;
};
int name_list_read(const char *directory, const char *suffix, struct name_list *ret_list, struct err *e);
void name_list_release(struct name_list *list);
#define auto_name_list __attribute__((cleanup(name_list_release)))
/* Runs a program to its end; its output goes to our log. `arguments` as for execve. */
int images_run(const char *const *arguments, struct err *e);

#endif
