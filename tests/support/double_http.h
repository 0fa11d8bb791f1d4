/*
 * A plain HTTP/1.1 server for doubles: one thread a connection, one handler for all. What it serves is trusted (it runs
 * on loopback beside the program under test), so a malformed request ends the program with a message.
 */
#ifndef SANDBOX_TESTS_SUPPORT_DOUBLE_HTTP_H
#define SANDBOX_TESTS_SUPPORT_DOUBLE_HTTP_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct double_request {
	int fd; /* a handler that streams writes here itself, after double_begin_stream */
	const char *method;
	const char *path;  /* without the query */
	const char *query; /* "" when there is none */
	const char *body;
	size_t length;
};

/* Serves until the process ends. The handler answers with double_answer, or streams and returns when the peer is gone.
 */
void double_serve(uint16_t port, void (*handle)(const struct double_request *request));

void double_answer(const struct double_request *request, int status, const char *content_type, const void *body,
                   size_t length);
void double_begin_stream(const struct double_request *request, const char *content_type);
/* One chunk; false when the peer is gone. */
bool double_stream(const struct double_request *request, const char *bytes, size_t length);

/* Ends the program when `ok` is false. */
void double_check(bool ok, const char *what);

#endif
