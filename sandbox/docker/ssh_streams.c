/*
 * The thread of an SSH session. libssh2's sessions are for one thread, so this is the only one that calls it after the login; others
 * leave streams and listeners under the lock and wake it. One turn opens what is to be opened (one channel at a time: a session
 * keeps the state of one opening), moves bytes for as long as any move, and then waits for whatever could change that.
 *
 * A packet that the connection took only a part of is finished by the same call with the same arguments; any other call that has
 * something to send fails with LIBSSH2_ERROR_BAD_USE until then, and has done nothing. So that code means "later", as EAGAIN does, and every
 * turn makes each unfinished call again.
 *
 * Whichever channel is read, libssh2 takes all that has come over the connection and keeps what is for others, of which poll() then knows nothing. So
 * the thread waits only after a round over all channels in which nothing came at all: then what each of them said about having nothing still holds.
 */
#include "docker/ssh_internal.h"

#include "base/platform.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define PROBLEM_MAXIMUM 4096
#define KEEPALIVE_SECONDS 30
#define POLL_SLOTS (SSH_STREAMS_MAXIMUM + SSH_LISTENERS_MAXIMUM + 2)

static void wake_up(struct ssh_session *session)
{
	(void)!write(session->wake[1], "", 1);
}

static struct ssh_stream *stream_new(int fd, const char *command, const struct ssh_listener *listener)
{
	struct ssh_stream *stream = xcalloc(1, sizeof(*stream));
	stream->fd = fd;
	stream->command = xstrdup(command);
	if (listener) {
		memcpy(stream->host, listener->host, sizeof(stream->host));
		stream->port = listener->port;
	}
	return stream;
}

/* With the lock held. False when there are too many, or the session is over. */
static bool add_stream(struct ssh_session *session, int fd, const char *command, const struct ssh_listener *listener)
{
	for (size_t i = 0; !session->dead && i < SSH_STREAMS_MAXIMUM; i++) {
		if (session->streams[i])
			continue;
		session->streams[i] = stream_new(fd, command, listener);
		return true;
	}
	return false;
}

int ssh_session_run(struct ssh_session *session, const char *command, struct err *e)
{
	int ends[2];
	if (platform_socket_pair(ends) < 0)
		return err_set_errno(e, errno, NULL, "cannot make a socket pair");
	auto_fd int ours = ends[0];
	auto_fd int theirs = ends[1];
	if (platform_set_nonblocking(ours) < 0 || platform_set_nonblocking(theirs) < 0)
		return err_set_errno(e, errno, NULL, "cannot change a socket");
	pthread_mutex_lock(&session->lock);
	buf_clear(&session->problem);
	bool added = add_stream(session, ours, command, NULL);
	bool dead = session->dead;
	pthread_mutex_unlock(&session->lock);
	if (!added)
		return err_set(e, dead ? ERR_UNAVAILABLE : ERR_EXHAUSTED, "connection-failed",
		               dead ? "the SSH connection has ended" : "too many streams in one SSH connection");
	(void)steal_fd(&ours);
	wake_up(session);
	return steal_fd(&theirs);
}

void ssh_session_forward(struct ssh_session *session, int listener, const char *host, int port)
{
	(void)platform_set_nonblocking(listener);
	pthread_mutex_lock(&session->lock);
	bool room = session->listener_count < SSH_LISTENERS_MAXIMUM;
	if (room) {
		struct ssh_listener *entry = &session->listeners[session->listener_count++];
		entry->fd = listener;
		entry->port = port;
		(void)snprintf(entry->host, sizeof(entry->host), "%s", host);
	}
	pthread_mutex_unlock(&session->lock);
	if (!room)
		close(listener);
	wake_up(session);
}

char *ssh_session_problem(struct ssh_session *session)
{
	pthread_mutex_lock(&session->lock);
	/* The last line: what comes before may be greetings. */
	const char *said = buf_text(&session->problem);
	size_t end = strlen(said);
	while (end && strchr("\r\n", said[end - 1]))
		end--;
	size_t start = end;
	while (start && !strchr("\r\n", said[start - 1]))
		start--;
	char *text = xstrndup(said + start, end - start);
	pthread_mutex_unlock(&session->lock);
	return text;
}

int ssh_session_ended_fd(struct ssh_session *session)
{
	return cancel_fd(&session->ended);
}

static void note_problem(struct ssh_session *session, const char *text, size_t length)
{
	pthread_mutex_lock(&session->lock);
	size_t room = session->problem.maximum - session->problem.length;
	buf_add(&session->problem, text, length < room ? length : room);
	pthread_mutex_unlock(&session->lock);
}

static void note_ssh_error(struct ssh_session *session)
{
	char *message = NULL;
	int length = 0;
	libssh2_session_last_error(session->ssh, &message, &length, 0);
	note_problem(session, message, (size_t)length);
}

static bool is_later(struct ssh_session *session, ssize_t code)
{
	/* Reading sends, too: word that there is room again. That it could not comes out as SOCKET_SEND; a connection that is really over
	 * shows in is_connected. */
	bool unfinished = code == LIBSSH2_ERROR_BAD_USE || code == LIBSSH2_ERROR_SOCKET_SEND;
	session->unfinished |= unfinished;
	return code == LIBSSH2_ERROR_EAGAIN || unfinished;
}

/* 1 when it is open, 0 when that takes longer, -1 when it was refused. */
static int open_channel(struct ssh_session *session, struct ssh_stream *stream)
{
	if (!stream->channel)
		stream->channel = stream->command ? libssh2_channel_open_ex(session->ssh, "session", 7, LIBSSH2_CHANNEL_WINDOW_DEFAULT,
		                                                            LIBSSH2_CHANNEL_PACKET_DEFAULT, NULL, 0)
		                                  : libssh2_channel_direct_tcpip_ex(session->ssh, stream->host, stream->port,
		                                                                    "127.0.0.1", 0);
	if (!stream->channel)
		return is_later(session, libssh2_session_last_errno(session->ssh)) ? 0 : -1;
	if (!stream->command)
		return 1;
	int code = libssh2_channel_process_startup(stream->channel, "exec", 4, stream->command, (unsigned)strlen(stream->command));
	return code == 0 ? 1 : is_later(session, code) ? 0 : -1;
}

static bool is_over(const struct ssh_stream *stream)
{
	return stream->local_gone || (stream->remote_ended && stream->to_local_sent == stream->to_local_length);
}

/* Whether anything moved; the four directions of a stream. */
static bool read_local(struct ssh_stream *stream)
{
	if (stream->local_ended || stream->to_remote_sent < stream->to_remote_length)
		return false;
	ssize_t got = recv(stream->fd, stream->to_remote, SSH_PIECE, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	stream->to_remote_sent = 0;
	stream->to_remote_length = got > 0 ? (size_t)got : 0;
	stream->local_ended = got <= 0;
	return true;
}

static bool write_remote(struct ssh_session *session, struct ssh_stream *stream)
{
	if (stream->to_remote_sent == stream->to_remote_length) {
		if (!stream->local_ended || stream->end_sent)
			return false;
		stream->end_sent = !is_later(session, libssh2_channel_send_eof(stream->channel));
		return stream->end_sent;
	}
	ssize_t sent = libssh2_channel_write_ex(stream->channel, 0, stream->to_remote + stream->to_remote_sent,
	                                        stream->to_remote_length - stream->to_remote_sent);
	if (is_later(session, sent) || sent == 0)
		return false;
	if (sent < 0) {
		note_ssh_error(session);
		stream->to_remote_sent = stream->to_remote_length;
		stream->local_ended = stream->end_sent = true;
		return true;
	}
	stream->to_remote_sent += (size_t)sent;
	return true;
}

static bool read_remote(struct ssh_session *session, struct ssh_stream *stream)
{
	char said[512];
	ssize_t words = libssh2_channel_read_ex(stream->channel, SSH_EXTENDED_DATA_STDERR, said, sizeof(said));
	if (words > 0)
		note_problem(session, said, (size_t)words);
	if (stream->remote_ended || stream->to_local_sent < stream->to_local_length)
		return words > 0;
	ssize_t got = libssh2_channel_read_ex(stream->channel, 0, stream->to_local, SSH_PIECE);
	if (is_later(session, got) || (got == 0 && !libssh2_channel_eof(stream->channel)))
		return words > 0;
	stream->to_local_sent = 0;
	stream->to_local_length = got > 0 ? (size_t)got : 0;
	stream->remote_ended = got <= 0;
	return true;
}

static bool write_local(struct ssh_stream *stream)
{
	if (stream->to_local_sent == stream->to_local_length)
		return false;
	ssize_t sent = send(stream->fd, stream->to_local + stream->to_local_sent, stream->to_local_length - stream->to_local_sent,
	                    PLATFORM_NO_SIGPIPE);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	stream->local_gone = sent < 0;
	if (sent > 0)
		stream->to_local_sent += (size_t)sent;
	if (stream->remote_ended && stream->to_local_sent == stream->to_local_length)
		shutdown(stream->fd, SHUT_WR);
	return true;
}

static bool move_bytes(struct ssh_session *session, struct ssh_stream *stream)
{
	bool moved = read_local(stream);
	moved |= write_remote(session, stream);
	moved |= read_remote(session, stream);
	moved |= write_local(stream);
	return moved;
}

static struct ssh_stream *stream_free(struct ssh_stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	free(stream->command);
	free(stream);
	return NULL;
}

static struct ssh_stream *stream_at(struct ssh_session *session, size_t i)
{
	pthread_mutex_lock(&session->lock);
	struct ssh_stream *stream = session->streams[i];
	pthread_mutex_unlock(&session->lock);
	return stream;
}

/* This side is closed at once, the channel when both have said so: true when the stream is gone. */
static bool drop_stream(struct ssh_session *session, size_t i)
{
	struct ssh_stream *stream = stream_at(session, i);
	stream->closing = true;
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
	if (stream->channel && is_later(session, libssh2_channel_free(stream->channel)))
		return false;
	pthread_mutex_lock(&session->lock);
	session->streams[i] = NULL;
	pthread_mutex_unlock(&session->lock);
	stream_free(stream);
	return true;
}

/* An opening that has begun is the session's: asked for another channel, libssh2 would go on with it and give that stream the first one's. So it
 * is gone on with for the stream that began it, whichever others have come since. */
static size_t next_to_open(struct ssh_session *session)
{
	if (session->opening < SSH_STREAMS_MAXIMUM)
		return session->opening;
	size_t i = 0;
	for (; i < SSH_STREAMS_MAXIMUM; i++) {
		const struct ssh_stream *stream = stream_at(session, i);
		if (stream && !stream->open && !stream->closing)
			break;
	}
	return i;
}

/* One channel at a time; the others wait for their turn. */
static bool open_one(struct ssh_session *session)
{
	size_t i = next_to_open(session);
	if (i == SSH_STREAMS_MAXIMUM)
		return false;
	struct ssh_stream *stream = stream_at(session, i);
	int outcome = open_channel(session, stream);
	session->opening = outcome == 0 ? i : SSH_STREAMS_MAXIMUM;
	stream->open = outcome > 0;
	if (outcome < 0) {
		note_ssh_error(session);
		drop_stream(session, i);
	}
	return outcome != 0;
}

static void accept_all(struct ssh_session *session)
{
	pthread_mutex_lock(&session->lock);
	for (size_t i = 0; i < session->listener_count; i++) {
		for (;;) {
			int fd = platform_accept(session->listeners[i].fd);
			if (fd < 0)
				break;
			if (!add_stream(session, fd, NULL, &session->listeners[i]))
				close(fd);
		}
	}
	pthread_mutex_unlock(&session->lock);
}

/* libssh2's way to the connection: its own, but for the note. */
static LIBSSH2_RECV_FUNC(receive)
{
	struct ssh_session *session = *abstract;
	ssize_t got = recv(socket, buffer, length, flags);
	if (got > 0)
		session->received = true;
	if (got < 0)
		return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
	return got;
}

/* libssh2 reads the connection only on behalf of a channel, and tells of its end only there: `control` is one that is for nothing else. */
static bool is_connected(struct ssh_session *session)
{
	char ignored[256];
	ssize_t got = libssh2_channel_read_ex(session->control, 0, ignored, sizeof(ignored));
	return (is_later(session, got) || got >= 0) && !libssh2_channel_eof(session->control);
}

/* Does all that can be done without waiting. False when the connection is over. */
static bool turn(struct ssh_session *session)
{
	bool moved, connected;
	do {
		session->unfinished = session->received = false;
		accept_all(session);
		moved = open_one(session);
		for (size_t i = 0; i < SSH_STREAMS_MAXIMUM; i++) {
			struct ssh_stream *stream = stream_at(session, i);
			if (!stream || (!stream->open && !stream->closing))
				continue;
			if (!stream->closing)
				moved |= move_bytes(session, stream);
			if (stream->closing || is_over(stream))
				moved |= drop_stream(session, i);
		}
		connected = is_connected(session);
	} while (moved || session->received);
	return connected;
}

static bool closing(struct ssh_session *session)
{
	pthread_mutex_lock(&session->lock);
	bool yes = session->closing;
	pthread_mutex_unlock(&session->lock);
	return yes;
}

/* Waits until something can go on. False when the connection is over. */
static bool wait_for_work(struct ssh_session *session)
{
	struct pollfd fds[POLL_SLOTS];
	nfds_t count = 0;
	int directions = libssh2_session_block_directions(session->ssh);
	bool wants_out = (directions & LIBSSH2_SESSION_BLOCK_OUTBOUND) || session->unfinished;
	fds[count++] = (struct pollfd){ .fd = session->fd, .events = (short)(POLLIN | (wants_out ? POLLOUT : 0)) };
	fds[count++] = (struct pollfd){ .fd = session->wake[0], .events = POLLIN };
	pthread_mutex_lock(&session->lock);
	for (size_t i = 0; i < session->listener_count; i++)
		fds[count++] = (struct pollfd){ .fd = session->listeners[i].fd, .events = POLLIN };
	for (size_t i = 0; i < SSH_STREAMS_MAXIMUM; i++) {
		const struct ssh_stream *stream = session->streams[i];
		if (!stream || !stream->open || stream->closing)
			continue;
		bool reads = !stream->local_ended && stream->to_remote_sent == stream->to_remote_length;
		bool writes = stream->to_local_sent < stream->to_local_length;
		if (reads || writes)
			fds[count++] = (struct pollfd){ .fd = stream->fd,
				                        .events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)) };
	}
	pthread_mutex_unlock(&session->lock);
	/* While something is being sent nobody needs to be told that we are here. */
	int next = KEEPALIVE_SECONDS;
	if (!wants_out && libssh2_keepalive_send(session->ssh, &next) < 0 && !is_later(session, libssh2_session_last_errno(session->ssh)))
		return false;
	if (poll(fds, count, next * 1000) < 0 && errno != EINTR)
		return false;
	char drained[64];
	if (fds[1].revents)
		(void)!read(session->wake[0], drained, sizeof(drained));
	return true;
}

static void *run(void *context)
{
	struct ssh_session *session = context;
	while (turn(session) && !closing(session) && wait_for_work(session))
		;
	pthread_mutex_lock(&session->lock);
	session->dead = true;
	if (!session->closing && !session->problem.length)
		buf_add_str(&session->problem, "the SSH connection has ended");
	pthread_mutex_unlock(&session->lock);
	for (size_t i = 0; i < SSH_STREAMS_MAXIMUM; i++) {
		struct ssh_stream *stream = stream_at(session, i);
		if (!stream)
			continue;
		pthread_mutex_lock(&session->lock);
		session->streams[i] = NULL;
		pthread_mutex_unlock(&session->lock);
		/* Its channel is freed with the session. */
		stream_free(stream);
	}
	cancel_request(&session->ended);
	return NULL;
}

int ssh_streams_start(struct ssh_session *session, struct err *e)
{
	session->opening = SSH_STREAMS_MAXIMUM;
	libssh2_session_set_blocking(session->ssh, 0);
/* What 1.11 has instead, 1.10 does not have. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	libssh2_session_callback_set(session->ssh, LIBSSH2_CALLBACK_RECV, (void *)receive);
#pragma GCC diagnostic pop
	libssh2_keepalive_config(session->ssh, 1, KEEPALIVE_SECONDS);
	if (platform_pipe(session->wake) < 0)
		return err_set_errno(e, errno, NULL, "cannot make a pipe");
	buf_init(&session->problem, PROBLEM_MAXIMUM);
	int problem = pthread_create(&session->thread, NULL, run, session);
	if (problem)
		return err_set_errno(e, problem, NULL, "cannot start a thread");
	session->thread_started = true;
	return 0;
}

void ssh_streams_stop(struct ssh_session *session)
{
	pthread_mutex_lock(&session->lock);
	session->closing = true;
	pthread_mutex_unlock(&session->lock);
	if (session->thread_started) {
		wake_up(session);
		pthread_join(session->thread, NULL);
	}
	for (size_t i = 0; i < session->listener_count; i++)
		close(session->listeners[i].fd);
	for (int i = 0; i < 2; i++) {
		if (session->wake[i] >= 0)
			close(session->wake[i]);
	}
	buf_release(&session->problem);
	cancel_release(&session->ended);
}
