/* The catalog of the model: what is there before us, and other executions that make the same at the same time. */
#include "model.h"

const char STRANGER[] = "somebody else";

static const char *entry_key(struct world *w, const struct catalog_key *key)
{
	return arena_printf(&w->arena, "%s/%s/%s", key->name, key->version, key->tag);
}

/* Sometimes it is there before us, sometimes an execution that is not ours is making it. */
static struct fake_entry *find_entry(struct world *w, const struct machine_node *node)
{
	const char *key = entry_key(w, &node->cache.key);
	for (size_t i = 0; i < w->entry_count; i++) {
		if (text_equal(w->entries[i].key, key))
			return &w->entries[i];
	}
	assert_true(w->entry_count < ENTRIES_MAXIMUM);
	struct fake_entry *entry = &w->entries[w->entry_count++];
	*entry = (struct fake_entry){ .key = key, .present = pick(w, 4) == 0, .value = sum(node->inputs) + 1 };
	if (!entry->present && pick(w, 3) == 0) {
		entry->owner = STRANGER;
		entry->rounds = pick(w, 6);
	}
	return entry;
}

void consult(struct world *w, struct machine *m, struct machine_node *node)
{
	struct fake_entry *entry = find_entry(w, node);
	struct machine_cache *cache = &node->cache;
	const bool present = cache->lookup && entry->present;
	/* It is known to all at once, and stays so when the engine crashes. */
	if (!present && cache->serialize && !entry->owner)
		entry->owner = arena_strdup(&w->arena, node->row.node_id);
	if (present && pick(w, 10) == 0) {
		cache->outcome = CACHE_UNREADABLE;
	} else if (present) {
		cache->outcome = CACHE_FOUND;
		cache->metadata = cache_metadata_of(m->arena, &cache->key, "id", NULL);
		node->outputs = workflow_integer(m->arena, "o0", entry->value);
	} else if (cache->serialize && !text_equal(entry->owner, node->row.node_id)) {
		cache->outcome = CACHE_OCCUPIED;
		w->waits++;
	} else {
		cache->outcome = CACHE_ABSENT;
	}
}

bool holds_reservation(const struct world *w, const char *node_id)
{
	for (size_t i = 0; i < w->entry_count; i++) {
		if (text_equal(w->entries[i].owner, node_id))
			return true;
	}
	return false;
}

void settle_catalog(struct world *w, const struct machine *m)
{
	for (size_t i = 0; i < m->node_count; i++) {
		const struct machine_node *node = m->nodes[i];
		if (node->cache.keep)
			assert_int_equal(node->row.cache_status, FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_POPULATED);
		for (size_t k = 0; k < w->entry_count; k++) {
			struct fake_entry *entry = &w->entries[k];
			if (node->cache.keep && text_equal(entry->key, entry_key(w, &node->cache.key)))
				entry->present = true;
			if (machine_node_ends_reservation(node) && text_equal(entry->owner, node->row.node_id))
				entry->owner = NULL;
		}
	}
	for (size_t k = 0; k < w->entry_count && progress_execution_is_finished(m->execution.phase); k++) {
		if (w->entries[k].owner != STRANGER)
			w->entries[k].owner = NULL;
	}
}

bool strangers_move(struct world *w)
{
	bool any = false;
	for (size_t i = 0; i < w->entry_count; i++) {
		struct fake_entry *entry = &w->entries[i];
		if (entry->owner != STRANGER)
			continue;
		any = true;
		if (entry->rounds > 0) {
			entry->rounds--;
			continue;
		}
		entry->owner = NULL;
		entry->present = pick(w, 2);
	}
	return any;
}
