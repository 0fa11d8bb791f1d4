/* A mail server for tests: it takes what it is given, unless it is told to refuse, and remembers it. One connection at a
 * time. */
#ifndef TESTS_UNIT_NOTIFY_FAKE_SMTP_H
#define TESTS_UNIT_NOTIFY_FAKE_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_smtp;

/* `refusals`: so many mails are answered with 451 first. `sign_in`: it offers AUTH PLAIN and wants it. */
struct fake_smtp *fake_smtp_start(unsigned refusals, bool sign_in);
/* From now on it offers STARTTLS, and takes nothing without. The server stays the caller's. */
struct tls_server;
void fake_smtp_offer_tls(struct fake_smtp *smtp, const struct tls_server *server);
struct fake_smtp *fake_smtp_stop(struct fake_smtp *smtp);
uint16_t fake_smtp_port(const struct fake_smtp *smtp);
size_t fake_smtp_count(struct fake_smtp *smtp); /* mails taken */
/* The commands and the text of all mails taken, one after the other. Free with free(). */
char *fake_smtp_transcript(struct fake_smtp *smtp);

#endif
