#include "tls_peer.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES ((size_t)16384)
/* A peer that neither sends nor takes anything for so long has died. */
#define PATIENCE_S 60

struct tls_authority {
	EVP_PKEY *key;
	X509 *certificate;
	char file[40];
};

struct tls_server {
	SSL_CTX *context;
};

struct tls_peer {
	struct tls_server *server;
	uint16_t port, plain_port;
	int fd;
	pthread_t thread;
};

/* ---- Certificates ---- */

static void extend(X509 *certificate, X509 *issuer, int kind, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* Not signed yet; `issuer` NULL: it will sign itself. */
static X509 *new_certificate(EVP_PKEY *key, const char *name, X509 *issuer)
{
	X509 *certificate = X509_new();
	unsigned char serial[8];
	assert_int_equal(RAND_bytes(serial, sizeof(serial)), 1);
	BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
	X509_set_version(certificate, X509_VERSION_3);
	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	BN_free(number);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_NAME *subject = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(issuer ? issuer : certificate));
	return certificate;
}

struct tls_authority *tls_authority_new(const char *name)
{
	struct tls_authority *authority = xcalloc(1, sizeof(*authority));
	authority->key = EVP_EC_gen("P-256");
	authority->certificate = new_certificate(authority->key, name, NULL);
	extend(authority->certificate, authority->certificate, NID_basic_constraints, "critical,CA:TRUE");
	extend(authority->certificate, authority->certificate, NID_key_usage, "critical,keyCertSign");
	assert_true(X509_sign(authority->certificate, authority->key, EVP_sha256()) > 0);
	(void)snprintf(authority->file, sizeof(authority->file), "/tmp/tls_authority.XXXXXX");
	FILE *out = fdopen(mkstemp(authority->file), "w");
	assert_int_equal(PEM_write_X509(out, authority->certificate), 1);
	assert_int_equal(fclose(out), 0);
	return authority;
}

struct tls_authority *tls_authority_free(struct tls_authority *authority)
{
	unlink(authority->file);
	X509_free(authority->certificate);
	EVP_PKEY_free(authority->key);
	free(authority);
	return NULL;
}

const char *tls_authority_file(const struct tls_authority *authority)
{
	return authority->file;
}

/* ---- A server's side ---- */

static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_length,
                           const unsigned char *offered, unsigned offered_length, void *context)
{
	static const unsigned char known[] = "\x02h2\x08http/1.1";
	unsigned char *chosen;
	(void)ssl;
	(void)context;
	if (SSL_select_next_proto(&chosen, ret_length, known, sizeof(known) - 1, offered, offered_length) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*ret_name = chosen;
	return SSL_TLSEXT_ERR_OK;
}

struct tls_server *tls_server_new(const struct tls_authority *authority, const char *host)
{
	struct tls_server *server = xcalloc(1, sizeof(*server));
	struct in_addr address;
	(void)signal(SIGPIPE, SIG_IGN); /* a client that does not trust us goes away */
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = new_certificate(key, "a server", authority->certificate);
	auto_free char *names = xasprintf("%s:%s", inet_pton(AF_INET, host, &address) == 1 ? "IP" : "DNS", host);
	extend(certificate, authority->certificate, NID_subject_alt_name, names);
	assert_true(X509_sign(certificate, authority->key, EVP_sha256()) > 0);
	server->context = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(server->context, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(server->context, key), 1);
	SSL_CTX_set_alpn_select_cb(server->context, choose_protocol, NULL);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return server;
}

struct tls_server *tls_server_free(struct tls_server *server)
{
	SSL_CTX_free(server->context);
	free(server);
	return NULL;
}

static bool send_all(int fd, const char *bytes, ssize_t length)
{
	while (length > 0) {
		const ssize_t sent = send(fd, bytes, (size_t)length, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		bytes += sent;
		length -= sent;
	}
	return true;
}

/* False when there will be nothing more from that side. */
static bool pass_in(SSL *ssl, int plain_fd)
{
	char bytes[BYTES];
	const int length = SSL_read(ssl, bytes, sizeof(bytes));
	return length > 0 && send_all(plain_fd, bytes, length);
}

static bool pass_out(SSL *ssl, int plain_fd)
{
	char bytes[BYTES];
	const ssize_t length = recv(plain_fd, bytes, sizeof(bytes), 0);
	return length > 0 && SSL_write(ssl, bytes, (int)length) > 0;
}

static void set_patience(int fd)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

void tls_server_relay(const struct tls_server *server, int fd, int plain_fd)
{
	SSL *ssl = SSL_new(server->context);
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = plain_fd, .events = POLLIN } };
	set_patience(fd);
	SSL_set_fd(ssl, fd);
	bool goes_on = SSL_accept(ssl) == 1;
	while (goes_on) {
		const bool pending = SSL_pending(ssl) > 0;
		if (poll(fds, 2, pending ? 0 : PATIENCE_S * 1000) <= 0 && !pending)
			break;
		if (pending || fds[0].revents)
			goes_on = pass_in(ssl, plain_fd);
		if (goes_on && fds[1].revents)
			goes_on = pass_out(ssl, plain_fd);
	}
	(void)SSL_shutdown(ssl);
	SSL_free(ssl);
}

/* ---- In front of a plain server ---- */

static int connect_to(uint16_t port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
		                             .sin_port = htons(port),
		                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void *run(void *context)
{
	const struct tls_peer *peer = context;
	for (;;) {
		const int fd = accept(peer->fd, NULL, NULL);
		if (fd < 0)
			return NULL;
		const int plain_fd = connect_to(peer->plain_port);
		if (plain_fd >= 0)
			tls_server_relay(peer->server, fd, plain_fd);
		close(plain_fd);
		close(fd);
	}
}

struct tls_peer *tls_peer_start(const struct tls_authority *authority, const char *host, uint16_t plain_port)
{
	struct tls_peer *peer = xcalloc(1, sizeof(*peer));
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	peer->server = tls_server_new(authority, host);
	peer->plain_port = plain_port;
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(peer->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(peer->fd, 8), 0);
	assert_int_equal(getsockname(peer->fd, (struct sockaddr *)&address, &length), 0);
	peer->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&peer->thread, NULL, run, peer), 0);
	return peer;
}

struct tls_peer *tls_peer_stop(struct tls_peer *peer)
{
	shutdown(peer->fd, SHUT_RDWR);
	pthread_join(peer->thread, NULL);
	close(peer->fd);
	tls_server_free(peer->server);
	free(peer);
	return NULL;
}

uint16_t tls_peer_port(const struct tls_peer *peer)
{
	return peer->port;
}
