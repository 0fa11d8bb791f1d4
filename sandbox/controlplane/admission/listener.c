/*
 * Connections are blocking sockets with time limits on every read and write, so that a silent client costs a thread for
 * at most that long; beyond CONNECTIONS_MAXIMUM new ones wait in the backlog. A stop shuts the sockets down, which ends
 * what waits on them.
 */
#include "controlplane/admission/listener.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <http_parser.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAXIMUM 16
/* The API server keeps a connection for a minute and more between requests. */
#define IDLE_SECONDS 90
/* A pod is at most as large as a request to etcd, 1.5 MiB. */
#define BODY_MAXIMUM ((size_t)4 * 1024 * 1024)
#define PATH_MAXIMUM ((size_t)1024)

struct connection {
	struct listener *listener;
	pthread_t thread;
	int fd;
	bool used, over; /* over: the thread only waits to be joined */
};

struct listener {
	SSL_CTX *tls;
	listener_handler handler;
	int fd;
	uint16_t port;
	pthread_t acceptor;
	pthread_mutex_t mutex;
	pthread_cond_t freed;
	bool stopping;
	struct connection connections[CONNECTIONS_MAXIMUM];
};

/* ---- One request ---- */

struct request {
	struct buf path, body;
	bool is_post, complete, keep_alive;
};

static int on_url(http_parser *parser, const char *bytes, size_t length)
{
	struct request *request = parser->data;
	return buf_add(&request->path, bytes, length);
}

static int on_body(http_parser *parser, const char *bytes, size_t length)
{
	struct request *request = parser->data;
	return buf_add(&request->body, bytes, length);
}

static int on_message_complete(http_parser *parser)
{
	struct request *request = parser->data;
	request->is_post = parser->method == HTTP_POST;
	request->keep_alive = http_should_keep_alive(parser);
	request->complete = true;
	http_parser_pause(parser, 1);
	return 0;
}

/* Reads up to the end of one request; false when the connection is over or has sent nonsense. A client that sends more
 * than that at once, which the API server does not, is not understood. */
static bool receive(SSL *ssl, struct request *request)
{
	const http_parser_settings settings = { .on_url = on_url,
		                                .on_body = on_body,
		                                .on_message_complete = on_message_complete };
	http_parser parser;
	char chunk[16384];
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = request;
	while (!request->complete) {
		const int got = SSL_read(ssl, chunk, sizeof(chunk));
		if (got <= 0)
			return false;
		const size_t parsed = http_parser_execute(&parser, &settings, chunk, (size_t)got);
		if (request->complete)
			return true;
		if (parsed != (size_t)got || parser.upgrade || HTTP_PARSER_ERRNO(&parser) != HPE_OK)
			return false;
	}
	return true;
}

static bool send_all(SSL *ssl, const char *bytes, size_t length)
{
	while (length > 0) {
		const int sent = SSL_write(ssl, bytes, length > INT32_MAX ? INT32_MAX : (int)length);
		if (sent <= 0)
			return false;
		bytes += sent;
		length -= (size_t)sent;
	}
	return true;
}

static bool respond(const struct listener *listener, SSL *ssl, const struct request *request)
{
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf body = BUF_INIT(2 * BODY_MAXIMUM);
	auto_buf struct buf out = BUF_INIT(3 * BODY_MAXIMUM);
	int status = 200;
	if (!request->is_post)
		status = 405;
	else if (listener->handler(buf_text(&request->path), &request->body, &body, &e) < 0)
		status = e.kind == ERR_NOT_FOUND ? 404 : 400;
	if (status != 200) {
		buf_clear(&body);
		buf_add_str(&body, err_message(&e));
	}
	buf_add_format(&out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n", status,
	               http_status_str((enum http_status)status), status == 200 ? "application/json" : "text/plain",
	               body.length, request->keep_alive ? "" : "Connection: close\r\n");
	buf_add(&out, buf_text(&body), body.length);
	return send_all(ssl, out.data, out.length) && request->keep_alive;
}

/* ---- Connections ---- */

static void serve(const struct listener *listener, SSL *ssl)
{
	for (bool more = true; more;) {
		struct request request = { .path = BUF_INIT(PATH_MAXIMUM), .body = BUF_INIT(BODY_MAXIMUM) };
		more = receive(ssl, &request) && respond(listener, ssl, &request);
		buf_release(&request.path);
		buf_release(&request.body);
	}
}

static void *connection_main(void *context)
{
	struct connection *connection = context;
	struct listener *listener = connection->listener;
	SSL *ssl = SSL_new(listener->tls);
	if (ssl && SSL_set_fd(ssl, connection->fd) && SSL_accept(ssl) == 1)
		serve(listener, ssl);
	SSL_free(ssl);
	ERR_clear_error();
	pthread_mutex_lock(&listener->mutex);
	close(connection->fd);
	connection->fd = -1;
	connection->over = true;
	pthread_cond_signal(&listener->freed);
	pthread_mutex_unlock(&listener->mutex);
	return NULL;
}

/* A place for a connection, once there is one; NULL when stopping. With the mutex held. */
static struct connection *find_place(struct listener *listener)
{
	while (!listener->stopping) {
		for (size_t i = 0; i < CONNECTIONS_MAXIMUM; i++) {
			struct connection *connection = &listener->connections[i];
			if (connection->over) {
				pthread_join(connection->thread, NULL);
				*connection = (struct connection){ .fd = -1 };
			}
			if (!connection->used)
				return connection;
		}
		pthread_cond_wait(&listener->freed, &listener->mutex);
	}
	return NULL;
}

static void begin_connection(struct listener *listener, struct connection *place, int fd)
{
	const struct timeval idle = { .tv_sec = IDLE_SECONDS };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &idle, sizeof(idle));
	*place = (struct connection){ .listener = listener, .fd = fd, .used = true };
	if (pthread_create(&place->thread, NULL, connection_main, place) == 0)
		return;
	close(fd);
	*place = (struct connection){ .fd = -1 };
}

static void *accept_main(void *context)
{
	struct listener *listener = context;
	for (;;) {
		pthread_mutex_lock(&listener->mutex);
		struct connection *place = find_place(listener);
		pthread_mutex_unlock(&listener->mutex);
		if (!place)
			return NULL;
		const int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
		pthread_mutex_lock(&listener->mutex);
		const bool stopping = listener->stopping;
		if (fd >= 0 && !stopping)
			begin_connection(listener, place, fd);
		else if (fd >= 0)
			close(fd);
		pthread_mutex_unlock(&listener->mutex);
		if (stopping ||
		    (fd < 0 && errno != EINTR && errno != ECONNABORTED && errno != EMFILE && errno != ENFILE))
			return NULL;
	}
}

/* ---- Start and stop ---- */

static bool use_certificate(SSL_CTX *tls, const struct certificate *certificate)
{
	BIO *certificate_bio = BIO_new_mem_buf(certificate->certificate_pem, -1);
	BIO *key_bio = BIO_new_mem_buf(certificate->key_pem, -1);
	X509 *x509 = certificate_bio ? PEM_read_bio_X509(certificate_bio, NULL, NULL, NULL) : NULL;
	EVP_PKEY *key = key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL) : NULL;
	const bool used =
	        x509 && key && SSL_CTX_use_certificate(tls, x509) == 1 && SSL_CTX_use_PrivateKey(tls, key) == 1;
	X509_free(x509);
	EVP_PKEY_free(key);
	BIO_free(certificate_bio);
	BIO_free(key_bio);
	return used;
}

static int open_socket(struct listener *listener, const char *address, uint16_t port, struct err *e)
{
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t size = sizeof(where);
	const int yes = 1;
	if (inet_pton(AF_INET, address, &where.sin_addr) != 1)
		return err_set(e, ERR_INVALID, NULL, "\"%s\" is not an IPv4 address", address);
	listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener->fd < 0 || setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
	    bind(listener->fd, (struct sockaddr *)&where, sizeof(where)) < 0 || listen(listener->fd, 64) < 0 ||
	    getsockname(listener->fd, (struct sockaddr *)&where, &size) < 0)
		return err_set_errno(e, errno, NULL, "cannot listen on %s:%u", address, port);
	listener->port = ntohs(where.sin_port);
	return 0;
}

static struct listener *listener_free(struct listener *listener)
{
	if (listener->fd >= 0)
		close(listener->fd);
	SSL_CTX_free(listener->tls);
	pthread_cond_destroy(&listener->freed);
	pthread_mutex_destroy(&listener->mutex);
	free(listener);
	return NULL;
}

int listener_start(const char *address, uint16_t port, const struct certificate *certificate, listener_handler handler,
                   struct listener **ret_listener, struct err *e)
{
	struct listener *listener = xcalloc(1, sizeof(*listener));
	*listener = (struct listener){ .fd = -1, .handler = handler, .tls = SSL_CTX_new(TLS_server_method()) };
	pthread_mutex_init(&listener->mutex, NULL);
	pthread_cond_init(&listener->freed, NULL);
	int outcome = 0;
	if (!listener->tls || !SSL_CTX_set_min_proto_version(listener->tls, TLS1_2_VERSION) ||
	    !use_certificate(listener->tls, certificate))
		outcome = err_set(e, ERR_INTERNAL, "tls-failed", "OpenSSL does not take the certificate");
	if (outcome == 0)
		outcome = open_socket(listener, address, port, e);
	if (outcome == 0) {
		const int failure = pthread_create(&listener->acceptor, NULL, accept_main, listener);
		if (failure)
			outcome = err_set_errno(e, failure, NULL, "cannot start the listener");
	}
	if (outcome < 0) {
		listener_free(listener);
		return -1;
	}
	*ret_listener = listener;
	return 0;
}

uint16_t listener_port(const struct listener *listener)
{
	return listener->port;
}

struct listener *listener_stop(struct listener *listener)
{
	if (!listener)
		return NULL;
	pthread_mutex_lock(&listener->mutex);
	listener->stopping = true;
	shutdown(listener->fd, SHUT_RDWR);
	for (size_t i = 0; i < CONNECTIONS_MAXIMUM; i++)
		if (listener->connections[i].used && !listener->connections[i].over)
			shutdown(listener->connections[i].fd, SHUT_RDWR);
	pthread_cond_broadcast(&listener->freed);
	pthread_mutex_unlock(&listener->mutex);
	pthread_join(listener->acceptor, NULL);
	for (size_t i = 0; i < CONNECTIONS_MAXIMUM; i++)
		if (listener->connections[i].used)
			pthread_join(listener->connections[i].thread, NULL);
	return listener_free(listener);
}
