#include "fake_smtp.h"

#include "tls_peer.h"

#include "base/buf.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LINE_MAXIMUM 4096

struct fake_smtp {
	int fd;
	uint16_t port;
	unsigned refusals;
	bool sign_in;
	const struct tls_server *tls; /* NULL: it is not offered */
	pthread_t thread;
	pthread_mutex_t lock;
	size_t count;
	struct buf transcript;
};

static void answer(FILE *peer, const char *line)
{
	(void)fprintf(peer, "%s\r\n", line);
	(void)fflush(peer);
}

static void keep(struct fake_smtp *smtp, const char *line)
{
	pthread_mutex_lock(&smtp->lock);
	(void)buf_add(&smtp->transcript, line, strlen(line));
	pthread_mutex_unlock(&smtp->lock);
}

static bool begins(const char *line, const char *command)
{
	return strncasecmp(line, command, strlen(command)) == 0;
}

/* False when the connection ends. */
static bool take_text(struct fake_smtp *smtp, FILE *peer)
{
	char line[LINE_MAXIMUM];
	answer(peer, "354 go on");
	while (fgets(line, sizeof(line), peer)) {
		if (text_equal(line, ".\r\n"))
			break;
		if (!smtp->refusals)
			keep(smtp, line);
	}
	pthread_mutex_lock(&smtp->lock);
	const bool refused = smtp->refusals > 0;
	if (refused)
		smtp->refusals--;
	else
		smtp->count++;
	pthread_mutex_unlock(&smtp->lock);
	answer(peer, refused ? "451 come back later" : "250 taken");
	return !feof(peer);
}

static const char *capabilities(const struct fake_smtp *smtp, bool secure)
{
	if (smtp->tls && !secure)
		return "250-test\r\n250 STARTTLS";
	return smtp->sign_in ? "250-test\r\n250 AUTH PLAIN" : "250 test";
}

/* True when the client wants to go on in TLS. */
static bool serve(struct fake_smtp *smtp, FILE *peer, bool secure)
{
	char line[LINE_MAXIMUM];
	bool known = !smtp->sign_in;
	if (!secure)
		answer(peer, "220 test");
	while (fgets(line, sizeof(line), peer)) {
		if (begins(line, "DATA")) {
			if (!take_text(smtp, peer))
				return false;
			continue;
		}
		keep(smtp, line);
		if (begins(line, "EHLO")) {
			answer(peer, capabilities(smtp, secure));
		} else if (begins(line, "STARTTLS") && smtp->tls && !secure) {
			answer(peer, "220 go on");
			return true;
		} else if (begins(line, "AUTH PLAIN")) {
			known = true;
			answer(peer, "235 welcome");
		} else if (begins(line, "QUIT")) {
			answer(peer, "221 bye");
			return false;
		} else {
			answer(peer, !known ? "530 who are you?" : smtp->tls && !secure ? "530 STARTTLS first" : "250 fine");
		}
	}
	return false;
}

/* ---- TLS ---- */

struct upgrade {
	const struct tls_server *server;
	int fd, plain_fd;
};

static void *relay(void *context)
{
	const struct upgrade *upgrade = context;
	tls_server_relay(upgrade->server, upgrade->fd, upgrade->plain_fd);
	shutdown(upgrade->plain_fd, SHUT_RDWR);
	return NULL;
}

static void serve_in_tls(struct fake_smtp *smtp, int fd)
{
	pthread_t thread;
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	struct upgrade upgrade = { .server = smtp->tls, .fd = fd, .plain_fd = ends[0] };
	assert_int_equal(pthread_create(&thread, NULL, relay, &upgrade), 0);
	FILE *peer = fdopen(ends[1], "r+");
	setvbuf(peer, NULL, _IONBF, 0);
	(void)serve(smtp, peer, true);
	fclose(peer);
	pthread_join(thread, NULL);
	close(ends[0]);
}

void fake_smtp_offer_tls(struct fake_smtp *smtp, const struct tls_server *server)
{
	smtp->tls = server;
}

static void *run(void *context)
{
	struct fake_smtp *smtp = context;
	for (;;) {
		const int fd = accept(smtp->fd, NULL, NULL);
		if (fd < 0)
			return NULL;
		FILE *peer = fdopen(fd, "r+");
		setvbuf(peer, NULL, _IONBF, 0);
		if (serve(smtp, peer, false))
			serve_in_tls(smtp, fileno(peer));
		fclose(peer);
	}
}

struct fake_smtp *fake_smtp_start(unsigned refusals, bool sign_in)
{
	struct fake_smtp *smtp = xcalloc(1, sizeof(*smtp));
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	smtp->refusals = refusals;
	smtp->sign_in = sign_in;
	smtp->transcript = (struct buf)BUF_INIT((size_t)1 << 20);
	pthread_mutex_init(&smtp->lock, NULL);
	smtp->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(smtp->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(smtp->fd, 8), 0);
	assert_int_equal(getsockname(smtp->fd, (struct sockaddr *)&address, &length), 0);
	smtp->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&smtp->thread, NULL, run, smtp), 0);
	return smtp;
}

struct fake_smtp *fake_smtp_stop(struct fake_smtp *smtp)
{
	shutdown(smtp->fd, SHUT_RDWR);
	pthread_join(smtp->thread, NULL);
	close(smtp->fd);
	buf_release(&smtp->transcript);
	pthread_mutex_destroy(&smtp->lock);
	free(smtp);
	return NULL;
}

uint16_t fake_smtp_port(const struct fake_smtp *smtp)
{
	return smtp->port;
}

size_t fake_smtp_count(struct fake_smtp *smtp)
{
	pthread_mutex_lock(&smtp->lock);
	const size_t count = smtp->count;
	pthread_mutex_unlock(&smtp->lock);
	return count;
}

char *fake_smtp_transcript(struct fake_smtp *smtp)
{
	pthread_mutex_lock(&smtp->lock);
	char *text = xstrdup(buf_text(&smtp->transcript));
	pthread_mutex_unlock(&smtp->lock);
	return text;
}
