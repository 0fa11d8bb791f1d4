#include "rpc/connection.h"

#include "base/clock.h"

#include <string.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_LENGTH (sizeof(preface) - 1)

void rpc_connection_init(struct rpc_connection *c, struct rpc_router *router, const char *peer_address,
                         void (*wake)(void *owner), void *owner)
{
	*c = (struct rpc_connection){ .router = router, .wake = wake, .owner = owner };
	(void)snprintf(c->peer_address, sizeof(c->peer_address), "%s", peer_address);
	c->sniff_deadline_ms = clock_monotonic_ms() + router->limits.head_ms;
}

void rpc_connection_release(struct rpc_connection *c)
{
	if (c->protocol)
		c->protocol->close(c->state);
	c->protocol = NULL;
	c->state = NULL;
	c->broken = true;
}

static void choose(struct rpc_connection *c, const struct rpc_protocol *protocol)
{
	c->protocol = protocol;
	c->state = protocol->open(c);
	if (c->draining)
		protocol->drain(c->state);
	if (protocol->input(c->state, c->sniffed, c->sniffed_length) < 0)
		c->broken = true;
}

/* Takes bytes until they differ from the HTTP/2 preface or make it up. Returns how many were taken. */
static size_t sniff(struct rpc_connection *c, const uint8_t *bytes, size_t length)
{
	size_t taken = 0;
	while (taken < length && !c->protocol) {
		uint8_t byte = bytes[taken++];
		bool same = byte == (uint8_t)preface[c->sniffed_length];
		c->sniffed[c->sniffed_length++] = byte;
		if (!same)
			choose(c, &rpc_http1_protocol);
		else if (c->sniffed_length == PREFACE_LENGTH)
			choose(c, &rpc_http2_protocol);
	}
	return taken;
}

void rpc_connection_input(struct rpc_connection *c, const uint8_t *bytes, size_t length)
{
	if (c->broken)
		return;
	size_t taken = c->protocol ? 0 : sniff(c, bytes, length);
	if (!c->broken && taken < length && c->protocol->input(c->state, bytes + taken, length - taken) < 0)
		c->broken = true;
}

void rpc_connection_end_of_input(struct rpc_connection *c)
{
	if (!c->protocol || c->protocol->end_of_input(c->state) < 0)
		c->broken = true;
}

void rpc_connection_output(struct rpc_connection *c, struct buf *out)
{
	if (c->protocol && c->protocol->output(c->state, out) < 0)
		c->broken = true;
}

bool rpc_connection_wants_input(const struct rpc_connection *c)
{
	return !c->broken && (!c->protocol || c->protocol->wants_input(c->state));
}

bool rpc_connection_is_idle(const struct rpc_connection *c)
{
	return !c->protocol || c->protocol->is_idle(c->state);
}

bool rpc_connection_is_over(const struct rpc_connection *c)
{
	return c->broken || (c->protocol ? c->protocol->is_over(c->state) : c->draining);
}

int64_t rpc_connection_deadline(const struct rpc_connection *c)
{
	if (c->broken)
		return CLOCK_NEVER;
	return c->protocol ? c->protocol->deadline(c->state) : c->sniff_deadline_ms;
}

void rpc_connection_tick(struct rpc_connection *c, int64_t now_ms)
{
	if (c->broken)
		return;
	if (c->protocol)
		c->protocol->tick(c->state, now_ms);
	else if (now_ms >= c->sniff_deadline_ms)
		c->broken = true;
}

void rpc_connection_drain(struct rpc_connection *c)
{
	c->draining = true;
	if (c->protocol)
		c->protocol->drain(c->state);
}
