/* Artifacts of the catalog: the outputs of a task attempt and which attempt it was, under the keys that upstream gives
 * them. */
#include "controlplane/engine/cache.h"

#include "base/text.h"

#include <inttypes.h>

#define TASK_VERSION "task-version"
#define EXECUTION_PROJECT "exec-project"
#define EXECUTION_DOMAIN "exec-domain"
#define EXECUTION_NAME "execution-name"
#define EXECUTION_NODE "exec-node"
#define EXECUTION_ATTEMPT "exec-attempt"

static Datacatalog__DatasetID *dataset_id_of(struct arena *arena, const struct catalog_key *key)
{
	Datacatalog__DatasetID *id = proto_new(arena, datacatalog__dataset_id);
	id->project = arena_strdup(arena, key->project);
	id->domain = arena_strdup(arena, key->domain);
	id->name = arena_strdup(arena, key->name);
	id->version = arena_strdup(arena, key->version);
	return id;
}

static void add_metadata(struct arena *arena, Datacatalog__Metadata *metadata, const char *key, const char *value)
{
	Datacatalog__Metadata__KeyMapEntry *entry = (Datacatalog__Metadata__KeyMapEntry *)proto_new_of(
	        arena, &datacatalog__metadata__key_map_entry__descriptor);
	entry->key = arena_strdup(arena, key);
	entry->value = arena_strdup(arena, value);
	proto_append(arena, metadata->n_key_map, metadata->key_map, entry);
}

static const char *find_metadata(const Datacatalog__Metadata *metadata, const char *key)
{
	for (size_t i = 0; metadata && i < metadata->n_key_map; i++) {
		if (text_equal(metadata->key_map[i]->key, key))
			return metadata->key_map[i]->value;
	}
	return NULL;
}

Datacatalog__Artifact *cache_artifact_of(struct arena *arena, const struct catalog_key *key,
                                         const Flyteidl__Core__LiteralMap *outputs,
                                         const Flyteidl__Core__TaskExecutionIdentifier *source)
{
	const Flyteidl__Core__NodeExecutionIdentifier *node = source->node_execution_id;
	Datacatalog__Artifact *artifact = proto_new(arena, datacatalog__artifact);
	artifact->dataset = dataset_id_of(arena, key);
	artifact->metadata = proto_new(arena, datacatalog__metadata);
	add_metadata(arena, artifact->metadata, TASK_VERSION, source->task_id->version);
	add_metadata(arena, artifact->metadata, EXECUTION_PROJECT, node->execution_id->project);
	add_metadata(arena, artifact->metadata, EXECUTION_DOMAIN, node->execution_id->domain);
	add_metadata(arena, artifact->metadata, EXECUTION_NAME, node->execution_id->name);
	add_metadata(arena, artifact->metadata, EXECUTION_NODE, node->node_id);
	add_metadata(arena, artifact->metadata, EXECUTION_ATTEMPT,
	             arena_printf(arena, "%" PRIu32, source->retry_attempt));
	for (size_t i = 0; outputs && i < outputs->n_literals; i++) {
		Datacatalog__ArtifactData *data = proto_new(arena, datacatalog__artifact_data);
		data->name = outputs->literals[i]->key;
		data->value = outputs->literals[i]->value;
		proto_append(arena, artifact->n_data, artifact->data, data);
	}
	return artifact;
}

static Flyteidl__Core__Literal *find_data(const Datacatalog__Artifact *artifact, const char *name)
{
	for (size_t i = 0; i < artifact->n_data; i++) {
		if (text_equal(artifact->data[i]->name, name))
			return artifact->data[i]->value;
	}
	return NULL;
}

Flyteidl__Core__LiteralMap *cache_outputs_of(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                                             const Datacatalog__Artifact *artifact, struct err *e)
{
	const Flyteidl__Core__VariableMap *declared = task->interface ? task->interface->outputs : NULL;
	Flyteidl__Core__LiteralMap *outputs = proto_new(arena, flyteidl__core__literal_map);
	for (size_t i = 0; declared && i < declared->n_variables; i++) {
		Flyteidl__Core__Literal *value = find_data(artifact, declared->variables[i]->key);
		if (!value) {
			err_set(e, ERR_INVALID, NULL, "the artifact %s has no output \"%s\"", artifact->id,
			        declared->variables[i]->key);
			return NULL;
		}
		Flyteidl__Core__LiteralMap__LiteralsEntry *entry =
		        (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
		                arena, &flyteidl__core__literal_map__literals_entry__descriptor);
		entry->key = declared->variables[i]->key;
		entry->value = value;
		proto_append(arena, outputs->n_literals, outputs->literals, entry);
	}
	return outputs;
}

Flyteidl__Core__TaskExecutionIdentifier *cache_source_of(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                                                         const Datacatalog__Artifact *artifact)
{
	static const char *const keys[] = { EXECUTION_PROJECT, EXECUTION_DOMAIN, EXECUTION_NAME, EXECUTION_NODE,
		                            EXECUTION_ATTEMPT };
	const char *values[ARRAY_LENGTH(keys)];
	int64_t attempt;
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
		if (!(values[i] = find_metadata(artifact->metadata, keys[i])))
			return NULL;
	}
	if (!text_to_int64(values[4], 0, UINT32_MAX, &attempt))
		return NULL;
	const char *version = find_metadata(artifact->metadata, TASK_VERSION);
	Flyteidl__Core__TaskExecutionIdentifier *source = proto_new(arena, flyteidl__core__task_execution_identifier);
	source->task_id = arena_copy(arena, task->id, sizeof(*task->id));
	source->task_id->version = arena_strdup(arena, version ? version : "unknown");
	source->retry_attempt = (uint32_t)attempt;
	source->node_execution_id = proto_new(arena, flyteidl__core__node_execution_identifier);
	source->node_execution_id->node_id = arena_strdup(arena, values[3]);
	source->node_execution_id->execution_id = proto_new(arena, flyteidl__core__workflow_execution_identifier);
	source->node_execution_id->execution_id->project = arena_strdup(arena, values[0]);
	source->node_execution_id->execution_id->domain = arena_strdup(arena, values[1]);
	source->node_execution_id->execution_id->name = arena_strdup(arena, values[2]);
	return source;
}

Flyteidl__Core__CatalogMetadata *cache_metadata_of(struct arena *arena, const struct catalog_key *key,
                                                   const char *artifact_id,
                                                   Flyteidl__Core__TaskExecutionIdentifier *source)
{
	Flyteidl__Core__CatalogMetadata *metadata = proto_new(arena, flyteidl__core__catalog_metadata);
	metadata->dataset_id = proto_new(arena, flyteidl__core__identifier);
	metadata->dataset_id->resource_type = FLYTEIDL__CORE__RESOURCE_TYPE__DATASET;
	metadata->dataset_id->project = arena_strdup(arena, key->project);
	metadata->dataset_id->domain = arena_strdup(arena, key->domain);
	metadata->dataset_id->name = arena_strdup(arena, key->name);
	metadata->dataset_id->version = arena_strdup(arena, key->version);
	metadata->artifact_tag = proto_new(arena, flyteidl__core__catalog_artifact_tag);
	metadata->artifact_tag->artifact_id = arena_strdup(arena, artifact_id);
	metadata->artifact_tag->name = arena_strdup(arena, key->tag);
	if (source) {
		metadata->source_execution_case =
		        FLYTEIDL__CORE__CATALOG_METADATA__SOURCE_EXECUTION_SOURCE_TASK_EXECUTION;
		metadata->source_task_execution = source;
	}
	return metadata;
}
