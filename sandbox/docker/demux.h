/*
 * The multiplexed stream of attach, exec and logs without a terminal: frames of eight bytes — stream, three zeros,
 * length in network order — and that many bytes. Frames are cut anywhere by the transport, so this is a state machine
 * over single bytes of the header; payloads are handed on as they come, never collected. (Engine API, "Stream format"
 * of container attach.)
 */
#ifndef SANDBOX_DOCKER_DEMUX_H
#define SANDBOX_DOCKER_DEMUX_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum docker_stream { DOCKER_STDOUT = 1, DOCKER_STDERR = 2 };

/* Where output goes: bytes as they come, in no units. -1 with `e` set ends the stream. */
struct docker_sink {
	int (*on_output)(void *context, enum docker_stream stream, const char *bytes, size_t length, struct err *e);
	void *context;
};

/* A sink's on_output that keeps the last bytes of both streams, as many as the maximum of the `struct buf` in `context`
 * allows. A piece that is larger than that is left out. */
int docker_keep_tail(void *context, enum docker_stream stream, const char *bytes, size_t length, struct err *e);

/* A frame longer than this is taken for a broken stream. Engines send at most 1 MiB at once. */
#define DEMUX_FRAME_MAXIMUM ((size_t)64 * 1024 * 1024)
#define DEMUX_ERROR_MAXIMUM ((size_t)4096)

struct demux {
	unsigned char header[8];
	size_t header_length;            /* bytes of it seen */
	size_t remaining;                /* bytes of the payload still to come */
	bool raw;                        /* a terminal's stream: no frames */
	char error[DEMUX_ERROR_MAXIMUM]; /* text of a system error frame (stream 3) so far */
	size_t error_length;
};

#define DEMUX_INIT                                                                                                     \
	{                                                                                                              \
		.raw = false                                                                                           \
	}

/* ERR_INTERNAL "docker-stream" for a malformed frame or the engine's own error frame; else what the sink said. */
int demux_feed(struct demux *demux, const char *bytes, size_t length, const struct docker_sink *sink, struct err *e);
/* At the stream's end: an error if a frame is incomplete. */
int demux_end(const struct demux *demux, struct err *e);

#endif
