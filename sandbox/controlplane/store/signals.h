/*
 * Rows of the table `signals`: what gates of an execution wait for. A row is made when a gate is reached, so a signal
 * that no gate waits for does not exist. Rows and everything they point to live in the arena given.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_SIGNALS_H
#define SANDBOX_CONTROLPLANE_STORE_SIGNALS_H

#include "controlplane/store/database.h"
#include "controlplane/store/list.h"

struct signal_key {
	const char *project, *domain, *execution_name, *signal_id;
};

struct signal_row {
	const char *project, *domain, *execution_name, *signal_id;
	struct proto_bytes type;  /* flyteidl.core.LiteralType */
	struct proto_bytes value; /* flyteidl.core.Literal; NULL data until it is set */
};

struct signal_rows {
	size_t count;
	struct signal_row *rows;
};

/* ERR_NOT_FOUND when there is none. */
int signals_get(struct database_connection *c, struct arena *arena, const struct signal_key *key,
                struct signal_row *ret_row, struct err *e);
/* The row there is, or a new one of that type without value. ERR_NOT_FOUND when there is no such execution. */
int signals_get_or_create(struct database_connection *c, struct arena *arena, const struct signal_key *key,
                          struct proto_bytes type, struct signal_row *ret_row, struct err *e);
/* The same by the execution's row, for the engine; the value alone, NULL data while there is none. */
int signals_await(struct database_connection *c, struct arena *arena, int64_t execution_id, const char *signal_id,
                  struct proto_bytes type, struct proto_bytes *ret_value, struct err *e);
/* Sets the value and tells the engine, in one statement. ERR_NOT_FOUND. */
int signals_set(struct database_connection *c, struct arena *arena, const struct signal_key *key,
                struct proto_bytes value, struct err *e);
/* One page of a list of LIST_SIGNAL; see store/list.h; the next token is in the query. */
int signals_list(struct database_connection *c, struct list_query *query, struct signal_rows *ret_rows, struct err *e);

#endif
