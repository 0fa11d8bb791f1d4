#include "grpc/frames.h"

#define PREFIX 5
/* A body is taken in pieces that fit behind an unfinished message. */
#define PIECE ((size_t)65536)

int grpc_frame_add(struct buf *out, const ProtobufCMessage *message)
{
	const size_t length = protobuf_c_message_get_packed_size(message);
	const unsigned char prefix[PREFIX] = { 0, (unsigned char)(length >> 24), (unsigned char)(length >> 16),
		                               (unsigned char)(length >> 8), (unsigned char)length };
	if (length > UINT32_MAX || buf_add(out, prefix, sizeof(prefix)) < 0)
		return -1;
	return proto_pack_to_buf(message, out);
}

void grpc_frames_release(struct grpc_frames *frames)
{
	buf_release(&frames->pending);
}

static size_t length_of(const unsigned char *prefix)
{
	return (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | prefix[4];
}

/* Hands over what is complete. */
static int deliver(struct grpc_frames *frames, struct err *e)
{
	while (frames->pending.length >= PREFIX) {
		const unsigned char *prefix = (const unsigned char *)frames->pending.data;
		const size_t length = length_of(prefix);
		if (prefix[0] != 0)
			return err_set(e, ERR_UNSUPPORTED, "grpc-compressed",
			               "the peer sent a compressed message, which was not offered");
		if (length > frames->maximum)
			return err_set(e, ERR_EXHAUSTED, "grpc-too-large",
			               "the peer's message has %zu bytes, more than %zu", length, frames->maximum);
		if (frames->pending.length < PREFIX + length)
			return 0;
		if (frames->on_message(frames->context, frames->pending.data + PREFIX, length, e) < 0)
			return -1;
		buf_consume(&frames->pending, PREFIX + length);
	}
	return 0;
}

int grpc_frames_read(struct grpc_frames *frames, const char *bytes, size_t length, struct err *e)
{
	while (length > 0) {
		const size_t piece = length < PIECE ? length : PIECE;
		if (buf_add(&frames->pending, bytes, piece) < 0)
			return err_set(e, ERR_EXHAUSTED, "grpc-too-large", "the peer's message is too long");
		if (deliver(frames, e) < 0)
			return -1;
		bytes += piece;
		length -= piece;
	}
	return 0;
}

int grpc_frames_end(const struct grpc_frames *frames, struct err *e)
{
	if (frames->pending.length)
		return err_set(e, ERR_INTERNAL, "grpc-truncated", "the peer's answer ends within a message");
	return 0;
}
