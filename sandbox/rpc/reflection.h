/*
 * Server reflection, v1 and v1alpha (one protocol, two package names): which services there are, and the descriptor
 * file that holds a symbol. Answers come from proto_descriptor_set; the index over its symbols is built when the first
 * client asks. It is the one streaming service here: the transport feeds request messages and sends each answer.
 */
#ifndef SANDBOX_RPC_REFLECTION_H
#define SANDBOX_RPC_REFLECTION_H

#include "rpc/server.h"

struct reflection;

/* The names of the services are borrowed; health and reflection are listed as well. */
struct reflection *reflection_new(const struct rpc_service *services, size_t service_count);
struct reflection *reflection_free(struct reflection *reflection);

/* True for the paths of ServerReflectionInfo in either version. */
bool reflection_is_path(const char *path);

/* Appends the framed answer to one serialized ServerReflectionRequest. For one thread. */
int reflection_answer(struct reflection *reflection, const void *request, size_t length, struct buf *out,
                      struct err *e);

#endif
