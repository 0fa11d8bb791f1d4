/*
 * A real Postgres for tests, thrown away afterwards: a private cluster in a temporary directory, on a Unix socket only, without fsync. It
 * runs as a user that is not root, because Postgres refuses root.
 */
#ifndef SANDBOX_TESTS_UNIT_STORE_POSTGRES_H
#define SANDBOX_TESTS_UNIT_STORE_POSTGRES_H

#include "base/err.h"

/* The exit status of a test program that cannot run because no Postgres is installed (ctest shows it as skipped). */
#define POSTGRES_SKIP 77

struct postgres;

/* ERR_NOT_FOUND when this machine has no Postgres; SANDBOX_TEST_POSTGRES_BIN names the directory of another one. */
int postgres_start(struct postgres **ret_postgres, struct err *e);
struct postgres *postgres_stop(struct postgres *postgres);
/* A connection string for database "postgres". */
const char *postgres_url(const struct postgres *postgres);
/* A new empty database; the connection string is freed by the caller. */
char *postgres_create_database(struct postgres *postgres, const char *name);
/* Ends the server as a crash would, and starts it again. */
void postgres_restart(struct postgres *postgres);

#endif
