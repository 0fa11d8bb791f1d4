/* What the cache needs done together with the commit: results are kept, reservations end. */
#include "controlplane/engine/round.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static int compare_keys(const void *a, const void *b)
{
	const struct catalog_key *one = &(*(struct machine_node *const *)a)->cache.key,
	                         *other = &(*(struct machine_node *const *)b)->cache.key;
	const int by_tag = strcmp(one->tag, other->tag);
	if (by_tag)
		return by_tag;
	const int by_name = strcmp(one->name, other->name);
	return by_name ? by_name : strcmp(one->version, other->version);
}

/* In the order of their keys: two executions that keep the same results at the same time must not wait for each other.
 */
int round_keep_results(struct database_connection *c, struct machine *m, struct err *e)
{
	struct machine_node **nodes = arena_array(m->arena, struct machine_node *, m->node_count);
	size_t count = 0;
	for (size_t i = 0; i < m->node_count; i++) {
		if (m->nodes[i]->cache.keep)
			nodes[count++] = m->nodes[i];
	}
	qsort(nodes, count, sizeof(*nodes), compare_keys);
	for (size_t i = 0; i < count; i++) {
		struct machine_node *node = nodes[i];
		const char *artifact_id;
		if (catalog_put(c, m->arena, &node->cache.key, node->cache.keep, node->row.outputs_uri,
		                node->cache.overwrite, &artifact_id, e) < 0)
			return err_wrap(e, "cannot keep the outputs of node \"%s\"", node->row.node_id);
		node->row.cache_metadata->artifact_tag->artifact_id = arena_strdup(m->arena, artifact_id);
		node->cache.keep = NULL;
	}
	return 0;
}

int round_end_reservations(struct database_connection *c, struct machine *m, struct err *e)
{
	if (progress_execution_is_finished(m->execution.phase))
		return catalog_release(c, m->arena, m->definition->id, NULL, e);
	for (size_t i = 0; i < m->node_count; i++) {
		if (machine_node_ends_reservation(m->nodes[i]) &&
		    catalog_release(c, m->arena, m->definition->id, m->nodes[i]->row.node_id, e) < 0)
			return -1;
	}
	return 0;
}
