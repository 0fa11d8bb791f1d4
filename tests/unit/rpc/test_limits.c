/* What abusive clients run into, over real sockets, and that well-behaved ones do not. */
#include "fake_service.h"
#include "h2_client.h"
#include "raw_h2.h"

#include "base/clock.h"
#include "base/text.h"
#include "rpc/connection.h"
#include "rpc/grpc.h"

#include <flyteidl/service/admin.pb-c.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ADMIN "/flyteidl.service.AdminService/"
#define ENHANCE_YOUR_CALM 11
#define CANCEL 8
#define REFUSED_STREAM 7

struct fixture {
	struct fake_service fake;
	struct rpc_service service;
	struct rpc_server *server;
	struct raw_h2 raw;
	struct arena arena;
};

static void start(struct fixture *f, struct rpc_limits limits)
{
	auto_err struct err e = ERR_INIT;
	f->service = fake_service(&f->fake);
	struct rpc_server_options options = { .address = "127.0.0.1", .workers = 4, .services = &f->service, .service_count = 1,
		                              .limits = limits };
	if (rpc_server_start(&options, &f->server, &e) < 0)
		fail_msg("%s", err_message(&e));
	raw_open(&f->raw, rpc_server_port(f->server), true);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	f->fake = (struct fake_service)FAKE_SERVICE_INIT;
	f->arena = (struct arena)ARENA_INIT((size_t)256 * 1024 * 1024);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	auto_err struct err e = ERR_INIT;
	fake_service_open(&f->fake, true);
	raw_close(&f->raw);
	if (rpc_server_stop(f->server, clock_monotonic_ms() + 10000, &e) < 0)
		fail_msg("%s", err_message(&e));
	arena_release(&f->arena);
	free(f);
	return 0;
}

/* GetTask with a name of that length, as a framed message: the answer has the same size. */
static struct proto_bytes get_task(struct fixture *f, size_t length)
{
	Flyteidl__Admin__ObjectGetRequest *request = proto_new(&f->arena, flyteidl__admin__object_get_request);
	char *name = arena_alloc(&f->arena, length + 1);
	memset(name, 'n', length);
	name[length] = '\0';
	request->id = proto_new(&f->arena, flyteidl__core__identifier);
	request->id->name = name;
	size_t size = protobuf_c_message_get_packed_size(&request->base);
	uint8_t *bytes = arena_alloc(&f->arena, GRPC_FRAME_HEADER_SIZE + size);
	grpc_frame_write_header(bytes, size);
	protobuf_c_message_pack(&request->base, bytes + GRPC_FRAME_HEADER_SIZE);
	return (struct proto_bytes){ .data = bytes, .length = GRPC_FRAME_HEADER_SIZE + size };
}

/* A well-behaved client's call beside whatever else goes on. */
static void assert_served(struct fixture *f, size_t length, int status)
{
	struct h2_client *client = h2_client_open(rpc_server_port(f->server));
	struct proto_bytes body = get_task(f, length);
	struct h2_request request = { .path = ADMIN "GetTask", .body = body.data, .length = body.length };
	struct h2_result result;
	h2_client_start(client, &request, &result);
	assert_true(h2_client_run(client, &result));
	assert_int_equal(result.grpc_status, status);
	h2_result_release(&result);
	h2_client_close(client);
}

/* --- frames that cost the client nothing --- */

static void assert_flood_ends(struct fixture *f, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t length)
{
	/* Sockets buffer some of what nobody reads any more. */
	for (unsigned i = 0; i < 50000 && raw_send_frame(&f->raw, type, flags, stream, payload, length);)
		i++;
	/* The reset of a closing socket may overtake the GOAWAY, hence -1 is an end, too. */
	int64_t code = raw_end(&f->raw);
	if (code != ENHANCE_YOUR_CALM && code != -1)
		fail_msg("the connection ended with %lld", (long long)code);
	assert_served(f, 1, 0);
}

static void ping_floods_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	assert_flood_ends(f, RAW_PING, 0, 0, "12345678", 8);
}

static void settings_floods_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	assert_flood_ends(f, RAW_SETTINGS, 0, 0, NULL, 0);
}

static void priority_floods_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	assert_flood_ends(f, RAW_PRIORITY, 0, 1, "\0\0\0\3\1", 5);
}

static void window_update_floods_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	assert_flood_ends(f, RAW_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
}

static void floods_of_empty_data_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	auto_buf struct buf head = BUF_INIT(16384);
	raw_head(&head, ADMIN "GetTask", NULL);
	assert_true(raw_send_frame(&f->raw, RAW_HEADERS, RAW_END_HEADERS, 1, head.data, head.length));
	assert_flood_ends(f, RAW_DATA, 0, 1, NULL, 0);
}

/* CVE-2023-44487. */
static void rapid_resets_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	struct proto_bytes body = get_task(f, 1);
	uint32_t stream = 1;
	while (stream < 40000 && raw_send_call(&f->raw, stream, ADMIN "GetVersion", body.data, body.length) &&
	       raw_send_frame(&f->raw, RAW_RST_STREAM, 0, stream, "\0\0\0\x08", 4))
		stream += 2;
	int64_t code = raw_end(&f->raw);
	assert_true(code != -2);
	/* At most the four that had a worker when they were reset are left; the queue holds none of them. */
	fake_service_open(&f->fake, true);
	assert_served(f, 1, 0);
	pthread_mutex_lock(&f->fake.lock);
	unsigned entered = f->fake.entered;
	pthread_mutex_unlock(&f->fake.lock);
	assert_true(entered <= 4);
}

/* CVE-2024-28182 and its relatives: a head that never ends. */
static void continuation_floods_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	auto_buf struct buf head = BUF_INIT(16384);
	raw_head(&head, ADMIN "GetTask", NULL);
	assert_true(raw_send_frame(&f->raw, RAW_HEADERS, 0, 1, head.data, head.length));
	for (unsigned i = 0; i < 50000 && raw_send_frame(&f->raw, RAW_CONTINUATION, 0, 1, NULL, 0);)
		i++;
	assert_true(raw_end(&f->raw) != -2);
	assert_served(f, 1, 0);
}

/* One entry of the dynamic table, then one byte for each further 4 KiB. */
static void header_bombs_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	auto_buf struct buf head = BUF_INIT((size_t)64 * 1024);
	char value[4000];
	memset(value, 'v', sizeof(value));
	raw_head(&head, ADMIN "GetTask", NULL);
	(void)buf_add(&head, "\x40\1x\x7f\xa1\x1e", 6); /* literal with indexing, name "x", length 127 + 33 + 30 * 128 */
	(void)buf_add(&head, value, sizeof(value));
	for (size_t i = 0; i < 10000; i++)
		(void)buf_add_byte(&head, (char)0xbe);
	assert_true(head.length <= 16384);
	assert_true(raw_send_frame(&f->raw, RAW_HEADERS, RAW_END_HEADERS | RAW_END_STREAM, 1, head.data, head.length));
	assert_int_equal(raw_end(&f->raw), ENHANCE_YOUR_CALM);
	assert_served(f, 1, 0);
}

static void send_with_metadata(struct fixture *f, uint32_t stream, size_t size)
{
	auto_buf struct buf block = BUF_INIT((size_t)256 * 1024);
	static char value[16384];
	memset(value, 'm', sizeof(value));
	raw_head(&block, ADMIN "GetTask", NULL);
	for (size_t left = size; left;) {
		size_t piece = left < sizeof(value) ? left : sizeof(value);
		raw_add_literal(&block, "x-metadata", value, piece);
		left -= piece;
	}
	struct proto_bytes body = get_task(f, 1);
	for (size_t sent = 0; sent < block.length;) {
		size_t piece = block.length - sent < 16384 ? block.length - sent : 16384;
		uint8_t flags = sent + piece == block.length ? RAW_END_HEADERS : 0;
		assert_true(raw_send_frame(&f->raw, sent ? RAW_CONTINUATION : RAW_HEADERS, flags, stream, block.data + sent, piece));
		sent += piece;
	}
	assert_true(raw_send_frame(&f->raw, RAW_DATA, RAW_END_STREAM, stream, body.data, body.length));
}

static void metadata_has_a_limit_above_what_clients_send(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	struct raw_frame frame;
	send_with_metadata(f, 1, (size_t)32 * 1024);
	assert_true(raw_wait(&f->raw, RAW_DATA, 1, &frame));
	/* Too much is answered, and costs the call only. */
	send_with_metadata(f, 3, (size_t)65 * 1024);
	assert_true(raw_wait(&f->raw, RAW_HEADERS, 3, &frame));
	assert_true(frame.flags & RAW_END_STREAM);
	send_with_metadata(f, 5, 10);
	assert_true(raw_wait(&f->raw, RAW_DATA, 5, &frame));
}

static void streams_are_counted(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .stream_maximum = 8 });
	struct proto_bytes body = get_task(f, 1);
	struct raw_frame frame;
	for (uint32_t i = 0; i <= 8; i++)
		assert_true(raw_send_call(&f->raw, 1 + 2 * i, ADMIN "GetVersion", body.data, body.length));
	assert_true(raw_wait(&f->raw, RAW_RST_STREAM, 17, &frame));
	assert_int_equal(raw_number(frame.payload), REFUSED_STREAM);
	fake_service_open(&f->fake, true);
	for (uint32_t i = 0; i < 8; i++)
		assert_true(raw_send_frame(&f->raw, RAW_PING, 0, 0, "12345678", 8));
	assert_true(raw_wait(&f->raw, RAW_PING, 0, &frame));
}

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
	assert_true(raw_send_call(&f->raw, 3, ADMIN "GetVersion", small.data, small.length));
	assert_true(raw_wait(&f->raw, RAW_RST_STREAM, 1, &frame));
	assert_int_equal(raw_number(frame.payload), CANCEL);
	/* Only now does the second one begin. */
	assert_true(fake_service_wait(&f->fake, 1));
	fake_service_open(&f->fake, true);
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

static void no_wake(void *owner)
{
	(void)owner;
}

/* Without a socket, so that time is ours: a ping moves the end of an idle connection, as flytekit relies on. */
static void pings_keep_a_connection(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	struct rpc_router router = { 0 };
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
	fake_service_open(&f->fake, true);
	assert_true(raw_wait(&f->raw, RAW_DATA, 15, &frame));
}

/* --- well-behaved clients --- */

/* grpc-go pings once a round trip while data flows, and gives the window back as it reads. */
static void a_busy_client_is_no_flood(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	struct proto_bytes body = get_task(f, 1000);
	struct raw_frame frame;
	for (uint32_t stream = 1; stream < 6000; stream += 2) {
		assert_true(raw_send_call(&f->raw, stream, ADMIN "GetTask", body.data, body.length));
		assert_true(raw_send_frame(&f->raw, RAW_PING, 0, 0, "12345678", 8));
		assert_true(raw_wait(&f->raw, RAW_DATA, stream, &frame));
		assert_true(raw_send_frame(&f->raw, RAW_WINDOW_UPDATE, 0, 0, "\0\0\x10\0", 4));
	}
}

static void messages_of_20_mib_pass(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	/* Twice the tag and length of the name and of the id, and the name of the client and its address in the answer. */
	assert_served(f, (size_t)20 * 1024 * 1024 - 64, 0);
	assert_served(f, (size_t)20 * 1024 * 1024 + 1, GRPC_RESOURCE_EXHAUSTED);
}

static void budgets_refill(void **state)
{
	(void)state;
	struct rpc_budget budget;
	rpc_budget_init(&budget, 1000);
	assert_true(rpc_budget_spend(&budget, RPC_BUDGET, 1000));
	assert_false(rpc_budget_spend(&budget, 1, 1000));
	assert_true(rpc_budget_spend(&budget, 99, 1100));
	assert_false(rpc_budget_spend(&budget, 1, 1100));
	rpc_budget_earn(&budget, 2);
	assert_true(rpc_budget_spend(&budget, 1, 1100));
	assert_true(rpc_budget_spend(&budget, RPC_BUDGET, 1000000));
	assert_false(rpc_budget_spend(&budget, 1, 1000000));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(ping_floods_end),
		TEST(settings_floods_end),
		TEST(priority_floods_end),
		TEST(window_update_floods_end),
		TEST(floods_of_empty_data_end),
		TEST(rapid_resets_end),
		TEST(continuation_floods_end),
		TEST(header_bombs_end),
		TEST(metadata_has_a_limit_above_what_clients_send),
		TEST(streams_are_counted),
		TEST(slow_beginnings_end),
		TEST(slow_requests_are_answered_with_their_deadline),
		TEST(trickling_is_no_progress),
		TEST(unread_responses_are_given_up),
		TEST(who_never_reads_is_cut_off),
		TEST(memory_has_one_limit_for_all),
		TEST(idle_connections_make_room),
		TEST(busy_connections_are_kept),
		TEST(idle_connections_end),
		TEST(pings_keep_a_connection),
		TEST(handlers_are_told_when_nobody_waits),
		TEST(waiting_calls_leave_the_queue),
		TEST(a_busy_client_is_no_flood),
		TEST(messages_of_20_mib_pass),
		cmocka_unit_test(budgets_refill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
