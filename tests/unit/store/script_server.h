/*
 * An HTTP server for tests that plays a script: the n-th request gets the n-th answer, whatever connection it comes on.
 * Answers are sent in pieces whose sizes come from a seeded generator, so that every boundary gets cut somewhere.
 */
#ifndef SANDBOX_TESTS_UNIT_STORE_SCRIPT_SERVER_H
#define SANDBOX_TESTS_UNIT_STORE_SCRIPT_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct script_answer {
	int status;          /* 0: close the connection without an answer */
	const char *headers; /* further "Name: value\r\n" lines, or NULL */
	const char *body;    /* NULL: none */
	bool chunked;        /* chunked transfer in random chunks, else Content-Length */
	bool cut;            /* chunked: close the connection instead of ending the body */
	bool hold;           /* chunked: neither end the body nor close, until the server stops */
};

struct script_server;

struct script_server *script_server_start(const struct script_answer *answers, size_t count, unsigned seed);
struct script_server *script_server_stop(struct script_server *server);
const char *script_server_url(const struct script_server *server); /* "http://127.0.0.1:<port>" */
size_t script_server_count(struct script_server *server);          /* requests so far */
/* The n-th request as it came, head and body; "" when there was none. Valid until the server stops. */
const char *script_server_request(struct script_server *server, size_t index);

#endif
