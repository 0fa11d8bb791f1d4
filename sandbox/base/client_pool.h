/*
 * HTTP clients shared by threads: a client is borrowed for one exchange and given back, and the one given back last is
 * lent first, so that connections stay warm. There are as many as were ever needed at once.
 */
#ifndef SANDBOX_BASE_CLIENT_POOL_H
#define SANDBOX_BASE_CLIENT_POOL_H

#include "base/http.h"

struct client_pool;

/* Options are copied. */
struct client_pool *client_pool_new(const struct http_client_options *options);
/* No client may be lent out any more. */
struct client_pool *client_pool_free(struct client_pool *pool);

/* http_perform on a client of the pool. */
int client_pool_perform(struct client_pool *pool, const struct http_request *request,
                        struct http_response *ret_response, struct err *e);
/* A client of one's own with the same options, for a stream that may have to be cancelled. Free with http_client_free.
 */
struct http_client *client_pool_make(const struct client_pool *pool);

#endif
