/*
 * Secrets of a build: files of this machine that RUN steps see at /run/secrets/ID when they ask for it
 * (`RUN --mount=type=secret,id=ID`), and that are in no layer, cache or history.
 *
 * One is always there: `ca-certificates`, the certificates that this machine trusts. Behind a proxy that signs TLS
 * anew, pip and others in a build need the proxy's authority, which must not end up in the image.
 */
#ifndef SANDBOX_CLI_VERBS_BUILD_SECRETS_H
#define SANDBOX_CLI_VERBS_BUILD_SECRETS_H

#include "base/err.h"
#include "cli/framework/options.h"

#define BUILD_SECRETS_MAXIMUM 32
#define BUILD_SECRET_CERTIFICATES "ca-certificates"
/* BuildKit's own limit. */
#define BUILD_SECRET_SIZE_MAXIMUM (INT64_C(500) * 1024)

struct build_secret {
	char *id;
	char *path; /* on this machine */
};

struct build_secrets {
	struct build_secret items[BUILD_SECRETS_MAXIMUM];
	size_t count;
};

#define auto_build_secrets __attribute__((cleanup(build_secrets_release)))
void build_secrets_release(struct build_secrets *secrets);

/* Takes `id=ID[,src=FILE]` as `docker build --secret` does (without src the file is named ID), then adds the
 * certificates where none has their id. */
int build_secrets_collect(const struct option_list *given, struct build_secrets *ret_secrets, struct err *e);
/* The bundle of $SSL_CERT_FILE, or the first of the places where distributions keep theirs; NULL where there is none.
 * Borrowed. */
const char *build_secrets_find_bundle(void);

#endif
