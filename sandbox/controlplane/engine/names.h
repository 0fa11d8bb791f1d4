/*
 * Identifiers that clients, pods and the object store share, as upstream derives them (flyteplugins encoding.FixedLengthUniqueID and
 * friends at v1.16.8; ../shared reference §2.5). Pure; results in the arena.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_NAMES_H
#define SANDBOX_CONTROLPLANE_ENGINE_NAMES_H

#include "base/arena.h"

#include <stdint.h>

/* parts joined by '-' if that fits `maximum`, else "f" + base32 of the 64-bit (maximum > 9 …) FNV-1a hash. */
char *names_join(struct arena *arena, size_t maximum, const char *const *parts, size_t count);
/* Unique id of a node execution: join(20, [parent id, parent attempt, node id]); pass NULL and 0 for a top-level node. */
char *names_node_execution(struct arena *arena, const char *parent_id, uint32_t parent_attempt, const char *node_id);
/* Pod (and generated) name: join(50, [execution, node unique id, attempt]). */
char *names_pod(struct arena *arena, const char *execution_name, const char *node_unique_id, uint32_t attempt);
/* A two-character shard for raw output, from the unique id. */
void names_shard(const char *unique_id, char ret_shard[3]);
/* {{.perRetryUniqueKey}} */
char *names_per_retry_unique_key(struct arena *arena, const char *generated_name);

#endif
