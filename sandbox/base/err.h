/*
 * The one error type. A fallible function takes `struct err *e` last, returns 0 (or a count) on success and a negative number on
 * failure, and then — only then — has set `e`. Callers add context with err_wrap as the error goes up, so that the text reads
 * from the general to the cause: "cannot start the sandbox: cannot create the container: port 30080 is taken".
 *
 * `kind` says what sort of failure it is; transports map it (gRPC code, HTTP status, exit code). `id` is a stable name that scripts and
 * documentation rely on, e.g. "port-taken". `hint` is the next step for the person who reads it; both may be NULL.
 * Library code never prints an error; main functions and RPC transports do.
 */
#ifndef SANDBOX_BASE_ERR_H
#define SANDBOX_BASE_ERR_H

#include "base/memory.h"

enum err_kind {
	ERR_NONE = 0,
	ERR_INTERNAL,      /* our fault, or a peer broke its protocol */
	ERR_USAGE,         /* command line misuse */
	ERR_INVALID,       /* bad input in a request or file */
	ERR_NOT_FOUND,
	ERR_EXISTS,
	ERR_CONFLICT,      /* somebody else holds the thing: a port, a name, a lock */
	ERR_PRECONDITION,  /* the thing is in a state that forbids it */
	ERR_PERMISSION,
	ERR_UNAUTHENTICATED,
	ERR_EXHAUSTED,     /* a limit: size, disk, memory, quota */
	ERR_TIMEOUT,
	ERR_UNAVAILABLE,   /* peer not there; may work later */
	ERR_UNSUPPORTED,
	ERR_CANCELLED,
	ERR_KIND_COUNT
};

struct err {
	enum err_kind kind;
	const char *id; /* static string or NULL */
	char *message;  /* owned */
	char *hint;     /* owned, may be NULL */
};

#define ERR_INIT { .kind = ERR_NONE }

/* Declares an error that releases itself: auto_err struct err e = ERR_INIT; */
#define auto_err __attribute__((cleanup(err_release)))

void err_release(struct err *e);

/* Sets a fresh error (whatever was there is released) and returns -1. `e` may be NULL when the caller does not care why. */
int err_set(struct err *e, enum err_kind kind, const char *id, const char *format, ...) PRINTF_LIKE(4, 5);
/* As err_set, with ": <strerror(errno_value)>" appended. ENOENT, EACCES/EPERM, EEXIST, ENOSPC and ETIMEDOUT choose their kind. */
int err_set_errno(struct err *e, int errno_value, const char *id, const char *format, ...) PRINTF_LIKE(4, 5);
/* Puts "<context>: " in front. Returns -1, so that `return err_wrap(e, ...)` reads well. */
int err_wrap(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);
/* Sets the next step unless one is already there: the hint nearest to the cause wins. Returns -1. */
int err_hint(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);
/* Moves `from` into `to` (released first); `from` is empty afterwards. Returns -1. */
int err_move(struct err *to, struct err *from);

/* "invalid", "not-found" …: the id used where none was given. */
const char *err_kind_name(enum err_kind kind);
/* The stable id: `id`, else the kind's name. */
const char *err_id(const struct err *e);
/* Message or "". */
const char *err_message(const struct err *e);

#endif
