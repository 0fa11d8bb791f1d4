/* Between ssh.c, which makes a session, and ssh_streams.c, whose thread moves the bytes of one. */
#ifndef SANDBOX_DOCKER_SSH_INTERNAL_H
#define SANDBOX_DOCKER_SSH_INTERNAL_H

#include "base/buf.h"
#include "base/cancel.h"
#include "docker/ssh.h"

#include <libssh2.h>
#include <pthread.h>

#define SSH_STREAMS_MAXIMUM 128
#define SSH_LISTENERS_MAXIMUM 16
#define SSH_HOST_SIZE 64
#define SSH_PIECE ((size_t)32 * 1024)

struct ssh_stream {
	int fd; /* our end of the pair, or an accepted connection; -1: free */
	char *command; /* to run, or NULL for a port */
	char host[SSH_HOST_SIZE];
	int port;
	LIBSSH2_CHANNEL *channel;
	bool open;
	bool closing; /* nothing moves any more; the channel is being closed */
	char to_remote[SSH_PIECE];
	size_t to_remote_length, to_remote_sent;
	char to_local[SSH_PIECE];
	size_t to_local_length, to_local_sent;
	bool local_ended, remote_ended; /* no more comes from there */
	bool end_sent;                  /* the other machine knows */
	bool local_gone;                /* nobody reads here */
};

struct ssh_session {
	LIBSSH2_SESSION *ssh;
	LIBSSH2_CHANNEL *control;
	int fd;
	bool received; /* something came over the connection in this round; of the thread alone */
	bool thread_started;
	bool unfinished; /* a packet was sent in part; of the thread alone */
	size_t opening;  /* the stream whose channel is being opened, or SSH_STREAMS_MAXIMUM; of the thread alone */
	pthread_t thread;
	int wake[2];         /* new work for the thread */
	struct cancel ended; /* requested when the connection is over */
	pthread_mutex_t lock; /* of all below */
	bool closing;
	bool dead;
	struct buf problem;
	struct ssh_stream *streams[SSH_STREAMS_MAXIMUM];
	struct ssh_listener {
		int fd;
		char host[SSH_HOST_SIZE];
		int port;
	} listeners[SSH_LISTENERS_MAXIMUM];
	size_t listener_count;
};

int ssh_streams_start(struct ssh_session *session, struct err *e);
void ssh_streams_stop(struct ssh_session *session);

#endif
