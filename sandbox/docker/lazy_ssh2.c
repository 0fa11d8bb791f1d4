/* libssh2, loaded when needed. */
#include "base/lazy.h"

#include <libssh2.h>

static struct lazy_library library = LAZY_LIBRARY("libssh2.so.1", "libssh2-1", "libssh2.1.dylib", "libssh2");

LAZY(&library, int, libssh2_init, (int flags), (flags))
LAZY(&library, LIBSSH2_SESSION *, libssh2_session_init_ex,
     (LIBSSH2_ALLOC_FUNC((*allocate)), LIBSSH2_FREE_FUNC((*release)), LIBSSH2_REALLOC_FUNC((*resize)), void *context),
     (allocate, release, resize, context))
/* What 1.11 has instead, 1.10 does not have. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
LAZY(&library, void *, libssh2_session_callback_set, (LIBSSH2_SESSION *session, int type, void *callback), (session, type, callback))
#pragma GCC diagnostic pop
LAZY(&library, int, libssh2_session_free, (LIBSSH2_SESSION *session), (session))
LAZY(&library, int, libssh2_session_handshake, (LIBSSH2_SESSION *session, libssh2_socket_t fd), (session, fd))
LAZY(&library, void, libssh2_session_set_blocking, (LIBSSH2_SESSION *session, int blocking), (session, blocking))
LAZY(&library, int, libssh2_session_block_directions, (LIBSSH2_SESSION *session), (session))
LAZY(&library, int, libssh2_session_last_error, (LIBSSH2_SESSION *session, char **message, int *length, int owned),
     (session, message, length, owned))
LAZY(&library, int, libssh2_session_last_errno, (LIBSSH2_SESSION *session), (session))
LAZY(&library, int, libssh2_session_method_pref, (LIBSSH2_SESSION *session, int type, const char *methods),
     (session, type, methods))
LAZY(&library, const char *, libssh2_session_hostkey, (LIBSSH2_SESSION *session, size_t *length, int *type),
     (session, length, type))
LAZY(&library, const char *, libssh2_hostkey_hash, (LIBSSH2_SESSION *session, int type), (session, type))
LAZY(&library, LIBSSH2_KNOWNHOSTS *, libssh2_knownhost_init, (LIBSSH2_SESSION *session), (session))
LAZY(&library, int, libssh2_knownhost_readfile, (LIBSSH2_KNOWNHOSTS *hosts, const char *path, int type),
     (hosts, path, type))
LAZY(&library, int, libssh2_knownhost_checkp,
     (LIBSSH2_KNOWNHOSTS *hosts, const char *host, int port, const char *key, size_t length, int mask,
      struct libssh2_knownhost **entry),
     (hosts, host, port, key, length, mask, entry))
LAZY(&library, void, libssh2_knownhost_free, (LIBSSH2_KNOWNHOSTS *hosts), (hosts))
LAZY(&library, LIBSSH2_AGENT *, libssh2_agent_init, (LIBSSH2_SESSION *session), (session))
LAZY(&library, int, libssh2_agent_connect, (LIBSSH2_AGENT *agent), (agent))
LAZY(&library, int, libssh2_agent_list_identities, (LIBSSH2_AGENT *agent), (agent))
LAZY(&library, int, libssh2_agent_get_identity,
     (LIBSSH2_AGENT *agent, struct libssh2_agent_publickey **key, struct libssh2_agent_publickey *previous),
     (agent, key, previous))
LAZY(&library, int, libssh2_agent_userauth,
     (LIBSSH2_AGENT *agent, const char *user, struct libssh2_agent_publickey *key), (agent, user, key))
LAZY(&library, int, libssh2_agent_disconnect, (LIBSSH2_AGENT *agent), (agent))
LAZY(&library, void, libssh2_agent_free, (LIBSSH2_AGENT *agent), (agent))
LAZY(&library, int, libssh2_userauth_publickey_fromfile_ex,
     (LIBSSH2_SESSION *session, const char *user, unsigned length, const char *public_key, const char *private_key,
      const char *passphrase),
     (session, user, length, public_key, private_key, passphrase))
LAZY(&library, LIBSSH2_CHANNEL *, libssh2_channel_open_ex,
     (LIBSSH2_SESSION *session, const char *type, unsigned type_length, unsigned window, unsigned packet,
      const char *message, unsigned message_length),
     (session, type, type_length, window, packet, message, message_length))
LAZY(&library, LIBSSH2_CHANNEL *, libssh2_channel_direct_tcpip_ex,
     (LIBSSH2_SESSION *session, const char *host, int port, const char *from, int from_port),
     (session, host, port, from, from_port))
LAZY(&library, int, libssh2_channel_process_startup,
     (LIBSSH2_CHANNEL *channel, const char *request, unsigned request_length, const char *message,
      unsigned message_length),
     (channel, request, request_length, message, message_length))
LAZY(&library, ssize_t, libssh2_channel_read_ex, (LIBSSH2_CHANNEL *channel, int stream, char *room, size_t size),
     (channel, stream, room, size))
LAZY(&library, ssize_t, libssh2_channel_write_ex,
     (LIBSSH2_CHANNEL *channel, int stream, const char *bytes, size_t length), (channel, stream, bytes, length))
LAZY(&library, int, libssh2_channel_eof, (LIBSSH2_CHANNEL *channel), (channel))
LAZY(&library, int, libssh2_channel_send_eof, (LIBSSH2_CHANNEL *channel), (channel))
LAZY(&library, int, libssh2_channel_free, (LIBSSH2_CHANNEL *channel), (channel))
LAZY(&library, void, libssh2_keepalive_config, (LIBSSH2_SESSION *session, int wants_reply, unsigned seconds),
     (session, wants_reply, seconds))
LAZY(&library, int, libssh2_keepalive_send, (LIBSSH2_SESSION *session, int *next), (session, next))
