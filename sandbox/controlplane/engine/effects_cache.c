/*
 * WANT_CACHE: looks into the catalog, and, for tasks of which one runs at a time, takes the turn. Looking comes first,
 * because most who ask find something; it is repeated after the turn was taken, because the one before may have
 * finished in between.
 */
#include "controlplane/engine/effects.h"

#include "base/clock.h"
#include "base/text.h"

#define BORROW_MS INT64_C(10000)

static void set_unreadable(struct machine_node *node)
{
	node->cache.outcome = CACHE_UNREADABLE;
	node->answer = ANSWER_GIVEN;
}

static void set_found(struct machine *m, struct machine_node *node, const struct catalog_entry *entry)
{
	auto_err struct err e = ERR_INIT;
	node->outputs = cache_outputs_of(m->arena, node->vertex->task, entry->artifact, &e);
	if (!node->outputs) {
		set_unreadable(node);
		return;
	}
	node->cache.outcome = CACHE_FOUND;
	node->answer = ANSWER_GIVEN;
}

/* 1 when the answer is there or `ret_uri` has to be read for it, 0 when there is nothing, -1. */
static int look(struct database_connection *c, struct machine *m, struct machine_node *node, const char **ret_uri,
                struct err *e)
{
	struct catalog_entry entry;
	auto_err struct err failure = ERR_INIT;
	const int found = node->cache.lookup ? catalog_find(c, m->arena, &node->cache.key, &entry, &failure) : 0;
	if (found < 0 && failure.kind != ERR_INVALID)
		return err_move(e, &failure);
	if (found < 0)
		set_unreadable(node);
	if (found <= 0)
		return found < 0;
	node->cache.metadata = cache_metadata_of(m->arena, &node->cache.key, entry.artifact->id,
	                                         cache_source_of(m->arena, node->vertex->task, entry.artifact));
	if (text_is_empty(entry.outputs_uri))
		set_found(m, node, &entry);
	else
		*ret_uri = entry.outputs_uri;
	return 1;
}

/* On a connection of its own: a reservation has to be known to all before its task runs, whatever becomes of this
 * round. */
static int reserve(const struct round_context *context, struct machine *m, struct machine_node *node,
                   bool *ret_acquired, struct err *e)
{
	auto_connection struct database_connection *own = NULL;
	const struct catalog_owner owner = {
		.execution_id = m->definition->id,
		.node_id = node->row.node_id,
		.text = names_generated(m->arena, m->definition->name, node->row.node_id, node->row.attempt),
	};
	if (database_borrow(context->database, clock_monotonic_ms() + BORROW_MS, &own, e) < 0)
		return -1;
	return catalog_reserve(own, m->arena, &node->cache.key, &owner, ret_acquired, &node->cache.expires_ns, e);
}

/* An object that has to be read is in `ret_uri`; else the answer is given. */
static int consult(struct effects *effects, struct machine_node *node, const char **ret_uri, struct err *e)
{
	bool acquired;
	*ret_uri = NULL;
	int done = look(effects->c, effects->m, node, ret_uri, e);
	if (done != 0 || !node->cache.serialize) {
		if (done == 0) {
			node->cache.outcome = CACHE_ABSENT;
			node->answer = ANSWER_GIVEN;
		}
		return done < 0 ? -1 : 0;
	}
	if (reserve(effects->context, effects->m, node, &acquired, e) < 0)
		return -1;
	if (acquired && (done = look(effects->c, effects->m, node, ret_uri, e)) != 0)
		return done < 0 ? -1 : 0;
	node->cache.outcome = acquired ? CACHE_ABSENT : CACHE_OCCUPIED;
	node->answer = ANSWER_GIVEN;
	return 0;
}

static int prepare(struct effects *effects, struct machine_node *node, struct err *e)
{
	const char *uri;
	if (consult(effects, node, &uri, e) < 0)
		return -1;
	if (uri)
		effects_add_get(effects, node, uri);
	return 0;
}

/* An object store that is away is waited for; an object that is not there, or cannot be read, is no reason not to run
 * the task. */
static int take(struct effects *effects, struct job *job, struct err *e)
{
	struct machine_node *node = job->node;
	(void)e;
	if (!effects_take_outputs(effects, job, "cannot read cached outputs"))
		return 0;
	node->cache.outcome = node->outputs ? CACHE_FOUND : CACHE_UNREADABLE;
	node->answer = ANSWER_GIVEN;
	return 0;
}

const struct effect effect_cache = { prepare, take };
