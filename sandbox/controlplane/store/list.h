/*
 * Lists: what ListTasks, ListExecutions and their like have in common. The limit, token, filters and sort_by of a
 *request become one parameterised SELECT. Each entity is a table of columns (API name, SQL expression, kind) and of the
 *entities it may be joined with; only what stands in those tables ever gets into the SQL text, everything else travels
 *as a parameter.
 *
 *	struct list_query query = LIST_QUERY_INIT;
 *	struct list_request request = { .entity = LIST_TASK, .rpc = "ListTasks", .limit = r->limit, .token = r->token,
 *					.filters = r->filters, .sort_by = r->sort_by };
 *	if (list_init(&query, call->arena, &request, e) < 0) …
 *	list_where(&query, "t.project = ?", DB_TEXT(project));
 *	if (list_run(&query, connection, "t.project, t.domain, t.name, t.version, t.closure", &rows, e) < 0) …
 *
 * Grammar and texts: flyteadmin at v1.16.8 (pkg/manager/impl/util/filters.go, pkg/common/{filters,sorting}.go). A
 *filter is terms joined by '+'; a term is `function(field, value)`; a field may carry an entity prefix
 *("workflow.name"); the value of value_in and value_not_in is a list separated by ';'. Timestamps are RFC 3339,
 *durations seconds or Go syntax ("1m30s"), `contains` and `not_like` are SQL LIKE without an escape character. Better
 *than upstream: a '+' inside a value (the offset of a timestamp) does not end the term, and without sort_by the order
 *is that of insertion instead of none.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_LIST_H
#define SANDBOX_CONTROLPLANE_STORE_LIST_H

#include "controlplane/store/database.h"

#include "flyteidl/admin/common.pb-c.h"

/* In SQL each has the alias in the comment, which is also upstream's name for it in error texts. */
enum list_entity {
	LIST_EXECUTION,      /* e, always joined with w */
	LIST_LAUNCH_PLAN,    /* l */
	LIST_NODE_EXECUTION, /* ne, always joined with e */
	LIST_TASK,           /* t */
	LIST_TASK_EXECUTION, /* te, always joined with ne and e */
	LIST_WORKFLOW,       /* w */
	LIST_NAMED_ENTITY,   /* nen */
	LIST_PROJECT,        /* p */
	LIST_EXECUTION_TAG,  /* et: only as a filter of executions */
	LIST_SIGNAL,         /* s, always joined with e */
	LIST_DESCRIPTION,    /* de */
	LIST_ENTITY_COUNT
};

struct list_request {
	enum list_entity entity;
	const char *rpc; /* "ListTasks", for the text about a bad token */
	uint32_t limit;
	bool limit_optional;                  /* 0 means no limit (ListProjects); elsewhere it is ERR_INVALID */
	const char *token;                    /* decimal offset, "" for the start */
	const char *filters;                  /* "" for none */
	const Flyteidl__Admin__Sort *sort_by; /* or NULL */
	const char *default_order;            /* SQL, "p.identifier"; NULL: order of insertion */
};

#define LIST_CONDITION_MAXIMUM 64
#define LIST_VALUE_MAXIMUM 1024

/* Its strings live as long as its arena; release it. */
struct list_query {
	struct arena *arena;
	enum list_entity entity;
	unsigned joined; /* bit set of list_entity */
	struct buf where;
	struct buf tags; /* conditions on one execution tag */
	struct buf order;
	struct database_value *values;
	size_t value_count;
	int64_t offset;
	uint32_t limit;
	const char *next_token; /* set by list_run: offset of the next page, "" after the last; in the arena */
};

#define auto_list_query __attribute__((cleanup(list_release)))
/* clang-format off */
#define LIST_QUERY_INIT { .arena = NULL }
/* clang-format on */
void list_release(struct list_query *query);

/* Parses the request. ERR_INVALID with upstream's texts. Strings of the request are borrowed. */
int list_init(struct list_query *query, struct arena *arena, const struct list_request *request, struct err *e);

/* Adds one more condition of our own, constant SQL with one '?' for the value (none: pass DB_NULL and no '?'). */
void list_where(struct list_query *query, const char *condition, struct database_value value);
/* Those of a project and domain, and of that name unless it is "". Of node and task executions and signals: those of that execution. */
void list_within(struct list_query *query, const char *project, const char *domain, const char *name);
/* True when the request's filters have a term on this field of the primary entity, by API name. For implicit filters
 * that an explicit one replaces. */
bool list_filters_on(const struct list_request *request, const char *field);

/*
 * Runs it and sets query->next_token. `columns` is constant SQL over the aliases above. A page is cut where its cells
 * come to LIST_PAGE_BYTES, so that a response never outgrows what clients accept.
 */
#define LIST_PAGE_BYTES ((size_t)12 * 1024 * 1024)
/* Rows of a page, whatever the client asks for: libpq holds a result whole before the page is cut. */
#define LIST_ROWS_MAXIMUM 10000
int list_run(struct list_query *query, struct database_connection *c, const char *columns,
             struct database_rows *ret_rows, struct err *e);

/* The SQL that list_run sends, in the query's arena; for tests and the fuzzer. */
char *list_sql(struct list_query *query, const char *columns);

#endif
