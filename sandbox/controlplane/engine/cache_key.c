/* Keys: digests of canonical messages (proto/canonical.h), in the alphabet of URLs. */
#include "controlplane/engine/cache.h"

#include "base/base64.h"
#include "base/text.h"
#include "proto/canonical.h"

#include <string.h>

#define INTERFACE_DIGITS 8

struct cache_settings cache_settings_of(const Flyteidl__Core__TaskTemplate *task,
                                        const Flyteidl__Core__NodeMetadata *node)
{
	struct cache_settings settings = { .version = "" };
	const Flyteidl__Core__TypedInterface *interface = task->interface;
	if (task->metadata) {
		settings.cacheable = task->metadata->discoverable;
		settings.serialize = task->metadata->cache_serializable;
		settings.version = task->metadata->discovery_version;
	}
	if (node && node->cacheable_value_case == FLYTEIDL__CORE__NODE_METADATA__CACHEABLE_VALUE_CACHEABLE)
		settings.cacheable = node->cacheable;
	if (node && node->cache_serializable_value_case ==
	                    FLYTEIDL__CORE__NODE_METADATA__CACHE_SERIALIZABLE_VALUE_CACHE_SERIALIZABLE)
		settings.serialize = node->cache_serializable;
	if (node &&
	    node->cache_version_value_case == FLYTEIDL__CORE__NODE_METADATA__CACHE_VERSION_VALUE_CACHE_VERSION &&
	    !text_is_empty(node->cache_version))
		settings.version = node->cache_version;
	/* There is nothing to keep of a task that puts nothing out. */
	if (!task->id || !interface || !interface->outputs || interface->outputs->n_variables == 0)
		settings.cacheable = false;
	settings.serialize = settings.serialize && settings.cacheable;
	return settings;
}

/* Base64 for URLs, without padding. Changes the message only in the order of its maps, so it has to be ours. */
static char *digest_of(struct arena *arena, ProtobufCMessage *message)
{
	uint8_t digest[PROTO_DIGEST_SIZE];
	proto_digest(arena, message, digest);
	auto_free char *text = base64_encode(digest, sizeof(digest));
	for (char *c = text; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
	return arena_strdup(arena, text);
}

static const char *interface_digest(struct arena *arena, const Flyteidl__Core__VariableMap *variables)
{
	Flyteidl__Core__VariableMap *own =
	        variables ? proto_copy(arena, (Flyteidl__Core__VariableMap *)(uintptr_t)variables)
	                  : proto_new(arena, flyteidl__core__variable_map);
	char *text = digest_of(arena, &own->base);
	text[INTERFACE_DIGITS] = '\0';
	return text;
}

struct catalog_key cache_dataset_of(struct arena *arena, const Flyteidl__Core__TaskTemplate *task, const char *version)
{
	const Flyteidl__Core__TypedInterface *interface = task->interface;
	return (struct catalog_key){
		.project = task->id->project,
		.domain = task->id->domain,
		.name = arena_printf(arena, "flyte_task-%s", task->id->name),
		.version = arena_printf(arena, "%s-%s-%s", version,
		                        interface_digest(arena, interface ? interface->inputs : NULL),
		                        interface_digest(arena, interface ? interface->outputs : NULL)),
	};
}

static bool is_ignored(const Flyteidl__Core__TaskTemplate *task, const char *name)
{
	const Flyteidl__Core__TaskMetadata *metadata = task->metadata;
	for (size_t i = 0; metadata && i < metadata->n_cache_ignore_input_vars; i++) {
		if (text_equal(metadata->cache_ignore_input_vars[i], name))
			return true;
	}
	return false;
}

/* Depth is limited by how deep messages may nest. */
static void reduce_to_hash(struct arena *arena, Flyteidl__Core__Literal **literal)
{
	if (!*literal)
		return;
	if (!text_is_empty((*literal)->hash)) {
		Flyteidl__Core__Literal *reduced = proto_new(arena, flyteidl__core__literal);
		reduced->hash = (*literal)->hash;
		*literal = reduced;
		return;
	}
	switch ((*literal)->value_case) {
	case FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION:
		for (size_t i = 0; i < (*literal)->collection->n_literals; i++)
			reduce_to_hash(arena, &(*literal)->collection->literals[i]);
		break;
	case FLYTEIDL__CORE__LITERAL__VALUE_MAP:
		for (size_t i = 0; i < (*literal)->map->n_literals; i++)
			reduce_to_hash(arena, &(*literal)->map->literals[i]->value);
		break;
	case FLYTEIDL__CORE__LITERAL__VALUE_SCALAR:
		if ((*literal)->scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_UNION && (*literal)->scalar->union_)
			reduce_to_hash(arena, &(*literal)->scalar->union_->value);
		break;
	default:
		break;
	}
}

const char *cache_tag_of(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                         const Flyteidl__Core__LiteralMap *inputs)
{
	Flyteidl__Core__LiteralMap *own = inputs ? proto_copy(arena, (Flyteidl__Core__LiteralMap *)(uintptr_t)inputs)
	                                         : proto_new(arena, flyteidl__core__literal_map);
	size_t kept = 0;
	for (size_t i = 0; i < own->n_literals; i++) {
		if (is_ignored(task, own->literals[i]->key))
			continue;
		own->literals[kept] = own->literals[i];
		reduce_to_hash(arena, &own->literals[kept++]->value);
	}
	own->n_literals = kept;
	return arena_printf(arena, "flyte_cached-%s", digest_of(arena, &own->base));
}

char *cache_hash_of_literal(struct arena *arena, const Flyteidl__Core__Literal *literal)
{
	return digest_of(arena, &proto_copy(arena, (Flyteidl__Core__Literal *)(uintptr_t)literal)->base);
}
