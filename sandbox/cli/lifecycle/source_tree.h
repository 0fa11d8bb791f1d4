/* The source tree that this launcher was built in, for a developer: builds need it, and nothing else does. */
#ifndef SANDBOX_CLI_LIFECYCLE_SOURCE_TREE_H
#define SANDBOX_CLI_LIFECYCLE_SOURCE_TREE_H

/* The nearest folder above the program's file that holds scripts/build-image; NULL for an installed launcher. Not compiled in: two builds in
 * different folders are the same bytes. Borrowed, for good. */
const char *source_tree(void);

#endif
