/*
 * Postgres. A `struct database` is a pool of connections shared by all threads; a thread borrows one for the length of a request or
 * an engine round and gives it back. Statements are prepared once per connection, keyed by the text of the SQL, which must be a
 * constant or come from a bounded set. Values travel in binary.
 *
 * Transactions: database_begin … database_commit; a borrowed connection that is returned inside a transaction is rolled back, so an
 * early return on an error needs no clean-up of its own.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_DATABASE_H
#define SANDBOX_CONTROLPLANE_STORE_DATABASE_H

#include "base/arena.h"
#include "base/cancel.h"
#include "base/err.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stdint.h>

struct database;
struct database_connection;

/* `url` is a libpq connection string. Does not connect yet: the first borrow does, and retries until its deadline. */
struct database *database_new(const char *url, unsigned pool_size);
struct database *database_free(struct database *database);
/* Waits for a free connection and, while Postgres is starting or restarting, for it. ERR_TIMEOUT / ERR_UNAVAILABLE. */
int database_borrow(struct database *database, int64_t deadline_ms, struct database_connection **ret_connection, struct err *e);
/*
 * Until it is returned, statements on this connection are ended when the deadline has passed (ERR_TIMEOUT) or `cancel` is requested
 * (ERR_CANCELLED; NULL: never). Without it they take what they take.
 */
void database_bound(struct database_connection *connection, int64_t deadline_ms, struct cancel *cancel);
void database_return(struct database_connection *connection);
/* SELECT 1 on a connection of the pool: whether somebody answers. */
int database_ping(struct database *database, int64_t deadline_ms, struct err *e);
void cleanup_database_connection(struct database_connection **connection);
#define auto_connection __attribute__((cleanup(cleanup_database_connection)))

/* Applies the embedded migrations that are missing, in order, under an advisory lock; safe with several replicas. */
int database_migrate(struct database *database, int64_t deadline_ms, struct err *e);

enum database_type { DATABASE_NULL, DATABASE_TEXT, DATABASE_INT64, DATABASE_BOOL, DATABASE_BYTES, DATABASE_TIME };

/* A parameter. Bound as text, bigint, boolean, bytea, timestamptz: cast in SQL ($1::smallint) where the column differs. */
struct database_value {
	enum database_type type;
	union {
		const char *text;
		int64_t integer; /* DATABASE_TIME: nanoseconds since the Unix epoch */
		bool boolean;
		struct proto_bytes bytes;
	};
};

#define DB_NULL ((struct database_value){ .type = DATABASE_NULL })
#define DB_TEXT(value) ((struct database_value){ .type = DATABASE_TEXT, .text = (value) }) /* NULL pointer: SQL null */
#define DB_INT(value) ((struct database_value){ .type = DATABASE_INT64, .integer = (value) })
#define DB_BOOL(value) ((struct database_value){ .type = DATABASE_BOOL, .boolean = (value) })
#define DB_BYTES(value) ((struct database_value){ .type = DATABASE_BYTES, .bytes = (value) }) /* NULL data: SQL null */
#define DB_TIME(value) ((struct database_value){ .type = DATABASE_TIME, .integer = (value) })

/* Rows live in the arena given to database_query. */
struct database_rows {
	size_t count;
	size_t columns;
	const struct database_cell *cells;
};

/*
 * Runs one statement. Errors carry a kind made from the SQLSTATE: unique violation ERR_EXISTS, foreign key ERR_PRECONDITION, serialization
 * or deadlock ERR_CONFLICT, connection loss ERR_UNAVAILABLE, else ERR_INTERNAL.
 *	struct database_rows rows;
 *	database_query(c, arena, "select id from tasks where name = $1", (struct database_value[]){ DB_TEXT(name) }, 1, &rows, e)
 */
int database_query(struct database_connection *c, struct arena *arena, const char *sql, const struct database_value *values,
		   size_t value_count, struct database_rows *ret_rows, struct err *e);
/*
 * As database_query for SQL that is put together at run time (store/list.h): not prepared, so that an endless variety of texts cannot
 * fill the statement cache. Rows are taken until their cells come to `maximum_bytes` (at least one); `ret_cut` tells that some were left.
 */
int database_query_page(struct database_connection *c, struct arena *arena, const char *sql, const struct database_value *values,
			size_t value_count, size_t maximum_bytes, struct database_rows *ret_rows, bool *ret_cut, struct err *e);
/* As database_query for statements without rows; returns the number of rows affected, or -1. */
int64_t database_execute(struct database_connection *c, const char *sql, const struct database_value *values, size_t value_count,
			 struct err *e);
int database_begin(struct database_connection *c, struct err *e);
int database_commit(struct database_connection *c, struct err *e);
int database_rollback(struct database_connection *c, struct err *e);

bool database_is_null(const struct database_rows *rows, size_t row, size_t column);
const char *database_text(const struct database_rows *rows, size_t row, size_t column); /* "" for null; NUL-terminated */
int64_t database_int(const struct database_rows *rows, size_t row, size_t column);      /* any integer width; 0 for null */
bool database_bool(const struct database_rows *rows, size_t row, size_t column);
struct proto_bytes database_bytes(const struct database_rows *rows, size_t row, size_t column); /* NULL data for null */
int64_t database_time(const struct database_rows *rows, size_t row, size_t column); /* ns since the epoch; 0 for null */

/*
 * LISTEN on `channel` on a connection of its own; calls `on_notify` (payload) from the calling thread until `stop_fd` becomes readable.
 * Reconnects when the connection is lost. After every LISTEN, the first included, it calls `on_notify` with "": something may have been
 * missed before. Returns 0 after stop, -1 when the database refuses the connection for good.
 */
int database_listen(struct database *database, const char *channel, int stop_fd, void (*on_notify)(void *context, const char *payload),
		    void *context, struct err *e);

#endif
