/*
 * Edges as sorted arrays of pairs. The connections of the closure are those arrays grouped by key; the search for
 * cycles walks them with a stack of its own, because the number of nodes comes from outside.
 */
#include "controlplane/compiler/builder.h"

#include "base/buf.h"
#include "proto/message.h"

#include <string.h>

/* Of a workflow tied in knots, so many cycles are shown. */
#define CYCLES_REPORTED 10

void edges_add(struct arena *arena, struct edges *edges, const char *key, const char *id)
{
	if (arena_is_exhausted(arena))
		return; /* the whole request fails */
	struct edge edge = { .key = key, .id = id };
	proto_append(arena, edges->count, edges->items, edge);
}

static int compare_edges(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;
	int order = strcmp(x->key, y->key);
	return order ? order : strcmp(x->id, y->id);
}

/* In place; the array is its own copy afterwards, so that edges can still be added. */
static void edges_sort(struct arena *arena, struct edges *edges)
{
	if (edges->count < 2)
		return;
	qsort(edges->items, edges->count, sizeof(*edges->items), compare_edges);
	size_t kept = 1;
	for (size_t i = 1; i < edges->count; i++)
		if (compare_edges(&edges->items[kept - 1], &edges->items[i]) != 0)
			edges->items[kept++] = edges->items[i];
	edges->items = proto_copy_array(arena, edges->items, kept);
	edges->count = kept;
}

/* Position of the first edge whose key is not below `key`. */
static size_t edges_lower_bound(const struct edges *edges, const char *key)
{
	size_t low = 0, high = edges->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(edges->items[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool edges_have_key(const struct edges *edges, size_t count, const char *key)
{
	struct edges sorted = { .count = count, .items = edges->items };
	size_t position = edges_lower_bound(&sorted, key);
	return position < count && strcmp(edges->items[position].key, key) == 0;
}

void graph_tie_ends(struct workflow_builder *w)
{
	struct arena *arena = w->compilation->arena;
	edges_sort(arena, &w->upstream);
	edges_sort(arena, &w->downstream);
	size_t upstream_count = w->upstream.count, downstream_count = w->downstream.count; /* the sorted part */
	for (size_t i = 0; i < w->node_count; i++) {
		const struct node_builder *nb = w->nodes[i];
		const char *id = nb->node->id;
		if (nb == w->start || nb == w->end)
			continue;
		if (!edges_have_key(&w->upstream, upstream_count, id)) {
			edges_add(arena, &w->upstream, id, START_NODE_ID);
			edges_add(arena, &w->downstream, START_NODE_ID, id);
		}
		if (!edges_have_key(&w->downstream, downstream_count, id)) {
			edges_add(arena, &w->upstream, END_NODE_ID, id);
			edges_add(arena, &w->downstream, id, END_NODE_ID);
		}
	}
	edges_sort(arena, &w->upstream);
	edges_sort(arena, &w->downstream);
}

/* ---- cycles and reachability ---- */

enum colour { WHITE, ON_STACK, FINISHED };

struct search {
	struct workflow_builder *w;
	struct edges edges; /* downstream and nested */
	enum colour *colours;
	struct frame {
		size_t node; /* position in w->nodes */
		size_t edge; /* next edge to follow */
	} * stack;
	size_t depth;
	size_t cycles;
};

static long position_of(const struct workflow_builder *w, const char *id)
{
	size_t low = 0, high = w->node_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(w->nodes[middle]->node->id, id);
		if (!order)
			return (long)middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

static void report_cycle(struct search *s, size_t node)
{
	if (s->cycles++ >= CYCLES_REPORTED)
		return;
	auto_buf struct buf path = BUF_INIT(1500);
	size_t i = 0;
	while (s->stack[i].node != node)
		i++;
	bool whole = true;
	for (; whole && i < s->depth; i++)
		whole = buf_add_format(&path, "%s > ", s->w->nodes[s->stack[i].node]->node->id) == 0;
	const char *id = s->w->nodes[node]->node->id;
	compile_error(&s->w->compilation->errors, COMPILE_CYCLE_DETECTED, START_NODE_ID,
	              "nodes wait for one another: %s%s%s", buf_text(&path), whole ? "" : "… > ", id);
}

static void push(struct search *s, size_t node)
{
	s->colours[node] = ON_STACK;
	s->stack[s->depth++] =
	        (struct frame){ .node = node, .edge = edges_lower_bound(&s->edges, s->w->nodes[node]->node->id) };
}

static void search_from(struct search *s, size_t node)
{
	push(s, node);
	while (s->depth) {
		struct frame *top = &s->stack[s->depth - 1];
		const char *id = s->w->nodes[top->node]->node->id;
		if (top->edge == s->edges.count || strcmp(s->edges.items[top->edge].key, id) != 0) {
			s->colours[top->node] = FINISHED;
			s->depth--;
			continue;
		}
		long next = position_of(s->w, s->edges.items[top->edge++].id);
		if (next < 0)
			continue;
		if (s->colours[next] == ON_STACK)
			report_cycle(s, (size_t)next);
		else if (s->colours[next] == WHITE)
			push(s, (size_t)next);
	}
}

static void report_unreachable(struct search *s)
{
	auto_buf struct buf ids = BUF_INIT(1500);
	for (size_t i = 0; i < s->w->node_count; i++) {
		const char *id = s->w->nodes[i]->node->id;
		if (s->colours[i] != WHITE || s->w->nodes[i] == s->w->end || position_of(s->w, id) != (long)i)
			continue; /* the last for one of two nodes with the same id */
		if (buf_add_format(&ids, "%s%s", ids.length ? "," : "", id) < 0)
			break;
	}
	if (ids.length)
		compile_error(&s->w->compilation->errors, COMPILE_UNREACHABLE_NODES, START_NODE_ID,
		              "the start node does not lead to [%s]", buf_text(&ids));
}

/* Whether the start node leads to more than the end node. */
static bool has_entry(const struct workflow_builder *w)
{
	for (size_t i = edges_lower_bound(&w->downstream, START_NODE_ID); i < w->downstream.count; i++) {
		if (strcmp(w->downstream.items[i].key, START_NODE_ID) != 0)
			break;
		if (strcmp(w->downstream.items[i].id, END_NODE_ID) != 0)
			return true;
	}
	return false;
}

void graph_validate(struct workflow_builder *w)
{
	struct compilation *c = w->compilation;
	struct search s = { .w = w,
		            .colours = arena_array(c->arena, enum colour, w->node_count),
		            .stack = arena_array(c->arena, struct frame, w->node_count) };
	for (size_t i = 0; i < w->downstream.count; i++)
		edges_add(c->arena, &s.edges, w->downstream.items[i].key, w->downstream.items[i].id);
	for (size_t i = 0; i < w->nested.count; i++)
		edges_add(c->arena, &s.edges, w->nested.items[i].key, w->nested.items[i].id);
	edges_sort(c->arena, &s.edges);
	search_from(&s, (size_t)position_of(w, START_NODE_ID));
	report_unreachable(&s);
	for (size_t i = 0; i < w->node_count; i++)
		if (s.colours[i] == WHITE)
			search_from(&s, i);
	if (w->node_count > 2 && !has_entry(w))
		compile_error(&c->errors, COMPILE_NO_ENTRY_NODE_FOUND, identifier_text(c->arena, w->template_->id),
		              "every node waits for another one: there is none to start with");
}

/* ---- connections ---- */

static Flyteidl__Core__ConnectionSet__IdList *take_ids(struct arena *arena, const struct edges *edges, size_t *position)
{
	Flyteidl__Core__ConnectionSet__IdList *list = (Flyteidl__Core__ConnectionSet__IdList *)proto_new_of(
	        arena, &flyteidl__core__connection_set__id_list__descriptor);
	const char *key = edges->items[*position].key;
	size_t end = *position;
	while (end < edges->count && strcmp(edges->items[end].key, key) == 0)
		end++;
	list->ids = arena_array(arena, char *, end - *position);
	for (; *position < end; ++*position)
		list->ids[list->n_ids++] = arena_strdup(arena, edges->items[*position].id);
	return list;
}

Flyteidl__Core__ConnectionSet *graph_connections(struct workflow_builder *w)
{
	struct arena *arena = w->compilation->arena;
	Flyteidl__Core__ConnectionSet *set = proto_new(arena, flyteidl__core__connection_set);
	for (size_t i = 0; i < w->downstream.count && !arena_is_exhausted(arena);) {
		Flyteidl__Core__ConnectionSet__DownstreamEntry *entry =
		        (Flyteidl__Core__ConnectionSet__DownstreamEntry *)proto_new_of(
		                arena, &flyteidl__core__connection_set__downstream_entry__descriptor);
		entry->key = arena_strdup(arena, w->downstream.items[i].key);
		entry->value = take_ids(arena, &w->downstream, &i);
		proto_append(arena, set->n_downstream, set->downstream, entry);
	}
	for (size_t i = 0; i < w->upstream.count && !arena_is_exhausted(arena);) {
		Flyteidl__Core__ConnectionSet__UpstreamEntry *entry =
		        (Flyteidl__Core__ConnectionSet__UpstreamEntry *)proto_new_of(
		                arena, &flyteidl__core__connection_set__upstream_entry__descriptor);
		entry->key = arena_strdup(arena, w->upstream.items[i].key);
		entry->value = take_ids(arena, &w->upstream, &i);
		proto_append(arena, set->n_upstream, set->upstream, entry);
	}
	return set;
}
