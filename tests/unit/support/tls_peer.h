/*
 * Real TLS for servers of tests that speak without: certificate authorities of a test's own, and peers that end TLS in
 * front of a plain server on this machine, one connection at a time. A peer takes HTTP/2 when it is offered (ALPN).
 */
#ifndef SANDBOX_TESTS_UNIT_SUPPORT_TLS_PEER_H
#define SANDBOX_TESTS_UNIT_SUPPORT_TLS_PEER_H

#include <stdint.h>

struct tls_authority;
struct tls_authority *tls_authority_new(const char *name);
struct tls_authority *tls_authority_free(struct tls_authority *authority);
/* A file with the authority's certificate, as long as the authority lives. */
const char *tls_authority_file(const struct tls_authority *authority);

struct tls_peer;
/* On a free port; `host`, an address or a name, is what its certificate is for. Outlives the authority. */
struct tls_peer *tls_peer_start(const struct tls_authority *authority, const char *host, uint16_t plain_port);
struct tls_peer *tls_peer_stop(struct tls_peer *peer);
uint16_t tls_peer_port(const struct tls_peer *peer);

/* A server's side of TLS on a connection that has begun without (STARTTLS). */
struct tls_server;
struct tls_server *tls_server_new(const struct tls_authority *authority, const char *host);
struct tls_server *tls_server_free(struct tls_server *server);
/* Passes bytes on between the two descriptors until one ends, `fd` in TLS; closes neither. */
void tls_server_relay(const struct tls_server *server, int fd, int plain_fd);

#endif
