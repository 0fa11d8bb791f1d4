/*
 * The cache of task outputs (reference §2.11), what of it is pure: under which key the outputs of a task with given
 * inputs are kept, and how they are kept. The tables are store/catalog's; when a node asks and what it does with the
 * answer is in machine_cache.c.
 *
 * A key has two parts. The dataset is the task by name, with its cache version and a digest of its interface, so that
 * neither a new version of the code nor another domain's changes what is found, but a changed interface does. The tag
 * is a digest of the inputs.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_CACHE_H
#define SANDBOX_CONTROLPLANE_ENGINE_CACHE_H

#include "controlplane/store/catalog.h"

#include "flyteidl/core/catalog.pb-c.h"
#include "flyteidl/core/identifier.pb-c.h"
#include "flyteidl/core/tasks.pb-c.h"
#include "flyteidl/core/workflow.pb-c.h"

/* What task and node together say; the node's word counts more. */
struct cache_settings {
	bool cacheable; /* and the task puts something out */
	bool serialize; /* of several that want the same at once, one runs and the others wait for it */
	const char *version;
};
struct cache_settings cache_settings_of(const Flyteidl__Core__TaskTemplate *task,
                                        const Flyteidl__Core__NodeMetadata *node);

/* The key without its tag. */
struct catalog_key cache_dataset_of(struct arena *arena, const Flyteidl__Core__TaskTemplate *task, const char *version);
/*
 * "flyte_cached-<digest>": equal for inputs that mean the same, in whatever order their maps were sent. Inputs that the
 * task ignores are left out. A literal with a hash of its own counts by that alone, also as a part of a list or map, so
 * that the same data frame written to two places is the same input.
 */
const char *cache_tag_of(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                         const Flyteidl__Core__LiteralMap *inputs);

/* The same kind of digest of one value, which then counts for it. */
char *cache_hash_of_literal(struct arena *arena, const Flyteidl__Core__Literal *literal);

/* What a task attempt has put out, to be kept. Without the data when `outputs` is NULL. The id is the store's to give.
 */
Datacatalog__Artifact *cache_artifact_of(struct arena *arena, const struct catalog_key *key,
                                         const Flyteidl__Core__LiteralMap *outputs,
                                         const Flyteidl__Core__TaskExecutionIdentifier *source);
/* Its outputs, of those that the task declares. NULL when one is missing: ERR_INVALID. */
Flyteidl__Core__LiteralMap *cache_outputs_of(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                                             const Datacatalog__Artifact *artifact, struct err *e);
/* Where they come from, as clients see it; an artifact whose makers said nothing about that gives NULL. */
Flyteidl__Core__TaskExecutionIdentifier *cache_source_of(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                                                         const Datacatalog__Artifact *artifact);
/* For clients: which dataset, which artifact, from where (may be NULL). */
Flyteidl__Core__CatalogMetadata *cache_metadata_of(struct arena *arena, const struct catalog_key *key,
                                                   const char *artifact_id,
                                                   Flyteidl__Core__TaskExecutionIdentifier *source);

#endif
