#include "cli/verbs/build_secrets.h"

#include "base/file.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void build_secrets_release(struct build_secrets *secrets)
{
	for (size_t i = 0; i < secrets->count; i++) {
		free(secrets->items[i].id);
		free(secrets->items[i].path);
	}
	*secrets = (struct build_secrets){ .count = 0 };
}

/* It becomes a file's name, here and in the build. */
static bool is_valid_id(const char *id)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t length = strlen(id);
	return length && length <= 128 && id[0] != '.' && strspn(id, allowed) == length;
}

static bool is_there(const struct build_secrets *secrets, const char *id)
{
	for (size_t i = 0; i < secrets->count; i++)
		if (text_equal(secrets->items[i].id, id))
			return true;
	return false;
}

static int add(struct build_secrets *secrets, const char *id, const char *path, struct err *e)
{
	struct stat status;
	if (is_there(secrets, id))
		return err_set(e, ERR_USAGE, "bad-secret", "the secret '%s' is given twice", id);
	if (secrets->count == BUILD_SECRETS_MAXIMUM)
		return err_set(e, ERR_USAGE, "bad-secret", "more than %d secrets", BUILD_SECRETS_MAXIMUM);
	if (stat(path, &status) < 0 || !S_ISREG(status.st_mode) || access(path, R_OK) < 0)
		return err_set(e, ERR_NOT_FOUND, "bad-secret", "the file '%s' of the secret '%s' cannot be read", path,
		               id);
	if (status.st_size > BUILD_SECRET_SIZE_MAXIMUM)
		return err_set(e, ERR_EXHAUSTED, "bad-secret",
		               "the file '%s' of the secret '%s' has more than %lld bytes", path, id,
		               (long long)BUILD_SECRET_SIZE_MAXIMUM);
	secrets->items[secrets->count++] = (struct build_secret){ .id = xstrdup(id), .path = xstrdup(path) };
	return 0;
}

static int refuse(const char *text, struct err *e)
{
	err_set(e, ERR_USAGE, "bad-secret", "'%s' is no secret", text);
	return err_hint(e, "--secret id=NAME,src=FILE");
}

static int parse(struct build_secrets *secrets, const char *text, struct err *e)
{
	auto_free char *id = NULL;
	auto_free char *path = NULL;
	for (const char *at = text; *at;) {
		size_t length = strcspn(at, ",");
		const char *equals = memchr(at, '=', length);
		size_t name = equals ? (size_t)(equals - at) : length;
		char **target = NULL;
		if (name == 2 && strncmp(at, "id", name) == 0)
			target = &id;
		else if ((name == 3 && strncmp(at, "src", name) == 0) ||
		         (name == 6 && strncmp(at, "source", name) == 0))
			target = &path;
		/* The only kind that there is, as Docker's clients may say. */
		else if (length != strlen("type=file") || strncmp(at, "type=file", length) != 0)
			return refuse(text, e);
		if (target && (!equals || *target))
			return refuse(text, e);
		if (target)
			*target = xstrndup(equals + 1, length - name - 1);
		at += length + (at[length] == ',');
	}
	if (!id || !is_valid_id(id) || (path && !*path))
		return refuse(text, e);
	return add(secrets, id, path ? path : id, e);
}

const char *build_secrets_find_bundle(void)
{
	static const char *const places[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
		                              "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem" };
	const char *own = getenv("SSL_CERT_FILE");
	if (!text_is_empty(own) && access(own, R_OK) == 0)
		return own;
	for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

int build_secrets_collect(const struct option_list *given, struct build_secrets *ret_secrets, struct err *e)
{
	auto_build_secrets struct build_secrets secrets = { .count = 0 };
	for (size_t i = 0; i < given->count; i++)
		if (parse(&secrets, given->items[i], e) < 0)
			return -1;
	const char *bundle = build_secrets_find_bundle();
	/* Nobody asked for it: a bundle that does not fit is left out. */
	if (bundle && secrets.count < BUILD_SECRETS_MAXIMUM && !is_there(&secrets, BUILD_SECRET_CERTIFICATES))
		(void)add(&secrets, BUILD_SECRET_CERTIFICATES, bundle, NULL);
	*ret_secrets = secrets;
	secrets.count = 0;
	return 0;
}
