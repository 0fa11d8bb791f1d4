/*
 * Task nodes and the cache: asked before the first attempt, written to with the success of an attempt. What was found
 * out is in the node's row, so that retries do not ask again and a restart goes on in the same way. What is to be
 * written is done together with the commit (round.c), as is the end of a reservation: a result is known to all in the
 * moment in which the node has succeeded.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"

#define CACHE(status) FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_##status

static struct cache_settings settings_of(const struct machine_node *node)
{
	return cache_settings_of(node->vertex->task, node->vertex->node->metadata);
}

static void set_status(struct machine_node *node, Flyteidl__Core__CatalogCacheStatus status,
                       Flyteidl__Core__CatalogMetadata *metadata)
{
	node->row.cache_status = status;
	node->row.cache_metadata = metadata;
	node->row.changed = true;
}

/* The cached outputs are copied, so that the node's directory is complete whatever becomes of where they were made. */
static void take_found(struct machine *m, struct machine_node *node)
{
	if (!machine_write_outputs(m, node))
		return;
	set_status(node, CACHE(HIT), node->cache.metadata);
	node->outputs_known = true;
	machine_succeed_node(m, node);
}

static bool take_answer(struct machine *m, struct machine_node *node)
{
	switch (node->cache.outcome) {
	case CACHE_FOUND:
		take_found(m, node);
		return false;
	case CACHE_OCCUPIED:
		machine_wake_at(m, node->cache.expires_ns);
		return false;
	case CACHE_UNREADABLE:
		set_status(node, CACHE(LOOKUP_FAILURE), NULL);
		return true;
	case CACHE_ABSENT:
		set_status(node, node->cache.lookup ? CACHE(MISS) : CACHE(SKIPPED), NULL);
		return true;
	case CACHE_UNKNOWN:
		break;
	}
	return false;
}

static void prepare_question(struct machine *m, struct machine_node *node, const struct cache_settings *settings)
{
	node->cache.key = cache_dataset_of(m->arena, node->vertex->task, settings->version);
	node->cache.key.tag = cache_tag_of(m->arena, node->vertex->task, node->inputs);
	node->cache.lookup = !m->definition->spec->overwrite_cache;
	node->cache.serialize = settings->serialize;
}

bool machine_consult_cache(struct machine *m, struct machine_node *node)
{
	const struct cache_settings settings = settings_of(node);
	if (!settings.cacheable || node->row.cache_status != CACHE(DISABLED))
		return true;
	if (!machine_resolve_inputs(m, node))
		return false;
	if (!node->cache.key.tag)
		prepare_question(m, node, &settings);
	if (!node->cache.lookup && !node->cache.serialize)
		node->cache.outcome = CACHE_ABSENT;
	else if (!node->cache.answered && !machine_ask(m, node, WANT_CACHE))
		return false;
	node->cache.answered = true;
	node->row.cache_tag = node->cache.key.tag;
	return take_answer(m, node);
}

static Flyteidl__Core__TaskExecutionIdentifier *source_of(struct machine *m, const struct machine_node *node)
{
	const struct progress_definition *d = m->definition;
	Flyteidl__Core__TaskExecutionIdentifier *source =
	        proto_new(m->arena, flyteidl__core__task_execution_identifier);
	source->task_id = arena_copy(m->arena, node->vertex->task->id, sizeof(*node->vertex->task->id));
	source->retry_attempt = node->row.attempt;
	source->node_execution_id = proto_new(m->arena, flyteidl__core__node_execution_identifier);
	source->node_execution_id->node_id = arena_strdup(m->arena, node->row.node_id);
	source->node_execution_id->execution_id = proto_new(m->arena, flyteidl__core__workflow_execution_identifier);
	source->node_execution_id->execution_id->project = arena_strdup(m->arena, d->project);
	source->node_execution_id->execution_id->domain = arena_strdup(m->arena, d->domain);
	source->node_execution_id->execution_id->name = arena_strdup(m->arena, d->name);
	return source;
}

void machine_keep_in_cache(struct machine *m, struct machine_node *node)
{
	const struct cache_settings settings = settings_of(node);
	if (!settings.cacheable || text_is_empty(node->row.cache_tag) || !node->outputs)
		return;
	struct catalog_key key = cache_dataset_of(m->arena, node->vertex->task, settings.version);
	key.tag = node->row.cache_tag;
	node->cache.key = key;
	node->cache.keep = cache_artifact_of(m->arena, &key, node->outputs, source_of(m, node));
	node->cache.overwrite = m->definition->spec->overwrite_cache;
	/* The artifact's id comes with the commit. */
	set_status(node, CACHE(POPULATED), cache_metadata_of(m->arena, &key, "", NULL));
}

bool machine_node_ends_reservation(const struct machine_node *node)
{
	return node->row.changed && node->vertex->task && machine_node_is_finished(node) && settings_of(node).serialize;
}
