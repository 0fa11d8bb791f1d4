/* Statements on `signals`. The engine hears of a value through the channel of executions. */
#include "controlplane/store/signals.h"

#include "controlplane/store/executions.h"

#define SIGNAL_COLUMNS "e.project, e.domain, e.name, s.signal_id, s.type, s.value"
#define KEY_VALUES(key)                                                                                                \
	DB_TEXT((key)->project), DB_TEXT((key)->domain), DB_TEXT((key)->execution_name), DB_TEXT((key)->signal_id)

static void read_row(const struct database_rows *rows, size_t row, struct signal_row *r)
{
	*r = (struct signal_row){
		.project = database_text(rows, row, 0),
		.domain = database_text(rows, row, 1),
		.execution_name = database_text(rows, row, 2),
		.signal_id = database_text(rows, row, 3),
		.type = database_bytes(rows, row, 4),
		.value = database_bytes(rows, row, 5),
	};
}

static int not_found(const struct signal_key *key, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, NULL, "missing entity of type signal with identifier {{%s %s %s} %s}",
	               key->project, key->domain, key->execution_name, key->signal_id);
}

int signals_get(struct database_connection *c, struct arena *arena, const struct signal_key *key,
                struct signal_row *ret_row, struct err *e)
{
	const struct database_value values[] = { KEY_VALUES(key) };
	struct database_rows rows;
	const char *sql = "select " SIGNAL_COLUMNS " from signals s join executions e on e.id = s.execution_id"
	                  " where e.project = $1 and e.domain = $2 and e.name = $3 and s.signal_id = $4";
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return not_found(key, e);
	read_row(&rows, 0, ret_row);
	return 0;
}

int signals_get_or_create(struct database_connection *c, struct arena *arena, const struct signal_key *key,
                          struct proto_bytes type, struct signal_row *ret_row, struct err *e)
{
	const struct database_value values[] = { KEY_VALUES(key), DB_BYTES(type) };
	struct database_rows rows;
	const char *sql =
	        "insert into signals (execution_id, signal_id, type)"
	        " select e.id, $4, $5 from executions e where e.project = $1 and e.domain = $2 and e.name = $3"
	        " on conflict (execution_id, signal_id) do nothing";
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	return signals_get(c, arena, key, ret_row, e);
}

int signals_await(struct database_connection *c, struct arena *arena, int64_t execution_id, const char *signal_id,
                  struct proto_bytes type, struct proto_bytes *ret_value, struct err *e)
{
	const struct database_value values[] = { DB_INT(execution_id), DB_TEXT(signal_id), DB_BYTES(type) };
	struct database_rows rows;
	const char *sql = "with made as (insert into signals (execution_id, signal_id, type) values ($1, $2, $3)"
	                  " on conflict (execution_id, signal_id) do nothing)"
	                  " select value from signals where execution_id = $1 and signal_id = $2";
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	*ret_value = rows.count > 0 ? database_bytes(&rows, 0, 0) : (struct proto_bytes){ 0 };
	return 0;
}

int signals_set(struct database_connection *c, struct arena *arena, const struct signal_key *key,
                struct proto_bytes value, struct err *e)
{
	const struct database_value values[] = { KEY_VALUES(key), DB_BYTES(value), DB_TEXT(EXECUTIONS_CHANNEL) };
	struct database_rows rows;
	const char *sql =
	        "with changed as ("
	        "update signals s set value = $5, updated_at = now() from executions e where e.id = s.execution_id"
	        " and e.project = $1 and e.domain = $2 and e.name = $3 and s.signal_id = $4"
	        " returning s.execution_id"
	        ") select pg_notify($6, execution_id::text)::text from changed";
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	return rows.count > 0 ? 0 : not_found(key, e);
}

int signals_list(struct database_connection *c, struct list_query *query, struct signal_rows *ret_rows, struct err *e)
{
	struct database_rows rows;
	if (list_run(query, c, SIGNAL_COLUMNS, &rows, e) < 0)
		return -1;
	struct signal_row *read = arena_array(query->arena, struct signal_row, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		read_row(&rows, i, &read[i]);
	*ret_rows = (struct signal_rows){ .count = rows.count, .rows = read };
	return 0;
}
