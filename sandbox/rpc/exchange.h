/*
 * One request and its answer, whatever the transport. A transport (http2.c, http1.c) fills in the head, asks the router
 * what it leads to, adds the body, and submits; a worker executes; the loop hands the response back to the transport.
 *
 * Ownership: the transport owns the exchange until it submits it; a submitted exchange belongs to the executor until
 * `finished` is called on the loop thread. A transport that loses interest meanwhile (stream reset, deadline,
 * connection closed) calls rpc_exchange_abandon: what only waits for a worker ends there; a handler that runs is told to
 * stop waiting (rpc_call.cancel), and the exchange frees itself when the worker lets go of it.
 */
#ifndef SANDBOX_RPC_EXCHANGE_H
#define SANDBOX_RPC_EXCHANGE_H

#include "base/cancel.h"
#include "rpc/grpc.h"
#include "rpc/grpc_web.h"
#include "rpc/server.h"

#include <stdatomic.h>

struct rpc_router;
struct rpc_route_stats;
struct gateway_match;

enum rpc_exchange_kind {
	RPC_EXCHANGE_ANSWERED,   /* decided by the head alone; the response is there */
	RPC_EXCHANGE_GRPC,       /* unary call */
	RPC_EXCHANGE_REFLECTION, /* the one stream we serve; the transport feeds it message by message */
	RPC_EXCHANGE_GATEWAY,    /* REST */
	RPC_EXCHANGE_FILE,       /* console */
	RPC_EXCHANGE_PAGE,       /* a page of the program's own */
};

#define RPC_EXTRA_HEADERS 12

struct rpc_response_header {
	const char *name; /* static, lower case */
	char *value;      /* owned */
};

/* What goes back. For gRPC, `code`, `grpc_message` and `details` become trailers; `body` holds framed messages. */
struct rpc_response {
	bool grpc;
	int http_status;
	const char *content_type;  /* static */
	char *location;            /* owned, or NULL */
	char *etag;                /* owned, or NULL */
	const char *cache_control; /* static, or NULL */
	const char *allow;         /* static, or NULL */
	struct buf body;
	enum grpc_code code;
	struct buf grpc_message; /* percent-encoded */
	struct buf details;      /* base64 */
	struct buf status;       /* of an error over HTTP: a google.rpc.Status, for who asks for binary */
	char *message;           /* the error's own text for the report; owned */
	bool close;              /* HTTP/1: no further request on this connection */
	bool compressed;         /* gzip: the body, or of gRPC its messages */
	size_t length;           /* content-length; set by rpc_exchange_dress */
	struct rpc_response_header extra[RPC_EXTRA_HEADERS];
	size_t extra_count;
	struct rpc_charge charge; /* for the body */
};

/* The request's head, as text; unset is "". Bounded by the transports' header limits. */
struct rpc_head {
	char *method;
	char *path; /* without query */
	char *query;
	char *authority;
	char *content_type;
	char *content_encoding;
	char *accept;
	char *grpc_encoding;
	char *grpc_timeout;
	char *grpc_accept_encoding;
	char *if_none_match;
	char *sec_fetch_site;
	char *origin;
	char *access_control_request_method;
	char *accept_encoding;
	char *request_id; /* x-request-id, as it came */
};

#define RPC_REQUEST_ID_SIZE 72

struct rpc_exchange {
	struct rpc_router *router;
	struct rpc_head head;
	char request_id[RPC_REQUEST_ID_SIZE]; /* the client's, if it is a fit one */
	char peer_address[64];
	int64_t begun_us;
	int64_t deadline_ms;
	bool http2;
	enum grpc_web_form web; /* of kind GRPC, or an error in place of one */
	enum rpc_exchange_kind kind;
	const struct rpc_method *method; /* GRPC and GATEWAY */
	void *method_context;
	struct rpc_route_stats *stats; /* of the method; NULL: no call */
	const struct rpc_page *page;   /* PAGE */
	size_t request_bytes;          /* of the body as it came */
	bool reported;
	struct gateway_match *match; /* GATEWAY */
	int code;                    /* of an error, if the handler chose it itself */
	bool compress;               /* gRPC: the client compresses, or the handler asked for it */
	struct buf body;             /* raw request body; its maximum is the cap. Filled by rpc_exchange_add_body */
	struct rpc_charge charge;    /* for the body */
	struct rpc_response response;
	/* Loop thread only, apart from `abandoned`. */
	bool submitted;
	atomic_bool abandoned;
	struct cancel cancel; /* requested with `abandoned`, for handlers that wait */
	void (*finished)(void *transport, struct rpc_exchange *x);
	void *transport;
	struct rpc_exchange *next; /* link of the executor's queues */
};

struct rpc_exchange *rpc_exchange_new(struct rpc_router *router, const char *peer_address);
/* Frees; NULL is fine. Not while submitted. */
struct rpc_exchange *rpc_exchange_free(struct rpc_exchange *x);
/* Takes the exchange from its transport, at any time: freed now, or when the executor is through with it. */
void rpc_exchange_abandon(struct rpc_exchange *x);

/* Sets one header of the head, by lower-case name; unknown names are ignored. Pseudo-headers included. */
void rpc_exchange_set_header(struct rpc_exchange *x, const char *name, size_t name_length, const char *value,
                             size_t value_length);
/* Splits the request target into path and query. */
void rpc_exchange_set_target(struct rpc_exchange *x, const char *target, size_t length);

/* Appends to the request's body. ERR_EXHAUSTED: past its maximum; ERR_UNAVAILABLE: the server holds too much for all its clients. */
int rpc_exchange_add_body(struct rpc_exchange *x, const void *bytes, size_t length, struct err *e);
/* The body is not needed any more. */
void rpc_exchange_release_body(struct rpc_exchange *x);

/* Runs the handler or reads the file, on any thread; fills in the response. */
void rpc_exchange_execute(struct rpc_exchange *x);
/* On the loop thread, after execution: reports, and gives the exchange to its transport or frees it. */
void rpc_exchange_finish(struct rpc_exchange *x);

/* Makes an HTTP body smaller where the client takes it and it is worth it. For worker threads. */
void rpc_response_compress(const struct rpc_exchange *x, struct rpc_response *response, int level);
/*
 * Adds to a response what every answer to this exchange carries: the form of its protocol, request id, CORS and security headers, the
 * content's length. The last thing before it is sent, hence also the moment at which the call is reported.
 */
void rpc_exchange_dress(struct rpc_exchange *x, struct rpc_response *response);
/* An error is answered in gRPC's terms: trailers, or what gRPC-Web makes of them. */
bool rpc_exchange_speaks_grpc(const struct rpc_exchange *x);

/* `name` is static; the value is copied. Values have no line breaks. */
void rpc_response_add_header(struct rpc_response *response, const char *name, const char *value);
void rpc_response_release(struct rpc_response *response);
/* An error in the form of the request's protocol: trailers, or a JSON body. Replaces what the response had. */
void rpc_response_set_error(struct rpc_response *response, bool grpc, enum grpc_code code, const char *message,
                            const ProtobufCMessage *detail);
/* The same of an `err`, its hint behind its message; `code` GRPC_OK: the one that its kind stands for. */
void rpc_response_set_err(struct rpc_response *response, bool grpc, enum grpc_code code, const struct err *e,
                          const ProtobufCMessage *detail);

/* True for a content type of gRPC itself (not grpc-web). */
bool rpc_is_grpc_content_type(const char *content_type);

#endif
