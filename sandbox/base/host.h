/*
 * The machine around our container, by the name that Docker Desktop gives it. Where nobody resolves that name (Docker on
 * Linux without an entry for it, Podman), it is the gateway of the container's default route.
 */
#ifndef SANDBOX_BASE_HOST_H
#define SANDBOX_BASE_HOST_H

#include <stdbool.h>

#define HOST_NAME "host.docker.internal"
#define HOST_ADDRESS_SIZE 16

/* An address that may have HOST_NAME as its host ("http://host.docker.internal:8000/x", "host.docker.internal:25"), with
 * something in its place that can be reached. Free with free(). May take as long as the resolver does. */
char *host_reachable(const char *address);

/* The gateway of the default route, from the text of platform_routes() (IPv4, hexadecimal, in the byte order of the
 * machine). False when there is none. */
bool host_gateway(const char *routes, char address[HOST_ADDRESS_SIZE]);

#endif
