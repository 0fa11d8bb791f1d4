/* A blocking gRPC client over nghttp2, for one test thread: calls are started, then run until their results are
 * complete. */
#ifndef TESTS_RPC_H2_CLIENT_H
#define TESTS_RPC_H2_CLIENT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct h2_client;

struct h2_result {
	bool closed;
	uint32_t reset; /* error code of RST_STREAM, 0 when it ended in order */
	int http_status;
	int grpc_status; /* -1: none came */
	bool trailers_only;
	struct buf message; /* grpc-message as sent */
	struct buf details; /* grpc-status-details-bin as sent */
	struct buf body;
	int32_t stream;
};

struct h2_request {
	const char *path;
	const char *timeout;      /* grpc-timeout or NULL */
	const char *encoding;     /* grpc-encoding or NULL */
	const char *accept_encoding; /* grpc-accept-encoding or NULL */
	const char *content_type; /* NULL: application/grpc */
	const void *body;
	size_t length;
	bool endless; /* the body does not end */
};

struct h2_client *h2_client_open(uint16_t port);
struct h2_client *h2_client_close(struct h2_client *client);
/* The result has to stay where it is until it is closed. */
void h2_client_start(struct h2_client *client, const struct h2_request *request, struct h2_result *ret_result);
void h2_client_cancel(struct h2_client *client, const struct h2_result *result);
/* Moves bytes until the result is complete; false after ten seconds or when the connection ended before. */
bool h2_client_run(struct h2_client *client, const struct h2_result *result);
/* Sends what is pending and takes what is there, without waiting for more than `wait_ms`. */
void h2_client_step(struct h2_client *client, int wait_ms);
/* Whether the server has announced its end; whether it has closed. */
bool h2_client_saw_goaway(const struct h2_client *client);
bool h2_client_is_closed(const struct h2_client *client);
void h2_result_release(struct h2_result *result);

/* Connects to 127.0.0.1; -1 on failure. */
int connect_to(uint16_t port);

#endif
