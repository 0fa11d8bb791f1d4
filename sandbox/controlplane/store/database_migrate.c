/*
 * Migrations: store/migrations/NNNN_name.sql, embedded, applied in order and once. The table schema_migrations remembers each with the
 * SHA-256 of its text, so that an edited file is found out. Every migration is one transaction that takes an advisory lock
 * first and looks afterwards at what is missing; replicas that start together therefore apply each exactly once.
 */
#include "controlplane/store/database_internal.h"

#include "base/clock.h"

#include <inttypes.h>

/* Any number that nobody else uses as an advisory lock in this database. */
#define MIGRATION_LOCK "7310579626912407137"

#define CREATE_TABLE                                                                                                   \
	"create table if not exists schema_migrations (version bigint primary key, name text not null,"                \
	" sha256 bytea not null, applied_at timestamptz not null default now())"

static int compare(struct database_connection *c, struct arena *arena, const struct migration *migrations, size_t count,
                   size_t *ret_applied, struct err *e)
{
	struct database_rows rows;
	if (database_query(c, arena, "select version, name, sha256 from schema_migrations order by version", NULL, 0,
	                   &rows, e) < 0)
		return -1;
	if (rows.count > count)
		return err_set(e, ERR_PRECONDITION, "database-newer",
		               "the database has migration %" PRId64 " (%s), which this program does not know",
		               database_int(&rows, rows.count - 1, 0), database_text(&rows, rows.count - 1, 1));
	for (size_t i = 0; i < rows.count; i++) {
		struct database_rows same;
		struct database_value values[] = {
			DB_BYTES(database_bytes(&rows, i, 2)),
			DB_BYTES(((struct proto_bytes){ .data = migrations[i].sql, .length = *migrations[i].size })),
		};
		if (database_query(c, arena, "select $1 = sha256($2)", values, 2, &same, e) < 0)
			return -1;
		if (database_int(&rows, i, 0) != migrations[i].version || !database_bool(&same, 0, 0))
			return err_set(e, ERR_PRECONDITION, "database-differs",
			               "migration %" PRId64
			               " (%s) of the database is not the one that this program has",
			               database_int(&rows, i, 0), database_text(&rows, i, 1));
	}
	*ret_applied = rows.count;
	return 0;
}

static int apply(struct database_connection *c, const struct migration *migration, struct err *e)
{
	/* The file may take longer than a request may. */
	if (database_run(c->pg, "set local statement_timeout = 0", e) < 0 ||
	    database_run(c->pg, (const char *)migration->sql, e) < 0)
		return err_wrap(e, "migration %" PRId64 " (%s)", migration->version, migration->name);
	struct database_value values[] = {
		DB_INT(migration->version),
		DB_TEXT(migration->name),
		DB_BYTES(((struct proto_bytes){ .data = migration->sql, .length = *migration->size })),
	};
	return database_execute(c, "insert into schema_migrations (version, name, sha256) values ($1, $2, sha256($3))",
	                        values, 3, e) < 0
	               ? -1
	               : 0;
}

/* One transaction: applies the first that is missing. 1 when there was one, 0 when all are there. */
static int step(struct database_connection *c, const struct migration *migrations, size_t count, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 * 1024 * 1024);
	size_t applied;
	if (database_begin(c, e) < 0 ||
	    database_run(c->pg, "select pg_advisory_xact_lock(" MIGRATION_LOCK ")", e) < 0 ||
	    database_run(c->pg, CREATE_TABLE, e) < 0 || compare(c, &arena, migrations, count, &applied, e) < 0)
		return -1;
	if (applied < count && apply(c, &migrations[applied], e) < 0)
		return -1;
	if (database_commit(c, e) < 0)
		return -1;
	return applied < count;
}

int database_migrate_with(struct database *database, const struct migration *migrations, size_t count,
                          int64_t deadline_ms, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(database, deadline_ms, &c, e) < 0)
		return -1;
	int more;
	while ((more = step(c, migrations, count, e)) > 0) {
		if (clock_monotonic_ms() >= deadline_ms)
			return err_set(e, ERR_TIMEOUT, NULL, "the database's migrations were not all applied in time");
	}
	return more;
}

int database_migrate(struct database *database, int64_t deadline_ms, struct err *e)
{
	if (database_migrate_with(database, database_migrations, database_migration_count, deadline_ms, e) < 0)
		return err_wrap(e, "cannot prepare the database");
	return 0;
}
