#include "base/host.h"

#include "base/buf.h"
#include "base/memory.h"
#include "base/platform.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ROUTES_MAXIMUM ((size_t)1 << 20)

/* Columns: interface, destination, gateway, flags, reference count, use, metric, mask … */
static bool read_route(const char *line, unsigned *ret_gateway)
{
	unsigned destination, gateway;
	if (sscanf(line, "%*31s %8x %8x", &destination, &gateway) != 2 || destination != 0 || gateway == 0)
		return false;
	*ret_gateway = gateway;
	return true;
}

bool host_gateway(const char *routes, char address[HOST_ADDRESS_SIZE])
{
	for (const char *line = routes; *line; line += strspn(line, "\n")) {
		unsigned gateway;
		if (read_route(line, &gateway)) {
			const struct in_addr in = { .s_addr = gateway };
			return inet_ntop(AF_INET, &in, address, HOST_ADDRESS_SIZE) != NULL;
		}
		line += strcspn(line, "\n");
	}
	return false;
}

static bool resolves(const char *name)
{
	struct addrinfo *found = NULL;
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const bool known = getaddrinfo(name, NULL, &hints, &found) == 0;
	if (known)
		freeaddrinfo(found);
	return known;
}

static bool find_gateway(char address[HOST_ADDRESS_SIZE])
{
	auto_buf struct buf routes = BUF_INIT(ROUTES_MAXIMUM);
	return platform_routes(&routes) && host_gateway(buf_text(&routes), address);
}

char *host_reachable(const char *address)
{
	char gateway[HOST_ADDRESS_SIZE];
	const char *scheme = strstr(address, "://");
	const char *host = scheme ? scheme + 3 : address;
	const char *rest = host + strlen(HOST_NAME);
	if (!text_starts_with(host, HOST_NAME) || (*rest && *rest != ':' && *rest != '/') || resolves(HOST_NAME) ||
	    !find_gateway(gateway))
		return xstrdup(address);
	return xasprintf("%.*s%s%s", (int)(host - address), address, gateway, rest);
}
