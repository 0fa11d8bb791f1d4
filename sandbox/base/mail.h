/*
 * Mail, over libcurl's SMTP: one message to one server, with a deadline. What goes into headers is checked and encoded,
 * so no text of a user becomes a header or a command.
 */
#ifndef SANDBOX_BASE_MAIL_H
#define SANDBOX_BASE_MAIL_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum mail_tls {
	MAIL_TLS_IF_OFFERED, /* STARTTLS when the server has it */
	MAIL_TLS_REQUIRED,   /* STARTTLS, or nothing is sent */
	MAIL_TLS_IMPLICIT,   /* from the first byte */
	MAIL_TLS_NEVER,
};

struct mail_server {
	const char *host;
	uint16_t port;
	enum mail_tls tls;
	bool trust_any;                  /* its certificate is not checked */
	const char *ca_file;             /* PEM: who signs its certificate; NULL: whom the system trusts */
	const char *username, *password; /* username NULL or "": without signing in */
};

struct mail {
	const char *from;
	const char *const *to;
	size_t to_count;
	const char *subject; /* UTF-8 */
	const char *html;    /* UTF-8 */
	const char *id;      /* "unique@host": repeated when the mail is, so that it can be recognised */
	int64_t date_ns;     /* Unix epoch */
};

#define MAIL_MAXIMUM ((size_t)1 << 20)
#define MAIL_RECIPIENTS_MAXIMUM 100

/* "name@host" without anything that means something to SMTP or a header. */
bool mail_is_address(const char *text);
/* Headers and body as they are sent (RFC 5322, 2045, 2047). ERR_INVALID for a bad address, ERR_EXHAUSTED. */
int mail_compose(const struct mail *mail, struct buf *out, struct err *e);
/*
 * Sends it. Some recipients may be refused as long as one is not. `cancel_fd` as in base/http.h, looked at once a second.
 * ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_CANCELLED, or what mail_compose says.
 */
int mail_send(const struct mail_server *server, const struct mail *mail, int64_t timeout_ms, int cancel_fd,
              struct err *e);

#endif
