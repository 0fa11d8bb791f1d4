#include "docker/ssh_config.h"

#include "base/file.h"
#include "base/text.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#define SSH_PORT 22

void ssh_target_release(struct ssh_target *target)
{
	free(target->alias);
	free(target->host);
	free(target->user);
	free(target->socket);
	free(target->known_hosts);
	for (size_t i = 0; i < target->identity_count; i++)
		free(target->identities[i]);
	*target = (struct ssh_target)SSH_TARGET_INIT;
}

static int malformed(const char *address, const char *what, struct err *e)
{
	err_set(e, ERR_INVALID, "docker-host", "the engine's address '%s' %s", address, what);
	return err_hint(e, "ssh://[USER@]HOST[:PORT], the host as for the ssh command");
}

int ssh_target_parse(const char *address, struct ssh_target *ret_target, struct err *e)
{
	auto_ssh_target struct ssh_target target = SSH_TARGET_INIT;
	const char *rest = address + strlen("ssh://");
	size_t length = strcspn(rest, "/");
	if (rest[length] && rest[length + 1])
		target.socket = xstrdup(rest + length);
	const char *at = memchr(rest, '@', length);
	if (at) {
		target.user = xstrndup(rest, (size_t)(at - rest));
		if (!*target.user)
			return malformed(address, "has an empty user", e);
		if (strchr(target.user, ':'))
			return malformed(address, "holds a password, which is not used: take a key", e);
		length -= (size_t)(at + 1 - rest);
		rest = at + 1;
	}
	bool bracketed = rest[0] == '[';
	size_t host_length = bracketed ? strcspn(rest, "]/") : strcspn(rest, ":/");
	if (bracketed && rest[host_length] != ']')
		return malformed(address, "has a bracket that is not closed", e);
	target.alias = bracketed ? xstrndup(rest + 1, host_length - 1) : xstrndup(rest, host_length);
	/* A host that begins with a dash could be taken for an option by what prints or runs it. */
	if (!*target.alias || target.alias[0] == '-')
		return malformed(address, "has no host", e);
	const char *colon = rest + host_length + bracketed;
	int64_t port = 0;
	if (colon < rest + length) {
		auto_free char *digits = xstrndup(colon + 1, (size_t)(rest + length - colon - 1));
		if (*colon != ':' || !text_to_int64(digits, 1, 65535, &port))
			return malformed(address, "has a malformed port", e);
	}
	target.port = (int)port;
	*ret_target = target;
	target = (struct ssh_target)SSH_TARGET_INIT;
	return 0;
}

/* Blanks between, '*' and '?', '!' in front refuses. */
static bool matches_any(const char *patterns, const char *name)
{
	bool matches = false;
	while (*patterns) {
		patterns += strspn(patterns, " \t");
		size_t length = strcspn(patterns, " \t");
		bool refuses = patterns[0] == '!';
		auto_free char *pattern = xstrndup(patterns + refuses, length - refuses);
		if (length && fnmatch(pattern, name, 0) == 0) {
			if (refuses)
				return false;
			matches = true;
		}
		patterns += length;
	}
	return matches;
}

/* "~/x" and "%d" are this side's home; of the other tokens those that hosts and users need. */
static char *expand(const struct ssh_target *target, const char *value, const char *home)
{
	auto_buf struct buf text = BUF_INIT(4096);
	if (text_starts_with(value, "~/")) {
		buf_add_str(&text, home);
		value++;
	}
	for (; *value; value++) {
		if (*value != '%' || !value[1]) {
			buf_add_byte(&text, *value);
			continue;
		}
		value++;
		const char *meaning = *value == 'd'   ? home
		                      : *value == 'h' ? (target->host ? target->host : target->alias)
		                      : *value == 'n' ? target->alias
		                      : *value == 'r' ? (target->user ? target->user : "")
		                      : *value == '%' ? "%"
		                                      : "";
		buf_add_str(&text, meaning);
	}
	return buf_steal(&text);
}

static void add_identity(struct ssh_target *target, char *path)
{
	if (target->identity_count < SSH_IDENTITIES_MAXIMUM)
		target->identities[target->identity_count++] = path;
	else
		free(path);
}

static void take_setting(struct ssh_target *target, const char *name, const char *value, const char *home, bool *exclusive)
{
	int64_t port;
	if (strcasecmp(name, "HostName") == 0 && !target->host)
		target->host = expand(target, value, home);
	else if (strcasecmp(name, "User") == 0 && !target->user)
		target->user = xstrdup(value);
	else if (strcasecmp(name, "Port") == 0 && !target->port && text_to_int64(value, 1, 65535, &port))
		target->port = (int)port;
	else if (strcasecmp(name, "IdentityFile") == 0)
		add_identity(target, expand(target, value, home));
	else if (strcasecmp(name, "UserKnownHostsFile") == 0 && !target->known_hosts) {
		auto_free char *first = xstrndup(value, strcspn(value, " \t"));
		target->known_hosts = expand(target, first, home);
	} else if (strcasecmp(name, "IdentitiesOnly") == 0 && !*exclusive) {
		*exclusive = true;
		target->identities_only = strcasecmp(value, "yes") == 0;
	}
}

static void read_config(struct ssh_target *target, const char *config, const char *home)
{
	bool applies = true;
	bool exclusive = false;
	for (const char *line = config; *line;) {
		size_t length = strcspn(line, "\n");
		auto_free char *text = xstrndup(line, length);
		line += length + (line[length] == '\n');
		text[strcspn(text, "\r")] = '\0';
		char *name = text + strspn(text, " \t");
		size_t name_length = strcspn(name, " \t=");
		char *value = name + name_length;
		value += strspn(value, " \t=");
		name[name_length] = '\0';
		size_t value_length = strlen(value);
		while (value_length && strchr(" \t", value[value_length - 1]))
			value[--value_length] = '\0';
		if (value_length >= 2 && value[0] == '"' && value[value_length - 1] == '"') {
			value[value_length - 1] = '\0';
			value++;
		}
		if (!*name || *name == '#' || !*value)
			continue;
		if (strcasecmp(name, "Host") == 0)
			applies = matches_any(value, target->alias);
		else if (strcasecmp(name, "Match") == 0)
			applies = false;
		else if (applies)
			take_setting(target, name, value, home, &exclusive);
	}
}

void ssh_target_complete(struct ssh_target *target, const char *config, const char *home, const char *user)
{
	static const char *const default_keys[] = { "id_ed25519", "id_ecdsa", "id_rsa" };
	read_config(target, config, home);
	if (!target->host)
		target->host = xstrdup(target->alias);
	if (!target->user)
		target->user = xstrdup(user);
	if (!target->port)
		target->port = SSH_PORT;
	if (!target->known_hosts)
		target->known_hosts = xasprintf("%s/.ssh/known_hosts", home);
	if (target->identity_count)
		return;
	for (size_t i = 0; i < ARRAY_LENGTH(default_keys); i++)
		add_identity(target, xasprintf("%s/.ssh/%s", home, default_keys[i]));
}
