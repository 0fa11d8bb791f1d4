/* What slow clients run into, how much is held for them, and what becomes of calls that nobody waits for: over real sockets. */
#include "raw_fixture.h"

#include "h2_client.h"

#include "base/clock.h"
#include "base/text.h"
#include "rpc/connection.h"
#include "rpc/grpc.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* --- slow clients --- */

static void assert_closed_soon(uint16_t port, const void *bytes, size_t length, bool greet)
{
	struct raw_h2 raw;
	raw_open(&raw, port, greet);
	assert_true(raw_send(&raw, bytes, length));
	assert_true(raw_end(&raw) != -2);
	raw_close(&raw);
}

static void slow_beginnings_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .head_ms = 100 });
	uint16_t port = rpc_server_port(f->server);
	assert_closed_soon(port, "", 0, false);
	assert_closed_soon(port, "PRI * HTT", 9, false);
	assert_closed_soon(port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, false); /* no SETTINGS */
	assert_closed_soon(port, "\0\0\x10\1\0\0\0\0\1", 9, true);              /* the head of a head */
	assert_closed_soon(port, "GET / HTTP/1.1\r\nHost", 20, false);
}

static void slow_bodies_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .stall_ms = 100 });
	static const char text[] = "POST /api/v1/executions HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{";
	assert_closed_soon(rpc_server_port(f->server), text, sizeof(text) - 1, false);
}

static void slow_requests_are_answered_with_their_deadline(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .stall_ms = 100 });
	struct h2_client *client = h2_client_open(rpc_server_port(f->server));
	struct h2_request request = { .path = ADMIN "GetTask", .body = "\0\0\0\0\1", .length = 5, .endless = true };
	struct h2_result result;
	h2_client_start(client, &request, &result);
	assert_true(h2_client_run(client, &result));
	assert_int_equal(result.grpc_status, GRPC_DEADLINE_EXCEEDED);
	h2_result_release(&result);
	h2_client_close(client);
}

/* However much has come before: by the pace alone it would have a quarter of an hour. */
static void a_body_that_stops_is_not_waited_for(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .stall_ms = 100, .rate_minimum = 1 });
	static const uint8_t bytes[1000] = { 0, 0, 0x0f };
	auto_buf struct buf head = BUF_INIT(16384);
	struct raw_frame frame;
	raw_head(&head, ADMIN "GetTask", NULL);
	assert_true(raw_send_frame(&f->raw, RAW_HEADERS, RAW_END_HEADERS, 1, head.data, head.length));
	assert_true(raw_send_frame(&f->raw, RAW_DATA, 0, 1, bytes, sizeof(bytes)));
	assert_true(raw_wait(&f->raw, RAW_HEADERS, 1, &frame)); /* DEADLINE_EXCEEDED as Trailers-Only */
	assert_true(frame.flags & RAW_END_STREAM);
}

/* A byte now and then is progress, but not enough of it. */
static void trickling_is_no_progress(void **state)
{
	(void)state;
	struct rpc_limits limits = { 0 };
	rpc_limits_fill(&limits);
	assert_int_equal(rpc_limits_pace_ms(&limits, 60000, 1000, 0), 61000);
	assert_int_equal(rpc_limits_pace_ms(&limits, 60000, 1000, 500), 61000);
	assert_int_equal(rpc_limits_pace_ms(&limits, 60000, 1000, (size_t)20 * 1024 * 1024), 61000 + 320000);
	start(*state, (struct rpc_limits){ .stall_ms = 300, .rate_minimum = (size_t)1024 * 1024 });
	struct fixture *f = *state;
	auto_buf struct buf head = BUF_INIT(16384);
	raw_head(&head, ADMIN "GetTask", NULL);
	assert_true(raw_send_frame(&f->raw, RAW_HEADERS, RAW_END_HEADERS, 1, head.data, head.length));
	struct raw_frame frame = { 0 };
	/* Every ten milliseconds a byte: the stall alone would never be reached. */
	int64_t deadline = clock_monotonic_ms() + 10000;
	while (clock_monotonic_ms() < deadline && raw_send_frame(&f->raw, RAW_DATA, 0, 1, "\0", 1)) {
		struct pollfd p = { .fd = f->raw.fd, .events = POLLIN };
		if (poll(&p, 1, 10) > 0 && raw_read(&f->raw, &frame) && frame.type == RAW_HEADERS)
			break;
	}
	assert_int_equal(frame.type, RAW_HEADERS); /* DEADLINE_EXCEEDED as Trailers-Only */
	assert_true(frame.flags & RAW_END_STREAM);
}

/* A window that stays shut: the response is held for a while, keeps further calls waiting, and is given up. */
static void unread_responses_are_given_up(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .stall_ms = 400, .connection_memory = 1000 });
	struct proto_bytes large = get_task(f, 5000), small = get_task(f, 1);
	struct raw_frame frame;
	assert_true(raw_send_frame(&f->raw, RAW_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6)); /* INITIAL_WINDOW_SIZE 0 */
	assert_true(raw_send_call(&f->raw, 1, ADMIN "GetTask", large.data, large.length));
	assert_true(raw_wait(&f->raw, RAW_HEADERS, 1, &frame));
	assert_true(raw_send_call(&f->raw, 3, ADMIN "GetTask", small.data, small.length));
	do {
		assert_true(raw_read(&f->raw, &frame));
		assert_false(frame.type == RAW_HEADERS && frame.stream == 3);
	} while (frame.type != RAW_RST_STREAM);
	assert_int_equal(frame.stream, 1);
	assert_int_equal(raw_number(frame.payload), RAW_CANCEL);
	/* Only now does the second one begin. */
	assert_true(raw_wait(&f->raw, RAW_HEADERS, 3, &frame));
}

static void who_never_reads_is_cut_off(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .stall_ms = 300 });
	struct proto_bytes body = get_task(f, 60000 / 4);
	assert_true(raw_send_frame(&f->raw, RAW_SETTINGS, 0, 0, "\0\4\x7f\xff\xff\xff", 6));
	assert_true(raw_send_frame(&f->raw, RAW_WINDOW_UPDATE, 0, 0, "\x7f\0\0\0", 4));
	/* Answers pile up in the socket's buffers, which take some megabytes; then nothing moves. */
	uint32_t stream = 1;
	int64_t deadline = clock_monotonic_ms() + 60000;
	while (raw_send_call(&f->raw, stream, ADMIN "GetTask", body.data, body.length)) {
		stream += 2;
		assert_true(clock_monotonic_ms() < deadline);
	}
	assert_served(f, 1, 0);
	/* That was no back-pressure, which would have let us read on: the connection is gone. */
	assert_int_equal(raw_end(&f->raw), -1);
}

static void memory_has_one_limit_for_all(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .memory_maximum = (size_t)64 * 1024 });
	struct proto_bytes body = get_task(f, 15000);
	struct raw_frame frame;
	assert_true(raw_send_frame(&f->raw, RAW_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6));
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(raw_send_call(&f->raw, 1 + 2 * i, ADMIN "GetTask", body.data, body.length));
		assert_true(raw_wait(&f->raw, RAW_HEADERS, 1 + 2 * i, &frame));
	}
	assert_served(f, 10000, GRPC_UNAVAILABLE);
	/* Once they are gone everything is as before. */
	for (uint32_t i = 0; i < 4; i++)
		assert_true(raw_send_frame(&f->raw, RAW_RST_STREAM, 0, 1 + 2 * i, "\0\0\0\x08", 4));
	assert_true(raw_send_frame(&f->raw, RAW_PING, 0, 0, "12345678", 8));
	assert_true(raw_wait(&f->raw, RAW_PING, 0, &frame));
	assert_served(f, 10000, 0);
}

/* --- connections --- */

static void no_wake(void *owner)
{
	(void)owner;
}

#define UPLOADS 32
#define UPLOAD_SIZE ((size_t)1024 * 1024)
#define UPLOAD_WINDOW ((size_t)256 * 1024) /* what the server gives each stream */

/* Many large requests at once over one connection without a socket, sent as fast as the server's windows allow. */
struct uploads {
	struct rpc_router router;
	struct rpc_connection connection;
	struct buf out;
	int64_t window, windows[UPLOADS];
	size_t sent[UPLOADS];
	bool answered[UPLOADS];
	unsigned answers;
	struct rpc_exchange *queue[UPLOADS];
	size_t queued;
};

static int enqueue(void *executor, struct rpc_exchange *x)
{
	struct uploads *u = executor;
	u->queue[u->queued++] = x;
	return 0;
}

static void send_frame(struct uploads *u, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t length)
{
	auto_buf struct buf frame = BUF_INIT(9 + 16384);
	raw_add_frame(&frame, type, flags, stream, payload, length);
	rpc_connection_input(&u->connection, (const uint8_t *)frame.data, frame.length);
}

static void take_frame(struct uploads *u, const struct raw_frame *frame)
{
	size_t i = frame->stream / 2; /* 1, 3, 5, … */
	if (frame->type == RAW_WINDOW_UPDATE)
		*(frame->stream ? &u->windows[i] : &u->window) += raw_number(frame->payload);
	if (frame->type != RAW_HEADERS || u->answered[i])
		return;
	u->answered[i] = true;
	u->answers++;
}

static void take_output(struct uploads *u)
{
	struct raw_frame frame;
	do {
		size_t taken = 0, size;
		rpc_connection_output(&u->connection, &u->out);
		while ((size = raw_parse_frame(u->out.data + taken, u->out.length - taken, &frame)) > 0) {
			take_frame(u, &frame);
			taken += size;
		}
		buf_consume(&u->out, taken);
		if (!taken)
			return;
	} while (true);
}

/* Sends of every request what its windows allow, up to `size` bytes of each; false when they allow nothing. */
static bool push(struct uploads *u, size_t size)
{
	static const uint8_t zeros[16384], head[GRPC_FRAME_HEADER_SIZE] = { 0, 0, 0x0f, 0xff, 0xfb };
	bool moved = false;
	for (size_t i = 0; i < UPLOADS; i++) {
		while (u->sent[i] < size && u->windows[i] > 0 && u->window > 0) {
			size_t length = u->sent[i] ? sizeof(zeros) : sizeof(head), left = size - u->sent[i];
			length = length < left ? length : left;
			length = (int64_t)length < u->windows[i] ? length : (size_t)u->windows[i];
			length = (int64_t)length < u->window ? length : (size_t)u->window;
			const void *payload = u->sent[i] ? zeros : head;
			u->sent[i] += length;
			u->windows[i] -= (int64_t)length;
			u->window -= (int64_t)length;
			send_frame(u, RAW_DATA, u->sent[i] == UPLOAD_SIZE ? RAW_END_STREAM : 0, 1 + 2 * (uint32_t)i, payload, length);
			moved = true;
		}
	}
	take_output(u);
	return moved;
}

static void begin_connection(struct uploads *u, const struct rpc_server_options *options)
{
	auto_err struct err e = ERR_INIT;
	assert_int_equal(rpc_router_init(&u->router, options, &e), 0);
	u->router.submit = enqueue;
	u->router.executor = u;
	buf_init(&u->out, 4 * RPC_OUTPUT_PIECE);
	rpc_connection_init(&u->connection, &u->router, "127.0.0.1", no_wake, NULL);
	rpc_connection_input(&u->connection, (const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	send_frame(u, RAW_SETTINGS, 0, 0, NULL, 0);
}

static void begin_uploads(struct uploads *u, const struct rpc_server_options *options)
{
	auto_buf struct buf head = BUF_INIT(16384);
	begin_connection(u, options);
	raw_head(&head, ADMIN "GetTask", NULL);
	u->window = 65535;
	for (uint32_t i = 0; i < UPLOADS; i++) {
		u->windows[i] = UPLOAD_WINDOW;
		send_frame(u, RAW_HEADERS, RAW_END_HEADERS, 1 + 2 * i, head.data, head.length);
	}
	send_frame(u, RAW_SETTINGS, RAW_ACK, 0, NULL, 0); /* from now on the windows are the server's */
	take_output(u);
}

/* Streams beyond the maximum are refused one by one; who opens them and does not read that is left. */
static void frames_that_wait_to_be_sent_are_counted(void **state)
{
	struct fixture *f = *state;
	static struct uploads u;
	u = (struct uploads){ .window = 0 };
	auto_buf struct buf head = BUF_INIT(16384);
	f->service = fake_service(&f->fake);
	f->raw.fd = -1;
	begin_connection(&u, &(struct rpc_server_options){ .services = &f->service, .service_count = 1, .limits.stream_maximum = UPLOADS });
	raw_head(&head, ADMIN "GetTask", NULL);
	uint32_t stream = 1;
	for (; !u.connection.broken && stream < 20000; stream += 2)
		send_frame(&u, RAW_HEADERS, RAW_END_HEADERS, stream, head.data, head.length);
	assert_in_range(stream, 2 * 4096, 2 * 4096 + 200);
	rpc_connection_release(&u.connection);
	rpc_router_release(&u.router);
	buf_release(&u.out);
}

/* Together they would be 32 MiB; the server takes what it wants to hold, and one after the other it takes them all. */
static void requests_of_a_connection_are_bounded(void **state)
{
	struct fixture *f = *state;
	static struct uploads u;
	u = (struct uploads){ .window = 0 };
	const size_t held = (size_t)2 * 1024 * 1024;
	f->service = fake_service(&f->fake);
	struct rpc_server_options options = { .services = &f->service,
		                              .service_count = 1,
		                              .limits = { .connection_buffer = held, .message_maximum = UPLOAD_SIZE } };
	f->raw.fd = -1;
	begin_uploads(&u, &options);
	while (push(&u, UPLOAD_SIZE - 1))
		continue;
	size_t used = atomic_load(&u.router.memory.used);
	assert_true(used > held);
	assert_true(used <= held + UPLOAD_SIZE + UPLOADS * UPLOAD_WINDOW);
	while (u.answers < UPLOADS) {
		bool moved = push(&u, UPLOAD_SIZE) || u.queued;
		assert_true(moved);
		while (u.queued) {
			struct rpc_exchange *x = u.queue[--u.queued];
			rpc_exchange_execute(x);
			rpc_exchange_finish(x);
		}
		take_output(&u);
	}
	rpc_connection_release(&u.connection);
	assert_int_equal(atomic_load(&u.router.memory.used), 0);
	rpc_router_release(&u.router);
	buf_release(&u.out);
}

static void idle_connections_make_room(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .connection_maximum = 3, .evict_ms = 1 });
	struct proto_bytes body = get_task(f, 1);
	struct raw_h2 others[2];
	struct raw_frame frame;
	assert_true(raw_send_call(&f->raw, 1, ADMIN "GetVersion", body.data, body.length));
	assert_true(fake_service_wait(&f->fake, 1));
	for (size_t i = 0; i < 2; i++) {
		raw_open(&others[i], rpc_server_port(f->server), true);
		assert_true(raw_wait(&others[i], RAW_SETTINGS, 0, &frame));
	}
	poll(NULL, 0, 5); /* old enough */
	/* The fourth takes the place of an idle one, not of the one that works. */
	assert_served(f, 1, 0);
	assert_int_equal(raw_end(&others[0]), -1);
	fake_service_open(&f->fake, true);
	assert_true(raw_wait(&f->raw, RAW_HEADERS, 1, &frame));
	raw_close(&others[0]);
	raw_close(&others[1]);
}

static void busy_connections_are_kept(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .connection_maximum = 1, .evict_ms = 1 });
	struct proto_bytes body = get_task(f, 1);
	struct raw_frame frame;
	struct raw_h2 other;
	assert_true(raw_send_call(&f->raw, 1, ADMIN "GetVersion", body.data, body.length));
	assert_true(fake_service_wait(&f->fake, 1));
	raw_open(&other, rpc_server_port(f->server), true);
	assert_int_equal(raw_end(&other), -1);
	raw_close(&other);
	fake_service_open(&f->fake, true);
	assert_true(raw_wait(&f->raw, RAW_HEADERS, 1, &frame));
}

static void idle_connections_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .idle_ms = 100 });
	assert_int_equal(raw_end(&f->raw), 0);
}

/* Without a socket, so that time is ours: a ping moves the end of an idle connection, as flytekit relies on. */
static void pings_keep_a_connection(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	static struct rpc_router router;
	auto_err struct err e = ERR_INIT;
	struct rpc_server_options options = { .services = &f->service, .service_count = 1, .limits.idle_ms = 500 };
	assert_int_equal(rpc_router_init(&router, &options, &e), 0);
	static const uint8_t hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	static const uint8_t ping[] = "\0\0\x08\6\0\0\0\0\0" "12345678";
	struct rpc_connection c;
	rpc_connection_init(&c, &router, "127.0.0.1", no_wake, NULL);
	rpc_connection_input(&c, hello, sizeof(hello) - 1);
	int64_t before = rpc_connection_deadline(&c);
	poll(NULL, 0, 5);
	rpc_connection_input(&c, ping, sizeof(ping) - 1);
	int64_t after = rpc_connection_deadline(&c);
	assert_true(after >= before + 5);
	rpc_connection_tick(&c, after - 1);
	assert_false(rpc_connection_is_over(&c));
	rpc_connection_tick(&c, after);
	auto_buf struct buf out = BUF_INIT(4 * RPC_OUTPUT_PIECE);
	rpc_connection_output(&c, &out);
	assert_true(rpc_connection_is_over(&c));
	rpc_connection_release(&c);
	rpc_router_release(&router);
}

/* --- cancellation --- */

static void handlers_are_told_when_nobody_waits(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	struct raw_frame frame;
	assert_true(raw_send_call(&f->raw, 1, ADMIN "GetExecution", "\0\0\0\0\0", 5));
	assert_true(fake_service_wait(&f->fake, 1));
	assert_true(raw_send_frame(&f->raw, RAW_RST_STREAM, 0, 1, "\0\0\0\x08", 4));
	assert_true(fake_service_wait_cancelled(&f->fake, 1));
	/* The deadline. */
	struct h2_client *client = h2_client_open(rpc_server_port(f->server));
	struct h2_request request = { .path = ADMIN "GetExecution", .body = "\0\0\0\0\0", .length = 5, .timeout = "50m" };
	struct h2_result result;
	h2_client_start(client, &request, &result);
	assert_true(h2_client_run(client, &result));
	assert_int_equal(result.grpc_status, GRPC_DEADLINE_EXCEEDED);
	assert_true(fake_service_wait_cancelled(&f->fake, 2));
	h2_result_release(&result);
	h2_client_close(client);
	/* The connection. */
	assert_true(raw_send_call(&f->raw, 3, ADMIN "GetExecution", "\0\0\0\0\0", 5));
	assert_true(fake_service_wait(&f->fake, 1));
	raw_close(&f->raw);
	assert_true(fake_service_wait_cancelled(&f->fake, 3));
	raw_open(&f->raw, rpc_server_port(f->server), true);
	assert_true(raw_wait(&f->raw, RAW_SETTINGS, 0, &frame));
}

static void waiting_calls_leave_the_queue(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .queue_maximum = 2 });
	struct raw_frame frame;
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(raw_send_call(&f->raw, 1 + 2 * i, ADMIN "GetVersion", "\0\0\0\0\0", 5));
		assert_true(fake_service_wait(&f->fake, i + 1));
	}
	for (uint32_t i = 4; i < 6; i++)
		assert_true(raw_send_call(&f->raw, 1 + 2 * i, ADMIN "GetVersion", "\0\0\0\0\0", 5));
	assert_true(raw_send_call(&f->raw, 13, ADMIN "GetVersion", "\0\0\0\0\0", 5));
	assert_true(raw_wait(&f->raw, RAW_HEADERS, 13, &frame)); /* UNAVAILABLE */
	assert_true(frame.flags & RAW_END_STREAM);
	assert_true(raw_send_frame(&f->raw, RAW_RST_STREAM, 0, 11, "\0\0\0\x08", 4));
	assert_true(raw_send_call(&f->raw, 15, ADMIN "GetVersion", "\0\0\0\0\0", 5));
	/* While all workers are still taken: it has been given the place, it was not refused. */
	assert_true(raw_send_frame(&f->raw, RAW_PING, 0, 0, "12345678", 8));
	do {
		assert_true(raw_read(&f->raw, &frame));
		assert_int_not_equal(frame.stream, 15);
	} while (frame.type != RAW_PING);
	fake_service_open(&f->fake, true);
	assert_true(raw_wait(&f->raw, RAW_DATA, 15, &frame));
}

static void messages_of_20_mib_pass(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	/* Twice the tag and length of the name and of the id, and the name of the client and its address in the answer. */
	assert_served(f, (size_t)20 * 1024 * 1024 - 64, 0);
	assert_served(f, (size_t)20 * 1024 * 1024 + 1, GRPC_RESOURCE_EXHAUSTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(slow_beginnings_end),
		TEST(slow_bodies_end),
		TEST(slow_requests_are_answered_with_their_deadline),
		TEST(a_body_that_stops_is_not_waited_for),
		TEST(trickling_is_no_progress),
		TEST(unread_responses_are_given_up),
		TEST(who_never_reads_is_cut_off),
		TEST(memory_has_one_limit_for_all),
		TEST(requests_of_a_connection_are_bounded),
		TEST(frames_that_wait_to_be_sent_are_counted),
		TEST(idle_connections_make_room),
		TEST(busy_connections_are_kept),
		TEST(idle_connections_end),
		TEST(pings_keep_a_connection),
		TEST(handlers_are_told_when_nobody_waits),
		TEST(waiting_calls_leave_the_queue),
		TEST(messages_of_20_mib_pass),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
