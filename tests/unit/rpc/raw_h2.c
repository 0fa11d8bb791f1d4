#include "raw_h2.h"

#include "h2_client.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE_MS 10000
#define HEAD_SIZE 9
#define IN_MAXIMUM ((size_t)64 * 1024 * 1024)

void raw_open(struct raw_h2 *raw, uint16_t port, bool greet)
{
	*raw = (struct raw_h2){ .fd = connect_to(port), .in = BUF_INIT(IN_MAXIMUM) };
	/* Frames are written one by one. */
	int on = 1;
	if (raw->fd < 0 || setsockopt(raw->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		abort();
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	if (greet) {
		(void)raw_send(raw, preface, sizeof(preface) - 1);
		(void)raw_send_frame(raw, RAW_SETTINGS, 0, 0, NULL, 0);
	}
}

void raw_close(struct raw_h2 *raw)
{
	if (raw->fd >= 0)
		close(raw->fd);
	buf_release(&raw->in);
}

static void take_input(struct raw_h2 *raw)
{
	char *room = buf_reserve(&raw->in, 65536);
	ssize_t count = room ? recv(raw->fd, room, 65536, MSG_DONTWAIT) : -1;
	if (count > 0)
		buf_commit(&raw->in, (size_t)count);
}

bool raw_send(struct raw_h2 *raw, const void *bytes, size_t length)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	while (length) {
		ssize_t count = send(raw->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (count < 0 && errno != EAGAIN)
			return false;
		if (count > 0) {
			bytes = (const char *)bytes + count;
			length -= (size_t)count;
			continue;
		}
		struct pollfd p = { .fd = raw->fd, .events = POLLOUT };
		if (poll(&p, 1, clock_poll_timeout(deadline)) <= 0)
			return false;
	}
	return true;
}

void raw_add_frame(struct buf *out, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t length)
{
	const uint8_t head[HEAD_SIZE] = { (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length, type, flags,
		                          (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8),
		                          (uint8_t)stream };
	if (length > 16384 || buf_add(out, head, sizeof(head)) < 0 || (length && buf_add(out, payload, length) < 0))
		abort();
}

bool raw_send_frame(struct raw_h2 *raw, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t length)
{
	auto_buf struct buf frame = BUF_INIT(HEAD_SIZE + 16384);
	raw_add_frame(&frame, type, flags, stream, payload, length);
	return raw_send(raw, frame.data, frame.length);
}

/* RFC 7541, 5.1. */
static void add_integer(struct buf *out, uint8_t first, unsigned bits, size_t value)
{
	size_t limit = ((size_t)1 << bits) - 1;
	if (value < limit) {
		(void)buf_add_byte(out, (char)(first | value));
		return;
	}
	(void)buf_add_byte(out, (char)(first | limit));
	for (value -= limit; value >= 128; value >>= 7)
		(void)buf_add_byte(out, (char)(value % 128 | 128));
	(void)buf_add_byte(out, (char)value);
}

void raw_add_literal(struct buf *out, const char *name, const char *value, size_t value_length)
{
	(void)buf_add_byte(out, 0);
	add_integer(out, 0, 7, strlen(name));
	(void)buf_add_str(out, name);
	add_integer(out, 0, 7, value_length);
	(void)buf_add(out, value, value_length);
}

void raw_head(struct buf *out, const char *path, const struct buf *extra)
{
	const char *const fields[][2] = { { ":method", "POST" },
		                          { ":scheme", "http" },
		                          { ":path", path },
		                          { ":authority", "test" },
		                          { "te", "trailers" },
		                          { "content-type", "application/grpc" } };
	for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
		raw_add_literal(out, fields[i][0], fields[i][1], strlen(fields[i][1]));
	if (extra)
		(void)buf_add(out, buf_text(extra), extra->length);
}

bool raw_send_call(struct raw_h2 *raw, uint32_t stream, const char *path, const void *body, size_t length)
{
	auto_buf struct buf head = BUF_INIT(16384);
	raw_head(&head, path, NULL);
	return raw_send_frame(raw, RAW_HEADERS, RAW_END_HEADERS, stream, head.data, head.length) &&
	       raw_send_frame(raw, RAW_DATA, RAW_END_STREAM, stream, body, length);
}

uint32_t raw_number(const uint8_t bytes[4])
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

size_t raw_parse_frame(const void *input, size_t available, struct raw_frame *ret_frame)
{
	const uint8_t *bytes = input;
	if (available < HEAD_SIZE)
		return 0;
	size_t length = raw_number(bytes) >> 8;
	if (available < HEAD_SIZE + length)
		return 0;
	*ret_frame = (struct raw_frame){ .type = bytes[3], .flags = bytes[4], .stream = raw_number(bytes + 5),
		                         .payload = bytes + HEAD_SIZE, .length = length };
	return HEAD_SIZE + length;
}

bool raw_read(struct raw_h2 *raw, struct raw_frame *ret_frame)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	buf_consume(&raw->in, raw->taken);
	raw->taken = 0;
	for (;;) {
		raw->taken = raw_parse_frame(raw->in.data, raw->in.length, ret_frame);
		if (raw->taken)
			return true;
		struct pollfd p = { .fd = raw->fd, .events = POLLIN };
		if (poll(&p, 1, clock_poll_timeout(deadline)) <= 0)
			return false;
		size_t before = raw->in.length;
		take_input(raw);
		if (raw->in.length == before)
			return false;
	}
}

bool raw_wait(struct raw_h2 *raw, uint8_t type, uint32_t stream, struct raw_frame *ret_frame)
{
	while (raw_read(raw, ret_frame))
		if (ret_frame->type == type && (!stream || ret_frame->stream == stream))
			return true;
	return false;
}

int64_t raw_end(struct raw_h2 *raw)
{
	struct raw_frame frame;
	int64_t code = -1;
	while (raw_read(raw, &frame))
		if (frame.type == RAW_GOAWAY)
			code = raw_number(frame.payload + 4);
	struct pollfd p = { .fd = raw->fd, .events = POLLIN };
	char byte;
	bool ended = poll(&p, 1, 0) > 0 && recv(raw->fd, &byte, 1, MSG_DONTWAIT) <= 0;
	return ended ? code : -2;
}
