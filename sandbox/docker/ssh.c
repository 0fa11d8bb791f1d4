#include "docker/ssh.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/platform.h"
#include "base/text.h"
#include "docker/ssh_internal.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS INT64_C(15000)
#define SYSTEM_KNOWN_HOSTS "/etc/ssh/ssh_known_hosts"

/* While the session is made: what every step needs. */
struct login {
	struct ssh_session *session;
	const struct ssh_target *target;
	int cancel_fd;
	int64_t deadline_ms;
	struct buf tried; /* for the message of a refused login */
};

static int protocol_error(const struct login *login, const char *what, struct err *e)
{
	char *message = NULL;
	libssh2_session_last_error(login->session->ssh, &message, NULL, 0);
	return err_set(e, ERR_UNAVAILABLE, "ssh-protocol", "cannot %s %s: %s", what, login->target->host,
	               message ? message : "the connection broke");
}

static int wait_for(const struct login *login, int fd, short events, struct err *e)
{
	struct pollfd fds[] = { { .fd = fd, .events = events }, { .fd = login->cancel_fd, .events = POLLIN } };
	int ready;
	do
		ready = poll(fds, 2, clock_poll_timeout(login->deadline_ms));
	while (ready < 0 && errno == EINTR);
	if (ready > 0 && fds[1].revents)
		return err_set(e, ERR_CANCELLED, "cancelled", "interrupted");
	if (ready <= 0)
		return err_set(e, ERR_TIMEOUT, "timeout", "%s did not let us in within %lld s", login->target->host,
		               (long long)(CONNECT_TIMEOUT_MS / 1000));
	return 0;
}

/* For `while (call == LIBSSH2_ERROR_EAGAIN)`: waits until the call may be made again. */
static int wait_again(const struct login *login, struct err *e)
{
	int directions = libssh2_session_block_directions(login->session->ssh);
	short events = (short)((directions & LIBSSH2_SESSION_BLOCK_OUTBOUND ? POLLOUT : 0) |
	                       (directions & LIBSSH2_SESSION_BLOCK_INBOUND || !directions ? POLLIN : 0));
	return wait_for(login, login->session->fd, events, e);
}

static int connect_to(const struct login *login, const struct addrinfo *address, int *ret_errno, struct err *e)
{
	auto_fd int fd = platform_socket(address->ai_family, SOCK_STREAM);
	if (fd < 0 || platform_set_nonblocking(fd) < 0) {
		*ret_errno = errno;
		return -1;
	}
	int problem = connect(fd, address->ai_addr, address->ai_addrlen) < 0 ? errno : 0;
	if (problem == EINPROGRESS) {
		socklen_t length = sizeof(problem);
		if (wait_for(login, fd, POLLOUT, e) < 0)
			return -1;
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &length);
	}
	*ret_errno = problem;
	if (problem)
		return -1;
	login->session->fd = steal_fd(&fd);
	return 0;
}

static int connect_tcp(const struct login *login, struct err *e)
{
	const struct ssh_target *target = login->target;
	auto_free char *port = xasprintf("%d", target->port);
	const struct addrinfo wish = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *addresses = NULL;
	int code = getaddrinfo(target->host, port, &wish, &addresses);
	if (code)
		return err_set(e, ERR_UNAVAILABLE, "connect-failed", "cannot find the host '%s': %s", target->host,
		               gai_strerror(code));
	int reason = EHOSTUNREACH;
	int outcome = -1;
	auto_err struct err problem = ERR_INIT;
	for (const struct addrinfo *at = addresses; at && outcome < 0 && problem.kind == ERR_NONE; at = at->ai_next)
		outcome = connect_to(login, at, &reason, &problem);
	freeaddrinfo(addresses);
	if (outcome == 0)
		return 0;
	if (problem.kind != ERR_NONE)
		return err_move(e, &problem);
	char text[128];
	return err_set(e, ERR_UNAVAILABLE, "connect-failed", "cannot connect to %s, port %d: %s", target->host, target->port,
	               platform_error_text(reason, text, sizeof(text)));
}

/* ---- the host's key ---- */

static const struct {
	int type; /* of libssh2_session_hostkey */
	int known;
	const char *method;
} key_types[] = {
	{ LIBSSH2_HOSTKEY_TYPE_ED25519, LIBSSH2_KNOWNHOST_KEY_ED25519, "ssh-ed25519" },
	{ LIBSSH2_HOSTKEY_TYPE_ECDSA_256, LIBSSH2_KNOWNHOST_KEY_ECDSA_256, "ecdsa-sha2-nistp256" },
	{ LIBSSH2_HOSTKEY_TYPE_ECDSA_384, LIBSSH2_KNOWNHOST_KEY_ECDSA_384, "ecdsa-sha2-nistp384" },
	{ LIBSSH2_HOSTKEY_TYPE_ECDSA_521, LIBSSH2_KNOWNHOST_KEY_ECDSA_521, "ecdsa-sha2-nistp521" },
	{ LIBSSH2_HOSTKEY_TYPE_RSA, LIBSSH2_KNOWNHOST_KEY_SSHRSA, "rsa-sha2-512,rsa-sha2-256,ssh-rsa" },
};

static int look_up(LIBSSH2_KNOWNHOSTS *known, const struct ssh_target *target, const char *key, size_t length, int mask)
{
	struct libssh2_knownhost *entry = NULL;
	return libssh2_knownhost_checkp(known, target->host, target->port, key, length, LIBSSH2_KNOWNHOST_TYPE_PLAIN | mask, &entry);
}

/* A host has keys of several types, and known_hosts one of them maybe: that one is asked for. A key that is none finds the entries: it is not
 * theirs. */
static void prefer_known_types(struct login *login, LIBSSH2_KNOWNHOSTS *known)
{
	auto_buf struct buf methods = BUF_INIT(512);
	for (size_t i = 0; i < ARRAY_LENGTH(key_types); i++) {
		int found = look_up(known, login->target, "AAAA", 4, LIBSSH2_KNOWNHOST_KEYENC_BASE64 | key_types[i].known);
		if (found == LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
			buf_add_format(&methods, "%s%s", methods.length ? "," : "", key_types[i].method);
	}
	if (methods.length)
		libssh2_session_method_pref(login->session->ssh, LIBSSH2_METHOD_HOSTKEY, buf_text(&methods));
}

static char *fingerprint(LIBSSH2_SESSION *ssh)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *hash = libssh2_hostkey_hash(ssh, LIBSSH2_HOSTKEY_HASH_SHA256);
	if (!hash)
		return xstrdup("unknown");
	/* As ssh prints it: base64 without padding. */
	auto_buf struct buf text = BUF_INIT(64);
	unsigned bits = 0;
	unsigned held = 0;
	for (size_t i = 0; i < 32; i++) {
		held = held << 8 | (unsigned char)hash[i];
		for (bits += 8; bits >= 6; bits -= 6)
			buf_add_byte(&text, digits[held >> (bits - 6) & 63]);
	}
	buf_add_byte(&text, digits[held << (6 - bits) & 63]);
	return xasprintf("SHA256:%s", buf_text(&text));
}

static int check_host_key(const struct login *login, LIBSSH2_KNOWNHOSTS *known, struct err *e)
{
	const struct ssh_target *target = login->target;
	size_t length = 0;
	int type = 0;
	const char *key = libssh2_session_hostkey(login->session->ssh, &length, &type);
	int mask = LIBSSH2_KNOWNHOST_KEY_UNKNOWN;
	for (size_t i = 0; i < ARRAY_LENGTH(key_types); i++) {
		if (key_types[i].type == type)
			mask = key_types[i].known;
	}
	int found = key ? look_up(known, target, key, length, LIBSSH2_KNOWNHOST_KEYENC_RAW | mask) : LIBSSH2_KNOWNHOST_CHECK_FAILURE;
	if (found == LIBSSH2_KNOWNHOST_CHECK_MATCH)
		return 0;
	auto_free char *print = fingerprint(login->session->ssh);
	if (found == LIBSSH2_KNOWNHOST_CHECK_MISMATCH) {
		err_set(e, ERR_PERMISSION, "ssh-host-key-changed",
		        "the key of the host '%s' is not the one in %s: its fingerprint is %s now. Somebody may be answering in its place",
		        target->alias, target->known_hosts, print);
		return err_hint(e, "if its key was changed on purpose: ssh-keygen -R '%s', then connect once with `ssh %s`", target->alias,
		                target->alias);
	}
	err_set(e, ERR_PERMISSION, "ssh-host-key-unknown", "the host '%s' is not in %s; the fingerprint of its key is %s", target->alias,
	        target->known_hosts, print);
	return err_hint(e, "connect once with `ssh %s` and compare the fingerprint", target->alias);
}

static int hand_shake(struct login *login, struct err *e)
{
	LIBSSH2_SESSION *ssh = login->session->ssh;
	LIBSSH2_KNOWNHOSTS *known = libssh2_knownhost_init(ssh);
	if (!known)
		memory_exhausted();
	/* Neither file need exist. */
	(void)libssh2_knownhost_readfile(known, login->target->known_hosts, LIBSSH2_KNOWNHOST_FILE_OPENSSH);
	(void)libssh2_knownhost_readfile(known, SYSTEM_KNOWN_HOSTS, LIBSSH2_KNOWNHOST_FILE_OPENSSH);
	prefer_known_types(login, known);
	int code;
	int outcome = 0;
	while ((code = libssh2_session_handshake(ssh, login->session->fd)) == LIBSSH2_ERROR_EAGAIN && outcome == 0)
		outcome = wait_again(login, e);
	if (outcome == 0 && code) {
		outcome = protocol_error(login, "begin an SSH connection with", e);
		if (code == LIBSSH2_ERROR_KEX_FAILURE || code == LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE)
			err_hint(e, "libssh2 before 1.11 cannot use the RSA keys of today's servers: connect once with `ssh -o HostKeyAlgorithms=ssh-ed25519 %s`",
			         login->target->alias);
	}
	if (outcome == 0)
		outcome = check_host_key(login, known, e);
	libssh2_knownhost_free(known);
	return outcome;
}

/* ---- who we are ---- */

static void note_try(struct login *login, const char *format, ...) PRINTF_LIKE(2, 3);
static void note_try(struct login *login, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	if (login->tried.length)
		buf_add_str(&login->tried, "; ");
	buf_add_vformat(&login->tried, format, arguments);
	va_end(arguments);
}

/* 1 when let in, 0 when not, -1 with `e` when there is no going on. */
static int outcome_of(const struct login *login, int code, struct err *e)
{
	if (code == 0)
		return 1;
	bool lost = code == LIBSSH2_ERROR_SOCKET_DISCONNECT || code == LIBSSH2_ERROR_SOCKET_SEND || code == LIBSSH2_ERROR_SOCKET_RECV;
	return lost ? protocol_error(login, "log in to", e) : 0;
}

static int try_agent_keys(struct login *login, LIBSSH2_AGENT *agent, struct err *e)
{
	struct libssh2_agent_publickey *key = NULL;
	struct libssh2_agent_publickey *previous = NULL;
	unsigned count = 0;
	while (libssh2_agent_get_identity(agent, &key, previous) == 0) {
		int code;
		while ((code = libssh2_agent_userauth(agent, login->target->user, key)) == LIBSSH2_ERROR_EAGAIN) {
			if (wait_again(login, e) < 0)
				return -1;
		}
		int outcome = outcome_of(login, code, e);
		if (outcome)
			return outcome;
		count++;
		previous = key;
	}
	note_try(login, "the agent's %u keys were refused", count);
	return 0;
}

static int try_agent(struct login *login, struct err *e)
{
	if (login->target->identities_only)
		return 0;
	LIBSSH2_AGENT *agent = libssh2_agent_init(login->session->ssh);
	int outcome = 0;
	if (agent && libssh2_agent_connect(agent) == 0) {
		if (libssh2_agent_list_identities(agent) == 0)
			outcome = try_agent_keys(login, agent, e);
		libssh2_agent_disconnect(agent);
	} else {
		note_try(login, "no agent runs");
	}
	if (agent)
		libssh2_agent_free(agent);
	return outcome;
}

static int try_file(struct login *login, const char *path, struct err *e)
{
	const struct ssh_target *target = login->target;
	int code;
	if (!file_exists(path))
		return 0;
	while ((code = libssh2_userauth_publickey_fromfile_ex(login->session->ssh, target->user, (unsigned)strlen(target->user), NULL, path,
	                                                      "")) == LIBSSH2_ERROR_EAGAIN) {
		if (wait_again(login, e) < 0)
			return -1;
	}
	int outcome = outcome_of(login, code, e);
	if (outcome == 0)
		note_try(login, code == LIBSSH2_ERROR_FILE ? "%s cannot be read, or has a passphrase (`ssh-add %s` gives it to the agent)"
		                                           : "%s was refused",
		         path, path);
	return outcome;
}

static int authenticate(struct login *login, struct err *e)
{
	const struct ssh_target *target = login->target;
	int outcome = try_agent(login, e);
	for (size_t i = 0; outcome == 0 && i < target->identity_count; i++)
		outcome = try_file(login, target->identities[i], e);
	if (outcome)
		return outcome < 0 ? -1 : 0;
	err_set(e, ERR_PERMISSION, "ssh-authentication", "%s@%s does not let us in: %s", target->user, target->alias,
	        login->tried.length ? buf_text(&login->tried) : "there is no key");
	return err_hint(e, "`ssh %s@%s true` has to work without a question", target->user, target->alias);
}

static int open_control(const struct login *login, struct err *e)
{
	struct ssh_session *session = login->session;
	while (!(session->control = libssh2_channel_open_ex(session->ssh, "session", 7, LIBSSH2_CHANNEL_WINDOW_DEFAULT,
	                                                    LIBSSH2_CHANNEL_PACKET_DEFAULT, NULL, 0))) {
		if (libssh2_session_last_errno(session->ssh) != LIBSSH2_ERROR_EAGAIN)
			return protocol_error(login, "open a channel to", e);
		if (wait_again(login, e) < 0)
			return -1;
	}
	return 0;
}

static int log_in(struct login *login, struct err *e)
{
	struct ssh_session *session = login->session;
	if (connect_tcp(login, e) < 0)
		return -1;
	session->ssh = libssh2_session_init_ex(NULL, NULL, NULL, session);
	if (!session->ssh)
		memory_exhausted();
	libssh2_session_set_blocking(session->ssh, 0);
	if (hand_shake(login, e) < 0 || authenticate(login, e) < 0 || open_control(login, e) < 0)
		return -1;
	return ssh_streams_start(session, e);
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void set_up_library(void)
{
	libssh2_init(0);
}

struct ssh_session *ssh_session_open(const struct ssh_target *target, int cancel_fd, struct err *e)
{
	pthread_once(&library_once, set_up_library);
	struct ssh_session *session = xcalloc(1, sizeof(*session));
	session->fd = session->wake[0] = session->wake[1] = -1;
	cancel_init(&session->ended);
	pthread_mutex_init(&session->lock, NULL);
	struct login login = { .session = session,
		               .target = target,
		               .cancel_fd = cancel_fd,
		               .deadline_ms = clock_monotonic_ms() + CONNECT_TIMEOUT_MS };
	buf_init(&login.tried, 4096);
	int outcome = log_in(&login, e);
	buf_release(&login.tried);
	return outcome < 0 ? ssh_session_free(session) : session;
}

struct ssh_session *ssh_session_free(struct ssh_session *session)
{
	if (!session)
		return NULL;
	ssh_streams_stop(session);
	/* What cannot be sent at once would keep libssh2 from freeing anything; nothing that it has to say matters any more. */
	if (session->fd >= 0)
		(void)shutdown(session->fd, SHUT_RDWR);
	if (session->ssh)
		libssh2_session_free(session->ssh);
	if (session->fd >= 0)
		close(session->fd);
	pthread_mutex_destroy(&session->lock);
	free(session);
	return NULL;
}
