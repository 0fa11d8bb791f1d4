/*
 * A connection without a socket. The input is what a client sends, in pieces: a length byte and that many bytes each
 * (0: let the workers run and time pass). Nothing may crash, leak or grow past its limits, whatever the bytes are; the
 * same bytes in one piece have to be accepted too.
 */
#include "fake_service.h"

#include "base/clock.h"
#include "rpc/connection.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUTPUT_MAXIMUM (4 * RPC_OUTPUT_PIECE)

static struct fake_service fake = FAKE_SERVICE_INIT;
static struct rpc_router router;
static struct rpc_exchange *queue[64];
static size_t queued;

static int enqueue(void *executor, struct rpc_exchange *x)
{
	(void)executor;
	if (queued == ARRAY_LENGTH(queue))
		return -1;
	queue[queued++] = x;
	return 0;
}

static void run_queue(void)
{
	for (size_t i = 0; i < queued; i++) {
		rpc_exchange_execute(queue[i]);
		rpc_exchange_finish(queue[i]);
	}
	queued = 0;
}

static void wake(void *owner)
{
	(void)owner;
}

static void start(void)
{
	static struct rpc_service service;
	auto_err struct err e = ERR_INIT;
	fake.open = true;
	service = fake_service(&fake);
	struct rpc_server_options options = {
		.services = &service,
		.service_count = 1,
		.limits.message_maximum = (size_t)256 * 1024,
		.console_directory = "/nonexistent",
	};
	if (rpc_router_init(&router, &options, &e) < 0)
		abort();
	router.submit = enqueue;
}

static void drain_output(struct rpc_connection *c, struct buf *out)
{
	do {
		buf_clear(out);
		rpc_connection_output(c, out);
	} while (out->length);
}

static void play(const uint8_t *data, size_t size, bool in_pieces)
{
	struct rpc_connection c;
	auto_buf struct buf out = BUF_INIT(OUTPUT_MAXIMUM);
	rpc_connection_init(&c, &router, "127.0.0.1", wake, NULL);
	int64_t now = clock_monotonic_ms();
	while (size && !rpc_connection_is_over(&c)) {
		size_t length = in_pieces ? *data : size;
		if (in_pieces)
			data++, size--;
		if (length > size)
			length = size;
		if (!length) {
			run_queue();
			rpc_connection_tick(&c, now += 5000);
		}
		/* A socket does not read on while the connection does not want input. */
		if (!rpc_connection_wants_input(&c))
			run_queue();
		rpc_connection_input(&c, data, length);
		data += length;
		size -= length;
		drain_output(&c, &out);
		if (!rpc_connection_is_over(&c) && rpc_connection_deadline(&c) < 0)
			abort();
	}
	rpc_connection_drain(&c);
	drain_output(&c, &out);
	rpc_connection_release(&c);
	run_queue();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!router.submit)
		start();
	play(data, size, true);
	play(data, size, false);
	return 0;
}
