#include "rpc/origin.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

/* What clients of gRPC-Web and Connect send; a list, because "*" does not cover all of them in every browser. */
#define ALLOWED_HEADERS                                                                                                \
	"accept, authorization, connect-protocol-version, connect-timeout-ms, content-encoding, content-type, grpc-accept-encoding, "  \
	"grpc-encoding, grpc-timeout, if-none-match, x-grpc-web, x-request-id, x-user-agent"
#define EXPOSED_HEADERS "content-encoding, etag, grpc-encoding, grpc-message, grpc-status, grpc-status-details-bin, x-request-id"
#define PREFLIGHT_SECONDS "7200"

/* A dotted address below 127; anything after "127." that is no digit or dot is a name of somebody else's. */
static bool is_loopback_address(const char *host, size_t length)
{
	return length > 4 && memcmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") >= length;
}

static bool is_loopback(const char *host, size_t length)
{
	static const char name[] = "localhost";
	const size_t name_length = sizeof(name) - 1;
	if (length == 5 && memcmp(host, "[::1]", 5) == 0)
		return true;
	if (length >= name_length && strncasecmp(host + length - name_length, name, name_length) == 0)
		return length == name_length || host[length - name_length - 1] == '.';
	return is_loopback_address(host, length);
}

/* An origin is scheme "://" host [":" port] and nothing else (RFC 6454, 6.2). */
bool rpc_origin_is_allowed(const char *origin, const char *authority)
{
	if (!origin)
		return false;
	const char *host = text_starts_with(origin, "http://")    ? origin + 7
	                   : text_starts_with(origin, "https://") ? origin + 8
	                                                          : NULL;
	if (!host || !*host || strpbrk(host, "/?#@\\ \t"))
		return false;
	if (authority && strcasecmp(host, authority) == 0)
		return true;
	size_t length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	if (length > strlen(host))
		return false;
	const char *port = host + length;
	bool port_fits = !*port || (*port == ':' && port[1] && strspn(port + 1, "0123456789") == strlen(port + 1));
	return port_fits && is_loopback(host, length);
}

bool rpc_origin_is_refused(const struct rpc_head *head)
{
	bool reads = text_equal(head->method, "GET") || text_equal(head->method, "HEAD");
	if (reads || rpc_origin_is_allowed(head->origin, head->authority))
		return false;
	/* Browsers name the relation in this header (Fetch Metadata) also where they send no Origin; other clients send neither. */
	return head->origin || text_equal(head->sec_fetch_site, "cross-site");
}

bool rpc_origin_answer_preflight(struct rpc_exchange *x)
{
	const struct rpc_head *head = &x->head;
	if (!text_equal(head->method, "OPTIONS") || !head->origin || !head->access_control_request_method)
		return false;
	x->kind = RPC_EXCHANGE_ANSWERED;
	if (!rpc_origin_is_allowed(head->origin, head->authority)) {
		rpc_response_set_error(&x->response, false, GRPC_PERMISSION_DENIED, "pages of this origin may not call this API", NULL);
		return true;
	}
	x->response.http_status = 204;
	rpc_response_add_header(&x->response, "access-control-allow-methods", "GET, HEAD, POST, PUT, DELETE");
	rpc_response_add_header(&x->response, "access-control-allow-headers", ALLOWED_HEADERS);
	rpc_response_add_header(&x->response, "access-control-max-age", PREFLIGHT_SECONDS);
	return true;
}

void rpc_origin_add_headers(const struct rpc_head *head, struct rpc_response *response)
{
	if (!rpc_origin_is_allowed(head->origin, head->authority))
		return;
	rpc_response_add_header(response, "access-control-allow-origin", head->origin);
	rpc_response_add_header(response, "access-control-expose-headers", EXPOSED_HEADERS);
}
