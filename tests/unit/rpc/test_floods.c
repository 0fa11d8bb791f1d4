/*
 * What a client can send that costs it nothing and us work, and that who behaves well never runs into the limits against it. The
 * abusive clients here read what they are answered, so that nothing but the budget (rpc/limits.h) stands in their way.
 */
#include "raw_fixture.h"

#include "base/clock.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* What one round of a flood may cost. */
#define ROUND 500

/* Sends a ping and reads up to its answer; false once the server has sent the client away, with its code. */
static bool still_there(struct fixture *f, int64_t *ret_code)
{
	static const char mark[] = "the mark";
	struct raw_frame frame;
	*ret_code = -1;
	if (!raw_send_frame(&f->raw, RAW_PING, 0, 0, mark, 8))
		return false;
	while (raw_read(&f->raw, &frame)) {
		if (frame.type == RAW_PING && frame.flags & RAW_ACK && memcmp(frame.payload, mark, 8) == 0)
			return true;
		if (frame.type != RAW_GOAWAY)
			continue;
		*ret_code = raw_number(frame.payload + 4);
		return false;
	}
	return false;
}

/*
 * The same frames again and again, each costing the client nothing, until the server ends it: with ENHANCE_YOUR_CALM, and when the
 * budget is used up, neither earlier nor later. `send` returns false when the server takes no more.
 */
static void assert_flood_ends(struct fixture *f, int64_t cost, bool (*send)(struct fixture *f, unsigned number))
{
	int64_t begun = clock_monotonic_ms(), code = -1;
	int64_t spent = RPC_COST_SETTINGS; /* to greet */
	unsigned number = 0;
	do {
		for (int64_t round = 0; round < ROUND && send(f, number); round += cost) {
			number++;
			spent += cost;
		}
		spent += RPC_COST_PING;
	} while (spent < 10 * RPC_BUDGET && still_there(f, &code));
	int64_t refilled = (clock_monotonic_ms() - begun + 1) * RPC_BUDGET / 10000;
	assert_int_equal(code, RAW_ENHANCE_YOUR_CALM);
	assert_true(spent > RPC_BUDGET);
	assert_true(spent <= RPC_BUDGET + refilled + ROUND + cost + RPC_COST_PING);
	assert_int_equal(raw_end(&f->raw), -1); /* nothing more came after it, and it was closed */
	fake_service_open(&f->fake, true);
	assert_served(f, 1, 0);
}

#define FLOOD(name, ...)                                                                                               \
	static bool name(struct fixture *f, unsigned number)                                                           \
	{                                                                                                              \
		(void)number;                                                                                          \
		return raw_send_frame(&f->raw, __VA_ARGS__);                                                           \
	}

FLOOD(ping, RAW_PING, 0, 0, "12345678", 8)

static void ping_floods_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	assert_flood_ends(f, RPC_COST_PING, ping);
}

FLOOD(acknowledgement, RAW_PING, RAW_ACK, 0, "12345678", 8)

static void acknowledgement_floods_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	assert_flood_ends(f, RPC_COST_PING, acknowledgement);
}

FLOOD(settings, RAW_SETTINGS, 0, 0, NULL, 0)

static void settings_floods_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	assert_flood_ends(f, RPC_COST_SETTINGS, settings);
}

FLOOD(priority, RAW_PRIORITY, 0, 1, "\0\0\0\3\1", 5)

static void priority_floods_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	assert_flood_ends(f, RPC_COST_PRIORITY, priority);
}

FLOOD(window_update, RAW_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4)

static void window_update_floods_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	assert_flood_ends(f, RPC_COST_WINDOW_UPDATE, window_update);
}

static void begin_call(struct fixture *f)
{
	auto_buf struct buf head = BUF_INIT(16384);
	raw_head(&head, ADMIN "GetTask", NULL);
	assert_true(raw_send_frame(&f->raw, RAW_HEADERS, RAW_END_HEADERS, 1, head.data, head.length));
}

FLOOD(empty_data, RAW_DATA, 0, 1, NULL, 0)

static void floods_of_empty_data_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	begin_call(f);
	assert_flood_ends(f, RPC_COST_EMPTY_DATA, empty_data);
}

FLOOD(tiny_data, RAW_DATA, 0, 1, "\0", 1)

static void floods_of_tiny_data_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	begin_call(f);
	assert_flood_ends(f, RPC_COST_SMALL_DATA, tiny_data);
}

/* A call of what never answers, and a reset. */
static bool call_and_reset(struct fixture *f, unsigned number)
{
	uint32_t stream = 1 + 2 * number;
	return raw_send_call(&f->raw, stream, ADMIN "GetVersion", "\0\0\0\0\0", 5) &&
	       raw_send_frame(&f->raw, RAW_RST_STREAM, 0, stream, "\0\0\0\x08", 4);
}

/* CVE-2023-44487. */
static void rapid_resets_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	assert_flood_ends(f, RPC_COST_RESET, call_and_reset);
	/* At most the four that had a worker when they were reset are left; the queue holds none of them. */
	pthread_mutex_lock(&f->fake.lock);
	unsigned entered = f->fake.entered;
	pthread_mutex_unlock(&f->fake.lock);
	assert_true(entered <= 4);
}

/* As many entries as fit into a frame: all of them would have to be taken for one frame's price. */
static void settings_entries_are_counted(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	char entries[6 * 1000];
	for (size_t i = 0; i < sizeof(entries); i += 6)
		memcpy(entries + i, "\0\4\0\0\xff\xff", 6);
	assert_true(raw_send_frame(&f->raw, RAW_SETTINGS, 0, 0, entries, sizeof(entries)));
	assert_int_equal(raw_end(&f->raw), RAW_ENHANCE_YOUR_CALM);
	assert_served(f, 1, 0);
}

/* CVE-2024-28182 and its relatives: a head that never ends. It has all the time, so that its deadline does not end it. */
static void continuation_floods_end(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .head_ms = 3600 * 1000 });
	auto_buf struct buf head = BUF_INIT(16384);
	raw_head(&head, ADMIN "GetTask", NULL);
	assert_true(raw_send_frame(&f->raw, RAW_HEADERS, 0, 1, head.data, head.length));
	for (unsigned i = 0; i < 1000 && raw_send_frame(&f->raw, RAW_CONTINUATION, 0, 1, NULL, 0);)
		i++;
	assert_int_equal(raw_end(&f->raw), -1);
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
	assert_int_equal(raw_end(&f->raw), RAW_ENHANCE_YOUR_CALM);
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
	assert_int_equal(raw_number(frame.payload), RAW_REFUSED_STREAM);
	fake_service_open(&f->fake, true);
	for (uint32_t i = 0; i < 8; i++)
		assert_true(raw_send_frame(&f->raw, RAW_PING, 0, 0, "12345678", 8));
	assert_true(raw_wait(&f->raw, RAW_PING, 0, &frame));
}

/* --- well-behaved clients --- */

/* flytekit pings every 30 s without calls; ten a second, for ever, are still no flood. */
static void keep_alive_pings_are_welcome(void **state)
{
	(void)state;
	struct rpc_budget budget;
	int64_t now = 1000;
	rpc_budget_init(&budget, now);
	for (unsigned i = 0; i < 100000; i++)
		assert_true(rpc_budget_spend(&budget, RPC_COST_PING, now += 100));
	assert_true(budget.left > RPC_BUDGET / 2);
}

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
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(ping_floods_end),
		TEST(acknowledgement_floods_end),
		TEST(settings_floods_end),
		TEST(priority_floods_end),
		TEST(window_update_floods_end),
		TEST(floods_of_empty_data_end),
		TEST(floods_of_tiny_data_end),
		TEST(rapid_resets_end),
		TEST(settings_entries_are_counted),
		TEST(continuation_floods_end),
		TEST(header_bombs_end),
		TEST(metadata_has_a_limit_above_what_clients_send),
		TEST(streams_are_counted),
		cmocka_unit_test(keep_alive_pings_are_welcome),
		TEST(a_busy_client_is_no_flood),
		cmocka_unit_test(budgets_refill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
