/*
 * Which web pages may call this API from a browser. Nothing here asks for a password, so the page's origin is all there is to go by:
 *
 * - the page that this server itself delivered (Origin names the same host and port as Host),
 * - a page from this machine, where developers run theirs: http or https, localhost, *.localhost, 127.0.0.0/8 or [::1], any port.
 *
 * These are answered with CORS headers (https://fetch.spec.whatwg.org/#http-cors-protocol); everybody else's pages may change
 * nothing and read nothing. docs/decisions/0015-browser-origins.md.
 */
#ifndef SANDBOX_RPC_ORIGIN_H
#define SANDBOX_RPC_ORIGIN_H

#include "rpc/exchange.h"

/* `authority` is Host or :authority; both may be NULL. */
bool rpc_origin_is_allowed(const char *origin, const char *authority);
/* A page that may not do this asks for it. Requests that change nothing are left to the browser, which does not show it the answer. */
bool rpc_origin_is_refused(const struct rpc_head *head);
/* Answers the question a browser asks before a call ("preflight"); false when the request is none. */
bool rpc_origin_answer_preflight(struct rpc_exchange *x);
/* Adds what lets the page read the answer. */
void rpc_origin_add_headers(const struct rpc_head *head, struct rpc_response *response);

#endif
