/*
 * gRPC-Web (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md): unary gRPC for browsers, which cannot read trailers. The
 * body carries the same frames, then one more with bit 7 of its flags set, whose payload is the trailers as HTTP/1 header lines. In the
 * text form all of that is Base64, in one or several padded pieces.
 */
#ifndef SANDBOX_RPC_GRPC_WEB_H
#define SANDBOX_RPC_GRPC_WEB_H

#include "base/buf.h"
#include "base/err.h"

struct rpc_response;

enum grpc_web_form { GRPC_WEB_NONE, GRPC_WEB_BINARY, GRPC_WEB_TEXT };

/*
 * The form that a content type names; ret_subtype points behind "application/grpc-web" or "-text", at "", ";…" or "+…". NONE leaves it
 * alone.
 */
enum grpc_web_form grpc_web_form_of(const char *content_type, const char **ret_subtype);

/* Appends the bytes of a body in the text form. ERR_INVALID, or ERR_EXHAUSTED past the buffer's maximum. */
int grpc_web_decode_text(const char *text, size_t length, struct buf *out, struct err *e);

/* Turns a gRPC response (status in fields) into an HTTP response whose body carries everything. */
void grpc_web_finish(struct rpc_response *response, enum grpc_web_form form);

#endif
