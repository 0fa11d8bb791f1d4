/*
 * Identifiers that clients, pods and the object store share, as upstream derives them (flyteplugins
 * encoding.FixedLengthUniqueID and friends at v1.16.8). Pure; results in the arena.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_NAMES_H
#define SANDBOX_CONTROLPLANE_ENGINE_NAMES_H

#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>

/* Parts joined by '-' (no '-' before the first part that is not empty) if that fits `maximum`, else "f" and the 32-bit
 * FNV-1a hash of the joined parts in base32 with the alphabet a-z1-6: 8 characters. */
char *names_join(struct arena *arena, size_t maximum, const char *const *parts, size_t count);
/* As names_join with the 64-bit hash: 14 characters. */
char *names_join_wide(struct arena *arena, size_t maximum, const char *const *parts, size_t count);
/* Unique id of a node execution: join(20, [parent id, parent attempt, node id]); pass NULL and 0 for a top-level node.
 */
char *names_node_execution(struct arena *arena, const char *parent_id, uint32_t parent_attempt, const char *node_id);
/* The generated name of a task attempt: join(50, [execution, node unique id, attempt]). Base of shards and of
 * {{.perRetryUniqueKey}}. */
char *names_generated(struct arena *arena, const char *execution_name, const char *node_unique_id, uint32_t attempt);
/* Pod and container name: the generated name where Kubernetes accepts it as a DNS label, else a readable form of it
 * with its hash. */
char *names_pod(struct arena *arena, const char *execution_name, const char *node_unique_id, uint32_t attempt);
/* The execution that a launch plan node starts: join_wide(20, [execution, node unique id, attempt]). */
char *names_child_execution(struct arena *arena, const char *execution_name, const char *node_unique_id,
                            uint32_t attempt);
/* A two-character shard for raw output, from the unique id. */
void names_shard(const char *unique_id, char ret_shard[3]);
/* {{.perRetryUniqueKey}}: starts with a letter or '_', and has only letters, digits and '_'. */
char *names_per_retry_unique_key(struct arena *arena, const char *generated_name);

/* FNV-1a, 32 bits. */
uint32_t names_hash(const char *text);

#endif
