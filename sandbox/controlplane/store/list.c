/* The tables of what may be listed, filtered and sorted by, and their way into SQL. See list.h. */
#include "controlplane/store/list.h"

#include "base/duration.h"
#include "base/text.h"
#include "controlplane/store/filter.h"

#include <inttypes.h>
#include <string.h>

#define SQL_MAXIMUM ((size_t)256 * 1024)

enum column_kind { TEXT, NUMBER, TIME, DURATION };

struct column {
	const char *name; /* in the API */
	const char *sql;
	enum column_kind kind;
};

struct join {
	enum list_entity entity;
	const char *sql; /* NULL: it is part of the primary entity's `from` */
};

struct entity {
	const char *alias;
	const char *from;
	const struct column *columns; /* ended by a NULL name */
	const struct join *joins;     /* ended by a join with oneself */
	const char *of;               /* alias of what has the project, domain and name that it is listed within */
	/* For what may be a million: `from` without what only the columns need, and that. NULL: not so many. */
	const char *skipped_from, *skipped_join;
};

/* What every table of ours starts with. */
#define COMMON_COLUMNS(alias)                                                                                          \
	{ "id", alias ".id", NUMBER }, { "created_at", alias ".created_at", TIME },                                    \
	{                                                                                                              \
		"updated_at", alias ".updated_at", TIME                                                                \
	}
#define VERSIONED_COLUMNS(alias)                                                                                       \
	{ "project", alias ".project", TEXT }, { "domain", alias ".domain", TEXT }, { "name", alias ".name", TEXT },   \
	{                                                                                                              \
		"version", alias ".version", TEXT                                                                      \
	}
#define EXECUTION_KEY_COLUMNS                                                                                          \
	{ "execution_project", "e.project", TEXT }, { "execution_domain", "e.domain", TEXT },                          \
	{                                                                                                              \
		"execution_name", "e.name", TEXT                                                                       \
	}

static const struct column execution_columns[] = {
	COMMON_COLUMNS("e"),
	EXECUTION_KEY_COLUMNS,
	{ "project", "e.project", TEXT },
	{ "domain", "e.domain", TEXT },
	{ "name", "e.name", TEXT },
	{ "phase", "e.phase", TEXT },
	{ "state", "e.state", NUMBER },
	{ "mode", "e.mode", NUMBER },
	{ "user", "e.principal", TEXT },
	{ "cluster", "e.cluster", TEXT },
	{ "launch_plan_id", "e.launch_plan_id", NUMBER },
	{ "workflow_id", "e.workflow_id", NUMBER },
	{ "task_id", "e.task_id", NUMBER },
	{ "source_execution_id", "e.source_execution_id", NUMBER },
	{ "parent_node_execution_id", "e.parent_node_execution_id", NUMBER },
	{ "launch_entity", "case e.resource_type when 1 then 'task' else 'launch_plan' end", TEXT },
	{ "started_at", "e.started_at", TIME },
	{ "execution_created_at", "e.created_at", TIME }, /* one transaction, one now() */
	{ "execution_updated_at", "e.updated_at", TIME },
	{ "ended_at", "e.ended_at", TIME },
	{ "duration", "e.duration", DURATION },
	{ "abort_cause", "e.abort_cause", TEXT },
	{ "error_kind", "e.error_kind", TEXT },
	{ "error_code", "e.error_code", TEXT },
	{ "inputs_uri", "e.inputs_uri", TEXT },
	{ "user_inputs_uri", "e.user_inputs_uri", TEXT },
	{ .name = NULL },
};
static const struct column launch_plan_columns[] = {
	COMMON_COLUMNS("l"),
	VERSIONED_COLUMNS("l"),
	{ "state", "l.state", NUMBER },
	{ "workflow_id", "l.workflow_id", NUMBER },
	{ "schedule_type", "l.schedule_type", TEXT },
	{ .name = NULL },
};
static const struct column node_execution_columns[] = {
	COMMON_COLUMNS("ne"),
	EXECUTION_KEY_COLUMNS,
	{ "node_id", "ne.node_id", TEXT },
	{ "phase", "ne.phase", TEXT },
	{ "parent_id", "ne.parent_id", NUMBER },
	{ "input_uri", "ne.inputs_uri", TEXT },
	{ "started_at", "ne.started_at", TIME },
	{ "node_execution_created_at", "ne.created_at", TIME },
	{ "node_execution_updated_at", "ne.updated_at", TIME },
	{ "duration", "ne.duration", DURATION },
	{ "error_kind", "ne.error_kind", TEXT },
	{ "error_code", "ne.error_code", TEXT },
	{ .name = NULL },
};
static const struct column task_columns[] = {
	COMMON_COLUMNS("t"),        VERSIONED_COLUMNS("t"),
	{ "type", "t.type", TEXT }, { "short_description", "t.short_description", TEXT },
	{ .name = NULL },
};
static const struct column task_execution_columns[] = {
	COMMON_COLUMNS("te"),
	VERSIONED_COLUMNS("te"),
	EXECUTION_KEY_COLUMNS,
	{ "node_id", "ne.node_id", TEXT },
	{ "retry_attempt", "te.retry_attempt", NUMBER },
	{ "phase", "te.phase", TEXT },
	{ "phase_version", "te.phase_version", NUMBER },
	{ "input_uri", "te.inputs_uri", TEXT },
	{ "started_at", "te.started_at", TIME },
	{ "task_execution_created_at", "coalesce(te.task_execution_created_at, te.created_at)", TIME },
	{ "task_execution_updated_at", "te.updated_at", TIME },
	{ "duration", "te.duration", DURATION },
	{ .name = NULL },
};
static const struct column workflow_columns[] = {
	COMMON_COLUMNS("w"),
	VERSIONED_COLUMNS("w"),
	{ "short_description", "w.short_description", TEXT },
	{ "remote_closure_identifier", "w.closure_uri", TEXT },
	{ .name = NULL },
};
static const struct column named_entity_columns[] = {
	COMMON_COLUMNS("nen"),
	{ "project", "nen.project", TEXT },
	{ "domain", "nen.domain", TEXT },
	{ "name", "nen.name", TEXT },
	{ "resource_type", "nen.resource_type", NUMBER },
	{ "description", "nen.description", TEXT },
	{ "state", "nen.state", NUMBER },
	{ .name = NULL },
};
static const struct column project_columns[] = {
	COMMON_COLUMNS("p"),
	{ "identifier", "p.identifier", TEXT },
	{ "name", "p.name", TEXT },
	{ "description", "p.description", TEXT },
	{ "state", "p.state", NUMBER },
	{ .name = NULL },
};
static const struct column execution_tag_columns[] = {
	{ "key", "et.key", TEXT },
	{ "name", "et.key", TEXT }, /* of admin_tag, the older form */
	{ "value", "et.value", TEXT },
	{ .name = NULL },
};
static const struct column description_columns[] = {
	COMMON_COLUMNS("de"),
	VERSIONED_COLUMNS("de"),
	{ "resource_type", "de.resource_type", NUMBER },
	{ "short_description", "de.short_description", TEXT },
	{ "link", "de.source_link", TEXT },
	{ .name = NULL },
};
static const struct column signal_columns[] = {
	COMMON_COLUMNS("s"),
	EXECUTION_KEY_COLUMNS,
	{ "signal_id", "s.signal_id", TEXT },
	{ .name = NULL },
};

static const struct join execution_joins[] = {
	{ LIST_LAUNCH_PLAN, "left join launch_plans l on l.id = e.launch_plan_id" },
	{ LIST_WORKFLOW, NULL },
	{ LIST_TASK, "left join tasks t on t.id = e.task_id" },
	{ LIST_EXECUTION_TAG, NULL },
	{ LIST_EXECUTION, NULL },
};
static const struct join launch_plan_joins[] = {
	{ LIST_WORKFLOW, "join workflows w on w.id = l.workflow_id" },
	{ LIST_LAUNCH_PLAN, NULL },
};
static const struct join node_execution_joins[] = { { LIST_EXECUTION, NULL }, { LIST_NODE_EXECUTION, NULL } };
static const struct join task_execution_joins[] = {
	{ LIST_TASK, "left join tasks t on (t.project, t.domain, t.name, t.version) = (te.project, te.domain, te.name, "
	             "te.version)" },
	{ LIST_EXECUTION, NULL },
	{ LIST_NODE_EXECUTION, NULL },
	{ LIST_TASK_EXECUTION, NULL },
};
static const struct join signal_joins[] = { { LIST_EXECUTION, NULL }, { LIST_SIGNAL, NULL } };

#define ALONE(entity) ((const struct join[]){ { entity, NULL } })

static const struct entity entities[LIST_ENTITY_COUNT] = {
	[LIST_EXECUTION] = { "e", "executions e left join workflows w on w.id = e.workflow_id", execution_columns,
	                     execution_joins, "e", .skipped_from = "executions e",
	                     .skipped_join = "left join workflows w on w.id = e.workflow_id" },
	[LIST_LAUNCH_PLAN] = { "l", "launch_plans l", launch_plan_columns, launch_plan_joins, "l" },
	[LIST_NODE_EXECUTION] = { "ne", "node_executions ne join executions e on e.id = ne.execution_id",
	                          node_execution_columns, node_execution_joins, "e" },
	[LIST_TASK] = { "t", "tasks t", task_columns, ALONE(LIST_TASK), "t" },
	[LIST_TASK_EXECUTION] = { "te",
	                          "task_executions te join node_executions ne on ne.id = te.node_execution_id"
	                          " join executions e on e.id = te.execution_id",
	                          task_execution_columns, task_execution_joins, "e" },
	[LIST_WORKFLOW] = { "w", "workflows w", workflow_columns, ALONE(LIST_WORKFLOW), "w" },
	[LIST_NAMED_ENTITY] = { "nen", "named_entities nen", named_entity_columns, ALONE(LIST_NAMED_ENTITY), "nen" },
	[LIST_PROJECT] = { "p", "projects p", project_columns, ALONE(LIST_PROJECT) },
	[LIST_EXECUTION_TAG] = { "et", "execution_tags et", execution_tag_columns, ALONE(LIST_EXECUTION_TAG) },
	[LIST_SIGNAL] = { "s", "signals s join executions e on e.id = s.execution_id", signal_columns, signal_joins, "e" },
	[LIST_DESCRIPTION] = { "de", "description_entities de", description_columns, ALONE(LIST_DESCRIPTION), "de" },
};

/* Prefixes of fields, and the entity each stands for. */
static const struct {
	const char *prefix;
	enum list_entity entity;
} prefixes[] = {
	{ "task.", LIST_TASK },
	{ "workflow.", LIST_WORKFLOW },
	{ "launch_plan.", LIST_LAUNCH_PLAN },
	{ "execution.", LIST_EXECUTION },
	{ "node_execution.", LIST_NODE_EXECUTION },
	{ "task_execution.", LIST_TASK_EXECUTION },
	{ "entities.", LIST_NAMED_ENTITY },
	{ "named_entity_metadata.", LIST_NAMED_ENTITY },
	{ "project.", LIST_PROJECT },
	{ "signal.", LIST_SIGNAL },
	{ "admin_tag.", LIST_EXECUTION_TAG },
	{ "execution_admin_tag.", LIST_EXECUTION_TAG },
	{ "execution_tag.", LIST_EXECUTION_TAG },
};

static const struct column *find_column(enum list_entity entity, const char *name)
{
	for (const struct column *column = entities[entity].columns; column->name; column++) {
		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

/* NULL when `other` may not be used in filters of `primary`. */
static const struct join *find_join(enum list_entity primary, enum list_entity other)
{
	const struct join *join = entities[primary].joins;
	while (join->entity != other && join->entity != primary)
		join++;
	return join->entity == other ? join : NULL;
}

/* Columns of joined entities that the primary one has copies of: the copy is indexed together with the order, and
 * spares the join. */
static const struct copy {
	enum list_entity primary, entity;
	const char *field;
	struct column column;
} copies[] = {
	{ LIST_EXECUTION, LIST_WORKFLOW, "name", { "name", "e.workflow_name", TEXT } },
	{ LIST_EXECUTION, LIST_LAUNCH_PLAN, "name", { "name", "e.launch_plan_name", TEXT } },
};

static const struct column *find_copy(enum list_entity primary, enum list_entity entity, const char *field)
{
	for (size_t i = 0; i < ARRAY_LENGTH(copies); i++) {
		const struct copy *copy = &copies[i];
		if (copy->primary == primary && copy->entity == entity && strcmp(copy->field, field) == 0)
			return &copy->column;
	}
	return NULL;
}

static enum list_entity strip_prefix(enum list_entity primary, const char **field)
{
	for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++) {
		if (text_starts_with(*field, prefixes[i].prefix)) {
			*field += strlen(prefixes[i].prefix);
			return prefixes[i].entity;
		}
	}
	return primary;
}

void list_release(struct list_query *query)
{
	buf_release(&query->where);
	buf_release(&query->tags);
	buf_release(&query->order);
}

/* Our own SQL always fits: LIST_CONDITION_MAXIMUM times the longest condition is far below SQL_MAXIMUM. */
static void append(struct buf *out, const char *text)
{
	if (buf_add_str(out, text) < 0)
		abort();
}

/* Adds the value and appends its placeholder. */
static void append_value(struct list_query *query, struct buf *out, struct database_value value)
{
	if (query->value_count == LIST_VALUE_MAXIMUM)
		abort();
	query->values[query->value_count++] = value;
	if (buf_add_format(out, "$%zu", query->value_count) < 0)
		abort();
}

void list_where(struct list_query *query, const char *condition, struct database_value value)
{
	append(&query->where, query->where.length ? " and (" : " where (");
	const char *mark = value.type == DATABASE_NULL ? NULL : strchr(condition, '?');
	if (mark) {
		if (buf_add(&query->where, condition, (size_t)(mark - condition)) < 0)
			abort();
		append_value(query, &query->where, value);
		condition = mark + 1;
	}
	append(&query->where, condition);
	append(&query->where, ")");
}

void list_within(struct list_query *query, const char *project, const char *domain, const char *name)
{
	const char *const columns[] = { "project", "domain", "name" }, *const values[] = { project, domain, name };
	for (size_t i = 0; i < ARRAY_LENGTH(columns); i++)
		if (i < 2 || !text_is_empty(values[i]))
			list_where(query, arena_printf(query->arena, "%s.%s = ?", entities[query->entity].of, columns[i]),
			           DB_TEXT(values[i]));
}

static int parse_value(const struct column *column, const char *text, struct database_value *ret_value, struct err *e)
{
	int64_t number;
	switch (column->kind) {
	case TEXT:
		*ret_value = DB_TEXT(text);
		return 0;
	case NUMBER:
		if (!text_to_int64(text, INT64_MIN, INT64_MAX, &number))
			return err_set(e, ERR_INVALID, "invalid-filter", "invalid value for %s: '%s' is not a number",
			               column->name, text);
		*ret_value = DB_INT(number);
		return 0;
	case TIME:
		if (!filter_parse_time(text, &number))
			return err_set(e, ERR_INVALID, "invalid-filter",
			               "Timestamp %s must conform to RFC3339 Nano spec", text);
		*ret_value = DB_TIME(number);
		return 0;
	case DURATION:
		if (!duration_parse(text, &number))
			return err_set(e, ERR_INVALID, "invalid-filter", "Failed to parse duration [%s]", text);
		*ret_value = DB_INT(number / 1000);
		return 0;
	}
	return err_set(e, ERR_INTERNAL, NULL, "unknown kind of column %s", column->name);
}

static int append_parsed(struct list_query *query, struct buf *out, const struct column *column, const char *text,
                         struct err *e)
{
	struct database_value value;
	if (parse_value(column, text, &value, e) < 0)
		return -1;
	append_value(query, out, value);
	if (column->kind == DURATION)
		append(out, " * interval '1 microsecond'");
	return 0;
}

static int append_like(struct list_query *query, struct buf *out, const struct column *column,
                       const struct filter_term *term)
{
	bool contains = term->function == FILTER_CONTAINS;
	append(out, column->sql);
	append(out, column->kind == TEXT ? "" : "::text");
	append(out, contains ? " like " : " not like ");
	append_value(query, out,
	             DB_TEXT(contains ? arena_printf(query->arena, "%%%s%%", term->values[0]) : term->values[0]));
	append(out, " escape ''");
	return 0;
}

static int append_comparison(struct list_query *query, struct buf *out, const struct column *column,
                             const struct filter_term *term, struct err *e)
{
	static const char *const operators[FILTER_FUNCTION_COUNT] = {
		[FILTER_GT] = " > ",         [FILTER_GTE] = " >= ",
		[FILTER_LT] = " < ",         [FILTER_LTE] = " <= ",
		[FILTER_EQ] = " = ",         [FILTER_NE] = " <> ",
		[FILTER_VALUE_IN] = " in (", [FILTER_VALUE_NOT_IN] = " not in (",
	};
	append(out, column->sql);
	append(out, operators[term->function]);
	for (size_t i = 0; i < term->value_count; i++) {
		append(out, i ? ", " : "");
		if (append_parsed(query, out, column, term->values[i], e) < 0)
			return -1;
	}
	append(out, term->function == FILTER_VALUE_IN || term->function == FILTER_VALUE_NOT_IN ? ")" : "");
	return 0;
}

static int add_term(struct list_query *query, const struct filter_term *term, struct err *e)
{
	const char *field = term->field;
	enum list_entity entity = strip_prefix(query->entity, &field);
	if (!find_join(query->entity, entity))
		return err_set(e, ERR_INVALID, "invalid-filter", "'%s' entity is not allowed in filters",
		               entities[entity].alias);
	const struct column *copy = find_copy(query->entity, entity, field);
	const struct column *column = copy ? copy : find_column(entity, field);
	if (!column)
		return err_set(e, ERR_INVALID, "invalid-filter", "'%s.%s' is invalid filter", entities[entity].alias,
		               field);
	if (query->value_count + term->value_count > LIST_VALUE_MAXIMUM - LIST_CONDITION_MAXIMUM)
		return err_set(e, ERR_INVALID, "invalid-filter", "more than %d values in the filters",
		               LIST_VALUE_MAXIMUM - LIST_CONDITION_MAXIMUM);
	if (!copy)
		query->joined |= 1u << entity;
	/* All conditions on tags are about one and the same tag. */
	bool on_tag = entity == LIST_EXECUTION_TAG && query->entity != LIST_EXECUTION_TAG;
	struct buf *out = on_tag ? &query->tags : &query->where;
	append(out, on_tag || out->length ? " and " : " where ");
	if (term->function == FILTER_CONTAINS || term->function == FILTER_NOT_LIKE)
		return append_like(query, out, column, term);
	return append_comparison(query, out, column, term, e);
}

static int set_order(struct list_query *query, const struct list_request *request, struct err *e)
{
	const char *alias = entities[query->entity].alias;
	const char *direction = "";
	append(&query->order, " order by ");
	if (request->sort_by && !text_is_empty(request->sort_by->key)) {
		const struct column *column = find_column(query->entity, request->sort_by->key);
		if (!column)
			return err_set(e, ERR_INVALID, "invalid-sort", "invalid sort key '%s'", request->sort_by->key);
		if (request->sort_by->direction > FLYTEIDL__ADMIN__SORT__DIRECTION__ASCENDING)
			return err_set(e, ERR_INVALID, "invalid-sort",
			               "invalid sort order specified: key:\"%s\" direction:%d", request->sort_by->key,
			               (int)request->sort_by->direction);
		direction = request->sort_by->direction == FLYTEIDL__ADMIN__SORT__DIRECTION__ASCENDING ? "" : " desc";
		append(&query->order, column->sql);
		append(&query->order, direction);
		append(&query->order, ", ");
	} else if (request->default_order) {
		append(&query->order, request->default_order);
		append(&query->order, ", ");
	}
	append(&query->order, alias);
	append(&query->order, ".id");
	append(&query->order, direction);
	return 0;
}

int list_init(struct list_query *query, struct arena *arena, const struct list_request *request, struct err *e)
{
	*query = (struct list_query){
		.arena = arena, .entity = request->entity, .limit = request->limit, .next_token = ""
	};
	if (query->limit > LIST_ROWS_MAXIMUM)
		query->limit = LIST_ROWS_MAXIMUM;
	buf_init(&query->where, SQL_MAXIMUM);
	buf_init(&query->tags, SQL_MAXIMUM);
	buf_init(&query->order, SQL_MAXIMUM);
	query->values = arena_array(arena, struct database_value, LIST_VALUE_MAXIMUM);
	if (!request->limit && !request->limit_optional)
		return err_set(e, ERR_INVALID, "invalid-limit", "invalid value for limit");
	if (!text_is_empty(request->token) && !text_to_int64(request->token, 0, INT32_MAX, &query->offset))
		return err_set(e, ERR_INVALID, "invalid-token", "invalid pagination token %s for %s", request->token,
		               request->rpc);
	struct filter_term *terms;
	size_t count;
	if (filter_parse(arena, request->filters, &terms, &count, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (add_term(query, &terms[i], e) < 0)
			return -1;
	}
	return set_order(query, request, e);
}

bool list_filters_on(const struct list_request *request, const char *field)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)4 * 1024 * 1024);
	struct filter_term *terms;
	size_t count;
	if (filter_parse(&arena, request->filters, &terms, &count, NULL) < 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *name = terms[i].field;
		if (strip_prefix(request->entity, &name) == request->entity && strcmp(name, field) == 0)
			return true;
	}
	return false;
}

/* `from` and what the filters join with it. */
static void append_tables(const struct list_query *query, const char *from, struct buf *sql)
{
	append(sql, " from ");
	append(sql, from);
	for (const struct join *join = entities[query->entity].joins; join->entity != query->entity; join++) {
		if (join->sql && (query->joined & (1u << join->entity))) {
			append(sql, " ");
			append(sql, join->sql);
		}
	}
}

static void append_page(const struct list_query *query, struct buf *sql)
{
	append(sql, buf_text(&query->where));
	if (query->tags.length) {
		append(sql, query->where.length ? " and " : " where ");
		append(sql, "exists (select 1 from execution_tags et where et.execution_id = e.id");
		append(sql, buf_text(&query->tags));
		append(sql, ")");
	}
	append(sql, buf_text(&query->order));
	if (query->limit && buf_add_format(sql, " limit %" PRIu32, query->limit) < 0)
		abort();
	if (query->offset && buf_add_format(sql, " offset %" PRId64, query->offset) < 0)
		abort();
}

char *list_sql(struct list_query *query, const char *columns)
{
	const struct entity *entity = &entities[query->entity];
	/* The ids of the page first: rows that are skipped are then skipped in the index. A first page would only be joined with itself. */
	const bool by_id = entity->skipped_from && query->offset && query->limit;
	auto_buf struct buf sql = BUF_INIT(4 * SQL_MAXIMUM);
	append(&sql, "select ");
	append(&sql, columns);
	if (!by_id) {
		append_tables(query, entity->from, &sql);
		append_page(query, &sql);
		return arena_strdup(query->arena, buf_text(&sql));
	}
	if (buf_add_format(&sql, " from (select %s.id", entity->alias) < 0)
		abort();
	const bool is_joined = query->joined & (1u << LIST_WORKFLOW);
	append_tables(query, is_joined ? entity->from : entity->skipped_from, &sql);
	append_page(query, &sql);
	if (buf_add_format(&sql, ") page join %s on %s.id = page.id %s%s", entity->skipped_from, entity->alias,
	                   entity->skipped_join, buf_text(&query->order)) < 0)
		abort();
	return arena_strdup(query->arena, buf_text(&sql));
}

int list_run(struct list_query *query, struct database_connection *c, const char *columns,
             struct database_rows *ret_rows, struct err *e)
{
	bool cut;
	if (database_query_page(c, query->arena, list_sql(query, columns), query->values, query->value_count,
	                        LIST_PAGE_BYTES, ret_rows, &cut, e) < 0)
		return -1;
	bool full = query->limit && ret_rows->count == query->limit;
	query->next_token =
	        cut || full ? arena_printf(query->arena, "%" PRId64, query->offset + (int64_t)ret_rows->count) : "";
	return 0;
}
