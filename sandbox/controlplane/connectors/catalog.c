#include "controlplane/connectors/catalog.h"

#include "base/memory.h"
#include "base/text.h"
#include "proto/message.h"

#include <stdatomic.h>
#include <string.h>

#define ARENA_MAXIMUM ((size_t)16 << 20)
/* Of what one connector says. */
#define TOLD_MAXIMUM 10000

struct told {
	const char *task_type;
	int32_t version;
	bool sync;
};

struct entry {
	struct connector_place place;
	size_t told_count;
	struct told *told;
};

struct connector_catalog {
	atomic_uint references;
	struct arena arena;
	const struct settings *settings;
	size_t count;
	struct entry *entries; /* the default connector is the last */
};

/* ---- Making one ---- */

static void add_entry(struct connector_catalog *catalog, const char *name)
{
	struct entry entry = { .place = { .problem = "" } };
	if (!settings_connector(catalog->settings, name, &entry.place.at))
		return;
	proto_append(&catalog->arena, catalog->count, catalog->entries, entry);
}

static void add_told(struct connector_catalog *catalog, struct entry *entry, const char *task_type, int32_t version,
                     bool sync)
{
	const struct told told = { .task_type = arena_strdup(&catalog->arena, task_type),
		                   .version = version,
		                   .sync = sync };
	if (entry->told_count < TOLD_MAXIMUM)
		proto_append(&catalog->arena, entry->told_count, entry->told, told);
}

/* Older connectors tell of task types only, which have version 0; newer ones of both. */
static void take_agents(struct connector_catalog *catalog, struct entry *entry,
                        const Flyteidl__Admin__ListAgentsResponse *agents)
{
	for (size_t i = 0; i < agents->n_agents; i++) {
		const Flyteidl__Admin__Agent *agent = agents->agents[i];
		for (size_t k = 0; k < agent->n_supported_task_categories; k++)
			add_told(catalog, entry, agent->supported_task_categories[k]->name,
			         agent->supported_task_categories[k]->version, agent->is_sync);
		for (size_t k = 0; k < agent->n_supported_task_types; k++)
			add_told(catalog, entry, agent->supported_task_types[k], 0, agent->is_sync);
	}
}

static void take_known(struct connector_catalog *catalog, struct entry *entry, const struct connector_catalog *previous)
{
	for (size_t i = 0; previous && i < previous->count; i++) {
		const struct entry *known = &previous->entries[i];
		if (!text_equal(known->place.at.name, entry->place.at.name) ||
		    !text_equal(known->place.at.target, entry->place.at.target))
			continue;
		entry->place.heard = known->place.heard;
		entry->place.problem = arena_strdup(&catalog->arena, known->place.problem);
		for (size_t k = 0; k < known->told_count; k++)
			add_told(catalog, entry, known->told[k].task_type, known->told[k].version, known->told[k].sync);
	}
}

static void take_answer(struct connector_catalog *catalog, struct entry *entry, const struct connector_answer *answer)
{
	if (!answer->asked)
		return;
	entry->place.problem = arena_strdup(&catalog->arena, answer->problem ? answer->problem : "");
	if (!answer->agents && !answer->silent)
		return;
	entry->place.heard = true;
	entry->told_count = 0;
	entry->told = NULL;
	if (answer->agents)
		take_agents(catalog, entry, answer->agents);
}

const struct connector_catalog *connector_catalog_new(const struct settings *settings,
                                                      const struct connector_catalog *previous,
                                                      const struct connector_answer *answers)
{
	struct connector_catalog *catalog = xcalloc(1, sizeof(*catalog));
	const char *name;
	json_t *connector;
	catalog->arena = (struct arena)ARENA_INIT(ARENA_MAXIMUM);
	catalog->settings = settings_retain(settings);
	atomic_init(&catalog->references, 1);
	json_object_foreach(settings->connectors, name, connector)
		add_entry(catalog, name);
	add_entry(catalog, CONNECTOR_DEFAULT);
	for (size_t i = 0; i < catalog->count; i++) {
		take_known(catalog, &catalog->entries[i], previous);
		if (answers)
			take_answer(catalog, &catalog->entries[i], &answers[i]);
	}
	return catalog;
}

/* ---- Sharing ---- */

/* References are counted in what is otherwise constant. */
static struct connector_catalog *counted(const struct connector_catalog *catalog)
{
	union {
		const struct connector_catalog *constant;
		struct connector_catalog *variable;
	} same = { .constant = catalog };
	return same.variable;
}

const struct connector_catalog *connector_catalog_retain(const struct connector_catalog *catalog)
{
	if (catalog)
		atomic_fetch_add_explicit(&counted(catalog)->references, 1, memory_order_relaxed);
	return catalog;
}

const struct connector_catalog *connector_catalog_release(const struct connector_catalog *catalog)
{
	struct connector_catalog *own = counted(catalog);
	if (own && atomic_fetch_sub_explicit(&own->references, 1, memory_order_acq_rel) == 1) {
		settings_release(own->settings);
		arena_release(&own->arena);
		free(own);
	}
	return NULL;
}

void cleanup_connector_catalog(const struct connector_catalog **catalog)
{
	connector_catalog_release(*catalog);
}

/* ---- Asking ---- */

size_t connector_catalog_count(const struct connector_catalog *catalog)
{
	return catalog ? catalog->count : 0;
}

const struct connector_place *connector_catalog_place(const struct connector_catalog *catalog, size_t index)
{
	return &catalog->entries[index].place;
}

static const struct told *find_told(const struct entry *entry, const char *task_type, int32_t version)
{
	for (size_t i = 0; i < entry->told_count; i++) {
		if (entry->told[i].version == version && text_equal(entry->told[i].task_type, task_type))
			return &entry->told[i];
	}
	return NULL;
}

static const struct entry *find_entry(const struct connector_catalog *catalog, const char *name)
{
	for (size_t i = 0; i < catalog->count; i++) {
		if (text_equal(catalog->entries[i].place.at.name, name))
			return &catalog->entries[i];
	}
	return NULL;
}

static bool is_default_type(const struct settings *settings, const char *task_type)
{
	for (size_t i = 0; i < json_array_size(settings->connector_task_types); i++) {
		if (text_equal(json_string_value(json_array_get(settings->connector_task_types, i)), task_type))
			return true;
	}
	return false;
}

static void set_type(struct connector_type *type, const struct entry *entry, const struct told *told)
{
	*type = (struct connector_type){ .place = &entry->place, .sync = told && told->sync };
}

bool connector_catalog_find(const struct connector_catalog *catalog, const char *task_type, int32_t version,
                            struct connector_type *ret_type)
{
	if (!catalog)
		return false;
	const char *assigned = settings_map_get(catalog->settings->connector_assignments, task_type);
	const struct entry *entry = assigned ? find_entry(catalog, assigned) : NULL;
	if (entry) {
		set_type(ret_type, entry, find_told(entry, task_type, version));
		return true;
	}
	for (size_t i = 0; i < catalog->count; i++) {
		const struct told *told = find_told(&catalog->entries[i], task_type, version);
		if (told) {
			set_type(ret_type, &catalog->entries[i], told);
			return true;
		}
	}
	entry = is_default_type(catalog->settings, task_type) ? find_entry(catalog, CONNECTOR_DEFAULT) : NULL;
	if (entry)
		set_type(ret_type, entry, NULL);
	return entry != NULL;
}

const struct connector_place *connector_catalog_of_created(const struct connector_catalog *catalog,
                                                           const char *task_type, int32_t version)
{
	struct connector_type type;
	if (connector_catalog_find(catalog, task_type, version, &type))
		return type.place;
	const struct entry *entry = catalog ? find_entry(catalog, CONNECTOR_DEFAULT) : NULL;
	return entry ? &entry->place : NULL;
}

const struct connector_place *connector_catalog_unheard(const struct connector_catalog *catalog)
{
	for (size_t i = 0; catalog && i < catalog->count; i++) {
		if (!catalog->entries[i].place.heard)
			return &catalog->entries[i].place;
	}
	return NULL;
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
	if (!text_equal(a->place.at.name, b->place.at.name) || !text_equal(a->place.at.target, b->place.at.target) ||
	    a->place.heard != b->place.heard || a->told_count != b->told_count)
		return false;
	for (size_t i = 0; i < a->told_count; i++) {
		if (!text_equal(a->told[i].task_type, b->told[i].task_type) ||
		    a->told[i].version != b->told[i].version || a->told[i].sync != b->told[i].sync)
			return false;
	}
	return true;
}

bool connector_catalog_same(const struct connector_catalog *a, const struct connector_catalog *b)
{
	if (!a || !b)
		return connector_catalog_count(a) == connector_catalog_count(b);
	if (a->count != b->count ||
	    !json_equal(a->settings->connector_assignments, b->settings->connector_assignments) ||
	    !json_equal(a->settings->connector_task_types, b->settings->connector_task_types))
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!same_entry(&a->entries[i], &b->entries[i]))
			return false;
	}
	return true;
}
