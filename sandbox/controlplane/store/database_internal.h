/* What the files of the database layer share: the connection behind the opaque type, and how one is made. */
#ifndef SANDBOX_CONTROLPLANE_STORE_DATABASE_INTERNAL_H
#define SANDBOX_CONTROLPLANE_STORE_DATABASE_INTERNAL_H

#include "controlplane/store/database.h"

#include <libpq-fe.h>

/* A statement prepared on one connection, found by its text and the types of its parameters. */
struct database_statement {
	uint64_t hash; /* 0: the slot is free */
	char *key;
	size_t key_length;
};

/* Slots of the table, a power of two; at most half of them are used, further statements run unprepared. */
#define DATABASE_STATEMENT_SLOTS 1024

struct database_connection {
	struct database *database;
	struct database_connection *next_free;
	PGconn *pg; /* NULL until the first borrow, and after the connection was lost */
	struct database_statement *statements;
	size_t statement_count;
	int64_t deadline_ms;   /* of statements; CLOCK_NEVER: none */
	struct cancel *cancel; /* or NULL */
};

const char *database_url(const struct database *database);

/*
 * Connects, trying again while Postgres is not there yet, until the deadline or until `stop_fd` (-1: none) is readable, which
 * is ERR_CANCELLED. ERR_UNAVAILABLE with the last reason at the deadline; ERR_PERMISSION or ERR_PRECONDITION at once when trying
 * again cannot help (wrong password, no such database).
 */
int database_connect(const char *url, int64_t deadline_ms, int stop_fd, PGconn **ret_pg, struct err *e);

/* Sets the error that a failed result stands for; returns -1. */
int database_fail(PGconn *pg, const PGresult *result, struct err *e);

/* Runs SQL without parameters or rows, several statements allowed. */
int database_run(PGconn *pg, const char *sql, struct err *e);

/* Frees what was prepared; the server forgets with the connection. */
void database_forget_statements(struct database_connection *c);

struct migration {
	int64_t version;
	const char *name;
	const unsigned char *sql; /* NUL-terminated */
	const size_t *size;
};
/* In ascending order of version; generated from store/migrations by CMake. */
extern const struct migration database_migrations[];
extern const size_t database_migration_count;

/* database_migrate with a list of one's own, for tests. */
int database_migrate_with(struct database *database, const struct migration *migrations, size_t count,
                          int64_t deadline_ms, struct err *e);

#endif
