/*
 * Statements. Parameters and results travel in Postgres' binary formats: integers big-endian, timestamps as microseconds since
 * 2000-01-01, text and bytea as they are. A statement is prepared the first time a connection sees its text together with
 * the types of its parameters, and found again by a hash of both.
 */
#include "controlplane/store/database_internal.h"

#include "base/clock.h"
#include "base/metrics.h"

#include <endian.h>
#include <poll.h>
#include <string.h>

/* pg_type.oid of the types we bind. */
enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_TIMESTAMPTZ = 1184 };

#define PARAMETER_MAXIMUM 2048
/* 2000-01-01T00:00:00Z in microseconds since 1970. */
#define POSTGRES_EPOCH_US INT64_C(946684800000000)

struct database_cell {
	const uint8_t *data; /* NUL-terminated behind `length`; NULL for SQL null */
	size_t length;
};

/* Parameters as libpq takes them. */
struct parameters {
	Oid types[PARAMETER_MAXIMUM];
	const char *values[PARAMETER_MAXIMUM];
	int lengths[PARAMETER_MAXIMUM];
	int formats[PARAMETER_MAXIMUM];
	uint64_t scratch[PARAMETER_MAXIMUM];
};

static enum err_kind kind_of_sqlstate(const char *state)
{
	static const struct {
		const char *prefix;
		enum err_kind kind;
	} kinds[] = {
		{ "23505", ERR_EXISTS },     { "23503", ERR_PRECONDITION }, { "40001", ERR_CONFLICT },
		{ "40P01", ERR_CONFLICT },   { "55P03", ERR_CONFLICT },     { "57014", ERR_TIMEOUT },
		{ "22021", ERR_INVALID },    { "22P05", ERR_INVALID },      { "08", ERR_UNAVAILABLE },
		{ "57P0", ERR_UNAVAILABLE }, { "53", ERR_EXHAUSTED },       { "54", ERR_EXHAUSTED },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
		if (strncmp(state, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].kind;
	}
	return ERR_INTERNAL;
}

int database_fail(PGconn *pg, const PGresult *result, struct err *e)
{
	if (PQstatus(pg) != CONNECTION_OK)
		return err_set(e, ERR_UNAVAILABLE, "database-lost", "the connection to the database was lost");
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *detail = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) : NULL;
	if (!message)
		message = result && PQresultStatus(result) < PGRES_BAD_RESPONSE ? "unexpected kind of result"
		                                                                : PQerrorMessage(pg);
	return err_set(e, state ? kind_of_sqlstate(state) : ERR_INTERNAL, "database", "database: %s%s%s%s%s%s", message,
	               detail ? ": " : "", detail ? detail : "", state ? " (" : "", state ? state : "",
	               state ? ")" : "");
}

int database_run(PGconn *pg, const char *sql, struct err *e)
{
	PGresult *result = PQexec(pg, sql);
	ExecStatusType status = PQresultStatus(result);
	int outcome = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : database_fail(pg, result, e);
	PQclear(result);
	return outcome;
}

int database_begin(struct database_connection *c, struct err *e)
{
	return database_run(c->pg, "begin", e);
}

/* A commit of a transaction that failed before is a rollback, and Postgres says so only in the command tag. */
int database_commit(struct database_connection *c, struct err *e)
{
	PGresult *result = PQexec(c->pg, "commit");
	int outcome = 0;
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		outcome = database_fail(c->pg, result, e);
	else if (strcmp(PQcmdStatus(result), "COMMIT") != 0)
		outcome = err_set(e, ERR_INTERNAL, "database",
		                  "database: commit of a transaction in which a statement had failed");
	PQclear(result);
	return outcome;
}

int database_rollback(struct database_connection *c, struct err *e)
{
	return database_run(c->pg, "rollback", e);
}

static void bind_scalar(struct parameters *p, size_t i, Oid type, const void *bytes, size_t length)
{
	memcpy(&p->scratch[i], bytes, length);
	p->types[i] = type;
	p->values[i] = (const char *)&p->scratch[i];
	p->lengths[i] = (int)length;
}

static int64_t postgres_time(int64_t wall_ns)
{
	/* Towards the past also before 1970: Postgres keeps microseconds. */
	int64_t us = wall_ns / 1000 - (wall_ns % 1000 < 0);
	return us - POSTGRES_EPOCH_US;
}

static int bind_bytes(struct parameters *p, size_t i, Oid type, const void *bytes, size_t length, struct err *e)
{
	if (length > INT32_MAX / 2)
		return err_set(e, ERR_EXHAUSTED, NULL, "a value of %zu bytes is too large for the database", length);
	p->types[i] = type;
	p->values[i] = bytes;
	p->lengths[i] = (int)length;
	return 0;
}

static int bind_one(struct parameters *p, size_t i, const struct database_value *value, struct err *e)
{
	p->formats[i] = 1;
	p->values[i] = NULL;
	p->lengths[i] = 0;
	uint64_t wide;
	uint8_t byte;
	switch (value->type) {
	case DATABASE_NULL:
		p->types[i] = 0;
		return 0;
	case DATABASE_TEXT:
		return bind_bytes(p, i, OID_TEXT, value->text, value->text ? strlen(value->text) : 0, e);
	case DATABASE_BYTES:
		return bind_bytes(p, i, OID_BYTEA, value->bytes.data, value->bytes.length, e);
	case DATABASE_INT64:
		wide = htobe64((uint64_t)value->integer);
		bind_scalar(p, i, OID_INT8, &wide, sizeof(wide));
		return 0;
	case DATABASE_TIME:
		wide = htobe64((uint64_t)postgres_time(value->integer));
		bind_scalar(p, i, OID_TIMESTAMPTZ, &wide, sizeof(wide));
		return 0;
	case DATABASE_BOOL:
		byte = value->boolean;
		bind_scalar(p, i, OID_BOOL, &byte, sizeof(byte));
		return 0;
	}
	return err_set(e, ERR_INTERNAL, NULL, "unknown type of a database value");
}

static int bind_all(struct parameters *p, const struct database_value *values, size_t count, struct err *e)
{
	if (count > PARAMETER_MAXIMUM)
		return err_set(e, ERR_EXHAUSTED, NULL, "%zu values for one statement are more than %d", count,
		               PARAMETER_MAXIMUM);
	for (size_t i = 0; i < count; i++) {
		if (bind_one(p, i, &values[i], e) < 0)
			return -1;
	}
	return 0;
}

void database_forget_statements(struct database_connection *c)
{
	for (size_t i = 0; c->statements && i < DATABASE_STATEMENT_SLOTS; i++) {
		free(c->statements[i].key);
		c->statements[i] = (struct database_statement){ .hash = 0 };
	}
	c->statement_count = 0;
}

/* FNV-1a, never 0. */
static uint64_t hash_of(const char *bytes, size_t length)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)bytes[i]) * UINT64_C(1099511628211);
	return hash ? hash : 1;
}

/* The slot of this text and these types; its key is NULL when it was not prepared yet. NULL when the table is full. */
static struct database_statement *find_statement(struct database_connection *c, const char *sql,
                                                 const struct parameters *p, size_t count)
{
	if (!c->statements)
		c->statements = xcalloc(DATABASE_STATEMENT_SLOTS, sizeof(*c->statements));
	size_t sql_length = strlen(sql), length = sql_length + count;
	auto_free char *key = xmalloc(length + 1);
	memcpy(key, sql, sql_length);
	for (size_t i = 0; i < count; i++)
		key[sql_length + i] = (char)(p->types[i] % 128);
	uint64_t hash = hash_of(key, length);
	for (size_t i = hash % DATABASE_STATEMENT_SLOTS;; i = (i + 1) % DATABASE_STATEMENT_SLOTS) {
		struct database_statement *slot = &c->statements[i];
		if (slot->hash == hash && slot->key_length == length && memcmp(slot->key, key, length) == 0)
			return slot;
		if (slot->hash)
			continue;
		if (c->statement_count >= DATABASE_STATEMENT_SLOTS / 2)
			return NULL;
		slot->key = steal_ptr(key);
		slot->key_length = length;
		return slot; /* hash stays 0 until it is prepared */
	}
}

static int prepare(struct database_connection *c, struct database_statement *slot, const char *name, const char *sql,
                   const struct parameters *p, size_t count, struct err *e)
{
	PGresult *result = PQprepare(c->pg, name, sql, (int)count, p->types);
	int outcome = 0;
	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		slot->hash = hash_of(slot->key, slot->key_length);
		c->statement_count++;
	} else {
		outcome = database_fail(c->pg, result, e);
		free(slot->key);
		*slot = (struct database_statement){ .hash = 0 };
	}
	PQclear(result);
	return outcome;
}

METRIC_HISTOGRAM(statements, "sandbox_database_statement_seconds", "Statements sent to Postgres, until their result was there.");
METRIC_COUNTER(statement_errors, "sandbox_database_errors_total", "Statements that failed.");

/* How long the server has to say that it has ended a statement. */
#define CANCEL_GRACE_MS 5000

/* Asks the server to end what runs. It answers on the connection itself, with an error or with the result if that was quicker. */
static void cancel_statement(struct database_connection *c)
{
	char ignored[256];
	PGcancel *cancel = PQgetCancel(c->pg);
	if (cancel)
		(void)PQcancel(cancel, ignored, sizeof(ignored));
	PQfreeCancel(cancel);
}

/*
 * Waits for something to read (or, while sending, for room to write) within the bounds of the connection; out of them the statement is
 * ended once. -1: the server does not react to that either.
 */
static int await_socket(struct database_connection *c, bool sending, bool *cancelled)
{
	const short wanted = sending ? POLLIN | POLLOUT : POLLIN;
	struct pollfd fds[] = { { .fd = PQsocket(c->pg), .events = wanted },
		                { .fd = *cancelled ? -1 : cancel_fd(c->cancel), .events = POLLIN } };
	if (poll(fds, ARRAY_LENGTH(fds), clock_poll_timeout(c->deadline_ms)) > 0 && fds[0].revents)
		return 0;
	if (!*cancelled && (fds[1].revents || clock_monotonic_ms() >= c->deadline_ms)) {
		*cancelled = true;
		cancel_statement(c);
		c->deadline_ms = clock_monotonic_ms() + CANCEL_GRACE_MS;
		return 0;
	}
	return *cancelled && clock_monotonic_ms() >= c->deadline_ms ? -1 : 0;
}

/* What was sent has one result; it is the last that is not NULL. NULL: the connection is of no use any more. */
static PGresult *await_result(struct database_connection *c, bool *cancelled)
{
	int left;
	while ((left = PQflush(c->pg)) > 0)
		if (await_socket(c, true, cancelled) < 0 || !PQconsumeInput(c->pg))
			return NULL;
	PGresult *last = NULL;
	while (left == 0) {
		while (PQisBusy(c->pg)) {
			if (await_socket(c, false, cancelled) < 0 || !PQconsumeInput(c->pg)) {
				PQclear(last);
				return NULL;
			}
		}
		PGresult *result = PQgetResult(c->pg);
		if (!result)
			break;
		PQclear(last);
		last = result;
	}
	return last;
}

/* Without bounds libpq's own wait is the shortest way. */
static PGresult *run_statement(struct database_connection *c, const char *name, const char *sql, const struct parameters *p, int count,
                               bool *cancelled)
{
	if (c->deadline_ms == CLOCK_NEVER && !c->cancel)
		return name ? PQexecPrepared(c->pg, name, count, p->values, p->lengths, p->formats, 1)
		            : PQexecParams(c->pg, sql, count, p->types, p->values, p->lengths, p->formats, 1);
	const int sent = name ? PQsendQueryPrepared(c->pg, name, count, p->values, p->lengths, p->formats, 1)
	                      : PQsendQueryParams(c->pg, sql, count, p->types, p->values, p->lengths, p->formats, 1);
	return sent ? await_result(c, cancelled) : NULL;
}

/* The error of a statement that was ended by us says by what. */
static void fail_statement(struct database_connection *c, const PGresult *result, bool cancelled, struct err *e)
{
	metric_add(&statement_errors, 1);
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	if (cancelled && (!result || (state && strcmp(state, "57014") == 0))) {
		bool asked = cancel_is_requested(c->cancel);
		err_set(e, asked ? ERR_CANCELLED : ERR_TIMEOUT, "database-cancelled", "database: the statement was ended, because %s",
		        asked ? "nobody waits for it any more" : "its time was up");
	} else {
		database_fail(c->pg, result, e);
	}
}

/* The result of a statement that succeeded, or NULL with `e` set. */
static PGresult *perform(struct database_connection *c, bool prepared, const char *sql,
                         const struct database_value *values, size_t count, struct err *e)
{
	if (!c->pg) {
		err_set(e, ERR_UNAVAILABLE, "database-lost", "the connection to the database was lost");
		return NULL;
	}
	auto_free struct parameters *p = xmalloc(sizeof(*p));
	if (bind_all(p, values, count, e) < 0)
		return NULL;
	bool cancelled = false;
	int64_t began_us = clock_monotonic_us();
	PGresult *result;
	struct database_statement *slot = prepared ? find_statement(c, sql, p, count) : NULL;
	if (slot) {
		char name[32];
		(void)snprintf(name, sizeof(name), "s%td", slot - c->statements);
		if (!slot->hash && prepare(c, slot, name, sql, p, count, e) < 0)
			return NULL;
		result = run_statement(c, name, sql, p, (int)count, &cancelled);
	} else {
		result = run_statement(c, NULL, sql, p, (int)count, &cancelled);
	}
	metric_observe(&statements, clock_monotonic_us() - began_us);
	ExecStatusType status = PQresultStatus(result);
	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return result;
	fail_statement(c, result, cancelled, e);
	PQclear(result);
	return NULL;
}

/* Bytes that a row's cells take, with the NUL that is put behind each. */
static size_t row_size(const PGresult *result, int row, int columns)
{
	size_t size = 0;
	for (int column = 0; column < columns; column++)
		size += (size_t)PQgetlength(result, row, column) + 1;
	return size;
}

static int copy_rows(const PGresult *result, struct arena *arena, size_t maximum_bytes, struct database_rows *ret_rows,
                     bool *ret_cut, struct err *e)
{
	int rows = PQntuples(result), columns = PQnfields(result), taken = 0;
	size_t bytes = 0;
	for (; taken < rows; taken++) {
		size_t more = row_size(result, taken, columns);
		if (taken && bytes + more > maximum_bytes)
			break;
		bytes += more;
	}
	size_t cell_count = (size_t)taken * (size_t)columns;
	struct database_cell *cells = arena_try_alloc(arena, cell_count * sizeof(*cells));
	uint8_t *data = cells ? arena_try_alloc(arena, bytes) : NULL;
	if (!data)
		return err_set(e, ERR_EXHAUSTED, NULL, "%d rows of %zu bytes are more than one call may use", rows,
		               bytes);
	for (size_t i = 0; i < cell_count; i++) {
		int row = (int)(i / (size_t)columns), column = (int)(i % (size_t)columns);
		if (PQgetisnull(result, row, column))
			continue;
		cells[i].length = (size_t)PQgetlength(result, row, column);
		cells[i].data = data;
		memcpy(data, PQgetvalue(result, row, column), cells[i].length);
		data += cells[i].length + 1;
	}
	*ret_rows = (struct database_rows){ .count = (size_t)taken, .columns = (size_t)columns, .cells = cells };
	*ret_cut = taken < rows;
	return 0;
}

int database_query(struct database_connection *c, struct arena *arena, const char *sql,
                   const struct database_value *values, size_t value_count, struct database_rows *ret_rows,
                   struct err *e)
{
	PGresult *result = perform(c, true, sql, values, value_count, e);
	if (!result)
		return -1;
	bool cut;
	int outcome = copy_rows(result, arena, SIZE_MAX, ret_rows, &cut, e);
	PQclear(result);
	return outcome;
}

int database_query_page(struct database_connection *c, struct arena *arena, const char *sql,
                        const struct database_value *values, size_t value_count, size_t maximum_bytes,
                        struct database_rows *ret_rows, bool *ret_cut, struct err *e)
{
	PGresult *result = perform(c, false, sql, values, value_count, e);
	if (!result)
		return -1;
	int outcome = copy_rows(result, arena, maximum_bytes, ret_rows, ret_cut, e);
	PQclear(result);
	return outcome;
}

int64_t database_execute(struct database_connection *c, const char *sql, const struct database_value *values,
                         size_t value_count, struct err *e)
{
	PGresult *result = perform(c, true, sql, values, value_count, e);
	if (!result)
		return -1;
	int64_t affected = strtoll(PQcmdTuples(result), NULL, 10);
	PQclear(result);
	return affected;
}

static const struct database_cell *cell_at(const struct database_rows *rows, size_t row, size_t column)
{
	static const struct database_cell none = { .data = NULL };
	if (row >= rows->count || column >= rows->columns)
		return &none;
	return &rows->cells[row * rows->columns + column];
}

bool database_is_null(const struct database_rows *rows, size_t row, size_t column)
{
	return !cell_at(rows, row, column)->data;
}

const char *database_text(const struct database_rows *rows, size_t row, size_t column)
{
	const struct database_cell *cell = cell_at(rows, row, column);
	return cell->data ? (const char *)cell->data : "";
}

int64_t database_int(const struct database_rows *rows, size_t row, size_t column)
{
	const struct database_cell *cell = cell_at(rows, row, column);
	uint16_t narrow;
	uint32_t medium;
	uint64_t wide;
	switch (cell->data ? cell->length : 0) {
	case sizeof(narrow):
		memcpy(&narrow, cell->data, sizeof(narrow));
		return (int16_t)be16toh(narrow);
	case sizeof(medium):
		memcpy(&medium, cell->data, sizeof(medium));
		return (int32_t)be32toh(medium);
	case sizeof(wide):
		memcpy(&wide, cell->data, sizeof(wide));
		return (int64_t)be64toh(wide);
	default:
		return 0;
	}
}

bool database_bool(const struct database_rows *rows, size_t row, size_t column)
{
	const struct database_cell *cell = cell_at(rows, row, column);
	return cell->data && cell->length == 1 && cell->data[0];
}

struct proto_bytes database_bytes(const struct database_rows *rows, size_t row, size_t column)
{
	const struct database_cell *cell = cell_at(rows, row, column);
	return (struct proto_bytes){ .data = cell->data, .length = cell->length };
}

int64_t database_time(const struct database_rows *rows, size_t row, size_t column)
{
	if (database_is_null(rows, row, column))
		return 0;
	int64_t since_2000 = database_int(rows, row, column), wall_ns;
	/* 'infinity' and dates that nanoseconds cannot hold. */
	if (__builtin_mul_overflow(since_2000, 1000, &wall_ns) ||
	    __builtin_add_overflow(wall_ns, POSTGRES_EPOCH_US * 1000, &wall_ns))
		return since_2000 < 0 ? INT64_MIN : INT64_MAX;
	return wall_ns;
}
